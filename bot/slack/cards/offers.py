"""Which buttons a ticket's card offers, by what is committed.

Lives here: action ids by state, in their order on a card. Must not live here: how a button looks
(``buttons``), what it does (``actions``, ``acts``). Law: an offer is a courtesy: a card is the
same for everybody, so whoever clicks is judged by the core again, on the state of that moment.
"""

from bot.slack import names
from governance.execution import OutputState
from governance.tickets.ticket import Ticket, TicketState


def offered(ticket: Ticket, *, is_frozen: bool = False) -> tuple[str, ...]:
    """The action ids that the card of ``ticket`` offers; none where nothing is left to do.

    While its agent is frozen an approval is refused, and so none is offered; what only stops
    something or takes it back is. APPROVE counts at once, or opens a form where the role is the
    person's to choose; WITHDRAW and STOP act at once; the others open a form: for a reason, or for
    the evidence.
    """
    match ticket.state:
        case TicketState.PENDING:
            return _while_pending(ticket, is_frozen=is_frozen)
        case TicketState.APPROVED:
            return (names.STOP,)
        case TicketState.UNKNOWN:
            return (names.TOOK_EFFECT, names.NO_EFFECT)
        case TicketState.EXECUTED | TicketState.RELEASED if is_quarantined(ticket):
            return (names.RELEASE_OUTPUT, names.DISCARD_OUTPUT)
        case _:
            return ()


def _while_pending(ticket: Ticket, *, is_frozen: bool) -> tuple[str, ...]:
    requirement = ticket.ruling.requirement
    asks_why = requirement is not None and requirement.comment_required
    approve = names.APPROVE_WITH_COMMENT if asks_why else names.APPROVE
    back = (names.WITHDRAW,) if ticket.votes else ()
    approving = () if is_frozen else (approve,)
    return (*approving, names.REJECT, names.DETAILS, *back)


def is_quarantined(ticket: Ticket) -> bool:
    """Whether its output waits for a person's word."""
    report = ticket.report
    return report is not None and report.output_state is OutputState.QUARANTINED
