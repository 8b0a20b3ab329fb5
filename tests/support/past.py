"""A log whose every ticket is over, so that its segments may leave.

Lives here: that log, and a look at it from every side. Must not live here: what must hold of it.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from governance import control as ctl
from governance.control import PublicKey
from governance.segments import SegmentDetached, SegmentSealed, detach_message, file_of
from governance.tickets import run_events as run_ev
from storage.engine import file_database
from storage.ledger import SqlLedger
from storage.schema.guards import POSTGRES_TRIGGERS
from storage.verify.segments import Shelf
from storage.verify.verifier import Report, verify_database
from storage.verifying import verify_server
from tests.attacks.tampering import unguarded
from tests.support import build, world
from tests.support.build import ANNA, BEN, T0, TENANT, FixedClock
from tests.support.commits import append
from tests.support.sealing import WorldSigner, checkpoint, chosen, detach, seal
from tests.unit.storage import story

YEARS_S = 3 * 365 * 86_400


async def begin(ledger: SqlLedger) -> None:
    """The keys and a bundle."""
    for purpose in world.PURPOSES:
        pem = world.pem_of(purpose)
        key = PublicKey(id=f"key:{purpose}", purpose=purpose, pem=pem, valid_from=T0)
        await append(ledger, ctl.KeyRegistered(tenant=TENANT, key=key))
    bundle = build.samples()["BundleActivated"][0]
    assert isinstance(bundle, ctl.BundleActivated)
    await story.commit(ledger, replace(bundle, content_digest=story.DIGEST))


async def carried_out(ledger: SqlLedger, name: str) -> None:
    """A ticket from its request to the end of its run."""
    run = build.opened(name, ask=story.ask(name))
    await story.commit(ledger, run)
    await story.commit(ledger, *world.both(name, run.binding))
    started = story.started(name, f"run-{name}")
    done = build.on(name, run_ev.ExecutionSucceeded, run_id=f"run-{name}", report=story.report())
    await story.commit(ledger, story.cleared(name, ANNA, BEN), started, done)


async def filled(ledger: SqlLedger, count: int) -> None:
    """So many records of no ticket."""
    events = [
        ctl.AgentFrozen(tenant=TENANT, target=f"agent-{n}", person=ANNA) for n in range(count)
    ]
    await append(ledger, *events)


@dataclass(slots=True, kw_only=True)
class Past:
    """A ledger, where it is, its clock and the folder of its segments."""

    ledger: SqlLedger
    url: str
    clock: FixedClock
    folder: Path

    async def sealed(self, *names: str) -> list[int]:
        """A segment for each of these tickets; where they end."""
        ends = []
        for name in names:
            await carried_out(self.ledger, name)
            await checkpoint(self.ledger)
            made = await seal(self.ledger, self.url, self.folder)
            assert made is not None
            ends.append(made.last)
        return ends

    async def aged(self) -> None:
        """Long after: no time of anything so far is still running."""
        self.clock.pass_(YEARS_S)
        await filled(self.ledger, 1)

    async def detach(self) -> int:
        """Detach what may go; where the newest of it ends."""
        return await detach(self.ledger, self.url, self.folder)

    async def departures(self) -> list[SegmentDetached]:
        """What would be told of what may go, each signed as it should be; nothing is told."""
        seals = await chosen(self.ledger, self.url, self.folder)
        found = [build.detached(**departing(seq, seal)) for seq, seal in seals.items()]
        return [await signed(event) for event in found]

    def verified(
        self, *, files: bool = False, state: bool = True, start: int = 0, complete: bool = False
    ) -> Report:
        """With the files of segments, with the newest state alone, or beginning at another."""
        shelf = Shelf.of(self.folder) if files else None
        states = self.folder if state else None
        at = self.folder / f"state-{start:012d}.ndjson" if start else None
        path = file_database(self.url)
        if path is None:
            return verify_server(
                self.url, shelf=shelf, states=states, start=at, complete=complete, jobs=0
            )
        return verify_database(
            path.path, shelf=shelf, states=states, start=at, complete=complete, jobs=0
        )


def departing(seq: int, seal: SegmentSealed) -> dict[str, Any]:
    """What a segment's departure says of it."""
    names = ("origin", "first", "last", "head", "events", "file_digest", "state_digest")
    told = {name: getattr(seal, name) for name in names}
    return told | {"seal": seq, "file": file_of(seal.first, seal.last)}


async def signed(event: SegmentDetached) -> SegmentDetached:
    """By the checkpoint key."""
    made = await WorldSigner().sign("checkpoint", detach_message(event))
    return replace(event, key_id=made.key_id, signature=made.value)


def spoil(url: str, *statements: str) -> None:
    """Run these behind the guards' back, which are put back afterwards."""
    path = file_database(url)
    if path is not None:
        with unguarded(path.path) as connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, statement
        return
    tables = ("events", "detached", "detached_leaves", "detached_uses", "content_uses")
    with psycopg.connect(url, autocommit=True) as server:
        for table in tables:
            server.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            assert server.execute(statement).rowcount > 0, statement
        for statement in (s for s in POSTGRES_TRIGGERS.values() if s.startswith("ALTER")):
            server.execute(statement)


def plain(url: str, *statements: str) -> None:
    """Run these as anybody who can write the database, in one transaction."""
    path = file_database(url)
    if path is not None:
        with closing(sqlite3.connect(path.path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return
    with psycopg.connect(url) as server:
        for statement in statements:
            server.execute(statement)


def whats(report: Report) -> Sequence[str]:
    """The kinds of what is wrong."""
    return [problem.what for problem in report.problems]
