"""People at the same ticket at the same moment: whatever comes first, the end is lawful.

Each scenario is played over real HTTP and over Socket Mode where nothing else is said, against a
ledger on file with real signatures; each says how it ends, and the stage holds it to that: state,
counts, runs, card, and a log that verifies.
"""

import asyncio
from pathlib import Path

import pytest

from bot.slack import names
from governance.tickets import commands as cmd
from governance.tickets.ticket import TicketState
from tests.integration.slack.stage import End, Stage, Table, end
from tests.integration.slack.world import AGENT, code_of

S = TicketState
RACES = Table()
law = RACES.law
WHY = {names.REASON_BLOCK: "not today"}
A, R, W = names.APPROVE, names.REJECT, names.WITHDRAW


async def _form(stage: Stage, user: str, action: str = R) -> None:
    await stage.click(user, action)
    assert stage.emu.modal(user) is not None


@law("a double click is one vote")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.clicks(("olga", A), ("olga", A))
    return end(S.PENDING, VoteCast=1)


@law("twenty clicks of one person at once are one vote")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.clicks(*[("olga", A)] * 20)
    return end(S.PENDING, VoteCast=1, VoteRefused=0)


@law("twenty clicks at the last vote approve once")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.clicks(*[("roy", A)] * 20)
    return end(S.APPROVED, VoteCast=2, TicketApproved=1)


@law("two people at once are both counted")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.clicks(("olga", A), ("otto", A))
    return end(S.PENDING, VoteCast=2)


@law("two people at the last vote approve it once and the later one is told")
async def _(stage: Stage) -> End:
    await stage.ask("job.by-one")
    assert await stage.clicks(("olga", A), ("otto", A)) == ["approval_already_resolved"]
    return end(S.APPROVED, VoteCast=1, TicketApproved=1)


@law("everybody at once approves once")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.clicks(("olga", A), ("otto", A), ("roy", A), ("owen", A), ("newbie", A))
    return end(S.APPROVED, VoteCast=(2, 3), TicketApproved=1)


@law("an approval against a rejection ends in one of them and never in both")
async def _(stage: Stage) -> End:
    await stage.ask("job.by-one")
    await _form(stage, "otto")
    await asyncio.gather(
        stage.click("olga", A, settle=False), stage.fill("otto", WHY, settle=False)
    )
    await stage.emu.settle()
    found = await stage.kinds()
    assert found["TicketApproved"] + found["TicketRejected"] == 1
    return end(S.APPROVED, S.REJECTED, VoteCast=1)


@law("approve and reject of one person at once reject it")
async def _(stage: Stage) -> End:
    await stage.ask()
    await _form(stage, "olga")
    await asyncio.gather(
        stage.click("olga", A, settle=False), stage.fill("olga", WHY, settle=False)
    )
    await stage.emu.settle()
    return end(S.REJECTED, VoteCast=(1, 2), TicketRejected=1, TicketApproved=0)


@law("two rejections at once reject it once")
async def _(stage: Stage) -> End:
    await stage.ask()
    for user in ("olga", "otto"):
        await _form(stage, user)
    await asyncio.gather(*(stage.fill(user, WHY, settle=False) for user in ("olga", "otto")))
    await stage.emu.settle()
    return end(S.REJECTED, VoteCast=1, TicketRejected=1)


@law("a form that is sent twice at once is one vote")
async def _(stage: Stage) -> End:
    await stage.ask("job.by-weight")
    await _form(stage, "olga")
    form = stage.emu.modal("olga")
    assert form is not None
    await asyncio.gather(
        *(stage.emu.submit("olga", form.id, WHY, settle=False) for _ in range(2)),
        return_exceptions=True,
    )
    await stage.emu.settle()
    return end(S.PENDING, VoteCast=1)


@law("a withdrawal against the quorum leaves either the approval or the other vote alone")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    await stage.clicks(("olga", W), ("roy", A))
    found = await stage.kinds()
    assert found["TicketApproved"] + found["VoteWithdrawn"] == 1
    return end(S.APPROVED, S.PENDING, VoteCast=2)


@law("two withdrawals at once are one")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    assert await stage.clicks(("olga", W), ("olga", W)) == ["no_vote"]
    return end(S.PENDING, VoteWithdrawn=1)


@law("a withdrawal against a new approval of the same person leaves at most one vote")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    await stage.clicks(("olga", W), ("olga", A))
    assert len((await stage.ticket()).votes) <= 1
    return end(S.PENDING, VoteCast=(1, 2), VoteWithdrawn=1)


@law("a withdrawal that comes before the vote finds none, and the vote counts")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("otto", A)
    await stage.show()
    assert code_of(await stage.click("olga", W)) == "no_vote"
    await stage.click("olga", A)
    return end(S.PENDING, VoteCast=2, VoteWithdrawn=0)


@law("a withdrawal of somebody else's vote takes nothing away")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    for user in ("roy", "owen", "newbie"):
        assert code_of(await stage.click(user, W)) == "no_vote"
    return end(S.PENDING, VoteCast=1, VoteWithdrawn=0)


@law("a vote after the expiry expires the ticket")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    stage.clock.pass_(hours=2)
    assert code_of(await stage.click("roy", A)) == "expired"
    return end(S.EXPIRED, VoteCast=1, TicketExpired=1)


@law("a vote against the sweep expires it once")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.clock.pass_(hours=2)
    expire = cmd.ExpireTicket(ticket_id=stage.ticket_id)
    await asyncio.gather(
        stage.click("olga", A, settle=False),
        stage.world.service.handle(expire),
        stage.click("roy", A, settle=False),
    )
    await stage.emu.settle()
    return end(S.EXPIRED, VoteCast=0, TicketExpired=1)


@law("a rejection after the expiry is refused in its form")
async def _(stage: Stage) -> End:
    await stage.ask()
    await _form(stage, "olga")
    await stage.expire()
    refused = await stage.fill("olga", WHY)
    assert "Its time is over" in refused.errors[names.REASON_BLOCK]
    return end(S.EXPIRED, VoteCast=0, TicketExpired=1)


@law("a withdrawal after the expiry expires the ticket")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    stage.clock.pass_(hours=2)
    assert code_of(await stage.click("olga", W)) == "expired"
    return end(S.EXPIRED, VoteWithdrawn=0, TicketExpired=1)


@law("the agent's own cancel against the last vote ends in one of them")
async def _(stage: Stage) -> End:
    await stage.ask("job.by-one")
    cancel = cmd.CancelTicket(ticket_id=stage.ticket_id, actor="agent:x", agent=AGENT.id)
    await asyncio.gather(stage.click("olga", A, settle=False), stage.world.service.handle(cancel))
    await stage.emu.settle()
    return end(S.CANCELLED, VoteCast=(0, 1), TicketCancelled=1)


@law("a freeze against the last vote lets nothing run")
async def _(stage: Stage) -> End:
    await stage.ask("job.by-one")
    await asyncio.gather(
        stage.click("olga", A, settle=False),
        stage.emu.command("otto", "/placet", "freeze deploy-bot", settle=False),
    )
    await stage.emu.settle()
    ticket = await stage.ticket()
    assert await stage.redeem() == ("frozen" if ticket.state is S.APPROVED else "not_approved")
    return end(S.APPROVED, S.PENDING)


@law("an approval of a frozen agent is refused and a rejection is not")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.emu.command("otto", "/placet", "freeze deploy-bot")
    await stage.show()
    assert code_of(await stage.click("olga", A)) == "frozen"
    await _form(stage, "olga")
    await stage.fill("olga", WHY)
    return end(S.REJECTED, VoteCast=1, VoteRefused=1)


@law("a role that is taken for both forms at once is counted for each person once")
async def _(stage: Stage) -> End:
    await stage.ask()
    await _form(stage, "rita", A)
    await asyncio.gather(
        stage.fill("rita", {names.ROLE_BLOCK: "operator"}, settle=False),
        stage.click("roy", A, settle=False),
    )
    await stage.emu.settle()
    return end(S.APPROVED, VoteCast=2, TicketApproved=1)


@law("a change of role against the last vote leaves one vote for each person")
async def _(stage: Stage) -> End:
    await stage.ask()
    await _form(stage, "rita", A)
    await stage.fill("rita", {names.ROLE_BLOCK: "operator"})
    await stage.emu.close_view("rita", stage.emu.modal("rita").id)  # type: ignore[union-attr]
    await _form(stage, "rita", A)
    await asyncio.gather(
        stage.fill("rita", {names.ROLE_BLOCK: "reviewer"}, settle=False),
        stage.click("roy", A, settle=False),
    )
    await stage.emu.settle()
    votes = (await stage.ticket()).votes
    assert len({vote.person for vote in votes}) == len(votes) == 2
    return end(S.APPROVED, S.PENDING, VoteCast=(2, 3))


@law("a hundred clicks on two cards of one ticket are one vote for each person")
async def _(stage: Stage) -> End:
    await stage.ask()
    first = stage.world.card()
    place = await stage.world.ledger.place(stage.ticket_id)
    assert place is not None
    await stage.lose_place()
    assert len(stage.world.cards()) == 2
    second = stage.world.card()
    await asyncio.gather(
        *(
            stage.emu.click(user, "approvals", card.ts, A, settle=False)
            for card in (first, second)
            for user in ("olga", "otto")
            for _ in range(25)
        )
    )
    await stage.emu.settle()
    return end(S.PENDING, VoteCast=2)


@pytest.mark.parametrize(("said", "transport"), RACES.cases())
async def test_a_race_ends_lawfully(said: str, transport: str, tmp_path: Path) -> None:
    await RACES.play(said, transport, tmp_path)
