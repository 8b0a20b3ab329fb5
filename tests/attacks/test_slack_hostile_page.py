"""The same threat, on the drawn page: what a browser shows is what the blocks say, and no more."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from playwright.async_api import Page, async_playwright

from bot.emulator.emulator import Emulator
from bot.emulator.values import ChannelSeed, UserSeed, WorkspaceSeed
from bot.slack.cards.card import Card, approval_card
from bot.slack.sending.client import SlackConfig, make_client
from governance.action import ActionKind, Dispatch
from tests.attacks.hostile_strings import STRINGS
from tests.attacks.test_slack_hostile_text import everywhere, in_forms

pytestmark = pytest.mark.browser
MANIFEST: Mapping[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "manifest.yml").read_text(encoding="utf-8")
)
CHANNEL, READER = "C0APPROVE", "UREADER"
SEED = WorkspaceSeed(
    users=(
        UserSeed(id=READER, name="reader", real_name="Reader"),
        UserSeed(id="UOWNER", name="owen", real_name="Owen"),
    ),
    channels=(ChannelSeed(id=CHANNEL, name="approvals", members=(READER, "UOWNER", "U0EMUBOT")),),
)
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What the page made of one message: texts by what they are drawn as, and what nobody may see.
READ = """
(articles) => articles.map((article) => {
  const body = article.querySelector('.body');
  const texts = (what) => [...body.querySelectorAll(what)].map((node) => node.textContent);
  const plain = (node) => {
    const copy = node.cloneNode(true);
    copy.querySelectorAll('time').forEach((time) => time.remove());
    return copy.textContent;
  };
  const right = article.getBoundingClientRect().right + 1;
  const drawn = [...body.querySelectorAll('h3, .rich, pre, blockquote, .context span, td, th')];
  const isGone = (node) => {
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    const isInTable = Boolean(node.closest('.table-wrap'));
    return !box.height || !box.width || style.visibility !== 'visible' || style.opacity !== '1'
      || style.direction !== 'ltr' || (!isInTable && box.right > right)
      || (!isInTable && node.scrollWidth > node.clientWidth + 1 && node.tagName !== 'SPAN');
  };
  return {
    ts: article.dataset.ts,
    header: texts('h3'), bold: texts('strong'), italic: texts('em'), code: texts('.rich code'),
    pre: texts('pre'), quote: texts('blockquote'), cells: texts('td, th'),
    small: texts('.context span'), buttons: texts('.actions button'),
    labels: [...body.querySelectorAll('.actions button')].map((b) => b.getAttribute('aria-label')),
    lines: [...body.querySelectorAll('div.rich')].map(plain),
    mentions: texts('.mention'),
    foreign: texts('a, img, svg, iframe, script, style, s, u, b, i, ul, ol, input, form, font'),
    gone: drawn.filter(isGone).map((node) => node.outerHTML.slice(0, 200)),
  };
})
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of Debian's chromium on a phone; any script error or dialog fails the test."""
    errors: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        made = await browser.new_page(viewport={"width": 390, "height": 844})
        made.on("pageerror", lambda error: errors.append(str(error)))
        made.on("dialog", lambda dialog: errors.append(dialog.message))
        yield made
        await browser.close()
    assert errors == []


def expected(card: Card) -> dict[str, list[str]]:
    """What the page ought to have made of the card's blocks."""
    found: dict[str, list[str]] = {name: [] for name in (
        "header", "bold", "italic", "code", "pre", "quote", "cells", "small", "buttons",
        "labels", "lines", "mentions",
    )}  # fmt: skip
    blocks: list[dict[str, Any]] = json.loads(json.dumps(card.blocks))
    for block in blocks:
        match block["type"]:
            case "header":
                found["header"].append(block["text"]["text"])
            case "context":
                found["small"] += [one["text"] for one in block["elements"]]
            case "table":
                found["cells"] += [cell["text"] for row in block["rows"] for cell in row]
            case "actions":
                found["buttons"] += [one["text"]["text"] for one in block["elements"]]
                found["labels"] += [one["accessibility_label"] for one in block["elements"]]
            case "rich_text":
                for element in block["elements"]:
                    _rich(element, found)
            case kind:
                assert kind == "divider"
    return found


def _rich(element: dict[str, Any], found: dict[str, list[str]]) -> None:
    line = ""
    for part in element["elements"]:
        if part["type"] == "user":
            name = {"UOWNER": "@owen"}.get(part["user_id"], f"@{part['user_id']}")
            found["mentions"].append(name)
            line += name
        elif part["type"] == "text":
            line += part["text"]
            for style in part.get("style", {}):
                found[style].append(part["text"])
    kind = element["type"].removeprefix("rich_text_")
    found[{"section": "lines", "preformatted": "pre", "quote": "quote"}[kind]].append(line)


async def test_the_page_shows_what_the_blocks_say_and_nothing_takes_effect(page: Page) -> None:
    emulator = Emulator(SEED, MANIFEST)
    await emulator.start()
    try:
        sent = await _post_all(emulator)
        await page.goto(f"{emulator.workspace_url}?user={READER}&channel=approvals")
        await page.wait_for_function(
            "wanted => document.querySelectorAll('article').length >= wanted", arg=len(sent)
        )
        read = await page.locator("article").evaluate_all(READ)
    finally:
        await emulator.stop()
    assert len(read) == len(sent) >= 2 * len(STRINGS)
    for seen in read:
        wanted, text = sent[seen.pop("ts")]
        assert seen.pop("foreign") == [], text
        assert seen.pop("gone") == [], text
        assert seen == wanted, text


async def _post_all(emulator: Emulator) -> dict[str, tuple[dict[str, list[str]], str]]:
    """Two cards for each string: in every field, and in one of the typed forms."""
    sent: dict[str, tuple[dict[str, list[str]], str]] = {}
    async with aiohttp.ClientSession(trust_env=False) as session:
        config = SlackConfig(
            bot_token=emulator.bot_token,
            signing_secret=emulator.signing_secret,
            base_url=emulator.base_url,
        )
        client = make_client(config, session)
        for number, text in enumerate(STRINGS):
            kind, way = list(ActionKind)[number % 3], list(Dispatch)[number % 2]
            forms = in_forms(text)
            for view in (everywhere(text, action=kind, dispatch=way), forms[number % len(forms)]):
                card = approval_card(view)
                answer = await client.chat_postMessage(
                    channel=CHANNEL, text=card.text, blocks=list(card.blocks)
                )
                sent[str(answer["ts"])] = (expected(card), text)
            await asyncio.sleep(0)
    return sent
