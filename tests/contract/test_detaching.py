"""Detached segments on both engines: the log verifies, and nothing else counts as detached."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from governance import proofs
from governance.custody import Custody
from governance.digests import content_digest
from governance.errors import Code, Refused, Unavailable
from governance.ports import Keys, Result, State
from governance.retention import Retention
from governance.retention_events import HoldLifted, HoldPlaced, HoldScope
from governance.tickets import events as ev
from governance.tickets.ticket import TicketId
from storage.copying import as_file, copied
from storage.engine import database, migrate
from storage.export import NotThisLog, export, export_segments
from storage.ledger import SqlLedger
from storage.postgres.database import PostgresDatabase
from storage.postgres.role_check import apply
from storage.schema.guards import TRIGGERS
from storage.tree.proving import Prover
from storage.verify.verifier import verify_database, verify_export
from tests.support import build
from tests.support.build import AGENT, ANNA, T0, TENANT, FixedClock
from tests.support.commits import append, whole
from tests.support.past import Past, begin, filled, plain, signed, spoil, whats
from tests.support.postgres import Postgres
from tests.support.sealing import LATE, RETENTION, administration, checkpoint, chosen, seal
from tests.unit.storage import story


@pytest.fixture(params=["sqlite", "postgres"])
async def past(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Past]:
    """A ledger with keys and a bundle."""
    url, clock = f"sqlite:///{tmp_path}/placet.db", FixedClock()
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(server.ready())
    async with SqlLedger(url, clock, trusts_database_time=False) as ledger:
        await begin(ledger)
        yield Past(ledger=ledger, url=url, clock=clock, folder=tmp_path / "sealed")


ONE_ENGINE = pytest.mark.parametrize("past", ["sqlite"], indirect=True)
"""For what no database has a part in."""


async def test_what_is_detached_verifies_with_its_files_and_without(past: Past):
    ends = await past.sealed("t-1", "t-2")
    await past.aged()
    assert past.verified().problems == ()
    assert await past.detach() == ends[-1]
    size, head = await past.ledger.head()
    with_files = past.verified(files=True, complete=True)
    assert (with_files.problems, with_files.since, with_files.detached) == ((), 0, ends[-1])
    assert (with_files.size, with_files.head) == (size, head)
    begun = past.verified()
    assert (begun.problems, begun.since, begun.detached) == ((), ends[-1], ends[-1])
    assert (begun.size, begun.root, begun.head) == (size, with_files.root, head)


@ONE_ENGINE
async def test_neither_files_nor_state_means_not_verified(past: Past):
    await past.sealed("t-1")
    await past.aged()
    end = await past.detach()
    (problem,) = past.verified(state=False).problems
    assert (problem.what, f"1 to {end}" in problem.detail) == ("detached", True)


async def test_a_second_detach_goes_on_where_the_first_stopped(past: Past):
    first = await past.sealed("t-1")
    await past.aged()
    assert await past.detach() == first[-1]
    assert await past.detach() == 0
    await filled(past.ledger, 300)
    await checkpoint(past.ledger)
    made = await seal(past.ledger, past.url, past.folder)
    assert made is not None
    assert past.verified(files=True, complete=True).problems == ()
    await past.aged()
    assert await past.detach() == made.last
    for report in (past.verified(files=True, complete=True), past.verified()):
        assert (report.problems, report.detached) == ((), made.last)
    told = [e for e in await past.ledger.records(made.last, 500) if e.type == "SegmentDetached"]
    assert [event.payload["first"] for event in told] == [first[-1] + 1]


async def test_a_later_seal_tells_of_what_was_detached_before_it(past: Past):
    await past.sealed("t-1")
    await past.aged()
    end = await past.detach()
    await checkpoint(past.ledger)
    made = await seal(past.ledger, past.url, past.folder)
    assert made is not None
    await filled(past.ledger, 3)
    report = past.verified(start=made.last)
    assert (report.problems, report.since, report.detached) == ((), made.last, end)


async def test_only_what_is_old_enough_leaves(past: Past):
    first = await past.sealed("t-1")
    past.clock.pass_(86_400)
    await filled(past.ledger, 2)
    await checkpoint(past.ledger)
    await seal(past.ledger, past.url, past.folder)
    day = timedelta(days=1)
    ages = [(T0 + 364 * day, []), (T0 + 365 * day, first)]
    for now, wanted in ages:
        found = await chosen(past.ledger, past.url, past.folder, now=now)
        assert [item.last for item in found.values()] == wanted
    assert len(await chosen(past.ledger, past.url, past.folder, now=T0 + 366 * day)) == 2
    young = await chosen(past.ledger, past.url, past.folder, until=T0, now=LATE)
    assert [item.last for item in young.values()] == first


_OLD = {
    "sqlite": (
        *(f"DROP TRIGGER {name}" for name in TRIGGERS if name.startswith("detached")),
        "DROP TRIGGER events_no_delete",
        "DROP TRIGGER events_in_order",
        *(f"DROP TABLE {name}" for name in ("detached", "detached_leaves", "detached_uses")),
        """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
        """CREATE TRIGGER events_in_order BEFORE INSERT ON events
        WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events)
        BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END""",
    ),
    "postgresql": (
        "DROP TABLE detached, detached_leaves, detached_uses",
        "DROP TRIGGER events_no_delete ON events",
        "DROP TRIGGER events_no_change ON events",
        """CREATE OR REPLACE FUNCTION events_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM events) THEN
        RAISE EXCEPTION 'the log has no gaps and replaces nothing'
        USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN NEW; END $$""",
        """CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
        FOR EACH STATEMENT EXECUTE FUNCTION events_kept()""",
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change",
    ),
}


async def test_a_log_that_an_earlier_version_left_verifies_and_its_guards_are_wanted(past: Past):
    await past.sealed("t-1")
    kind = past.url.partition(":")[0].removesuffix("+psycopg")
    plain(past.url, *_OLD[kind])
    assert past.verified(files=True, complete=True).problems == ()
    on = " ON events" if kind == "postgresql" else ""
    plain(past.url, f"DROP TRIGGER events_in_order{on}")
    assert "trigger" in whats(past.verified())


async def test_without_the_table_of_what_left_a_detached_log_does_not_verify(past: Past):
    await past.sealed("t-1")
    await past.aged()
    await past.detach()
    plain(past.url, *_OLD[past.url.partition(":")[0].removesuffix("+psycopg")])
    assert "sequence" in whats(past.verified())
    assert "sequence" in whats(past.verified(files=True))


# What still needs a record keeps it


async def refused(past: Past, code: Code, told: str) -> None:
    """Nothing leaves, for this reason."""
    before = await past.ledger.head()
    with pytest.raises(Refused, match=told) as caught:
        await past.detach()
    assert caught.value.code is code
    assert await past.ledger.head() == before
    assert (await past.ledger.records(0, 1))[0].seq == 1
    assert past.verified(files=True).problems == ()


async def test_an_open_ticket_keeps_its_events(past: Past):
    await past.sealed("t-1")
    await story.commit(past.ledger, build.opened("t-wait", ask=story.ask("t-wait")))
    await past.sealed("t-2")
    past.clock.pass_(366 * 86_400)
    await refused(past, Code.WRONG_STATE, "t-wait")


async def test_a_running_execution_keeps_its_events(past: Past):
    await story.commit(
        past.ledger,
        build.allowed("t-runs", ask=story.ask("t-runs")),
        story.cleared("t-runs"),
        story.started("t-runs"),
    )
    await past.sealed("t-1")
    await past.aged()
    await refused(past, Code.WRONG_STATE, "t-runs")


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (HoldScope.ALL, ""),
        (HoldScope.TICKET, "t-1"),
        (HoldScope.AGENT, AGENT),
        (HoldScope.TRACE, story.ask("t-1").trace_id),
    ],
)
async def test_a_legal_hold_keeps_what_it_covers(past: Past, scope: HoldScope, target: str):
    await past.sealed("t-1")
    await past.aged()
    await append(past.ledger, hold(scope, target))
    await refused(past, Code.HELD, "h-1")


def hold(scope: HoldScope, target: str) -> HoldPlaced:
    return HoldPlaced(
        tenant=TENANT, actor="a", hold_id="h-1", scope=scope, target=target, reason="case 1"
    )


async def test_a_hold_that_is_placed_in_the_same_moment_counts(past: Past):
    """Both may come to stand in one transaction, of which the database knows nothing yet."""
    await past.sealed("t-1")
    await past.aged()
    seals = await chosen(past.ledger, past.url, past.folder)
    office = administration(past.ledger)
    placed, left = await asyncio.gather(
        append(past.ledger, hold(HoldScope.ALL, "")),
        office.detach(seals, actor="a"),
        return_exceptions=True,
    )
    assert not isinstance(placed, BaseException)
    assert isinstance(left, Refused)
    assert left.code is Code.HELD


async def test_a_look_refuses_what_detaching_would(past: Past):
    await past.sealed("t-1")
    past.clock.pass_(86_400)
    seals = await chosen(past.ledger, past.url, past.folder)
    with pytest.raises(Refused, match="to be kept until"):
        await administration(past.ledger).look_at(seals)
    await past.aged()
    before = await past.ledger.head()
    await administration(past.ledger).look_at(seals)
    assert await past.ledger.head() == before


async def test_a_hold_on_something_else_keeps_nothing(past: Past):
    await past.sealed("t-1")
    await past.aged()
    await append(past.ledger, hold(HoldScope.AGENT, "another"))
    assert await past.detach()
    assert past.verified(files=True).problems == ()


async def test_a_remembered_idempotency_key_keeps_its_ticket(past: Past):
    await past.sealed("t-1")
    past.clock.pass_(29 * 86_400)
    seals = await chosen(past.ledger, past.url, past.folder)
    (seq, sealed) = next(iter(seals.items()))
    needs = await needed(past, seq)
    assert (needs.tickets, needs.keys, needs.seals) == ((), ("t-1",), {seq: sealed})
    past.clock.pass_(2 * 86_400)
    assert (await needed(past, seq)).keys == ()


async def test_a_ticket_whose_time_is_not_over_keeps_its_events(past: Past):
    await past.sealed("t-1")
    (seq,) = await chosen(past.ledger, past.url, past.folder)
    ticket = await past.ledger.ticket(TicketId("t-1"))
    assert ticket is not None
    past.clock.at = ticket.expires_at - timedelta(seconds=1)
    assert (await needed(past, seq)).tickets == ("t-1",)
    past.clock.at = ticket.expires_at
    assert (await needed(past, seq)).tickets == ()


async def needed(past: Past, *seals: int) -> build.sg.Needs:
    """What a step sees."""

    def step(state: State) -> Result[build.sg.Needs]:
        return Result(reply=state.needs)

    return (await past.ledger.commit(Keys(seals=seals), step)).reply


async def test_before_its_time_nothing_leaves_even_if_asked_for(past: Past):
    await past.sealed("t-1")
    past.clock.pass_(364 * 86_400)
    seals = await chosen(past.ledger, past.url, past.folder)
    with pytest.raises(Refused, match="to be kept until"):
        await administration(past.ledger).detach(seals, actor="a")


async def test_what_no_seal_says_does_not_leave(past: Past):
    await past.sealed("t-1", "t-2")
    await past.aged()
    seals = await chosen(past.ledger, past.url, past.folder)
    (one, first), (two, second) = seals.items()
    for lying in (
        {one + 1: first},
        {two: first},
        {two: second},
        {one: replace(first, last=first.last + 1, events=first.events + 1)},
        {one: replace(first, file_digest="0" * 64)},
        {one: replace(first, state_digest="0" * 64)},
    ):
        with pytest.raises(Refused) as caught:
            await administration(past.ledger).detach(lying, actor="a")
        assert caught.value.code is Code.WRONG_STATE
    assert past.verified(files=True).problems == ()


@pytest.mark.parametrize("which", ["log", "state"])
@ONE_ENGINE
async def test_without_its_very_files_no_segment_is_chosen(past: Past, which: str):
    await past.sealed("t-1")
    await past.aged()
    (path,) = past.folder.glob(f"{which}-*")
    there = path.read_bytes()
    for wrong in (None, there[:-1], there + b"\n"):
        path.unlink(missing_ok=True)
        if wrong is not None:
            path.write_bytes(wrong)
        with pytest.raises(Refused, match="not what was sealed"):
            await past.detach()


async def test_rows_that_are_not_their_file_do_not_leave(past: Past):
    await past.sealed("t-1")
    await past.aged()
    spoil(past.url, "UPDATE events SET hash = 'other' WHERE seq = 3")
    with pytest.raises(Refused, match="are not those of their file"):
        await past.detach()


# Attacks with the database in hand


async def test_the_guards_let_nothing_go_that_no_event_names(past: Past):
    ends = await past.sealed("t-1")
    row = f"INSERT INTO detached VALUES ({ends[0]}, 1, {ends[0] + 2}, 'h', 'f', 'd', 's')"
    for statements in (
        ("DELETE FROM events WHERE seq = 1",),
        ("DELETE FROM events",),
        (row, "DELETE FROM events WHERE seq = 1"),
        ("INSERT INTO detached VALUES (9, 2, 30, 'h', 'f', 'd', 's')",),
        ("INSERT INTO detached VALUES (0, 1, 30, 'h', 'f', 'd', 's')",),
    ):
        with pytest.raises(Exception, match=r"append-only|in order"):
            plain(past.url, *statements)
    assert past.verified(files=True).problems == ()


async def test_the_guards_keep_what_is_left_and_what_stands_behind_it(past: Past):
    await past.sealed("t-1")
    await past.aged()
    end = await past.detach()
    for table in ("detached", "detached_leaves", "detached_uses"):
        column = {"detached": "head", "detached_leaves": "after", "detached_uses": "at"}[table]
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
            with pytest.raises(Exception, match="stays so"):
                plain(past.url, statement)
    with pytest.raises(Exception, match="append-only"):
        plain(past.url, f"DELETE FROM events WHERE seq = {end + 1}")
    for seq in (1, end):
        with pytest.raises(Exception, match="no gaps"):
            plain(past.url, _row_like(seq))


def _row_like(seq: int) -> str:
    return f"""INSERT INTO events SELECT {seq}, at, type, version, tenant, trace_id, ticket_id,
        agent_id, 'h{seq}', body FROM events WHERE seq = (SELECT max(seq) FROM events)"""


async def test_a_row_that_names_a_range_without_an_event_is_named(past: Past):
    ends = await past.sealed("t-1")
    row = f"INSERT INTO detached VALUES ({ends[0]}, 1, {ends[0] + 2}, 'h', 'f', 'd', 's')"
    plain(past.url, row)
    assert "detached" in whats(past.verified(files=True))
    assert "detached" in whats(past.verified())
    spoil(past.url, f"DELETE FROM events WHERE seq <= {ends[0]}")
    assert "detached" in whats(past.verified(files=True))
    assert "detached" in whats(past.verified())


async def test_records_that_are_gone_and_that_nothing_names_are_named(past: Past):
    await past.sealed("t-1")
    await past.aged()
    spoil(past.url, "DELETE FROM events WHERE seq <= 5")
    assert "sequence" in whats(past.verified())
    assert "sequence" in whats(past.verified(files=True))


async def test_a_detached_range_that_is_partly_there_is_named(past: Past):
    await past.sealed("t-1")
    await past.aged()
    end = await past.detach()
    spoil(past.url, _row_like(end))
    assert "detached" in whats(past.verified())
    assert "detached" in whats(past.verified(files=True))


async def test_more_gone_than_was_detached_is_named_wherever_one_begins(past: Past):
    ends = await past.sealed("t-1", "t-2")
    await past.aged()
    (one, _) = await past.departures()
    await append(past.ledger, one)
    assert past.verified(start=ends[1]).problems == ()
    spoil(past.url, f"DELETE FROM events WHERE seq = {ends[0] + 1}")
    for report in (past.verified(), past.verified(files=True)):
        assert "sequence" in whats(report)
    assert "detached" in whats(past.verified(start=ends[1]))


ALTERED = {
    "row of a segment": "UPDATE detached SET file_digest = 'other'",
    "record that says so": "UPDATE detached SET seq = seq + 1",
    "leaves": "UPDATE detached_leaves SET hashes = substr(hashes, 1, 32) WHERE after = 0",
    "no leaves": "DELETE FROM detached_leaves",
    "uses": "UPDATE detached_uses SET agent_id = 'another'",
    "classes": "UPDATE detached_uses SET data_classes = '[]' WHERE ticket_id <> ''",
    "no uses": "DELETE FROM detached_uses",
}


@pytest.mark.parametrize("what", ALTERED)
async def test_what_is_left_of_detached_records_is_compared(past: Past, what: str):
    await past.sealed("t-1")
    await past.aged()
    await past.detach()
    spoil(past.url, ALTERED[what])
    for report in (past.verified(), past.verified(files=True)):
        assert set(whats(report)) & {"detached", "tiles"}


async def test_without_any_row_of_detachments_the_gap_shows(past: Past):
    await past.sealed("t-1")
    await past.aged()
    await past.detach()
    spoil(past.url, "DELETE FROM detached")
    assert {"sequence", "detached"} <= set(whats(past.verified()))


LIES = {
    "signed by nobody": {"signature": "c2ln"},
    "another log's": {"origin": "other"},
    "another file's digest": {"file_digest": "0" * 64},
    "another state's digest": {"state_digest": "0" * 64},
    "another file": {"file": "log-000000000001-000000000002.jsonl"},
    "a count that is not true": {"events": 1},
    "of no seal": {"seal": 1},
    "by a key for votes": {"key_id": "key:vote:operator"},
    "by a key that nobody knows": {"key_id": "key:nobody"},
}


@pytest.mark.parametrize("lie", LIES)
@ONE_ENGINE
async def test_a_detachment_that_is_not_what_was_sealed_or_signed_is_named(past: Past, lie: str):
    """Somebody who can write the log has its records taken out by a false event."""
    await past.sealed("t-1")
    await past.aged()
    (event,) = await past.departures()
    await append(past.ledger, replace(event, **LIES[lie]))
    for report in (past.verified(), past.verified(files=True)):
        assert "detached" in whats(report)


@pytest.mark.parametrize(
    "changes", [{"first": 2}, {"head": "0" * 64}, {"last": 10_000}, {"last": 0}]
)
async def test_a_range_that_is_not_there_leaves_nothing_out(past: Past, changes: dict[str, object]):
    await past.sealed("t-1")
    await past.aged()
    (event,) = await past.departures()
    before = await past.ledger.head()
    with pytest.raises(Unavailable):
        await append(past.ledger, replace(event, **changes))
    assert await past.ledger.head() == before
    assert past.verified(files=True).problems == ()


@ONE_ENGINE
async def test_with_the_key_alone_unsealed_records_do_not_leave_unseen(past: Past):
    """Whoever has the key can sign for a longer range; no seal says so."""
    await past.sealed("t-1")
    await past.aged()
    (event,) = await past.departures()
    head = (await past.ledger.records(event.last, 1))[0].hash
    longer = replace(event, last=event.last + 1, head=head, events=event.events + 1)
    name = f"log-{1:012d}-{longer.last:012d}.jsonl"
    await append(past.ledger, await signed(replace(longer, file=name)))
    for report in (past.verified(), past.verified(files=True)):
        assert "detached" in whats(report)


@pytest.mark.parametrize(
    "lie", ["another log's", "another file's digest", "another state's digest"]
)
@ONE_ENGINE
async def test_what_the_key_signed_and_no_seal_says_is_named(past: Past, lie: str):
    await past.sealed("t-1")
    await past.aged()
    (event,) = await past.departures()
    await append(past.ledger, await signed(replace(event, **LIES[lie])))
    for report in (past.verified(), past.verified(files=True)):
        assert "is not what record" in "".join(p.detail for p in report.problems)


@pytest.mark.parametrize("seal_seq", [1, 7])
@ONE_ENGINE
async def test_a_detachment_that_names_no_seal_is_named(past: Past, seal_seq: int):
    await past.sealed("t-1")
    await past.aged()
    (event,) = await past.departures()
    await append(past.ledger, await signed(replace(event, seal=seal_seq)))
    for report in (past.verified(), past.verified(files=True)):
        assert f"record {seal_seq} sealed no such segment" in "".join(
            problem.detail for problem in report.problems
        )


async def test_a_range_of_which_a_record_is_gone_already_does_not_leave(past: Past):
    await past.sealed("t-1")
    await past.aged()
    departures = await past.departures()
    spoil(past.url, "DELETE FROM events WHERE seq = 3")
    before = await past.ledger.head()
    with pytest.raises(Unavailable):
        await append(past.ledger, *departures)
    assert await past.ledger.head() == before
    assert "sequence" in whats(past.verified(files=True))


@ONE_ENGINE
async def test_leaves_of_other_records_are_named_wherever_one_begins(past: Past):
    await filled(past.ledger, 600)
    await past.sealed("t-1")
    await past.aged()
    await past.detach()
    other = "(SELECT hashes FROM detached_leaves WHERE after = 256)"
    spoil(past.url, f"UPDATE detached_leaves SET hashes = {other} WHERE after = 0")
    for report in (past.verified(), past.verified(files=True)):
        assert "tiles" in whats(report)


@ONE_ENGINE
async def test_a_detachment_that_names_another_seal_is_named(past: Past):
    await past.sealed("t-1", "t-2")
    await past.aged()
    first, second = await past.departures()
    await append(past.ledger, await signed(replace(first, seal=second.seal)), second)
    assert "detached" in whats(past.verified(files=True))


async def _held(past: Past) -> None:
    await append(past.ledger, hold(HoldScope.TICKET, "t-1"))


async def _held_by_agent(past: Past) -> None:
    await append(past.ledger, hold(HoldScope.AGENT, AGENT))


async def _held_by_trace(past: Past) -> None:
    await append(past.ledger, hold(HoldScope.TRACE, story.ask("t-1").trace_id))


async def _all_held(past: Past) -> None:
    await append(past.ledger, hold(HoldScope.ALL, ""))


@pytest.mark.parametrize("place", [_held, _held_by_agent, _held_by_trace, _all_held])
@ONE_ENGINE
async def test_a_detachment_under_a_hold_is_named(past: Past, place: Callable[[Past], "object"]):
    await past.sealed("t-1")
    await past.aged()
    await place(past)  # type: ignore[misc]
    await append(past.ledger, *await past.departures())
    for report in (past.verified(), past.verified(files=True)):
        assert "under the hold h-1" in "".join(p.detail for p in report.problems)


@ONE_ENGINE
async def test_a_detachment_before_its_time_or_of_an_open_ticket_is_named(past: Past):
    await story.commit(past.ledger, build.opened("t-wait", ask=story.ask("t-wait")))
    await past.sealed("t-1")
    past.clock.pass_(3_600)
    await append(past.ledger, *await past.departures())
    told = "".join(problem.detail for problem in past.verified(files=True).problems)
    assert "to be kept until" in told
    assert "ticket t-wait, which it is of, was not over" in told
    assert "the idempotency key of ticket t-1 was still remembered" in told
    assert "detached" in whats(past.verified())


@pytest.mark.parametrize("which", ["log", "state"])
@ONE_ENGINE
async def test_a_file_that_was_altered_or_is_missing_is_named(past: Past, which: str):
    await past.sealed("t-1", "t-2")
    await past.aged()
    await past.detach()
    for path in past.folder.glob(f"{which}-*"):
        there = path.read_bytes()
        path.write_bytes(there[:-1] + b"\n\n")
        assert {"seal", "detached"} & set(whats(past.verified(files=True)))
        path.unlink()
        assert {"seal", "detached"} & set(whats(past.verified(files=True, complete=True)))
        path.write_bytes(there)
    assert past.verified(files=True, complete=True).problems == ()


@ONE_ENGINE
async def test_the_records_files_of_what_was_detached_may_not_be_missing(past: Past):
    await past.sealed("t-1", "t-2")
    await past.aged()
    await past.detach()
    first, _ = sorted(past.folder.glob("log-*"))
    first.unlink()
    (problem,) = past.verified(files=True).problems
    assert (problem.what, first.name in problem.detail) == ("detached", True)


@ONE_ENGINE
async def test_a_forged_state_is_no_way_to_begin(past: Past):
    await past.sealed("t-1")
    await past.aged()
    await past.detach()
    (path,) = past.folder.glob("state-*")
    path.write_bytes(path.read_bytes().replace(b'"pending"', b'"other"').replace(b"t-1", b"t-9"))
    assert past.verified().problems


# What goes on


async def proved(past: Past) -> None:
    """Every event, at several sizes, leads to the newest signed root."""
    size = await checkpoint(past.ledger)
    prover = Prover(past.ledger.tiles)
    newest = await prover.newest()
    assert newest is not None
    for seq in [*range(1, size + 1, 7), size]:
        hashes = await prover.inclusion(seq, size)
        assert hashes or size == 1
    for old in range(0, size, 11):
        await prover.consistency(old, size)
    await prover.close()


async def test_proofs_go_on_for_every_event_and_receipts_of_before_hold(past: Past):
    await past.sealed("t-1")
    before = await whole(past.ledger)
    await past.aged()
    end = await past.detach()
    await proved(past)
    size = await checkpoint(past.ledger)
    prover = Prover(past.ledger.tiles)
    newest = await prover.newest()
    assert newest is not None
    for record in before:
        hashes = await prover.inclusion(record.seq, size)
        leaf = proofs.leaf_of(record.encoded)
        assert proofs.includes_leaf(
            leaf=leaf, index=record.seq - 1, size=size, hashes=hashes, root=newest.root
        )
    assert end <= len(before)


@pytest.mark.parametrize("count", [255, 256, 300, 700])
async def test_tiles_are_made_anew_wherever_a_segment_ends(past: Past, count: int):
    await filled(past.ledger, count)
    await past.sealed("t-1")
    await past.aged()
    assert await past.detach() > count
    await filled(past.ledger, 300)
    await past.ledger.tiles.drop()
    await proved(past)
    for report in (past.verified(), past.verified(files=True)):
        assert report.problems == ()
    await checkpoint(past.ledger)
    assert await seal(past.ledger, past.url, past.folder)
    await past.aged()
    assert await past.detach()
    await past.ledger.tiles.drop()
    await proved(past)
    for report in (past.verified(), past.verified(files=True, complete=True)):
        assert report.problems == ()


@ONE_ENGINE
async def test_records_that_leave_between_two_reads_are_not_taken_for_altered_ones(past: Past):
    await past.sealed("t-1")
    await past.aged()
    size = await checkpoint(past.ledger)

    class Leaving:
        """A store of tiles whose first read of leaves is just too early."""

        def __init__(self) -> None:
            self._tiles = past.ledger.tiles
            self.is_early = True

        def __getattr__(self, name: str) -> object:
            return getattr(self._tiles, name)

        async def leaves(self, after_seq: int, limit: int) -> Sequence[bytes]:
            found = await self._tiles.leaves(after_seq, limit)
            if self.is_early:
                self.is_early = False
                await past.detach()
            return found

    prover = Prover(Leaving())  # type: ignore[arg-type]
    assert await prover.inclusion(3, size)
    assert (await past.ledger.control()).detached_upto
    await prover.close()


async def test_reads_of_what_is_detached_say_so(past: Past):
    await past.sealed("t-1")
    await past.aged()
    await carried_out_later(past)
    end = await past.detach()
    trace = story.ask("t-1").trace_id
    for read in (
        past.ledger.records(0, 5),
        past.ledger.records(end - 1, 5),
        past.ledger.history(TicketId("t-1")),
        past.ledger.timeline(trace),
    ):
        with pytest.raises(Refused) as caught:
            await read
        assert (caught.value.code, caught.value.details) == (Code.DETACHED, {"upto": end})
    assert (await past.ledger.records(end, 1))[0].seq == end + 1
    assert await past.ledger.history(TicketId("t-none")) == []
    ticket = await past.ledger.ticket(TicketId("t-1"))
    assert ticket is not None


async def test_a_trace_that_only_asked_before_is_not_told_as_if_it_began_later(past: Past):
    await append(past.ledger, build.evaluated(trace_id="asks"))
    await past.sealed("t-1")
    await past.aged()
    end = await past.detach()
    assert await past.ledger.timeline("asks") == [], "nothing is left by which to know"
    await append(past.ledger, build.evaluated(trace_id="asks"))
    with pytest.raises(Refused) as caught:
        await past.ledger.timeline("asks")
    assert caught.value.details == {"upto": end}
    await append(past.ledger, build.evaluated(trace_id="new"))
    assert len(await past.ledger.timeline("new")) == 1


async def carried_out_later(past: Past) -> None:
    await filled(past.ledger, 2)


async def test_contents_of_detached_records_are_still_held_kept_and_erased(past: Past):
    await past.sealed("t-1")
    await past.aged()
    await past.detach()
    named = await past.ledger.contents_after(0, 50)
    assert {item.digest for item in named} == {story.DIGEST}
    assert [item.seq for item in named] == sorted(item.seq for item in named)
    custody = Custody(ledger=past.ledger, reader=past.ledger, tenant=TENANT)
    with pytest.raises(Refused, match="is policy"):
        await custody.erase(story.DIGEST, actor="a", reason="asked")
    assert past.verified(files=True).problems == ()


async def test_a_detached_log_is_copied_backed_up_and_exported(past: Past, tmp_path: Path):
    await past.sealed("t-1")
    await past.aged()
    end = await past.detach()
    target = tmp_path / "copy.db"
    migrate(f"sqlite:///{target}")
    done = copied(database(past.url), database(f"sqlite:///{target}"))
    assert done.seq == (await past.ledger.head())[0]
    report = verify_database(target, states=past.folder, jobs=0)
    assert (report.problems, report.detached) == ((), end)
    # The files of segments and then the rest of the log are one export.
    folder = tmp_path / "export"
    folder.mkdir()
    for path in past.folder.glob("log-*"):
        shutil.copy(path, folder)
    assert export_segments(target, folder) == done.seq - end
    assert verify_export(folder, jobs=0).problems == ()


async def test_only_the_owner_of_the_tables_takes_records_out(postgres: Postgres, tmp_path: Path):
    name = postgres.ready()
    owner = database(postgres.url(name))
    assert isinstance(owner, PostgresDatabase)
    apply(owner, "leaving")
    urls = {
        role: postgres.url(name).replace("postgres:@", f"leaving_{role}:@")
        for role in ("serve", "executor", "reader")
    }
    clock = FixedClock()
    async with SqlLedger(urls["serve"], clock, trusts_database_time=False) as ledger:
        await begin(ledger)
        past = Past(ledger=ledger, url=postgres.url(name), clock=clock, folder=tmp_path / "sealed")
        await past.sealed("t-1")
        await past.aged()
        before = await ledger.head()
        with pytest.raises(Unavailable):
            await past.detach()
        assert await ledger.head() == before
        departures = await past.departures()
    async with SqlLedger(urls["executor"], clock, trusts_database_time=False) as ledger:
        with pytest.raises(Unavailable):
            await append(ledger, *departures)
    async with SqlLedger(postgres.url(name), clock, trusts_database_time=False) as ledger:
        past.ledger = ledger
        assert await past.detach()
    async with SqlLedger(urls["serve"], clock, trusts_database_time=False) as ledger:
        past.ledger, past.url = ledger, urls["reader"]
        await filled(ledger, 300)
        await proved(past)
        assert past.verified(files=True).problems == ()


async def test_contents_of_a_ticket_are_known_although_its_events_have_left(past: Past):
    await past.sealed("t-1")
    before = await past.ledger.contents_of(TicketId("t-1"))
    await past.aged()
    await past.detach()
    assert await past.ledger.contents_of(TicketId("t-1")) == before == [story.DIGEST]
    assert list(await past.ledger.contents_of(TicketId("t-none"))) == []
    assert list(await past.ledger.contents_of(TicketId("a\0b"))) == []


async def test_what_retention_erases_and_a_hold_keeps_does_not_change_by_leaving(past: Past):
    body = b'{"arguments":{"of":"t-own"},"of":"t-own"}'
    digest = content_digest(body)
    asked = replace(story.ask("t-own"), content_digest=digest, data_class="financial")
    opened = build.opened("t-own", ask=asked, data_classes=("financial",))
    gone = build.on("t-own", ev.TicketCancelled, actor="agent:deployer", reason="no")
    result = Result(reply=None, events=(opened, gone), contents={digest: body})
    await past.ledger.commit(Keys(), lambda _: result)
    await past.sealed("t-1")
    past.clock.pass_(2_600 * 86_400)
    await filled(past.ledger, 1)
    custody = Custody(ledger=past.ledger, reader=past.ledger, tenant=TENANT)
    kept = {item.digest: item.data_classes for item in await past.ledger.contents_after(0, 50)}
    assert kept[digest] == ("financial",)
    await past.detach()
    assert {
        item.digest: item.data_classes for item in await past.ledger.contents_after(0, 50)
    } == kept
    await append(past.ledger, hold(HoldScope.AGENT, AGENT))
    with pytest.raises(Refused) as refused:
        await custody.erase_ticket(TicketId("t-own"), actor="a", reason="asked")
    assert refused.value.code is Code.HELD
    await append(past.ledger, HoldLifted(tenant=TENANT, actor="a", hold_id="h-1", reason="over"))
    long = Retention(days=365, by_class={"financial": 3_000})
    assert (await custody.expire((digest,), actor="a", retention=long)).erased == ()
    assert (await custody.expire((digest,), actor="a", retention=RETENTION)).erased == (digest,)
    assert await past.ledger.content(digest) is None
    for report in (past.verified(), past.verified(files=True, complete=True)):
        assert report.problems == ()


async def test_what_came_after_still_counts_its_ticket_among_what_it_is_kept_for(past: Past):
    """A segment in which a detached ticket goes on is kept for as long as that demands."""
    asked = story.ask("t-money")
    opened = build.opened("t-money", ask=asked, data_classes=("financial",))
    gone = build.on("t-money", ev.TicketCancelled, actor="agent:deployer", reason="no")
    await story.commit(past.ledger, opened, gone)
    await past.sealed("t-1")
    past.clock.pass_(2_600 * 86_400)
    await filled(past.ledger, 1)
    await past.detach()
    late = build.on("t-money", ev.VoteRefused, person=ANNA, choice=build.Choice.APPROVE, code=_LATE)
    await append(past.ledger, late)
    await checkpoint(past.ledger)
    made = await seal(past.ledger, past.url, past.folder)
    assert made is not None
    assert made.keep_until - past.clock.now() > timedelta(days=2_000)


_LATE = Code.ALREADY_RESOLVED


async def test_an_export_of_what_is_left_says_where_it_begins(past: Past, tmp_path: Path):
    await past.sealed("t-1", "t-2")
    await past.aged()
    end = await past.detach()
    size, _ = await past.ledger.head()
    with as_file(past.url) as source:
        with (tmp_path / "log.jsonl").open("w", encoding="utf-8") as out:
            assert export(source, out) == size - end
        folder = tmp_path / "left"
        folder.mkdir()
        assert export_segments(source, folder) == size - end
        for path in (tmp_path / "log.jsonl", *folder.iterdir()):
            assert json.loads(path.read_text(encoding="utf-8").splitlines()[0])["after"] == end
        assert verify_export(tmp_path / "log.jsonl", jobs=0).problems
        # A folder that ends in the middle of what left cannot go on from the database.
        older = tmp_path / "older"
        older.mkdir()
        shutil.copy(min(past.folder.glob("log-*")), older)
        with pytest.raises(NotThisLog, match="is detached"):
            export_segments(source, older)
