"""What is approved is what runs: everything that a vote covers changes what it signs."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from governance.canonical import parse
from governance.execution import SandboxTier
from governance.policy.decision import Constraints, RejectPolicy, Requirement, RoleRequirement
from governance.principal import PersonId
from governance.tickets.binding import (
    SHOWN_DIGITS,
    binding_of,
    requirement_json,
    stamp,
    vote_message,
)
from governance.tickets.ticket import Choice
from tests.support.build import ANNA, BEN, T0, requirement

COVERED: dict[str, object] = {
    "ticket_id": "t-1",
    "revision": 1,
    "action_digest": "a" * 64,
    "constraints": Constraints(max_runtime_s=60),
    "snapshot": "s-1",
    "requirement": requirement(),
    "constraint_id": "no-friday-deploys",
    "plan_digest": "b" * 64,
    "expires_at": T0,
}
OTHER: dict[str, object] = {
    "ticket_id": "t-2",
    "revision": 2,
    "action_digest": "c" * 64,
    "constraints": Constraints(max_runtime_s=61),
    "snapshot": "s-2",
    "requirement": None,
    "constraint_id": "",
    "plan_digest": "",
    "expires_at": T0 + timedelta(microseconds=1),
}
ROLE = RoleRequirement(role="operator", weight=1, min_required=1)
OTHER_TERMS: dict[str, object] = {
    "tier": "other",
    "roles": (ROLE,),
    "threshold": 5,
    "ttl_s": 3601,
    "respond_within_s": None,
    "comment_required": True,
    "step_up": True,
    "reviewer": BEN,
    "distinct_roles": True,
    "reject_policy": RejectPolicy.WEIGHT,
    "sandbox": SandboxTier.B,
    "release_allowed": False,
}
SIGNED: dict[str, object] = {
    "binding": "a" * 64,
    "choice": Choice.APPROVE,
    "person": ANNA,
    "role": "operator",
    "weight": 1,
    "comment_digest": "",
    "at": T0,
    "nonce": "1" * 32,
}
OTHER_SIGNED: dict[str, object] = {
    "binding": "b" * 64,
    "choice": Choice.REJECT,
    "person": BEN,
    "role": "security-admin",
    "weight": 2,
    "comment_digest": "c" * 64,
    "at": T0 + timedelta(microseconds=1),
    "nonce": "2" * 32,
}


def _bind(**changes: object) -> str:
    return binding_of(**{**COVERED, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", OTHER)
def test_every_covered_field_changes_the_binding(name: str):
    assert _bind(**{name: OTHER[name]}) != _bind()


def test_every_term_of_the_required_approvals_is_known_to_these_tests():
    assert {spec.name for spec in fields(Requirement)} == {*OTHER_TERMS}
    assert {*COVERED} == {*OTHER}
    assert {*SIGNED} == {*OTHER_SIGNED}


@pytest.mark.parametrize("name", OTHER_TERMS)
def test_every_term_of_the_required_approvals_changes_the_binding(name: str):
    changed = replace(requirement(), **{name: OTHER_TERMS[name]})
    assert _bind(requirement=changed) != _bind()


@pytest.mark.parametrize("changes", [{"role": "other"}, {"weight": 2}, {"min_required": 0}])
def test_every_term_of_a_role_changes_the_binding(changes: dict[str, object]):
    one = replace(requirement(), roles=(ROLE,))
    other = replace(requirement(), roles=(replace(ROLE, **changes),))
    assert _bind(requirement=one) != _bind(requirement=other)


@pytest.mark.parametrize(
    "constraints",
    [
        Constraints(),
        Constraints(max_runtime_s=60, isolated=True),
        Constraints(max_runtime_s=60, network_allow=()),
        Constraints(max_runtime_s=60, paths_deny=("/etc",)),
        Constraints(max_retries=60),
    ],
    ids=str,
)
def test_every_constraint_changes_the_binding(constraints: Constraints):
    assert _bind(constraints=constraints) != _bind()


def test_the_same_approval_always_has_the_same_binding():
    assert _bind() == _bind()
    elsewhere = T0.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert _bind(expires_at=elsewhere) == _bind()
    assert len(_bind()) == 64 > SHOWN_DIGITS


@pytest.mark.parametrize("name", OTHER_SIGNED)
def test_every_part_of_a_vote_is_signed(name: str):
    changed = vote_message(**{**SIGNED, name: OTHER_SIGNED[name]})  # type: ignore[arg-type]
    assert changed != vote_message(**SIGNED)  # type: ignore[arg-type]


def test_a_vote_is_signed_under_its_own_domain_over_canonical_json():
    prefix, _, body = vote_message(**SIGNED).partition(b"\0")  # type: ignore[arg-type]
    assert prefix == b"placet/v1/vote"
    assert parse(body) == {
        "binding": "a" * 64,
        "choice": "approve",
        "person": PersonId(ANNA),
        "role": "operator",
        "weight": 1,
        "comment": "",
        "at": "2026-03-01T09:00:00.000000Z",
        "nonce": "1" * 32,
    }


def test_no_required_approvals_are_null():
    assert requirement_json(None) is None


def test_instants_are_utc_of_one_length_and_sort_as_text():
    early, late = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), T0
    assert stamp(late) == "2026-03-01T09:00:00.000000Z"
    assert stamp(early) == "2026-01-02T03:04:05.000006Z" < stamp(late)
