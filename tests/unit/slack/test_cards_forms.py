"""Typed forms: what is shown is made of what is bound, and nothing that was sent is left out."""

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.emulator.limits import check_blocks
from bot.slack import names
from bot.slack.cards import action_forms
from bot.slack.cards.action_forms import Part
from bot.slack.cards.card import approval_card
from bot.slack.cards.view import CardView, trace_address
from bot.slack.voting.full_view import EVERY_ARGUMENT, full_view, whole_file
from governance.action import Content, Dispatch
from governance.canonical import Json
from tests.support import build
from tests.support.card_samples import PUSH, samples, shown_as, ticket, tool, view

CHANGE = {"form": "diff", "before": "old", "after": "new"}
TABLE = {"form": "table", "argument": "rows"}
COMMAND = {"form": "command", "argument": "argv"}
SAMPLES = samples()


def parts(sample: CardView) -> list[Part]:
    assert sample.content is not None
    return action_forms.parts_of(sample, sample.content)


def shown(sample: CardView) -> str:
    return json.dumps(approval_card(sample).blocks, ensure_ascii=False)


def labels(sample: CardView) -> list[str]:
    return [part.label for part in parts(sample)]


def test_a_registered_command_is_its_command_line_and_the_rest_beside_it() -> None:
    sample = SAMPLES["form_command"]
    command, others = parts(sample)
    assert command.text == (
        "/usr/bin/git push '--message=it'\"'\"'s\\u{202e} done' -- 'main; rm -rf /'"
    )
    assert (others.label, others.text) == (action_forms.OTHERS, "ticket: OPS-7")
    assert PUSH["title"] in shown(sample)


def test_a_command_of_another_bundle_than_was_bound_is_not_shown_as_what_runs() -> None:
    sample = SAMPLES["form_command"]
    stale = replace(sample, ticket=ticket(ruling=build.ruling(plan_digest="0" * 64)))
    assert labels(stale) == [action_forms.ARGUMENTS]
    assert str(PUSH["title"]) not in shown(stale)
    released = replace(sample, ticket=ticket(ask=build.ask(dispatch=Dispatch.RELEASE)))
    assert labels(released) == [action_forms.ARGUMENTS]
    other = replace(sample, ticket=ticket(ask=build.ask(tool="another.tool")))
    assert labels(other) == [action_forms.ARGUMENTS]


def test_a_form_by_arguments_holds_for_a_release_too() -> None:
    sample = shown_as({"old": "a\n", "new": "b\n"}, shows=CHANGE)
    released = replace(
        sample, ticket=ticket(ask=build.ask(dispatch=Dispatch.RELEASE), ruling=build.ruling())
    )
    assert parts(released)[0].text == "- a\n+ b"


def test_a_command_that_cannot_be_filled_in_is_shown_as_fields() -> None:
    assert labels(shown_as({"branch": "main"}, run=PUSH)) == [action_forms.ARGUMENTS]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_nothing_hides_in_a_command_line(items: list[str]) -> None:
    line = action_forms.quoted(items)
    assert "\n" not in line
    plain = [item for item in items if item.isascii() and item.isprintable() and "\\u{" not in item]
    if plain == items:
        assert shlex.split(line) == items


@given(
    st.lists(st.text(alphabet="a '\\\u202e\n", max_size=4), min_size=1, max_size=4),
    st.lists(st.text(alphabet="a '\\\u202e\n", max_size=4), min_size=1, max_size=4),
)
def test_different_commands_never_read_the_same(one: list[str], other: list[str]) -> None:
    assert one == other or action_forms.quoted(one) != action_forms.quoted(other)


@pytest.mark.parametrize(
    ("shows", "arguments"),
    [
        (COMMAND, {"argv": []}),
        (COMMAND, {"argv": ["a", 1]}),
        (COMMAND, {"argv": {"a": 1}}),
        (COMMAND, {}),
        (CHANGE, {"old": "a"}),
        (CHANGE, {"old": None, "new": "b"}),
        (CHANGE, {"new": "b"}),
        (CHANGE, {"old": "a", "new": 7}),
        ({"form": "diff", "argument": "patch"}, {"patch": ["x"]}),
        (TABLE, {"rows": []}),
        (TABLE, {"rows": [1]}),
        (TABLE, {"rows": "x"}),
    ],
)
def test_a_form_that_does_not_fit_gives_way_to_fields(
    shows: dict[str, Json], arguments: dict[str, Json]
) -> None:
    sample = shown_as(arguments, shows=shows)
    found = parts(sample)
    assert len(found) == 1
    assert found[0].text == (action_forms.fields_of(arguments) or action_forms.NOTHING)


def test_a_table_holds_every_cell_and_tells_a_text_from_a_number() -> None:
    found = parts(SAMPLES["form_table"])[0]
    assert found.rows == (
        ("host", "port", "tls", "note"),
        ("web-1", "8080", "true", "\u2014"),
        ("web-2", "8080", "false", "\u2014"),
        ("web-3", '"8080"', "\u2014", "port is a text here"),
    )
    tables = [b for b in approval_card(SAMPLES["form_table"]).blocks if b["type"] == "table"]
    assert len(tables) == 1


@pytest.mark.parametrize(
    "rows",
    [
        [{"a": "x" * 200}],
        [{f"c{n}": n for n in range(7)}],
        [{"a": n} for n in range(21)],
        [{}],
    ],
)
def test_records_that_are_no_table_are_read_one_by_one(rows: list[Json]) -> None:
    found = parts(shown_as({"rows": rows}, shows=TABLE))[0]
    assert found.rows == ()
    assert found.text.startswith("1 of ")


def test_a_short_change_is_shown_whole_and_a_long_one_says_what_it_leaves_out() -> None:
    assert "SHORTENED" not in shown(SAMPLES["form_diff"])
    assert names.APPROVE in shown(SAMPLES["form_diff"])
    long = shown(SAMPLES["form_diff_long"])
    assert "SHORTENED. These are the changes, out of " in long
    assert "@ 42 unchanged lines" in long
    assert names.APPROVE not in long  # the core does not gate it, so the card must


def test_a_text_that_replaces_one_that_was_not_sent_says_so() -> None:
    assert "what stands there now was not sent" in shown(SAMPLES["form_new_text"])


def test_a_patch_is_shown_as_it_was_sent() -> None:
    assert "- a\\n+++ b" in shown(SAMPLES["form_patch"])


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
_ARGUMENTS = st.dictionaries(st.sampled_from(["old", "new", "rows", "argv", "more"]), _VALUES)


@given(
    _ARGUMENTS,
    st.sampled_from([CHANGE, TABLE, COMMAND, {"form": "command", "argument": "new"}, None]),
)
def test_any_arguments_render_legally_in_any_form(
    arguments: dict[str, Json], shows: dict[str, Json] | None
) -> None:
    written = {} if shows is None else {"shows": shows}
    card = approval_card(shown_as(arguments, **written))
    assert check_blocks(list(card.blocks), "message") == []


def texts_of(value: object) -> list[str]:
    """Every text that stands in these blocks, cells included."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for inner in value.values() for text in texts_of(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in texts_of(inner)]
    return []


@given(
    _ARGUMENTS,
    st.text(max_size=40) | st.sampled_from(["x" * 3_000, "y\n" * 60, "z" * 1_500]),
    st.sampled_from([CHANGE, TABLE, COMMAND, {"form": "fields"}]),
)
def test_a_card_that_may_be_approved_unread_shows_everything(
    arguments: dict[str, Json], prompt: str, shows: dict[str, Json]
) -> None:
    content = Content(arguments=arguments, prompt=prompt)
    sample = replace(shown_as(arguments, shows=shows), content=content)
    card = approval_card(sample)
    assert not sample.ticket.ask.needs_full_view
    if names.APPROVE not in json.dumps(card.blocks):
        return
    texts = texts_of(card.blocks)
    for part in parts(sample):
        wanted = [cell for row in part.rows for cell in row] if part.rows else [part.text or " "]
        assert all(text in texts for text in wanted), part.label


@given(_ARGUMENTS, st.sampled_from([CHANGE, TABLE, COMMAND, {"form": "fields"}]))
def test_the_full_view_has_every_field_whatever_the_form(
    arguments: dict[str, Json], shows: dict[str, Json]
) -> None:
    sample = shown_as(arguments, shows=shows)
    pages = full_view(sample).pages
    by_label: dict[str, str] = {}
    for page in pages:
        for piece in page:
            by_label[piece.label] = by_label.get(piece.label, "") + piece.text
    every = action_forms.fields_of(arguments) or action_forms.NOTHING
    assert every in (by_label.get(EVERY_ARGUMENT), by_label.get(action_forms.ARGUMENTS))


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_text_passes_for_a_heading_of_the_file(prompt: str, value: str) -> None:
    content = Content(
        arguments={"x": f"\n{value}"}, prompt=f"{prompt}\nAll arguments:\n", context=1
    )
    text = whole_file(view(content=content)).content.decode("utf-8")
    headings = [line for line in text.split("\n")[4:] if line and not line.startswith("  ")]
    assert headings == [
        "Arguments:",
        "Prompt, the agent's own instruction:",
        "Context:",
        "The request:",
        "Arguments, prompt and context as JSON:",
    ]


def test_the_file_has_the_agents_words_and_a_name_of_its_own() -> None:
    file = whole_file(SAMPLES["pending"])
    assert file.name == "ticket-t-1-r1.txt"
    assert "  The fix for the checkout page is in this version." in file.content.decode()
    assert whole_file(view(content=None)).content.decode().count("(the content was erased)") == 1


@given(st.text(max_size=60))
def test_no_text_passes_for_a_label_where_all_parts_are_one_text(prompt: str) -> None:
    content = Content(arguments={"a": 1}, prompt=f"{prompt}\nArguments:\n  b: 2")
    text = action_forms.as_text(action_forms.parts_of(view(content=content), content))
    found = [line for line in text.split("\n") if not line.startswith("  ")]
    assert found == ["Arguments:", f"{action_forms.PROMPT}:"]


def test_what_the_registry_sets_is_shown_and_is_not_called_the_agents() -> None:
    run: dict[str, Json] = {
        "title": "Write a file",
        "arguments": {"type": "object", "additionalProperties": False, "properties": {"path": {}}},
        "runner": {"builtin": "file.write"},
        "writable": ["site"],
        "fixed": {"mode": "append"},
    }
    sample = shown_as({"path": "a.ini"}, run=run)
    assert [(part.label, part.text) for part in parts(sample)] == [
        (action_forms.ARGUMENTS, "path: a.ini"),
        (action_forms.FIXED, "mode: append"),
    ]
    assert labels(shown_as({}, run=run)) == [action_forms.FIXED]
    changed = replace(sample, ticket=ticket(ruling=build.ruling(plan_digest="0" * 64)))
    assert labels(changed) == [action_forms.ARGUMENTS]


def test_a_tool_that_is_not_shown_otherwise_is_shown_as_fields() -> None:
    assert labels(view(tool=tool())) == [action_forms.ARGUMENTS]


def test_a_trace_link_goes_where_the_operator_says() -> None:
    template = "https://t.example/trace/{trace_id}"
    assert trace_address(template, "../../x?y#z@e.example") == (
        "https://t.example/trace/..%2F..%2Fx%3Fy%23z%40e.example"
    )
    assert trace_address(template, "") == trace_address("", "a") == ""
    assert trace_address(template, "\u202e" * 90) == ""
    links = [
        part
        for block in approval_card(SAMPLES["traced"]).blocks
        if block["type"] == "rich_text"
        for element in block["elements"]  # type: ignore[attr-defined]  # plain JSON
        for part in element["elements"]
        if part["type"] == "link"
    ]
    assert [link["url"] for link in links] == [f"https://traces.example.com/trace/{'a' * 32}"]


WHOLE = Path(__file__).parents[2] / "golden" / "whole"


@pytest.mark.parametrize("name", ["pending", "form_command", "form_diff", "form_table"])
def test_the_whole_as_a_file_reads_as_it_did(name: str) -> None:
    got = whole_file(SAMPLES[name]).content
    path = WHOLE / f"{name}.txt"
    if os.environ.get("PLACET_WRITE_GOLDEN"):
        path.write_bytes(got)
    assert path.read_bytes() == got
