"""Each of Slack's limits has a case that just passes and one that just fails."""

from __future__ import annotations

from typing import Any

import pytest

from bot.emulator.limits import check_blocks, check_view, is_message_too_long, is_view_too_large
from tests.emulator.conftest import button, modal

Block = dict[str, Any]


def pt(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def md(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def section(n: int = 1) -> Block:
    return {"type": "section", "text": md("x" * n)}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def buttons(n: int) -> Block:
    return actions(*[button(f"a{i}") for i in range(n)])


def options(n: int, text: int = 1, value: int = 0) -> list[Block]:
    return [{"text": pt("t" * text), "value": f"{i}".ljust(value, "v")} for i in range(n)]


def select(**more: object) -> Block:
    return {"type": "static_select", "action_id": "s", "options": options(1), **more}


def confirm(title: int = 1, text: int = 1, label: int = 1) -> Block:
    return {
        "title": pt("x" * title),
        "text": md("x" * text),
        "confirm": pt("x" * label),
        "deny": pt("No"),
    }


def rows(n: int, cells: int = 1, text: str = "x") -> Block:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": text}] * cells] * n}


def rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def text_part(text: str) -> Block:
    return {"type": "text", "text": text}


def quote(kind: str, *parts: Block) -> Block:
    return {"type": kind, "elements": list(parts)}


def context(n: int) -> Block:
    return {"type": "context", "elements": [md("x")] * n}


def fields(n: int, length: int = 1) -> Block:
    return {"type": "section", "fields": [md("x" * length)] * n}


# what is limited, blocks that pass, blocks that fail, where the failure is
MESSAGES: list[tuple[str, list[Block], list[Block], str]] = [
    ("blocks", [section()] * 50, [section()] * 51, "/blocks"),
    ("section text", [section(3000)], [section(3001)], "/blocks/0/text/text"),
    ("section empty", [section()], [section(0)], "/blocks/0/text/text"),
    ("section without text", [fields(1)], [{"type": "section"}], "/blocks/0"),
    ("fields", [fields(10)], [fields(11)], "/blocks/0/fields"),
    ("field text", [fields(1, 2000)], [fields(1, 2001)], "/blocks/0/fields/0/text"),
    (
        "header",
        [{"type": "header", "text": pt("x" * 150)}],
        [{"type": "header", "text": pt("x" * 151)}],
        "/blocks/0/text/text",
    ),
    (
        "header kind",
        [{"type": "header", "text": pt("x")}],
        [{"type": "header", "text": md("x")}],
        "/blocks/0/text/type",
    ),
    ("context", [context(10)], [context(11)], "/blocks/0/elements"),
    ("actions", [buttons(25)], [buttons(26)], "/blocks/0/elements"),
    ("actions empty", [buttons(1)], [buttons(0)], "/blocks/0/elements"),
    (
        "button text",
        [actions(button(text=pt("x" * 75)))],
        [actions(button(text=pt("x" * 76)))],
        "/blocks/0/elements/0/text/text",
    ),
    (
        "button text kind",
        [actions(button(text=pt("x")))],
        [actions(button(text=md("x")))],
        "/blocks/0/elements/0/text/type",
    ),
    (
        "button value",
        [actions(button(value="x" * 2000))],
        [actions(button(value="x" * 2001))],
        "/blocks/0/elements/0/value",
    ),
    (
        "action_id",
        [actions(button("x" * 255, text=pt("x")))],
        [actions(button("x" * 256, text=pt("x")))],
        "/blocks/0/elements/0/action_id",
    ),
    (
        "block_id",
        [{**section(), "block_id": "x" * 255}],
        [{**section(), "block_id": "x" * 256}],
        "/blocks/0/block_id",
    ),
    (
        "url",
        [actions(button(url="x" * 3000))],
        [actions(button(url="x" * 3001))],
        "/blocks/0/elements/0/url",
    ),
    (
        "style",
        [actions(button(style="danger"))],
        [actions(button(style="warning"))],
        "/blocks/0/elements/0/style",
    ),
    (
        "same action_id",
        [actions(button("a"), button("b"))],
        [actions(button("a"), button("a"))],
        "/blocks/0/elements/1/action_id",
    ),
    (
        "same block_id",
        [{**section(), "block_id": "a"}, {**section(), "block_id": "b"}],
        [{**section(), "block_id": "a"}] * 2,
        "/blocks/1/block_id",
    ),
    (
        "confirm title",
        [actions(button(confirm=confirm(title=100)))],
        [actions(button(confirm=confirm(title=101)))],
        "/blocks/0/elements/0/confirm/title/text",
    ),
    (
        "confirm text",
        [actions(button(confirm=confirm(text=300)))],
        [actions(button(confirm=confirm(text=301)))],
        "/blocks/0/elements/0/confirm/text/text",
    ),
    (
        "confirm button",
        [actions(button(confirm=confirm(label=30)))],
        [actions(button(confirm=confirm(label=31)))],
        "/blocks/0/elements/0/confirm/confirm/text",
    ),
    (
        "select options",
        [actions(select(options=options(100)))],
        [actions(select(options=options(101)))],
        "/blocks/0/elements/0/options",
    ),
    (
        "option text",
        [actions(select(options=options(1, text=75)))],
        [actions(select(options=options(1, text=76)))],
        "/blocks/0/elements/0/options/0/text/text",
    ),
    (
        "option value",
        [actions(select(options=options(1, value=150)))],
        [actions(select(options=options(1, value=151)))],
        "/blocks/0/elements/0/options/0/value",
    ),
    (
        "select without options",
        [actions(select())],
        [actions({"type": "static_select", "action_id": "s"})],
        "/blocks/0/elements/0",
    ),
    (
        "overflow",
        [actions({"type": "overflow", "options": options(5)})],
        [actions({"type": "overflow", "options": options(6)})],
        "/blocks/0/elements/0/options",
    ),
    (
        "checkboxes",
        [actions({"type": "checkboxes", "options": options(10)})],
        [actions({"type": "checkboxes", "options": options(11)})],
        "/blocks/0/elements/0/options",
    ),
    (
        "radio buttons",
        [actions({"type": "radio_buttons", "options": options(10)})],
        [actions({"type": "radio_buttons", "options": options(11)})],
        "/blocks/0/elements/0/options",
    ),
    ("unknown block", [{"type": "divider"}], [{"type": "sction"}], "/blocks/0/type"),
    (
        "unknown element",
        [actions(button())],
        [actions({"type": "knob"})],
        "/blocks/0/elements/0/type",
    ),
    ("unknown key", [section()], [{**section(), "txt": 1}], "/blocks/0/txt"),
    ("alert is for modals", [section()], [{"type": "alert", "text": md("x")}], "/blocks/0/type"),
    ("table rows", [rows(100)], [rows(101)], "/blocks/0/rows"),
    ("table cells", [rows(1, 20)], [rows(1, 21)], "/blocks/0/rows/0"),
    ("table cell empty", [rows(1)], [rows(1, text="")], "/blocks/0/rows/0/0/text"),
    ("table size", [rows(100, 1, "x" * 100)], [rows(100, 1, "x" * 101)], "/blocks/0/rows"),
    ("tables", [rows(1)], [rows(1), rows(1)], "/blocks"),
    (
        "markdown",
        [{"type": "markdown", "text": "x" * 12000}],
        [{"type": "markdown", "text": "x" * 12001}],
        "/blocks/0/text",
    ),
    (
        "image alt",
        [{"type": "image", "image_url": "http://x", "alt_text": "x" * 2000}],
        [{"type": "image", "image_url": "http://x", "alt_text": "x" * 2001}],
        "/blocks/0/alt_text",
    ),
    (
        "image source",
        [{"type": "image", "image_url": "http://x", "alt_text": "x"}],
        [{"type": "image", "alt_text": "x"}],
        "/blocks/0",
    ),
    (
        "rich text empty",
        [rich(quote("rich_text_section", text_part("x")))],
        [rich(quote("rich_text_section", text_part("")))],
        "/blocks/0/elements/0/elements/0/text",
    ),
    (
        "preformatted is literal",
        [rich(quote("rich_text_preformatted", text_part("x")))],
        [rich(quote("rich_text_preformatted", {"type": "user", "user_id": "U1"}))],
        "/blocks/0/elements/0/elements/0/type",
    ),
    (
        "rich text part",
        [rich(quote("rich_text_quote", {"type": "date", "timestamp": 1, "format": "{time}"}))],
        [rich(quote("rich_text_quote", {"type": "date", "timestamp": 1}))],
        "/blocks/0/elements/0/elements/0",
    ),
]


@pytest.mark.parametrize(
    ("passing", "failing", "pointer"),
    [case[1:] for case in MESSAGES],
    ids=[case[0].replace(" ", "-") for case in MESSAGES],
)
def test_a_message_limit_holds_exactly(
    passing: list[Block], failing: list[Block], pointer: str
) -> None:
    assert check_blocks(passing, "message") == []
    assert [one.pointer for one in check_blocks(failing, "message")] == [pointer]


def test_the_whole_message_has_a_limit_of_its_own() -> None:
    assert not is_message_too_long([section(3000)] * 4 + [section(1200)])
    assert is_message_too_long([section(3000)] * 4 + [section(1201)])


VIEWS: list[tuple[str, Block, Block, str]] = [
    ("title", modal(title=pt("x" * 24)), modal(title=pt("x" * 25)), "/view/title/text"),
    ("submit", modal(submit=pt("x" * 24)), modal(submit=pt("x" * 25)), "/view/submit/text"),
    ("close", modal(close=pt("x" * 24)), modal(close=pt("x" * 25)), "/view/close/text"),
    (
        "private_metadata",
        modal(private_metadata="x" * 3000),
        modal(private_metadata="x" * 3001),
        "/view/private_metadata",
    ),
    (
        "callback_id",
        modal(callback_id="x" * 255),
        modal(callback_id="x" * 256),
        "/view/callback_id",
    ),
    ("input needs submit", modal(), modal(submit=None), "/view"),
    ("blocks", modal(blocks=[section()] * 100), modal(blocks=[section()] * 101), "/view/blocks"),
    ("no blocks", modal(blocks=[section()]), modal(blocks=[]), "/view/blocks"),
    ("table", modal(blocks=[section()]), modal(blocks=[rows(1)]), "/view/blocks/0/type"),
    ("unknown key", modal(), modal(colour="red"), "/view/colour"),
]


@pytest.mark.parametrize(
    ("passing", "failing", "pointer"),
    [case[1:] for case in VIEWS],
    ids=[case[0].replace(" ", "-") for case in VIEWS],
)
def test_a_view_limit_holds_exactly(passing: Block, failing: Block, pointer: str) -> None:
    assert check_view(passing, "modal") == []
    assert [one.pointer for one in check_view(failing, "modal")] == [pointer]


def test_a_view_of_more_than_250_kilobytes_is_too_large() -> None:
    assert not is_view_too_large({"x": "y" * (250_000 - 9)})
    assert is_view_too_large({"x": "y" * (250_000 - 8)})


def test_a_modal_is_not_a_home_tab() -> None:
    assert check_view({"type": "home", "blocks": [section()]}, "home") == []
    assert check_view(modal(), "home") != []


@pytest.mark.parametrize("junk", [5, "x", None, [1], [None], [{}], {"a": 1}])
def test_what_is_no_list_of_blocks_is_refused_and_never_raises(junk: object) -> None:
    assert check_blocks(junk, "message") != []
    assert check_view({"type": "modal", "blocks": junk}, "modal") != []
