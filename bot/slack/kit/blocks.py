"""Block Kit pieces, built from inert text only.

Lives here: builders of the few blocks and elements that cards and views use.
Must not live here: what a card says, limits of content (their callers cut first).
Law: untrusted text goes into rich_text ``text`` elements or plain_text without emoji, which Slack
does not parse; nothing here makes mrkdwn.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from bot.slack.kit import limits
from bot.slack.kit.language import gettext
from bot.slack.kit.text import Inert, clip, inert
from governance.principal import PersonId

Block = dict[str, object]
"""A block, an element or a view: JSON that Slack reads."""

_SLACK_PERSON = re.compile(r"slack:[A-Z0-9]{2,30}/([UW][A-Z0-9]{1,30})")


def ours(text: str) -> Inert:
    """Our own wording, which needs no escape."""
    return Inert(text)


def plain(text: Inert) -> Block:
    """A plain_text object; colon names stay words."""
    return {"type": "plain_text", "text": text, "emoji": False}


def run(text: Inert, *, bold: bool = False, italic: bool = False, code: bool = False) -> Block:
    """A run of text inside rich text; Slack refuses an empty one, so that reads as a dash."""
    styles = {"bold": bold, "italic": italic, "code": code}
    style = {name: True for name, is_on in styles.items() if is_on}
    return {"type": "text", "text": text or "-", **({"style": style} if style else {})}


def person(person_id: PersonId | str, *, team_id: str = "", most: int = 80) -> Block:
    """A person: Slack shows the name of an account of this team, everybody else by id."""
    found = _SLACK_PERSON.fullmatch(person_id)
    if found and (not team_id or person_id.startswith(f"slack:{team_id}/")):
        return {"type": "user", "user_id": found[1]}
    return run(clip(inert(person_id), most), code=True)


def instant(at: datetime, *, with_day: bool = True) -> Block:
    """An instant in the reader's own time zone; UTC where Slack cannot tell."""
    return {
        "type": "date",
        "timestamp": int(at.timestamp()),
        "format": gettext("{date_short_pretty} at {time}") if with_day else "{time}",
        "fallback": at.strftime("%Y-%m-%d %H:%M UTC"),
    }


def line(*parts: Block) -> list[Block]:
    """One line of rich text, with its end."""
    return [*parts, run(ours("\n"))]


def section(parts: Sequence[Block]) -> Block:
    """A rich text section; a line end at its very end is dropped."""
    kept = list(parts)
    if kept and kept[-1].get("text") == "\n":
        kept.pop()
    return {"type": "rich_text_section", "elements": kept}


def preformatted(text: Inert) -> Block:
    """Text in a fixed font, as it is."""
    return {"type": "rich_text_preformatted", "elements": [run(text or ours(" "))]}


def quote(text: Inert) -> Block:
    """Somebody else's words, set apart."""
    return {"type": "rich_text_quote", "elements": [run(text or ours(" "))]}


def rich(*elements: Block) -> Block:
    """A rich_text block."""
    return {"type": "rich_text", "elements": list(elements)}


def table(rows: Sequence[Sequence[Inert]]) -> Block:
    """A table of plain texts, its first row the header; Slack refuses an empty cell."""
    return {
        "type": "table",
        "rows": [[{"type": "raw_text", "text": cell or "-"} for cell in row] for row in rows],
        "column_settings": [{"is_wrapped": True} for _ in rows[0]],
    }


def link(url: str, text: Inert) -> Block:
    """A link to an address of ours: the operator's setting, never an agent's text."""
    return {"type": "link", "url": url, "text": text}


def header(text: Inert) -> Block:
    """A header."""
    return {"type": "header", "text": plain(clip(text, limits.HEADER_CHARS))}


def small(*texts: Inert) -> Block:
    """Fine print: a context block, which Slack sets small and grey."""
    elements = [plain(clip(text, limits.SECTION_CHARS)) for text in texts]
    return {"type": "context", "elements": elements}


def divider() -> Block:
    """A thin line."""
    return {"type": "divider"}


def confirm(*, title: str, text: str, yes: str, no: str, is_danger: bool = False) -> Block:
    """A confirm dialog in our own words."""
    dialog: Block = {
        "title": plain(clip(ours(title), limits.CONFIRM_TITLE_CHARS)),
        "text": plain(clip(ours(text), limits.CONFIRM_TEXT_CHARS)),
        "confirm": plain(clip(ours(yes), limits.CONFIRM_BUTTON_CHARS)),
        "deny": plain(clip(ours(no), limits.CONFIRM_BUTTON_CHARS)),
    }
    return {**dialog, "style": "danger"} if is_danger else dialog


def button(
    text: str,
    *,
    action_id: str,
    value: str,
    label: Inert,
    style: str = "",
    dialog: Block | None = None,
) -> Block:
    """A button; ``label`` is what a screen reader says."""
    made: Block = {
        "type": "button",
        "text": plain(clip(ours(text), limits.BUTTON_TEXT_CHARS)),
        "action_id": action_id,
        "value": value,
        "accessibility_label": clip(label, limits.BUTTON_LABEL_CHARS),
    }
    if style:
        made["style"] = style
    if dialog is not None:
        made["confirm"] = dialog
    return made


def actions(*elements: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def with_ids(blocks: Sequence[Block], prefix: str) -> list[Block]:
    """The blocks with ids of their own, so that an older rendering can be told apart."""
    return [
        {**block, "block_id": f"{prefix}.{number}"} if "block_id" not in block else block
        for number, block in enumerate(blocks)
    ]
