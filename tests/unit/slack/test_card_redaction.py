"""Values that a rule keeps off cards are nowhere on the card, and still have to be read."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import names
from bot.slack.cards import title as card_title
from bot.slack.cards.card import approval_card
from bot.slack.cards.redaction import HIDDEN, redacted
from bot.slack.cards.title import KEPT_BACK
from bot.slack.cards.view import CardView
from bot.slack.sending.alarm import announcement
from bot.slack.voting.full_view import full_view
from governance.action import Content
from governance.policy.decision import Constraints
from governance.tickets._opening import ask_of
from governance.tickets.ticket import TicketState
from tests.support.card_samples import view
from tests.support.core import agent, decision, request

CONTENT = Content(
    arguments={"salary": 48_211, "who": {"name": "Q7zara", "list": [{"name": "Q7zoe"}]}, "n": 1},
    prompt="Q7prompt",
    context={"why": "Q7context"},
    justification="Q7justified",
)
EVERY = ("arguments", "prompt", "context", "justification", "output")


def hiding(*words: str, content: Content = CONTENT) -> CardView:
    made = view(content=content)
    ruling = replace(made.ticket.ruling, constraints=Constraints(redact_deny=words))
    return replace(made, ticket=replace(made.ticket, ruling=ruling), output="Q7output")


def shown(sample: CardView) -> str:
    return json.dumps(approval_card(sample).blocks, ensure_ascii=False)


def test_nothing_that_is_named_is_on_the_card() -> None:
    card = shown(hiding(*EVERY))
    assert "Q7" not in card
    assert "48211" not in card
    assert "NOT WHOLE. Policy keeps values off this card" in card


def test_one_argument_is_hidden_wherever_it_stands_and_the_others_are_not() -> None:
    card = shown(hiding("Name"))
    assert "Q7zara" not in card
    assert "Q7zoe" not in card
    assert "48211" in card


def test_details_shows_what_the_card_hides() -> None:
    pages = full_view(hiding(*EVERY)).pages
    whole = "".join(piece.text for page in pages for piece in page)
    assert "Q7zara" in whole
    assert "Q7prompt" in whole


def test_a_card_that_keeps_something_back_is_never_approved_from_unread() -> None:
    assert names.APPROVE not in shown(hiding("salary"))  # an earlier ticket, under a new rule


def test_a_request_under_such_a_rule_needs_the_full_view() -> None:
    for words, is_needed in ((("salary",), True), ((), False)):
        made = replace(decision(), constraints=Constraints(redact_deny=words))
        assert ask_of(request(), agent(), made, content="c").needs_full_view is is_needed


def _about(target: str, *hidden: str) -> CardView:
    made = hiding(*hidden)
    ask = replace(made.ticket.ask, target=target)
    return replace(made, ticket=replace(made.ticket, ask=ask))


@pytest.mark.parametrize("target", ["Q7target", "Q7 target \u0430a", "Q7" + "x" * 200])
def test_a_target_that_is_named_is_nowhere_on_the_card_in_any_state(target: str) -> None:
    for state in TicketState:
        made = _about(target, "Target")
        made = replace(made, ticket=replace(made.ticket, state=state), content=None, output=None)
        said = approval_card(made)
        assert "Q7" not in shown(made) + said.text, state
        assert KEPT_BACK in str(card_title.title(made.ticket)), state


def test_only_the_word_hides_the_target_and_details_shows_it() -> None:
    assert "Q7target" in shown(_about("Q7target", "salary"))
    pages = full_view(_about("Q7target", "target")).pages
    assert "Q7target" in "".join(piece.text for page in pages for piece in page)


def test_where_there_is_no_target_none_is_said_to_be_hidden() -> None:
    assert KEPT_BACK not in str(card_title.title(_about("", "target").ticket))


def test_an_agent_cannot_say_that_its_target_is_hidden() -> None:
    assert f"\u201c{KEPT_BACK}\u201d" in str(card_title.title(_about(KEPT_BACK).ticket))


def test_the_second_channel_of_an_emergency_keeps_the_target_back_as_well() -> None:
    said = announcement(_about("Q7target", "target").ticket, template="fire", content=None)
    assert "Q7target" not in json.dumps(said.blocks) + said.text
    said = announcement(_about("Q7target").ticket, template="fire", content=None)
    assert "Q7target" in json.dumps(said.blocks)


def test_without_such_a_rule_the_card_is_as_it_was() -> None:
    plain = view(content=CONTENT)
    assert redacted(plain) is plain


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_arguments_keep_their_names_and_lose_their_values(value: object) -> None:
    content = Content(arguments={"a": value, "b": "Q7"})  # type: ignore[dict-item]  # any JSON
    made = redacted(hiding("arguments", content=content)).content
    assert made is not None
    assert made.arguments == {"a": HIDDEN, "b": HIDDEN}
