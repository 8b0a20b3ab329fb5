"""What goes wrong between Slack and us, or under us: each act counts once, or is refused and told.

Played as ``test_races_votes`` are. Replays of bytes are of HTTP alone; cuts of a connection end the
socket where there is one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.emulator.faults import FaultKind
from bot.slack import names
from bot.slack.kit import limits
from governance.tickets.ticket import TicketState
from tests.integration.slack.stage import End, Stage, Table, end, open_stage, said_in
from tests.integration.slack.world import code_of
from tests.support import failing

S = TicketState
FAULTS = Table()
law = FAULTS.law
HTTP, SOCKET = ("http",), ("socket",)
WHY = {names.REASON_BLOCK: "not today"}
A, R = names.APPROVE, names.REJECT
BUSY = {"ledger_busy", "ledger_unavailable"}


@contextmanager
def stuck(stage: Stage, *ports: str) -> Iterator[asyncio.Event]:
    """The database answers nothing until the event is set, or the context ends."""
    let_go = asyncio.Event()
    ledger = stage.world.ledger

    def held(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wait(*args: Any, **more: Any) -> Any:
            await let_go.wait()
            return await call(*args, **more)

        return wait

    for name in ports:
        setattr(ledger, name, held(getattr(ledger, name)))
    try:
        yield let_go
    finally:
        let_go.set()
        for name in ports:
            delattr(ledger, name)


def answered_in_time(stage: Stage) -> None:
    """Slack had the newest answer within its three seconds."""
    sent = stage.emu.deliveries()[-1]
    assert sent.status == 200
    assert sent.elapsed_ms < 3_000


# Lost, sent twice, sent again


@law("a click that never arrives counts nothing, and the next one does")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.emu.faults.add(FaultKind.LOST, on="block_actions")
    assert not (await stage.click("olga", A)).is_delivered
    await stage.click("olga", A)
    return end(S.PENDING, VoteCast=1)


@law("a click that is sent again as a retry is one vote")
async def _(stage: Stage) -> End:
    await stage.ask()
    for user in ("olga", "roy"):
        stage.emu.faults.add(FaultKind.DUPLICATE, on="block_actions")
        await stage.click(user, A)
    return end(S.APPROVED, VoteCast=2, TicketApproved=1)


@law("a refused click that is sent again as a retry is told and recorded once")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.emu.faults.add(FaultKind.DUPLICATE, on="block_actions")
    result = await stage.click("newbie", A)
    assert [code_of(result), len(result.ephemerals)] == ["wrong_role", 1]
    return end(S.PENDING, VoteCast=0, VoteRefused=1)


@law("a form that is sent again as a retry is one vote")
async def _(stage: Stage) -> End:
    await stage.ask("job.by-weight")
    await stage.click("olga", R)
    stage.emu.faults.add(FaultKind.DUPLICATE, on="view_submission")
    await stage.fill("olga", WHY)
    return end(S.PENDING, VoteCast=1)


@law("a withdrawal that is sent again as a retry is one")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    stage.emu.faults.add(FaultKind.DUPLICATE, on="block_actions")
    result = await stage.click("olga", names.WITHDRAW)
    assert "withdrawn" in said_in(result)
    return end(S.PENDING, VoteWithdrawn=1)


@law("evidence that is sent again as a retry is one word")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await stage.click("olga", names.TOOK_EFFECT)
    stage.emu.faults.add(FaultKind.DUPLICATE, on="view_submission")
    await stage.fill("olga", WHY)
    return end(S.UNKNOWN, runs=1, OutcomeAttested=1)


@law("the bytes of a withdrawn vote do not vote again", over=HTTP)
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    vote = stage.emu.deliveries("block_actions")[-1]
    await stage.show()
    await stage.click("olga", names.WITHDRAW)
    sent = await stage.emu.replay(vote)
    assert (sent.status, sent.answer) == (200, "")
    return end(S.PENDING, VoteCast=1, VoteWithdrawn=1)


@law("the bytes of a form do not reject again", over=HTTP)
async def _(stage: Stage) -> End:
    await stage.ask("job.by-weight")
    await stage.click("olga", R)
    await stage.fill("olga", WHY)
    await stage.click("olga", A)
    await stage.emu.replay_last("view_submission")
    return end(S.PENDING, VoteCast=2)


@law("the bytes of a stop do not stop the next approval", over=HTTP)
async def _(stage: Stage) -> End:
    await stage.approved()
    await stage.click("newbie", names.STOP)
    await stage.emu.replay_last("block_actions")
    return end(S.APPROVED, TicketRejected=0)


# Connections that end


def _cut(kind: FaultKind, *, in_a_form: bool) -> Callable[[Stage], Awaitable[End]]:
    async def scenario(stage: Stage) -> End:
        await stage.ask("job.by-weight")
        await stage.click("olga", R if in_a_form else names.DETAILS)
        stage.emu.faults.add(kind, on="view_submission" if in_a_form else "block_actions")
        await (stage.fill("olga", WHY) if in_a_form else stage.click("olga", A))
        await stage.emu.settle()
        return end(S.PENDING, VoteCast=1)

    return scenario


_CUTS = {
    "before it is answered": FaultKind.CUT_BEFORE_ACK,
    "with its answer on the wire": FaultKind.CUT_AFTER_ACK,
}
for _when, _kind in _CUTS.items():
    law(f"a click whose connection ends {_when} is one vote")(_cut(_kind, in_a_form=False))
    law(f"a form whose connection ends {_when} is one vote")(_cut(_kind, in_a_form=True))


@law("a person who clicks again after a cut has one vote")
async def _(stage: Stage) -> End:
    await stage.ask()
    stage.emu.faults.add(FaultKind.CUT_AFTER_ACK, on="block_actions")
    for _ in range(3):
        await stage.click("olga", A)
    return end(S.PENDING, VoteCast=1)


@law("clicks go on after Slack has every connection renewed", over=SOCKET)
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.emu.sockets.refresh()
    await stage.emu.sockets.wait_for(1)
    await stage.click("roy", A)
    return end(S.APPROVED, VoteCast=2)


@law("clicks that come over two connections are counted once each", over=SOCKET)
async def _(stage: Stage) -> End:
    await stage.ask()
    async with stage.second_app() as other:
        await stage.emu.sockets.wait_for(2)
        for _ in range(2):
            for user in ("olga", "otto"):
                await stage.click(user, A)
        assert other.is_idle
    return end(S.PENDING, VoteCast=2)


@law("a process that ends between two votes hands over to the next one", over=SOCKET)
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.world.app.close()
    async with stage.second_app():
        await stage.emu.sockets.wait_for(1)
        assert "counted already" in said_in(await stage.click("olga", A))
        await stage.click("roy", A)
    return end(S.APPROVED, VoteCast=2)


# The database


@law("a click on a database that is locked is refused, and counts once it is not")
async def _(stage: Stage) -> End:
    await stage.ask()
    with failing.locked(stage.path):
        assert code_of(await stage.click("olga", A)) in BUSY
    await stage.click("olga", A)
    return end(S.PENDING, VoteCast=1)


@law("a form on a database that is locked says so and is still there")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", R)
    with failing.locked(stage.path):
        refused = await stage.fill("olga", WHY)
        assert "try again" in refused.errors[names.REASON_BLOCK]
    await stage.fill("olga", WHY)
    return end(S.REJECTED, VoteCast=1)


@law("a withdrawal on a database that is locked takes nothing back")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", A)
    await stage.show()
    with failing.locked(stage.path):
        assert code_of(await stage.click("olga", names.WITHDRAW)) in BUSY
    return end(S.PENDING, VoteCast=1, VoteWithdrawn=0)


@law("a stop on a database that is locked is refused and told")
async def _(stage: Stage) -> End:
    await stage.approved()
    with failing.locked(stage.path):
        assert code_of(await stage.click("otto", names.STOP)) in BUSY
        assert await stage.redeem() in BUSY
    await stage.click("otto", names.STOP)
    return end(S.REJECTED, TicketRejected=1)


@law("evidence on a database that is locked is kept in its form")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await stage.click("olga", names.TOOK_EFFECT)
    with failing.locked(stage.path):
        refused = await stage.fill("olga", WHY)
        assert "try again" in refused.errors[names.REASON_BLOCK]
    await stage.fill("olga", WHY)
    return end(S.UNKNOWN, runs=1, OutcomeAttested=1)


@law("a click is answered while the database answers nothing, and counts afterwards")
async def _(stage: Stage) -> End:
    await stage.ask()
    with stuck(stage, "commit") as let_go:
        await stage.click("olga", A, settle=False)
        answered_in_time(stage)
        assert (await stage.ticket()).votes == ()
        let_go.set()
        await stage.emu.settle()
    return end(S.PENDING, VoteCast=1)


@law("a click is answered while the database cannot even be read")
async def _(stage: Stage) -> End:
    await stage.ask()
    with stuck(stage, "commit", "ticket", "control") as let_go:
        await stage.click("olga", A, settle=False)
        answered_in_time(stage)
        let_go.set()
        await stage.emu.settle()
    return end(S.PENDING, VoteCast=1)


@law("a form is answered while the database answers nothing, and says what came of it")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", R)
    with stuck(stage, "commit") as let_go:
        await stage.fill("olga", WHY, settle=False)
        answered_in_time(stage)
        assert "Recording your vote" in str(stage.emu.modal("olga").blocks)
        let_go.set()
        await stage.emu.settle()
    assert "Your vote counts" in str(stage.emu.modal("olga").blocks)
    return end(S.REJECTED, VoteCast=1)


@law("evidence is answered while the database answers nothing, and says what came of it")
async def _(stage: Stage) -> End:
    await stage.unknown()
    await stage.click("olga", names.NO_EFFECT)
    with stuck(stage, "commit") as let_go:
        await stage.fill("olga", WHY, settle=False)
        answered_in_time(stage)
        let_go.set()
        await stage.emu.settle()
    assert "One more person" in str(stage.emu.modal("olga").blocks)
    return end(S.UNKNOWN, runs=1, OutcomeAttested=1)


@law("a command and an opened tab are answered while the database answers nothing")
async def _(stage: Stage) -> End:
    await stage.ask()
    with stuck(stage, "commit", "ticket", "tickets", "control") as let_go:
        await stage.emu.command("olga", "/placet", "list", settle=False)
        answered_in_time(stage)
        await stage.emu.open_home("olga", settle=False)
        await stage.answered("app_home_opened")
        let_go.set()
        await stage.emu.settle()
    return end(S.PENDING)


@law("a form whose outcome cannot be shown counts all the same")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.click("olga", R)
    stage.emu.faults.add(FaultKind.REFUSED, on="views.update", error="not_found", times=9)
    with stuck(stage, "commit") as let_go:
        await stage.fill("olga", WHY, settle=False)
        let_go.set()
        await stage.emu.settle()
    return end(S.REJECTED, VoteCast=1)


@law("impatient clicks while the database answers nothing are one vote")
async def _(stage: Stage) -> End:
    await stage.ask()
    with stuck(stage, "commit") as let_go:
        for _ in range(5):
            await stage.click("olga", A, settle=False)
            answered_in_time(stage)
        let_go.set()
        await stage.emu.settle()
    return end(S.PENDING, VoteCast=1)


@law("a bug of ours after the commit takes no vote back")
async def _(stage: Stage) -> End:
    await stage.ask()
    await stage.lose_place()
    first = stage.world.cards()[0]

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    stage.world.app.publisher.retire = broken  # type: ignore[method-assign]
    result = await stage.emu.click("olga", "approvals", first.ts, A)
    assert result.status == 200
    return end(S.PENDING, VoteCast=1)


@pytest.mark.parametrize(("said", "transport"), FAULTS.cases())
async def test_a_fault_ends_lawfully(
    said: str, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "answer" in said or "outcome" in said:  # the same law in less time than Slack leaves us
        monkeypatch.setattr(limits, "ACK_BUDGET_S", 0.3)
        monkeypatch.setattr(limits, "KNOWN_BUDGET_S", 0.1)
        monkeypatch.setattr(limits, "ROLE_BUDGET_S", 0.1)
    await FAULTS.play(said, transport, tmp_path)


async def test_an_envelope_about_an_unknown_ticket_is_left_to_another_connection(
    tmp_path: Path,
) -> None:
    """Two deployments on one app: whoever does not know the ticket leaves the click alone."""
    (tmp_path / "a").mkdir()
    async with open_stage(tmp_path / "a", transport="socket", ack_timeout_s=0.5) as stage:
        await stage.ask()
        async with stage.second_app(knows_nothing=True) as stranger:
            await stage.emu.sockets.wait_for(2)
            for user in ("olga", "otto", "roy"):
                assert (await stage.click(user, A)).status == 200
            assert stranger.is_idle
        await stage.check(S.APPROVED, VoteCast=3, TicketApproved=1)


async def test_a_ticket_that_nobody_knows_is_told_so_in_the_end(tmp_path: Path) -> None:
    async with open_stage(tmp_path, transport="socket", ack_timeout_s=0.3) as stage:
        await stage.ask()
        stage.emu.attempts(2)
        with stage.forgotten():
            assert (await stage.click("olga", A)).status is None
            stage.emu.attempts(3)
            assert code_of(await stage.click("olga", A)) == "not_found"
        stage.results.clear()
        await stage.check(S.PENDING, VoteCast=0)
