"""Slack's limits for blocks, messages, modals and home tabs: what a surface accepts.

Lives here: the block table, surface totals, view fields. Not here: elements and rich text.
Law: `check_*` return every finding with its JSON pointer; an empty list means Slack takes it.
"""

from __future__ import annotations

import json
from typing import Literal, TypeAlias

from bot.emulator.limit_elements import (
    ACCESSORIES,
    IMAGE,
    IN_ACTIONS,
    INPUTS,
    SLACK_FILE,
    URL,
    plain,
    prose,
)
from bot.emulator.limit_rich import RICH_ELEMENTS, characters, check_table
from bot.emulator.limit_rules import (
    Check,
    Findings,
    LimitError,
    Table,
    anything,
    boolean,
    many,
    one_of,
    record,
    refuse,
    string,
    typed,
    unique,
)
from bot.emulator.values import JsonObject

Surface: TypeAlias = Literal["message", "modal", "home"]

MAX_BLOCKS: dict[str, int] = {"message": 50, "modal": 100, "home": 100}
MAX_MESSAGE_CHARACTERS = 13_200
MAX_MARKDOWN = 12_000
MAX_POST_TEXT, MAX_UPDATE_TEXT = 40_000, 4_000
MAX_VIEW_BYTES = 250_000
MAX_STACK = 3
METADATA_BYTES = 16_000

_BASE: Table = {"type": anything, "block_id": string(255, shortest=1)}


def _section_body(value: object, at: str, out: Findings) -> None:
    if isinstance(value, dict) and not value.get("text") and not value.get("fields"):
        refuse(out, at, "missing required field: text or fields")


def _unique_actions(value: object, at: str, out: Findings) -> None:
    if isinstance(value, dict):
        unique("action_id", value.get("elements"), f"{at}/elements", out)


def _one_source(value: object, at: str, out: Findings) -> None:
    given = [n for n in ("image_url", "slack_file") if isinstance(value, dict) and n in value]
    if len(given) != 1:
        refuse(out, at, "exactly one of image_url and slack_file must be provided")


_ON_ALL: Table = {
    "section": record(
        {
            **_BASE,
            "text": prose(3000),
            "fields": many(prose(2000), fewest=1, most=10),
            "accessory": typed(ACCESSORIES),
            "expand": boolean,
        },
        required=("type",),
        also=_section_body,
    ),
    "divider": record(_BASE, required=("type",)),
    "header": record({**_BASE, "text": plain(150)}, required=("type", "text")),
    "context": record(
        {
            **_BASE,
            "elements": many(
                typed({"image": IMAGE, "plain_text": prose(3000), "mrkdwn": prose(3000)}),
                fewest=1,
                most=10,
            ),
        },
        required=("type", "elements"),
    ),
    "actions": record(
        {**_BASE, "elements": many(typed(IN_ACTIONS), fewest=1, most=25)},
        required=("type", "elements"),
        also=_unique_actions,
    ),
    "image": record(
        {
            **_BASE,
            "image_url": URL,
            "slack_file": SLACK_FILE,
            "alt_text": string(2000),
            "title": plain(2000),
        },
        required=("type", "alt_text"),
        also=_one_source,
    ),
    "rich_text": record({**_BASE, "elements": RICH_ELEMENTS}, required=("type", "elements")),
    "input": record(
        {
            **_BASE,
            "label": plain(2000),
            "element": typed(INPUTS),
            "hint": plain(2000),
            "optional": boolean,
            "dispatch_action": boolean,
        },
        required=("type", "label", "element"),
    ),
}
_ALERT: Check = record(
    {
        **_BASE,
        "text": prose(200),
        "level": one_of("default", "info", "warning", "error", "success"),
    },
    required=("type", "text"),
)
BLOCKS: dict[str, Table] = {
    "message": {
        **_ON_ALL,
        "table": check_table,
        "markdown": record(
            {**_BASE, "text": string(MAX_MARKDOWN, shortest=1)}, required=("type", "text")
        ),
    },
    "modal": {**_ON_ALL, "alert": _ALERT},
    "home": _ON_ALL,
}


def check_blocks(blocks: object, surface: Surface, *, at: str = "/blocks") -> list[LimitError]:
    """List why Slack would refuse these blocks on this surface."""
    out: Findings = []
    fewest = 0 if surface == "message" else 1
    many(typed(BLOCKS[surface]), fewest=fewest, most=MAX_BLOCKS[surface])(blocks, at, out)
    unique("block_id", blocks, at, out)
    if surface == "message" and isinstance(blocks, list):
        kinds = [one.get("type") for one in blocks if isinstance(one, dict)]
        if kinds.count("table") > 1:
            refuse(out, at, "only one table block allowed in a message")
    return out


def is_message_too_long(blocks: object) -> bool:
    """Say whether the readable characters of all blocks exceed what one message holds."""
    return characters(blocks) > MAX_MESSAGE_CHARACTERS


_VIEW_FIELDS: Table = {
    "type": one_of("modal", "home"),
    "blocks": anything,
    "private_metadata": string(3000),
    "callback_id": string(255),
    "external_id": string(255),
}
_MODAL = record(
    {
        **_VIEW_FIELDS,
        "title": plain(24),
        "submit": plain(24),
        "close": plain(24),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
    required=("type", "title", "blocks"),
)
_HOME = record(_VIEW_FIELDS, required=("type", "blocks"))


def check_view(view: JsonObject, surface: Surface) -> list[LimitError]:
    """List why Slack would refuse this view."""
    out: Findings = []
    if view.get("type") != surface:
        refuse(out, "/view/type", f"must be {surface}")
        return out
    (_HOME if surface == "home" else _MODAL)(view, "/view", out)
    blocks = view.get("blocks")
    out += check_blocks(blocks, surface, at="/view/blocks")
    listed = blocks if isinstance(blocks, list) else []
    has_input = any(isinstance(b, dict) and b.get("type") == "input" for b in listed)
    if surface == "modal" and has_input and not view.get("submit"):
        refuse(out, "/view", "submit is required when an input is within blocks")
    return out


def is_view_too_large(view: JsonObject) -> bool:
    """Say whether the view's JSON exceeds 250 kB."""
    return len(json.dumps(view, ensure_ascii=False).encode()) > MAX_VIEW_BYTES
