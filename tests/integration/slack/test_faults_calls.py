"""What goes wrong with our calls to Slack: the verdict stands, and the card comes right.

Played as ``test_races_votes`` are.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.emulator.faults import FaultKind
from bot.slack import names
from governance.tickets.ticket import TicketState
from tests.integration.slack.stage import End, Stage, Table, end, said_in
from tests.integration.slack.world import code_of

S = TicketState
FAULTS = Table()
law = FAULTS.law
WHY = {names.REASON_BLOCK: "not today"}
A, R = names.APPROVE, names.REJECT
LONG = 999

CALLS = {
    "is put off with Retry-After": FaultKind.RATE_LIMITED,
    "fails with a 500": FaultKind.SERVER_ERROR,
    "fails with a 503": FaultKind.UNAVAILABLE,
    "is cut before Slack has it": FaultKind.DROP_BEFORE,
    "is cut after Slack has it": FaultKind.DROP_AFTER,
}


def _update(kind: FaultKind) -> Callable[[Stage], Awaitable[End]]:
    async def scenario(stage: Stage) -> End:
        await stage.ask()
        stage.emu.faults.add(kind, on="chat.update")
        await stage.click("olga", A)
        await stage.show()
        assert len(stage.world.cards()) == 1
        await stage.click("roy", A)
        return end(S.APPROVED, VoteCast=2, TicketApproved=1)

    return scenario


def _post(kind: FaultKind) -> Callable[[Stage], Awaitable[End]]:
    async def scenario(stage: Stage) -> End:
        stage.emu.faults.add(kind, on="chat.postMessage")
        await stage.ask()
        await stage.show()
        for card in stage.world.cards():  # an orphan carries the same ticket, and votes once
            await stage.emu.click("olga", "approvals", card.ts, A)
        await stage.click("roy", A)
        return end(S.APPROVED, VoteCast=2, TicketApproved=1)

    return scenario


for _name, _kind in CALLS.items():
    law(f"an update of a card that {_name} is made good")(_update(_kind))
    law(f"a post of a card that {_name} is made good")(_post(_kind))


@law("ten updates that fail in a row are one right card in the end")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.emu.faults.add(FaultKind.SERVER_ERROR, on="chat.update", times=5)
    stage.emu.faults.add(FaultKind.RATE_LIMITED, on="chat.update", times=5)
    for user in ("olga", "otto", "roy"):
        await stage.click(user, A)
    return end(S.APPROVED, VoteCast=3)


@law("a card that somebody deleted is posted anew and votes on it count")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.delete_card()
    assert stage.world.cards() == ()
    await stage.by_api("olga", A)
    await stage.show()
    assert len(stage.world.cards()) == 1
    await stage.click("roy", A)
    return end(S.APPROVED, VoteCast=2)


@law("an archived channel keeps nobody from deciding by other ways")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.emu.set_channel("approvals", is_archived=True)
    await stage.by_api("olga", A)
    await stage.by_api("roy", A)
    await stage.try_to_show()
    assert (await stage.ticket()).state is S.APPROVED
    await stage.emu.set_channel("approvals", is_archived=False)
    return end(S.APPROVED, VoteCast=2)


@law("a bot that was removed from the channel has its card right once it is back")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.emu.faults.add(FaultKind.REFUSED, on="chat.update", error="channel_not_found", times=3)
    stage.emu.faults.add(FaultKind.REFUSED, on="chat.postMessage", error="not_in_channel", times=3)
    await stage.click("olga", A)
    await stage.try_to_show()
    await stage.click("roy", A)
    return end(S.APPROVED, VoteCast=2)


@law("a token that is revoked in the middle keeps no vote from counting")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("newbie", A)
    for user in ("olga", "roy"):
        await stage.world.service.person(await stage.person(user))
    stage.emu.faults.add(FaultKind.REFUSED, on="*", error="token_revoked", times=LONG)
    for user in ("olga", "roy"):
        await stage.click(user, A)
    await stage.try_to_show()
    assert (await stage.ticket()).state is S.APPROVED
    stage.emu.faults.clear()
    return end(S.APPROVED, VoteCast=2, VoteRefused=1)


@law("a form that cannot be opened counts nothing and the person is told")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.emu.faults.add(FaultKind.REFUSED, on="views.open", error="expired_trigger_id")
    assert "Something went wrong" in said_in(await stage.click("olga", R))
    assert stage.emu.modal("olga") is None
    await stage.click("olga", R)
    await stage.fill("olga", WHY)
    return end(S.REJECTED, VoteCast=1)


@law("a role that cannot be asked for because no form opens counts nothing")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.emu.faults.add(FaultKind.SERVER_ERROR, on="views.open", times=9)
    assert "Something went wrong" in said_in(await stage.click("rita", A))
    assert stage.emu.modal("rita") is None
    return end(S.PENDING, VoteCast=0)


@law("an evidence form whose opening is cut after Slack has it is still good")
async def _(stage: Stage) -> End:
    await stage.unknown()
    stage.emu.faults.add(FaultKind.DROP_AFTER, on="views.open")
    await stage.click("olga", names.TOOK_EFFECT)
    assert stage.emu.modal("olga") is not None
    await stage.fill("olga", {names.REASON_BLOCK: "seen in the console"})
    return end(S.UNKNOWN, runs=1, OutcomeAttested=1)


@law("an account that cannot be looked up counts nothing until it can")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.forget("olga")
    stage.emu.faults.add(FaultKind.REFUSED, on="users.info", times=9)
    assert code_of(await stage.click("olga", A)) == "identity_unavailable"
    stage.emu.faults.clear()
    await stage.click("olga", A)
    return end(S.PENDING, VoteCast=1, VoteRefused=0)


@law("a user group that cannot be looked up counts nothing until it can")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.emu.set_usergroup("S0REVIEW", "U0ROY")
    stage.emu.faults.add(FaultKind.REFUSED, on="usergroups.users.list", times=9)
    assert code_of(await stage.click("roy", A)) == "identity_unavailable"
    stage.emu.faults.clear()
    await stage.click("roy", A)
    return end(S.PENDING, VoteCast=1, VoteRefused=0)


@law("an identity that cannot be asked for in a form is said at its field")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", R)
    await stage.forget("olga")
    stage.emu.faults.add(FaultKind.REFUSED, on="users.info", times=9)
    refused = await stage.fill("olga", WHY)
    assert "could not check who you are" in refused.errors[names.REASON_BLOCK]
    stage.emu.faults.clear()
    await stage.fill("olga", WHY)
    return end(S.REJECTED, VoteCast=1)


@law("a stop is taken while no card can be changed")
async def _(stage: Stage) -> End:
    await stage.approved()
    stage.emu.faults.add(FaultKind.SERVER_ERROR, on="chat.update", times=4)
    await stage.click("otto", names.STOP)
    assert await stage.redeem() == "not_approved"
    return end(S.REJECTED, TicketRejected=1)


@law("a withdrawal is taken while no card can be changed")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    stage.emu.faults.add(FaultKind.DROP_AFTER, on="chat.update", times=2)
    await stage.click("olga", names.WITHDRAW)
    return end(S.PENDING, VoteWithdrawn=1)


@pytest.mark.parametrize(("said", "transport"), FAULTS.cases())
async def test_a_fault_ends_lawfully(said: str, transport: str, tmp_path: Path) -> None:
    await FAULTS.play(said, transport, tmp_path)
