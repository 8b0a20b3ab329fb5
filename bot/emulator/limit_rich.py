"""Slack's limits for rich text and tables.

Lives here: the grammar of rich_text blocks and the rules of table blocks.
Not here: other blocks. Law: an empty text or cell is refused, as Slack refuses it.
"""

from __future__ import annotations

from bot.emulator.limit_rules import (
    Check,
    Findings,
    Table,
    anything,
    boolean,
    many,
    one_of,
    record,
    refuse,
    string,
    typed,
    whole,
)

TABLE_ROWS, TABLE_CELLS, TABLE_CHARACTERS = 100, 20, 10_000
_MANY = 10_000
_WIDE = 40_000

_STYLE = record(dict.fromkeys(("bold", "italic", "strike", "code", "underline"), boolean))
_TEXT = string(_WIDE, shortest=1)
_ID = string(255, shortest=1)


def _part(*required: str, **fields: Check) -> Check:
    return record({"type": anything, "style": _STYLE, **fields}, required=("type", *required))


PARTS: Table = {
    "text": _part("text", text=_TEXT),
    "link": _part("url", url=string(3000, shortest=1), text=string(_WIDE), unsafe=boolean),
    "user": _part("user_id", user_id=_ID),
    "channel": _part("channel_id", channel_id=_ID),
    "usergroup": _part("usergroup_id", usergroup_id=_ID),
    "team": _part("team_id", team_id=_ID),
    "emoji": _part("name", name=_ID, unicode=string(255), skin_tone=whole(1, 6)),
    "broadcast": _part("range", range=one_of("here", "channel", "everyone")),
    "color": _part("value", value=_ID),
    "date": _part(
        "timestamp",
        "format",
        timestamp=whole(0, 10**11),
        format=string(255, shortest=1),
        url=string(3000),
        fallback=string(255),
    ),
}
_PARTS = many(typed(PARTS), most=_MANY)
_LITERAL = many(typed({"text": PARTS["text"], "link": PARTS["link"]}), fewest=1, most=_MANY)
_BORDER = whole(0, 1)
SECTION = record({"type": anything, "elements": _PARTS}, required=("type", "elements"))

RICH_PARTS: Table = {
    "rich_text_section": SECTION,
    "rich_text_quote": record(
        {"type": anything, "elements": _PARTS, "border": _BORDER}, required=("type", "elements")
    ),
    "rich_text_preformatted": record(
        {"type": anything, "elements": _LITERAL, "border": _BORDER, "language": string(255)},
        required=("type", "elements"),
    ),
    "rich_text_list": record(
        {
            "type": anything,
            "style": one_of("bullet", "ordered"),
            "elements": many(typed({"rich_text_section": SECTION}), fewest=1, most=_MANY),
            "indent": whole(0, 8),
            "offset": whole(0, _MANY),
            "border": _BORDER,
        },
        required=("type", "style", "elements"),
    ),
}
RICH_ELEMENTS = many(typed(RICH_PARTS), fewest=1, most=_MANY)
_CELL = typed(
    {
        "raw_text": record(
            {"type": anything, "text": string(_WIDE, shortest=1)}, required=("type", "text")
        ),
        "raw_number": record({"type": anything, "value": anything, "text": string(_WIDE)}),
        "rich_text": record(
            {"type": anything, "elements": RICH_ELEMENTS, "block_id": _ID},
            required=("type", "elements"),
        ),
    }
)
_COLUMN = record({"align": one_of("left", "center", "right"), "is_wrapped": boolean})
_TABLE_FIELDS = record(
    {
        "type": anything,
        "block_id": _ID,
        "rows": many(many(_CELL, fewest=1, most=TABLE_CELLS), fewest=1, most=TABLE_ROWS),
        "column_settings": many(_COLUMN, most=TABLE_CELLS),
    },
    required=("type", "rows"),
)


def characters(value: object) -> int:
    """Count the characters a person would read in any piece of Block Kit."""
    if isinstance(value, list):
        return sum(characters(one) for one in value)
    if isinstance(value, dict):
        shown = ("text", "alt_text", "label", "description", "fallback")
        own = sum(len(v) for k, v in value.items() if k in shown and isinstance(v, str))
        return own + sum(characters(v) for v in value.values())
    return 0


def check_table(value: object, at: str, out: Findings) -> None:
    """Accept a table of at most 100 rows, 20 cells a row and 10,000 characters."""
    _TABLE_FIELDS(value, at, out)
    if isinstance(value, dict) and characters(value.get("rows")) > TABLE_CHARACTERS:
        refuse(out, f"{at}/rows", f"no more than {TABLE_CHARACTERS} characters allowed in a table")
