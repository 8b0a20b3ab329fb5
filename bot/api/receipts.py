"""Receipts over HTTP: events to take away, with what proves that they are in the log.

Lives here: what is taken of what a caller may see. Must not live here: which records that is
(``sight``), the form of a receipt (``governance.receipts``). Law: a caller gets receipts of what it
may read, of its own tenant alone; what it may not see does not exist for it.
"""

import re
from collections.abc import Sequence

from aiohttp import web

from bot.api import audit_answers as audits
from bot.api import bodies
from bot.api.calls import Call, answer
from bot.api.transparency import newest, proofs_of
from governance.errors import Code, Refused, Unavailable
from governance.ports import Logged
from governance.receipts import Entry, Receipt
from governance.transparency import Published, key_facts

MOST_EVENTS = 200
"""Events in one receipt; the oldest ones, and those after them by their numbers."""
_SEQ = re.compile(r"[1-9][0-9]{0,17}")
_PURPOSE = "checkpoint"


async def get_receipt(call: Call) -> web.Response:
    """A receipt of one event, by its number."""
    name = bodies.path_id(call.request)
    found = await call.deps.reader.records(int(name) - 1, 1) if _SEQ.fullmatch(name) else ()
    seen = await call.seen(item for item in found if item.seq == int(name))
    if not seen:
        raise Refused(Code.NOT_FOUND, "no event by that number")
    return await _answer(call, seen)


async def get_job_receipt(call: Call) -> web.Response:
    """A receipt of what is on record of one job: its request, votes, run and outcome."""
    ticket = await call.ticket()
    history = await call.deps.reader.history(ticket.id)
    return await _answer(call, await call.seen(history))


async def _answer(call: Call, records: Sequence[Logged]) -> web.Response:
    signed = await newest(call)
    covered = [item for item in records if item.seq <= signed.size][:MOST_EVENTS]
    if not covered:
        raise Unavailable(
            Code.NOT_CHECKPOINTED,
            f"the newest checkpoint ends at event {signed.size}; the next one will cover it",
        )
    receipt = await _receipt(call, signed, covered)
    return answer(audits.ReceiptAnswer.model_validate(receipt.to_json()))


async def _receipt(call: Call, signed: Published, records: Sequence[Logged]) -> Receipt:
    proofs = proofs_of(call)
    entries = [
        Entry(
            seq=item.seq,
            event=item.encoded,
            proof=await proofs.inclusion(item.seq, signed.size),
        )
        for item in records
    ]
    facts = key_facts(await call.deps.reader.control())
    return Receipt(
        checkpoint=signed.note,
        entries=tuple(entries),
        keys=tuple(item for item in facts if item["purpose"] == _PURPOSE),
    )
