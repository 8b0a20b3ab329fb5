"""What every picture of figures is made of: a page, bars, lines, and text that stays text.

Lives here: drawing. Must not live here: which figures are drawn (``plots``). Law: every bar and
line says its number beside it; nothing is told by colour alone, and colour-blind people tell the
colours apart (Okabe and Ito); nothing in a name is a formula or leaves its line.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from bot.figures import words
from bot.language import day_form, gettext, signed
from governance.statistics import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6B6B6B"
INK, PALE = "#1A1A1A", "#D9D9D9"
_WIDTH_IN, _ROW_IN, _DPI = 7.2, 0.62, 150
_MOST_CHARS = 24
_LAST_KNOWN_LETTER = 0x52F
"""Latin, Greek and Cyrillic: what the font that comes along can draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A PNG; ``alt`` says what it shows to whoever does not see it."""

    name: str
    title: str
    alt: str
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    label: str
    value: int
    said: str
    colour: str = BLUE
    hatch: str = ""
    more: int = 0
    """A second part, hatched, behind the first."""


def dates(axis: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter

    axis.xaxis.set_major_locator(AutoDateLocator(maxticks=6))  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_formatter(DateFormatter(day_form()))  # type: ignore[no-untyped-call]


def line(
    axis: "Axes",
    at: Sequence[object],
    values: Sequence[float],
    label: str,
    colour: str,
    *,
    dashes: tuple[int, int] | None = None,
) -> None:
    drawn = axis.plot(at, values, color=colour, linewidth=2.8, drawstyle="steps-post")  # type: ignore[arg-type]
    if dashes is not None:
        drawn[0].set_dashes(dashes)
    axis.set_title(label, loc="left", fontsize=14, color=colour)
    top = max([*values, 0.0])
    axis.set_ylim(0, top * 1.35 or 1)
    _bare(axis)
    axis.yaxis.set_major_locator(_whole_numbers())
    if values:
        place = values.index(top)
        axis.annotate(
            signed(f"{top:.3g}"),
            (at[place], top),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontweight="bold",
        )


def _whole_numbers() -> "MaxNLocator":
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4, integer=True)


def barred(
    figures: Figures,
    name: str,
    title: str,
    told: str,
    *,
    bars: Sequence[Bar],
    alt: str,
    notes: Sequence[str] = (),
    whole: int = 0,
) -> Picture:
    """A picture of bars, from above; ``whole`` is the length of a full one, the longest if 0."""
    lines = [line for note in notes for line in _wrapped(note)]
    height = 1.5 + _ROW_IN * max(len(bars), 1) + 0.36 * len(lines)
    figure = page(figures, height, title, told)
    below = 0.36 * len(lines) + 0.15
    axis = figure.add_axes((0.02, below / height, 0.96, (height - below - 1.25) / height))
    longest = whole or max([bar.value + bar.more for bar in bars] or [0]) or 1
    for place, bar in enumerate(bars):
        _bar(axis, place, bar, longest)
    axis.set_xlim(-0.86 * longest, 1.72 * longest)
    axis.set_ylim(max(len(bars), 1) - 0.4, -0.6)
    axis.set_axis_off()
    if not bars:
        axis.text(-0.84 * longest, 0, gettext("nothing to show"), va="center", color=GREY)
    for place, line in enumerate(lines):
        figure.text(0.03, (below - 0.36 * (place + 0.8)) / height, line, fontsize=12.5)
    return done(figure, name, title, alt)


def _bar(axis: "Axes", place: int, bar: Bar, longest: int) -> None:
    edge = {"edgecolor": "white", "linewidth": 0.8, "height": 0.62}
    axis.barh(place, bar.value, color=bar.colour, hatch=bar.hatch, **edge)  # type: ignore[arg-type]
    if bar.more:
        axis.barh(place, bar.more, left=bar.value, color=RED, hatch="xx", **edge)  # type: ignore[arg-type]
    axis.text(-0.02 * longest, place, _plain(bar.label, _MOST_CHARS), ha="right", va="center")
    end = bar.value + bar.more
    axis.text(end + 0.02 * longest, place, bar.said, ha="left", va="center", fontweight="bold")


def page(figures: Figures, height: float, title: str, told: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_IN, height), dpi=_DPI, facecolor="white")
    figure.text(0.03, 1 - 0.42 / height, title, fontsize=19, fontweight="bold")
    figure.text(0.03, 1 - 0.76 / height, told, fontsize=13, color=GREY)
    figure.text(0.03, 1 - 1.04 / height, words.window(figures), fontsize=11, color=GREY)
    return figure


def _bare(axis: "Axes") -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.grid(axis="y", color=PALE, linewidth=0.8)
    axis.set_axisbelow(True)


def _wrapped(text: str, width: int = 58) -> list[str]:
    return wrap(_plain(text, 400), width, break_on_hyphens=False)


def _plain(text: str, most: int) -> str:
    """Text as the font can draw it, on one line, cut where it is too long."""
    letters = [one if one.isprintable() and ord(one) <= _LAST_KNOWN_LETTER else "?" for one in text]
    whole = "".join(letters)
    return whole if len(whole) <= most else f"{whole[: most - 1]}\u2026"


def done(figure: "Figure", name: str, title: str, alt: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return Picture(name=f"{name}.png", title=title, alt=f"{title}: {alt}.", png=buffer.getvalue())
