"""What a bundle lets people delegate, and that a tier's ban cannot be lost."""

import pytest

from governance.errors import Code, InvalidInput
from governance.policy.bundle import load
from governance.policy.model import Bundle

ONE = {"roles": {"operator": {"weight": 1, "min_required": 1}}}
TWO = {"roles": {"operator": {"weight": 1, "min_required": 2}}}
THREE = {"roles": {"operator": {"weight": 1, "min_required": 3}}}


def _bundle(tiers: dict[str, object], **delegation: object) -> Bundle:
    return load({"tiers": tiers, "delegation": delegation})


def test_a_bundle_without_the_section_lets_nobody_delegate():
    policy = load({"tiers": {"low": ONE}}).delegation
    assert policy.max_days == 0
    assert not policy.admits("low")


def test_with_the_section_two_weeks_and_every_tier():
    policy = _bundle({"low": ONE}).delegation
    assert policy.max_days == 14
    assert policy.admits("low")


def test_a_ban_holds_for_every_tier_that_is_as_strict():
    # Joined with a stricter tier, the one that bans would otherwise lose its name, and its ban.
    policy = _bundle({"low": ONE, "mid": TWO, "top": THREE}, forbidden_tiers=["mid"]).delegation
    assert policy.barred == {"mid", "top"}
    assert policy.admits("low")


def test_a_ban_holds_for_whoever_stands_in():
    tiers = {"low": ONE, "a": TWO, "b": TWO | {"escalation": {"unreachable": "a"}}}
    policy = _bundle(tiers, forbidden_tiers=["b"]).delegation
    assert policy.barred == {"a", "b"}


def test_a_ban_holds_for_the_levels_of_its_tier():
    graded = TWO | {"severity": {"minor": {}, "grave": {"threshold": 3}}}
    policy = _bundle({"low": ONE, "mid": graded}, forbidden_tiers=["mid"]).delegation
    assert policy.admits("low")
    assert len(policy.barred) == 3


@pytest.mark.parametrize("name", ["nowhere", "built-in"])
def test_a_ban_of_a_tier_that_is_not_there_is_refused(name: str):
    with pytest.raises(InvalidInput) as caught:
        _bundle({"low": ONE}, forbidden_tiers=["low", name])
    assert (caught.value.code, caught.value.pointer) == (
        Code.INVALID_BUNDLE,
        "/delegation/forbidden_tiers/1",
    )


@pytest.mark.parametrize("days", [0, 91])
def test_the_longest_delegation_is_between_a_day_and_ninety(days: int):
    with pytest.raises(InvalidInput):
        _bundle({"low": ONE}, max_days=days)
