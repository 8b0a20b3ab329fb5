"""Threat: an agent's words format, mention, link or hide something beyond its card.

The home tab, pages of like tickets, answers to commands, menus, reminders, escalations, word of an
expiry and of an emergency, and the preview of an output: every room of Slack in which a name or a
word of an agent's is repeated. The audit channel has a test of its own.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest

from bot.emulator.limit_elements import check_options
from bot.emulator.limits import check_blocks, check_view, is_message_too_long, is_view_too_large
from bot.slack import names
from bot.slack.cards import parts, standing
from bot.slack.cards.card import approval_card
from bot.slack.cards.view import CardView, trace_address
from bot.slack.commands import picking, why
from bot.slack.home import bulk_view, lists
from bot.slack.home import view as home_view
from bot.slack.home.inbox import Inbox
from bot.slack.kit.blocks import Block, rich, section
from bot.slack.kit.text import Inert
from bot.slack.sending import alarm, notices
from bot.slack.voting import forms
from governance.action import ActionKind, Dispatch
from governance.control import Control, Frozen
from governance.tickets.ticket import Ticket, TicketState
from tests.attacks.hostile_strings import STRINGS
from tests.attacks.test_slack_hostile_text import check_seen, everywhere, nodes
from tests.support import build
from tests.support.core import person

NUMBERED = [pytest.param(text, id=f"{number:03}") for number, text in enumerate(STRINGS)]
CARD_AT = "https://workspace.example/archives/C1/p1"
TRACES = "https://traces.example/{trace_id}"
PEOPLE = frozenset({"UOWNER", "UANNA", "UBEN"})
Surface = Literal["modal", "home"]
PARSED = frozenset({"mrkdwn", "section", "link", "emoji", "image", "broadcast", "channel"})
"""What Slack would read marks in, or draw something else for; links are looked at by themselves."""


def view_of(text: str) -> CardView:
    return everywhere(text, action=list(ActionKind)[len(text) % 3], dispatch=Dispatch.EXECUTE)


def messages(text: str) -> Iterator[tuple[str, list[Block], str]]:
    """Each message in which the agent's names are repeated: its room, blocks and fallback."""
    view = view_of(text)
    ticket = view.ticket
    states = [replace(ticket, state=state) for state in TicketState]
    control = Control(frozen={text: Frozen(target=text, by=build.BEN, at=build.T0, reason=text)})
    trace = [{"source": "rule", "id": "r", "verdict": "DENY", "note": text}]
    listed = lists.listing("Open now", states, control=control, empty="", prefix="placet.list")
    yield "list", listed, ""
    yield "why", why.blocks_of(ticket, trace), ""
    told = [*standing.outcome(view, parts.BUDGETS[0]), *standing.progress(view, parts.BUDGETS[0])]
    yield "status", [rich(section(told)), standing.fine_print(ticket)], ""
    for name, said in (
        ("reminder", notices.reminder([ticket] * 3, {ticket.id: CARD_AT}, control)),
        ("escalation", notices.escalation(ticket, CARD_AT, control)),
        ("expiry", notices.expiry(replace(ticket, state=TicketState.EXPIRED))),
        ("emergency", alarm.announcement(ticket, template="failover", content=view.content)),
    ):
        yield name, list(said.blocks), said.text


def views(text: str) -> Iterator[tuple[str, Block, Surface]]:
    """The same for modals and the home tab."""
    view = view_of(text)
    ticket = view.ticket
    shown = names.Shown(ticket_id=ticket.id, revision=1, binding=ticket.binding)
    tab = Inbox(
        person=person(build.ANNA),
        waiting=(ticket, replace(ticket, id=build.sample_ticket().id)),
        decided=(replace(ticket, votes=(build.vote(),)),),
        asked=_each(ticket),
        given=(),
        taken=(),
        left=(replace(ticket, state=TicketState.UNKNOWN),),
        control=Control(frozen={text: Frozen(target=text, by=build.BEN, at=build.T0, reason="")}),
    )
    yield "home", home_view.home_view(tab, {}), "home"
    rows = [bulk_view.row_of(view, build.ANNA)] * 3
    yield "bulk", bulk_view.page("0" * 24, rows, more=0, is_reason_needed=True), "modal"
    verdict = bulk_view.Verdict(ticket=ticket, said=Inert("It counts."))
    yield "results", bulk_view.results([verdict]), "modal"
    yield "release", forms.evidence(shown, forms.Deed.RELEASE, preview=text), "modal"


def _each(ticket: Ticket) -> tuple[Ticket, ...]:
    return tuple(replace(ticket, state=state) for state in list(TicketState)[:5])


def check_room(where: str, blocks: object, *, links: frozenset[str] = frozenset()) -> None:
    """Nothing of the agent's takes effect, and nothing hides."""
    for node in nodes(blocks):
        kind = node.get("type")
        if kind == "link":
            assert node["url"] in links, where
        else:
            assert kind not in PARSED, where
        if kind == "plain_text":
            assert node["emoji"] is False, where
        if kind == "user":
            assert node["user_id"] in PEOPLE, where
        for name in ("text", "accessibility_label"):
            said = node.get(name)
            if isinstance(said, str):
                assert said, where
                check_seen(said)


@pytest.mark.parametrize("text", NUMBERED)
def test_nothing_an_agent_writes_takes_effect_in_a_message(text: str) -> None:
    for where, blocks, said in messages(text):
        check_room(where, blocks, links=frozenset({CARD_AT}))
        assert check_blocks(blocks, "message") == [], where
        assert not is_message_too_long(blocks), where
        plain = said.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "")
        assert not set(plain) & set("<>&*_~`@:#|"), where


@pytest.mark.parametrize("text", NUMBERED)
def test_nothing_an_agent_writes_takes_effect_in_a_view(text: str) -> None:
    for where, body, surface in views(text):
        check_room(where, body["blocks"])
        assert check_view(body, surface) == [], where
        assert not is_view_too_large(body), where


@pytest.mark.parametrize("text", NUMBERED)
def test_nothing_an_agent_writes_takes_effect_in_a_menu(text: str) -> None:
    option = picking._option(view_of(text).ticket)
    check_room("menu", option)
    assert check_options([option]) == []


@pytest.mark.parametrize("text", NUMBERED)
def test_a_trace_of_an_agents_naming_leads_nowhere_else(text: str) -> None:
    view = view_of(text)
    url = trace_address(TRACES, text)
    card = approval_card(replace(view, trace_url=url))
    check_room("card", card.blocks, links=frozenset({url}))
    assert check_blocks(list(card.blocks), "message") == []
    assert not url or url.startswith("https://traces.example/")
    assert url.isascii()
    assert not set(url.removeprefix("https://traces.example/")) & set("/?#@\\<>|\"' ")
