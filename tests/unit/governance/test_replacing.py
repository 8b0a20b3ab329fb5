"""A value with some fields changed is what its class would have made of them."""

import dataclasses

import pytest

from governance.replacing import replace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    left: int
    right: str = "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Triple(Pair):
    middle: int


@dataclasses.dataclass(frozen=True, slots=True)
class One:
    only: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loose:
    left: int
    right: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Pair):
    def __post_init__(self) -> None:
        if self.left < 0:
            raise ValueError("left is negative")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Pair):
    told: int = dataclasses.field(default=7, init=False)


def test_a_value_is_made_anew_and_the_old_one_stays():
    before = Triple(left=1, middle=2)
    after = replace(before, right="two", left=3)
    assert after == dataclasses.replace(before, right="two", left=3)
    assert type(after) is Triple
    assert hash(after) == hash(Triple(left=3, middle=2, right="two"))
    assert before == Triple(left=1, middle=2)


def test_without_changes_it_is_an_equal_value():
    before = Pair(left=1)
    after = replace(before)
    assert after == before
    assert after is not before


def test_it_is_frozen_too():
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(Pair(left=1)).left = 2  # type: ignore[misc]


def test_a_field_that_it_does_not_have_is_refused():
    with pytest.raises(TypeError, match="Pair has no field centre"):
        replace(Pair(left=1), centre=2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "value",
    [One(1), Loose(left=1, right=2), Checked(left=1), Counted(left=1), 5],
    ids=["one field", "no slots", "checked", "not all given", "no dataclass"],
)
def test_a_value_that_is_not_made_of_its_fields_alone_is_refused(value: object):
    with pytest.raises(TypeError, match="more or less than fields in slots"):
        replace(value)  # type: ignore[type-var]
