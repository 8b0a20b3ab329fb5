"""What the tickets projection adds to a ticket so that nothing is ever found by scanning.

Lives here: the moments at which the clock must see to a ticket, from its state alone.
Must not live here: what happens then (``governance.tickets.lifecycle`` decides again).
Law: a moment that is None cannot come; the partial indexes hold only the others.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from governance.action import Dispatch
from governance.policy.decision import Effect
from governance.tickets.ticket import Ticket, TicketState

NEVER_CLEARED = datetime(1970, 1, 1, tzinfo=UTC)
"""Earlier than any clearance: a ticket that has none is due at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueColumns:
    """When a ticket expires, is overdue, loses its lease, or was last cleared."""

    expiring_at: datetime | None
    overdue_at: datetime | None
    lease_until: datetime | None
    uncleared_since: datetime | None


def due_columns(ticket: Ticket) -> DueColumns:
    """The moments of ``ticket`` as it stands."""
    state = ticket.state
    is_open = state in (TicketState.PENDING, TicketState.APPROVED)
    is_startable = state is TicketState.APPROVED and ticket.ask.dispatch is Dispatch.EXECUTE
    return DueColumns(
        expiring_at=ticket.expires_at if is_open else None,
        overdue_at=_overdue_at(ticket),
        lease_until=ticket.run.lease_until
        if state is TicketState.EXECUTING and ticket.run
        else None,
        uncleared_since=(ticket.cleared_at or NEVER_CLEARED) if is_startable else None,
    )


def needed_people(ticket: Ticket) -> bool:
    """Whether policy asked people about it."""
    return ticket.ruling.effect is Effect.REQUIRE_APPROVAL


def _overdue_at(ticket: Ticket) -> datetime | None:
    requirement = ticket.ruling.requirement
    if ticket.state is not TicketState.PENDING or ticket.is_overdue or requirement is None:
        return None
    if requirement.respond_within_s is None:
        return None
    return ticket.created_at + timedelta(seconds=requirement.respond_within_s)
