"""Reads on the loop's own thread: nobody keeps the loop for itself by them."""

import asyncio

from storage.ledger import SqliteLedger
from tests.support import build
from tests.support.commits import append


async def test_whoever_reads_page_after_page_leaves_others_their_turn(ledger: SqliteLedger):
    await append(ledger, *(build.opened(f"t-{number}") for number in range(20)))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await asyncio.sleep(0)
    begun, seen = turns, 0
    while page := await ledger.records(seen, 1):
        seen = page[-1].seq
    beside.cancel()
    assert turns - begun >= 20
