"""The laws of reading: lists, timelines, what is due, and waiting for change."""

import asyncio
from datetime import timedelta

from governance.ports import DueWork, TicketQuery
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import TicketId, TicketState
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import ANNA, T0, FixedClock
from tests.support.commits import append, whole


async def ids(ledger: AnyLedger, **query: object) -> list[str]:
    found = await ledger.tickets(TicketQuery(**query))  # type: ignore[arg-type]
    return [ticket.id for ticket in found]


async def test_tickets_are_listed_newest_first_and_paged(ledger: AnyLedger):
    await append(ledger, *(build.opened(f"t-{n}") for n in range(9, -1, -1)))
    assert await ids(ledger, limit=3) == ["t-0", "t-1", "t-2"]
    assert await ids(ledger, limit=3, before=TicketId("t-2")) == ["t-3", "t-4", "t-5"]
    assert await ids(ledger, before=TicketId("t-9")) == []
    assert await ids(ledger, before=TicketId("unknown")) == []


async def test_tickets_are_listed_by_what_they_are(ledger: AnyLedger):
    other = build.ask(
        agent=build.AgentId("other"),
        tenant=build.TenantId("umbrella"),
        trace_id="b" * 32,
        topic="job.read",
        idempotency_key="key-3",
    )
    await append(ledger, build.opened("t-1"), build.allowed("t-2"), build.opened("t-3", ask=other))
    await append(ledger, build.on("t-1", ev.TicketCancelled, actor="agent:deployer"))
    assert await ids(ledger) == ["t-3", "t-2", "t-1"]
    assert await ids(ledger, states=(TicketState.PENDING,)) == ["t-3"]
    open_ = (TicketState.CANCELLED, TicketState.PENDING)
    assert await ids(ledger, states=open_) == ["t-3", "t-1"]
    assert await ids(ledger, states=open_, limit=1, before=TicketId("t-3")) == ["t-1"]
    assert await ids(ledger, tenant=build.TENANT) == ["t-2", "t-1"]
    assert await ids(ledger, agent=build.AgentId("other")) == ["t-3"]
    assert await ids(ledger, trace_id="b" * 32) == ["t-3"]
    assert await ids(ledger, topic="job.read") == ["t-3"]
    assert await ids(ledger, needed_people=False) == ["t-2"]
    assert await ids(ledger, needed_people=True) == ["t-3", "t-1"]


async def test_tickets_are_listed_by_the_numbers_of_the_events_that_opened_them(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.evaluated(), build.opened("t-2"))
    await append(ledger, build.opened("t-3"), build.on("t-1", ev.TicketCancelled, actor="agent:d"))
    numbers = [await ledger.opened_seq(TicketId(f"t-{n}")) for n in range(1, 4)]
    assert numbers == [1, 3, 4]
    for unknown in ("t-4", "", "\x00"):
        assert await ledger.opened_seq(TicketId(unknown)) is None
    assert await ids(ledger, opened=range(1, 4)) == ["t-2", "t-1"]
    assert await ids(ledger, opened=range(2, 4)) == ["t-2"]
    assert await ids(ledger, opened=range(2, 3)) == []
    assert await ids(ledger, opened=range(3, 9), before=TicketId("t-3")) == ["t-2"]
    states = (TicketState.PENDING, TicketState.CANCELLED)
    assert await ids(ledger, opened=range(1, 4), states=states) == ["t-2", "t-1"]


async def test_a_page_of_several_states_shows_each_ticket_once_while_they_move(ledger: AnyLedger):
    names = [f"t-{number}" for number in range(60)]
    await append(ledger, *map(build.opened, names))

    async def move() -> None:
        for name in reversed(names):
            await append(ledger, build.on(name, ev.TicketCancelled, actor="agent:deployer"))

    moving = asyncio.create_task(move())
    while not moving.done():
        found = await ids(ledger, states=(TicketState.PENDING, TicketState.CANCELLED), limit=100)
        assert sorted(found) == sorted(names)
        await asyncio.sleep(0)
    await moving


async def test_tickets_are_listed_by_the_time_that_they_have_left(ledger: AnyLedger):
    ends = {"t-1": 50, "t-2": 10, "t-3": 50, "t-4": 30, "t-5": 40}
    opened = [build.opened(name, expires_at=T0 + timedelta(minutes=m)) for name, m in ends.items()]
    await append(ledger, *opened, build.allowed("t-6"))
    await append(ledger, build.on("t-5", ev.TicketCancelled, actor="agent:deployer"))
    waits = {"soonest": True, "states": (TicketState.PENDING,), "tenant": build.TENANT}
    assert await ids(ledger, **waits) == ["t-2", "t-4", "t-1", "t-3"]
    assert await ids(ledger, **waits, limit=2) == ["t-2", "t-4"]
    assert await ids(ledger, **waits, before=TicketId("t-4"), limit=1) == ["t-1"]
    assert await ids(ledger, **waits, before=TicketId("t-1")) == ["t-3"]
    assert await ids(ledger, **waits, before=TicketId("t-5")) == ["t-1", "t-3"]  # settled since
    assert await ids(ledger, **waits, before=TicketId("t-3")) == []
    assert await ids(ledger, **waits, before=TicketId("unknown")) == []
    assert await ids(ledger, soonest=True) == ["t-2", "t-4", "t-1", "t-3", "t-6"]
    assert await ids(ledger, soonest=True, needed_people=False) == ["t-6"]
    for other in ({"agent": "x"}, {"topic": "x"}, {"trace_id": "x"}, {"tenant": "x\x00"}):
        assert await ids(ledger, soonest=True, **other) == []


async def test_a_trace_and_a_ticket_return_their_whole_story(ledger: AnyLedger):
    elsewhere = build.evaluated(trace_id="c" * 32)
    await append(ledger, build.opened("t-1"), elsewhere, build.cast(), build.evaluated())
    assert [e.seq for e in await ledger.timeline("a" * 32)] == [1, 3, 4]
    assert [e.seq for e in await ledger.history(TicketId("t-1"))] == [1, 3]
    assert list(await ledger.timeline("")) == []
    assert list(await ledger.history(TicketId(""))) == []
    records = await whole(ledger)
    assert list(await ledger.records(2, 1)) == [records[2]]


async def test_what_is_due_is_found_at_its_moment(ledger: AnyLedger, clock: FixedClock):
    async def due(seconds: float) -> DueWork:
        return await ledger.due(T0 + timedelta(seconds=seconds), clearance_age_s=60, limit=10)

    await append(ledger, build.opened("t-1"), build.allowed("t-2"), build.allowed("t-3"))
    assert await due(0) == DueWork(uncleared=(TicketId("t-2"), TicketId("t-3")))
    assert (await due(900)).overdue == ("t-1",)
    assert (await due(899.9)).overdue == ()
    assert (await due(3600)).expiring == ("t-1", "t-2", "t-3")
    await append(ledger, build.on("t-2", run_ev.ExecutionCleared))
    assert (await due(59)).uncleared == ("t-3",)
    assert (await due(60)).uncleared == ("t-3", "t-2")
    await append(ledger, build.started("t-2"), build.on("t-1", ev.ResponseOverdue))
    late = await due(4000)
    assert late.lost == ("t-2",)
    assert late.overdue == ()
    assert late.expiring == ("t-1", "t-3")
    await append(
        ledger,
        build.on(
            "t-1",
            ev.VoteRefused,
            person=ANNA,
            choice=build.Choice.APPROVE,
            code=build.Code.WRONG_ROLE,
        ),
    )
    one = await ledger.due(T0 + timedelta(hours=2), clearance_age_s=60, limit=1)
    assert one.expiring == ("t-1",)
    clock.pass_(3600)
    await append(ledger, build.on("t-1", ev.TicketExpired))
    assert (await due(4000)).expiring == ("t-3",)


async def test_waiting_ends_when_the_log_grows(ledger: AnyLedger):
    waiting = asyncio.create_task(ledger.changed(0, 30))
    ahead = asyncio.create_task(ledger.changed(1, 30))
    await asyncio.to_thread(lambda: None)
    await append(ledger, build.evaluated())
    assert await waiting == 1
    assert not ahead.done()
    await append(ledger, build.evaluated())
    assert await ahead == 2
    assert await ledger.changed(0, 30) == 2


async def test_waiting_ends_when_its_time_is_over(ledger: AnyLedger):
    await append(ledger, build.evaluated())
    assert await ledger.changed(1, 0.01) == 1
    assert await ledger.changed(5, 0) == 1


async def test_what_nothing_can_be_called_is_not_found(ledger: AnyLedger):
    """Whoever asks for a name with a NUL is told that there is none, whatever the engine."""
    await append(ledger, build.opened("t-1"))
    assert await ledger.ticket(TicketId("t-1\x00")) is None
    assert await ledger.content("\x00") is None
    assert await ledger.credential("\x00") is None
    assert not await ledger.timeline("\x00")
    assert not await ledger.history(TicketId("t-1\x00"))
    for query in (
        TicketQuery(topic="\x00"),
        TicketQuery(trace_id="\x00"),
        TicketQuery(before=TicketId("\x00")),
    ):
        assert not await ledger.tickets(query)
