"""For how long a bundle has single classes kept: its own word, and the longest of two sections."""

import pytest

from governance.errors import InvalidInput
from governance.policy.bundle import load

APPROVAL = {"roles": {"operator": {"weight": 2, "min_required": 1}}}


def by_class(audit: dict[str, object], seed: dict[str, object] | None = None) -> dict[str, int]:
    bundle: dict[str, object] = {"version": "v1", "rules": [], "audit": audit}
    if seed is not None:
        bundle["exception_routing"] = {"approval": APPROVAL, "audit": seed}
    return dict(load(bundle).audit.retention_by_class)


def test_financial_records_are_kept_for_seven_years_where_nobody_says_otherwise():
    assert by_class({}) == {"financial": 2555}
    assert by_class({"retention_by_class": {"pii": 90}}) == {"financial": 2555, "pii": 90}
    assert by_class({"retention_by_class": {"financial": 3650}}) == {"financial": 3650}


@pytest.mark.parametrize(("one", "other"), [(30, 60), (60, 30)])
def test_the_longer_of_two_sections_holds(one: int, other: int):
    found = by_class({"retention_by_class": {"pii": one}}, {"retention_by_class": {"pii": other}})
    assert found["pii"] == 60


@pytest.mark.parametrize("days", [0, -1, 36_501, "365", True])
def test_days_that_are_none_are_refused_with_their_place(days: object):
    with pytest.raises(InvalidInput) as caught:
        by_class({"retention_by_class": {"pii": days}})
    assert caught.value.pointer == "/audit/retention_by_class/pii"
