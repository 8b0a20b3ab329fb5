"""A receipt of one's own vote, from Details: it verifies offline, and it is nobody else's."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from typer.testing import CliRunner

from bot.api.app import build_api
from bot.api.auth import make_token
from bot.api.deps import ApiDeps
from bot.cli.main import app as placet
from bot.emulator.faults import FaultKind
from bot.emulator.messages import Message
from bot.emulator.view_desk import View
from bot.slack import names
from bot.slack.cards.buttons import shown_of
from bot.slack.readers import NOT_SHOWN
from governance.administration import Administration, TreeHead
from governance.errors import Code, Refused
from governance.ports import Logged
from governance.principal import PersonId, Scope
from governance.receipts import Outside, parse_receipt, verify
from governance.tickets.ticket import Ticket, TicketId, TicketState
from governance.transparency import Published
from governance.trust import read_keys
from tests.integration.slack.world import TEAM, TENANT, RealClock, World, open_world
from tests.support.logs import ORIGIN, RealSigner
from tests.support.world import pem_of

SIGNER = RealSigner("vote:operator", "vote:reviewer", "checkpoint")
OUTSIDE = Outside(keys=read_keys(pem_of("checkpoint"), origin=ORIGIN))
OLGA = PersonId(f"slack:{TEAM}/U0OLGA")


@pytest.fixture(params=["http", "socket"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One whose checkpoints are signed by a key that the log names."""
    async with open_world(socket_mode=request.param == "socket", signer=SIGNER) as opened:
        yield opened


def steps(world: World) -> Administration:
    return Administration(
        ledger=world.ledger, reader=world.ledger, clock=RealClock(), signer=SIGNER, tenant=TENANT
    )


async def checkpoint(world: World) -> None:
    """Sign the log as it is, and let proofs lead there."""
    size, root, head = await world.ledger.tree_head()
    await world.proofs.catch_up(size, root)
    note = await steps(world).checkpoint(TreeHead(size=size, root=root, head=head), origin=ORIGIN)
    await world.proofs.publish(Published(size=size, root=root, note=note))


def top(world: World, user: str) -> View:
    found = world.emu.modal(user)
    assert found is not None
    return found


def code(world: World, user: str) -> str:
    return str(top(world, user).blocks[0]["block_id"]).removeprefix("placet.notice.")


def is_offered(world: World, user: str) -> bool:
    return names.RECEIPT in json.dumps(top(world, user).blocks)


async def look(world: World, user: str) -> None:
    """Open Details, whatever the card's state."""
    card = world.card().ts
    await world.emu.message_shortcut(user, "approvals", card, names.SHORTCUT_DETAILS)


async def take(world: World, user: str) -> None:
    """Open Details and press the button."""
    await look(world, user)
    await world.emu.click_view(user, top(world, user).id, names.RECEIPT)


async def forge(world: World, user: str, ticket: Ticket, **more: Any) -> None:
    """Press a button that was never offered to this person."""
    await look(world, user)
    button = {
        "type": "button",
        "text": {"type": "plain_text", "text": "x"},
        "action_id": names.RECEIPT,
        "value": shown_of(ticket).to_value(**more),
    }
    modal = top(world, user)
    view = {**modal.body, "blocks": [{"type": "actions", "elements": [button]}]}
    await world.app._client.views_update(view_id=modal.id, view=view)
    await world.emu.click_view(user, modal.id, names.RECEIPT)


def direct(world: World, user: str) -> tuple[Message, ...]:
    """The app's direct messages with a person."""
    found = [c for c in world.emu.workspace.channels.values() if c.im_user == user]
    return world.emu.messages(found[0].id) if found else ()


def files(world: World) -> list[bytes]:
    return [one.content for one in world.emu.workspace.files.values()]


def voted(content: bytes) -> list[Mapping[str, Any]]:
    """The votes in a receipt that verifies with the log's key alone."""
    receipt = parse_receipt(content.decode("utf-8"))
    assert verify(receipt, OUTSIDE).is_verified
    events = [json.loads(entry.event) for entry in receipt.entries]
    assert {one["type"] for one in events} == {"VoteCast"}
    return [one["payload"]["vote"] for one in events]


async def test_a_voter_is_sent_a_receipt_that_the_command_verifies(
    world: World, tmp_path: Path
) -> None:
    await world.ask()
    await world.click("olga", names.APPROVE)
    await world.click("rita", names.APPROVE)
    await world.deliver()
    await checkpoint(world)
    before = await world.ledger.head()
    await take(world, "olga")
    assert code(world, "olga") == "info"
    assert [view.body["callback_id"] for view in world.emu.workspace.views.stack("U0OLGA")] == [
        names.DETAILS_VIEW,
        names.NOTICE_VIEW,
    ]
    upload, message = direct(world, "U0OLGA")
    assert direct(world, "U0RITA") == ()
    stored = world.emu.workspace.files[upload.files[0]]
    (vote,) = voted(stored.content)
    assert (vote["person"], vote["choice"]) == (OLGA, "approve")
    assert await world.ledger.head() == before, "the log says nothing of it"

    told = json.dumps(message.current.blocks)
    assert f"placet receipt verify {stored.name} --key keys.json" in told
    file, keys = tmp_path / stored.name, tmp_path / "keys.json"
    file.write_bytes(stored.content)
    keys.write_text(pem_of("checkpoint"))
    done = CliRunner().invoke(placet, ["receipt", "verify", str(file), "--key", str(keys)])
    assert (done.exit_code, "verified" in done.stdout) == (0, True), done.output


async def test_it_is_byte_for_byte_what_http_answers(world: World) -> None:
    await world.ask()
    await world.click("olga", names.APPROVE)
    credential, token = make_token(
        tenant=TENANT, scopes=[Scope.READ], at=RealClock().now(), person=OLGA
    )
    await steps(world).issue(credential, actor="test")
    await checkpoint(world)
    await take(world, "olga")
    (sent,) = files(world)
    (entry,) = parse_receipt(sent.decode("utf-8")).entries
    deps = ApiDeps(
        service=world.service, reader=world.ledger, clock=RealClock(), transparency=world.proofs
    )
    async with TestClient(TestServer(build_api(deps))) as client:
        headers = {"Authorization": f"Bearer {token}"}
        got = await client.get(f"/api/v1/audit/receipts/{entry.seq}", headers=headers)
        assert (got.status, await got.read()) == (200, sent)
        assert got.headers["Content-Type"] == "application/json; charset=utf-8"


async def test_whoever_did_not_vote_is_offered_none(world: World) -> None:
    await world.ask()
    await look(world, "olga")
    assert not is_offered(world, "olga")
    await world.click("olga", names.APPROVE)
    await look(world, "otto")
    assert not is_offered(world, "otto")
    await look(world, "olga")
    assert is_offered(world, "olga")


async def test_a_forged_press_gets_nobody_elses_receipt(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await checkpoint(world)
    await forge(world, "otto", ticket, u=OLGA)
    assert code(world, "otto") == "forbidden"
    await world.click("otto", names.APPROVE)
    await checkpoint(world)
    await forge(world, "otto", ticket, u=OLGA, b="0" * 64, r=7)
    (own,) = files(world)
    assert [vote["person"] for vote in voted(own)] == [f"slack:{TEAM}/U0OTTO"]
    assert direct(world, "U0OLGA") == ()


async def test_a_ticket_that_may_not_be_read_has_no_receipt(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await checkpoint(world)
    await forge(world, "newbie", ticket)
    assert code(world, "newbie") == "forbidden"
    assert NOT_SHOWN in json.dumps(top(world, "newbie").blocks)
    await world.emu.set_user("olga", is_restricted=True)
    await forge(world, "olga", ticket)
    assert code(world, "olga") == "voter_is_guest"
    assert files(world) == []


async def test_until_a_checkpoint_covers_the_vote_a_sentence_says_so(world: World) -> None:
    await world.ask()
    await world.click("olga", names.APPROVE)
    for _ in range(2):  # there is none at all, then one of before the vote
        await take(world, "olga")
        assert code(world, "olga") == "not_checkpointed"
        assert "try again in a few minutes" in json.dumps(top(world, "olga").blocks)
        await checkpoint(world)
        await world.deliver()
        await world.click("olga", names.WITHDRAW)
        await world.click("olga", names.APPROVE)
    assert files(world) == []
    await checkpoint(world)
    await take(world, "olga")
    assert len(files(world)) == 1


async def test_the_newest_vote_counts_also_once_it_is_withdrawn_or_settled(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await world.deliver()
    await world.click("olga", names.WITHDRAW)
    await checkpoint(world)
    await take(world, "olga")
    assert (await world.ticket(ticket.id)).votes == ()
    await world.click("olga", names.REJECT)
    await world.emu.submit("olga", top(world, "olga").id, {names.REASON_BLOCK: "no"})
    assert (await world.ticket(ticket.id)).state is TicketState.REJECTED
    await world.deliver()
    await checkpoint(world)
    await take(world, "olga")
    assert [voted(one)[0]["choice"] for one in files(world)] == ["approve", "reject"]


@pytest.mark.parametrize(
    "method", ["conversations.open", "files.getUploadURLExternal", "chat.postMessage"]
)
async def test_what_cannot_be_sent_is_told(world: World, method: str) -> None:
    await world.ask()
    await world.click("olga", names.APPROVE)
    await checkpoint(world)
    await look(world, "olga")
    world.emu.faults.add(FaultKind.REFUSED, on=method, error="not_allowed")
    await world.emu.click_view("olga", top(world, "olga").id, names.RECEIPT)
    assert code(world, "olga") == "not_sent"


async def test_a_process_without_proofs_offers_none_and_gives_none() -> None:
    async with open_world(has_proofs=False) as world:
        ticket = await world.ask()
        await world.click("olga", names.APPROVE)
        await look(world, "olga")
        assert not is_offered(world, "olga")
        await forge(world, "olga", ticket)
        assert code(world, "olga") == "not_ready"


async def test_details_of_what_was_detached_open_all_the_same(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)

    async def detached(_: TicketId) -> Sequence[Logged]:
        raise Refused(Code.DETACHED, "its records are in a file")

    world.ledger.history = detached  # type: ignore[method-assign, assignment]
    await look(world, "olga")
    assert "This is all of it" in json.dumps(top(world, "olga").blocks)
    assert not is_offered(world, "olga")
    await forge(world, "olga", ticket)
    assert code(world, "olga") == "detached"
