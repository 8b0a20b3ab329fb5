"""Figures in words: for a table, for a message, for whoever cannot see a picture.

Lives here: every sentence about figures. Must not live here: counting, drawing, sending.
Law: a sentence gives the number and what it is of; nothing is said that was not counted. It is in
the language that is spoken, English on the command line; names and ids are in none.
"""

from collections.abc import Iterator

from bot.language import N_, gettext, ngettext, told
from governance.advice import Advice, always_met, never_fired, never_met
from governance.policy.model import Bundle
from governance.statistics import Asked, End, Figures, percent

Row = tuple[str, str]
MOST_NAMES = 8
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400

NOTHING = N_("Nothing was decided.")
NO_ANSWERS = N_("nobody decided anything")
NO_PICTURES = N_("Pictures need the extra: pip install 'placet[plots]'.")
NONE = N_("none")
ENDS = {
    End.APPROVED: N_("approved"),
    End.REJECTED: N_("rejected"),
    End.EXPIRED: N_("expired"),
    End.TAKEN_BACK: N_("taken back"),
}
RUNS = {"succeeded": N_("succeeded"), "failed": N_("failed"), "unknown": N_("unknown")}
EFFECTS = {
    "ALLOW": N_("ALLOW"),
    "ALLOW_WITH_CONSTRAINTS": N_("ALLOW_WITH_CONSTRAINTS"),
    "REQUIRE_APPROVAL": N_("REQUIRE_APPROVAL"),
    "THROTTLE": N_("THROTTLE"),
    "DENY": N_("DENY"),
}


def span(seconds: int | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return "-"
    if seconds < _MINUTE_S:
        return gettext("{count} s", count=seconds)
    if seconds < _HOUR_S:
        return gettext("{count} min", count=seconds // _MINUTE_S)
    if seconds < _DAY_S:
        return _two(seconds, _HOUR_S, N_("{count} h"), _MINUTE_S, N_("{count} min"))
    return _two(seconds, _DAY_S, N_("{count} d"), _HOUR_S, N_("{count} h"))


def _two(seconds: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = seconds % large_s // small_s
    whole = gettext(large, count=seconds // large_s)
    return f"{whole} {gettext(small, count=rest)}" if rest else whole


def window(figures: Figures) -> str:
    """From when to when."""
    since, until = f"{figures.since:%Y-%m-%d}", f"{figures.until:%Y-%m-%d}"
    return gettext("{since} to {until} (UTC)", since=since, until=until)


def part(count: int, whole: int) -> str:
    """A count and its share."""
    return f"{count} ({percent(count, whole)} %)"


def names(found: tuple[str, ...]) -> str:
    """The first few of some names, and how many more there are."""
    more = len(found) - MOST_NAMES
    shown = ", ".join(found[:MOST_NAMES])
    return shown + gettext(" and {count} more", count=more) if more > 0 else shown


def waits(asked: Asked) -> str:
    """How long people took."""
    if asked.wait_s(50) is None:
        return gettext(NO_ANSWERS)
    half, most, longest = (span(asked.wait_s(one)) for one in (50, 90, 100))
    return gettext(
        "half within {half}, 90 % within {most}, the longest {longest}",
        half=half,
        most=most,
        longest=longest,
    )


def answers(asked: Asked) -> str:
    """How questions ended."""
    if not asked.asked:
        return gettext("nothing was asked")
    ended = [
        f"{part(asked.of(end), asked.asked)} {gettext(ENDS[end])}" for end in End if asked.of(end)
    ]
    waiting = [gettext("{count} waiting", count=asked.waiting)] if asked.waiting else []
    return gettext("{count} asked: ", count=asked.asked) + ", ".join([*ended, *waiting])


def runs(figures: Figures) -> str:
    """How runs ended."""
    total = sum(figures.runs.values())
    ended = [f"{part(figures.runs[how], total)} {run(how)}" for how in sorted(figures.runs)]
    return ", ".join(ended) or gettext(NONE)


def run(how: str) -> str:
    """How one run ended."""
    return gettext(RUNS[how]) if how in RUNS else how


def effects(figures: Figures) -> str:
    """Decisions by effect, the most frequent first."""
    ordered = sorted(figures.effects.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(
        f"{part(count, figures.decisions)} {_effect(effect)}" for effect, count in ordered
    )


def _effect(effect: str) -> str:
    return gettext(EFFECTS[effect]) if effect in EFFECTS else effect


def queue(figures: Figures) -> str:
    """How the queue was, at its worst and at the end."""
    if not figures.queue:
        return gettext("empty")
    worst = max(figures.queue, key=lambda one: one.waiting)
    oldest = max(one.oldest_s for one in figures.queue)
    last = figures.queue[-1]
    return gettext(
        "at most {count} waiting, the oldest {age}; now {now}",
        count=worst.waiting,
        age=span(oldest),
        now=last.waiting,
    )


def load(figures: Figures) -> str:
    """How votes were spread."""
    total = sum(one.votes for one in figures.loads)
    if not total:
        return gettext("nobody voted")
    if len(figures.loads) == 1:
        return spread(figures)
    most = part(figures.loads[0].votes, total)
    return gettext("{votes}, one of them cast {most}", votes=spread(figures), most=most)


def spread(figures: Figures) -> str:
    """How many votes there were, of how many people."""
    total, people = sum(one.votes for one in figures.loads), len(figures.loads)
    if people == 1:
        return ngettext("{count} vote of 1 person", "{count} votes of 1 person", total)
    return gettext("{votes} votes of {people} people", votes=total, people=people)


def rates(figures: Figures) -> str:
    """Approvals of each rule, those asked about most first."""
    asked = sorted(figures.rules.items(), key=lambda item: (-item[1].decided, item[0]))
    each = [
        f"{rule} {some_of(one.of(End.APPROVED), one.decided)}" for rule, one in asked if one.decided
    ]
    return names(tuple(each)) or gettext("nothing was answered")


def some_of(count: int, whole: int) -> str:
    """A count and what it is of."""
    return gettext("{count} of {whole}", count=count, whole=whole)


def rows(figures: Figures, bundle: Bundle) -> Iterator[Row]:
    """Everything, one figure to a line."""
    none, expired = gettext(NONE), figures.all.of(End.EXPIRED)
    yield gettext("window"), window(figures)
    yield gettext("decisions"), effects(figures) or gettext(NOTHING)
    yield gettext("people were asked"), answers(figures.all)
    yield gettext("they took"), waits(figures.all)
    yield gettext("expired"), part(expired, figures.all.decided)
    yield gettext("runs"), runs(figures)
    yield gettext("queue"), queue(figures)
    yield gettext("votes"), load(figures)
    yield gettext("approved, by rule"), rates(figures)
    yield gettext("rules that never fired"), names(never_fired(figures, bundle)) or none
    yield gettext("tiers always met"), names(always_met(figures)) or none
    yield gettext("tiers never met"), names(never_met(figures)) or none


def suggestion(advice: Advice) -> str:
    """One suggestion: what to try, and why."""
    return gettext(
        "{subject}: {evidence}. Try {change}.",
        subject=advice.subject,
        evidence=told(advice.evidence),
        change=told(advice.change),
    )
