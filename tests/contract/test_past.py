"""What rules may ask about the past, read inside the transaction, by every ledger alike."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from governance.action import ActionKind, Dispatch
from governance.errors import Code, Unavailable
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.policy.facts import MOST_DEEDS, Considered, DeedsOf, Past, Tally, Wanted, Whose
from governance.policy.model import Bundle
from governance.ports import Keys, Result
from governance.principal import AgentId
from governance.service import Service
from governance.steps import Submitted
from governance.tickets import events as ev
from governance.tickets.commands import CancelTicket
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import AGENT, T0, TENANT, FixedClock
from tests.support.commits import append, whole
from tests.support.core import ADMIN, CountingIds, FakeDirectory, FakeSigner, agent, request

OTHER = AgentId("other")
TIERS = {"high": {"roles": {ADMIN: {"weight": 1, "min_required": 1}}, "threshold": 1}}


def policy(*rules: dict[str, object]) -> Bundle:
    allow = {"id": "work", "match": {"topics": ["job.*"]}, "decision": "allow"}
    made = load({"version": "v1", "rules": [allow, *rules], "tiers": TIERS, "default_tier": "high"})
    return replace(made, snapshot="")


def stop(decision: str = "deny", **match: object) -> dict[str, object]:
    return {"id": "stop", "match": match, "decision": decision}


class Asker:
    """A service over one ledger, and requests with keys of their own."""

    def __init__(self, ledger: AnyLedger, clock: FixedClock, bundle: Bundle) -> None:
        self.directory = FakeDirectory()
        self.service = Service(
            ledger=ledger,
            reader=ledger,
            clock=clock,
            signer=FakeSigner(),
            directory=self.directory,
            ids=CountingIds(),
            bundle=bundle,
            tenant=TENANT,
        )
        self._asked = 0

    async def ask(self, who: AgentId = AGENT, key: str = "", **fields: object) -> Submitted:
        self._asked += 1
        own = {
            "tool": "",
            "dispatch": Dispatch.RELEASE,
            "topic": "job.x",
            "action": ActionKind.READ,
        }
        asked = request(agent=who, idempotency_key=key or f"key-{self._asked}", **{**own, **fields})
        roles = ("engineer",) if who == AGENT else ()
        return await self.service.submit(asked, agent(id=who, roles=roles))

    async def effect(self, who: AgentId = AGENT, **fields: object) -> Effect:
        return (await self.ask(who, **fields)).effect


def mine(within_s: int = 3600, whose: Whose = Whose.AGENT, value: str = AGENT) -> DeedsOf:
    return DeedsOf(tenant=TENANT, whose=whose, value=value, within_s=within_s)


async def seen(ledger: AnyLedger, *deeds: DeedsOf, tallies: tuple[Tally, ...] = ()) -> Past:
    """What a step is shown; the reader must say the same."""
    wanted = Wanted(deeds=deeds, tallies=tallies)
    shown = await ledger.commit(Keys(past=wanted), lambda s: Result(reply=(s.past, s.at)))
    past, at = shown.reply
    assert await ledger.past(wanted, at) == past
    return past


def named(past: Past) -> list[tuple[str, bool]]:
    return [(deed.ticket_id, deed.stands) for deed in past.deeds]


async def test_deeds_are_what_was_not_refused_at_once_newest_first(
    ledger: AnyLedger, clock: FixedClock
):
    await append(ledger, build.allowed("t-1"), build.opened("t-2"))
    clock.pass_(1)
    denied = build.opened("t-3", ruling=build.ruling(Effect.DENY))
    asked = replace(build.evaluated(), ruling=build.ruling(Effect.REQUIRE_APPROVAL))
    refused = replace(build.evaluated(), ruling=build.ruling(Effect.DENY))
    await append(ledger, denied, refused, asked, build.evaluated())
    past = await seen(ledger, mine())
    assert named(past) == [("", True), ("", False), ("t-2", True), ("t-1", True)]
    assert [deed.seq for deed in past.deeds] == [6, 5, 2, 1]
    assert past.deeds[-1].at == T0
    assert past.cut == {}


async def test_a_deed_says_what_policy_saw(ledger: AnyLedger):
    labels = (("mcp.tool", "files.read"), ("team", 'the "core"'))
    told = build.allowed(
        "t-1",
        ask=build.ask(tool="", labels=labels, idempotency_key="k"),
        action="write",
        data_classes=("pii", "café"),
    )
    await append(ledger, told)
    (deed,) = (await seen(ledger, mine())).deeds
    assert (deed.tool, deed.action, deed.target) == ("files.read", "write", "web-1")
    assert (deed.data_classes, deed.risk_tags) == (("pii", "café"), ("prod",))
    assert (deed.labels, deed.topic, deed.trace_id) == (labels, "job.deploy", "a" * 32)


async def test_the_deeds_of_a_trace_are_those_of_all_its_agents(ledger: AnyLedger):
    theirs = build.ask(agent=OTHER, idempotency_key="k-2")
    elsewhere = build.ask(trace_id="b" * 32, idempotency_key="k-3")
    foreign = build.ask(tenant=build.TenantId("umbrella"), idempotency_key="k-4")
    await append(ledger, build.allowed("t-1"), build.allowed("t-2", ask=theirs))
    await append(ledger, build.allowed("t-3", ask=elsewhere), build.allowed("t-4", ask=foreign))
    trace = mine(whose=Whose.TRACE, value="a" * 32)
    assert [name for name, _ in named(await seen(ledger, trace))] == ["t-2", "t-1"]
    both = await seen(ledger, mine(), trace)
    assert [name for name, _ in named(both)] == ["t-3", "t-2", "t-1"]


async def test_a_window_holds_both_of_its_ends(ledger: AnyLedger, clock: FixedClock):
    await append(ledger, build.allowed("t-1"))
    clock.pass_(60)
    await append(ledger, build.allowed("t-2"))
    assert len((await seen(ledger, mine(60))).deeds) == 2
    assert named(await seen(ledger, mine(59))) == [("t-2", True)]


async def test_what_ended_before_it_began_no_longer_stands(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.opened("t-2"), build.opened("t-3"))
    await append(
        ledger,
        build.on("t-1", ev.TicketCancelled, actor="agent:deployer"),
        build.revised("t-2", ask=build.opened("t-2").ask),
        build.on("t-2", ev.TicketCancelled, revision=2, actor="agent:deployer"),
    )
    assert named(await seen(ledger, mine())) == [("t-3", True), ("t-2", True), ("t-1", False)]


async def test_only_so_many_deeds_are_read_and_what_is_missing_is_said(
    ledger: AnyLedger, clock: FixedClock
):
    await append(ledger, build.evaluated())
    clock.pass_(1)
    await append(ledger, *(build.evaluated() for _ in range(MOST_DEEDS - 1)))
    assert (await seen(ledger, mine())).cut == {}
    clock.pass_(1)
    await append(ledger, build.evaluated())
    past = await seen(ledger, mine())
    assert len(past.deeds) == MOST_DEEDS
    assert past.cut == {"agent": T0 + timedelta(seconds=1)}


async def test_requests_are_counted_by_whatever_a_tally_names(ledger: AnyLedger):
    for number, labels in enumerate(((("team", "a"),), (("team", ""),), ())):
        asked = build.ask(labels=labels, idempotency_key=f"k-{number}", tool=f"tool-{number % 2}")
        await append(ledger, build.allowed(f"t-{number}", ask=asked))
    await append(ledger, build.evaluated(agent=OTHER, tool="tool-0", trace_id="b" * 32))

    def tally(per: str, value: str, most: int = 9) -> Tally:
        return Tally(tenant=TENANT, per=per, value=value, within_s=60, most=most)

    wanted = {
        tally("agent", AGENT): 3,
        tally("agent", AGENT, 2): 2,
        tally("tenant", ""): 4,
        tally("tool", "tool-0"): 3,
        tally("trace", "b" * 32): 1,
        tally("label:team", "a"): 1,
        tally("label:team", "core"): 1,
        tally("label:team", ""): 2,
    }
    assert (await seen(ledger, tallies=tuple(wanted))).counts == wanted


async def test_two_requests_at_once_do_not_both_slip_under_a_limit(
    ledger: AnyLedger, clock: FixedClock
):
    rule = stop(velocity={"per": "agent", "more_than": 3, "within": "5m"})
    asker = Asker(ledger, clock, policy(rule))
    effects = await asyncio.gather(*(asker.effect() for _ in range(8)))
    assert sorted(effects) == [Effect.ALLOW] * 3 + [Effect.DENY] * 5
    assert await asker.effect(OTHER) is Effect.ALLOW
    clock.pass_(301)
    assert await asker.effect() is Effect.ALLOW


async def test_a_read_of_restricted_data_makes_the_next_write_ask_people(
    ledger: AnyLedger, clock: FixedClock
):
    rule = stop(
        "require_approval",
        actions=["write"],
        after=[{"actions": ["read"], "data_classes": ["Restricted"], "within": "1h"}],
    )
    asker = Asker(ledger, clock, policy(rule))
    write = {"action": ActionKind.WRITE}
    assert await asker.effect(**write) is Effect.ALLOW
    denied = await asker.effect(OTHER, data_classes=("restricted", "confidential"))
    assert denied is Effect.DENY  # nobody is cleared for it
    assert await asker.effect(OTHER, **write) is Effect.ALLOW
    done = await asyncio.gather(
        asker.ask(data_classes=("restricted ",)), asker.ask(**write, trace_id="f" * 32)
    )
    assert [one.effect for one in done] == [Effect.ALLOW, Effect.REQUIRE_APPROVAL]
    read = done[0].ticket
    assert read is not None
    # Taking it back before it was redeemed undoes it.
    await asker.service.handle(
        CancelTicket(ticket_id=read.id, actor="agent:deployer", agent=AGENT, person=None, reason="")
    )
    assert await asker.effect(**write) is Effect.ALLOW


async def test_a_repeat_is_the_same_deed(ledger: AnyLedger, clock: FixedClock):
    rule = stop(velocity={"per": "agent", "more_than": 2, "within": "5m"})
    asker = Asker(ledger, clock, policy(rule))
    first = [await asker.ask(key="same") for _ in range(5)]
    assert [one.is_repeat for one in first] == [False] + [True] * 4
    assert await asker.effect() is Effect.ALLOW
    assert await asker.effect() is Effect.DENY


async def test_asking_without_a_job_counts_as_a_request(ledger: AnyLedger, clock: FixedClock):
    rule = stop(velocity={"per": "agent", "more_than": 2, "within": "5m"})
    asker = Asker(ledger, clock, policy(rule))
    asked = request(tool="", topic="job.x", action=ActionKind.READ, dispatch=Dispatch.RELEASE)
    effects = [(await asker.service.evaluate(asked, agent())).decision.effect for _ in range(3)]
    assert effects == [Effect.ALLOW, Effect.ALLOW, Effect.DENY]
    explained = (await asker.service.explain(asked, agent())).decision
    assert (explained.effect, explained.rule_ids[0]) == (Effect.DENY, "stop")


async def test_a_rate_that_only_the_past_brings_into_play_is_charged(
    ledger: AnyLedger, clock: FixedClock
):
    slow = {
        "id": "slow",
        "match": {"after": [{"within": "1h"}]},
        "decision": "throttle",
        "rate": {"per": "agent", "count": 2, "window_s": 3600},
    }
    asker = Asker(ledger, clock, policy(slow))
    effects = [await asker.effect() for _ in range(4)]
    assert effects == [Effect.ALLOW, Effect.ALLOW, Effect.ALLOW, Effect.THROTTLE]


async def test_what_a_decision_looked_at_is_recorded(ledger: AnyLedger, clock: FixedClock):
    rules = (
        stop(
            after=[{"of": "trace", "within": "2h", "at_least": 9}, {"within": "1h"}],
            velocity={"per": "label:team", "more_than": 7, "within": "5m"},
        ),
    )
    asker = Asker(ledger, clock, policy(*rules))
    for _ in range(2):
        await asker.ask()
    told = [record.payload["considered"] for record in await whole(ledger)]  # type: ignore[index,call-overload]
    assert [entry["deeds"] for entry in told] == [0, 1]
    assert [(entry["agent_s"], entry["trace_s"]) for entry in told] == [(3600, 7200)] * 2
    assert [entry["counts"][0]["found"] for entry in told] == [0, 1]
    assert told[0]["digest"] != told[1]["digest"]
    assert set(told[0]) == set(Considered.__dataclass_fields__)


async def test_a_bundle_that_looks_at_nothing_pays_and_records_nothing(
    ledger: AnyLedger, clock: FixedClock
):
    asker = Asker(ledger, clock, policy())
    await asker.ask()
    (record,) = await whole(ledger)
    assert record.payload["considered"] is None  # type: ignore[index,call-overload]


async def test_without_a_directory_only_what_asks_people_is_not_opened(
    ledger: AnyLedger, clock: FixedClock
):
    rule = stop("require_approval", after=[{"within": "1h"}])
    asker = Asker(ledger, clock, policy(rule))
    asker.directory.is_down = True
    assert await asker.effect() is Effect.ALLOW
    with pytest.raises(Unavailable) as caught:
        await asker.ask()
    assert caught.value.code is Code.IDENTITY_UNAVAILABLE
    asker.directory.is_down = False
    assert await asker.effect() is Effect.REQUIRE_APPROVAL


async def test_the_queue_has_a_size_and_an_age(ledger: AnyLedger, clock: FixedClock):
    assert (await ledger.queue(TENANT)).waiting == 0
    assert (await ledger.queue(TENANT)).oldest_at is None
    await append(ledger, build.opened("t-1"), build.allowed("t-2"))
    clock.pass_(30)
    foreign = build.ask(tenant=build.TenantId("umbrella"), idempotency_key="k-4")
    await append(ledger, build.opened("t-3"), build.opened("t-4", ask=foreign))
    queue = await ledger.queue(TENANT)
    assert (queue.waiting, queue.oldest_at) == (2, T0)
    await append(ledger, build.on("t-1", ev.TicketCancelled, actor="agent:deployer"))
    queue = await ledger.queue(TENANT)
    assert (queue.waiting, queue.oldest_at) == (1, T0 + timedelta(seconds=30))
