"""Small values: errors, principals, sandbox tiers and the verdict on an output."""

import pytest

from governance.errors import Code, InvalidInput, PlacetError, Refused, Unavailable
from governance.execution import Finding, OutputState, SandboxTier
from governance.output_safety import OutputPolicy, verdict
from governance.principal import AgentId, PersonId, actor_agent, actor_person

FOUND = (Finding(scanner="secrets", rule="aws-key", place="0-20"),)


@pytest.mark.parametrize("kind", [InvalidInput, Refused, Unavailable])
def test_an_error_carries_its_code_its_words_and_its_place(kind: type[PlacetError]):
    error = kind(Code.EXPIRED, "it is late", pointer="/a", details={"at": 1})
    assert isinstance(error, PlacetError)
    assert (error.code, error.message, error.pointer) == (Code.EXPIRED, "it is late", "/a")
    assert (str(error), error.details) == ("it is late", {"at": 1})
    assert kind(Code.EXPIRED, "").details == {}


def test_codes_are_stable_lower_case_words():
    values = [item.value for item in Code]
    assert len(set(values)) == len(values)
    assert all(value == value.lower() and " " not in value for value in values)


def test_actors_of_different_kinds_never_look_alike():
    assert actor_agent(AgentId("x")) == "agent:x"
    assert actor_person(PersonId("x")) == "person:x"


def test_a_tier_accepts_itself_and_whatever_is_stronger():
    order = [SandboxTier.A, SandboxTier.A_MINUS, SandboxTier.B, SandboxTier.C]
    for lowest, wanted in enumerate(order):
        accepted = [offered for offered in order if wanted.accepts(offered)]
        assert accepted == order[: lowest + 1]


@pytest.mark.parametrize("policy", list(OutputPolicy))
def test_what_was_not_scanned_whole_or_breaks_its_schema_is_never_passed(policy: OutputPolicy):
    for findings in ((), FOUND):
        cut = verdict(findings, policy=policy, is_truncated=True)
        odd = verdict(findings, policy=policy, is_truncated=False, matches_schema=False)
        assert cut is odd is OutputState.QUARANTINED


def test_findings_follow_the_bundle_and_no_finding_is_clean():
    def of(findings: tuple[Finding, ...], policy: OutputPolicy) -> OutputState:
        return verdict(iter(findings), policy=policy, is_truncated=False)

    assert of(FOUND, OutputPolicy.REDACT) is OutputState.REDACTED
    assert of(FOUND, OutputPolicy.QUARANTINE) is OutputState.QUARANTINED
    assert of((), OutputPolicy.REDACT) is of((), OutputPolicy.QUARANTINE) is OutputState.CLEAN
