"""Keys that are over may be gone and be used anew; nobody takes one away before."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from governance.idempotency import KEPT_FOR
from governance.tickets import events as ev
from storage.ledger import SqliteLedger
from storage.verify.verifier import verify_database
from tests.support import build
from tests.support.build import FixedClock
from tests.support.commits import append


async def end_one(ledger: SqliteLedger, name: str) -> None:
    far = build.T0 + timedelta(days=900)
    event = build.opened(name, ask=build.ask(idempotency_key="k"), expires_at=far)
    await append(ledger, event)
    await append(ledger, build.on(name, ev.TicketCancelled, actor="agent:deployer"))


async def let_pass(ledger: SqliteLedger, clock: FixedClock, days: float) -> None:
    clock.pass_(timedelta(days=days).total_seconds())
    await append(ledger, build.evaluated())


def told(path: Path) -> list[str]:
    found = verify_database(path).problems
    return [problem.detail for problem in found if problem.what == "idempotency"]


def tamper(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


async def test_a_key_that_was_forgotten_in_time_is_no_problem(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    await end_one(ledger, "t-1")
    assert told(path) == []
    await let_pass(ledger, clock, 30)
    assert told(path) == []
    assert await ledger.forget_keys(9) == 1
    assert told(path) == []


async def test_a_forgotten_key_that_was_used_anew_is_no_problem(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    for number in range(3):
        await end_one(ledger, f"t-{number}")
        await let_pass(ledger, clock, 31)
        assert await ledger.forget_keys(9) == 1
    await append(ledger, build.opened("t-9", ask=build.ask(idempotency_key="k")))
    assert told(path) == []


async def test_a_key_that_was_forgotten_early_is_found(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    await end_one(ledger, "t-1")
    await let_pass(ledger, clock, 29.9)
    tamper(path, "DELETE FROM idempotency")
    assert told(path) == ["acme/deployer/k is not as the log says, or missing"]


async def test_a_key_that_was_used_anew_too_early_is_found(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    await end_one(ledger, "t-1")
    await let_pass(ledger, clock, 29.9)
    tamper(path, "DELETE FROM idempotency")
    await append(ledger, build.opened("t-2", ask=build.ask(idempotency_key="k")))
    assert "its key already has another ticket" in told(path)


async def test_the_key_of_a_ticket_that_lives_may_not_be_gone(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    await append(ledger, build.opened("t-1", ask=build.ask(idempotency_key="k")))
    await let_pass(ledger, clock, 400)
    tamper(path, "DELETE FROM idempotency")
    assert told(path) == ["acme/deployer/k is not as the log says, or missing"]


async def test_an_end_that_the_log_does_not_tell_is_found(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    await end_one(ledger, "t-1")
    await let_pass(ledger, clock, 1)
    tamper(path, "UPDATE idempotency SET kept_until = '2020-01-01T00:00:00.000000Z'")
    assert told(path) == ["acme/deployer/k is not kept as long as the log says"]
    tamper(path, "UPDATE idempotency SET ticket_id = 't-0'")
    assert len(told(path)) == 3


async def test_a_key_from_before_ends_were_kept_is_no_problem(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    await end_one(ledger, "t-1")
    tamper(path, "UPDATE idempotency SET kept_until = NULL")
    assert told(path) == []
    await let_pass(ledger, clock, KEPT_FOR.days + 1)
    assert await ledger.forget_keys(9) == 0


async def test_rows_without_an_end_at_all_are_verified_too(
    ledger: SqliteLedger, clock: FixedClock, path: Path
):
    await end_one(ledger, "t-1")
    await let_pass(ledger, clock, 1)
    tamper(path, "DROP INDEX ix_idempotency_kept")
    tamper(path, "ALTER TABLE idempotency DROP COLUMN kept_until")
    assert told(path) == []
    tamper(path, "DELETE FROM idempotency")
    assert len(told(path)) == 1
