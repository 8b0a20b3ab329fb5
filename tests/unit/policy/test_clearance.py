import pytest

from governance.policy.clearance import Clearance, highest
from tests.unit.policy.asking import bundle

DEFAULT = bundle().clearance


def test_confidential_data_is_for_security_admins_unless_mapped():
    assert DEFAULT.missing(frozenset({"confidential"}), frozenset()) == ("confidential",)
    assert DEFAULT.missing(frozenset({"confidential"}), frozenset({"security-admin"})) == ()


@pytest.mark.parametrize("name", ["public", "internal", "restricted"])
def test_ordinary_classes_need_no_clearance(name: str):
    assert DEFAULT.missing(frozenset({name}), frozenset()) == ()


@pytest.mark.parametrize("name", ["pii", "financial", "made-up"])
def test_a_class_without_a_mapping_clears_nobody(name: str):
    assert DEFAULT.missing(frozenset({name}), frozenset({"security-admin"})) == (name,)


def test_what_is_above_a_class_that_needs_clearance_needs_it_too():
    clearance = Clearance(restricted=frozenset({"internal"}), roles={})
    assert not clearance.needs("public")
    assert clearance.needs("restricted")
    assert clearance.needs("confidential")


def test_clearance_for_a_higher_class_covers_the_lower():
    clearance = Clearance(
        roles={"restricted": frozenset({"analyst"}), "confidential": frozenset({"admin"})}
    )
    assert clearance.missing(frozenset({"restricted"}), frozenset({"admin"})) == ()
    assert clearance.missing(frozenset({"confidential"}), frozenset({"analyst"})) == (
        "confidential",
    )


def test_a_mark_is_cleared_by_its_own_mapping_only():
    clearance = bundle(clearance={"PII": ["privacy"]}).clearance
    assert clearance.missing(frozenset({"pii"}), frozenset({"privacy"})) == ()
    assert clearance.missing(frozenset({"confidential"}), frozenset({"privacy"})) == (
        "confidential",
    )


def test_the_written_list_replaces_the_default_one():
    clearance = bundle(clearance={}, restricted_data_classes=["health"]).clearance
    assert not clearance.needs("confidential")
    assert clearance.missing(frozenset({"health"}), frozenset({"any"})) == ("health",)


def test_the_highest_class_is_told_and_marks_do_not_count():
    assert highest(["internal", "restricted", "public", "pii"]) == "restricted"
    assert highest(["pii"]) == "internal"
