"""Threat: an agent's words format, mention, link or hide something on a card."""

import json
import unicodedata
from collections.abc import Iterator

import pytest

from bot.emulator.limits import check_blocks, check_view
from bot.slack.cards.card import approval_card
from bot.slack.cards.view import CardView
from bot.slack.kit.text import Inert, in_order, right_to_left
from bot.slack.voting import details
from bot.slack.voting.full_view import full_view, whole_file
from governance.action import ActionKind, Content, Dispatch, needs_full_view
from governance.canonical import Json
from tests.attacks.hostile_strings import STRINGS
from tests.support import build
from tests.support.card_samples import shown_as, ticket, view

NUMBERED = [pytest.param(text, id=f"{number:03}") for number, text in enumerate(STRINGS)]
_TYPES = frozenset(
    {"rich_text", "rich_text_section", "rich_text_preformatted", "rich_text_quote", "text", "date"}
    | {"user", "plain_text", "header", "context", "divider", "actions", "button", "table"}
    | {"raw_text"}
)
"""Everything that a card is made of; nothing else is in one, so nothing else can be made to be."""


def test_there_are_enough_of_them() -> None:
    assert len(set(STRINGS)) == len(STRINGS) >= 500


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
        assert kind is None or kind in _TYPES
        if kind == "plain_text":
            assert node["emoji"] is False
        if kind == "user":
            assert node["user_id"] == "UOWNER"
        for name in ("text", "accessibility_label"):
            text = node.get(name)
            if isinstance(text, str):
                assert text
                check_seen(text)


def check_seen(text: str) -> None:
    marks = 0
    for char in text:
        is_hidden = unicodedata.category(char) in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
        assert char in "\n\t" or not is_hidden
        assert unicodedata.category(char) != "Zs" or char == " "
        assert char not in "\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u180b"
        assert not "\ufe00" <= char <= "\ufe0f"
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        assert marks <= 2


def everywhere(text: str, *, action: ActionKind, dispatch: Dispatch) -> CardView:
    """A ticket with ``text`` in every field that an agent controls."""
    arguments: dict[str, Json] = {"k": text, text: 1, "list": [text], "deep": {"er": {text: text}}}
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
        on_behalf_of=text,
        action=action,
        dispatch=dispatch,
        needs_full_view=needs_full_view(content),
    )
    report = build.report(build.RunStatus.FAILED, error=text)
    one = ticket(ask=asked, note=text, report=report)
    return view(one, content=content, output=text, trace_url="")


def in_forms(text: str) -> list[CardView]:
    """``text`` in each form that a tool may be shown by."""
    change = {"form": "diff", "before": "old", "after": "new"}
    return [
        shown_as({"old": "a\n", "new": f"a\n{text}"}, shows=change),
        shown_as({"old": f"{text}\nb", "new": "b"}, shows=change),
        shown_as({"new": text}, shows={"form": "diff", "after": "new"}),
        shown_as({"p": text}, shows={"form": "diff", "argument": "p"}),
        shown_as({"r": [{"c": text, text: "v"}]}, shows={"form": "table", "argument": "r"}),
        shown_as({"argv": ["ls", text, text]}, shows={"form": "command", "argument": "argv"}),
        shown_as({"line": text}, shows={"form": "command", "argument": "line"}),
    ]


@pytest.mark.parametrize("text", NUMBERED)
def test_nothing_an_agent_writes_takes_effect_on_its_card(text: str) -> None:
    kinds = list(ActionKind)
    sample = everywhere(text, action=kinds[len(text) % 3], dispatch=list(Dispatch)[len(text) % 2])
    card = approval_card(sample)
    check_inert(card.blocks)
    assert check_blocks(list(card.blocks), "message") == []
    plain = card.text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")
    assert not set(plain) & set("<>&*_~`@:#|")
    whole = full_view(sample)
    for number in range(whole.count):
        body = details.page(sample, whole, number, may_vote=True)
        check_inert(body["blocks"])
        assert check_view(body, "modal") == []
    file = whole_file(sample)
    check_seen(file.content.decode("utf-8"))
    check_inert(details.file_message(sample.ticket, file, build.ANNA).blocks)


@pytest.mark.parametrize("text", NUMBERED)
def test_nothing_an_agent_writes_takes_effect_in_a_typed_form(text: str) -> None:
    for sample in in_forms(text):
        card = approval_card(sample)
        check_inert(card.blocks)
        assert check_blocks(list(card.blocks), "message") == []


@pytest.mark.parametrize("text", NUMBERED)
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


def test_letters_that_turn_the_order_around_are_pointed_out() -> None:
    content = Content(arguments={"x": "pay \u05d0 100 200"})
    card = json.dumps(approval_card(view(content=content)).blocks, ensure_ascii=False)
    assert "Right-to-left letters" in card
    assert "\\\\u{5d0}. What stands behind them may be drawn before them." in card
    assert right_to_left("plain") == right_to_left("gr\u00fcn") == ()


def test_a_command_line_is_drawn_in_the_order_in_which_it_runs() -> None:
    card = approval_card(in_forms("\u05d0 100 200")[5])
    assert "'\\\\u{5d0} 100 200'" in json.dumps(card.blocks, ensure_ascii=False)
    assert in_order(Inert("gr\u00fcn")) == "gr\u00fcn"
