"""Forms are legal for any input, carry what was shown, and say which weight counts."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.emulator.limits import check_view
from bot.slack import names
from bot.slack.payloads import Submission, named_ticket, read, read_shown
from bot.slack.voting import forms
from bot.slack.voting.forms import Deed, RoleOffer
from governance.tickets.ticket import Choice, TicketId

SHOWN = names.Shown(ticket_id=TicketId("t-1"), revision=3, binding="a" * 64)
ROLE = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", fullmatch=True)
OFFERS = st.lists(
    st.builds(
        RoleOffer, role=ROLE, weight=st.integers(1, 10**9), then=st.text(min_size=1, max_size=400)
    ),
    max_size=120,
    unique_by=lambda offer: offer.role,
)


def _fields(view: dict[str, Any]) -> dict[str, Any]:
    return {block["block_id"]: block for block in view["blocks"]}


@given(offers=OFFERS, choice=st.sampled_from(list(Choice)), is_reason_needed=st.booleans())
def test_a_ballot_is_legal_for_any_roles(
    offers: list[RoleOffer], choice: Choice, is_reason_needed: bool
):
    view = forms.ballot(SHOWN, choice, roles=offers, is_reason_needed=is_reason_needed)
    assert check_view(view, "modal") == []
    fields = _fields(view)
    assert (names.ROLE_BLOCK in fields) is bool(offers)
    assert fields[names.REASON_BLOCK]["optional"] is not is_reason_needed


@given(preview=st.none() | st.text(max_size=6_000), deed=st.sampled_from(list(Deed)))
def test_a_form_of_evidence_is_legal_for_any_output(preview: str | None, deed: Deed):
    assert check_view(forms.evidence(SHOWN, deed, preview=preview), "modal") == []


@pytest.mark.parametrize("deed", list(Deed))
def test_a_form_of_evidence_names_its_ticket_and_asks_for_words(deed: Deed):
    view = forms.evidence(SHOWN, deed, preview="done")
    assert "t-1" in json.dumps(view["blocks"])
    assert _fields(view)[names.REASON_BLOCK]["optional"] is False
    carried = read_shown(cast("str", view["private_metadata"]))
    assert (carried.shown, carried.c) == (SHOWN, deed.value)


def test_only_a_release_shows_what_it_would_let_be_seen():
    for deed in Deed:
        shown = "hidden text" in str(forms.evidence(SHOWN, deed, preview="hidden text"))
        assert shown is (deed is Deed.RELEASE)


def test_a_preview_that_is_cut_says_so_and_one_that_is_gone_too():
    long = forms.evidence(SHOWN, Deed.RELEASE, preview="x" * 5_000)
    assert "CUT HERE: 2,500 of 5,000 characters shown." in str(long)
    assert forms.NO_PREVIEW in str(forms.evidence(SHOWN, Deed.RELEASE))


def test_a_role_is_offered_with_its_weight_and_the_default_one_is_chosen():
    offers = [
        RoleOffer(role="reviewer", weight=3, then="needs 1 operator"),
        RoleOffer(role="operator", weight=1, then="needs 1 reviewer"),
    ]
    menu = _fields(forms.ballot(SHOWN, Choice.APPROVE, roles=offers))[names.ROLE_BLOCK]["element"]
    assert [option["text"]["text"] for option in menu["options"]] == [
        "reviewer, weight 3",
        "operator, weight 1",
    ]
    assert menu["initial_option"]["value"] == "reviewer"
    assert "needs" in menu["options"][1]["description"]["text"]


def _submission(state: object) -> Submission:
    values = {names.ROLE_BLOCK: {names.ROLE_INPUT: state}}
    view = {"id": "V1", "callback_id": names.BALLOT_VIEW, "state": {"values": values}}
    return read(Submission, {"user": {"id": "U1"}, "view": view})


@pytest.mark.parametrize(
    ("state", "chosen"),
    [
        ({"type": "static_select", "selected_option": {"value": "operator"}}, "operator"),
        ({"type": "static_select", "selected_option": None}, ""),
        ({"type": "plain_text_input", "value": "typed"}, "typed"),
        ({"type": "plain_text_input", "value": None}, ""),
    ],
)
def test_a_field_says_what_was_chosen_or_typed(state: object, chosen: str):
    assert _submission(state).field(names.ROLE_BLOCK, names.ROLE_INPUT) == chosen


VALUE = SHOWN.to_value()


@pytest.mark.parametrize(
    ("payload", "ticket"),
    [
        ({"type": "block_actions", "actions": [{"value": VALUE}]}, "t-1"),
        ({"type": "view_submission", "view": {"private_metadata": VALUE}}, "t-1"),
        ({"type": "block_actions", "actions": [{"value": "{nonsense"}]}, None),
        ({"type": "block_actions", "actions": [{"action_id": "x"}]}, None),
        ({"type": "block_actions", "actions": []}, None),
        ({"type": "view_submission", "view": {"private_metadata": ""}}, None),
        ({"type": "event_callback", "event": {"type": "user_change"}}, None),
        ({"command": "/placet"}, None),
    ],
)
def test_an_envelope_names_its_ticket_or_none(payload: dict[str, object], ticket: str | None):
    assert named_ticket(payload) == ticket
