"""Values that a rule keeps off cards are nowhere on the card, and still have to be read."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.slack import names
from bot.slack.cards.card import approval_card
from bot.slack.cards.redaction import HIDDEN, redacted
from bot.slack.cards.view import CardView
from bot.slack.voting.full_view import full_view
from governance.action import Content
from governance.policy.decision import Constraints
from governance.tickets._opening import ask_of
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


def test_without_such_a_rule_the_card_is_as_it_was() -> None:
    plain = view(content=CONTENT)
    assert redacted(plain) is plain


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_arguments_keep_their_names_and_lose_their_values(value: object) -> None:
    content = Content(arguments={"a": value, "b": "Q7"})  # type: ignore[dict-item]  # any JSON
    made = redacted(hiding("arguments", content=content)).content
    assert made is not None
    assert made.arguments == {"a": HIDDEN, "b": HIDDEN}
