"""Modals as values: their frame, and notices of one sentence.

Lives here: pure functions to views. Must not live here: forms (``forms``), the full view
(``details``), opening any of them. Law: a notice carries the stable code of a refusal in its block
id, so that a program can tell refusals apart without reading prose.
"""

from bot.slack import names
from bot.slack.kit import limits
from bot.slack.kit.blocks import (
    Block,
    ours,
    plain,
    rich,
    run,
    section,
)
from bot.slack.kit.language import gettext
from bot.slack.kit.text import Inert, clip


def modal(title: str, blocks: list[Block], *, close: str = "", **more: object) -> Block:
    """A view with our own title and the word that closes it (Close, where none is given)."""
    view: Block = {
        "type": "modal",
        "title": plain(clip(ours(title), limits.VIEW_TITLE_CHARS)),
        "close": plain(ours(close or gettext("Close"))),
        "blocks": blocks,
    }
    return {**view, **more}


def loading() -> Block:
    """What stands there while the ledger is read."""
    return notice(ours(gettext("Reading the whole request\u2026")), title=gettext("Details"))


def notice(text: Inert, *, title: str = "Placet", code: str = "") -> Block:
    """One sentence in a modal; ``code`` is the stable code of a refusal."""
    block = {**rich(section([run(text)])), "block_id": f"placet.notice.{code or 'info'}"}
    return modal(title, [block], callback_id=names.NOTICE_VIEW)
