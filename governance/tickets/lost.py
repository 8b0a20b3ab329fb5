"""A run that ended in the dark: whose word is missing, and when they are told of it.

Lives here: the moments, what was told of them, and who has spoken. Must not live here: what a word
settles (``_aftermath``), whether anybody is told (``_nudging``), zones and messages.
Law: whoever may say what became of it is told at once, once more after two hours, then each morning
for as long as nobody knows; whoever spoke is left in peace, unless others found otherwise.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from governance.principal import PersonId
from governance.tickets.ticket import Reminded, Ticket, TicketState

_AFTER = (timedelta(0), timedelta(hours=2))
_DAY = timedelta(days=1)
_A_MORNING = datetime(1970, 1, 1, 8, tzinfo=UTC)
"""Of every ticket the same hour: what waits for somebody is then one message a day."""


def number(ticket: Ticket, at: datetime) -> int:
    """How many moments to tell of it have come; 0: none, or it is known what became of it."""
    since = _since(ticket)
    if since is None:
        return 0
    passed = sum(since + one <= at for one in _AFTER)
    if passed < len(_AFTER):
        return passed
    return passed + _mornings(at) - _mornings(since + _AFTER[-1])


def following(ticket: Ticket, at: datetime) -> datetime | None:
    """The first moment after ``at``; None where it is known what became of it."""
    since = _since(ticket)
    if since is None:
        return None
    for one in _AFTER:
        if since + one > at:
            return since + one
    return _A_MORNING + (_mornings(at) + 1) * _DAY


def reminders(ticket: Ticket) -> tuple[Reminded, ...]:
    """What was told of it since nobody knows, in turn; what is older was about votes."""
    since = _since(ticket)
    return () if since is None else tuple(one for one in ticket.reminders if one.at >= since)


def has_spoken(ticket: Ticket, names: Collection[PersonId]) -> bool:
    """Whether the person of these names said what they found, and nobody found otherwise."""
    return not is_disputed(ticket) and any(one.person in names for one in ticket.attested)


def is_disputed(ticket: Ticket) -> bool:
    """Whether people found different things."""
    return len({one.took_effect for one in ticket.attested}) > 1


def _since(ticket: Ticket) -> datetime | None:
    """Since when nobody knows: the start and its reminders lie before the end of the lease."""
    if ticket.state is not TicketState.UNKNOWN or ticket.run is None:
        return None
    return ticket.run.lease_until


def _mornings(at: datetime) -> int:
    return (at - _A_MORNING) // _DAY
