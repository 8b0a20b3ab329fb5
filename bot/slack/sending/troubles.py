"""What is wrong with delivery, in words: for the home tab, ``placet doctor`` and readiness.

Lives here: from counted messages to sentences. Must not live here: counting (the outbox), sending.
Law: whatever waits for a person to mend something, or was given up, is told with what to do; what
only waits its turn is no trouble.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.slack.sending.remedies import Remedy, meaning
from governance.outbox import Backlog, OwedKind

_WHAT = {
    OwedKind.CARD: ("card", "cards"),
    OwedKind.REMIND: ("reminder", "reminders"),
    OwedKind.EMERGENCY: ("notice of an emergency", "notices of emergencies"),
    OwedKind.ESCALATE: ("escalation", "escalations"),
    OwedKind.TELL_EXPIRED: ("notice of an expiry", "notices of expiries"),
}
_ELSE = ("message", "messages")
_WAITS = "{what} cannot be delivered ({code})."
_DEAD = "{what} was given up ({code}); it is tried again when the ticket changes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Messages that do not arrive for one reason; ``text`` and ``fix`` are sentences."""

    kind: OwedKind
    code: str
    count: int
    is_dead: bool
    text: str
    fix: str


def troubles(backlog: Sequence[Backlog]) -> Sequence[Trouble]:
    """Everything that does not arrive, those given up first."""
    found = [_trouble(one) for one in backlog if one.is_dead or _is_stuck(one)]
    return sorted(found, key=lambda one: (not one.is_dead, one.kind, one.code))


def _is_stuck(one: Backlog) -> bool:
    return bool(one.error) and meaning(_code(one.error)).remedy is not Remedy.RETRY


def _code(error: str) -> str:
    """Slack's word at the end of an error as delivery keeps it: ``chat.update: is_archived``."""
    return error.rpartition(": ")[2]


def _trouble(one: Backlog) -> Trouble:
    single, several = _WHAT.get(one.kind, _ELSE)
    what = f"1 {single}" if one.count == 1 else f"{one.count} {several}"
    code = _code(one.error)
    return Trouble(
        kind=one.kind,
        code=code,
        count=one.count,
        is_dead=one.is_dead,
        text=(_DEAD if one.is_dead else _WAITS).format(what=what, code=code),
        fix=meaning(code).fix,
    )
