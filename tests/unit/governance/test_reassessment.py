"""Open tickets and the bundle that was activated after they were asked for."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from governance import reassessment, steps
from governance.action import ActionKind, Dispatch
from governance.control import Control
from governance.digests import content_digest
from governance.errors import Code, Refused, Unavailable
from governance.execution import RunReport, RunStatus
from governance.policy.active import ActiveBundle
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.policy.facts import Deed, Past
from governance.policy.model import Bundle
from governance.ports import State
from governance.tickets.commands import RecordOutcome
from governance.tickets.lifecycle import OPEN
from governance.tickets.ticket import Ticket, TicketState
from storage.memory.ledger import MemoryLedger
from tests.support.activation import ALLOWS, BASE, DENIES, SAME, process
from tests.support.build import AGENT, ANNA, T0, FixedClock
from tests.support.core import TICKET, agent, approved, born, content, executing, request, starting

S = TicketState
CLOCK = FixedClock()
BYTES = content().to_bytes()
ASKED = born(
    request=request(tool="", dispatch=Dispatch.RELEASE, action=ActionKind.READ, data_classes=()),
    agent=agent(environments=("prod",)),
    content_digest=content_digest(BYTES),
)


def looking_back(*rules: dict[str, object]) -> Bundle:
    """A bundle whose rules ask about the past."""
    allow = {"id": "work", "match": {"topics": ["job.*"]}, "decision": "allow"}
    return load({"rules": [allow, *rules], "approval_required_for": []})


AFTER = looking_back(
    {
        "id": "after",
        "match": {"after": [{"topics": ["job.*"], "within": "1h"}]},
        "decision": "deny",
    }
)
OFTEN = looking_back(
    {
        "id": "often",
        "match": {"velocity": {"per": "agent", "more_than": 1, "within": "1h"}},
        "decision": "deny",
    }
)


def deed(ticket_id: str) -> Deed:
    return Deed(
        ticket_id=ticket_id,
        at=T0,
        agent=AGENT,
        trace_id="a" * 32,
        topic="job.restart",
        tool="",
        action="execute",
        target="",
    )


def state(ticket: Ticket, bundle: Bundle, *deeds: Deed) -> State:
    return State(
        at=T0,
        control=Control(snapshot=bundle.snapshot),
        tickets={ticket.id: ticket},
        past=Past(deeds=deeds),
    )


def judged(ticket: Ticket, bundle: Bundle, *deeds: Deed) -> Ticket:
    given = reassessment.prepare(ticket, BYTES, bundle, CLOCK)
    result = reassessment.reassess(state(ticket, bundle, *deeds), given)
    assert isinstance(result.reply, steps.Handled)
    return result.reply.ticket


def test_what_is_open_is_due_until_the_active_bundle_judged_it():
    assert {S.PENDING, S.APPROVED} == OPEN
    for ticket in (born(), approved()):
        assert reassessment.is_due(ticket, "s-2")
        assert not reassessment.is_due(ticket, "s-1")
        assert not reassessment.is_due(replace(ticket, upheld_by="s-2"), "s-2")
        assert reassessment.is_due(replace(ticket, upheld_by="s-2"), "s-1")
    assert not reassessment.is_due(executing(), "s-2")


@pytest.mark.parametrize(
    ("kept", "why"),
    [(None, "erased"), (b"{}", "not what its digest was made of")],
    ids=["erased", "altered"],
)
def test_what_is_not_whole_on_record_is_denied(kept: bytes | None, why: str):
    given = reassessment.prepare(ASKED, kept, ALLOWS, CLOCK)
    result = reassessment.reassess(state(ASKED, ALLOWS), given)
    assert isinstance(result.reply, steps.Handled)
    assert result.reply.ticket.state is S.DENIED
    assert why in result.reply.ticket.note
    (line,) = given.decision.trace
    assert (line.source, line.verdict) == ("fail_mode", "DENY")


def test_a_judgement_that_takes_too_long_is_none():
    @dataclass
    class Slow:
        at: datetime = T0

        def now(self) -> datetime:
            self.at += timedelta(seconds=3)
            return self.at

    with pytest.raises(Unavailable) as caught:
        reassessment.prepare(ASKED, BYTES, ALLOWS, Slow())
    assert caught.value.code is Code.POLICY_UNAVAILABLE


def test_only_the_active_bundle_judges():
    given = reassessment.prepare(ASKED, BYTES, DENIES, CLOCK)
    result = reassessment.reassess(state(ASKED, SAME), given)
    assert isinstance(result.reply, Unavailable)
    assert (result.reply.code, result.events) == (Code.SNAPSHOT_CHANGED, ())


def test_the_past_counts_as_it_is_now_but_not_the_ticket_itself():
    assert judged(ASKED, AFTER, deed("t-other")).state is S.DENIED
    assert judged(ASKED, AFTER, deed(TICKET)).state is not S.DENIED


def test_how_often_was_asked_is_not_counted_again():
    deeds = [deed(f"t-{number}") for number in range(9)]
    assert judged(ASKED, OFTEN, *deeds).state is not S.DENIED


def test_a_process_holds_one_bundle_at_a_time():
    active = ActiveBundle(BASE)
    assert active.current is BASE
    active.replace(SAME)
    assert active.current is SAME


# Through the service


async def test_what_the_active_bundle_judged_already_is_left_alone():
    ledger = MemoryLedger(CLOCK)
    house = process(ledger, CLOCK, BASE)
    await house.activate(BASE)
    ticket = await house.ask()
    before = await ledger.head()
    assert (await house.service.reassess(ticket.id)).is_changed is False
    assert await ledger.head() == before
    with pytest.raises(Refused):
        await house.service.reassess(type(ticket.id)("nobody"))


@pytest.mark.parametrize("bundle", [DENIES, AFTER], ids=["now", "looking back"])
async def test_a_ticket_is_judged_on_what_the_ledger_holds(bundle: Bundle):
    ledger = MemoryLedger(CLOCK)
    house = process(ledger, CLOCK, BASE)
    await house.activate(BASE)
    ticket, _ = await house.ask(), await house.ask()
    await house.activate(bundle)
    await house.load(bundle)
    handled = await house.service.reassess(ticket.id)
    assert (handled.is_changed, handled.ticket.state) == (True, S.DENIED)
    assert handled.ticket.ruling.effect is Effect.DENY


async def test_nothing_starts_before_the_active_bundle_judged_it():
    ledger = MemoryLedger(CLOCK)
    old, new = process(ledger, CLOCK, BASE), process(ledger, CLOCK, SAME)
    await old.activate(BASE)
    ticket = await old.approve(await old.ask())
    await new.activate(SAME)
    with pytest.raises(Unavailable) as caught:
        await old.service.redeem(ticket.id, agent())
    assert caught.value.code is Code.SNAPSHOT_CHANGED
    # A process that has loaded the new bundle judges it on the way.
    released = await new.service.redeem(ticket.id, agent())
    assert (released.state, released.judged_by) == (S.RELEASED, SAME.snapshot)


def test_a_start_is_held_back_whoever_asks():
    ticket = approved()
    cleared = replace(ticket, cleared_at=T0)
    given = State(at=T0, control=Control(snapshot="s-2"), tickets={ticket.id: cleared})
    result = steps.handle(given, starting(cleared), cleared.ask.tenant, {})
    assert isinstance(result.reply, Unavailable)
    assert (result.reply.code, result.events) == (Code.SNAPSHOT_CHANGED, ())
    upheld = replace(cleared, upheld_by="s-2")
    given = replace(given, tickets={ticket.id: upheld})
    result = steps.handle(given, starting(upheld), upheld.ask.tenant, {})
    assert isinstance(result.reply, steps.Handled)
    assert result.reply.ticket.state is S.EXECUTING


async def test_people_vote_on_while_a_ticket_waits_for_its_judgement():
    ledger = MemoryLedger(CLOCK)
    old = process(ledger, CLOCK, BASE)
    await old.activate(BASE)
    ticket = await old.ask()
    await old.activate(SAME)
    assert len((await old.vote(ticket.id, ANNA)).votes) == 1


@pytest.mark.parametrize("is_loaded", [True, False])
async def test_what_ran_while_a_bundle_was_activated_is_judged_once_it_is_open_again(
    is_loaded: bool,
):
    ledger = MemoryLedger(CLOCK)
    house = process(ledger, CLOCK, BASE)
    await house.activate(BASE)
    run = {"dispatch": Dispatch.EXECUTE, "tool": "host.restart", "action": ActionKind.EXECUTE}
    ticket = await house.approve(await house.ask(**run))
    await house.service.clear(ticket.id)
    await house.service.handle(starting(ticket))
    await house.activate(DENIES)
    await house.load(DENIES if is_loaded else SAME)
    failed = RecordOutcome(
        ticket_id=ticket.id, run_id="run-1", report=RunReport(status=RunStatus.FAILED, error="no")
    )
    handled = await house.service.handle(failed)
    # Where the wrong bundle is loaded nobody can judge: it is open, and cannot start.
    assert handled.ticket.state is (S.DENIED if is_loaded else S.PENDING)
    assert handled.is_changed
