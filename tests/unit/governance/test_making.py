"""A value that is made quickly is what its dataclass would have made."""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.making import quickly_made
from governance.policy.decision import Decision
from governance.replacing import replace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    left: int
    right: str = "none"
    words: list[str] = dataclasses.field(default_factory=list)


@quickly_made
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    left: int
    right: str = "none"
    words: list[str] = dataclasses.field(default_factory=list)


@quickly_made
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class More(Quick):
    middle: int


@given(st.integers(), st.none() | st.text(), st.none() | st.lists(st.text()))
def test_it_equals_what_the_dataclass_makes(left: int, right: str | None, words: list[str] | None):
    given_ = {"right": right, "words": words}
    some = {name: value for name, value in given_.items() if value is not None}
    made, plain = Quick(left=left, **some), Plain(left=left, **some)
    assert dataclasses.asdict(made) == dataclasses.asdict(plain)
    assert repr(made) == repr(plain).replace("Plain", "Quick")
    assert type(made) is Quick


def test_what_a_factory_makes_is_each_values_own():
    assert Quick(left=1).words == []
    assert Quick(left=1).words is not Quick(left=1).words


def test_a_value_of_a_subclass_has_the_fields_of_both():
    made = More(left=1, middle=2)
    assert (made.left, made.right, made.middle) == (1, "none", 2)
    assert isinstance(made, Quick)
    assert type(made) is More


def test_it_is_frozen_once_it_is_made():
    for made in (Quick(left=1), More(left=1, middle=2)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.left = 2  # type: ignore[misc]
        with pytest.raises(dataclasses.FrozenInstanceError):
            del made.left
        assert made.left == 1


def test_arguments_are_checked_as_those_of_the_dataclass():
    for kind in (Plain, Quick):
        with pytest.raises(TypeError, match="left"):
            kind()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="other"):
            kind(left=1, other=2)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            kind(1)  # type: ignore[misc]


def test_its_signature_keeps_names_and_annotations():
    def told(kind: type) -> list[tuple[str, object]]:
        return [(one.name, one.annotation) for one in inspect.signature(kind).parameters.values()]

    assert told(Quick) == told(Plain)
    assert Quick.__init__.__qualname__ == "Quick.__init__"


def test_it_is_copied_pickled_and_replaced_as_others_are():
    made = More(left=1, middle=2, words=["a"])
    assert copy.deepcopy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301  # our own bytes
    assert (
        dataclasses.replace(made, middle=3)
        == replace(made, middle=3)
        == More(left=1, middle=3, words=["a"])
    )


def test_a_factory_that_fails_leaves_no_value():
    def fail() -> int:
        raise ValueError("no number")

    @quickly_made
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Failing:
        number: int = dataclasses.field(default_factory=fail)

    assert Failing(number=1).number == 1
    with pytest.raises(ValueError, match="no number"):
        Failing()


def _checked() -> type:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        left: int

        def __post_init__(self) -> None:
            raise ValueError

    return Checked


_OTHERS: dict[str, Callable[[], type]] = {
    "a check of its own": _checked,
    "no dataclass": lambda: int,
    "no fields": lambda: dataclasses.make_dataclass(
        "Empty", [], frozen=True, slots=True, kw_only=True
    ),
    "not frozen": lambda: dataclasses.make_dataclass("Thawed", ["left"], slots=True, kw_only=True),
    "no slots": lambda: dataclasses.make_dataclass("Loose", ["left"], frozen=True, kw_only=True),
    "by position": lambda: dataclasses.make_dataclass("Placed", ["left"], frozen=True, slots=True),
    "a field that is not given": lambda: dataclasses.make_dataclass(
        "Counted",
        [("left", int, dataclasses.field(default=7, init=False))],
        frozen=True,
        slots=True,
        kw_only=True,
    ),
}


@pytest.mark.parametrize("kind", _OTHERS)
def test_a_class_that_is_more_or_less_than_frozen_fields_is_refused(kind: str):
    made = _OTHERS[kind]()
    before = made.__init__
    with pytest.raises(TypeError, match="frozen fields in slots"):
        quickly_made(made)
    assert made.__init__ == before


def test_what_every_request_makes_is_made_so():
    assert "thawed" in Decision.__init__.__code__.co_names
