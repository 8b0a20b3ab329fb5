"""Who cannot see colours, pictures or the layout is told the same: every rendering is walked."""

import unicodedata
from collections.abc import Iterator

import pytest

from bot.slack import names, said
from bot.slack.cards.card import approval_card
from bot.slack.commands import break_glass, lending
from bot.slack.home import bulk_view, lists
from bot.slack.home import view as home_view
from bot.slack.home.inbox import Inbox
from bot.slack.kit import modals
from bot.slack.kit.blocks import Block, ours
from bot.slack.kit.text import Inert, fallback
from bot.slack.voting import details, forms, receipts
from bot.slack.voting.full_view import FullView, full_view, whole_file
from bot.slack.voting.views import working
from governance.control import Control, Frozen
from governance.errors import Code, Refused
from governance.tickets.ticket import Choice, TicketState
from tests.support import build
from tests.support.card_samples import samples, ticket, view
from tests.support.core import person

SAMPLES = samples()
_SHOWN = names.Shown(ticket_id=ticket().id, revision=1, binding="a" * 64)


def whole() -> FullView:
    return full_view(SAMPLES["pending"])


VIEWS: dict[str, Block] = {
    "page": details.page(SAMPLES["pending"], whole(), 0, may_vote=True),
    "page_of_a_voter": details.page(
        SAMPLES["executed"], whole(), 0, may_vote=False, has_receipt=True
    ),
    "cover": details.cover(SAMPLES["pending"], whole(), has_receipt=True),
    "sent": details.sent(ticket()),
    "decide": details.decide(SAMPLES["pending"], digest="f" * 64),
    "loading": modals.loading(),
    "notice": modals.notice(ours("Something.")),
    "working": working(),
    **{f"ballot_{c}": forms.ballot(_SHOWN, c) for c in Choice},
}
MESSAGES: dict[str, tuple[str, list[Block]]] = {
    **{name: (card.text, list(card.blocks)) for name, card in
       ((name, approval_card(sample)) for name, sample in SAMPLES.items())},
    **{code.value: (one.text, list(one.blocks)) for code, one in
       ((code, said.refused(Refused(code, ""))) for code in Code)},
    "failed": (said.failed().text, list(said.failed().blocks)),
    "file": (
        (file := details.file_message(ticket(), whole_file(view()), build.ANNA)).text,
        list(file.blocks),
    ),
    "receipt": (
        (receipt := receipts.message(ticket(), 12, "receipt-12.json")).text,
        list(receipt.blocks),
    ),
}  # fmt: skip
_FREEZE = Frozen(target="all", by=build.BEN, at=build.T0, reason="odd requests")
STOPPED = Control(frozen={_FREEZE.target: _FREEZE})
LISTS = {
    "list": lists.listing("Open", [ticket()] * 12, control=STOPPED, empty="None.", prefix="x"),
    "empty": lists.listing("Open", [], control=STOPPED, empty="None.", prefix="x"),
}
_INBOX = Inbox(
    person=person(build.ANNA),
    waiting=(ticket(),),
    decided=(ticket(votes=(build.vote(),)),),
    asked=(ticket(state=TicketState.REJECTED),),
    given=(),
    taken=(),
    left=(ticket(state=TicketState.UNKNOWN),),
    is_cut=True,
    may_delegate=True,
    troubles=("the approvals channel is archived",),
)
_ROWS = [bulk_view.row_of(sample, build.ANNA) for sample in list(SAMPLES.values())[:10]]
OTHERS: dict[str, Block] = {
    "home": home_view.home_view(_INBOX, {}),
    "home_of_a_stranger": home_view.stranger_view(ours("Nobody knows you here.")),
    "bulk": bulk_view.page("0" * 24, _ROWS, more=3, is_reason_needed=True),
    "delegate": lending.form(["operator"], build.T0),
    "break_glass": break_glass.form(["fire"], ["deploy.service"]),
    **{f"evidence_{deed}": forms.evidence(_SHOWN, deed, preview="42 rows") for deed in forms.Deed},
}
"""Renderings whose controls are not all about one ticket."""
EVERY: dict[str, list[Block]] = {
    **{name: blocks for name, (_, blocks) in MESSAGES.items()},
    **{f"view_{name}": found["blocks"] for name, found in VIEWS.items()},  # type: ignore[dict-item]
    **LISTS,
    **{f"other_{name}": found["blocks"] for name, found in OTHERS.items()},  # type: ignore[dict-item]
}


def nodes(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from nodes(inner)


def buttons(value: object) -> list[dict[str, object]]:
    return [node for node in nodes(value) if node.get("type") == "button"]


WITH_BUTTONS = [name for name, blocks in EVERY.items() if buttons(blocks)]
WITH_ROWS = [
    name for name, blocks in EVERY.items() if any(block["type"] == "actions" for block in blocks)
]


def test_what_waits_for_somebody_has_buttons_to_be_looked_at() -> None:
    wanted = {"pending", "approved", "unknown", "view_decide", "list", "other_home", "other_bulk"}
    assert wanted <= {*WITH_BUTTONS} & {*WITH_ROWS}


@pytest.mark.parametrize("name", WITH_BUTTONS)
def test_every_control_has_a_label_that_says_more_than_its_text(name: str) -> None:
    for node in buttons(EVERY[name]):
        label, text = node["accessibility_label"], node["text"]
        assert isinstance(label, str)
        assert isinstance(text, dict)
        assert len(label) > len(text["text"])
        if not name.startswith("other_"):
            assert "ticket" in label.lower()
            assert ticket().id in label


@pytest.mark.parametrize("name", WITH_ROWS)
def test_controls_of_one_row_are_told_apart_by_ear(name: str) -> None:
    for block in EVERY[name]:
        if block["type"] == "actions":
            row = buttons(block["elements"])
            labels = [node["accessibility_label"] for node in row]
            assert len(set(map(str, labels))) == len(labels)
            assert len({str(node["action_id"]) for node in row}) == len(row)


@pytest.mark.parametrize("name", EVERY)
def test_every_field_of_a_form_has_a_label(name: str) -> None:
    for node in nodes(EVERY[name]):
        kind = node.get("type")
        if kind == "input":
            label = node["label"]
            assert isinstance(label, dict)
            assert label["text"].strip()
        if kind == "image":
            assert node["alt_text"]
        assert kind != "emoji"


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_told_by_a_picture_or_a_colour_alone(name: str) -> None:
    for node in nodes(EVERY[name]):
        text = node.get("text")
        if isinstance(text, str):
            assert not [char for char in text if unicodedata.category(char) == "So"]
        assert node.get("type") != "color"
        assert "color" not in node
        style = node.get("style")
        if isinstance(style, str):  # a red or a green button also says in words what it does
            label = node.get("text") or node.get("confirm")
            assert isinstance(label, dict)
            assert str(label["text"]).split()[0].strip("\u2026") in (
                "Approve", "Stop", "Discard", "Release", "Stop this action?", "It"
            )  # fmt: skip


@pytest.mark.parametrize("name", MESSAGES)
def test_the_fallback_says_the_point(name: str) -> None:
    text, blocks = MESSAGES[name]
    assert text.strip()
    header = next((block for block in blocks if block["type"] == "header"), None)
    if header is None:
        return
    title = header["text"]
    assert isinstance(title, dict)
    assert text.startswith(fallback(Inert(title["text"]), 200))
    assert len(text) > len(title["text"]) + 10  # and where it stands


def test_every_state_is_told_apart_by_its_fallback_and_by_its_first_line() -> None:
    cards = [approval_card(view(ticket(state=state))) for state in TicketState]
    assert len({card.text for card in cards}) == len(cards)
    assert len({str(card.blocks[0]["text"]) for card in cards}) == len(cards)


def test_every_view_has_a_title_and_a_way_out() -> None:
    for found in VIEWS.values():
        for field in ("title", "close"):
            label = found[field]
            assert isinstance(label, dict)
            assert label["text"].strip()
