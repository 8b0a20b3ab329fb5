"""What a card offers follows from the state, and nothing that the core would surely refuse."""

from dataclasses import replace

import pytest

from bot.slack import names
from bot.slack.cards.offers import offered
from governance.execution import OutputState
from governance.tickets.ticket import Ticket, TicketState
from tests.support import build

S = TicketState


def _ticket(state: TicketState, **changes: object) -> Ticket:
    return replace(build.sample_ticket(), state=state, **changes)  # type: ignore[arg-type]


def test_a_pending_ticket_offers_a_withdrawal_once_somebody_voted():
    base = (names.APPROVE, names.REJECT, names.DETAILS)
    assert offered(_ticket(S.PENDING, votes=())) == base
    assert offered(_ticket(S.PENDING)) == (*base, names.WITHDRAW)


def test_while_its_agent_is_frozen_a_ticket_offers_all_but_the_approval():
    still = (names.REJECT, names.DETAILS, names.WITHDRAW)
    assert offered(_ticket(S.PENDING), is_frozen=True) == still
    assert offered(_ticket(S.APPROVED), is_frozen=True) == (names.STOP,)


def test_a_tier_that_asks_why_offers_the_approval_with_a_form():
    ruling = build.ruling(requirement=build.requirement(comment_required=True))
    assert offered(_ticket(S.PENDING, ruling=ruling))[0] == names.APPROVE_WITH_COMMENT


@pytest.mark.parametrize(
    ("state", "action_ids"),
    [
        (S.APPROVED, (names.STOP,)),
        (S.UNKNOWN, (names.TOOK_EFFECT, names.NO_EFFECT)),
        *((state, ()) for state in (S.EXECUTING, S.DENIED, S.REJECTED, S.EXPIRED, S.CANCELLED)),
    ],
)
def test_every_other_state_offers_what_may_follow(state: TicketState, action_ids: tuple[str, ...]):
    assert offered(_ticket(state)) == action_ids


@pytest.mark.parametrize("state", [S.EXECUTED, S.RELEASED])
@pytest.mark.parametrize("output", list(OutputState))
def test_an_output_is_decided_about_only_while_it_is_quarantined(
    state: TicketState, output: OutputState
):
    found = offered(_ticket(state, report=build.report(output_state=output)))
    held = output is OutputState.QUARANTINED
    assert found == ((names.RELEASE_OUTPUT, names.DISCARD_OUTPUT) if held else ())


def test_no_button_without_a_listener_and_no_listener_without_a_name():
    everything = {
        action
        for state in S
        for output in OutputState
        for action in offered(_ticket(state, report=build.report(output_state=output)))
    }
    assert everything <= {*names.ACTIONS}
