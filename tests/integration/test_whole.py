"""The whole product over real HTTP: races that must settle once, and a receipt from Slack."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from bot.compose.checkpoints import checkpoint
from bot.demo import jobs
from bot.demo.world import World, run_world
from bot.emulator.errors import MisuseError
from bot.slack import names
from governance.receipts import parse_receipt
from governance.tickets.ticket import TicketId, TicketState

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.xdist_group("demo")]

ENDS = {"TicketApproved", "TicketRejected", "TicketExpired"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with run_world(port=0, policies=None) as running:
        yield running


async def ask(world: World, job: jobs.Job, **more: object) -> TicketId:
    body = {**job.body, **more}
    answer = await world.client.post("/api/v1/jobs", body, token=world.tokens["deploy-bot"])
    assert answer.status == 200, answer.body
    ticket_id = TicketId(answer.body["job_id"])
    async with asyncio.timeout(20):
        while world.hands.card(ticket_id) is None:
            await world.core.ledger.changed(0, 0.05)
    return ticket_id


async def kinds(world: World, ticket_id: TicketId) -> Counter[str]:
    return Counter(record.type for record in await world.core.ledger.history(ticket_id))


async def reaches(world: World, ticket_id: TicketId, state: TicketState) -> None:
    async with asyncio.timeout(30):
        while (await world.core.service.ticket(ticket_id)).state is not state:
            await world.core.ledger.changed(0, 0.05)


async def test_two_people_at_the_last_vote_make_one_execution(world: World) -> None:
    ticket_id = await ask(world, jobs.EXECUTED)
    await world.hands.press("U0OLIVIA", ticket_id, names.APPROVE)
    await world.hands.press("U0RIN", ticket_id, names.APPROVE)
    await asyncio.gather(
        *(
            world.hands.press(user, ticket_id, names.APPROVE)
            for user in ("U0RAVI", "U0RUTH", "U0OMAR") * 5
        )
    )
    await reaches(world, ticket_id, TicketState.EXECUTED)
    seen = await kinds(world, ticket_id)
    assert (seen["TicketApproved"], seen["ExecutionStarted"], seen["ExecutionSucceeded"]) == (
        (1,) * 3
    )


async def press_while_shown(world: World, ticket_id: TicketId) -> None:
    """Approve on the card, unless it says by now that the ticket is over."""
    with suppress(MisuseError):
        await world.hands.press("U0OMAR", ticket_id, names.APPROVE)


async def test_approve_against_reject_against_expiry_settles_once(world: World) -> None:
    """Ten tickets, each decided both ways at the moment when it expires."""
    for number in range(10):
        ticket_id = await ask(world, jobs.URGENT, ttl_seconds=1, target=f"key {number}")
        ticket = await world.core.service.ticket(ticket_id)
        while world.core.clock.now() < ticket.expires_at:
            await world.core.ledger.changed(10**9, 0.001)
        rest = "/api/v1/approvals"
        await asyncio.gather(
            world.client.post(f"{rest}/{ticket_id}/approve", token=world.tokens["U0OLIVIA"]),
            world.client.post(f"{rest}/{ticket_id}/reject", token=world.tokens["U0OMAR"]),
            press_while_shown(world, ticket_id),
        )
        ended = await kinds(world, ticket_id)
        assert sum(ended[name] for name in ENDS) == 1, ended


async def test_many_consumers_at_once_hold_one_grant(world: World) -> None:
    ticket_id = await ask(world, jobs.RELEASED)
    await world.hands.press("U0OLIVIA", ticket_id, names.APPROVE)
    await reaches(world, ticket_id, TicketState.APPROVED)
    answers = await asyncio.gather(
        *(
            world.client.post(f"/api/v1/jobs/{ticket_id}/consume", token=world.tokens["deploy-bot"])
            for _ in range(20)
        )
    )
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 19}
    assert (await kinds(world, ticket_id))["GrantRedeemed"] == 1


async def test_bytes_that_differ_from_what_was_approved_never_run(world: World) -> None:
    """The content is swapped in the database after the approval; the executor compares digests."""
    import sqlite3
    from contextlib import closing

    from bot.compose.tools import ledger_file

    ticket_id = await ask(world, jobs.EXECUTED)
    ticket = await world.core.service.ticket(ticket_id)
    path = ledger_file(world.settings.database)
    with closing(sqlite3.connect(path, timeout=10)) as raw:
        query = "SELECT body FROM contents WHERE digest = ?"
        (body,) = raw.execute(query, (ticket.ask.content_digest,)).fetchone()
        swapped = bytes(body).replace(b'"250"', b'"999"')
        assert swapped != bytes(body)
        raw.execute(
            "UPDATE contents SET body = ? WHERE digest = ?", (swapped, ticket.ask.content_digest)
        )
        raw.commit()
    for user in ("U0OLIVIA", "U0RIN", "U0RAVI"):  # the card would offer no Approve any more
        path = f"/api/v1/approvals/{ticket_id}/approve"
        answer = await world.client.post(path, token=world.tokens[user])
        assert answer.status == 200, answer.body
    async with asyncio.timeout(30):
        while not (await world.core.service.ticket(ticket_id)).note:
            await world.core.ledger.changed(0, 0.05)
    after = await world.core.service.ticket(ticket_id)
    assert after.state is TicketState.APPROVED
    assert (await kinds(world, ticket_id))["ExecutionStarted"] == 0
    text = (world.site / "app/settings.ini").read_text(encoding="utf-8")
    assert "999" not in text


async def test_a_voter_takes_in_slack_the_receipt_that_http_gives(world: World) -> None:
    ticket_id = await ask(world, jobs.RELEASED)
    await world.hands.press("U0OLIVIA", ticket_id, names.APPROVE)
    await reaches(world, ticket_id, TicketState.APPROVED)
    await checkpoint(world.core)
    emu, card = world.emulator, world.hands.card(ticket_id)
    assert card is not None
    await emu.message_shortcut("U0OLIVIA", card.channel, card.ts, names.SHORTCUT_DETAILS)
    modal = emu.modal("U0OLIVIA")
    assert modal is not None
    await emu.click_view("U0OLIVIA", modal.id, names.RECEIPT)
    (sent,) = [one.content for one in emu.workspace.files.values() if one.name.endswith(".json")]
    (entry,) = parse_receipt(sent.decode("utf-8")).entries
    path, token = f"/api/v1/audit/receipts/{entry.seq}", world.tokens["U0OLIVIA"]
    assert (await world.client.get(path, token=token)).body == json.loads(sent)
