import pytest

from governance.policy.forms.hints import HINTS, hint
from governance.policy.forms.matches import MatchForm
from governance.policy.forms.sections import ConstraintsForm, RuleForm
from tests.unit.policy.asking import LIGHT, refused, rule, tool


@pytest.mark.parametrize(
    ("mapping", "place", "words"),
    [
        ({"default_tenant": "default"}, "/default_tenant", "PLACET_TENANT"),
        ({"tenants": {}}, "/tenants", "a bundle of its own"),
        ({"input_rules": []}, "/input_rules", "under rules"),
        ({"output_rules": []}, "/output_rules", "every output is scanned"),
        ({"tier": "gold"}, "/tier", "not a key"),
        ({"selector": {}}, "/selector", "in its match"),
        ({"rules": [{**rule("a", "deny"), "velocity": {}}]}, "/rules/0/velocity", "throttle"),
        (
            {"rules": [{**rule("a", "deny"), "remediations": []}]},
            "/rules/0/remediations",
            "reason",
        ),
        ({"rules": [rule("a", "deny", predicate="x")]}, "/rules/0/match/predicate", "when"),
        (
            {"rules": [rule("a", "deny", secrets_present=True)]},
            "/rules/0/match/secrets_present",
            "signals.secrets",
        ),
        (
            {"rules": [rule("a", "deny", label_allowlist={})]},
            "/rules/0/match/label_allowlist",
            "label_not_in",
        ),
        (
            {"rules": [rule("a", "deny", mcp={"allow_servers": []})]},
            "/rules/0/match/mcp",
            "not there is refused",
        ),
        *(
            (
                {"rules": [rule("a", "allow", constraints={key: {}})]},
                f"/rules/0/constraints/{key}",
                words,
            )
            for key, words in (
                ("budgets", "max_runtime_s"),
                ("sandbox", "network_allow"),
                ("toolchain", "tools_allow"),
                ("diff", "max_files"),
                ("redaction_level", "redact_deny"),
            )
        ),
    ],
)
def test_a_key_of_another_control_plane_is_refused_with_what_to_write_instead(
    mapping: dict[str, object], place: str, words: str
):
    refused(mapping, place, words)


def test_a_key_that_nobody_knows_gets_no_hint():
    assert hint("rulez") == ""
    refused({"zz": []}, "/zz", "is not a key that is known here$")


def test_no_hint_tells_people_to_write_a_key_that_does_not_exist():
    known = {name for form in (ConstraintsForm, MatchForm, RuleForm) for name in form.model_fields}
    for key in ("budgets", "sandbox", "toolchain", "diff"):
        told = HINTS[key].removeprefix("write ").removesuffix(" here").split(", ")
        assert set(told) <= known, key


def test_a_key_is_not_refused_where_it_is_known():
    sections = {"tiers": {"t": {**LIGHT, "sandbox": "A"}}, "tools": {"t": tool()}}
    refused({**sections, "sandbox": "A"}, "/sandbox", "isolated")
