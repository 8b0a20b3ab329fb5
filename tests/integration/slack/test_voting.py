"""Every way in which an approver changes what they said, or what was decided, on a card."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.slack import names
from governance.execution import OutputState, RunStatus
from governance.tickets.ticket import Choice, TicketState
from tests.integration.slack.stage import Stage, open_stage, said_in
from tests.integration.slack.world import code_of

S = TicketState
WHY = {names.REASON_BLOCK: "I looked at the console"}


@pytest.fixture(params=["http", "socket"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path, transport=request.param) as opened:
        yield opened


def _modal_text(stage: Stage, user: str) -> str:
    modal = stage.emu.modal(user)
    assert modal is not None
    return str(modal.blocks)


async def test_who_holds_two_roles_chooses_one_and_is_told_its_weight(stage: Stage) -> None:
    await stage.ask()
    await stage.click("rita", names.APPROVE)
    form = _modal_text(stage, "rita")
    assert "reviewer, weight 3" in form
    assert "operator, weight 1" in form
    assert "needs 1 reviewer" in form
    await stage.fill("rita", {names.ROLE_BLOCK: "operator"})
    assert "Your vote counts as operator, weight 1. Needs" in _modal_text(stage, "rita")
    assert [vote.role for vote in (await stage.ticket()).votes] == ["operator"]
    await stage.check(S.PENDING, VoteCast=1)


async def test_who_chooses_nothing_votes_in_the_default_role(stage: Stage) -> None:
    await stage.ask()
    await stage.click("rita", names.APPROVE)
    await stage.fill("rita", {})
    assert [(vote.role, vote.weight) for vote in (await stage.ticket()).votes] == [("reviewer", 3)]
    await stage.check(S.PENDING, VoteCast=1)


async def test_a_role_is_changed_while_the_ticket_waits(stage: Stage) -> None:
    await stage.ask()
    for role in ("operator", "reviewer"):
        await stage.click("rita", names.APPROVE)
        await stage.fill("rita", {names.ROLE_BLOCK: role})
    assert [vote.role for vote in (await stage.ticket()).votes] == ["reviewer"]
    await stage.click("olga", names.APPROVE)
    await stage.check(S.APPROVED, VoteCast=3, TicketApproved=1)


async def test_who_can_settle_it_in_either_role_is_not_asked(stage: Stage) -> None:
    await stage.ask("job.by-one")
    await stage.click("rita", names.APPROVE)
    assert stage.emu.modal("rita") is None
    await stage.check(S.APPROVED, VoteCast=1)


async def test_a_vote_is_withdrawn_while_the_ticket_waits(stage: Stage) -> None:
    await stage.ask()
    await stage.click("olga", names.APPROVE)
    await stage.show()
    result = await stage.click("olga", names.WITHDRAW)
    assert "withdrawn" in said_in(result)
    assert (await stage.ticket()).votes == ()
    again = await stage.click("olga", names.WITHDRAW)
    assert code_of(again) == "no_vote"
    await stage.click("olga", names.APPROVE)
    await stage.check(S.PENDING, VoteCast=2, VoteWithdrawn=1)


async def test_a_vote_is_turned_round_while_the_ticket_waits(stage: Stage) -> None:
    await stage.ask("job.by-weight")
    await stage.click("olga", names.REJECT)
    await stage.fill("olga", {names.REASON_BLOCK: "not yet"})
    assert [vote.choice for vote in (await stage.ticket()).votes] == [Choice.REJECT]
    await stage.click("olga", names.APPROVE)
    assert [vote.choice for vote in (await stage.ticket()).votes] == [Choice.APPROVE]
    await stage.check(S.PENDING, VoteCast=2)


async def test_a_tier_that_asks_why_asks_it_of_an_approval_too(stage: Stage) -> None:
    await stage.ask("job.commented")
    await stage.click("olga", names.APPROVE_WITH_COMMENT)
    for blank in (" ", "\u200b\u3164"):
        refused = await stage.fill("olga", {names.REASON_BLOCK: blank})
        assert "Please say why" in refused.errors[names.REASON_BLOCK]
    assert (await stage.ticket()).votes == ()
    await stage.fill("olga", {names.REASON_BLOCK: "the window is open"})
    assert stage.emu.modal("olga") is None
    await stage.check(S.PENDING, VoteCast=1, VoteRefused=1)


async def test_reason_and_role_are_asked_in_one_form(stage: Stage) -> None:
    await stage.ask("job.commented")
    await stage.click("rita", names.APPROVE_WITH_COMMENT)
    refused = await stage.fill("rita", {names.ROLE_BLOCK: "operator", names.REASON_BLOCK: " "})
    assert "Please say why" in refused.errors[names.REASON_BLOCK]
    await stage.fill("rita", {names.REASON_BLOCK: "seen"})
    assert [vote.role for vote in (await stage.ticket()).votes] == ["operator"]
    await stage.check(S.PENDING, VoteCast=1)


async def test_a_role_that_is_lost_while_the_form_is_open_is_refused_at_its_field(
    stage: Stage,
) -> None:
    await stage.ask()
    await stage.click("rita", names.APPROVE)
    await stage.emu.set_usergroup("S0REVIEW", "U0ROY")
    refused = await stage.fill("rita", {names.ROLE_BLOCK: "reviewer"})
    assert "no vote here" in refused.errors[names.ROLE_BLOCK]
    await stage.check(S.PENDING, VoteCast=0, VoteRefused=1)


async def test_an_approved_ticket_is_stopped_before_it_starts(stage: Stage) -> None:
    await stage.approved()
    assert "Stopped. It will not run." in said_in(await stage.click("otto", names.STOP))
    assert "It was so already." in said_in(await stage.click("olga", names.STOP))
    assert await stage.redeem() == "not_approved"
    await stage.check(S.REJECTED, TicketRejected=1, GrantRedeemed=0)


async def test_a_run_that_failed_is_asked_for_again_with_new_votes(stage: Stage) -> None:
    await stage.approved(to_run=True)
    assert await stage.start() == ""
    await stage.end(RunStatus.FAILED, output=b"boom")
    ticket = await stage.ticket()
    assert (ticket.state, ticket.revision, ticket.votes) == (S.PENDING, 2, ())
    stale = await stage.click("olga", names.STOP)
    assert code_of(stale) == "wrong_state"
    await stage.show()
    await stage.click("olga", names.APPROVE)
    await stage.click("roy", names.APPROVE)
    await stage.check(S.APPROVED, TicketRevised=1, VoteCast=4, runs=1)


async def test_what_became_of_a_run_takes_two_who_say_it_with_evidence(stage: Stage) -> None:
    await stage.unknown()
    await stage.click("olga", names.TOOK_EFFECT)
    refused = await stage.fill("olga", {names.REASON_BLOCK: " "})
    assert "what you looked at" in refused.errors[names.REASON_BLOCK]
    await stage.fill("olga", WHY)
    assert "One more person" in _modal_text(stage, "olga")
    assert (await stage.ticket()).state is S.UNKNOWN
    await stage.show()
    await stage.click("otto", names.TOOK_EFFECT)
    await stage.fill("otto", WHY)
    assert "took effect" in _modal_text(stage, "otto")
    await stage.check(S.EXECUTED, OutcomeAttested=2, UnknownResolved=1, runs=1)


async def test_a_run_that_did_nothing_is_asked_for_again(stage: Stage) -> None:
    await stage.unknown()
    for user in ("olga", "otto"):
        await stage.click(user, names.NO_EFFECT)
        await stage.fill(user, WHY)
        await stage.show()
    ticket = await stage.ticket()
    assert (ticket.revision, ticket.failures, ticket.votes) == (2, 1, ())
    await stage.check(S.PENDING, OutcomeAttested=2, UnknownResolved=1, TicketRevised=1, runs=1)


async def test_who_answers_for_the_agent_does_not_say_what_became_of_its_run(stage: Stage) -> None:
    await stage.unknown()
    await stage.click("owen", names.TOOK_EFFECT)
    refused = await stage.fill("owen", WHY)
    assert "Somebody else must decide" in refused.errors[names.REASON_BLOCK]
    await stage.check(S.UNKNOWN, OutcomeAttested=0, runs=1)


SECRET = b"done\npassword = hunter2hunter2\nAKIAIOSFODNN7EXAMPLE\n"


async def test_a_quarantined_output_is_released_in_its_redacted_form_only(stage: Stage) -> None:
    await stage.held_back(SECRET)
    assert "AKIA" not in str(stage.world.card().current.blocks)
    await stage.click("olga", names.RELEASE_OUTPUT)
    preview = _modal_text(stage, "olga")
    assert "done" in preview
    assert "AKIAIOSFODNN7EXAMPLE" not in preview
    await stage.fill("olga", {names.REASON_BLOCK: "only a test key"})
    report = (await stage.ticket()).report
    assert report is not None
    assert report.output_state is OutputState.RELEASED
    shown = await stage.world.ledger.content(report.shown_digest)
    assert shown is not None
    assert b"AKIAIOSFODNN7EXAMPLE" not in shown
    assert b"done" in shown
    await stage.check(S.EXECUTED, OutputReleased=1, runs=1)
    assert "AKIAIOSFODNN7EXAMPLE" not in str(stage.world.card().current.blocks)


async def test_a_quarantined_output_is_discarded_for_good(stage: Stage) -> None:
    await stage.held_back(SECRET)
    await stage.click("olga", names.DISCARD_OUTPUT)
    await stage.click("otto", names.RELEASE_OUTPUT)
    await stage.fill("olga", {names.REASON_BLOCK: "a live key"})
    late = await stage.fill("otto", {names.REASON_BLOCK: "let us see"})
    assert "moved on" in late.errors[names.REASON_BLOCK]
    await stage.check(S.EXECUTED, OutputDiscarded=1, OutputReleased=0, runs=1)
