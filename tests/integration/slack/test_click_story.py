"""From a click to a changed card, over real HTTP."""

import asyncio
import json
from dataclasses import replace

from bot.emulator.faults import FaultKind
from bot.slack import names
from governance.action import Content
from governance.outbox import Owed, OwedKind
from governance.principal import PersonId
from governance.tickets.ticket import TicketState
from tests.integration.slack.world import TEAM, RealClock, World, code_of


async def test_two_votes_of_enough_weight_approve_and_the_card_follows(world: World) -> None:
    ticket = await world.ask()
    assert names.APPROVE in str(world.card().blocks)
    first = await world.click("olga", names.APPROVE)
    assert first.status == 200
    assert first.ephemerals == ()
    await world.deliver()
    assert "1 of 1 operator, 0 of 1 reviewer; weight 1 of 4" in str(world.card().current.blocks)
    await world.click("rita", names.APPROVE)
    await world.deliver()
    after = await world.ticket(ticket.id)
    assert after.state is TicketState.APPROVED
    assert names.APPROVE not in str(world.card().current.blocks)
    assert names.STOP in str(world.card().current.blocks)
    assert len(world.cards()) == 1


async def test_two_hundred_parallel_identical_clicks_are_one_vote(world: World) -> None:
    ticket = await world.ask()
    results = await asyncio.gather(
        *(world.click("olga", names.APPROVE, settle=False) for _ in range(200))
    )
    await world.emu.settle()
    assert {result.status for result in results} == {200}
    after = await world.ticket(ticket.id)
    assert [vote.person for vote in after.votes] == [f"slack:{TEAM}/U0OLGA"]
    history = await world.ledger.history(ticket.id)
    assert [record.type for record in history].count("VoteCast") == 1


async def test_a_repeat_is_told_quietly_that_it_was_counted(world: World) -> None:
    await world.ask()
    await world.click("olga", names.APPROVE)
    again = await world.click("olga", names.APPROVE)
    assert [e.blocks[0]["block_id"] for e in again.ephemerals] == ["placet.already_counted"]


async def test_people_at_the_last_vote_settle_it_once(world: World) -> None:
    ticket = await world.ask()
    await asyncio.gather(
        world.click("olga", names.APPROVE, settle=False),
        world.click("otto", names.APPROVE, settle=False),
        world.click("rita", names.APPROVE, settle=False),
    )
    await world.emu.settle()
    history = await world.ledger.history(ticket.id)
    assert [record.type for record in history].count("TicketApproved") == 1


async def test_whoever_answers_for_the_agent_is_refused_kindly(world: World) -> None:
    ticket = await world.ask()
    result = await world.click("owen", names.APPROVE)
    assert code_of(result) == "self_approval_denied"
    assert "Somebody else must decide" in str(result.ephemerals[0].blocks)
    assert (await world.ticket(ticket.id)).votes == ()


async def test_somebody_without_a_role_is_refused_and_it_is_recorded_once(world: World) -> None:
    ticket = await world.ask()
    for _ in range(3):
        assert code_of(await world.click("newbie", names.APPROVE)) == "wrong_role"
    history = await world.ledger.history(ticket.id)
    assert [record.type for record in history].count("VoteRefused") == 1


async def test_rejecting_without_a_visible_reason_stays_in_the_modal(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.REJECT)
    modal = world.emu.modal("olga")
    assert modal is not None
    for empty in ("   ", "\u3164\u200b", "\u2800"):
        sent = await world.emu.submit("olga", modal.id, {names.REASON_BLOCK: empty})
        assert "Please say why" in sent.errors[names.REASON_BLOCK]
    assert (await world.ticket(ticket.id)).state is TicketState.PENDING
    await world.emu.submit("olga", modal.id, {names.REASON_BLOCK: "not *today* <!channel>"})
    assert world.emu.modal("olga") is None
    await world.deliver()
    after = await world.ticket(ticket.id)
    assert after.state is TicketState.REJECTED
    card = world.card().current
    assert "not *today* <!channel>" in str(card.blocks)
    assert '"mrkdwn"' not in json.dumps(card.blocks)
    assert not [block for block in card.blocks if block["type"] == "actions"]


async def test_a_refused_rejection_says_so_inside_the_modal(world: World) -> None:
    await world.ask()
    await world.click("newbie", names.REJECT)
    modal = world.emu.modal("newbie")
    assert modal is not None
    sent = await world.emu.submit("newbie", modal.id, {names.REASON_BLOCK: "because"})
    assert "no vote here" in sent.errors[names.REASON_BLOCK]


async def test_a_cut_action_is_approved_only_after_its_last_page(world: World) -> None:
    long = Content(arguments={"sql": "select 1;\n" * 2_500}, justification="trust me")
    ticket = await world.ask(content=long)
    assert ticket.ask.needs_full_view
    assert "CUT HERE" in str(world.card().blocks)
    refused = await world.click("rita", names.APPROVE)
    assert code_of(refused) == "full_view_required"

    await world.click("rita", names.DETAILS)
    turned = 1
    while True:
        modal = world.emu.modal("rita")
        assert modal is not None
        assert len(json.dumps(modal.body)) < 250_000
        if names.NEXT_PAGE not in str(modal.blocks):
            break
        assert names.APPROVE not in str(modal.blocks)
        assert (await world.ticket(ticket.id)).full_views == ()
        await world.emu.click_view("rita", modal.id, names.NEXT_PAGE)
        turned += 1
    assert turned > 2
    assert [v.person for v in (await world.ticket(ticket.id)).full_views] == [
        f"slack:{TEAM}/U0RITA"
    ]
    await world.emu.click_view("rita", modal.id, names.APPROVE)
    after = await world.ticket(ticket.id)
    assert [vote.person for vote in after.votes] == [f"slack:{TEAM}/U0RITA"]
    modal = world.emu.modal("rita")
    assert modal is not None
    assert "Your vote counts" in str(modal.blocks)
    assert code_of(await world.click("olga", names.APPROVE)) == "full_view_required"


async def test_reject_in_details_opens_its_form_on_top(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.DETAILS)
    details = world.emu.modal("olga")
    assert details is not None
    await world.emu.click_view("olga", details.id, names.REJECT)
    form = world.emu.modal("olga")
    assert form is not None
    assert form.callback_id == names.BALLOT_VIEW
    await world.emu.submit("olga", form.id, {names.REASON_BLOCK: "no"})
    assert (await world.ticket(ticket.id)).state is TicketState.REJECTED
    assert world.emu.modal("olga") is None


async def test_a_click_on_an_older_card_of_a_settled_ticket_is_refused(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await world.deliver()
    await world.click("rita", names.APPROVE)
    await world.deliver()
    late = await world.click("otto", names.APPROVE, stale=True)
    assert code_of(late) == "approval_already_resolved"
    assert (await world.ticket(ticket.id)).state is TicketState.APPROVED


async def test_a_changed_card_has_new_block_ids(world: World) -> None:
    await world.ask()
    await world.click("olga", names.APPROVE)
    await world.deliver()
    first, last = world.card().versions[0], world.card().versions[-1]
    old = {block["block_id"] for block in first.blocks}
    assert not old & {block["block_id"] for block in last.blocks}


async def test_an_unchanged_card_costs_no_call(world: World) -> None:
    ticket = await world.ask()
    before = len(world.emu.calls())
    await world.ledger.owe(Owed(kind=OwedKind.CARD, key=ticket.id), at=RealClock().now())
    await world.deliver()
    assert len(world.emu.calls()) == before


async def test_a_lost_card_is_posted_again_and_the_orphan_loses_its_buttons(world: World) -> None:
    ticket = await world.ask()
    orphan = world.card()
    place = await world.ledger.place(ticket.id)
    assert place is not None
    await world.ledger.put_place(ticket.id, replace(place, ts="1.000001", shown="other"))
    await world.ledger.owe(Owed(kind=OwedKind.CARD, key=ticket.id), at=RealClock().now())
    await world.deliver()
    assert len(world.cards()) == 2
    await world.emu.click("olga", "approvals", orphan.ts, names.APPROVE)
    retired = next(m for m in world.cards() if m.ts == orphan.ts)
    assert "retired" in str(retired.current.blocks)
    assert len((await world.ticket(ticket.id)).votes) == 1


async def test_an_approver_stops_what_is_approved(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await world.click("rita", names.APPROVE)
    await world.deliver()
    assert code_of(await world.click("newbie", names.STOP)) == "wrong_role"
    await world.click("otto", names.STOP)
    assert (await world.ticket(ticket.id)).state is TicketState.REJECTED


async def test_an_unanswered_lookup_counts_nothing(world: World) -> None:
    ticket = await world.ask()
    world.emu.faults.add(FaultKind.REFUSED, on="users.info", times=9)
    world.directory.forget(PersonId(f"slack:{TEAM}/U0OLGA"))
    result = await world.click("olga", names.APPROVE)
    assert code_of(result) == "identity_unavailable"
    assert (await world.ticket(ticket.id)).votes == ()
