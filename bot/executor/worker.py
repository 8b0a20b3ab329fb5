"""From an approved ticket to one run and its outcome.

Lives here: recomputing the digests from the bytes that will run, committing the start, running,
recording the outcome. Must not live here: walls (``sandbox``), what an outcome says (``report``),
any decision. Law: the start is committed before the effect; bytes that differ from what was
approved never run; what cannot be run here stays approved and says why.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.executor.actions import ActionError, ActionRegistry
from bot.executor.errors import SandboxError, SpecRefused
from bot.executor.launcher import Launcher
from bot.executor.report import Reported, of_failure, of_result
from bot.executor.sandbox import Limits, SandboxSpec
from governance.action import ActionRequest, Content, parse_content
from governance.digests import action_digest
from governance.errors import Code, InvalidInput, Refused, Unavailable
from governance.execution import SandboxTier
from governance.json_text import to_text
from governance.policy.decision import Constraints
from governance.policy.model import Bundle
from governance.ports import Reader
from governance.service import Service
from governance.tickets import commands as cmd
from governance.tickets.ticket import Ask, Ticket, TicketId, TicketState

_log = logging.getLogger(__name__)

LEASE_MARGIN_S = 30
"""A run's lease outlives its wall clock by this much, for set-up, scan and record."""
RECORD_TRIES = 40
_RECORD_PAUSE_S = 0.5
_ENFORCED = frozenset(
    {
        "max_runtime_s",
        "max_output_bytes",
        "max_artifact_bytes",
        "max_retries",  # nothing is ever run twice here
        "network_allow",  # no network at all
        "isolated",
        "redact_deny",  # about what cards show: held where they are drawn, nothing of it runs here
    }
)


class CannotStart(Exception):
    """Why this executor does not start an approved action."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that may start: what to run, and digests of the very bytes in it."""

    spec: SandboxSpec
    action_digest: str
    plan_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """A bundle with the actions that it registers: both of one activation."""

    bundle: Bundle
    actions: ActionRegistry


class Worker:
    """Works off the execute messages of one executor, one run at a time."""

    def __init__(
        self,
        *,
        name: str,
        service: Service,
        reader: Reader,
        plans: Callable[[], Plans],
        launcher: Launcher | None,
        tier: SandboxTier | None,
        unavailable: str,
        ask_clearance: Callable[[TicketId], Awaitable[None]],
    ) -> None:
        self._name = name
        self._service = service
        self._reader = reader
        self._plans = plans
        self._launcher = launcher
        self._tier = tier
        self._unavailable = unavailable
        self._ask_clearance = ask_clearance
        self._one_at_a_time = asyncio.Lock()

    async def execute(self, key: str) -> None:
        """Run the action of ticket ``key`` if it is approved, cleared and unaltered.

        Raises:
            Refused: the ticket has moved on.
            Unavailable: the log cannot be written; nothing was started.
        """
        async with self._one_at_a_time:
            ticket = await self._service.ticket(TicketId(key))
            if ticket.state is not TicketState.APPROVED:
                return
            try:
                # One bundle from here to the report, whatever is activated meanwhile.
                plans = self._plans()
                prepared = await self._prepare(ticket, plans)
                await self._run(ticket, prepared, plans)
            except CannotStart as problem:
                deferral = cmd.DeferExecution(
                    ticket_id=ticket.id, code=problem.code, reason=problem.reason
                )
                await self._service.handle(deferral)

    async def _prepare(self, ticket: Ticket, plans: Plans) -> Prepared:
        ask, needed = ticket.ask, SandboxTier(ticket.ruling.sandbox)
        if self._launcher is None or self._tier is None or not needed.accepts(self._tier):
            raise CannotStart(Code.NO_SANDBOX, f"needs sandbox tier {needed}: {self._unavailable}")
        tool = plans.bundle.tools.get(ask.tool)
        if tool is None or tool.run is None:
            raise CannotStart(Code.DIGEST_MISMATCH, f"{ask.tool} is no registered action here")
        raw = await self._reader.content(ask.content_digest)
        if raw is None:
            raise CannotStart(Code.DIGEST_MISMATCH, "the approved content was erased or altered")
        try:
            content = parse_content(raw)
            arguments = to_text(content.arguments).encode("utf-8")
            spec = plans.actions.plan(
                ask.tool, arguments, python=self._launcher.tools.python, trace_id=ask.trace_id
            )
        except (InvalidInput, ActionError, SpecRefused) as error:
            raise CannotStart(Code.DIGEST_MISMATCH, f"it cannot be run here: {error}") from error
        return Prepared(
            spec=replace(spec, limits=_tightened(spec, ticket.ruling.constraints).limits),
            action_digest=action_digest(_request(ask, content)),
            plan_digest=tool.plan_digest,
        )

    async def _run(self, ticket: Ticket, prepared: Prepared, plans: Plans) -> None:
        launcher, tier = self._launcher, self._tier
        assert launcher is not None  # noqa: S101  # _prepare refused otherwise
        assert tier is not None  # noqa: S101
        run_id = secrets.token_hex(8)
        start = cmd.StartExecution(
            ticket_id=ticket.id,
            run_id=run_id,
            executor=self._name,
            lease_s=math.ceil(prepared.spec.limits.wall_s) + LEASE_MARGIN_S,
            action_digest=prepared.action_digest,
            plan_digest=prepared.plan_digest,
            sandbox=tier,
        )
        try:
            await self._service.handle(start)
        except Refused as refusal:
            if refusal.code is Code.CLEARANCE_STALE:
                await self._ask_clearance(ticket.id)
                return
            if refusal.code in (Code.DIGEST_MISMATCH, Code.NO_SANDBOX):
                raise CannotStart(refusal.code, str(refusal.message)) from refusal
            raise
        # From here on the action may have happened: whatever comes, an outcome is recorded, or
        # the lease passes and people are asked.
        try:
            result = await launcher.run(prepared.spec, tier)
        except SandboxError as error:
            _log.warning("run %s of %s: %s", run_id, ticket.id, error.code)
            reported = of_failure(error, tier=tier)
            if error.started:
                raise  # nobody knows what it did: the lease passes and it becomes UNKNOWN
        else:
            reported = of_result(
                result,
                tier=tier,
                actions=plans.actions,
                tool=ticket.ask.tool,
                bundle=plans.bundle,
            )
        await self._record(ticket, run_id, reported)

    async def _record(self, ticket: Ticket, run_id: str, reported: Reported) -> None:
        command = cmd.RecordOutcome(ticket_id=ticket.id, run_id=run_id, report=reported.report)
        for attempt in range(RECORD_TRIES):
            try:
                await self._service.handle(command, contents=reported.contents)
            except Unavailable as error:
                if attempt == RECORD_TRIES - 1:
                    _log.error("the outcome of run %s was not recorded: %s", run_id, error.code)
                    raise
                await asyncio.sleep(_RECORD_PAUSE_S)
            else:
                return


def _request(ask: Ask, content: Content) -> ActionRequest:
    """The request as the bytes at hand describe it, to be digested anew."""
    return ActionRequest(
        tenant=ask.tenant,
        agent=ask.agent,
        on_behalf_of=ask.on_behalf_of,
        topic=ask.topic,
        tool=ask.tool,
        action=ask.action,
        environment=ask.environment,
        target=ask.target,
        content=content,
        dispatch=ask.dispatch,
        trace_id=ask.trace_id,
        idempotency_key=ask.idempotency_key,
    )


def _tightened(spec: SandboxSpec, constraints: Constraints) -> SandboxSpec:
    """``spec`` under the decision's constraints.

    Raises:
        CannotStart: a constraint that this executor cannot hold.
    """
    unknown = sorted(set(constraints.to_json()) - _ENFORCED)
    if unknown:
        raise CannotStart(
            Code.NO_SANDBOX, f"the executor cannot enforce constraint {', '.join(unknown)}"
        )
    try:
        return replace(spec, limits=_limited(spec.limits, constraints))
    except SpecRefused as error:
        raise CannotStart(Code.NO_SANDBOX, f"too tight to run at all: {error}") from error


def _limited(limits: Limits, constraints: Constraints) -> Limits:
    if constraints.max_runtime_s is not None:
        limits = replace(limits, wall_s=min(limits.wall_s, float(constraints.max_runtime_s)))
    if constraints.max_output_bytes is not None:
        limits = replace(
            limits, output_bytes=min(limits.output_bytes, constraints.max_output_bytes)
        )
    if constraints.max_artifact_bytes is not None:
        limits = replace(limits, file_bytes=min(limits.file_bytes, constraints.max_artifact_bytes))
    return limits
