"""How the story ends: the log verifies, and a change of one byte is found.

Lives here: the two last steps. Must not live here: verification (``storage.verify``). Law: what is
called verified was verified from the raw rows, with the checkpoints that were published.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from bot.compose.checkpoints import checkpoint
from bot.compose.tools import ledger_file
from bot.compose.verification import verify_ledger, verify_running
from bot.demo.moves import StoryError, Told, expect
from bot.demo.world import World
from governance.tickets.ticket import TicketId

_CHANGED_SEQ = 20


async def verified(world: World, tickets: Sequence[str]) -> Told:
    """Every ticket has its whole story in the log, and the log verifies.

    Raises:
        StoryError: it does not.
    """
    for ticket_id in tickets:
        ticket = await world.core.service.ticket(TicketId(ticket_id))
        history = await world.core.ledger.history(ticket.id)
        kinds = [record.type for record in history]
        expect(kinds[:1] == ["TicketOpened"], f"{ticket_id} has no birth in the log: {kinds}")
        expect(history[-1].at == ticket.updated_at, f"{ticket_id} changed without an event")
    await checkpoint(world.core)
    verdict = await verify_running(world.core)
    expect(verdict.is_verified, f"the log does not verify: {verdict.problems[:3]}")
    return Told(
        title="the log",
        happened=f"{verdict.events} events, {verdict.signatures} signatures and "
        f"{verdict.checkpoints} checkpoints verified; every transition is there",
    )


async def tampered(world: World) -> Told:
    """One byte of one event is changed in a copy, and found.

    Raises:
        StoryError: it was not found.
    """
    original = ledger_file(world.settings.database)
    if original is None:
        raise StoryError("the demo's ledger is a file")
    copy = original.with_name("tampered.db")
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("DROP TRIGGER IF EXISTS events_no_update")
        query = "SELECT body FROM events WHERE seq = ?"
        body = bytearray(target.execute(query, (_CHANGED_SEQ,)).fetchone()[0])
        body[len(body) // 2] ^= 1
        target.execute("UPDATE events SET body = ? WHERE seq = ?", (bytes(body), _CHANGED_SEQ))
        target.commit()
    verdict = verify_ledger(f"sqlite:///{copy}")
    found = [problem for problem in verdict.problems if problem.seq == _CHANGED_SEQ]
    expect(found, f"one changed byte of event {_CHANGED_SEQ} was not found")
    return Told(title="one byte changed in a copy", happened=f"found at event {_CHANGED_SEQ}")
