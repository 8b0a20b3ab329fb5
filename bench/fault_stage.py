"""The composition under test: real service, ledger and worker, over files in one folder.

Lives here: the parts, and what a client does with them. Must not live here: stories, or faults.
Law: nothing stands between the product and its files. Only three things are not the product's own:
the launcher, whose effect is one appended line; the clock, which can be moved; and, where one is
asked for, a break.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from bench.fault_breaks import Break, LateStart, Unasked, sync_less
from bot.compose import policy
from bot.compose.core import Core, NoDirectory, core_over
from bot.compose.executor import actions_of
from bot.compose.keys import open_signer, sign_heads
from bot.delivery import Delivery
from bot.executor.launcher import Launcher, RunResult
from bot.executor.sandbox import SandboxSpec
from bot.executor.worker import Plans, Worker
from bot.people.static_directory import StaticDirectory
from bot.scheduler import JumpGuard, Sweeper
from bot.settings import Settings
from bot.signing.signer import NoSigner
from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.errors import PlacetError, Refused, Unavailable
from governance.execution import SandboxTier
from governance.outbox import OwedKind
from governance.policy.active import ActiveBundle
from governance.ports import Committed, Keys, Result, State, Step
from governance.principal import Agent, AgentId, PersonId, TenantId
from governance.steps import Handled, Submitted
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, TicketId
from storage.ledger import SqliteLedger

T = TypeVar("T")
BUNDLE = Path(__file__).with_name("fault_bundle.yaml")
TENANT = TenantId("default")
AGENT = Agent(id=AgentId("load"), tenant=TENANT, environments=("prod",))
ADA, BOB, EVA = (PersonId(f"slack:T0FAULT/{name}") for name in ("U0ADA", "U0BOB", "U0EVA"))
TRIES = 200


@dataclass(slots=True)
class MovedClock:
    """The wall clock, moved by ``ahead_s``."""

    ahead_s: float = 0.0

    def now(self) -> datetime:
        """This instant, as far as the story has come."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def steady(self) -> float:
        """A monotonic clock that moves along, so that no jump is seen."""
        return time.monotonic() + self.ahead_s


class Acks:
    """What was promised, written before anybody is told; the kernel keeps it when we die."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(self, **fact: object) -> None:
        """One fact, one line."""
        os.write(self._fd, (json.dumps(fact) + "\n").encode())


class TellingLedger(SqliteLedger):
    """The ledger, which notes every acknowledged commit by its sequence numbers."""

    acks: Acks
    is_early = False

    async def commit(self, keys: Keys, step: Step[T]) -> Committed[T]:
        """Commit, and note that it was acknowledged."""
        if self.is_early:
            step = self._answering_early(step)
        committed = await super().commit(keys, step)
        if committed.seqs and not self.is_early:
            self.acks.say(seqs=committed.seqs)
        return committed

    async def commit_all(
        self, items: Sequence[tuple[Keys, Step[T]]]
    ) -> Sequence[Committed[T] | PlacetError]:
        """The same, of each."""
        told = [(keys, self._answering_early(step)) for keys, step in items]
        found = await super().commit_all(told if self.is_early else items)
        for one in found:
            if isinstance(one, Committed) and one.seqs and not self.is_early:
                self.acks.say(seqs=one.seqs)
        return found

    def _answering_early(self, step: Step[T]) -> Step[T]:
        def early(state: State) -> Result[T]:
            result = step(state)
            for event in result.events:
                ticket = getattr(event, "ticket_id", "")
                self.acks.say(ticket=ticket, event=type(event).__name__)
            return result

        return early


class LineLauncher:
    """The effect of every run: one line in a file, and nothing else."""

    def __init__(self, path: Path) -> None:
        self.tools = SimpleNamespace(python=SimpleNamespace())
        self._path = path

    async def run(self, spec: SandboxSpec, tier: SandboxTier) -> RunResult:
        """Append the run's trace id."""
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(fd, (spec.env["PLACET_TRACE_ID"] + "\n").encode())
        os.close(fd)
        return RunResult(
            exit_code=0,
            stdout=spec.argv[-1].encode(),
            stderr=b"",
            stdout_truncated=False,
            stderr_truncated=False,
            duration_s=0.001,
            timed_out=False,
            scratch_full=False,
            oom_killed=False,
            peak_memory_bytes=None,
            throttled_periods=None,
            tier=tier,
            sandbox_version="line",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The composition under test."""

    core: Core
    serving: Delivery
    executing: Delivery
    sweeper: Sweeper
    clock: MovedClock
    acks: Acks
    ledger: TellingLedger

    async def drain(self) -> None:
        """Work off everything that is owed, on both sides."""
        while await self._turn(self.serving) + await self._turn(self.executing):
            pass

    async def _turn(self, delivery: Delivery) -> int:
        return await self.sure(delivery.drain) or 0

    async def sure(self, act: Callable[[], Awaitable[T]]) -> T | None:
        """Do ``act`` as a client would: again while the service says 503; None: refused."""
        for _ in range(TRIES):
            try:
                return await act()
            except Unavailable as error:
                self.acks.say(unavailable=error.code.value)
                await asyncio.sleep(0.002)
            except Refused as refusal:
                self.acks.say(refused=refusal.code.value)
                return None
        raise RuntimeError("the service never came back")

    async def submit(self, name: str, tool: str, **given: Any) -> TicketId | None:  # noqa: ANN401  # fields
        """Ask for one action."""
        request = ActionRequest(
            tenant=TENANT,
            agent=AGENT.id,
            tool=tool,
            action=ActionKind.WRITE,
            environment="prod",
            target=name,
            content=Content(arguments={"name": name}),
            trace_id=name,
            idempotency_key=name,
            **{"dispatch": Dispatch.EXECUTE, **given},
        )

        async def act() -> Submitted:
            return await self.core.service.submit(request, AGENT)

        done = await self.sure(act)
        if done is None or done.ticket_id is None:
            return None
        self.acks.say(ticket=done.ticket_id, event="TicketOpened")
        return done.ticket_id

    async def vote(
        self, ticket_id: TicketId, person: PersonId, choice: Choice = Choice.APPROVE
    ) -> None:
        """One person's vote."""
        ballot = Ballot(tenant=TENANT, ticket_id=ticket_id, person_id=person, choice=choice)

        async def act() -> Handled:
            return await self.core.service.vote(ballot)

        if await self.sure(act) is not None:
            event = "VoteCast" if choice is Choice.APPROVE else "TicketRejected"
            self.acks.say(ticket=ticket_id, event=event)


@asynccontextmanager
async def staged(home: Path, broken: Break, ahead_s: float) -> Any:  # noqa: ANN401  # generator
    settings = Settings(
        database=f"sqlite:///{home / 'ledger.db'}", keys=home / "keys", policies=BUNDLE
    )
    if broken is Break.NORMAL_SYNC:
        sync_less()
    (home / "outside").mkdir(exist_ok=True)
    clock, acks = MovedClock(ahead_s), Acks(home / "outside" / "acks")
    async with AsyncExitStack() as stack:
        ledger = TellingLedger(settings.database, clock, busy_timeout_s=2)
        ledger.acks, ledger.is_early = acks, broken is Break.EARLY_ANSWER
        await stack.enter_async_context(ledger)
        hands = SqliteLedger(settings.database, clock, busy_timeout_s=2)
        await stack.enter_async_context(hands)
        start = await policy.at_start(settings, ledger)
        bundle, active = start.bundle, ActiveBundle(start.bundle)
        directory = StaticDirectory(lambda: bundle.directory, tenant=TENANT, clock=clock)
        signer = await stack.enter_async_context(open_signer(settings, ledger, bundle))
        sign_heads(settings, ledger)
        core = core_over(ledger, settings, active=active, directory=directory, signer=signer)
        await core.administration.register_keys()
        await policy.activate_first(core.administration, start)
        far = core_over(hands, settings, active=active, directory=NoDirectory(), signer=NoSigner())
        service = far.service
        if broken is Break.LATE_START:
            service.__class__ = LateStart
        if broken is Break.NO_QUORUM:
            service.__class__ = Unasked
        plans = Plans(bundle=bundle, actions=actions_of(bundle, settings))

        async def ask_clearance(ticket_id: TicketId) -> None:
            await core.service.clear(ticket_id)

        worker = Worker(
            name="line",
            service=service,
            reader=hands,
            plans=lambda: plans,
            launcher=cast("Launcher", LineLauncher(home / "outside" / "effects")),
            tier=SandboxTier.A,
            unavailable="",
            ask_clearance=ask_clearance,
        )

        async def clear(key: str) -> None:
            if broken is Break.NO_QUORUM:
                await worker.execute(key)
            await core.service.clear(TicketId(key))

        async def card(key: str) -> None:
            if broken is Break.NO_QUORUM:
                await worker.execute(key)

        yield Stage(
            core=core,
            serving=Delivery(
                outbox=ledger,
                reader=ledger,
                clock=clock,
                workers={OwedKind.CLEAR: clear, OwedKind.CARD: card},
            ),
            executing=Delivery(
                outbox=hands,
                reader=hands,
                clock=clock,
                workers={OwedKind.EXECUTE: worker.execute},
            ),
            sweeper=Sweeper(
                service=core.service,
                reader=ledger,
                outbox=ledger,
                clock=clock,
                guard=JumpGuard(clock, monotonic=clock.steady),
            ),
            clock=clock,
            acks=acks,
            ledger=ledger,
        )
