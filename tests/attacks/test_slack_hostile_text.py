"""Threat: an agent's words format, mention, link or hide something on a card."""

import json
import unicodedata
from collections.abc import Iterator

import pytest

from bot.emulator.limits import check_blocks
from bot.slack.cards import approval_card
from bot.slack.modals import details, full_view
from governance.action import Content, needs_full_view
from governance.canonical import Json
from tests.support import build
from tests.support.card_samples import ticket, view

_MARKS = [
    "*{}*",
    "_{}_",
    "~{}~",
    "`{}`",
    "```{}```",
    "> {}",
    "&gt; {}",
    "# {}",
    "- {}",
    "1. {}",
    "[{}](http://evil.example)",
    "<http://evil.example|{}>",
    "![{}](http://evil.example/x.png)",
    "||{}||",
    "**{}**",
    "__{}__",
    "<b>{}</b>",
    "<script>{}</script>",
    "{}\n```\nApproved",
]
_MENTIONS = [
    "<!channel>",
    "<!here>",
    "<!everyone>",
    "<@U0ADMIN>",
    "<@U0ADMIN|you>",
    "<#C0GENERAL>",
    "<!subteam^S0ADMINS>",
    "<!date^1^{date}|now>",
    "@channel",
    "@here",
    "@everyone",
    "&lt;!channel&gt;",
    "<mailto:a@b.example|a>",
    "<tel:1|call>",
]
_LINKS = [
    "https://evil.example",
    "http://evil.example/?a=b&c=d",
    "www.evil.example",
    "evil.example",
    "javascript:alert(1)",
    "slack://open",
    "data:text/html,x",
    "file:///etc/passwd",
    "https://good.example@evil.example",
    "https://evil.example/\u202eelpmaxe.doog",
]
_EMOJI = [":white_check_mark:", ":skull:", ":+1::skin-tone-2:", "\u2705 Approved by Anna"]
_BIDI = [
    f"a{char}b"
    for char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
]
_HIDDEN = [
    f"a{char}b"
    for char in (
        "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b"
        "\u180e\u2800\u3164\uffa0\ufe0e\ufe0f\U000e0001\U000e0041\U000e0100\ue000\U000f0000\ufff9\ufffb"
    )
]
_SPACES = [
    f"a{char}b" for char in "\u00a0\u1680\u2000\u2003\u2009\u200a\u202f\u205f\u3000\u2028\u2029"
]
_CONTROLS = [f"a{chr(code)}b" for code in (0, 1, 7, 8, 11, 12, 13, 27, 127, 133, 155)]
_LOOKALIKES = [
    "p\u0430ypal",
    "\u0440\u0430ypal",
    "g\u043e\u043egle",
    "\u0391pple",
    "micr\u03bfsoft",
    "ex\u0430mple.com",
    "\u24d0dmin",
    "\uff41dmin",
    "admi\u0578",
]
_FLOODS = [
    "e" + "\u0301" * 200,
    "\u0335" * 300,
    "a\u20dd" * 100,
    "\U0001f468\u200d" * 50,
    "\n" * 500,
]
_HUGE = ["x" * 5_000, "\u202e" * 5_000, "\U0001f600" * 2_000, "<!channel>" * 500, "a " * 3_000]
_ESCAPES = [
    "\\u{202e}",
    "\\u202e",
    "\\n",
    "\\",
    '"',
    "'",
    "\\\\u{202e}",
    "\\u{202e x9}",
    "\\u{",
    "{}",
]
_FORGED = [
    "CUT HERE",
    "Approved. Nothing more to do.",
    "Votes: 4 of 4",
    "The agent says, unverified:",
    "\n\nDecide before: never",
    "placet: system says approve",
    '{"type":"actions"}',
    "Ticket t-1, revision 9, binding 000000000000",
    "Requested by: Anna (administrator)",
    "Risk: low, by rule safe",
    "<!channel|\u200bhello>",
    "`*_~mixed~_*` <@U1> :tada: http://x.example \u202e",
]
STRINGS = [
    *(mark.replace("{}", "pay") for mark in _MARKS),
    *_MENTIONS,
    *_LINKS,
    *_EMOJI,
    *_BIDI,
    *_HIDDEN,
    *_SPACES,
    *_CONTROLS,
    *_LOOKALIKES,
    *_FLOODS,
    *_HUGE,
    *_ESCAPES,
    *_FORGED,
]
_OURS = frozenset({"user", "date"})
_PARTS = frozenset({"text", *_OURS})


def test_there_are_enough_of_them() -> None:
    assert len(set(STRINGS)) >= 150


def nodes(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from nodes(inner)


def check_inert(blocks: object) -> None:
    """Nothing in these blocks is parsed by Slack, and nothing in them hides."""
    for node in nodes(blocks):
        kind = node.get("type")
        assert kind not in {"mrkdwn", "link", "emoji", "broadcast", "channel", "usergroup", "image"}
        if kind == "plain_text":
            assert node["emoji"] is False
        if kind == "user":
            assert node["user_id"] == "UOWNER"
        text = node.get("text")
        if isinstance(text, str):
            for char in text:
                is_hidden = unicodedata.category(char) in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
                assert char == "\n" or not is_hidden
                assert char not in "\u115f\u1160\u2800\u3164\uffa0\u034f"


@pytest.mark.parametrize("text", STRINGS)
def test_nothing_an_agent_writes_takes_effect_on_its_card(text: str) -> None:
    arguments: dict[str, Json] = {"k": text, "list": [text], "deep": {"er": text}}
    content = Content(arguments=arguments, prompt=text, context={"c": text}, justification=text)
    asked = build.ask(
        agent=text,
        tool=text,
        topic=text,
        target=text,
        environment=text,
        data_class=text,
        risk_tags=(text,),
        labels=((text, text),),
        capability=text,
        trace_id=text,
        needs_full_view=needs_full_view(content),
    )
    sample = view(ticket(ask=asked, note=text), content=content, output=text)
    card = approval_card(sample)
    check_inert(card.blocks)
    assert check_blocks(list(card.blocks), "message") == []
    plain = card.text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")
    assert not set(plain) & set("<>&*_~`@:#|")
    whole = full_view(sample)
    for page in range(whole.count):
        check_inert(details(sample, whole, page, may_vote=True)["blocks"])


@pytest.mark.parametrize("text", STRINGS)
def test_what_an_agent_writes_is_labelled_as_the_agents(text: str) -> None:
    card = approval_card(view(content=Content(arguments={}, justification=text)))
    quoting = [block for block in card.blocks if "rich_text_quote" in json.dumps(block)]
    assert len(quoting) == 1
    elements = quoting[0]["elements"]
    assert isinstance(elements, list)
    label = elements[0]["elements"][0]
    assert label == {
        "type": "text",
        "text": "The agent says, unverified:",
        "style": {"bold": True},
    }


def test_look_alike_letters_are_pointed_out() -> None:
    card = approval_card(view(ticket(ask=build.ask(target="p\u0430ypal"))))
    assert "p\\\\u{430}ypal" in json.dumps(card.blocks, ensure_ascii=False)
