"""The wire's words for a ticket, without HTTP."""

from dataclasses import replace

import pytest

from bot.api import wire
from bot.api.answers import SubmittedAnswer
from governance.execution import RunReport, RunStatus
from governance.policy.decision import Constraints, Warned
from governance.tickets.commands import DeclareLost, RecordOutcome
from governance.tickets.lifecycle import WIRE
from governance.tickets.ticket import TicketState
from tests.support.build import T0
from tests.support.core import approved, born, executing, played

BROKEN = RunReport(status=RunStatus.FAILED, error="exit 1")


@pytest.mark.parametrize("state", TicketState)
def test_every_state_is_told_by_the_one_table(state: TicketState):
    assert wire.wire_state(replace(born(), state=state)) == WIRE[state][0]


def test_a_failed_run_is_told_as_failed_until_people_decide_anew():
    ticket = executing()
    ticket = played(ticket, RecordOutcome(ticket_id=ticket.id, run_id="run-1", report=BROKEN))
    assert ticket.state is TicketState.PENDING
    assert wire.wire_state(ticket) == "FAILED"
    assert wire.failure_reason(ticket, "") == "exit 1"
    assert wire.wire_state(replace(ticket, state=TicketState.APPROVED)) == "SCHEDULED"


def test_a_lost_run_is_told_as_failed():
    ticket = executing()
    ticket = played(ticket, DeclareLost(ticket_id=ticket.id), at=T0.replace(hour=12))
    assert wire.wire_state(ticket) == "FAILED"
    assert "nobody knows" in wire.failure_reason(ticket, "")


@pytest.mark.parametrize("word", sorted({told for told, _ in WIRE.values()} | {"FAILED"}))
def test_a_filter_by_a_word_finds_every_state_that_is_told_so(word: str):
    failed = replace(born(), report=BROKEN)
    for ticket in (born(), failed):
        for state in TicketState:
            if wire.wire_state(replace(ticket, state=state)) == word:
                assert state in wire.states_behind(word)


def test_a_word_that_is_never_told_has_no_states():
    assert wire.states_behind("RETRYING") == ()


def test_an_approval_names_who_decided_and_when_only_once_it_is_decided():
    open_, done = wire.approval_item(born()), wire.approval_item(approved())
    assert (open_.decision, open_.decided_by, open_.decided_at) == ("PENDING", None, None)
    assert open_.approval_actionability == "actionable"
    assert done.decision == "APPROVED"
    assert done.decided_by
    assert done.decided_at


def test_nothing_that_a_stock_client_reads_as_text_is_null():
    item = wire.approval_item(born())
    for name in ("job_id", "topic", "tenant_id", "capability", "reason", "created_at"):
        assert isinstance(getattr(item, name), str)


@pytest.mark.parametrize("is_repeat", [True, False])
def test_an_accepted_job_is_answered_as_published(is_repeat: bool):
    warned = Warned(constraint_id="w", description="late")
    plain = born()
    limited = replace(
        plain,
        ruling=replace(plain.ruling, warnings=(warned,), constraints=Constraints(isolated=True)),
    )
    for ticket in (plain, limited):
        told = wire.submitted(ticket, is_repeat=is_repeat)
        assert SubmittedAnswer.model_validate(told, strict=True).model_dump() == told
    assert told["constraints"] == {"isolated": True}
    assert told["warnings"] == [{"constraint_id": "w", "description": "late"}]
