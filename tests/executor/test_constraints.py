"""What becomes of each constraint of a decision where the service runs the action."""

import time
from dataclasses import fields

import pytest

from bot.executor.action_schema import Validator
from bot.executor.sandbox import SandboxSpec
from bot.executor.worker import CannotStart, _tightened
from governance.errors import Code
from governance.policy.decision import Constraints

SPEC = SandboxSpec(argv=("/bin/true",))
HELD = {
    "max_runtime_s": lambda spec: spec.limits.wall_s == 1,
    "max_output_bytes": lambda spec: spec.limits.output_bytes == 1,
    "max_artifact_bytes": lambda spec: spec.limits.file_bytes == 4_096,
    # The sandbox holds these by itself: nothing is run twice, there is no network, no way out.
    "max_retries": lambda spec: spec == SPEC,
    "network_allow": lambda spec: spec == SPEC,
    "isolated": lambda spec: spec == SPEC,
    # Cards hold it (``bot.slack.cards.redaction``); it says nothing about the run.
    "redact_deny": lambda spec: spec == SPEC,
}


def strict(name: str) -> Constraints:
    kind = next(str(field.type) for field in fields(Constraints) if field.name == name)
    number = 4_096 if name == "max_artifact_bytes" else 1
    value: object = True if "bool" in kind else number if "int" in kind else ("x",)
    return Constraints(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [field.name for field in fields(Constraints)])
def test_every_constraint_is_held_or_nothing_starts(name: str):
    if name in HELD:
        assert HELD[name](_tightened(SPEC, strict(name)))
        return
    with pytest.raises(CannotStart, match=f"cannot enforce constraint {name}") as caught:
        _tightened(SPEC, strict(name))
    assert caught.value.code is Code.NO_SANDBOX


def test_a_constraint_never_widens_what_the_action_declares():
    wide = Constraints(max_runtime_s=86_400, max_output_bytes=2**40, max_artifact_bytes=2**40)
    assert _tightened(SPEC, wide) == SPEC


def test_a_constraint_under_which_nothing_can_run_starts_nothing():
    for tight in (Constraints(max_artifact_bytes=0), Constraints(max_output_bytes=0)):
        with pytest.raises(CannotStart, match="too tight"):
            _tightened(SPEC, tight)


def test_arguments_that_fail_in_many_places_are_refused_at_the_first():
    """A list of all failures took minutes and all memory."""
    items = {"anyOf": [{"const": f"e{n}"} for n in range(100)]}
    validator = Validator({"properties": {"a": {"items": items}}}, "/x")
    started = time.process_time()
    assert validator.first_problem({"a": ["zz"] * 50_000}) == ("/a/0", "anyOf")
    assert time.process_time() - started < 1
