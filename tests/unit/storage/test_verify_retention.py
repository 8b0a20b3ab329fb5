"""Holds and erasures as the verifier finds them: what went under a hold is named."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from governance import retention_events as rt
from governance.action import Content
from governance.audit import Event
from governance.digests import content_digest
from governance.policy.decision import Effect
from governance.ports import Result
from governance.principal import TenantId
from governance.retention_events import HoldScope
from storage.export import export
from storage.ledger import SqlLedger
from storage.verify.verifier import verify_database, verify_export
from tests.support import build
from tests.support.build import AGENT, T0, TENANT, FixedClock
from tests.support.commits import append, naming
from tests.unit.storage.test_verify import tamper

BODY = Content(prompt="restart it").to_bytes()
DIGEST = content_digest(BODY)
Found = list[tuple[int, str]]


@pytest.fixture
async def log(url: str, clock: FixedClock) -> AsyncIterator[SqlLedger]:
    """A log in which one denied request put a content there."""
    async with SqlLedger(url, clock) as made:
        opened = build.opened(
            ask=build.known_by(build.ask(), BODY),
            ruling=build.ruling(Effect.DENY, requirement=None),
            data_classes=("internal",),
        )
        result = Result(reply=None, events=(opened,), contents={DIGEST: BODY})
        await made.commit(naming("t-1"), lambda _: result)
        yield made


def erased(**changes: Any) -> rt.ContentErased:
    base = rt.ContentErased(tenant=TENANT, actor="a", digest=DIGEST, reason="asked")
    return replace(base, **changes)


def hold(scope: HoldScope = HoldScope.AGENT, target: str = AGENT, **changes: Any) -> rt.HoldPlaced:
    base = rt.HoldPlaced(
        tenant=TENANT, actor="a", hold_id="h", scope=scope, target=target, reason="case"
    )
    return replace(base, **changes)


LIFT = rt.HoldLifted(tenant=TENANT, actor="a", hold_id="h", reason="closed")


def found(path: Path) -> Found:
    return [(problem.seq, problem.what) for problem in verify_database(path).problems]


@pytest.mark.parametrize(
    "events",
    [
        (erased(),),
        (hold(), LIFT, erased()),
        (hold(target="other"), erased()),
        (hold(), replace(LIFT)),
        (hold(tenant=TenantId("another")), erased()),
        (build.samples()["RollbackAccepted"][0],),
    ],
)
async def test_what_the_law_allows_verifies(log: SqlLedger, path: Path, events: tuple[Event, ...]):
    await append(log, *events)
    assert found(path) == []


@pytest.mark.parametrize(
    ("events", "seq"),
    [
        ((hold(), erased()), 3),
        ((hold(HoldScope.ALL, ""), erased()), 3),
        ((hold(HoldScope.TICKET, "t-1"), erased()), 3),
        ((hold(HoldScope.TRACE, build.ask().trace_id), erased()), 3),
        ((hold(), hold(hold_id="i"), LIFT, erased()), 5),
        ((LIFT,), 2),
        ((hold(), replace(LIFT, tenant=TenantId("another"))), 3),
        ((hold(), hold(hold_id="h", target="other")), 3),
        ((hold(HoldScope.ALL, AGENT),), 2),
        ((hold(target=""),), 2),
        ((erased(), erased()), 3),
        ((erased(kept_days=365),), 2),
    ],
)
async def test_what_the_law_forbids_is_named(
    log: SqlLedger, path: Path, events: tuple[Event, ...], seq: int
):
    await append(log, *events)
    assert (seq, "retention") in found(path)


async def test_an_erasure_of_what_nobody_named_is_named(log: SqlLedger, path: Path):
    await append(log, erased(digest="0" * 64))
    assert (2, "retention") in found(path)


async def test_retention_that_is_over_to_the_second_verifies(
    log: SqlLedger, path: Path, clock: FixedClock
):
    clock.at = T0 + timedelta(days=365)
    await append(log, erased(kept_days=365))
    assert found(path) == []


async def test_a_content_that_came_again_after_its_erasure_is_no_problem(
    log: SqlLedger, path: Path
):
    await append(log, erased())
    again = build.opened(
        "t-2",
        ask=build.known_by(build.ask(idempotency_key="again"), BODY),
        ruling=build.ruling(Effect.DENY, requirement=None),
        data_classes=("internal",),
    )
    result = Result(reply=None, events=(again,), contents={DIGEST: BODY})
    await log.commit(naming("t-2"), lambda _: result)
    assert found(path) == []
    await append(log, erased())
    assert found(path) == []


async def test_an_erasure_under_a_hold_is_found_in_an_export_alone(
    log: SqlLedger, path: Path, tmp_path: Path
):
    await append(log, hold(), erased())
    with (tmp_path / "log.jsonl").open("w", encoding="utf-8") as out:
        export(path, out)
    problems = verify_export(tmp_path / "log.jsonl").problems
    assert [(item.seq, item.what) for item in problems] == [(3, "retention")]


Change = Callable[[sqlite3.Connection], object]


def run(statement: str, *values: object) -> Change:
    return lambda connection: connection.execute(statement, values)


TAMPERINGS = {
    "a content brought back": (
        run("UPDATE contents SET body = ?, erased_at = NULL", BODY),
        "contents",
    ),
    "another moment": (run("UPDATE contents SET erased_at = '2026'"), "contents"),
    "a use taken away": (run("DELETE FROM content_uses"), "content_uses"),
    "a use made up": (run("INSERT INTO content_uses VALUES ('x', 1)"), "content_uses"),
    "a guard taken away": (run("DROP TRIGGER content_uses_no_delete"), "trigger"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_what_is_changed_behind_the_ledger_is_named(log: SqlLedger, path: Path, name: str):
    await append(log, erased())
    await log.close()
    change, what = TAMPERINGS[name]
    if what == "trigger":
        with closing(sqlite3.connect(path)) as connection:
            change(connection)
    else:
        tamper(path, change)
    assert what in {item for _, item in found(path)}


async def test_a_hold_taken_out_of_the_governing_state_is_named(log: SqlLedger, path: Path):
    await append(log, hold())
    await log.close()

    def change(connection: sqlite3.Connection) -> None:
        (body,) = connection.execute("SELECT body FROM control").fetchone()
        edited = json.dumps(json.loads(body) | {"holds": {}}).encode()
        connection.execute("UPDATE control SET body = ?", (edited,))

    assert found(path) == []
    tamper(path, change)
    assert found(path) == [(0, "control")]
