"""Who holds a role, as a bundle writes it."""

from typing import Any

import pytest

from governance.errors import Code, InvalidInput
from governance.policy.bundle import load
from governance.policy.diff.diff import diff
from governance.policy.lint.findings import LintCode
from governance.policy.lint.linter import lint
from governance.policy.model import Bundle, Members, Sharing
from governance.tickets.quorum import is_reachable

TIER = {"pair": {"roles": {"payer": {"weight": 1, "min_required": 2}}, "ttl": "1h"}}


def bundle(directory: dict[str, Any]) -> Bundle:
    return load({"version": "v1", "tiers": TIER, "directory": directory})


def held(**written: Any) -> Members:
    return bundle({"roles": {"payer": written}}).directory["payer"]


def test_the_four_ways_stand_beside_each_other() -> None:
    found = held(
        people=["slack:T1/U1"],
        emails=["Una@Example.com"],
        slack_usergroups=["S1"],
        directory_groups=["Payments approvers"],
    )
    assert found == Members(
        people=("slack:T1/U1",),
        emails=("una@example.com",),
        slack_usergroups=("S1",),
        directory_groups=("Payments approvers",),
    )
    assert found.outside == (
        "user group S1",
        "directory group Payments approvers",
        "address una@example.com",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("emails", "una"),
        ("emails", "una@"),
        ("emails", "@example.com"),
        ("emails", "una@example.com "),
        ("emails", "una@example.com\n"),
        ("emails", "\u043ana@example.com"),
        ("emails", "una@ex\u0430mple.com"),
        ("emails", "una@@example.com"),
        ("emails", "a" * 65 + "@example.com"),
        ("directory_groups", ""),
        ("directory_groups", 'Payments" or "1" eq "1'),
        ("directory_groups", " Payments"),
        ("directory_groups", "Pay\u200bments"),
        ("directory_groups", "x" * 129),
    ],
)
def test_what_is_no_address_and_no_name_of_a_group_is_refused(key: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        held(**{key: [value]})
    assert refused.value.code is Code.INVALID_BUNDLE
    assert refused.value.pointer.startswith(f"/directory/roles/payer/{key}")


def test_shared_channels_are_refused_unless_it_is_written() -> None:
    assert bundle({}).shared_channels is Sharing.REFUSE
    for sharing in Sharing:
        assert bundle({"shared_channels": sharing.value}).shared_channels is sharing
    with pytest.raises(InvalidInput):
        bundle({"shared_channels": "everybody"})


@pytest.mark.parametrize("written", [{"emails": ["a@b.test"]}, {"directory_groups": ["G"]}])
def test_people_who_are_known_elsewhere_only_are_not_taken_for_nobody(
    written: dict[str, Any],
) -> None:
    found = lint(
        bundle({"roles": {"payer": written}}), reaches=lambda tier, who: is_reachable(tier, (), who)
    )
    told = {finding.code for finding in found.findings}
    assert not told & {LintCode.NO_APPROVERS, LintCode.UNREACHABLE_TIER}
    (unclear,) = [one for one in found.unclear if "tier pair" in one.text]
    assert "only Slack and the company's directory know" in unclear.text


def test_a_change_of_who_holds_a_role_or_reads_along_is_told() -> None:
    old = bundle({"roles": {"payer": {"people": ["slack:T1/U1"]}}})
    new = bundle(
        {
            "roles": {"payer": {"people": ["slack:T1/U1"], "emails": ["a@b.test"]}},
            "shared_channels": "organisation",
        }
    )
    told = str(diff(old, new))
    assert "a@b.test" in told
    assert "organisation" in told
