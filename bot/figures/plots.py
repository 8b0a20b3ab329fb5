"""Figures as pictures.

Lives here: six drawings, each with its alternative text. Must not live here: how a bar is drawn
(``plot_parts``), figures, sending. Law: what a picture is about, its alternative text tells in
numbers too. Needs the extra ``plots``; that is imported only where a picture is drawn.
"""

from collections.abc import Callable
from importlib.util import find_spec
from threading import Lock

from bot.figures import words
from bot.figures.plot_parts import (
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
from bot.language import N_, gettext
from governance.advice import always_met, never_fired, never_met
from governance.policy.model import Bundle
from governance.statistics import End, Figures, percent

Names = Callable[[str], str]
"""A person's id -> how they are called in a picture."""

_ONE_AT_A_TIME = Lock()
"""The library's settings are of the whole process."""
_MOST_ROWS = 10
_BUCKETS = (
    (60, N_("up to 1 min")),
    (300, N_("1 to 5 min")),
    (900, N_("5 to 15 min")),
    (3_600, N_("15 min to 1 h")),
    (14_400, N_("1 to 4 h")),
    (43_200, N_("4 to 12 h")),
    (10**9, N_("over 12 h")),
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
        "ALLOW": (N_("allow"), BLUE, ""),
        "ALLOW_WITH_CONSTRAINTS": (N_("allow with constraints"), BLUE, "//"),
        "REQUIRE_APPROVAL": (N_("require approval"), ORANGE, ""),
        "THROTTLE": (N_("throttle"), GREY, ".."),
        "DENY": (N_("deny"), RED, "xx"),
    }
    bars = [
        Bar(
            label=gettext(label),
            value=figures.effects.get(effect, 0),
            said=words.part(figures.effects.get(effect, 0), figures.decisions),
            colour=colour,
            hatch=hatch,
        )
        for effect, (label, colour, hatch) in looks.items()
    ]
    title = gettext("{count} decisions", count=figures.decisions)
    alt = words.effects(figures) or gettext(words.NONE)
    return barred(figures, "decisions", title, gettext("by effect"), bars=bars, alt=alt)


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
            label=gettext(words.ENDS[end]),
            value=asked.of(end),
            said=words.part(asked.of(end), asked.asked),
            colour=colour,
            hatch=hatch,
        )
        for end, (colour, hatch) in looks.items()
    ]
    waiting = gettext("waiting")
    bars.append(Bar(label=waiting, value=asked.waiting, said=f"{asked.waiting}", colour=PALE))
    ways = (("succeeded", GREEN, ""), ("failed", RED, "xx"), ("unknown", GREY, ".."))
    for how, colour, hatch in ways:
        count = figures.runs.get(how, 0)
        said = words.part(count, total)
        label = gettext("run {how}", how=words.run(how))
        bars.append(Bar(label=label, value=count, said=said, colour=colour, hatch=hatch))
    alt = gettext("{answers}. Runs: {runs}", answers=words.answers(asked), runs=words.runs(figures))
    title = gettext("{count} times people were asked", count=asked.asked)
    return barred(figures, "outcomes", title, gettext("and what came of it"), bars=bars, alt=alt)


def _waits(figures: Figures) -> Picture:
    counts = [0] * len(_BUCKETS)
    for seconds, count in figures.all.waits_s.items():
        place = next(n for n, (limit_s, _) in enumerate(_BUCKETS) if seconds <= limit_s)
        counts[place] += count
    total = sum(counts)
    bars = [
        Bar(label=gettext(label), value=count, said=words.part(count, total))
        for (_, label), count in zip(_BUCKETS, counts, strict=True)
    ]
    half, most = (words.span(figures.all.wait_s(one)) for one in (50, 90))
    title, told = gettext("Nobody decided anything"), ""
    if total:
        title = gettext("Half were decided within {time}", time=half)
        told = gettext("90 % within {time}", time=most)
    return barred(figures, "waits", title, told, bars=bars, alt=words.waits(figures.all))


def _approvers(figures: Figures, names: Names) -> Picture:
    bars = [
        Bar(
            label=names(load.person),
            value=load.approvals,
            more=load.rejections,
            said=gettext(
                "{approvals} for, {rejections} against",
                approvals=load.approvals,
                rejections=load.rejections,
            ),
        )
        for load in figures.loads[:_MOST_ROWS]
    ]
    rest = figures.loads[_MOST_ROWS:]
    if rest:
        said = sum(load.votes for load in rest)
        label = gettext("{count} more", count=len(rest))
        bars.append(Bar(label=label, value=said, said=f"{said}", colour=PALE))
    title = words.spread(figures)
    told = gettext("plain: for, hatched: against")
    return barred(figures, "approvers", title, told, bars=bars, alt=words.load(figures))


def _rules(figures: Figures, bundle: Bundle) -> Picture:
    asked = [(rule, one) for rule, one in figures.rules.items() if one.decided]
    asked.sort(key=lambda item: (-item[1].decided, item[0]))
    bars = [
        Bar(
            label=rule,
            value=percent(one.of(End.APPROVED), one.decided),
            said=f"{words.some_of(one.of(End.APPROVED), one.decided)}"
            f" ({percent(one.of(End.APPROVED), one.decided)} %)",
        )
        for rule, one in asked[:_MOST_ROWS]
    ]
    none = gettext(words.NONE)
    idle = words.names(never_fired(figures, bundle)) or none
    always = words.names(always_met(figures)) or none
    never = words.names(never_met(figures)) or none
    alt = gettext(
        "Approved of answered, by rule: {rates}. Rules that never fired: {idle}. "
        "Tiers always met: {always}; never met: {never}",
        rates=words.rates(figures),
        idle=idle,
        always=always,
        never=never,
    )
    notes = (
        gettext("Never fired: {rules}", rules=idle),
        gettext("Tiers always met: {tiers}", tiers=always),
        gettext("Tiers never met: {tiers}", tiers=never),
    )
    title, told = gettext("How often people approved"), gettext("by rule, of those answered")
    return barred(figures, "rules", title, told, bars=bars, alt=alt, notes=notes, whole=100)


def _queue(figures: Figures) -> Picture:
    title = gettext("The queue")
    figure = page(figures, 5.4, title, words.queue(figures))
    upper, lower = figure.subplots(2, 1, sharex=True)
    at = [sample.at for sample in figures.queue]
    line(upper, at, [float(one.waiting) for one in figures.queue], gettext("tickets waiting"), BLUE)
    ages = [one.oldest_s / _HOUR_S for one in figures.queue]
    line(lower, at, ages, gettext("hours, the oldest"), RED, dashes=(4, 2))
    dates(lower)
    figure.tight_layout(rect=(0, 0, 1, 0.81), h_pad=2)
    return done(figure, "queue", title, words.queue(figures))
