"""What is wrong with delivery, in words: for the home tab, ``placet doctor`` and readiness.

Lives here: from counted messages to sentences. Must not live here: counting (the outbox), sending.
Law: whatever waits for a person to mend something, or was given up, is told with what to do; what
only waits its turn is no trouble. It is said in the language that is spoken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.slack.kit.language import N_, gettext
from bot.slack.sending.remedies import Remedy, meaning
from governance.outbox import Backlog, OwedKind

_LOST = (N_("1 notice of an unknown outcome"), N_("{count} notices of unknown outcomes"))
_WHAT = {
    OwedKind.CARD: (N_("1 card"), N_("{count} cards")),
    OwedKind.REMIND: (N_("1 reminder"), N_("{count} reminders")),
    OwedKind.EMERGENCY: (N_("1 notice of an emergency"), N_("{count} notices of emergencies")),
    OwedKind.ESCALATE: (N_("1 escalation"), N_("{count} escalations")),
    OwedKind.REMIND_UNKNOWN: _LOST,
    OwedKind.TELL_UNKNOWN: _LOST,
    OwedKind.TELL_EXPIRED: (N_("1 notice of an expiry"), N_("{count} notices of expiries")),
}
_ELSE = (N_("1 message"), N_("{count} messages"))
_WAITS = N_("{what} cannot be delivered ({code}).")
_DEAD = N_("{what} was given up ({code}); it is tried again when the ticket changes.")


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
    what = gettext(single) if one.count == 1 else gettext(several, count=one.count)
    code = _code(one.error)
    return Trouble(
        kind=one.kind,
        code=code,
        count=one.count,
        is_dead=one.is_dead,
        text=gettext(_DEAD if one.is_dead else _WAITS, what=what, code=code),
        fix=gettext(meaning(code).fix),
    )
