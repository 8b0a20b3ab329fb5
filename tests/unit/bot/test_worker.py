"""The executor's hands: nothing runs that was not approved, cleared and committed first."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.compose.executor import NoDirectory, actions_of
from bot.executor.errors import SandboxError, SandboxSetupFailed
from bot.executor.launcher import Launcher, RunResult
from bot.executor.sandbox import SandboxSpec
from bot.executor.tools import Python
from bot.executor.worker import Plans, Worker
from bot.settings import Settings
from bot.signing.signer import NoSigner
from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.errors import Code, Refused, Unavailable
from governance.execution import OutputState, SandboxTier
from governance.policy.bundle import load
from governance.policy.model import Bundle
from governance.ports import Committed, Keys, Step
from governance.service import Service
from governance.tickets import commands as cmd
from governance.tickets.ticket import Ticket, TicketId, TicketState
from storage.memory.ledger import MemoryLedger
from tests.support import core
from tests.support.build import AGENT, TENANT, FixedClock
from tests.support.commits import erase

OUTPUT = b'{"changed": true}'


def bundle(**rule: Any) -> Bundle:
    return load(
        {
            "version": "v1",
            "name": "worker",
            "minimum_sandbox": "A-",
            "approval_required_for": [],
            "rules": [{"id": "yes", "match": {"tools": ["site.set"]}, "decision": "allow", **rule}],
            "tools": {
                "site.set": {
                    "actions": ["write"],
                    "classification": "internal",
                    "run": {
                        "title": "Set",
                        "arguments": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"value": {"type": "string"}},
                        },
                        "runner": {"argv": ["/usr/bin/printf", "{value}"]},
                    },
                }
            },
        }
    )


@dataclass
class FakeLauncher:
    """Runs nothing: looks at the ledger when asked to run, and answers as it is told."""

    ledger: MemoryLedger
    stdout: bytes = OUTPUT
    exit_code: int = 0
    error: SandboxError | None = None
    ran: list[SandboxSpec] = field(default_factory=list)
    committed_before: list[TicketState] = field(default_factory=list)
    tools: Any = field(
        default_factory=lambda: SimpleNamespace(python=cast("Python", SimpleNamespace()))
    )

    async def run(self, spec: SandboxSpec, tier: SandboxTier) -> RunResult:
        ticket = await self.ledger.ticket(TicketId("t-1"))
        assert ticket is not None
        self.committed_before.append(ticket.state)
        self.ran.append(spec)
        if self.error is not None:
            raise self.error
        return RunResult(
            exit_code=self.exit_code,
            stdout=self.stdout,
            stderr=b"",
            stdout_truncated=False,
            stderr_truncated=False,
            duration_s=0.01,
            timed_out=False,
            scratch_full=False,
            oom_killed=False,
            peak_memory_bytes=None,
            throttled_periods=None,
            tier=tier,
            sandbox_version="fake",
        )


class FlakyLedger(MemoryLedger):
    """A ledger that cannot be written for so many tries, once told to."""

    down = 0

    async def commit(self, keys: Keys, step: Step[Any]) -> Committed[Any]:
        if self.down:
            self.down -= 1
            raise Unavailable(Code.LEDGER_UNAVAILABLE, "no disk")
        return await super().commit(keys, step)


@dataclass
class Room:
    """A worker with everything around it."""

    ledger: FlakyLedger
    service: Service
    worker: Worker
    launcher: FakeLauncher
    clock: FixedClock
    asked: list[TicketId]

    async def ticket(self) -> Ticket:
        return await self.service.ticket(TicketId("t-1"))


async def room(
    tmp_path: Path,
    *,
    tier: SandboxTier | None = SandboxTier.A,
    clear: bool = True,
    rule: Mapping[str, Any] | None = None,
    executors: Bundle | None = None,
) -> Room:
    clock = FixedClock()
    ledger, given = FlakyLedger(clock), bundle(**(rule or {}))
    service = Service(
        ledger=ledger,
        reader=ledger,
        clock=clock,
        signer=NoSigner(),
        directory=NoDirectory(),
        ids=core.CountingIds(),
        bundle=given,
        tenant=TENANT,
    )
    from governance.administration import Administration

    await Administration(
        ledger=ledger, reader=ledger, clock=clock, signer=NoSigner(), tenant=TENANT
    ).activate(given, actor="test")
    request = ActionRequest(
        tenant=TENANT,
        agent=AGENT,
        topic="job.site.set",
        tool="site.set",
        action=ActionKind.WRITE,
        environment="dev",
        content=Content(arguments={"value": "250"}),
        dispatch=Dispatch.EXECUTE,
        trace_id="trace-1",
        idempotency_key="key-1",
    )
    submitted = await service.submit(request, core.agent(id=AGENT, owners=()))
    assert submitted.ticket is not None
    assert submitted.ticket.state is TicketState.APPROVED
    if clear:
        await service.handle(cmd.ClearExecution(ticket_id=TicketId("t-1"), revision=1, standing={}))
    launcher, asked = FakeLauncher(ledger), []
    own = executors or given

    async def ask(ticket_id: TicketId) -> None:
        asked.append(ticket_id)

    plans = Plans(bundle=own, actions=actions_of(own, Settings(folders={"site": tmp_path})))
    worker = Worker(
        name="executor-1",
        service=service,
        reader=ledger,
        plans=lambda: plans,
        launcher=cast("Launcher", launcher) if tier else None,
        tier=tier,
        unavailable="install bubblewrap",
        ask_clearance=ask,
    )
    return Room(
        ledger=ledger, service=service, worker=worker, launcher=launcher, clock=clock, asked=asked
    )


async def test_the_start_is_committed_before_the_effect(tmp_path: Path) -> None:
    here = await room(tmp_path)
    await here.worker.execute("t-1")
    assert here.launcher.committed_before == [TicketState.EXECUTING]
    after = await here.ticket()
    assert after.state is TicketState.EXECUTED
    assert after.report is not None
    assert after.report.output_state is OutputState.CLEAN
    assert await here.ledger.content(after.report.output_digest) == OUTPUT


async def test_a_second_message_runs_nothing_again(tmp_path: Path) -> None:
    here = await room(tmp_path)
    await here.worker.execute("t-1")
    await here.worker.execute("t-1")
    assert len(here.launcher.ran) == 1


async def test_nothing_starts_when_the_start_cannot_be_committed(tmp_path: Path) -> None:
    here = await room(tmp_path)
    here.ledger.down = 1
    with pytest.raises(Unavailable):
        await here.worker.execute("t-1")
    assert here.launcher.ran == []
    assert (await here.ticket()).state is TicketState.APPROVED


async def test_an_outcome_is_recorded_once_the_log_can_be_written_again(tmp_path: Path) -> None:
    here = await room(tmp_path)
    ran = here.launcher.run

    async def run(spec: SandboxSpec, tier: SandboxTier) -> RunResult:
        here.ledger.down = 1
        return await ran(spec, tier)

    here.launcher.run = run  # type: ignore[method-assign]
    await here.worker.execute("t-1")
    assert (await here.ticket()).state is TicketState.EXECUTED


async def test_altered_content_never_runs(tmp_path: Path) -> None:
    here = await room(tmp_path)
    ask = (await here.ticket()).ask
    raw = await here.ledger.content(ask.content_digest)
    assert raw is not None
    here.ledger._tables.contents[ask.content_digest] = raw.replace(b'"250"', b'"999"')
    await here.worker.execute("t-1")
    after = await here.ticket()
    assert here.launcher.ran == []
    assert after.state is TicketState.APPROVED
    assert "altered" in after.note


async def test_erased_content_never_runs(tmp_path: Path) -> None:
    here = await room(tmp_path)
    await erase(here.ledger, (await here.ticket()).ask.content_digest)
    await here.worker.execute("t-1")
    assert here.launcher.ran == []
    assert "erased" in (await here.ticket()).note


async def test_another_definition_of_the_action_never_runs(tmp_path: Path) -> None:
    other = bundle()
    changed = load(
        {
            **other.source,
            "tools": {
                "site.set": {
                    **cast("dict[str, Any]", other.source["tools"])["site.set"],
                    "run": {
                        **cast("dict[str, Any]", other.source["tools"])["site.set"]["run"],
                        "runner": {"argv": ["/usr/bin/rm", "{value}"]},
                    },
                }
            },
        }
    )
    here = await room(tmp_path, executors=changed)
    await here.worker.execute("t-1")
    assert here.launcher.ran == []
    assert (await here.ticket()).state is TicketState.APPROVED


@pytest.mark.parametrize("tier", [None, SandboxTier.B])
async def test_without_an_accepted_tier_it_stays_approved_and_says_why(
    tmp_path: Path, tier: SandboxTier | None
) -> None:
    here = await room(tmp_path, tier=tier)
    await here.worker.execute("t-1")
    await here.worker.execute("t-1")
    after = await here.ticket()
    assert here.launcher.ran == []
    assert after.state is TicketState.APPROVED
    assert "install bubblewrap" in after.note
    assert after.deferrals == 1


async def test_without_a_fresh_clearance_it_asks_for_one(tmp_path: Path) -> None:
    here = await room(tmp_path)
    here.clock.pass_(61)
    await here.worker.execute("t-1")
    assert here.asked == ["t-1"]
    assert here.launcher.ran == []


async def test_a_constraint_that_cannot_be_held_stops_the_start(tmp_path: Path) -> None:
    rule = {"constraints": {"max_files": 3}}
    here = await room(tmp_path, rule=rule)
    await here.worker.execute("t-1")
    assert here.launcher.ran == []
    assert "max_files" in (await here.ticket()).note


async def test_constraints_tighten_the_limits_of_the_run(tmp_path: Path) -> None:
    rule = {"constraints": {"max_runtime_s": 3, "max_output_bytes": 100}}
    here = await room(tmp_path, rule=rule)
    await here.worker.execute("t-1")
    (spec,) = here.launcher.ran
    assert (spec.limits.wall_s, spec.limits.output_bytes) == (3.0, 100)


async def test_a_sandbox_that_was_not_set_up_is_a_failure_without_effect(tmp_path: Path) -> None:
    here = await room(tmp_path)
    here.launcher.error = SandboxSetupFailed("no walls")
    await here.worker.execute("t-1")
    after = await here.ticket()
    assert after.state is TicketState.CANCELLED
    assert after.report is not None
    assert "nothing ran" in after.report.error


async def test_an_error_after_the_start_leaves_the_outcome_to_people(tmp_path: Path) -> None:
    here = await room(tmp_path)
    here.launcher.error = SandboxError("the reader broke", started=True)
    with pytest.raises(SandboxError):
        await here.worker.execute("t-1")
    assert (await here.ticket()).state is TicketState.EXECUTING
    here.clock.pass_(3600)
    await here.service.handle(cmd.DeclareLost(ticket_id=TicketId("t-1")))
    assert (await here.ticket()).state is TicketState.UNKNOWN


async def test_secrets_in_an_output_are_cut_out_of_what_is_shown(tmp_path: Path) -> None:
    here = await room(tmp_path)
    here.launcher.stdout = b"key AKIAIOSFODNN7EXAMPLE done"
    await here.worker.execute("t-1")
    report = (await here.ticket()).report
    assert report is not None
    assert report.output_state is OutputState.REDACTED
    assert await here.ledger.content(report.shown_digest) == b"key [aws_access_key removed] done"


async def test_a_failing_program_is_a_failed_run(tmp_path: Path) -> None:
    here = await room(tmp_path)
    here.launcher.exit_code = 3
    await here.worker.execute("t-1")
    after = await here.ticket()
    assert after.report is not None
    assert after.report.error == "it ended with status 3"
    assert replace(after.report, error="").exit_code == 3


async def test_a_ticket_that_moved_on_is_left_alone(tmp_path: Path) -> None:
    here = await room(tmp_path)
    await here.service.handle(
        cmd.CancelTicket(ticket_id=TicketId("t-1"), actor="agent:deployer", agent=AGENT)
    )
    await here.worker.execute("t-1")
    assert here.launcher.ran == []
    with pytest.raises(Refused):
        await here.worker.execute("t-9")
