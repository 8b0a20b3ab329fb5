"""Figures as pictures.

Lives here: six drawings, each with its alternative text. Must not live here: how a bar is drawn
(``plot_parts``), figures, sending. Law: what a picture is about, its alternative text tells in
numbers too. Needs the extra ``plots``; that is imported only where a picture is drawn.
"""

from collections.abc import Callable
from importlib.util import find_spec
from threading import Lock

from bot import figure_words as words
from bot.plot_parts import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    RED,
    Bar,
    Picture,
    barred,
    dates,
    done,
    line,
    page,
)
from governance.advice import always_met, never_fired, never_met
from governance.policy.model import Bundle
from governance.statistics import End, Figures, percent

Names = Callable[[str], str]
"""A person's id -> how they are called in a picture."""

_ONE_AT_A_TIME = Lock()
"""The library's settings are of the whole process."""
_MOST_ROWS = 10
_BUCKETS = (
    (60, "up to 1 min"),
    (300, "1 to 5 min"),
    (900, "5 to 15 min"),
    (3_600, "15 min to 1 h"),
    (14_400, "1 to 4 h"),
    (43_200, "4 to 12 h"),
    (10**9, "over 12 h"),
)
_HOUR_S = 3_600


def can_draw() -> bool:
    """Whether the extra is installed."""
    return find_spec("matplotlib") is not None


def draw(figures: Figures, bundle: Bundle, names: Names = str) -> tuple[Picture, ...]:
    """Every picture. It takes about a second: call it on another thread."""
    import matplotlib as mpl

    with (
        _ONE_AT_A_TIME,
        mpl.rc_context(
            {
                "font.family": "DejaVu Sans",
                "font.size": 14,
                "text.parse_math": False,
                "hatch.linewidth": 1.4,
                "text.color": INK,
            }
        ),
    ):
        return (
            _decisions(figures),
            _outcomes(figures),
            _waits(figures),
            _queue(figures),
            _approvers(figures, names),
            _rules(figures, bundle),
        )


def _decisions(figures: Figures) -> Picture:
    looks = {
        "ALLOW": (BLUE, ""),
        "ALLOW_WITH_CONSTRAINTS": (BLUE, "//"),
        "REQUIRE_APPROVAL": (ORANGE, ""),
        "THROTTLE": (GREY, ".."),
        "DENY": (RED, "xx"),
    }
    bars = [
        Bar(
            label=effect.replace("_", " ").lower(),
            value=figures.effects.get(effect, 0),
            said=words.part(figures.effects.get(effect, 0), figures.decisions),
            colour=colour,
            hatch=hatch,
        )
        for effect, (colour, hatch) in looks.items()
    ]
    title = f"{figures.decisions} decisions"
    return barred(
        figures, "decisions", title, "by effect", bars=bars, alt=words.effects(figures) or "none"
    )


def _outcomes(figures: Figures) -> Picture:
    looks = {
        End.APPROVED: (GREEN, ""),
        End.REJECTED: (RED, "xx"),
        End.EXPIRED: (ORANGE, "//"),
        End.TAKEN_BACK: (GREY, ".."),
    }
    asked, total = figures.all, sum(figures.runs.values())
    bars = [
        Bar(
            label=end.value,
            value=asked.of(end),
            said=words.part(asked.of(end), asked.asked),
            colour=colour,
            hatch=hatch,
        )
        for end, (colour, hatch) in looks.items()
    ]
    bars.append(Bar(label="waiting", value=asked.waiting, said=f"{asked.waiting}", colour=PALE))
    ways = (("succeeded", GREEN, ""), ("failed", RED, "xx"), ("unknown", GREY, ".."))
    for how, colour, hatch in ways:
        count = figures.runs.get(how, 0)
        said = words.part(count, total)
        bars.append(Bar(label=f"run {how}", value=count, said=said, colour=colour, hatch=hatch))
    alt = f"{words.answers(asked)}. Runs: {words.runs(figures)}"
    title = f"{asked.asked} times people were asked"
    return barred(figures, "outcomes", title, "and what came of it", bars=bars, alt=alt)


def _waits(figures: Figures) -> Picture:
    counts = [0] * len(_BUCKETS)
    for seconds, count in figures.all.waits_s.items():
        place = next(n for n, (limit_s, _) in enumerate(_BUCKETS) if seconds <= limit_s)
        counts[place] += count
    total = sum(counts)
    bars = [
        Bar(label=label, value=count, said=words.part(count, total))
        for (_, label), count in zip(_BUCKETS, counts, strict=True)
    ]
    half, most = (words.span(figures.all.wait_s(one)) for one in (50, 90))
    title = f"Half were decided within {half}" if total else "Nobody decided anything"
    told = f"90 % within {most}" if total else ""
    return barred(figures, "waits", title, told, bars=bars, alt=words.waits(figures.all))


def _approvers(figures: Figures, names: Names) -> Picture:
    bars = [
        Bar(
            label=names(load.person),
            value=load.approvals,
            more=load.rejections,
            said=f"{load.approvals} for, {load.rejections} against",
        )
        for load in figures.loads[:_MOST_ROWS]
    ]
    rest = figures.loads[_MOST_ROWS:]
    if rest:
        said = sum(load.votes for load in rest)
        bars.append(Bar(label=f"{len(rest)} more", value=said, said=f"{said}", colour=PALE))
    title = words.spread(figures)
    told = "plain: for, hatched: against"
    return barred(figures, "approvers", title, told, bars=bars, alt=words.load(figures))


def _rules(figures: Figures, bundle: Bundle) -> Picture:
    asked = [(rule, one) for rule, one in figures.rules.items() if one.decided]
    asked.sort(key=lambda item: (-item[1].decided, item[0]))
    bars = [
        Bar(
            label=rule,
            value=percent(one.of(End.APPROVED), one.decided),
            said=f"{one.of(End.APPROVED)} of {one.decided}"
            f" ({percent(one.of(End.APPROVED), one.decided)} %)",
        )
        for rule, one in asked[:_MOST_ROWS]
    ]
    idle = words.names(never_fired(figures, bundle)) or "none"
    always = words.names(always_met(figures)) or "none"
    never = words.names(never_met(figures)) or "none"
    alt = (
        f"Approved of answered, by rule: {words.rates(figures)}. Rules that never fired: {idle}. "
        f"Tiers always met: {always}; never met: {never}"
    )
    notes = (f"Never fired: {idle}", f"Tiers always met: {always}", f"Tiers never met: {never}")
    title, told = "How often people approved", "by rule, of those answered"
    return barred(figures, "rules", title, told, bars=bars, alt=alt, notes=notes, whole=100)


def _queue(figures: Figures) -> Picture:
    figure = page(figures, 5.4, "The queue", words.queue(figures))
    upper, lower = figure.subplots(2, 1, sharex=True)
    at = [sample.at for sample in figures.queue]
    line(upper, at, [float(one.waiting) for one in figures.queue], "tickets waiting", BLUE)
    ages = [one.oldest_s / _HOUR_S for one in figures.queue]
    line(lower, at, ages, "hours, the oldest", RED, dashes=(4, 2))
    dates(lower)
    figure.tight_layout(rect=(0, 0, 1, 0.81), h_pad=2)
    return done(figure, "queue", "The queue", words.queue(figures))
