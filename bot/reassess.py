"""Holding every open ticket to the active bundle.

Lives here: finding the open tickets, page by page. Must not live here: what becomes of one
(``Service.reassess``). Law: it may be done by any process, twice, or be broken off at any ticket
and begun again; until a ticket was judged it cannot start.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from governance.canonical import Json
from governance.errors import Code, PlacetError, Refused
from governance.ports import Logged, Reader, TicketQuery
from governance.reassessment import is_due
from governance.service import Service
from governance.tickets.lifecycle import OPEN, POLICY_CHANGED
from governance.tickets.ticket import Ticket

_log = logging.getLogger(__name__)

PAGE = 64
_RECORDS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One walk over the open tickets; ``left`` of them could not be judged now."""

    seen: int
    left: int


async def judge_open(
    service: Service, reader: Reader, *, progress: Callable[[int], None] | None = None
) -> Pass:
    """Judge every open ticket that the active bundle has not judged yet.

    Raises:
        Unavailable: ``snapshot_changed``: another bundle is active than is loaded here;
            ``ledger_unavailable``.
    """
    seen = left = 0
    before = None
    while True:
        query = TicketQuery(
            tenant=service.tenant, states=tuple(sorted(OPEN)), before=before, limit=PAGE
        )
        page = await reader.tickets(query)
        if not page:
            return Pass(seen=seen, left=left)
        snapshot = service.bundle.snapshot
        due = [ticket for ticket in page if is_due(ticket, snapshot)]
        judged = await asyncio.gather(*(_judged(service, ticket) for ticket in due))
        left += len(due) - sum(judged)
        seen += len(page)
        before = page[-1].id
        if progress is not None:
            progress(seen)
        await asyncio.sleep(0)


async def _judged(service: Service, ticket: Ticket) -> bool:
    try:
        await service.reassess(ticket.id)
    except Refused:
        return True  # it has moved on
    except PlacetError as error:
        if error.code is Code.SNAPSHOT_CHANGED:
            raise
        _log.warning("ticket %s could not be judged again: %s", ticket.id, error.code)
        return False
    return True


@dataclass(slots=True, kw_only=True)
class Changes:
    """What an activation did to the open tickets."""

    denied: int = 0
    revised: int = 0
    cancelled: int = 0
    unchanged: int = 0


async def changes_since(reader: Reader, after_seq: int, snapshot: str) -> Changes:
    """What the log says that the activation of ``snapshot`` did, whoever did it."""
    counts = Changes()
    while page := await reader.records(after_seq, _RECORDS):
        for record in page:
            _count(counts, record, snapshot)
        after_seq = page[-1].seq
    return counts


def _count(counts: Changes, record: Logged, snapshot: str) -> None:
    told = record.payload
    if not isinstance(told, Mapping):
        return
    match record.type:
        case "TicketUpheld":
            counts.unchanged += told.get("snapshot") == snapshot
        case "TicketDenied":
            counts.denied += _ruled_by(told) == snapshot
        case "TicketRevised":
            is_policy = told.get("cause") == "policy_changed"
            counts.revised += is_policy and _ruled_by(told) == snapshot
        case "TicketCancelled":
            is_ours = record.header.actor == "system:placet"
            counts.cancelled += is_ours and told.get("reason") == POLICY_CHANGED


def _ruled_by(told: Mapping[str, Json]) -> Json:
    ruling = told.get("ruling")
    return ruling.get("snapshot") if isinstance(ruling, Mapping) else None
