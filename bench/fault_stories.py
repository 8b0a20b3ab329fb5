"""What happens in the fault runs: stories that go through the one door.

Lives here: the stories. Must not live here: how they are run, or judged.
Law: each may be told again from the start on what an earlier telling left: a repeat is refused or
answered as already done, by idempotency keys and one vote for each person.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

from bench.fault_stage import ADA, AGENT, BOB, TENANT, Stage
from governance.action import Dispatch
from governance.administration import TreeHead
from governance.execution import RunReport, RunStatus
from governance.steps import Handled
from governance.tickets import commands as cmd
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, Ticket, TicketId


async def allow(stage: Stage) -> None:
    """Policy allows it; it is cleared, run and recorded."""
    await stage.submit("allow-1", "mark.allowed")
    await stage.drain()


async def approve(stage: Stage) -> None:
    """Two people approve it; it is cleared, run and recorded."""
    ticket = await stage.submit("approve-1", "mark.asked")
    if ticket is not None:
        await stage.vote(ticket, ADA)
        await stage.vote(ticket, BOB)
    await stage.drain()


async def release(stage: Stage) -> None:
    """Two people approve it; the agent redeems it once and reports."""
    ticket = await stage.submit("release-1", "mark.asked", dispatch=Dispatch.RELEASE)
    if ticket is None:
        return
    await stage.vote(ticket, ADA)
    await stage.vote(ticket, BOB)
    service = stage.core.service

    async def redeem() -> Ticket:
        return await service.redeem(ticket, AGENT)

    if await stage.sure(redeem) is not None:
        stage.acks.say(ticket=ticket, event="GrantRedeemed")
    report = RunReport(status=RunStatus.SUCCEEDED)

    async def tell() -> Handled:
        return await service.handle(
            cmd.ReportOutcome(ticket_id=ticket, agent=AGENT.id, report=report)
        )

    if await stage.sure(tell) is not None:
        stage.acks.say(ticket=ticket, event="OutcomeReported")


async def reject(stage: Stage) -> None:
    """One person says yes, the other no."""
    ticket = await stage.submit("reject-1", "mark.asked")
    if ticket is not None:
        await stage.vote(ticket, ADA)
        await stage.vote(ticket, BOB, Choice.REJECT)
    await stage.drain()


async def withdraw(stage: Stage) -> None:
    """A vote is taken back; the quorum is not met, and nothing runs."""
    ticket = await stage.submit("withdraw-1", "mark.asked")
    if ticket is None:
        return
    await stage.vote(ticket, ADA)
    person = await stage.core.service.person(ADA)

    async def take_back() -> Handled:
        command = cmd.WithdrawVote(ticket_id=ticket, revision=1, person=person)
        return await stage.core.service.handle(command)

    if await stage.sure(take_back) is not None:
        stage.acks.say(ticket=ticket, event="VoteWithdrawn")
    await stage.drain()


async def expire(stage: Stage) -> None:
    """Nobody votes; the sweep ends it, and a late vote changes nothing."""
    ticket = await stage.submit("expire-1", "mark.asked", ttl_s=60)
    stage.clock.ahead_s += 61
    await stage.sure(stage.sweeper.sweep)
    if ticket is not None:
        late = await stage.ledger.ticket(ticket)
        if late is not None and late.state.value == "EXPIRED":
            stage.acks.say(ticket=ticket, event="TicketExpired")
        await stage.sure(lambda: _late_vote(stage, ticket))
    await stage.drain()


async def _late_vote(stage: Stage, ticket: TicketId) -> Handled:
    ballot = Ballot(tenant=TENANT, ticket_id=ticket, person_id=ADA, choice=Choice.APPROVE)
    return await stage.core.service.vote(ballot)


async def freeze(stage: Stage) -> None:
    """The agent is stopped; what it asks is refused until two people let it go on."""
    service = stage.core.service
    await stage.sure(lambda: service.freeze(AGENT.id, ADA, "stop"))
    stage.acks.say(ticket="", event="AgentFrozen")
    await stage.submit("freeze-1", "mark.allowed")
    await stage.drain()
    for person in (ADA, BOB):
        await stage.sure(lambda who=person: service.unfreeze(AGENT.id, who))  # type: ignore[misc]
    await stage.submit("freeze-2", "mark.allowed")
    await stage.drain()


async def checkpoint(stage: Stage) -> None:
    """The log is signed between two runs."""
    await stage.submit("checkpoint-1", "mark.allowed")
    size, root, head = await stage.ledger.tree_head()
    tree = TreeHead(size=size, root=root, head=head)
    await stage.sure(lambda: stage.core.administration.checkpoint(tree, origin="faults"))
    stage.acks.say(ticket="", event="CheckpointSigned")
    await stage.drain()


async def many(stage: Stage) -> None:
    """Some hundreds of commits, many of them at the same time: past several WAL checkpoints."""
    for batch in range(int(os.environ.get("FAULT_BATCHES", "24"))):
        names = [f"many-{batch}-{number}" for number in range(6)]
        tickets = await asyncio.gather(
            *(
                stage.submit(n, "mark.allowed" if i % 2 else "mark.asked")
                for i, n in enumerate(names)
            )
        )
        for person in (ADA, BOB):
            asked = [found for found in tickets[::2] if found is not None]
            await asyncio.gather(*(stage.vote(ticket, person) for ticket in asked))
        await stage.drain()


async def first(stage: Stage) -> None:
    """Nothing: keys and bundle are registered by any start."""


async def finish(stage: Stage) -> None:
    """What every start does with what it finds: expire, declare lost, clear, run."""
    await stage.sure(stage.sweeper.sweep)
    await stage.drain()


STORIES: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    story.__name__: story
    for story in (
        *(allow, approve, release, reject, withdraw, expire, freeze, checkpoint),
        *(many, first, finish),
    )
}
