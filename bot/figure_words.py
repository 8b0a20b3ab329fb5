"""Figures in words: for a table, for a message, for whoever cannot see a picture.

Lives here: every sentence about figures. Must not live here: counting, drawing, sending.
Law: a sentence gives the number and what it is of; nothing is said that was not counted.
"""

from collections.abc import Iterator

from governance.advice import Advice, always_met, never_fired, never_met
from governance.policy.model import Bundle
from governance.statistics import Asked, End, Figures, percent

Row = tuple[str, str]
MOST_NAMES = 8
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400

NOTHING = "Nothing was decided."
NO_ANSWERS = "nobody decided anything"
NO_PICTURES = "Pictures need the extra: pip install 'placet[plots]'."


def span(seconds: int | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return "-"
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min"
    if seconds < _DAY_S:
        return _two(seconds, _HOUR_S, "h", _MINUTE_S, "min")
    return _two(seconds, _DAY_S, "d", _HOUR_S, "h")


def _two(seconds: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = seconds % large_s // small_s
    return f"{seconds // large_s} {large}" + (f" {rest} {small}" if rest else "")


def window(figures: Figures) -> str:
    """From when to when."""
    return f"{figures.since:%Y-%m-%d} to {figures.until:%Y-%m-%d} (UTC)"


def part(count: int, whole: int) -> str:
    """A count and its share."""
    return f"{count} ({percent(count, whole)} %)"


def names(found: tuple[str, ...]) -> str:
    """The first few of some names, and how many more there are."""
    more = len(found) - MOST_NAMES
    return ", ".join(found[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def waits(asked: Asked) -> str:
    """How long people took."""
    if asked.wait_s(50) is None:
        return NO_ANSWERS
    half, most, longest = (span(asked.wait_s(one)) for one in (50, 90, 100))
    return f"half within {half}, 90 % within {most}, the longest {longest}"


def answers(asked: Asked) -> str:
    """How questions ended."""
    if not asked.asked:
        return "nothing was asked"
    ended = [f"{part(asked.of(end), asked.asked)} {end.value}" for end in End if asked.of(end)]
    waiting = [f"{asked.waiting} waiting"] if asked.waiting else []
    return f"{asked.asked} asked: " + ", ".join([*ended, *waiting])


def runs(figures: Figures) -> str:
    """How runs ended."""
    total = sum(figures.runs.values())
    told = [f"{part(figures.runs[how], total)} {how}" for how in sorted(figures.runs)]
    return ", ".join(told) or "none"


def effects(figures: Figures) -> str:
    """Decisions by effect, the most frequent first."""
    ordered = sorted(figures.effects.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{part(count, figures.decisions)} {effect}" for effect, count in ordered)


def queue(figures: Figures) -> str:
    """How the queue was, at its worst and at the end."""
    if not figures.queue:
        return "empty"
    worst = max(figures.queue, key=lambda one: one.waiting)
    oldest = max(one.oldest_s for one in figures.queue)
    last = figures.queue[-1]
    return f"at most {worst.waiting} waiting, the oldest {span(oldest)}; now {last.waiting}"


def load(figures: Figures) -> str:
    """How votes were spread."""
    total = sum(one.votes for one in figures.loads)
    if not total:
        return "nobody voted"
    most = figures.loads[0].votes
    return f"{spread(figures)}, one of them cast {part(most, total)}"


def spread(figures: Figures) -> str:
    """How many votes there were, of how many people."""
    total, people = sum(one.votes for one in figures.loads), len(figures.loads)
    return f"{total} votes of {people} {'person' if people == 1 else 'people'}"


def rates(figures: Figures) -> str:
    """Approvals of each rule, those asked about most first."""
    asked = sorted(figures.rules.items(), key=lambda item: (-item[1].decided, item[0]))
    told = [f"{rule} {one.of(End.APPROVED)} of {one.decided}" for rule, one in asked if one.decided]
    return names(tuple(told)) or "nothing was answered"


def rows(figures: Figures, bundle: Bundle) -> Iterator[Row]:
    """Everything, one figure to a line."""
    yield "window", window(figures)
    yield "decisions", effects(figures) or NOTHING
    yield "people were asked", answers(figures.all)
    yield "they took", waits(figures.all)
    expired = figures.all.of(End.EXPIRED)
    yield "expired", part(expired, figures.all.decided)
    yield "runs", runs(figures)
    yield "queue", queue(figures)
    yield "votes", load(figures)
    yield "approved, by rule", rates(figures)
    yield "rules that never fired", names(never_fired(figures, bundle)) or "none"
    yield "tiers always met", names(always_met(figures)) or "none"
    yield "tiers never met", names(never_met(figures)) or "none"


def suggestion(advice: Advice) -> str:
    """One suggestion: what to try, and why."""
    return f"{advice.subject}: {advice.evidence}. Try {advice.change}."
