"""How long an idempotency key is kept, and when a hint about one may be believed.

Lives here: when a key's time is over, from its ticket's life alone, a store beside the ledger as a
shape, and the check of what it says. Must not live here: keeping or forgetting (the ledger does).
Law: a key whose ticket may still change is never forgotten; a hint is believed only where the
ticket itself, as the ledger has it, says the same.
"""

from datetime import datetime, timedelta
from typing import Protocol

from governance.ports import IdempotencyKey, Reader
from governance.tickets.lifecycle import TRANSITIONS
from governance.tickets.ticket import Ticket, TicketId, TicketState

KEPT_FOR = timedelta(days=30)
"""A key outlives its ticket's end by this."""
ENDED = frozenset(state for state in TicketState if not TRANSITIONS[state])
"""States that nothing follows."""


class Repeats(Protocol):
    """A memory beside the ledger of which request opened which ticket.

    It may forget, lie or be gone: a hint is believed only where the ledger's ticket says the same,
    and without one the ledger decides. Neither method raises, nor takes long.
    """

    async def ticket_of(self, key: IdempotencyKey) -> TicketId | None:
        """The ticket that it was told of; None: it cannot say."""

    async def tell(self, key: IdempotencyKey, ticket_id: TicketId) -> None:
        """What the ledger says that ``key`` stands for."""


class KeyStore(Protocol):
    """Where idempotency keys are kept until their time is over."""

    async def forget_keys(self, limit: int) -> int:
        """Forget keys whose time is over, at most ``limit``; how many were.

        Raises:
            Unavailable: ``ledger_unavailable``: none were.
        """


def kept_until(before: Ticket | None, after: Ticket, at: datetime) -> datetime | None:
    """Until when the key is kept of a ticket that ended just now; None: it did not."""
    was_over = before is not None and before.state in ENDED
    return at + KEPT_FOR if after.state in ENDED and not was_over else None


def is_repeat(ticket: Ticket, key: IdempotencyKey, request_digest: str, now: datetime) -> bool:
    """Whether ``ticket`` is surely what this very request opened, and its key is not forgotten.

    False says nothing: only the ledger knows what else the key may stand for.
    """
    ask = ticket.ask
    opened_by = (ask.tenant, ask.agent, ask.idempotency_key)
    is_same = opened_by == key and ask.request_digest == request_digest
    # It ended after it began: within this time its key cannot have been used anew.
    return is_same and now < ticket.created_at + KEPT_FOR


async def repeated(
    repeats: Repeats, reader: Reader, key: IdempotencyKey, request_digest: str, now: datetime
) -> Ticket | None:
    """The ticket that this very request opened, if that is sure without asking the writer.

    Raises:
        Unavailable: ``ledger_unavailable``: the ticket cannot be read.
    """
    hinted = await repeats.ticket_of(key)
    ticket = None if hinted is None else await reader.ticket(hinted)
    is_sure = ticket is not None and is_repeat(ticket, key, request_digest, now)
    return ticket if is_sure else None
