"""The inbox over both transports: the home tab, like tickets, delegation, shortcuts, menus."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.emulator.acts import ActResult
from bot.emulator.errors import MisuseError
from bot.emulator.view_desk import View
from bot.slack import names
from bot.slack.commands import break_glass, lending, picking
from bot.slack.home import bulk_view
from bot.slack.home import view as home_view
from bot.slack.home.keeper import HomeKeeper
from governance.action import Content
from governance.ports import TicketQuery
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, Ticket
from tests.integration.slack.inbox_world import (
    INBOX_BUNDLE,
    account,
    announce,
    home,
    modal,
    open_inbox_world,
)
from tests.integration.slack.world import TRANSPORTS, World, code_of


@pytest.fixture(params=TRANSPORTS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with open_inbox_world(socket_mode=request.param == "socket") as opened:
        yield opened


@pytest.fixture
def inbox(world: World) -> World:
    return world


def said(result: ActResult) -> str:
    return json.dumps([ephemeral.blocks for ephemeral in result.ephemerals], ensure_ascii=False)


def keeper(world: World) -> HomeKeeper:
    assert world.app.homes is not None
    return world.app.homes


async def ask(world: World, count: int, **more: object) -> list[Ticket]:
    return [await world.ask(key=f"k-{n}", target=f"web-{n}", **more) for n in range(count)]


def ids(view: View) -> list[str]:
    """Tickets whose Details the view offers, in their order."""
    elements = [element for block in view.blocks for element in block.get("elements", ())]
    shown = [one["value"] for one in elements if one.get("action_id") == names.DETAILS]
    return [json.loads(value)["t"] for value in shown]


def ballot(ticket: Ticket, user: str, choice: Choice) -> Ballot:
    """What somebody votes elsewhere."""
    return Ballot(
        tenant=ticket.ask.tenant, ticket_id=ticket.id, person_id=account(user), choice=choice
    )


# The home tab


async def test_the_home_tab_has_what_concerns_me(inbox: World) -> None:
    first, second = await ask(inbox, 2)
    await inbox.emu.click("olga", "approvals", inbox.card().ts, names.APPROVE)
    await inbox.emu.open_home("olga")
    shown = str(home(inbox, "olga").blocks)
    assert f"{home_view.WAITING} (1)" in shown
    assert "You approved as operator" in shown
    assert ids(home(inbox, "olga")) == [first.id, second.id]
    await inbox.emu.open_home("owen")
    asked = str(home(inbox, "owen").blocks)
    assert home_view.NOTHING_WAITS in asked
    assert ids(home(inbox, "owen")) == [second.id, first.id]


async def test_a_stranger_reads_why_there_is_nothing(world: World) -> None:
    await world.emu.set_user("olga", is_restricted=True)
    await world.emu.open_home("olga")
    assert "Guest" in str(home(world, "olga").blocks)


async def test_pages_go_on_behind_what_was_shown_whatever_comes_or_goes(inbox: World) -> None:
    tickets = await ask(inbox, 10)
    await inbox.emu.open_home("olga")
    tab = home(inbox, "olga")
    size = len(ids(tab))
    assert size == 8
    first, last = ids(tab)[0], ids(tab)[-1]
    gone = next(ticket for ticket in tickets if ticket.id == first)
    await inbox.service.vote(ballot(gone, "U0OLGA", Choice.APPROVE))
    await inbox.emu.click_view("olga", tab.id, names.HOME_MORE)
    rest = ids(home(inbox, "olga"))
    waiting = [name for name in rest if name != gone.id]
    assert last not in waiting[:2]
    assert {*ids(tab)} | {*waiting[:2]} == {ticket.id for ticket in tickets}
    await inbox.emu.click_view("olga", home(inbox, "olga").id, names.HOME_FIRST)
    assert gone.id not in ids(home(inbox, "olga"))[:8]


async def test_only_tabs_that_would_change_are_published(world: World) -> None:
    for user in ("olga", "rita", "newbie"):
        await world.emu.open_home(user)
    await keeper(world).refresh()
    before = len(world.emu.calls("views.publish"))
    ticket = await world.ask()
    await world.ask(key="k-2")
    await keeper(world).refresh()
    published = world.emu.calls("views.publish")[before:]
    assert sorted(call.params["user_id"] for call in published) == ["U0OLGA", "U0RITA"]
    assert ticket.id in str(home(world, "olga").blocks)
    await keeper(world).refresh()
    assert len(world.emu.calls("views.publish")) == before + 2


async def test_a_page_stays_when_something_else_changes(world: World) -> None:
    await ask(world, 10)
    await world.emu.open_home("olga")
    await world.emu.click_view("olga", home(world, "olga").id, names.HOME_MORE)
    second = ids(home(world, "olga"))
    late = await world.ask(key="late")
    await keeper(world).refresh()
    assert [name for name in ids(home(world, "olga")) if name != late.id] == second


async def test_where_each_list_stands_travels_with_the_tab(world: World) -> None:
    tickets = await ask(world, 10)
    for ticket in tickets[:8]:
        await world.service.vote(ballot(ticket, "U0OLGA", Choice.APPROVE))
    more = [await world.ask(key=f"more-{n}") for n in range(8)]
    await world.emu.open_home("olga")
    tab = home(world, "olga")
    buttons = [
        element
        for block in tab.blocks
        for element in block.get("elements", ())
        if element.get("action_id") == names.HOME_MORE
    ]
    assert len(buttons) == 2
    for button in buttons:
        keeper(world).home.readers.clear()  # as another process would have it
        await world.emu.click_view(
            "olga", home(world, "olga").id, names.HOME_MORE, value=button["value"]
        )
    shown = home(world, "olga")
    firsts = [
        one
        for block in shown.blocks
        for one in block.get("elements", ())
        if one.get("action_id") == names.HOME_FIRST
    ]
    assert len(firsts) == 2
    assert more[-1].id in ids(shown)


async def test_the_home_tab_says_what_is_wrong_with_delivery(world: World) -> None:
    async def troubles() -> list[str]:
        return ["1 card cannot be delivered (is_archived). Name another channel."]

    object.__setattr__(keeper(world).home, "troubles", troubles)
    await world.emu.open_home("olga")
    shown = str(home(world, "olga").blocks)
    assert home_view.TROUBLES in shown
    assert "is_archived" in shown
    assert home_view.STILL_DECIDABLE in shown
    await world.emu.open_home("newbie")  # has no role, and nothing here concerns them
    assert "is_archived" not in str(home(world, "newbie").blocks)


# Like tickets


async def open_bulk(world: World, user: str) -> None:
    await world.emu.open_home(user)
    await world.emu.click_view(user, home(world, user).id, names.BULK)


async def test_like_tickets_are_decided_side_by_side(inbox: World) -> None:
    tickets = await ask(inbox, 3)
    await open_bulk(inbox, "olga")
    page = modal(inbox, "olga")
    assert page.callback_id == names.BULK_VIEW
    boxes = {bulk_view.box_id(0): ["0"], bulk_view.box_id(2): ["2"]}
    await inbox.emu.submit("olga", page.id, boxes)
    result = modal(inbox, "olga")
    assert str(result.blocks).count("Your vote counts") == 2
    votes = [len((await inbox.ticket(ticket.id)).votes) for ticket in tickets]
    assert votes == [1, 0, 1]
    nonces = {vote.nonce for ticket in tickets for vote in (await inbox.ticket(ticket.id)).votes}
    assert len(nonces) == 2


async def test_nothing_is_ticked_for_anybody(world: World) -> None:
    tickets = await ask(world, 2)
    await open_bulk(world, "olga")
    page = modal(world, "olga")
    assert "initial_options" not in str(page.blocks)
    await world.emu.submit("olga", page.id, {})
    assert bulk_view.NOTHING_TICKED in str(modal(world, "olga").blocks)
    assert [(await world.ticket(ticket.id)).votes for ticket in tickets] == [(), ()]


LONG = Content(arguments={"script": "x" * 2_000})


async def test_what_was_not_seen_whole_has_no_box_until_it_was_read(inbox: World) -> None:
    await ask(inbox, 2, content=LONG)
    await open_bulk(inbox, "olga")
    page = modal(inbox, "olga")
    assert str(page.blocks).count(bulk_view.READ_FIRST) == 2
    assert "checkboxes" not in str(page.blocks)
    assert "submit" not in page.body
    await inbox.emu.click_view("olga", page.id, names.DETAILS)
    assert modal(inbox, "olga").callback_id == names.DETAILS_VIEW
    await inbox.emu.close_view("olga", modal(inbox, "olga").id)
    await inbox.emu.click_view("olga", page.id, names.BULK_REFRESH)
    assert str(modal(inbox, "olga").blocks).count(bulk_view.READ_FIRST) == 1
    assert str(modal(inbox, "olga").blocks).count(bulk_view.APPROVE_BOX) == 1


async def test_a_forged_tick_of_what_was_not_seen_counts_nothing(world: World) -> None:
    tickets = await ask(world, 2)
    long = [await world.ask(key=f"long-{n}", content=LONG) for n in range(2)]
    await open_bulk(world, "olga")
    page = modal(world, "olga")
    lines = json.loads(page.body["private_metadata"])
    lines["t"][0] = [long[0].id, long[0].revision, long[0].binding[:12]]
    page.body["private_metadata"] = json.dumps(lines)
    await world.emu.submit("olga", page.id, {bulk_view.box_id(0): ["0"]})
    assert "placet.bulk.result.0.full_view_required" in str(modal(world, "olga").blocks)
    assert (await world.ticket(long[0].id)).votes == ()
    assert (await world.ticket(tickets[0].id)).votes == ()


async def test_each_vote_has_its_own_answer(world: World) -> None:
    tickets = await ask(world, 3)
    await open_bulk(world, "olga")
    page = modal(world, "olga")
    ticket = json.loads(page.body["private_metadata"])["t"][1][0]
    held = next(one for one in tickets if one.id == ticket)
    await world.service.freeze("all", account("U0RITA"))
    await world.service.vote(ballot(held, "U0RITA", Choice.REJECT))
    boxes = {bulk_view.box_id(n): [str(n)] for n in range(3)}
    await world.emu.submit("olga", page.id, boxes)
    shown = str(modal(world, "olga").blocks)
    assert "placet.bulk.result.0.frozen" in shown
    assert "placet.bulk.result.1.approval_already_resolved" in shown
    assert "placet.bulk.result.2.frozen" in shown


async def test_a_page_of_somebody_elses_making_is_refused(world: World) -> None:
    await ask(world, 2)
    await open_bulk(world, "olga")
    page = modal(world, "olga")
    page.body["private_metadata"] = "[1"
    result = await world.emu.submit("olga", page.id, {bulk_view.box_id(0): ["0"]})
    assert "not what I expected" in result.errors[names.REASON_BLOCK]


# Delegation


async def lend(world: World, user: str = "olga", to: str = "U0NEWBIE") -> None:
    await world.emu.command(user, "/placet", "delegate")
    form = modal(world, user)
    assert form.callback_id == names.DELEGATE_VIEW
    fields = {lending.WHO_BLOCK: to, names.REASON_BLOCK: "on leave"}
    result = await world.emu.submit(user, form.id, fields)
    assert result.errors == {}


async def test_a_delegate_votes_and_the_card_says_for_whom(inbox: World) -> None:
    await lend(inbox)
    ticket = await inbox.ask()
    await inbox.emu.open_home("newbie")
    assert ticket.id in ids(home(inbox, "newbie"))
    await inbox.click("newbie", names.APPROVE)
    await inbox.deliver()
    (vote,) = (await inbox.ticket(ticket.id)).votes
    assert (vote.person, vote.voice) == (account("U0NEWBIE"), account("U0OLGA"))
    assert "U0OLGA" in str(inbox.card().current.blocks)
    assert code_of(await inbox.click("olga", names.APPROVE)) == "voice_used"
    await inbox.click("rita", names.APPROVE)
    assert (await inbox.ticket(ticket.id)).state == "APPROVED"


@pytest.mark.parametrize(("forbidden", "count"), [([], 1), (["high"], 0)])
async def test_what_takes_no_vote_by_delegation_is_not_in_a_delegates_inbox(
    forbidden: list[str], count: int
) -> None:
    delegation = {"max_days": 7, "forbidden_tiers": forbidden}
    async with open_inbox_world(bundle=INBOX_BUNDLE | {"delegation": delegation}) as world:
        await lend(world)
        await world.ask()
        shown = said(await world.emu.command("newbie", "/placet", "mine"))
        assert shown.count("deploy-bot wants") == count


async def test_who_has_a_role_of_their_own_chooses_in_whose_name(inbox: World) -> None:
    await lend(inbox, "rita", "U0OLGA")
    ticket = await inbox.ask()
    await inbox.click("olga", names.APPROVE)
    form = modal(inbox, "olga")
    assert form.callback_id == names.BALLOT_VIEW
    assert "in somebody else's name" in str(form.blocks)
    await inbox.emu.submit("olga", form.id, {names.ROLE_BLOCK: "reviewer"})
    (vote,) = (await inbox.ticket(ticket.id)).votes
    assert (vote.person, vote.voice) == (account("U0OLGA"), account("U0RITA"))


async def test_a_delegation_is_taken_back_on_the_home_tab(inbox: World) -> None:
    await lend(inbox)
    await inbox.emu.open_home("olga")
    assert "votes in your name" in str(home(inbox, "olga").blocks)
    await inbox.emu.click_view("olga", home(inbox, "olga").id, names.END_DELEGATION)
    await keeper(inbox).refresh()
    assert home_view.NOTHING_LENT in str(home(inbox, "olga").blocks)
    ticket = await inbox.ask()
    assert code_of(await inbox.click("newbie", names.APPROVE)) == "wrong_role"
    assert (await inbox.ticket(ticket.id)).votes == ()


async def test_delegate_can_be_typed(inbox: World) -> None:
    shown = said(await inbox.emu.command("olga", "/placet", "delegate @newbie 2d on leave"))
    assert "votes in your name" in shown
    (lent,) = await inbox.service.delegations(account("U0OLGA"))
    assert (lent.delegate, lent.reason) == (account("U0NEWBIE"), "on leave")
    shown = said(await inbox.emu.command("newbie", "/placet", "delegate list"))
    assert "You vote in the name of" in shown


async def test_what_is_lent_already_is_not_lent_twice(inbox: World) -> None:
    await lend(inbox)
    again = await inbox.emu.command("olga", "/placet", "delegate @newbie 1d on leave")
    assert code_of(again) == "delegation_exists"
    assert "already" in said(again)
    await inbox.emu.command("olga", "/placet", "delegate")
    fields = {lending.WHO_BLOCK: "U0NEWBIE", names.REASON_BLOCK: "once more"}
    result = await inbox.emu.submit("olga", modal(inbox, "olga").id, fields)
    assert "already" in result.errors[lending.WHO_BLOCK]
    assert len(await inbox.service.delegations(account("U0OLGA"))) == 1
    longer = await inbox.emu.command("olga", "/placet", "delegate @newbie 2d on leave")
    assert code_of(longer) == ""
    assert len(await inbox.service.delegations(account("U0OLGA"))) == 2


@pytest.mark.parametrize("tz", ["Asia/Tokyo", "America/New_York", "Etc/UTC"])
async def test_a_date_lasts_to_the_end_of_that_day_where_the_person_is(
    inbox: World, tz: str
) -> None:
    await inbox.emu.set_user("olga", tz=tz)
    day = datetime.now(ZoneInfo(tz)).date() + timedelta(days=2)
    result = await inbox.emu.command("olga", "/placet", f"delegate @newbie {day} on leave")
    (lent,) = await inbox.service.delegations(account("U0OLGA"))
    local = lent.ends_at.astimezone(ZoneInfo(tz))
    assert (local.date(), local.time()) == (day, time(23, 59, 59))
    token = {"type": "date", "timestamp": int(lent.ends_at.timestamp())}
    [shown] = [one for one in _elements(result) if one["type"] == "date"]
    assert token.items() <= shown.items()


def _elements(result: ActResult) -> list[dict[str, object]]:
    """The pieces of rich text in an answer."""
    blocks = [block for one in result.ephemerals for block in one.blocks]
    parts = [part for block in blocks for part in block.get("elements", ())]
    return [element for part in parts for element in part.get("elements", ())]


@pytest.mark.parametrize(
    "typed",
    ["newbie 2d x", "@newbie", "@newbie soon x", "@newbie 2026-13-40 x", "@newbie 9999-12-31 x"],
)
async def test_what_does_not_read_like_a_delegation_is_explained(world: World, typed: str) -> None:
    result = await world.emu.command("olga", "/placet", f"delegate {typed}")
    assert code_of(result) == "invalid_field"
    assert "UNTIL" in said(result)


@pytest.mark.parametrize(
    ("user", "typed", "code"),
    [
        ("olga", "@newbie 90d x", "invalid_field"),
        ("olga", "@newbie 1d", "invalid_field"),
        ("olga", "@olga 1d x", "delegation_not_allowed"),
        ("newbie", "@olga 1d x", "wrong_role"),
        ("olga", "@placet 1d x", "delegation_not_allowed"),
    ],
)
async def test_what_may_not_be_lent_is_refused(
    world: World, user: str, typed: str, code: str
) -> None:
    assert code_of(await world.emu.command(user, "/placet", f"delegate {typed}")) == code


async def test_what_is_wrong_stays_in_the_form(world: World) -> None:
    await world.emu.command("olga", "/placet", "delegate")
    form = modal(world, "olga")
    fields = {lending.WHO_BLOCK: "U0OLGA", names.REASON_BLOCK: "x"}
    assert lending.WHO_BLOCK in (await world.emu.submit("olga", form.id, fields)).errors
    fields = {lending.WHO_BLOCK: "U0NEWBIE", names.REASON_BLOCK: "x", lending.UNTIL_BLOCK: 10**9}
    assert lending.UNTIL_BLOCK in (await world.emu.submit("olga", form.id, fields)).errors


async def test_whoever_may_not_lend_is_told_so_in_the_form_that_they_open(world: World) -> None:
    await world.emu.command("newbie", "/placet", "delegate")
    assert "wrong_role" in str(modal(world, "newbie").blocks)


async def test_a_bundle_without_delegation_opens_no_form() -> None:
    bundle = {name: part for name, part in INBOX_BUNDLE.items() if name != "delegation"}
    async with open_inbox_world(bundle=bundle) as world:
        await world.emu.command("olga", "/placet", "delegate")
        assert "delegation_not_allowed" in str(modal(world, "olga").blocks)
        await world.emu.open_home("olga")
        assert names.DELEGATE not in str(home(world, "olga").blocks)


# Menus and shortcuts


@pytest.mark.parametrize("verb", ["status", "why"])
async def test_a_ticket_is_picked_while_typing(inbox: World, verb: str) -> None:
    first, second = await ask(inbox, 2)
    await inbox.emu.command("olga", "/placet", verb)
    form = modal(inbox, "olga")
    every = await inbox.emu.suggest("olga", form.id, names.PICK_TICKET)
    assert [one["value"] for one in every] == [first.id, second.id]
    some = await inbox.emu.suggest("olga", form.id, names.PICK_TICKET, "WEB-1")
    assert [one["value"] for one in some] == [second.id]
    await inbox.emu.submit("olga", form.id, {picking.PICK_BLOCK: second.id})
    shown = str(modal(inbox, "olga").blocks)
    assert ("deploys-need-people" in shown) is (verb == "why")
    assert second.id in shown


async def test_a_stranger_is_offered_no_tickets(world: World) -> None:
    await world.ask()
    await world.emu.command("olga", "/placet", "status")
    form = modal(world, "olga")
    await world.emu.set_user("olga", is_restricted=True)
    assert await world.emu.suggest("olga", form.id, names.PICK_TICKET) == []
    with pytest.raises(MisuseError):
        await world.emu.submit("olga", form.id, {picking.PICK_BLOCK: "whatever"})


async def test_the_inbox_opens_from_anywhere(inbox: World) -> None:
    ticket = await inbox.ask()
    await inbox.emu.shortcut("olga", names.SHORTCUT_INBOX)
    assert ticket.id in ids(modal(inbox, "olga"))
    await inbox.emu.click_view("olga", modal(inbox, "olga").id, names.DETAILS)
    assert modal(inbox, "olga").callback_id == names.DETAILS_VIEW


async def test_details_open_from_any_card(inbox: World) -> None:
    ticket = await inbox.ask()
    where = ("olga", "approvals", inbox.card().ts, names.SHORTCUT_DETAILS)
    await inbox.emu.message_shortcut(*where)
    assert ticket.binding in str(modal(inbox, "olga").blocks)
    await inbox.emu.close_view("olga", modal(inbox, "olga").id)
    await inbox.service.vote(ballot(ticket, "U0RITA", Choice.REJECT))
    await inbox.deliver()
    await inbox.emu.message_shortcut(*where)
    assert ticket.binding in str(modal(inbox, "olga").blocks)


async def test_a_message_without_a_ticket_has_no_details(world: World) -> None:
    message = world.emu.say("olga", "approvals", "Ticket t-1, revision 1")
    await world.emu.message_shortcut("olga", "approvals", message.ts, names.SHORTCUT_DETAILS)
    assert "not_found" in str(modal(world, "olga").blocks)


# Words


async def test_why_tells_the_policy_trace_in_words(inbox: World) -> None:
    ticket = await inbox.ask()
    shown = said(await inbox.emu.command("olga", "/placet", f"why {ticket.id}"))
    assert "Rule deploys-need-people asks people: deployments change what customers see." in shown
    assert "Policy asks people." in shown
    assert code_of(await inbox.emu.command("olga", "/placet", "why nope")) == "not_found"


@pytest.mark.parametrize(
    ("typed", "near"), [("lst", "list"), ("delgate @x", "delegate"), ("breakglass", "break-glass")]
)
async def test_an_unknown_word_names_the_nearest(world: World, typed: str, near: str) -> None:
    shown = said(await world.emu.command("olga", "/placet", typed))
    assert f"Did you mean /placet {near}?" in shown
    assert "/placet status ID" in shown


async def test_a_word_like_nothing_names_none(world: World) -> None:
    shown = said(await world.emu.command("olga", "/placet", "zzzzzz"))
    assert "Did you mean" not in shown
    assert "/placet status ID" in shown


# Breaking the glass


async def break_it(world: World, user: str = "olga", **more: str) -> ActResult:
    await world.emu.command(user, "/placet", "break-glass")
    form = modal(world, user)
    assert form.callback_id == names.EMERGENCY_VIEW
    fields = {
        break_glass.WHICH_BLOCK: "failover",
        break_glass.TOPIC_BLOCK: "job.failover",
        break_glass.TARGET_BLOCK: "db-1",
        names.REASON_BLOCK: "the primary *is* down",
    }
    return await world.emu.submit(user, form.id, fields | more)


async def test_an_emergency_takes_two_others_and_a_second_channel_hears_at_once(
    inbox: World,
) -> None:
    await break_it(inbox)
    (ticket,) = await inbox.ledger.tickets(TicketQuery())
    assert ticket.state == "PENDING"
    assert ticket.ask.on_behalf_of == account("U0OLGA")
    assert ticket.ruling.requirement is not None
    assert ticket.ruling.requirement.tier == "emergency/failover"
    await announce(inbox)
    (told,) = inbox.emu.messages("incidents")
    shown = str(told.current.blocks)
    for word in ("EMERGENCY", "U0OLGA", "failover", "db-1", "the primary *is* down"):
        assert word in shown
    assert names.APPROVE not in shown
    await announce(inbox)
    assert len(inbox.emu.messages("incidents")) == 1


async def test_whoever_broke_the_glass_does_not_approve_it(world: World) -> None:
    await break_it(world)
    await world.deliver()
    await world.click("olga", names.APPROVE_WITH_COMMENT)
    form = modal(world, "olga")
    await world.emu.submit("olga", form.id, {names.REASON_BLOCK: "me"})
    (ticket,) = await world.ledger.tickets(TicketQuery())
    assert ticket.votes == ()
    for user in ("otto", "rita"):
        await world.click(user, names.APPROVE_WITH_COMMENT)
        form = modal(world, user)
        await world.emu.submit(user, form.id, {names.REASON_BLOCK: "yes"})
    assert (await world.ticket(ticket.id)).state == "APPROVED"
    assert code_of(await world.emu.command("otto", "/placet", f"break-glass use {ticket.id}"))
    taken = await world.emu.command("olga", "/placet", f"break-glass use {ticket.id}")
    assert "is yours, once" in said(taken)
    assert (await world.ticket(ticket.id)).state == "RELEASED"
    again = await world.emu.command("olga", "/placet", f"break-glass use {ticket.id}")
    assert code_of(again) == "already_consumed"


async def test_what_no_template_covers_is_denied_and_says_so(world: World) -> None:
    await break_it(world, **{break_glass.TOPIC_BLOCK: "job.other"})
    assert "policy_denied" in str(modal(world, "olga").blocks)
    await announce(world)
    assert world.emu.messages("incidents") == ()


@pytest.mark.parametrize("typed", ["[1]", "{", '{"a": NaN}', '{"a": 1, "a": 2}'])
async def test_arguments_that_are_no_object_stay_in_the_form(world: World, typed: str) -> None:
    result = await break_it(world, **{break_glass.ARGS_BLOCK: typed})
    assert break_glass.ARGS_BLOCK in result.errors


async def test_who_holds_no_role_breaks_no_glass(world: World) -> None:
    await world.emu.command("newbie", "/placet", "break-glass")
    assert "wrong_role" in str(modal(world, "newbie").blocks)
    shown = said(await world.emu.command("olga", "/placet", "break-glass now"))
    assert "break-glass use ID" in shown


async def test_without_templates_there_is_no_glass() -> None:
    bundle = {name: part for name, part in INBOX_BUNDLE.items() if name != "emergency"}
    async with open_inbox_world(bundle=bundle) as world:
        await world.emu.command("olga", "/placet", "break-glass")
        assert "not_found" in str(modal(world, "olga").blocks)
