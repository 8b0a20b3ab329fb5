"""Diffs: both texts can be read back from one, and nothing in them passes for another line."""

import time

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.cards.action_diff import MOST_COMPARED, Diff, added, compare, shortened
from bot.slack.cards.action_fields import text_lines

_LINES = st.lists(st.sampled_from(["a", "b", "- a", "+ b", "@ 3 unchanged lines", "", "\\ no"]))
_TEXTS = _LINES.map("\n".join) | st.text(alphabet="ab\n\u202e ", max_size=30)


def side(diff: Diff, sign: str) -> list[str]:
    """The lines of the text that ``sign`` (or no sign) stands for."""
    return [line[2:] for line in diff.lines if line[:2] in (sign, "  ")]


def seen(text: str) -> list[str]:
    """The lines as a diff has them: the last says so where the text does not end it."""
    *found, last = text_lines(text)
    return [*found, f"{last}\n\\ no line end"] if last else found


@given(_TEXTS, _TEXTS)
def test_both_texts_can_be_read_back(before: str, after: str) -> None:
    diff = compare(before, after)
    assert side(diff, "- ") == seen(before)
    assert side(diff, "+ ") == seen(after)
    assert diff.left_out == 0


@given(_TEXTS, _TEXTS)
def test_what_is_shortened_counts_what_it_leaves_out(before: str, after: str) -> None:
    brief, whole = shortened(before, after), compare(before, after)
    kept = [line for line in brief.lines if not line.startswith("@ ")]
    assert len(kept) + brief.left_out == len(whole.lines)
    assert [line for line in kept if line[0] in "+-"] == [
        line for line in whole.lines if line[0] in "+-"
    ]
    assert (brief.added, brief.removed) == (whole.added, whole.removed)


def test_a_change_is_shown_where_it_is() -> None:
    diff = compare("a\nb\nc\n", "a\nB\nc\n")
    assert diff.lines == ("  a", "- b", "+ B", "  c")
    assert (diff.removed, diff.added) == (1, 1)


def test_a_missing_line_end_is_a_change() -> None:
    assert compare("a\n", "a").lines == ("- a", "+ a\n\\ no line end")
    assert compare("a\n(no line end here)\n", "a\n(no line end here)").removed == 1


def test_lines_far_from_a_change_are_counted() -> None:
    before = "".join(f"{n}\n" for n in range(20))
    diff = shortened(before, before.replace("10\n", "ten\n"))
    assert diff.lines[0] == "@ 7 unchanged lines"
    assert diff.lines[-1] == "@ 6 unchanged lines"
    assert diff.left_out == 13
    assert shortened("a\nb\nc\nd\n", "A\nb\nc\nd\n").left_out == 0
    assert "@ 1 unchanged line" in shortened("a\nb\nc\nd\ne\n", "A\nb\nc\nd\ne\n").lines


def test_a_new_text_is_all_new() -> None:
    assert added("a\nb").lines == ("+ a", "+ b\n\\ no line end")
    assert added("").lines == ()


def test_beyond_its_bound_a_changed_part_is_old_then_new() -> None:
    before = "".join(f"a{n}\n" for n in range(MOST_COMPARED + 1))
    diff = compare(before + "end\n", before.replace("a", "b") + "end\n")
    assert [line[0] for line in diff.lines] == ["-"] * 161 + ["+"] * 161 + [" "]


def test_a_comparison_costs_what_its_length_costs() -> None:
    """Adversarial texts: all lines equal, all different, shuffled, one huge line."""
    half = MOST_COMPARED
    worst = [
        ("x\n" * 100_000, "x\n" * 99_999),
        ("".join(f"{n}\n" for n in range(40_000)), "".join(f"{n}\n" for n in range(40_000, 0, -1))),
        ("".join(f"{n % 2}\n" for n in range(half)), "".join(f"{n % 3}\n" for n in range(half))),
        ("y" * 250_000, "y" * 249_999 + "z"),
    ]
    for before, after in worst:
        began = time.thread_time()
        shortened(before, after)
        assert time.thread_time() - began < 2.0
