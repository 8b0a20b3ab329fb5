"""Between the last vote and what it lets happen, and afterwards: one run at most, and a true word.

Played as ``test_races_votes`` are.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.slack import names
from governance.action import Content
from governance.execution import RunStatus
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets.ticket import TicketState
from tests.integration.slack.stage import STAGED, End, Stage, Table, end, said_in
from tests.integration.slack.world import TEAM, code_of

S = TicketState
RACES = Table()
law = RACES.law
WHY = {names.REASON_BLOCK: "I looked at the console"}
A, R = names.APPROVE, names.REJECT
YES, NO = names.TOOK_EFFECT, names.NO_EFFECT
RELEASE, DISCARD = names.RELEASE_OUTPUT, names.DISCARD_OUTPUT


async def _forms(stage: Stage, *opened: tuple[str, str]) -> None:
    for user, action in opened:
        await stage.click(user, action)
        assert stage.emu.modal(user) is not None


async def _sent_at_once(stage: Stage, *users: str) -> None:
    await asyncio.gather(*(stage.fill(user, WHY, settle=False) for user in users))
    await stage.emu.settle()


# Stop and start


@law("a stop against the agent's use ends in one of them")
async def _(stage: Stage) -> End:
    await stage.approved()
    used, _ = await asyncio.gather(stage.redeem(), stage.click("otto", names.STOP, settle=False))
    await stage.emu.settle()
    return end(S.REJECTED) if used else end(S.RELEASED, runs=1, TicketRejected=0)


@law("a stop against an executor's start ends in one of them")
async def _(stage: Stage) -> End:
    await stage.approved(to_run=True)
    started, _ = await asyncio.gather(stage.start(), stage.click("otto", names.STOP, settle=False))
    await stage.emu.settle()
    return end(S.REJECTED) if started else end(S.EXECUTING, runs=1, TicketRejected=0)


@law("two stops at once are one")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.clicks(("otto", names.STOP), ("olga", names.STOP))
    assert await stage.redeem() == "not_approved"
    return end(S.REJECTED, TicketRejected=1)


@law("a stop after the start is refused and the run goes on")
async def _(stage: Stage) -> End:
    await stage.approved(to_run=True)
    assert await stage.start() == ""
    assert code_of(await stage.click("otto", names.STOP)) == "wrong_state"
    return end(S.EXECUTING, runs=1, TicketRejected=0)


@law("ten uses of one approval at once are one")
async def _(stage: Stage) -> End:
    await stage.approved()
    codes = await asyncio.gather(*(stage.redeem() for _ in range(10)))
    assert sorted(codes) == ["", *["already_consumed"] * 9]
    return end(S.RELEASED, runs=1, GrantRedeemed=1)


@law("two executors at once start one run")
async def _(stage: Stage) -> End:
    await stage.approved(to_run=True)
    codes = await asyncio.gather(stage.start("run-1"), stage.start("run-2"))
    assert sorted(codes) == ["", "already_consumed"]
    return end(S.EXECUTING, runs=1, ExecutionStarted=1)


@law("a use against the expiry is refused once it is due")
async def _(stage: Stage) -> End:
    await stage.approved()
    stage.clock.pass_(hours=2)
    expire = cmd.ExpireTicket(ticket_id=stage.ticket_id)
    codes = await asyncio.gather(stage.redeem(), stage.asked(expire), stage.redeem())
    assert codes[0] in {"expired", "not_approved"}
    return end(S.EXPIRED, TicketExpired=1)


@law("an outcome against the end of its lease is told once")
async def _(stage: Stage) -> End:
    await stage.approved(to_run=True)
    assert await stage.start() == ""
    stage.clock.pass_(seconds=31)
    lost = cmd.DeclareLost(ticket_id=stage.ticket_id)
    ended, _ = await asyncio.gather(stage.end(), stage.asked(lost))
    found = await stage.kinds()
    assert found["ExecutionSucceeded"] + found["ExecutionLost"] == 1
    return end(S.UNKNOWN, runs=1) if ended else end(S.EXECUTED, runs=1)


# Between the vote and the run


@law("a voter who is deactivated before the run takes the quorum along")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.emu.set_user("roy", deleted=True)
    assert await stage.redeem() == "not_approved"
    return end(S.PENDING, QuorumLost=1)


@law("a deactivation whose event was lost is found before the run")
async def _(stage: Stage) -> End:
    await stage.approved()
    roy = stage.emu.workspace.user("roy")
    stage.emu.workspace.replace_user(replace(roy, deleted=True))
    stage.clock.pass_(minutes=10)
    assert await stage.redeem() == "not_approved"
    return end(S.PENDING, QuorumLost=1)


@law("a role that is taken away before the run takes the quorum along")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.emu.set_usergroup("S0REVIEW", "U0RITA")
    assert await stage.redeem() == "not_approved"
    return end(S.PENDING, QuorumLost=1)


@law("a lost quorum is met again by somebody else and used once")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.emu.set_usergroup("S0REVIEW", "U0NEWBIE")
    assert await stage.redeem() == "not_approved"
    await stage.show()
    await stage.click("newbie", A)
    assert await stage.redeem() == ""
    return end(S.RELEASED, runs=1, QuorumLost=1, TicketApproved=2)


@law("a role that comes back before the run changes nothing")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.emu.set_usergroup("S0REVIEW", "U0RITA")
    await stage.emu.set_usergroup("S0REVIEW", "U0RITA", "U0ROY")
    assert await stage.redeem() == ""
    return end(S.RELEASED, runs=1, QuorumLost=0)


@law("whoever answers for the agent and is deactivated before the run cancels it")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.emu.set_user("owen", deleted=True)
    assert await stage.redeem() == "not_approved"
    return end(S.CANCELLED, TicketCancelled=1)


@law("a directory that cannot be asked before the run leaves it approved")
async def _(stage: Stage) -> End:
    await stage.approved()
    stage.emu.faults.add("refused", on="users.info", times=99)
    stage.clock.pass_(minutes=10)
    assert await stage.redeem() == "identity_unavailable"
    stage.emu.faults.clear()
    assert await stage.redeem() == ""
    return end(S.RELEASED, runs=1, QuorumLost=0)


@law("a freeze before the run keeps it from running")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.emu.command("otto", "/placet", "freeze all")
    assert await stage.redeem() == "frozen"
    return end(S.APPROVED)


STRICTER = {
    "tiers": {
        **STAGED["tiers"],
        "high": {**STAGED["tiers"]["high"], "threshold": 5},
    }
}
DENYING = {
    "rules": [
        *STAGED["rules"],
        {"id": "stop-it", "match": {"topics": ["job.deploy"]}, "decision": "deny"},
    ]
}


@law("a stricter bundle before the run voids the votes")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.activate(**STRICTER)
    assert await stage.redeem() == "not_approved"
    assert (await stage.ticket()).revision == 2
    return end(S.PENDING, TicketRevised=1)


@law("a bundle that denies it before the run ends it")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.activate(**DENYING)
    assert await stage.redeem() == "not_approved"
    return end(S.DENIED, TicketDenied=1)


@law("an equal bundle before the run changes nothing")
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.activate(name="another-name")
    assert await stage.redeem() == ""
    return end(S.RELEASED, runs=1, TicketUpheld=1)


@law("a bundle against the run never lets it run by the older word")
async def _(stage: Stage) -> End:
    await stage.approved()
    used, _ = await asyncio.gather(stage.redeem(), stage.activate(**STRICTER))
    if used:
        await stage.world.service.reassess(stage.ticket_id)
        return end(S.PENDING, TicketRevised=1)
    return end(S.RELEASED, runs=1)


# Stale cards, stale forms, stale pages


async def _failed_once(stage: Stage) -> None:
    await stage.approved(to_run=True)
    assert await stage.start() == ""
    assert await stage.end(RunStatus.FAILED, output=b"boom") == ""


@law("a click on the card of an earlier revision does not count")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.activate(**STRICTER)
    await stage.world.service.reassess(stage.ticket_id)
    assert code_of(await stage.click("olga", A)) == "superseded_revision"
    return end(S.PENDING, VoteCast=0, VoteRefused=1)


@law("a click on an older version of a decided ticket's card does not count")
async def _(stage: Stage) -> End:
    await stage.approved()
    assert code_of(await stage.click("otto", A, stale=0)) == "approval_already_resolved"
    return end(S.APPROVED, VoteCast=2)


@law("a withdrawal on an older version of a decided ticket's card takes nothing back")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    version = len(stage.world.card().versions) - 1
    await stage.click("roy", A)
    await stage.show()
    late = await stage.click("olga", names.WITHDRAW, stale=version)
    assert code_of(late) == "approval_already_resolved"
    return end(S.APPROVED, VoteWithdrawn=0)


@law("a form that was opened before the decision is refused in the form")
async def _(stage: Stage) -> End:
    await stage.ask()
    await _forms(stage, ("otto", R))
    await stage.click("olga", A)
    await stage.click("roy", A)
    refused = await stage.fill("otto", WHY)
    assert "settled already" in refused.errors[names.REASON_BLOCK]
    return end(S.APPROVED, TicketRejected=0)


@law("a form of an earlier revision is refused in the form")
async def _(stage: Stage) -> End:
    await stage.ask()
    await _forms(stage, ("olga", R), ("rita", A))
    await stage.activate(**STRICTER)
    await stage.world.service.reassess(stage.ticket_id)
    refused = await stage.fill("olga", WHY)
    assert "out of date" in refused.errors[names.REASON_BLOCK]
    refused = await stage.fill("rita", {})
    assert "out of date" in refused.errors[names.REASON_BLOCK]
    return end(S.PENDING, VoteCast=0, TicketRejected=0)


@law("a full view of an earlier revision opens nothing on a newer one")
async def _(stage: Stage) -> End:
    long = Content(arguments={"sql": "select 1;\n" * 2_500})
    await stage.ask(content=long)
    olga = PersonId(f"slack:{TEAM}/U0OLGA")
    view = cmd.OpenFullView(ticket_id=stage.ticket_id, revision=1, person=olga)
    await stage.world.service.handle(view)
    await stage.activate(**STRICTER)
    await stage.world.service.reassess(stage.ticket_id)
    await stage.show()
    assert code_of(await stage.click("olga", A)) == "full_view_required"
    return end(S.PENDING, VoteCast=0, FullViewOpened=1)


@law("a stop on the card of a run that failed stops nothing")
async def _(stage: Stage) -> End:
    await _failed_once(stage)
    assert code_of(await stage.click("otto", names.STOP)) == "wrong_state"
    return end(S.PENDING, runs=1, TicketRejected=0, TicketRevised=1)


@law("votes on a run that failed do not count for the next one")
async def _(stage: Stage) -> End:
    await _failed_once(stage)
    assert await stage.start("run-2") == "not_approved"
    await stage.show()
    await stage.click("olga", A)
    assert await stage.start("run-2") == "not_approved"
    return end(S.PENDING, runs=1, VoteCast=3)


# What became of a run


@law("two people who find the same at once settle it once")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await _forms(stage, ("olga", YES), ("otto", YES))
    await _sent_at_once(stage, "olga", "otto")
    return end(S.EXECUTED, runs=1, OutcomeAttested=2, UnknownResolved=1)


@law("two people who disagree at once leave it unknown")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await _forms(stage, ("olga", YES), ("otto", NO))
    await _sent_at_once(stage, "olga", "otto")
    return end(S.UNKNOWN, runs=1, OutcomeAttested=2, UnknownResolved=0)


@law("the same evidence twice at once is one word")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await _forms(stage, ("olga", YES))
    form = stage.emu.modal("olga")
    assert form is not None
    await asyncio.gather(
        *(stage.emu.submit("olga", form.id, WHY, settle=False) for _ in range(2)),
        return_exceptions=True,
    )
    await stage.emu.settle()
    return end(S.UNKNOWN, runs=1, OutcomeAttested=1, UnknownResolved=0)


@law("three people who disagree at once are settled by the two who agree")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await _forms(stage, ("olga", NO), ("otto", YES), ("roy", NO))
    await _sent_at_once(stage, "olga", "otto", "roy")
    return end(S.PENDING, runs=1, OutcomeAttested=(2, 3), UnknownResolved=1, TicketRevised=1)


@law("a late outcome of a run that people resolved changes nothing")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await _forms(stage, ("olga", NO), ("otto", NO))
    await _sent_at_once(stage, "olga", "otto")
    assert await stage.end() == "wrong_state"
    return end(S.PENDING, runs=1, ExecutionSucceeded=0)


@law("evidence on a run that was resolved meanwhile is refused in the form")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await _forms(stage, ("olga", NO), ("otto", NO), ("roy", YES))
    await _sent_at_once(stage, "olga", "otto")
    refused = await stage.fill("roy", WHY)
    assert "out of date" in refused.errors[names.REASON_BLOCK]
    return end(S.PENDING, runs=1, OutcomeAttested=2)


@law("a release against a discard ends in one of them")
async def _(stage: Stage) -> End:
    await stage.held_back()
    await _forms(stage, ("olga", RELEASE), ("otto", DISCARD))
    await _sent_at_once(stage, "olga", "otto")
    found = await stage.kinds()
    assert found["OutputReleased"] + found["OutputDiscarded"] == 1
    return end(S.EXECUTED, runs=1)


@law("two releases at once are one")
async def _(stage: Stage) -> End:
    await stage.held_back()
    await _forms(stage, ("olga", RELEASE), ("otto", RELEASE))
    await _sent_at_once(stage, "olga", "otto")
    return end(S.EXECUTED, runs=1, OutputReleased=1)


@law("a stale discard of a released output takes nothing back")
async def _(stage: Stage) -> End:
    await stage.held_back()
    await stage.click("olga", RELEASE)
    await stage.fill("olga", WHY)
    late = await stage.click("otto", DISCARD)
    assert "refused" not in said_in(late)
    refused = await stage.fill("otto", WHY)
    assert "moved on" in refused.errors[names.REASON_BLOCK]
    return end(S.EXECUTED, runs=1, OutputReleased=1, OutputDiscarded=0)


@pytest.mark.parametrize(("said", "transport"), RACES.cases())
async def test_a_race_ends_lawfully(said: str, transport: str, tmp_path: Path) -> None:
    await RACES.play(said, transport, tmp_path)
