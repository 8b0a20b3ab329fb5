"""Inert text: everything is seen, nothing takes effect."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.kit.text import (
    clip,
    fallback,
    head,
    inert,
    is_blank,
    mixed_alphabets,
    pages,
    unescape,
)


@pytest.mark.parametrize(
    "char",
    ["\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u3164", "\u2800", "\u115f", "\u00ad",
     "\u00a0", "\u3000", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ue000", "\ufe0f",
     "\U000e0041", "\u034f", "\uffa0", "\u180e", "\u2061", "\n", "\t", "\r"],
)  # fmt: skip
def test_what_hides_is_spelled_out(char: str) -> None:
    assert inert(f"a{char}b") == f"a\\u{{{ord(char):x}}}b"


def test_a_newline_stays_only_where_lines_are_shown() -> None:
    assert inert("a\nb", is_multiline=True) == "a\nb"
    assert inert("a\r\nb", is_multiline=True) == "a\\u{d}\nb"


def test_an_escape_cannot_be_forged() -> None:
    assert inert("\\u{202e}") != inert("\u202e")
    assert inert("\\u{202e}") == "\\u{5c}u{202e}"


def test_runs_of_one_hidden_character_are_counted() -> None:
    assert inert("\u200b" * 1000) == "\\u{200b x1000}"


def test_a_flood_of_marks_is_spelled_out() -> None:
    assert inert("e\u0301") == "e\u0301"
    assert "\\u{301 x8}" in inert("e" + "\u0301" * 10)


@pytest.mark.parametrize("text", ["\u0301a", " \u0301", "a:\u0338", "\u0e49", "-\u20e3"])
def test_a_mark_without_a_letter_under_it_is_spelled_out(text: str) -> None:
    assert "\\u{" in inert(text)
    assert inert("1\u20e3 \u0e01\u0e49") == "1\u20e3 \u0e01\u0e49"


@given(st.text(max_size=200))
def test_inert_text_has_nothing_that_hides(text: str) -> None:
    for char in inert(text):
        assert unicodedata.category(char) not in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
        assert unicodedata.category(char) != "Zs" or char == " "


@given(st.text(max_size=60), st.text(max_size=60))
def test_different_texts_never_look_the_same(one: str, other: str) -> None:
    assert (inert(one) == inert(other)) == (one == other)


@given(
    st.text(alphabet="\\u{}202ex3 \u202e\u200b", max_size=30),
    st.text(alphabet="\\u{}202ex3 \u202e\u200b", max_size=30),
)
def test_nothing_near_an_escape_looks_like_another(one: str, other: str) -> None:
    assert (inert(one) == inert(other)) == (one == other)


@given(st.text(alphabet="ab\n\u202e\u200b\\u{}", max_size=300), st.integers(21, 60))
def test_pages_hold_everything_and_cut_no_escape(text: str, size: int) -> None:
    whole = inert(text, is_multiline=True)
    found = pages(whole, size)
    assert "".join(found) == whole
    assert all(len(page) <= size for page in found)


def test_a_cut_says_so_and_halves_no_escape() -> None:
    text = inert("abc\u202edef")
    assert clip(text, 6) == "abc\u2026"
    assert head(text, 6) == "abc"
    assert clip(text, len(text)) == text


def test_mixed_alphabets_are_named_with_their_letters() -> None:
    assert mixed_alphabets("pay to p\u0430ypal now") == ("p\\u{430}ypal",)
    assert (
        mixed_alphabets("\u043f\u0440\u0438\u0432\u0435\u0442 hello \u65e5\u672c\u8a9e\u30c6") == ()
    )
    assert len(mixed_alphabets(" ".join(f"a\u0430{n}{chr(97 + n)}" for n in range(9)))) == 3


@given(st.text(max_size=100))
def test_the_fallback_has_no_mark_that_slack_parses(text: str) -> None:
    shown = fallback(inert(text), 500)
    for mark in ("&amp;", "&lt;", "&gt;"):
        shown = shown.replace(mark, "")
    assert not set(shown) & set("<>&*_~`@:#|")


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b", "\u3164", "\u2800\u115f", "\u00a0"])
def test_what_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}x")


def test_commands_arrive_escaped() -> None:
    assert unescape("a &lt;b&gt; &amp;lt;") == "a <b> &lt;"
