"""A disk that fails: 503 while it lasts, nothing dispatched, nothing lost, and on by itself."""

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.shim import Action, Control, Op
from tests.faults.conftest import Opener, Shop, printed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]


async def refuses(shop: Shop, ticket: str) -> None:
    """Neither a request nor a vote is taken, and the reason has its code."""
    for status, answer in (
        await shop.ask(),
        await shop.call("ada", "POST", f"/api/v1/approvals/{ticket}/approve", {}),
    ):
        assert status == 503, printed(answer)
        assert answer["code"] == "ledger_unavailable"


def votes_of(shop: Shop, ticket: str) -> int:
    with closing(sqlite3.connect(shop.database)) as connection:
        sql = "SELECT count(*) FROM events WHERE ticket_id = ? AND type = 'VoteCast'"
        return int(connection.execute(sql, (ticket,)).fetchone()[0])


async def asked(shop: Shop) -> str:
    status, answer = await shop.ask()
    assert status == 200, printed(answer)
    return str(answer["job_id"])


async def test_a_disk_that_refuses_writes_or_syncs_is_answered_by_503_until_it_works(
    shop: Opener, control: Control, fault_shim: Path
) -> None:
    async with shop(**control.environment(fault_shim)) as open_shop:
        ticket = await asked(open_shop)
        for error in (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            for ops in (Op.WRITE, Op.SYNC):
                control.set(
                    open_shop.database, action=Action.FAIL, error=error, is_sticky=True, ops=ops
                )
                await refuses(open_shop, ticket)
                assert await is_unready(open_shop)
                control.clear()
                assert control.fired > 0
                await open_shop.until(partial(is_ready, open_shop), "it is ready, unasked")
                await open_shop.comes_back()
        before = votes_of(open_shop, ticket)
        status, answer = await open_shop.call(
            "ada", "POST", f"/api/v1/approvals/{ticket}/approve", {}
        )
        assert status == 200, printed(answer)
        # A vote that was refused is not counted twice, whatever its bytes on the disk became.
        assert votes_of(open_shop, ticket) == 1 >= before
    open_shop.nothing_is_lost()


async def test_a_database_that_another_process_holds_for_long_is_answered_by_503(
    shop: Opener,
) -> None:
    async with shop() as open_shop:
        ticket = await asked(open_shop)
        with closing(sqlite3.connect(open_shop.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            status, answer = await open_shop.ask()
            assert (status, answer["code"]) == (503, "ledger_unavailable")
            other.execute("ROLLBACK")
        await open_shop.comes_back()
        assert votes_of(open_shop, ticket) == 0
    open_shop.nothing_is_lost()


async def test_nothing_is_acknowledged_into_a_file_that_lost_its_name_or_was_replaced(
    shop: Opener,
) -> None:
    async with shop() as open_shop:
        await asked(open_shop)
        aside = open_shop.home / "aside"
        copy = open_shop.home / "copy"
        with (
            closing(sqlite3.connect(open_shop.database)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        ticket = await asked(open_shop)
        os.rename(open_shop.database, aside)
        await refuses(open_shop, ticket)
        assert await is_unready(open_shop)
        shutil.copy(copy, open_shop.database)
        await refuses(open_shop, ticket)
        assert await is_unready(open_shop)
        os.rename(aside, open_shop.database)
        await open_shop.comes_back()
    open_shop.nothing_is_lost()


async def test_a_full_disk_under_the_checkpoints_stops_no_work(shop: Opener) -> None:
    async with shop(PLACET_CHECKPOINTS="/dev/full") as open_shop:

        async def is_signed() -> bool:
            with closing(sqlite3.connect(open_shop.database)) as connection:
                sql = "SELECT count(*) FROM events WHERE type = 'CheckpointSigned'"
                return int(connection.execute(sql).fetchone()[0]) > 1

        await open_shop.until(is_signed, "a second checkpoint after one that failed")
        await asked(open_shop)
    open_shop.nothing_is_lost()


async def is_ready(shop: Shop) -> bool:
    return (await shop.call("agent", "GET", "/readyz"))[0] == 200


async def is_unready(shop: Shop) -> Any:
    status, answer = await shop.call("agent", "GET", "/readyz")
    return status == 503 and answer["reasons"]
