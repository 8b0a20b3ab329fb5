from dataclasses import replace

import pytest

from governance.policy.decision import Effect
from governance.policy.scopes import parse_scope
from governance.principal import Agent, AgentId, PersonId, TenantId
from tests.unit.policy.asking import AGENT, READ, ask, bundle, decide, refused, tool

ANNA, BEN = PersonId("slack:T0A/U0ANNA"), PersonId("slack:T0A/U0BEN")
TEAMS = replace(AGENT, roles=("payments", "search"), owners=(ANNA,))


def refusal(scope: str, agent: Agent = TEAMS, **fields: object) -> str:
    return parse_scope(scope).refusal(ask(**fields), agent)


def test_a_tool_is_confined_to_what_is_the_requesters():
    policy = bundle(tools={"t": tool(scope="repo:{agent.role}-*")})
    for repository, effect in (
        ("payments-api", Effect.ALLOW),
        ("search-index", Effect.ALLOW),
        ("billing-api", Effect.DENY),
        ("payments", Effect.DENY),
    ):
        request = ask(tool="t", action=READ, arguments={"repo": repository})
        assert decide(request, policy, agent=TEAMS).effect is effect, repository


@pytest.mark.parametrize(
    ("scope", "value"),
    [
        ("queue:{agent.id}", AGENT.id),
        ("queue:{ agent.id }", AGENT.id),
        ("queue:{agent.tenant}/{agent.id}/*", f"{AGENT.tenant}/{AGENT.id}/in"),
        ("queue:{agent.role}-{agent.role}", "search-search"),
        ("queue:{agent.owner}", ANNA),
    ],
)
def test_a_scope_may_name_what_the_credential_says(scope: str, value: str):
    assert refusal(scope, arguments={"queue": value}) == ""
    assert "outside the scope" in refusal(scope, arguments={"queue": "x" + value})


def test_one_attribute_has_one_value_wherever_it_stands():
    outside = refusal("queue:{agent.role}-{agent.role}", arguments={"queue": "search-payments"})
    assert "outside the scope" in outside


def test_an_attribute_without_a_value_fits_nothing():
    nobody = replace(AGENT, roles=())
    assert refusal("repo:{agent.role}*", agent=nobody, arguments={"repo": "payments"}) == (
        "its credential holds no agent.role for the scope repo:{agent.role}*"
    )
    both = refusal("repo:{agent.role}{agent.id}", agent=nobody, arguments={"repo": "x"})
    assert "no agent.role and agent.id" in both


def test_whom_it_acts_for_counts_only_where_the_credential_names_that_person():
    scope = "mailbox:{on_behalf_of}"
    assert refusal(scope, on_behalf_of=ANNA, arguments={"mailbox": ANNA}) == ""
    assert "holds no" in refusal(scope, on_behalf_of=BEN, arguments={"mailbox": BEN})
    assert "holds no" in refusal(scope, arguments={"mailbox": ANNA})


def test_what_a_credential_holds_is_text_and_never_a_wildcard():
    odd = Agent(id=AgentId("a*[b]?\\{x}"), tenant=TenantId("default"))
    assert refusal("q:{agent.id}", agent=odd, arguments={"q": "a*[b]?\\{x}"}) == ""
    assert "outside" in refusal("q:{agent.id}", agent=odd, arguments={"q": "aab?\\{x}"})


def test_an_escaped_brace_is_a_brace():
    assert refusal("q:\\{agent.id\\}", arguments={"q": "{agent.id}"}) == ""
    assert "outside" in refusal("q:\\{agent.id\\}", arguments={"q": AGENT.id})
    assert refusal("q:\\{{agent.id}", arguments={"q": "{" + AGENT.id}) == ""


def test_a_value_that_is_no_text_fits_no_scope():
    assert "outside" in refusal("path:/", arguments={"path": {"a": 1}})
    assert "outside" in refusal("path:/", arguments={"path": [["/"]]})


@pytest.mark.parametrize(
    "pattern",
    ["{requester.team}", "{}", "{", "{agent.id", "{agent.environment}", "{labels.team}", "{{x}}"],
)
def test_an_attribute_that_nobody_vouches_for_is_refused_at_load(pattern: str):
    sections = {"tools": {"t": tool(scope=f"repo:{pattern}-*")}}
    refused(sections, "/tools/t/scope", "no attribute that a credential vouches for")


def test_a_pattern_with_an_attribute_is_checked_as_a_glob_at_load():
    refused({"tools": {"t": tool(scope="repo:{agent.id}[")}}, "/tools/t/scope", "pattern")
