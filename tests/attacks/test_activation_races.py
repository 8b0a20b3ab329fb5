"""A newly activated bundle against whatever happens at the same moment, on every ledger."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.reassess import Pass, changes_since, judge_open
from governance.action import ActionKind, Dispatch
from governance.errors import Code, PlacetError
from governance.execution import RunReport, RunStatus
from governance.outbox import OwedKind
from governance.policy.model import Bundle
from governance.tickets import commands as cmd
from governance.tickets.ticket import Ticket, TicketState
from storage.ledger import SqliteLedger
from storage.memory.ledger import MemoryLedger
from storage.verify.verifier import verify_database
from tests.support.activation import (
    ALLOWS,
    BASE,
    DENIES,
    SAME,
    STRICTER,
    AnyLedger,
    Process,
    bundle,
    process,
)
from tests.support.build import ANNA, BEN, FixedClock
from tests.support.commits import erase, whole
from tests.support.core import agent, content, starting

S = TicketState
RUN = {"dispatch": Dispatch.EXECUTE, "tool": "host.restart", "action": ActionKind.EXECUTE}
"""What our executor runs."""


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock
) -> AsyncIterator[AnyLedger]:
    made: AnyLedger = (
        MemoryLedger(clock)
        if request.param == "memory"
        else SqliteLedger(f"sqlite:///{tmp_path}/placet.db", clock)
    )
    async with made:
        yield made


@pytest.fixture
async def old(ledger: AnyLedger, clock: FixedClock) -> Process:
    """A process that loaded BASE, which is active."""
    made = process(ledger, clock, BASE)
    await made.activate(BASE)
    return made


@pytest.fixture
def new(ledger: AnyLedger, clock: FixedClock) -> Process:
    """Another one, which will load what comes."""
    return process(ledger, clock, BASE)


async def switch(at: Process, to: Bundle) -> None:
    await at.activate(to)
    await at.load(to)


async def refused(awaited: object) -> Code:
    with pytest.raises(PlacetError) as caught:
        await awaited  # type: ignore[misc]
    return caught.value.code


async def held(at: Process) -> Pass:
    return await judge_open(at.service, at.ledger)


async def now(at: Process, ticket: Ticket) -> Ticket:
    return await at.service.ticket(ticket.id)


async def names(ledger: AnyLedger, ticket: Ticket) -> list[str]:
    return [record.type for record in await ledger.history(ticket.id)]


async def test_every_open_ticket_is_judged_and_the_log_says_what_came_of_it(
    old: Process, new: Process, ledger: AnyLedger
):
    pending, approved = await old.ask(), await old.approve(await old.ask())
    seq, _ = await ledger.head()
    await switch(new, DENIES)
    assert await held(new) == Pass(seen=2, left=0)
    for ticket in (pending, approved):
        after = await now(new, ticket)
        assert (after.state, after.ruling.snapshot) == (S.DENIED, DENIES.snapshot)
    counts = await changes_since(ledger, seq, DENIES.snapshot)
    assert (counts.denied, counts.revised, counts.cancelled, counts.unchanged) == (2, 0, 0, 0)


async def test_a_stricter_bundle_asks_people_anew(old: Process, new: Process, ledger: AnyLedger):
    ticket = await old.approve(await old.ask())
    seq, _ = await ledger.head()
    await switch(new, STRICTER)
    await held(new)
    after = await now(new, ticket)
    assert (after.state, after.revision, after.votes) == (S.PENDING, 2, ())
    assert after.binding != ticket.binding
    assert (await changes_since(ledger, seq, STRICTER.snapshot)).revised == 1


@pytest.mark.parametrize("looser", [SAME, ALLOWS], ids=["equal", "looser"])
async def test_an_equal_or_looser_bundle_lets_votes_and_binding_stand(
    old: Process, new: Process, ledger: AnyLedger, looser: Bundle
):
    ticket = await old.vote((await old.ask()).id, ANNA)
    seq, _ = await ledger.head()
    await switch(new, looser)
    await held(new)
    after = await now(new, ticket)
    assert (after.binding, after.votes, after.revision) == (ticket.binding, ticket.votes, 1)
    assert after.judged_by == looser.snapshot
    assert (await changes_since(ledger, seq, looser.snapshot)).unchanged == 1
    await new.vote(ticket.id, BEN)
    assert (await new.service.redeem(ticket.id, agent())).state is S.RELEASED


async def test_judging_twice_changes_nothing_the_second_time(
    old: Process, new: Process, ledger: AnyLedger
):
    tickets = [await old.ask(), await old.approve(await old.ask())]
    await switch(new, SAME)
    await held(new)
    before = await whole(ledger)
    assert await held(new) == Pass(seen=2, left=0)
    assert await whole(ledger) == before
    assert [(await names(ledger, ticket)).count("TicketUpheld") for ticket in tickets] == [1, 1]


async def test_a_vote_that_races_the_activation_starts_nothing(old: Process, new: Process):
    ticket = await old.vote((await old.ask()).id, ANNA)
    await new.activate(DENIES)
    # The process that counts the last vote has not noticed yet.
    assert (await old.vote(ticket.id, BEN)).state is S.APPROVED
    assert await refused(old.service.redeem(ticket.id, agent())) is Code.SNAPSHOT_CHANGED
    assert (await now(old, ticket)).state is S.APPROVED
    await new.load(DENIES)
    await held(new)
    assert await refused(old.service.redeem(ticket.id, agent())) is Code.NOT_APPROVED
    assert (await now(old, ticket)).state is S.DENIED


async def test_a_start_that_races_the_activation_waits_for_its_judgement(
    old: Process, new: Process
):
    ticket = await old.approve(await old.ask())
    await old.service.clear(ticket.id)
    await new.activate(SAME)
    grab = cmd.RedeemGrant(ticket_id=ticket.id, agent=agent().id, grant_id="g")
    assert await refused(old.service.handle(grab)) is Code.SNAPSHOT_CHANGED
    assert (await now(old, ticket)).state is S.APPROVED
    await new.load(SAME)
    await held(new)
    assert (await old.service.handle(grab)).ticket.state is S.RELEASED


async def test_an_execution_that_races_the_activation_does_not_start(old: Process, new: Process):
    ticket = await old.approve(await old.ask(**RUN))
    await old.service.clear(ticket.id)
    await new.activate(SAME)
    assert await refused(old.service.handle(starting(ticket))) is Code.SNAPSHOT_CHANGED
    assert (await now(old, ticket)).state is S.APPROVED
    await new.load(SAME)
    await held(new)
    assert (await old.service.handle(starting(ticket))).ticket.state is S.EXECUTING


async def test_what_is_upheld_is_confirmed_anew_so_that_it_starts_soon(
    old: Process, new: Process, clock: FixedClock
):
    ticket = await old.approve(await old.ask(**RUN))
    await old.service.clear(ticket.id)
    lease = {"at": clock.now(), "lease_s": 60, "limit": 9}
    for owed in await old.ledger.claim((OwedKind.CLEAR,), **lease):
        await old.ledger.done(owed)
    await switch(new, SAME)
    await held(new)
    (again,) = await old.ledger.claim((OwedKind.CLEAR,), **lease)
    assert again.owed.key == ticket.id


async def test_a_crash_after_the_activation_leaves_nothing_that_starts(
    old: Process, ledger: AnyLedger, clock: FixedClock
):
    ticket = await old.approve(await old.ask())
    await old.activate(DENIES)  # and whoever did so is gone
    restarted = process(ledger, clock, DENIES)
    # Its first use finds what was not done, before any pass does.
    assert await refused(restarted.service.redeem(ticket.id, agent())) is Code.NOT_APPROVED
    assert (await now(restarted, ticket)).state is S.DENIED


async def test_a_pass_that_was_broken_off_is_finished_by_any_other_process(
    old: Process, new: Process, ledger: AnyLedger, clock: FixedClock
):
    tickets = [await old.ask() for _ in range(3)]
    await switch(new, DENIES)
    await new.service.reassess(tickets[1].id)
    third = process(ledger, clock, DENIES)
    await held(third)
    assert {(await now(third, ticket)).state for ticket in tickets} == {S.DENIED}
    assert [(await names(ledger, ticket)).count("TicketDenied") for ticket in tickets] == [1, 1, 1]


async def test_a_process_with_another_bundle_judges_nothing(old: Process, new: Process):
    ticket = await old.ask()
    await new.activate(DENIES)
    await new.load(SAME)
    assert await refused(held(new)) is Code.SNAPSHOT_CHANGED
    assert (await now(old, ticket)).state is S.PENDING


async def test_many_pages_of_tickets_are_all_judged(old: Process, new: Process):
    many = bundle(name="many")
    await old.activate(many)
    await old.load(many)
    tickets = [await old.ask(agent=agent().id) for _ in range(50)]
    allowed = bundle("allow", name="open")
    await switch(old, allowed)
    tickets += [await old.ask() for _ in range(100)]
    await switch(new, DENIES)
    seen: list[int] = []
    done = await judge_open(new.service, new.ledger, progress=seen.append)
    assert done == Pass(seen=150, left=0)
    assert seen == [64, 128, 150]
    assert {(await now(new, ticket)).state for ticket in tickets} == {S.DENIED}


async def test_what_was_erased_or_altered_is_denied(
    clock: FixedClock,
):
    ledger = MemoryLedger(clock)
    old = process(ledger, clock, BASE)
    await old.activate(BASE)
    ticket = await old.ask(content=content())
    await erase(ledger, ticket.ask.content_digest)
    await switch(old, SAME)
    await held(old)
    after = await now(old, ticket)
    assert after.state is S.DENIED
    assert "cannot be judged again" in after.note
    assert "erased" in after.note


async def test_what_runs_is_left_alone_and_judged_once_its_run_has_failed(
    old: Process, ledger: AnyLedger
):
    ticket = await old.approve(await old.ask(**RUN))
    await old.service.clear(ticket.id)
    assert (await old.service.handle(starting(ticket))).ticket.state is S.EXECUTING
    await switch(old, DENIES)
    assert (await held(old)).seen == 0
    assert (await now(old, ticket)).state is S.EXECUTING
    report = RunReport(status=RunStatus.FAILED, error="no")
    outcome = cmd.RecordOutcome(ticket_id=ticket.id, run_id="run-1", report=report)
    assert (await old.service.handle(outcome)).ticket.state is S.DENIED
    failed = ["ExecutionFailed", "TicketRevised", "TicketDenied"]
    assert (await names(ledger, ticket))[-3:] == failed


async def test_the_log_of_all_this_verifies(tmp_path: Path, clock: FixedClock):
    url = f"sqlite:///{tmp_path}/placet.db"
    async with SqliteLedger(url, clock) as ledger:
        first = process(ledger, clock, ALLOWS)
        await first.activate(ALLOWS)
        kept, used = await first.ask(), await first.ask()
        await switch(first, bundle("allow", name="again"))
        await held(first)
        assert (await first.service.redeem(used.id, agent())).state is S.RELEASED
        await switch(first, DENIES)
        await held(first)
        assert (await now(first, kept)).state is S.DENIED
    assert verify_database(tmp_path / "placet.db").problems == ()
