"""Reading the whole: pages, the file, and what opens Approve."""

import json
from collections.abc import AsyncIterator
from copy import deepcopy
from hashlib import sha256

import pytest

from bot.emulator.faults import FaultKind
from bot.emulator.messages import Message
from bot.slack import names
from bot.slack.cards.buttons import shown_of
from bot.slack.cards.view import load_card_view
from bot.slack.said import Said
from governance.action import Content
from governance.tickets.ticket import TicketId, TicketState
from tests.integration.slack.world import BUNDLE, TEAM, World, code_of, open_world

HUGE = Content(arguments={"sql": "insert into t values (1, 'x');\n" * 8_000})
RITA = f"slack:{TEAM}/U0RITA"


@pytest.fixture(params=["http", "socket"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The same over HTTP and over Socket Mode."""
    async with open_world(socket_mode=request.param == "socket") as opened:
        yield opened


def said(world: World, user: str) -> str:
    modal = world.emu.modal(user)
    assert modal is not None
    return json.dumps(modal.blocks, ensure_ascii=False)


def notice_code(world: World, user: str) -> str:
    modal = world.emu.modal(user)
    assert modal is not None
    return str(modal.blocks[0]["block_id"]).removeprefix("placet.notice.")


async def view_click(world: World, user: str, action_id: str) -> None:
    modal = world.emu.modal(user)
    assert modal is not None
    await world.emu.click_view(user, modal.id, action_id)


def direct(world: World, user: str) -> tuple[Message, ...]:
    """The app's direct messages with a person."""
    found = [c for c in world.emu.workspace.channels.values() if c.is_im and user in c.members]
    return world.emu.messages(found[0].id) if found else ()


async def recorded(world: World, ticket_id: TicketId) -> list[str]:
    history = await world.ledger.history(ticket_id)
    found = [record.payload for record in history if record.type == "FullViewOpened"]
    return [str(payload["file_digest"]) for payload in found if isinstance(payload, dict)]


async def test_a_whole_of_many_pages_begins_with_a_cover_and_opens_nothing(world: World) -> None:
    ticket = await world.ask(content=HUGE)
    await world.click("rita", names.DETAILS)
    assert "It can be sent to you as a file" in said(world, "rita")
    assert names.APPROVE not in said(world, "rita")
    assert (await world.ticket(ticket.id)).full_views == ()
    await view_click(world, "rita", names.FIRST_PAGE)
    assert "Page 1 of " in said(world, "rita")
    assert (await world.ticket(ticket.id)).full_views == ()


async def test_the_file_holds_the_whole_and_opens_approve_to_its_reader_only(world: World) -> None:
    ticket = await world.ask(content=HUGE)
    await world.click("rita", names.DETAILS)
    await view_click(world, "rita", names.SEND_FILE)
    assert "in your messages with this app" in said(world, "rita")
    upload, message = direct(world, "U0RITA")
    stored = world.emu.workspace.files[upload.files[0]]
    text = stored.content.decode("utf-8")
    assert text.count("insert into t values (1, 'x');") == 16_000  # as lines, and as JSON
    digest = sha256(stored.content).hexdigest()
    assert digest in json.dumps(message.current.blocks)
    assert (await world.ticket(ticket.id)).full_views == ()
    assert code_of(await world.click("rita", names.APPROVE)) == "full_view_required"

    await world.emu.click("rita", message.channel, message.ts, names.FILE_READ)
    assert await recorded(world, ticket.id) == [digest]
    assert "It is on record" in said(world, "rita")
    await view_click(world, "rita", names.APPROVE)
    assert [vote.person for vote in (await world.ticket(ticket.id)).votes] == [RITA]
    assert code_of(await world.click("olga", names.APPROVE)) == "full_view_required"


async def _sent(world: World) -> tuple[TicketId, Message]:
    ticket = await world.ask(content=HUGE)
    await world.click("rita", names.DETAILS)
    await view_click(world, "rita", names.SEND_FILE)
    return ticket.id, direct(world, "U0RITA")[-1]


async def _press(world: World, user: str, message: Message, **changes: object) -> None:
    """Press the button of ``message``, or of one like it that carries something else."""
    if changes:
        blocks = json.loads(json.dumps(message.current.blocks))
        (button,) = blocks[-1]["elements"]
        button["value"] = json.dumps({**json.loads(button["value"]), **changes})
        await world.app.publisher.tell(message.channel, Said(text="file", blocks=tuple(blocks)))
        message = direct(world, "U0RITA")[-1]
    await world.emu.click(user, message.channel, message.ts, names.FILE_READ)


async def test_a_button_for_another_file_or_person_opens_nothing(world: World) -> None:
    ticket_id, message = await _sent(world)
    for changes, code in (
        ({"d": "0" * 32}, "binding_mismatch"),
        ({"d": ""}, "binding_mismatch"),
        ({"b": "0" * 64}, "binding_mismatch"),
        ({"u": f"slack:{TEAM}/U0OLGA"}, "full_view_required"),
        ({"u": ""}, "full_view_required"),
    ):
        await _press(world, "rita", message, **changes)
        assert notice_code(world, "rita") == code, changes
    await _press(world, "rita", message, r=2)
    assert notice_code(world, "rita") == "superseded_revision"
    assert await recorded(world, ticket_id) == []
    await _press(world, "rita", message)
    assert len(await recorded(world, ticket_id)) == 1


async def test_reading_the_file_twice_is_recorded_once(world: World) -> None:
    ticket_id, message = await _sent(world)
    await _press(world, "rita", message)
    await _press(world, "rita", message)
    assert len(await recorded(world, ticket_id)) == 1


async def test_a_file_read_after_the_decision_is_no_event_and_offers_none(world: World) -> None:
    ticket_id, message = await _sent(world)
    await world.click("olga", names.REJECT)
    modal = world.emu.modal("olga")
    assert modal is not None
    await world.emu.submit("olga", modal.id, {names.REASON_BLOCK: "no"})
    assert (await world.ticket(ticket_id)).state is TicketState.REJECTED
    await _press(world, "rita", message)
    assert await recorded(world, ticket_id) == []
    assert names.APPROVE not in said(world, "rita")


async def test_a_file_that_cannot_be_sent_leaves_the_pages(world: World) -> None:
    for method in ("conversations.open", "files.getUploadURLExternal", "chat.postMessage"):
        ticket = await world.ask(key=method, content=HUGE)
        await world.click("rita", names.DETAILS)
        world.emu.faults.add(FaultKind.REFUSED, on=method, error="not_allowed")
        await view_click(world, "rita", names.SEND_FILE)
        assert notice_code(world, "rita") == "not_sent"
        assert (await world.ticket(ticket.id)).full_views == ()


async def test_a_stranger_is_sent_no_file(world: World) -> None:
    await world.ask(content=HUGE)
    await world.emu.set_user("newbie", is_restricted=True)
    await world.click("newbie", names.DETAILS)
    assert notice_code(world, "newbie") == "voter_is_guest"
    assert direct(world, "U0NEWBIE") == ()


async def test_what_policy_keeps_off_cards_goes_into_no_file() -> None:
    bundle = deepcopy(BUNDLE)
    bundle["rules"][0]["constraints"] = {"redact_deny": ["sql"]}
    async with open_world(bundle=bundle) as world:
        ticket = await world.ask(content=HUGE)
        assert "insert into" not in json.dumps(world.card().current.blocks)
        await world.click("rita", names.DETAILS)
        assert "Page 1 of " in said(world, "rita")
        assert "insert into" in said(world, "rita")
        value = shown_of(ticket).to_value()
        button = {
            "type": "button",
            "text": {"type": "plain_text", "text": "x"},
            "action_id": names.SEND_FILE,
            "value": value,
        }
        modal = world.emu.modal("rita")
        assert modal is not None
        view = {**modal.body, "blocks": [{"type": "actions", "elements": [button]}]}
        await world.app._client.views_update(view_id=modal.id, view=view)
        await view_click(world, "rita", names.SEND_FILE)
        assert notice_code(world, "rita") == "full_view_required"
        assert direct(world, "U0RITA") == ()


async def test_bytes_that_were_altered_in_the_ledger_are_not_shown(world: World) -> None:
    ticket = await world.ask(content=Content(arguments={"version": "1.2.3"}))
    forged = Content(arguments={"version": "6.6.6"}).to_bytes()
    world.ledger._tables.contents[ticket.ask.content_digest] = forged
    card = await load_card_view(world.ledger, ticket)
    assert card.content is None
    await world.click("rita", names.DETAILS)
    assert "6.6.6" not in said(world, "rita")
    assert names.APPROVE not in said(world, "rita")
    assert (await world.ticket(ticket.id)).full_views == ()
