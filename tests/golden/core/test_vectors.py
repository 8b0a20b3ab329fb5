"""Fixed vectors: what the log and every vote already hold can never change in silence.

To add a vector, add its case here and run this module as a program: it prints the whole file.
A vector that stands is never changed; a test that fails here means that old logs no longer verify.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.audit import GENESIS, Record, describe, encode, hash_of
from governance.canonical import canonical_bytes, digest, parse
from governance.checkpoint_notes import checkpoint_body
from governance.control import AgentFrozen
from governance.digests import action_digest, content_digest, request_digest
from governance.execution import SandboxTier
from governance.policy.decision import Constraints, RejectPolicy, Requirement, RoleRequirement
from governance.principal import AgentId, PersonId, TenantId
from governance.tickets import events as ev
from governance.tickets.binding import binding_of, vote_message
from governance.tickets.ticket import Choice
from storage import codec
from tests.support.build import T0, samples

VECTORS = Path(__file__).with_name("vectors.json")

_REQUEST = ActionRequest(
    tenant=TenantId("acme"),
    agent=AgentId("deployer"),
    on_behalf_of=PersonId("slack:T1/UREQ"),
    topic="job.restart",
    tool="host.restart",
    action=ActionKind.EXECUTE,
    environment="prod",
    capability="restart",
    risk_tags=("prod", "after-hours"),
    requires=("change-window",),
    labels={"team": "core", "é": "😀"},
    data_classes=("internal",),
    target="web-1",
    content=Content(
        arguments=parse('{"host":"web-1","id":12345678901234567890,"ratio":0.1,"big":1e22}'),  # type: ignore[arg-type]
        prompt='Restart "web-1"\n',
        context={"pod": None},
        justification="it hangs",
    ),
    dispatch=Dispatch.EXECUTE,
    trace_id="a" * 32,
    idempotency_key="key-1",
    ttl_s=600,
)
_TIER = Requirement(
    tier="high",
    roles=(
        RoleRequirement(role="operator", weight=1, min_required=1),
        RoleRequirement(role="security-admin", weight=3, min_required=1),
    ),
    threshold=4,
    ttl_s=3600,
    respond_within_s=900,
    comment_required=True,
    step_up=False,
    reviewer=PersonId("slack:T1/UREV"),
    distinct_roles=True,
    reject_policy=RejectPolicy.WEIGHT,
    sandbox=SandboxTier.A_MINUS,
    release_allowed=False,
)
_LIMITS = Constraints(
    max_runtime_s=60, network_allow=("a.example",), paths_deny=("/etc",), isolated=True
)


def _binding(requirement: Requirement | None) -> str:
    return binding_of(
        ticket_id="t-1",
        revision=2,
        action_digest="a" * 64,
        constraints=_LIMITS,
        snapshot="v1:" + "b" * 64,
        requirement=requirement,
        constraint_id="no-friday-deploys",
        plan_digest="c" * 64,
        expires_at=T0 + timedelta(hours=1, microseconds=1),
    )


def _vote() -> bytes:
    return vote_message(
        binding="d" * 64,
        choice=Choice.APPROVE,
        person=PersonId("slack:T1/UANNA"),
        role="operator",
        weight=1,
        comment_digest="",
        at=T0,
        nonce="0" * 32,
    )


def _record() -> bytes:
    event = AgentFrozen(
        tenant=TenantId("acme"), target="all", person=PersonId("slack:T1/UANNA"), reason='"odd"'
    )
    record = Record(
        seq=1,
        previous=GENESIS,
        type="AgentFrozen",
        version=1,
        at=T0,
        header=describe(event, None),
        payload=codec.payload(event),
    )
    return encode(record)


def _ticket_record() -> bytes:
    event, after = samples()["TicketOpened"]
    assert isinstance(event, ev.TicketOpened)
    record = Record(
        seq=2,
        previous="e" * 64,
        type="TicketOpened",
        version=1,
        at=T0 + timedelta(microseconds=1),
        header=describe(event, after),
        payload={"ticket_id": event.ticket_id, "state": event.state.value},
    )
    return encode(record)


CASES: dict[str, Callable[[], str]] = {
    "canonical": lambda: canonical_bytes(
        {"numbers": parse("[0,-0.0,1e21,1e-7,333333333.33333329,1E30,4.50,2e-3]"), "€": "\r\x0f/"}
    ).decode(),
    "digest": lambda: digest("action", {"a": [1, True, None]}),
    "content_digest": lambda: content_digest(b"content"),
    "content": lambda: _REQUEST.content.to_bytes().decode(),
    "action_digest": lambda: action_digest(_REQUEST),
    "action_digest_plain": lambda: action_digest(
        ActionRequest(tenant=TenantId("a"), agent=AgentId("b"), trace_id="c", idempotency_key="d")
    ),
    "request_digest": lambda: request_digest(_REQUEST),
    "request_digest_other_ttl": lambda: request_digest(replace(_REQUEST, ttl_s=None)),
    "binding": lambda: _binding(_TIER),
    "binding_of_policy_alone": lambda: _binding(None),
    "vote_message": lambda: _vote().decode(),
    "record": lambda: _record().decode(),
    "record_hash": lambda: hash_of(_record()),
    "ticket_record": lambda: _ticket_record().decode(),
    "ticket_record_hash": lambda: hash_of(_ticket_record()),
    "checkpoint": lambda: checkpoint_body(
        origin="placet.example/log", size=2, root=bytes(range(32)), head="f" * 64, at=T0
    ),
}


def _fixed() -> dict[str, str]:
    return json.loads(VECTORS.read_text("utf-8"))


def test_every_case_has_its_fixed_vector():
    assert {*_fixed()} == {*CASES}


@pytest.mark.parametrize("name", CASES)
def test_what_was_ever_signed_or_hashed_stays_as_it_is(name: str):
    assert CASES[name]() == _fixed()[name]


if __name__ == "__main__":
    import sys

    vectors = {name: case() for name, case in CASES.items()}
    json.dump(vectors, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
