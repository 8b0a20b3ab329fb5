"""The bounds of the approval queue, counted inside the transaction, by every ledger alike."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from governance import steps
from governance.action import Dispatch
from governance.digests import content_digest, request_digest
from governance.errors import Code, Refused
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.ports import AgentKey, Committed, Keys, Result
from governance.principal import AgentId
from governance.service import Service
from governance.submission import Submission
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import TicketId
from storage.ledger import SqlLedger
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import AGENT, TENANT, FixedClock
from tests.support.commits import append
from tests.support.core import (
    ADMIN,
    PEOPLE,
    CountingIds,
    FakeDirectory,
    FakeSigner,
    agent,
    decision,
    request,
)

OTHER = AgentId("other")
OF_TENANT = 10


async def counted(ledger: AnyLedger, *agents: AgentKey) -> dict[AgentKey, int]:
    done = await ledger.commit(
        Keys(pending_of=agents), lambda state: Result(reply=dict(state.pending_of))
    )
    return done.reply


async def test_each_agents_pending_tickets_are_counted(ledger: AnyLedger):
    other = build.ask(agent=OTHER, idempotency_key="key-9")
    foreign = build.ask(tenant=build.TenantId("umbrella"), idempotency_key="key-8")
    mine, theirs, nobody = (TENANT, AGENT), (TENANT, OTHER), (TENANT, AgentId("nobody"))
    await append(ledger, build.opened("t-1"), build.opened("t-2"), build.allowed("t-3"))
    await append(ledger, build.opened("t-8", ask=foreign), build.opened("t-9", ask=other))
    assert await counted(ledger, mine, theirs, nobody) == {mine: 2, theirs: 1, nobody: 0}
    await append(
        ledger,
        build.on("t-1", ev.TicketCancelled, actor="agent:deployer"),
        build.on("t-2", ev.TicketApproved, weight=4, threshold=4),
    )
    assert await counted(ledger, mine) == {mine: 0}
    await append(ledger, build.on("t-2", ev.QuorumLost, dropped=()))
    assert await counted(ledger, mine, theirs) == {mine: 1, theirs: 1}
    assert await counted(ledger) == {}


async def test_what_nobody_knows_the_end_of_is_counted_apart_for_each_tenant(ledger: AnyLedger):
    foreign = build.ask(tenant=build.TenantId("umbrella"), idempotency_key="key-8")
    await append(
        ledger, build.opened("t-1"), build.allowed("t-2"), build.allowed("t-8", ask=foreign)
    )
    for name in ("t-2", "t-8"):
        lost = build.on(name, run_ev.ExecutionLost, run_id="run-1")
        await append(ledger, build.started(name), lost)
    queue = await ledger.queue(TENANT)
    assert (queue.waiting, queue.unknown) == (1, 1)
    await append(ledger, build.resolved("t-2", build.ANNA, took_effect=True))
    assert (await ledger.queue(TENANT)).unknown == 0


async def test_a_failed_step_counts_for_nothing(ledger: AnyLedger):
    await asyncio.gather(
        append(ledger, build.opened("t-1"), build.on("t-none", ev.TicketExpired)),
        append(ledger, build.opened("t-2")),
        return_exceptions=True,
    )
    assert await counted(ledger, (TENANT, AGENT)) == {(TENANT, AGENT): 1}


def asking(number: int, who: AgentId = AGENT, *, limit: int = 3) -> Submission:
    return Submission(
        ticket_id=TicketId(f"t-{who}-{number}"),
        request=request(agent=who, idempotency_key=f"key-{number}"),
        agent=agent(id=who),
        decision=decision(snapshot=""),
        content=b"{}",
        content_digest=content_digest(b"{}"),
        eligible=PEOPLE,
        max_pending=OF_TENANT,
        max_pending_per_agent=limit,
    )


async def submit(ledger: AnyLedger, given: Submission) -> Committed[steps.Submitted]:
    step = partial(steps.submit, given=given, request_digest=request_digest(given.request))
    return await ledger.commit(
        Keys(idempotency=(given.idempotency,), pending_of=(given.asker,)), step
    )


def told(results: list[object]) -> list[str]:
    return [
        one.message.split()[3] if isinstance(one, Refused) and one.code is Code.QUEUE_FULL else "ok"
        for one in results
    ]


async def test_submits_of_one_batch_cannot_overshoot_an_agents_bound(ledger: AnyLedger):
    asked = [asking(n) for n in range(9)] + [asking(n, OTHER) for n in range(2)]
    results = await asyncio.gather(*(submit(ledger, one) for one in asked), return_exceptions=True)
    assert told(list(results)) == ["ok"] * 3 + ["agent"] * 6 + ["ok"] * 2
    mine, theirs = (TENANT, AGENT), (TENANT, OTHER)
    assert await counted(ledger, mine, theirs) == {mine: 3, theirs: 2}


async def test_an_agent_at_its_bound_is_refused_while_another_goes_on(ledger: AnyLedger):
    for number in range(3):
        await submit(ledger, asking(number))
    with pytest.raises(Refused, match="of agent deployer wait already, at most 3"):
        await submit(ledger, asking(3))
    await submit(ledger, asking(0, OTHER))
    cancelled = build.on("t-deployer-0", ev.TicketCancelled, actor="agent:deployer")
    await append(ledger, cancelled)
    await submit(ledger, asking(4))


async def test_the_bound_of_the_tenant_holds_for_all_its_agents(ledger: AnyLedger):
    agents = [AgentId(f"agent-{n}") for n in range(OF_TENANT + 2)]
    asked = [asking(0, who) for who in agents]
    results = await asyncio.gather(*(submit(ledger, one) for one in asked), return_exceptions=True)
    assert told(list(results)) == ["ok"] * OF_TENANT + ["tenant"] * 2


async def test_three_agents_that_ask_for_all_they_may_leave_room_for_others(ledger: AnyLedger):
    busy = [AgentId(f"busy-{n}") for n in range(3)]
    asked = [asking(n, who, limit=4) for who in busy for n in range(5)]
    results = await asyncio.gather(*(submit(ledger, one) for one in asked), return_exceptions=True)
    assert told(list(results)).count("ok") == OF_TENANT - 1
    await submit(ledger, asking(0, OTHER))
    with pytest.raises(Refused, match="of tenant"):
        await submit(ledger, asking(1, OTHER))


async def test_the_service_asks_for_the_count_and_keeps_the_bundles_bound(
    ledger: AnyLedger, clock: FixedClock
):
    bundle = load(
        {
            "version": "v1",
            "rules": [
                {"id": "jobs", "match": {"topics": ["job.*"]}, "decision": "require_approval"},
            ],
            "tiers": {
                "high": {"roles": {ADMIN: {"weight": 1, "min_required": 1}}, "threshold": 1},
            },
            "default_tier": "high",
            "limits": {"max_pending_per_agent": 1},
        }
    )
    service = Service(
        ledger=ledger,
        reader=ledger,
        clock=clock,
        signer=FakeSigner(),
        directory=FakeDirectory(),
        ids=CountingIds(),
        bundle=replace(bundle, snapshot=""),
        tenant=TENANT,
    )
    first = await service.submit(request(tool="", dispatch=Dispatch.RELEASE), agent())
    assert first.effect is Effect.REQUIRE_APPROVAL
    await service.submit(request(tool="", dispatch=Dispatch.RELEASE, agent=OTHER), agent(id=OTHER))
    with pytest.raises(Refused, match="of agent deployer wait already, at most 1"):
        await service.submit(
            request(tool="", dispatch=Dispatch.RELEASE, idempotency_key="key-2"), agent()
        )


async def test_altered_content_is_as_if_erased(ledger: AnyLedger):
    body, forged = b'{"arguments": {}}', b'{"arguments": 1}'
    digest = content_digest(body)
    await ledger.commit(Keys(), lambda _: Result(reply=None, contents={digest: body}))
    assert await ledger.content(digest) == body
    if isinstance(ledger, SqlLedger):
        other = ledger._db.connect(busy_timeout_s=5)
        other.begin()
        other.execute("UPDATE contents SET body = ?", (forged,))
        other.commit()
        other.close()
    else:
        ledger._tables.contents[digest] = forged
    assert await ledger.content(digest) is None
