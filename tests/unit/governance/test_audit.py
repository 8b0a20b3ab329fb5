"""What the log says of each event, and that nothing in a record is left out of its hash."""

import base64
from dataclasses import fields, replace
from datetime import timedelta
from typing import cast, get_args

import pytest

from governance import control as ctl
from governance.audit import (
    GENESIS,
    Event,
    Header,
    Record,
    approval_status,
    describe,
    encode,
    hash_of,
)
from governance.canonical import parse
from governance.checkpoint_notes import checkpoint_body, signed_note
from governance.execution import RunStatus
from governance.policy.decision import Effect
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import Basis, Ticket, TicketState
from tests.support.build import (
    AGENT,
    ANNA,
    BEN,
    T0,
    TENANT,
    ask,
    evaluated,
    on,
    report,
    ruling,
    sample_ticket,
    samples,
)

S = TicketState
RECORD = Record(
    seq=7,
    previous="a" * 64,
    type="VoteCast",
    version=1,
    at=T0,
    header=Header(
        tenant="acme",
        actor="person:p",
        trace_id="t" * 32,
        agent_id="deployer",
        ticket_id="t-1",
        revision=2,
        binding="b" * 64,
        tool="deploy",
        action="execute",
        data_class="internal",
        approval_status="pending",
        outcome="blocked",
    ),
    payload={"n": 1},
)


# Records


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 8},
        {"previous": "b" * 64},
        {"type": "VoteWithdrawn"},
        {"version": 2},
        {"at": T0 + timedelta(microseconds=1)},
        {"payload": {"n": 2}},
        *(
            {"header": replace(RECORD.header, **{spec.name: other})}
            for spec, other in (
                (spec, 3 if spec.name == "revision" else "other") for spec in fields(Header)
            )
        ),
    ],
    ids=str,
)
def test_every_field_of_a_record_is_in_the_hashed_bytes(changes: dict[str, object]):
    assert hash_of(encode(replace(RECORD, **changes))) != hash_of(encode(RECORD))


def test_a_record_is_written_under_the_names_of_exports():
    assert parse(encode(RECORD)) == {
        "seq": 7,
        "previous": "a" * 64,
        "type": "VoteCast",
        "version": 1,
        "timestamp": "2026-03-01T09:00:00.000000Z",
        "tenant": "acme",
        "actor": "person:p",
        "traceId": "t" * 32,
        "agentId": "deployer",
        "ticketId": "t-1",
        "revision": 2,
        "binding": "b" * 64,
        "tool": "deploy",
        "action": "execute",
        "dataClass": "internal",
        "approvalStatus": "pending",
        "outcome": "blocked",
        "payload": {"n": 1},
    }


def test_the_first_record_follows_sixty_four_zeros():
    assert GENESIS == "0" * 64


# Headers

ACTORS = {
    "TicketOpened": "agent:deployer",
    "GrantRedeemed": "agent:deployer",
    "OutcomeReported": "agent:deployer",
    "SubmissionThrottled": "agent:deployer",
    "DecisionEvaluated": "agent:deployer",
    "RefusalsCoalesced": "agent:deployer",
    "VoteCast": f"person:{ANNA}",
    "VoteWithdrawn": f"person:{ANNA}",
    "VoteRefused": f"person:{BEN}",
    "FullViewOpened": f"person:{ANNA}",
    "TicketRejected": f"person:{BEN}",
    "UnknownResolved": f"person:{ANNA}",
    "OutcomeAttested": f"person:{ANNA}",
    "OutputReleased": f"person:{ANNA}",
    "OutputDiscarded": f"person:{ANNA}",
    "TicketCancelled": "agent:deployer",
    "KeyRotated": "operator:root",
    "KeyRevoked": "operator:root",
    "HoldPlaced": "operator:root",
    "HoldLifted": "operator:root",
    "ContentErased": "operator:root",
    "RollbackAccepted": "operator:root",
    "SegmentSealed": "operator:root",
    "SegmentDetached": "operator:root",
    "DelegationGranted": f"person:{ANNA}",
    "DelegationRevoked": f"person:{ANNA}",
    "ExecutionStarted": "executor:exec-1",
    "ExecutionSucceeded": "executor:exec-1",
    "ExecutionFailed": "executor:exec-1",
    "AgentFrozen": f"person:{ANNA}",
    "UnfreezeAsked": f"person:{ANNA}",
    "AgentUnfrozen": f"person:{BEN}",
}


@pytest.mark.parametrize("name", samples())
def test_every_event_names_who_did_it(name: str):
    event, after = samples()[name]
    assert describe(event, after).actor == ACTORS.get(name, "system:placet")


def test_there_is_a_sample_of_every_event():
    assert {*samples()} == {kind.__name__ for kind in get_args(Event)}


@pytest.mark.parametrize(
    "event",
    [
        ctl.BundleActivated(
            tenant=TENANT, actor="operator:x", snapshot="s", content_digest="c", registry_digest="r"
        ),
        ctl.CredentialRevoked(tenant=TENANT, actor="operator:x", credential_id="c"),
    ],
)
def test_an_operators_doing_names_the_operator(event: ctl.ControlEvent):
    assert describe(event, None) == Header(tenant=TENANT, actor="operator:x")


def test_a_ticket_event_carries_its_tickets_fields():
    ticket = sample_ticket(revision=3, state=S.APPROVED, basis=Basis.PEOPLE)
    assert describe(on("t-1", ev.TicketExpired), ticket) == Header(
        tenant="acme",
        actor="system:placet",
        trace_id="a" * 32,
        agent_id=AGENT,
        ticket_id="t-1",
        revision=3,
        binding=ticket.binding,
        tool="deploy.service",
        action="execute",
        data_class="internal",
        approval_status="approved",
        outcome=None,
    )


def test_a_ticket_event_without_its_ticket_is_no_record():
    with pytest.raises(ValueError, match="TicketExpired without its ticket"):
        describe(on("t-1", ev.TicketExpired), None)


def test_what_is_no_event_has_no_header():
    with pytest.raises(TypeError, match="Header is no event"):
        describe(cast("Event", Header(tenant=TENANT, actor="x")), None)


def test_a_run_that_is_gone_has_an_unknown_executor():
    event = on("t-1", run_ev.ExecutionFailed, run_id="run-1", report=report())
    assert describe(event, sample_ticket(run=None)).actor == "executor:unknown"


def test_what_has_no_ticket_is_blocked_when_throttled_and_open_when_only_evaluated():
    throttled = ev.SubmissionThrottled(ask=ask(), ruling=ruling(Effect.THROTTLE), retry_after_s=3)
    header = describe(throttled, None)
    assert (header.approval_status, header.outcome) == ("denied", "blocked")
    assert (header.ticket_id, header.binding, header.tool) == ("", "", "deploy.service")
    header = describe(evaluated(), None)
    assert (header.approval_status, header.outcome) == (None, None)


# Status and outcome


@pytest.mark.parametrize("state", list(TicketState))
def test_the_approval_status_follows_from_state_and_basis(state: TicketState):
    refused = {S.DENIED, S.REJECTED, S.EXPIRED, S.CANCELLED}
    by_people = "denied" if state in refused else "pending" if state is S.PENDING else "approved"
    assert approval_status(sample_ticket(state=state, basis=Basis.PEOPLE)) == by_people
    by_policy = "denied" if state in refused else "auto"
    assert approval_status(sample_ticket(state=state, basis=Basis.POLICY)) == by_policy


def _outcome(event: ev.TicketEvent, after: Ticket) -> str | None:
    return describe(event, after).outcome


@pytest.mark.parametrize("name", samples())
@pytest.mark.parametrize("state", list(TicketState))
def test_no_record_says_success_before_the_effect(name: str, state: TicketState):
    event, after = samples()[name]
    if after is None:
        assert describe(event, None).outcome in (None, "blocked")
        return
    assert isinstance(event, ev.TicketEvent)
    after_effect = {"ExecutionSucceeded", "UnknownResolved", "OutcomeReported"}
    outcome = _outcome(event, replace(after, state=state))
    assert (outcome == "success") is (name in after_effect)


def test_outcomes_are_told_apart():
    ticket = sample_ticket(state=S.EXECUTING)
    failed = on("t-1", run_ev.ExecutionFailed, run_id="run-1", report=report(RunStatus.FAILED))
    assert _outcome(failed, ticket) == "error"
    assert _outcome(on("t-1", run_ev.ExecutionLost, run_id="run-1"), ticket) == "error"
    resolved = on("t-1", run_ev.UnknownResolved, person=ANNA, took_effect=False)
    assert _outcome(resolved, ticket) == "error"
    for status, word in [
        (RunStatus.SUCCEEDED, "success"),
        (RunStatus.FAILED, "error"),
        (RunStatus.UNREPORTED, None),
    ]:
        said = on("t-1", run_ev.OutcomeReported, report=report(status))
        assert _outcome(said, sample_ticket(state=S.RELEASED)) == word


@pytest.mark.parametrize("state", list(TicketState))
def test_a_refused_ticket_is_blocked_and_an_open_one_has_no_outcome(state: TicketState):
    refused = {S.DENIED, S.REJECTED, S.EXPIRED, S.CANCELLED}
    outcome = _outcome(on("t-1", ev.ResponseOverdue), sample_ticket(state=state))
    assert outcome == ("blocked" if state in refused else None)


# Checkpoints


def test_a_checkpoint_is_a_c2sp_note():
    body = checkpoint_body(origin="placet.example/log", size=3, root=b"\1" * 32, head="ab", at=T0)
    root = base64.b64encode(b"\1" * 32).decode()
    assert body == (f"placet.example/log\n3\n{root}\nhead ab\nat 2026-03-01T09:00:00.000000Z\n")
    note = signed_note(body, key_name="placet.example/log", key_hash=b"\0\1\2\3", signature=b"sig")
    text, _, line = note.partition("\n\n")
    assert text + "\n" == body
    name, blob = line.removeprefix("\u2014 ").removesuffix("\n").split(" ")
    assert name == "placet.example/log"
    assert base64.b64decode(blob) == b"\0\1\2\3sig"
