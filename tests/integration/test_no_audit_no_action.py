"""While the log cannot be written every door says so, nothing happens, and then all goes on.

The doors are the API's routes, webhooks, Slack's clicks, forms and commands, the clock's ticks and
delivery; the executor's start is held to it in ``tests/unit/bot/test_worker.py``.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from bot.api.routes import OPEN_ROUTES, ROUTES
from bot.api.webhooks import AGENT, signature_of
from bot.compose.executor import run_executor
from bot.compose.serve import run_serve
from bot.delivery import Delivery
from bot.forgetting import forget_keys
from bot.replies import reply_for
from bot.scheduler import JumpGuard, Sweeper
from bot.settings import Settings
from bot.slack import names
from bot.slack.commands import picking
from governance.errors import Code, Unavailable
from governance.outbox import OwedKind
from governance.tickets.ticket import TicketState
from storage.ledger import SqlLedger
from storage.memory.ledger import MemoryLedger
from storage.sqlite.database import SqliteDatabase
from tests.integration.api import runs
from tests.integration.api.world import MERGE, Got, World, running
from tests.integration.slack import world as slack
from tests.support import failing
from tests.support.build import FixedClock
from tests.support.commits import whole
from tests.support.postgres import Postgres

LONG = {"text": "x" * 5_000}
Call = Callable[[World], Awaitable[Got]]
Prepare = Callable[[World], Awaitable[Call]]


def at(path: str, name: str, body: object = None, *, method: str = "POST") -> Call:
    async def call(world: World) -> Got:
        return await world.send(method, path, name, body)

    return call


async def submit(_: World) -> Call:
    return at("jobs", "agent", {**MERGE, "idempotency_key": "once"})


async def evaluate(_: World) -> Call:
    return at("policy/evaluate", "agent", MERGE)


async def approve(world: World) -> Call:
    return at(f"approvals/{await world.job()}/approve", "olga")


async def approve_last(world: World) -> Call:
    name = await world.job()
    await world.post(f"approvals/{name}/approve", "olga")
    return at(f"approvals/{name}/approve", "sara")


async def reject(world: World) -> Call:
    return at(f"approvals/{await world.job()}/reject", "olga", {"reason": "no"})


async def withdraw(world: World) -> Call:
    name = await world.job()
    await world.post(f"approvals/{name}/approve", "olga")
    return at(f"approvals/{name}/withdraw", "olga")


async def stop(world: World) -> Call:
    return at(f"approvals/{await world.approved()}/stop", "olga")


async def resolve(world: World) -> Call:
    body = {"took_effect": True, "comment": "seen"}
    return at(f"approvals/{await runs.lost(world)}/resolve", "olga", body)


async def release_output(world: World) -> Call:
    body = {"decision": "release", "comment": "harmless"}
    return at(f"approvals/{await runs.held_back(world)}/output", "olga", body)


async def discard_output(world: World) -> Call:
    body = {"decision": "discard", "comment": "a live key"}
    return at(f"approvals/{await runs.held_back(world)}/output", "olga", body)


async def cancel(world: World) -> Call:
    return at(f"jobs/{await world.job()}/cancel", "agent", {"reason": "no"})


async def consume(world: World) -> Call:
    return at(f"jobs/{await world.approved(dispatch='release')}/consume", "agent", {})


async def outcome(world: World) -> Call:
    name = await world.approved(dispatch="release")
    assert (await world.post(f"jobs/{name}/consume", body={})).status == 200
    return at(f"jobs/{name}/outcome", "agent", {"status": "succeeded"})


async def redeem_on_read(world: World) -> Call:
    name = await world.job("redeemer", dispatch="release")
    for who in ("olga", "sara"):
        await world.post(f"approvals/{name}/approve", who)
    return at(f"jobs/{name}", "redeemer", method="GET")


async def full_view(world: World) -> Call:
    name = await world.job(arguments=LONG)
    return at(f"approvals/{name}", "olga", method="GET")


async def freeze(_: World) -> Call:
    return at("freeze", "olga", {"target": "merge-bot", "reason": "odd"})


async def unfreeze(world: World) -> Call:
    await world.post("freeze", "olga", {"target": "merge-bot"})
    await world.post("unfreeze", "olga", {"target": "merge-bot"})
    return at("unfreeze", "otto", {"target": "merge-bot"})


async def webhook(world: World) -> Call:
    secret, body = await world.webhook_secret("agent"), json.dumps(MERGE).encode()
    when = str(int(world.clock.now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": when,
        "webhook-signature": signature_of(secret, webhook_id="msg_1", timestamp=when, body=body),
        AGENT: world.credentials["agent"].id,
    }

    async def call(world: World) -> Got:
        return await world.post("/webhooks/jobs", "", data=body, headers=headers)

    return call


DOORS: dict[str, tuple[Prepare, str]] = {
    "submit": (submit, "POST /api/v1/jobs"),
    "cancel": (cancel, "POST /api/v1/jobs/{id}/cancel"),
    "consume": (consume, "POST /api/v1/jobs/{id}/consume"),
    "outcome": (outcome, "POST /api/v1/jobs/{id}/outcome"),
    "redeem on read": (redeem_on_read, "GET /api/v1/jobs/{id}"),
    "approve": (approve, "POST /api/v1/approvals/{id}/approve"),
    "last approval": (approve_last, "POST /api/v1/approvals/{id}/approve"),
    "reject": (reject, "POST /api/v1/approvals/{id}/reject"),
    "withdraw": (withdraw, "POST /api/v1/approvals/{id}/withdraw"),
    "stop": (stop, "POST /api/v1/approvals/{id}/stop"),
    "resolve": (resolve, "POST /api/v1/approvals/{id}/resolve"),
    "release output": (release_output, "POST /api/v1/approvals/{id}/output"),
    "discard output": (discard_output, "POST /api/v1/approvals/{id}/output"),
    "full view": (full_view, "GET /api/v1/approvals/{id}"),
    "freeze": (freeze, "POST /api/v1/freeze"),
    "unfreeze": (unfreeze, "POST /api/v1/unfreeze"),
    "evaluate": (evaluate, "POST /api/v1/policy/evaluate"),
    "webhook": (webhook, "POST /webhooks/jobs"),
}
PROBLEM = {"error", "code", "status", "request_id"}
"""All that a refusal says: nothing of a result is among it."""
READ_ONLY = {
    "POST /api/v1/policy/explain": "records nothing",
    "POST /api/v1/policy/simulate": "records nothing",
    "POST /api/v1/audit/cosignatures": "adds nothing to the log: a witness's line beside it",
}


def test_no_door_of_the_api_is_left_out():
    routes = [f"{route.method} {route.path}" for route in (*ROUTES, *OPEN_ROUTES)]
    writing = {name for name in routes if not name.startswith("GET ")}
    assert (
        writing
        == {name for _, name in DOORS.values() if not name.startswith("GET ")} | READ_ONLY.keys()
    )
    assert {name for _, name in DOORS.values()} <= set(routes)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A ledger, and how it is brought down for a while."""

    make: Callable[[FixedClock], MemoryLedger]
    down: Callable[[MemoryLedger], AbstractContextManager[None]]


def fake(_: Path) -> Trouble:
    return Trouble(make=MemoryLedger, down=failing.down)


def on_file(break_: Callable[[Path], AbstractContextManager[None]]) -> Callable[[Path], Trouble]:
    def make(folder: Path) -> Trouble:
        path = folder / "placet.db"

        def ledger(clock: FixedClock) -> MemoryLedger:
            made = SqlLedger(f"sqlite:///{path}", clock, busy_timeout_s=0.02)
            return cast("MemoryLedger", made)

        return Trouble(make=ledger, down=lambda _: break_(path))

    return make


TROUBLES = {
    "fake": fake,
    "locked": on_file(failing.locked),
    "gone": on_file(failing.gone),
}


def on_server(
    server: Postgres,
    break_: Callable[[Postgres, str], AbstractContextManager[None]] = failing.shut,
    *,
    busy_timeout_s: float = 5.0,
) -> Trouble:
    name = server.ready()

    def ledger(clock: FixedClock) -> MemoryLedger:
        made = SqlLedger(
            server.url(name), clock, trusts_database_time=False, busy_timeout_s=busy_timeout_s
        )
        return cast("MemoryLedger", made)

    return Trouble(make=ledger, down=lambda _: break_(server, name))


@pytest.fixture(params=[*TROUBLES, "server"])
def trouble(request: pytest.FixtureRequest, tmp_path: Path) -> Trouble:
    if request.param == "server":
        return on_server(request.getfixturevalue("postgres"))
    return TROUBLES[request.param](tmp_path)


@asynccontextmanager
async def served(trouble: Trouble) -> AsyncIterator[World]:
    ledgers: list[MemoryLedger] = []

    def over(clock: FixedClock) -> MemoryLedger:
        ledgers.append(trouble.make(clock))
        return ledgers[0]

    try:
        async with running(over=over) as world:
            yield world
    finally:
        await ledgers[0].close()


async def everything(world: World) -> tuple[object, ...]:
    """What may not change while nothing can be written: the log, and what is owed to whom."""
    records = [record.hash for record in await whole(world.ledger)]
    control = await world.ledger.control()
    return (records, control.frozen)


@pytest.mark.parametrize("door", DOORS)
async def test_a_door_without_a_log_says_so_and_opens_by_itself_afterwards(
    door: str, trouble: Trouble
):
    async with served(trouble) as world:
        call = await DOORS[door][0](world)
        before = await everything(world)
        with trouble.down(world.ledger):
            for _ in range(2):
                told = await call(world)
                assert (told.status, told["code"]) == (503, "ledger_unavailable"), told
                assert set(cast("dict[str, object]", told.body)) <= PROBLEM, told
                assert int(told.headers["Retry-After"]) > 0
        assert await everything(world) == before
        again = await call(world)
        assert again.status == 200, again
        after = await everything(world)
        assert after != before


async def test_what_finds_the_queue_full_is_told_to_come_again_and_nothing_else_is(
    tmp_path: Path,
):
    path = tmp_path / "placet.db"

    def small(clock: FixedClock) -> MemoryLedger:
        made = SqlLedger(
            f"sqlite:///{path}", clock, queue_limit=4, batch_limit=1, busy_timeout_s=30
        )
        return cast("MemoryLedger", made)

    async with served(Trouble(make=small, down=failing.down)) as world:
        calls = [at("jobs", "agent", {**MERGE, "idempotency_key": f"k-{n}"}) for n in range(16)]
        with failing.locked(path):
            sent = [asyncio.create_task(call(world)) for call in calls]
            done, waiting = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
            while len(waiting) > 5:  # four in the queue, and one in the writer's hands
                more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                done |= more
        for told in (task.result() for task in done):
            assert (told.status, told["code"]) == (503, "ledger_busy"), told
            assert int(told.headers["Retry-After"]) > 0
        assert {(await task).status for task in waiting} == {200}
        assert {(await call(world)).status for call in calls} == {200}


# Readiness


async def becomes_ready(world: World) -> Got:
    """Nobody asks for anything but that."""
    async with asyncio.timeout(30):
        while (told := await world.get("/readyz", "")).status != 200:
            pass
    return told


@pytest.mark.parametrize("how", ["locked", "gone", "shut", "full"])
async def test_what_cannot_write_its_log_is_not_ready_until_it_can_without_being_asked(
    how: str, tmp_path: Path, request: pytest.FixtureRequest
):
    trouble = sick(how, tmp_path, request)
    async with served(trouble) as world:
        told = await world.get("/readyz", "")
        assert (told.status, told["failed_commits"], told["unwritable_s"]) == (200, 0, 0)
        with trouble.down(world.ledger):
            assert (await world.post("jobs", body=MERGE))["code"] == "ledger_unavailable"
            told = await world.get("/readyz", "")
            assert (told.status, told["status"]) == (503, "not_ready")
            assert int(told.headers["Retry-After"]) > 0
            if how in ("locked", "full"):  # it can be read, so nothing else says it
                assert told["reasons"] == ["ledger: it cannot be written (ledger_unavailable)"]
                assert (told["failed_commits"], told["unwritable_s"] > 0) == (1, True)
        failed = (await world.get("/readyz", ""))["failed_commits"]
        told = await becomes_ready(world)
        assert (told["reasons"], told["failed_commits"], told["unwritable_s"]) == ([], failed, 0)
        assert await world.job()


def sick(how: str, folder: Path, request: pytest.FixtureRequest) -> Trouble:
    if how in TROUBLES:
        return TROUBLES[how](folder)
    server: Postgres = request.getfixturevalue("postgres")
    return on_server(server, failing.full if how == "full" else failing.shut)


async def test_an_outbox_that_has_nothing_to_do_does_not_make_a_full_server_ready(
    postgres: Postgres,
):
    trouble = on_server(postgres, failing.full)
    async with served(trouble) as world:
        with trouble.down(world.ledger):
            await world.post("jobs", body=MERGE)
            claimed = await world.ledger.claim(
                (OwedKind.ALL_CARDS,), at=world.clock.now(), lease_s=1, limit=1
            )
            assert claimed == []
            assert (await world.get("/readyz", "")).status == 503


def written(folder: Path) -> list[tuple[int, int]]:
    found = [path.stat() for path in sorted(folder.glob("placet.db*")) if path.suffix != ".db-shm"]
    return [(one.st_mtime_ns, one.st_size) for one in found]


async def test_while_another_session_holds_the_end_of_the_log_no_trial_makes_it_ready(
    postgres: Postgres,
):
    trouble = on_server(postgres, failing.held, busy_timeout_s=0.05)
    async with served(trouble) as world:
        with trouble.down(world.ledger):
            assert (await world.post("jobs", body=MERGE))["code"] == "ledger_unavailable"
            lasted_s = 0
            async with asyncio.timeout(30):
                while lasted_s < 3:  # long enough for trials
                    told = await world.get("/readyz", "")
                    assert told.status == 503
                    lasted_s = told["unwritable_s"]
        await becomes_ready(world)


@pytest.mark.parametrize("is_locked", [False, True])
async def test_a_flood_of_probes_writes_nothing(is_locked: bool, tmp_path: Path):
    trouble = TROUBLES["locked"](tmp_path)
    async with served(trouble) as world:
        await world.job()
        with trouble.down(world.ledger) if is_locked else nullcontext():
            if is_locked:
                await world.post("jobs", body=MERGE)
            before = written(tmp_path)
            await asyncio.gather(*(world.get("/readyz", "") for _ in range(100)))
            assert written(tmp_path) == before


# Slack


@pytest.fixture
async def workspace() -> AsyncIterator[slack.World]:
    async with slack.open_world() as opened:
        yield opened


async def click_approve(world: slack.World) -> str:
    return slack.code_of(await world.click("olga", names.APPROVE))


async def click_last_approve(world: slack.World) -> str:
    return slack.code_of(await world.click("rita", names.APPROVE))


async def type_freeze(world: slack.World) -> str:
    return slack.code_of(await world.emu.command("olga", "/placet", "freeze all"))


@pytest.mark.parametrize(
    ("votes", "door"),
    [((), click_approve), (("olga",), click_last_approve), ((), type_freeze)],
)
async def test_a_click_without_a_log_is_told_so_and_no_card_claims_it(
    workspace: slack.World,
    votes: tuple[str, ...],
    door: Callable[[slack.World], Awaitable[str]],
):
    ticket = await workspace.ask()
    for who in votes:
        await workspace.click(who, names.APPROVE)
    await workspace.deliver()
    stood, card, head = (
        await workspace.ticket(ticket.id),
        str(workspace.card().current.blocks),
        await workspace.ledger.head(),
    )
    with failing.down(workspace.ledger):
        for _ in range(2):
            assert await door(workspace) == "ledger_unavailable"
    await workspace.deliver()
    assert await workspace.ticket(ticket.id) == stood
    assert str(workspace.card().current.blocks) == card
    assert await workspace.ledger.head() == head
    assert await door(workspace) == ""
    await workspace.deliver()
    assert await workspace.ledger.head() != head
    assert str(workspace.card().current.blocks) != card


async def test_a_form_without_a_log_says_so_and_counts_nothing(workspace: slack.World):
    ticket = await workspace.ask()
    await workspace.click("olga", names.REJECT)
    form = workspace.emu.modal("olga")
    assert form is not None
    with failing.down(workspace.ledger):
        told = await workspace.emu.submit("olga", form.id, {names.REASON_BLOCK: "no"})
    assert told.errors[names.REASON_BLOCK].startswith(reply_for(Code.LEDGER_UNAVAILABLE).slack)
    assert (await workspace.ticket(ticket.id)).state is TicketState.PENDING
    await workspace.emu.submit("olga", form.id, {names.REASON_BLOCK: "no"})  # it is still open
    assert (await workspace.ticket(ticket.id)).state is TicketState.REJECTED


async def test_without_a_log_nobody_is_sent_the_last_page_that_would_let_them_vote(
    workspace: slack.World,
):
    ticket = await workspace.ask()
    with failing.down(workspace.ledger):
        await workspace.click("olga", names.DETAILS)
    shown = workspace.emu.modal("olga")
    assert shown is not None
    assert "placet.notice.ledger_unavailable" in str(shown.blocks)
    assert names.APPROVE not in str(shown.blocks)
    assert (await workspace.ticket(ticket.id)).full_views == ()


async def test_without_a_log_a_command_that_only_tells_something_still_does(
    workspace: slack.World,
):
    ticket = await workspace.ask()
    with failing.down(workspace.ledger):
        for text in ("", "help", "list", "mine", f"status {ticket.id}", f"why {ticket.id}"):
            result = await workspace.emu.command("olga", names.COMMAND, text)
            assert slack.code_of(result) == "", text
            assert result.ephemerals, text
        for text in ("freeze all odd", "unfreeze all", "delegate @otto 2d away"):
            result = await workspace.emu.command("olga", names.COMMAND, text)
            assert slack.code_of(result) == "ledger_unavailable", text


async def test_without_a_log_the_form_that_asks_which_ticket_tells_of_it(workspace: slack.World):
    ticket = await workspace.ask()
    with failing.down(workspace.ledger):
        await workspace.emu.command("olga", names.COMMAND, "status")
        form = workspace.emu.modal("olga")
        assert form is not None
        await workspace.emu.suggest("olga", form.id, names.PICK_TICKET)
        told = await workspace.emu.submit("olga", form.id, {picking.PICK_BLOCK: ticket.id})
    assert not told.errors


# Messages owed


async def test_no_message_is_lost_or_given_up_while_nothing_can_be_written(
    workspace: slack.World,
):
    ticket = await workspace.ask()
    await workspace.click("olga", names.APPROVE)  # its card is owed now
    with failing.down(workspace.ledger):
        for _ in range(20):
            with pytest.raises(Unavailable):
                await workspace.delivery.drain()
    assert "weight 1 of 4" not in str(workspace.card().current.blocks)
    await workspace.deliver()
    assert "weight 1 of 4" in str(workspace.card().current.blocks)
    assert await workspace.ledger.dead() == []
    assert (await workspace.ticket(ticket.id)).state is TicketState.PENDING


async def test_an_effect_that_could_not_be_ticked_off_is_done_again(trouble: Trouble):
    async with served(trouble) as world:
        await world.job()
        done: list[str] = []
        stack: list[AbstractContextManager[None]] = []

        async def card(key: str) -> None:
            done.append(key)
            if len(done) == 1:  # the log goes away between the effect and its tick
                stack.append(trouble.down(world.ledger))
                stack[0].__enter__()

        workers = {OwedKind.CARD: card}
        clock = FixedClock()
        delivery = Delivery(outbox=world.ledger, reader=world.ledger, clock=clock, workers=workers)
        with pytest.raises(Unavailable):
            await delivery.drain()
        stack[0].__exit__(None, None, None)
        clock.pass_(60)
        assert await delivery.drain() == 1
        assert len(done) == 2
        assert await delivery.drain() == 0
        assert await world.ledger.dead() == []


# The start


@pytest.mark.parametrize("process", [run_serve, run_executor])
async def test_a_process_whose_ledger_can_only_be_read_does_not_start(
    process: Callable[[Settings], AbstractAsyncContextManager[object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """SQLite would go on reading only, even once the disk takes writes again."""
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'placet.db'}",
        keys=tmp_path / "keys",
        checkpoints=tmp_path / "checkpoints.txt",
        port=0,
    )
    async with run_serve(settings):
        pass
    monkeypatch.setattr(SqliteDatabase, "uri", lambda self, _: f"file:{self.path}?mode=ro")
    with pytest.raises(Unavailable, match="SQLITE_READONLY") as caught:
        async with process(settings):
            pass
    assert caught.value.code is Code.LEDGER_UNAVAILABLE


# The clock


async def test_a_tick_without_a_log_does_nothing_and_the_next_one_does_it_all(
    trouble: Trouble,
):
    async with served(trouble) as world:
        expired = await world.job()
        guard = JumpGuard(world.clock, monotonic=lambda: world.clock.now().timestamp())
        sweeper = Sweeper(
            service=world.service,
            reader=world.ledger,
            outbox=world.ledger,
            clock=world.clock,
            guard=guard,
        )
        world.clock.pass_(49 * 3600)
        before = await everything(world)
        with trouble.down(world.ledger), suppress(Unavailable):
            await sweeper.sweep()
        with trouble.down(world.ledger), pytest.raises(Unavailable):
            await forget_keys(world.ledger, guard)
        assert await everything(world) == before
        assert (await world.ticket(expired)).state is TicketState.PENDING
        assert await sweeper.sweep() >= 1
        assert (await world.ticket(expired)).state is TicketState.EXPIRED
        assert await forget_keys(world.ledger, guard) == 0


async def test_200_requests_without_a_log_are_200_refusals_and_then_one_job(trouble: Trouble):
    async with served(trouble) as world:
        call = await submit(world)
        before = await everything(world)
        with trouble.down(world.ledger):
            found = await asyncio.gather(*(call(world) for _ in range(200)))
        assert {told["code"] for told in found} == {"ledger_unavailable"}
        assert await everything(world) == before
        found = await asyncio.gather(*(call(world) for _ in range(200)))
        assert len({told["job_id"] for told in found}) == 1
