"""Containment of globs: certain where it says yes, and never wrong."""

import re
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.api import schemas
from governance.policy.lint.globs import (
    FIRST_CHARS,
    MAX_TOPIC_CHARS,
    TOPIC_CHARS,
    Effort,
    is_possible_topic,
)
from governance.policy.lint.globs import covers as covers_within
from governance.policy.matching import Glob, glob

PIECES = ("a", "b", ".", "/", "*", "?", "[ab]", "[^a]", "[a-b.]", r"\*")
PATTERNS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
TEXTS = tuple("".join(chars) for size in range(5) for chars in product("ab./*", repeat=size))


def covers(wide: Glob, narrow: Glob) -> bool:
    return covers_within(wide, narrow, Effort(1_000_000))


@given(wide=PATTERNS, narrow=PATTERNS)
def test_whatever_fits_the_narrow_fits_what_covers_it(wide: str, narrow: str):
    one, other = glob(wide), glob(narrow)
    if covers(one, other):
        assert [text for text in TEXTS if other.matches(text) and not one.matches(text)] == []


@given(
    wide=PATTERNS,
    narrow=PATTERNS,
    text=st.text(st.sampled_from("ab./*c\u2028\U0010ffff"), max_size=12),
)
def test_no_longer_text_contradicts_it_either(wide: str, narrow: str, text: str):
    one, other = glob(wide), glob(narrow)
    if covers(one, other) and other.matches(text):
        assert one.matches(text)


@given(pattern=PATTERNS)
def test_a_pattern_covers_itself_and_what_is_written_into_it(pattern: str):
    assert covers(glob(pattern), glob(pattern))
    if "/" not in pattern and "[" not in pattern:
        assert covers(glob("*"), glob(pattern))


@pytest.mark.parametrize(
    ("wide", "narrow", "answer"),
    [
        ("job.*", "job.deploy.*", True),
        ("job.deploy.*", "job.*", False),
        ("job.*", "job.a/b", False),
        ("job.*/*", "job.a/b*", True),
        ("*.write.*", "job.*.write.now", True),
        ("*.write.*", "job.*.write", False),
        ("job.[a-z]", "job.[b-d]", True),
        ("job.[a-z]", "job.[b-d]?", False),
        ("job.?", "job.[^/]", True),
        ("job.?", "job.*", False),
        ("a*b*c", "a*bxb*c", True),
        ("a*bb*c", "a*bxb*c", False),
        ("job.x", "job.x", True),
        ("job.x", "other", False),
        ("**", "a*", True),
        ("", "", True),
        ("*", "", True),
        ("?", "", False),
        ("a[^\U0010ffff]", "a[b-\U0010ffff]", False),
    ],
)
def test_containment_is_decided(wide: str, narrow: str, answer: bool):
    assert covers(glob(wide), glob(narrow)) is answer


def test_a_walk_that_grows_too_large_is_not_certain():
    hard = "*" + "a" + "?" * 60
    assert covers(glob(hard), glob("*a" + "?" * 60 + "*a" + "?" * 60)) is False
    assert covers(glob("*a???"), glob("*a???*a???")) is True
    tired = Effort(20)
    assert covers_within(glob("*a???"), glob("*a???*a???"), tired) is False
    assert tired.left == 0
    assert covers_within(glob("*a"), glob("*aa"), tired) is False


@pytest.mark.parametrize(
    ("topic", "answer"),
    [
        ("job.*", True),
        ("*.write", True),
        ("*", True),
        ("job.[a-c]?", True),
        (".job", False),
        ("job deploy", False),
        ("*ä", False),
        ("job.[ü]", False),
        ("", False),
        ("a" * MAX_TOPIC_CHARS, True),
        ("a" * (MAX_TOPIC_CHARS + 1), False),
    ],
)
def test_a_topic_that_no_door_accepts_is_known(topic: str, answer: bool):
    assert is_possible_topic(glob(topic)) is answer


def test_the_characters_of_a_topic_are_those_that_the_doors_accept():
    pattern = re.compile(get_args(schemas.Topic)[1].metadata[0].pattern)
    printable = [chr(code) for code in range(0x250)]
    assert {char for char in printable if pattern.fullmatch(char)} == set(FIRST_CHARS)
    assert {char for char in printable if pattern.fullmatch("a" + char)} == set(TOPIC_CHARS)
    assert pattern.fullmatch("a" * MAX_TOPIC_CHARS)
    assert not pattern.fullmatch("a" * (MAX_TOPIC_CHARS + 1))
