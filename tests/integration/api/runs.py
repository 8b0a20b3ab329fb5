"""Runs of jobs that are executed here, for tests of what people say about them afterwards."""

from governance.digests import content_digest
from governance.execution import OutputState, RunReport, RunStatus, SandboxTier
from governance.tickets import commands as cmd
from governance.tickets.ticket import TicketId
from tests.integration.api.world import World

RUN = {"tool": "site.read", "action": "read", "dispatch": "execute"}
OUTPUT = b"done\nAKIAIOSFODNN7EXAMPLE\n"


async def started(world: World, **fields: object) -> str:
    """An approved job whose run has begun."""
    name = await world.approved(**{**RUN, **fields})
    ticket = (await world.service.clear(TicketId(name))).ticket
    await world.service.handle(
        cmd.StartExecution(
            ticket_id=ticket.id,
            run_id="run-1",
            executor="exec-1",
            lease_s=30,
            action_digest=ticket.ask.action_digest,
            plan_digest=ticket.ruling.plan_digest,
            sandbox=SandboxTier.A,
        )
    )
    return name


async def lost(world: World, **fields: object) -> str:
    """A job of whose run nobody knows what became."""
    name = await started(world, **fields)
    world.clock.pass_(31)
    await world.service.handle(cmd.DeclareLost(ticket_id=TicketId(name)))
    return name


async def held_back(world: World) -> str:
    """A job that was carried out and whose output is quarantined."""
    name = await started(world)
    report = RunReport(
        status=RunStatus.SUCCEEDED,
        output_state=OutputState.QUARANTINED,
        output_digest=content_digest(OUTPUT),
    )
    outcome = cmd.RecordOutcome(ticket_id=TicketId(name), run_id="run-1", report=report)
    await world.service.handle(outcome, contents={report.output_digest: OUTPUT})
    return name
