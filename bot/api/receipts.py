"""Receipts over HTTP: events to take away, with what proves that they are in the log.

Lives here: what is taken of what a caller may see. Must not live here: which records that is
(``sight``), how a receipt is made (``bot.receipts``). Law: a caller gets receipts of what it
may read, of its own tenant alone; what it may not see does not exist for it.
"""

import re
from collections.abc import Sequence

from aiohttp import web

from bot import receipts
from bot.api import bodies
from bot.api.calls import JSON_TYPE, Call
from bot.api.transparency import proofs_of
from governance.errors import Code, Refused
from governance.ports import Logged

_SEQ = re.compile(r"[1-9][0-9]{0,17}")


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
    made = await receipts.receipt_of(records, proofs=proofs_of(call), reader=call.deps.reader)
    return web.Response(body=receipts.encoded(made), headers={"Content-Type": JSON_TYPE})
