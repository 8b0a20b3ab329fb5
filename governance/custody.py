"""What operators and the clock do to what is kept: holds, erasures, accepted rollbacks.

Lives here: the commands; the steps behind them are in ``retention``. Must not live here: tickets
(``service``), keys and bundles (``administration``). Law: nothing is erased but by an event, in
the transaction that commits the event.
"""

import re
from collections.abc import Sequence
from functools import partial

from governance import retention as steps
from governance.errors import Code, InvalidInput, Refused
from governance.ports import Keys, Ledger, Reader
from governance.principal import TenantId
from governance.retention import Erasure, Retention
from governance.retention_events import (
    Hold,
    HoldLifted,
    HoldPlaced,
    HoldScope,
    RollbackAccepted,
)
from governance.tickets.ticket import TicketId

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Custody:
    """The keeping of one ledger's contents."""

    def __init__(self, *, ledger: Ledger, reader: Reader, tenant: TenantId) -> None:
        self._ledger = ledger
        self._reader = reader
        self._tenant = tenant

    async def hold(
        self, scope: HoldScope, target: str, *, hold_id: str, actor: str, reason: str
    ) -> Hold:
        """Erase nothing that ``scope`` and ``target`` name, until the hold is lifted.

        Raises:
            InvalidInput: ``invalid_field``.
            Refused: ``not_found``: no such ticket; ``wrong_state``: that id is taken.
        """
        event = HoldPlaced(
            tenant=self._tenant,
            actor=actor,
            hold_id=hold_id,
            scope=scope,
            target=target,
            reason=reason.strip(),
        )
        keys = Keys(tickets=(TicketId(target),) if scope is HoldScope.TICKET else ())
        return (await self._ledger.commit(keys, partial(steps.place_hold, event=event))).reply

    async def lift(self, hold_id: str, *, actor: str, reason: str) -> Hold:
        """End a hold; what others cover stays.

        Raises:
            InvalidInput: ``invalid_field``.
            Refused: ``not_found``.
        """
        event = HoldLifted(tenant=self._tenant, actor=actor, hold_id=hold_id, reason=reason.strip())
        return (await self._ledger.commit(Keys(), partial(steps.lift_hold, event=event))).reply

    async def holds(self) -> Sequence[Hold]:
        """The holds in force, oldest first."""
        found = (await self._reader.control()).holds.values()
        return [hold for hold in found if hold.tenant == self._tenant]

    async def erase(self, digest: str, *, actor: str, reason: str) -> Erasure:
        """Erase one content, wherever it was used.

        Raises:
            InvalidInput: ``invalid_field``.
            Refused: ``not_found``, ``held``, or ``wrong_state``: a ticket or policy needs it.
        """
        if not _DIGEST.fullmatch(digest):
            text = "a digest is 64 lower-case hexadecimal digits"
            raise InvalidInput(Code.INVALID_FIELD, text, pointer="/digest")
        return await self._erase((digest,), actor=actor, reason=reason)

    async def erase_ticket(self, ticket_id: TicketId, *, actor: str, reason: str) -> Erasure:
        """Erase whatever a ticket's records put there: all of it, or nothing.

        Raises:
            InvalidInput: ``invalid_field``.
            Refused: as ``erase``.
        """
        ticket = await self._reader.ticket(ticket_id)
        if ticket is None or ticket.ask.tenant != self._tenant:
            raise Refused(Code.NOT_FOUND, f"no ticket {ticket_id}")
        named = await self._reader.contents_of(ticket_id)
        return await self._erase(tuple(named), actor=actor, reason=reason)

    async def _erase(self, digests: tuple[str, ...], *, actor: str, reason: str) -> Erasure:
        step = partial(
            steps.erase, tenant=self._tenant, actor=actor, digests=digests, reason=reason
        )
        return (await self._ledger.commit(Keys(contents=digests), step)).reply

    async def expire(self, digests: Sequence[str], *, actor: str, retention: Retention) -> Erasure:
        """Erase those that were kept for long enough and that nothing else keeps."""
        step = partial(
            steps.expire,
            tenant=self._tenant,
            actor=actor,
            digests=tuple(digests),
            retention=retention,
        )
        return (await self._ledger.commit(Keys(contents=tuple(digests)), step)).reply

    async def accept_rollback(
        self, *, actor: str, here: tuple[int, str], published: tuple[int, str]
    ) -> None:
        """Record that the log ends at ``here`` although a checkpoint had seen ``published``."""
        event = RollbackAccepted(
            tenant=self._tenant,
            actor=actor,
            size=here[0],
            head=here[1],
            published_size=published[0],
            published_head=published[1],
        )
        await self._ledger.commit(Keys(), lambda _: steps.accept_rollback(event))
