"""A world for races and faults: its log is a file, its signatures hold, and at the end it verifies.

What a test may do besides acting as a person: let time go by, let the agent use its approval, let
an executor start, end or vanish, and make every card equal to its state again.
"""

# changes are any field of the value that is built

import asyncio
import base64
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from bot.compose.effects import in_deliverys_words
from bot.delivery import Delivery
from bot.emulator.acts import ActResult
from bot.ids import RandomIds
from bot.slack import names
from bot.slack.app import SlackApp
from bot.slack.cards.offers import offered
from bot.slack.cards.view import load_card_view
from bot.slack.sending.client import SlackConfig
from governance.action import ActionKind, Content, Dispatch
from governance.administration import Administration
from governance.control import PublicKey
from governance.digests import content_digest
from governance.errors import PlacetError
from governance.execution import OutputState, RunReport, RunStatus, SandboxTier
from governance.outbox import Owed, OwedKind, Place
from governance.policy.bundle import load
from governance.ports import Signature
from governance.principal import PersonId
from governance.service import Service
from governance.tickets import commands as cmd
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, Ticket, TicketId, TicketState
from storage.ledger import SqlLedger
from storage.memory.ledger import MemoryLedger
from storage.verify.verifier import verify_database
from tests.integration.slack.world import (
    AGENT,
    BUNDLE,
    SEED,
    TEAM,
    RealClock,
    World,
    _user,
    code_of,
    open_world,
)
from tests.support.world import pem_of, sign

PURPOSES = ("vote:operator", "vote:reviewer")
TOOL, FREE_TOOL = "site.restart", "site.check"
NO_TICKET = TicketId("")
_RUNS: dict[str, Any] = {
    "actions": ["execute"],
    "classification": "internal",
    "target": "host",
    "run": {
        "title": "See to a site",
        "arguments": {
            "type": "object",
            "additionalProperties": False,
            "required": ["host"],
            "properties": {"host": {"type": "string"}},
        },
        "runner": {"argv": ["/bin/true"]},
    },
}
STAGED: dict[str, Any] = {
    **BUNDLE,
    "rules": [
        *BUNDLE["rules"],
        {
            "id": "restarts-need-people",
            "match": {"topics": ["job.restart"]},
            "decision": "require_approval",
            "reason": "a restart is felt",
            "tier": "high",
        },
        {
            "id": "commented",
            "match": {"topics": ["job.commented"]},
            "decision": "require_approval",
            "reason": "this one asks why",
            "tier": "commented",
        },
        {
            "id": "by-weight",
            "match": {"topics": ["job.by-weight"]},
            "decision": "require_approval",
            "reason": "one rejection does not end it",
            "tier": "by-weight",
        },
        {
            "id": "by-one",
            "match": {"topics": ["job.by-one"]},
            "decision": "require_approval",
            "reason": "one person is enough",
            "tier": "by-one",
        },
    ],
    "tools": {
        TOOL: {**_RUNS, "requires_approval": True, "tier": "high"},
        FREE_TOOL: {**_RUNS, "actions": ["read"]},
    },
    "minimum_sandbox": "A-",
    "tiers": {
        **BUNDLE["tiers"],
        "commented": {**BUNDLE["tiers"]["high"], "comment": "required"},
        "by-weight": {**BUNDLE["tiers"]["high"], "reject_policy": "weight"},
        "by-one": {"roles": {"operator": {"weight": 1, "min_required": 1}}, "ttl": "1h"},
    },
    "directory": {
        "roles": {
            "operator": {
                "people": [
                    f"slack:{TEAM}/{user}" for user in ("U0OLGA", "U0OTTO", "U0RITA", "U0OWNER")
                ]
            },
            "reviewer": {"slack_usergroups": ["S0REVIEW"]},
        }
    },
}
"""The bundle of these tests; RITA holds both roles, ROY is a reviewer as well."""
CROWD = replace(
    SEED,
    users=(*SEED.users, _user("U0ROY", "roy")),
    channels=(replace(SEED.channels[0], members=(*SEED.channels[0].members, "U0ROY")),),
    usergroups=(replace(SEED.usergroups[0], users=("U0RITA", "U0ROY")),),
)


class ShiftClock:
    """The machine's clock and what a test lets go by besides."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """This instant."""
        return datetime.now(UTC) + self.ahead

    def pass_(self, **span: float) -> None:
        """Let time go by."""
        self.ahead += timedelta(**span)


class TrueSigner:
    """Signatures that the verifier holds against the keys that are registered."""

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """ES256 by the fixed key of ``purpose``."""
        value = base64.b64encode(sign(purpose, message)).decode()
        return Signature(key_id=f"key:{purpose}", value=value)

    def public_keys(self) -> Sequence[PublicKey]:
        """One for each role."""
        return tuple(
            PublicKey(
                id=f"key:{purpose}",
                purpose=purpose,
                pem=pem_of(purpose),
                valid_from=datetime.now(UTC),
            )
            for purpose in PURPOSES
        )


def _run_of(tool: str, action: ActionKind) -> dict[str, Any]:
    return {
        "tool": tool,
        "action": action,
        "dispatch": Dispatch.EXECUTE,
        "content": Content(arguments={"host": "web-1"}),
    }


@dataclass(kw_only=True)
class Stage:
    """A world, its file, its clock, and what the acts of a test led to."""

    world: World
    path: Path
    clock: ShiftClock
    delivery: Delivery
    ticket_id: TicketId = NO_TICKET
    results: list[ActResult] = field(default_factory=list)

    async def ask(self, topic: str = "job.deploy", **more: Any) -> Ticket:
        """An agent asks; its card is in the channel afterwards."""
        ticket = await self.world.ask(topic=topic, **more)
        assert ticket.state is TicketState.PENDING, ticket.ruling.reason
        self.ticket_id = ticket.id
        return ticket

    async def ask_to_run(self) -> Ticket:
        """An agent asks for something that is executed here."""
        return await self.ask("job.restart", **_run_of(TOOL, ActionKind.EXECUTE))

    async def allowed(self) -> None:
        """What is executed here and policy alone allows."""
        ticket = await self.world.ask(topic="job.check", **_run_of(FREE_TOOL, ActionKind.READ))
        assert ticket.state is TicketState.APPROVED, ticket.ruling.reason
        self.ticket_id = ticket.id

    @property
    def emu(self) -> Any:
        """The workspace."""
        return self.world.emu

    async def ticket(self) -> Ticket:
        """The ticket as it is committed now."""
        return await self.world.ticket(self.ticket_id)

    async def click(self, user: str, action_id: str, **more: Any) -> ActResult:
        """Click on the newest card and remember what came of it."""
        result = await self.world.click(user, action_id, **more)
        self.results.append(result)
        return result

    async def clicks(self, *acts: tuple[str, str]) -> list[str]:
        """Click all of these at the same moment; the codes of the refusals, sorted."""
        users = {user for user, _ in acts}
        before = {shown.ts for user in users for shown in self.emu.ephemerals(user)}
        await asyncio.gather(*(self.click(user, action, settle=False) for user, action in acts))
        await self.emu.settle()
        shown = [one for user in users for one in self.emu.ephemerals(user) if one.ts not in before]
        return sorted(filter(None, (code_of(ActResult(ephemerals=(one,))) for one in shown)))

    async def fill(self, user: str, values: Mapping[str, object], **more: Any) -> ActResult:
        """Fill in the form on top and submit it."""
        form = self.emu.modal(user)
        assert form is not None, f"{user} has no form before them"
        result = cast("ActResult", await self.emu.submit(user, form.id, values, **more))
        self.results.append(result)
        return result

    async def approved(self, **more: Any) -> Ticket:
        """A ticket that OLGA and ROY approved."""
        await (self.ask_to_run() if more.pop("to_run", False) else self.ask(**more))
        await self.click("olga", names.APPROVE)
        await self.click("roy", names.APPROVE)
        await self.show()
        ticket = await self.ticket()
        assert ticket.state is TicketState.APPROVED
        return ticket

    async def show(self, *, patience: int = 14) -> None:
        """Deliver until nothing is owed, letting time go by where a message waits."""
        for _ in range(patience):
            while await self.delivery.drain():
                pass
            if not await self._is_owed():
                return
            self.clock.pass_(seconds=30)
        raise AssertionError("a message is still owed")

    async def _is_owed(self) -> bool:
        ticket = await self.ticket() if self.ticket_id else None
        place = await self.world.ledger.place(self.ticket_id) if ticket else None
        if ticket is None or place is None:
            return bool(ticket)
        probe = await self.world.ledger.claim(
            (OwedKind.CARD,), at=self.clock.now() + timedelta(minutes=50), lease_s=1, limit=9
        )
        for claimed in probe:
            await self.world.ledger.retry(claimed, at=self.clock.now(), error="looked at")
        return bool(probe)

    async def kinds(self) -> Counter[str]:
        """How many events of each type the ticket has."""
        records = await self.world.ledger.history(self.ticket_id)
        return Counter(record.type for record in records)

    async def owe_card(self) -> None:
        """The card is owed once more, as by any event."""
        owed = Owed(kind=OwedKind.CARD, key=self.ticket_id)
        await self.world.ledger.owe(owed, at=self.clock.now())

    async def answered(self, event: str) -> None:
        """Wait until an event was answered with a 200, whatever it still leads to."""
        async with asyncio.timeout(10):
            sent = await self.emu.delivered(event)
        assert sent.status == 200, sent

    async def delete_card(self) -> None:
        """Somebody deletes the newest card."""
        place = await self.world.ledger.place(self.ticket_id)
        assert place is not None
        [card] = [message for message in self.world.cards() if message.ts == place.ts]
        self.emu.workspace.board.keep(replace(card, is_deleted=True))

    async def try_to_show(self) -> None:
        """Deliver what can be delivered now."""
        while await self.delivery.drain():
            pass

    async def forget(self, user: str) -> None:
        """What is known of a person is looked up anew."""
        self.world.directory.forget(await self.person(user))

    async def person(self, user: str) -> PersonId:
        """The id by which the ledger knows a person."""
        return PersonId(f"slack:{TEAM}/{self.emu.workspace.user(user).id}")

    async def by_api(self, user: str, action_id: str) -> None:
        """A person votes by another way than Slack."""
        choice = Choice.APPROVE if action_id == names.APPROVE else Choice.REJECT
        service, person = self.world.service, await self.person(user)
        await service.vote(
            Ballot(
                tenant=service.tenant,
                ticket_id=self.ticket_id,
                person_id=person,
                choice=choice,
                comment="by another way",
            )
        )

    @contextlib.asynccontextmanager
    async def second_app(
        self, *, knows_nothing: bool = False, is_socket: bool = True
    ) -> AsyncIterator[SlackApp]:
        """A second process on the same Slack app; ``knows_nothing``: of another deployment."""
        world, emu = self.world, self.emu
        config = SlackConfig(
            bot_token=emu.bot_token,
            signing_secret=emu.signing_secret,
            app_token=emu.app_token if is_socket else "",
            base_url=emu.base_url,
            team_id=TEAM,
        )
        service, reader = world.service, world.ledger
        if knows_nothing:
            reader = MemoryLedger(self.clock)
            service = Service(
                ledger=reader,
                reader=reader,
                clock=self.clock,
                signer=TrueSigner(),
                directory=world.directory,
                ids=RandomIds(),
                bundle=world.service.bundle,
                tenant=world.service.tenant,
            )
        app = SlackApp(
            config,
            service=service,
            reader=reader,
            clock=RealClock(),
            session=world.session,
            directory=world.directory,
            places=world.ledger,
        )
        app.extras.requests = world.ledger
        await app.start()
        before, emu.busy = emu.busy, lambda: not (app.is_idle and world.app.is_idle)
        try:
            yield app
        finally:
            emu.busy = before
            await app.close()

    @contextlib.contextmanager
    def forgotten(self) -> Iterator[None]:
        """The ledger knows no ticket."""

        async def nothing(_: TicketId) -> None:
            return None

        self.world.ledger.ticket = nothing  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            del self.world.ledger.ticket

    async def lose_place(self) -> None:
        """What Slack answered to the post was lost: another card is posted beside the first."""
        elsewhere = Place(channel="C0APPROVE", ts="1.000001", shown="other")
        await self.world.ledger.put_place(self.ticket_id, elsewhere)
        await self.owe_card()
        await self.show()

    async def activate(self, **changes: Any) -> None:
        """Another bundle is activated and this process loads it."""
        bundle = load({**STAGED, **changes})
        administration = Administration(
            ledger=self.world.ledger,
            reader=self.world.ledger,
            clock=self.clock,
            signer=TrueSigner(),
            tenant=self.world.service.tenant,
        )
        self.world.service._active.replace(bundle)  # as the follower does it
        await administration.activate(bundle, actor="system:test")

    async def redeem(self) -> str:
        """The agent uses its approval; the code of the refusal, if any."""
        try:
            await self.world.service.redeem(self.ticket_id, AGENT)
        except PlacetError as error:
            return error.code.value
        return ""

    async def start(self, run_id: str = "run-1", *, lease_s: int = 30) -> str:
        """An executor commits to the run; the code of the refusal, if any."""
        ticket = await self.ticket()
        try:
            await self.world.service.clear(self.ticket_id)
            await self.world.service.handle(
                cmd.StartExecution(
                    ticket_id=self.ticket_id,
                    run_id=run_id,
                    executor="exec-1",
                    lease_s=lease_s,
                    action_digest=ticket.ask.action_digest,
                    plan_digest=ticket.ruling.plan_digest,
                    sandbox=SandboxTier.A,
                )
            )
        except PlacetError as error:
            return error.code.value
        return ""

    async def end(
        self, status: RunStatus = RunStatus.SUCCEEDED, *, output: bytes = b"", held: bool = False
    ) -> str:
        """The run ends (``held``: its output is quarantined); the code of the refusal, if any."""
        report = RunReport(
            status=status,
            sandbox="A",
            output_state=OutputState.QUARANTINED if held else OutputState.CLEAN,
            output_digest=content_digest(output),
            shown_digest="" if held else content_digest(output),
        )
        outcome = cmd.RecordOutcome(ticket_id=self.ticket_id, run_id="run-1", report=report)
        return await self.asked(outcome, contents={report.output_digest: output})

    async def asked(
        self, command: cmd.Command, *, contents: Mapping[str, bytes] | None = None
    ) -> str:
        """Run a command; the code of the refusal, if any."""
        try:
            await self.world.service.handle(command, contents=contents)
        except PlacetError as error:
            return error.code.value
        return ""

    async def unknown(self) -> None:
        """An approved action whose executor vanished while it ran."""
        await self.approved(to_run=True)
        assert await self.start() == ""
        await self.vanish()
        await self.show()

    async def held_back(self, output: bytes = b"done") -> None:
        """An action that was carried out and whose output is quarantined."""
        await self.approved(to_run=True)
        assert await self.start() == ""
        assert await self.end(output=output, held=True) == ""
        await self.show()

    async def vanish(self) -> None:
        """The executor is gone and its lease passes."""
        self.clock.pass_(seconds=31)
        await self.world.service.handle(cmd.DeclareLost(ticket_id=self.ticket_id))

    async def expire(self) -> None:
        """The sweep comes by after the ticket's time."""
        self.clock.pass_(hours=2)
        await self.world.service.handle(cmd.ExpireTicket(ticket_id=self.ticket_id))

    async def check(
        self, *states: TicketState, runs: int = 0, **events: int | Sequence[int]
    ) -> None:
        """The law of the end: one of ``states``, as many runs and events as said (one of several
        where the race may end either way), the card of that state, and a log that verifies.
        """
        ticket, found = await self.ticket(), await self.kinds()
        assert ticket.state in states, (ticket.state, found)
        for name, count in events.items():
            allowed = [count] if isinstance(count, int) else [*count]
            assert found[name] in allowed, (name, allowed, found)
        assert found["ExecutionStarted"] + found["GrantRedeemed"] == runs, found
        assert {result.status for result in self.results} <= {200, None}, self.results
        await self.show()
        await self._check_card(await self.ticket())
        report = await asyncio.to_thread(verify_database, self.path)
        assert not report.problems, report.problems

    async def _check_card(self, ticket: Ticket) -> None:
        place = await self.world.ledger.place(ticket.id)
        assert place is not None
        [card] = [message for message in self.world.cards() if message.ts == place.ts]
        shown = {
            element["action_id"]
            for block in card.current.blocks
            if block["type"] == "actions"
            for element in block["elements"]
        }
        assert shown == {*offered(await self.world.ticket(ticket.id))}


@contextlib.asynccontextmanager
async def open_stage(folder: Path, *, transport: str = "http", **more: Any) -> AsyncIterator[Stage]:
    """Start everything over a file in ``folder`` and stop it again."""
    clock, path = ShiftClock(), folder / "placet.db"
    ledger = await SqlLedger(f"sqlite:///{path}", clock, busy_timeout_s=0.2).start()
    try:
        async with open_world(
            socket_mode=transport == "socket",
            bundle=more.pop("bundle", STAGED),
            seed=CROWD,
            clock=clock,
            ledger=cast("MemoryLedger", ledger),  # the same ports
            signer=TrueSigner(),
            **more,
        ) as world:
            yield Stage(world=world, path=path, clock=clock, delivery=_delivery(world, clock))
    finally:
        await ledger.close()


def _delivery(world: World, clock: ShiftClock) -> Delivery:
    """The lane of cards as ``placet serve`` has it: what fails is tried again."""

    async def card(key: str) -> None:
        ticket = await world.service.ticket(TicketId(key))
        view = await load_card_view(
            world.ledger, ticket, tools=world.service.bundle.tools, team_id=TEAM
        )
        place = await world.ledger.place(ticket.id)
        async with in_deliverys_words():
            now = await world.app.publisher.publish_card(view, channel="C0APPROVE", place=place)
        await world.ledger.put_place(ticket.id, now)

    async def clear(key: str) -> None:
        await world.service.clear(TicketId(key))

    workers = {OwedKind.CARD: card, OwedKind.CLEAR: clear}
    return Delivery(outbox=world.ledger, reader=world.ledger, clock=clock, workers=workers)


@dataclass(frozen=True, kw_only=True)
class End:
    """How a scenario ends: see ``Stage.check``."""

    states: tuple[TicketState, ...]
    runs: int = 0
    events: Mapping[str, int | Sequence[int]] = field(default_factory=dict)


def end(*states: TicketState, runs: int = 0, **events: int | Sequence[int]) -> End:
    """The end of a scenario."""
    return End(states=states, runs=runs, events=events)


Scenario = Callable[[Stage], Awaitable[End]]
"""What happens on a stage; every one says how it has to end, and is held to it."""
BOTH = ("http", "socket")


@dataclass(kw_only=True)
class Table:
    """Scenarios by the law that each is about, with the transports over which it is played."""

    scenarios: dict[str, tuple[Scenario, tuple[str, ...]]] = field(default_factory=dict)

    def law(self, said: str, *, over: tuple[str, ...] = BOTH) -> Callable[[Scenario], Scenario]:
        """Add a scenario."""

        def add(scenario: Scenario) -> Scenario:
            assert said not in self.scenarios, said
            self.scenarios[said] = (scenario, over)
            return scenario

        return add

    def cases(self) -> list[tuple[str, str]]:
        """Every law with every transport over which it is played."""
        return [
            (said, transport) for said, (_, over) in self.scenarios.items() for transport in over
        ]

    async def play(self, said: str, transport: str, folder: Path) -> None:
        """Play one of them and hold it to its end."""
        async with open_stage(folder, transport=transport) as stage:
            expected = await self.scenarios[said][0](stage)
            await stage.check(*expected.states, runs=expected.runs, **expected.events)


def said_in(result: ActResult) -> str:
    """Everything that a person was shown as an answer, and what stands at the form's fields."""
    return f"{[e.blocks for e in result.ephemerals]} {dict(result.errors)}"
