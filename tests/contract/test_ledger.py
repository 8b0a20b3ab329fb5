"""The laws of every ledger: order, links, failure of one, memory of keys, time."""

import asyncio
from datetime import timedelta

import pytest

from governance import control as ctl
from governance.audit import GENESIS, Record, encode, hash_of
from governance.digests import content_digest
from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.outbox import OwedKind
from governance.policy.throttle import Bucket
from governance.ports import Committed, Keys, Remembered, Result, State
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.lifecycle import evolve
from governance.tickets.ticket import Ticket, TicketState
from storage import codec
from storage.tree import merkle
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import ANNA, BEN, T0, FixedClock
from tests.support.commits import append, appending, erase, naming, whole


async def test_an_empty_log_ends_at_genesis(ledger: AnyLedger):
    assert await ledger.head() == (0, GENESIS)
    assert await ledger.tree_head() == (0, merkle.root_of([]), GENESIS)


async def test_records_are_numbered_and_linked_in_commit_order(ledger: AnyLedger):
    done = await asyncio.gather(
        *(append(ledger, build.allowed(f"t-{n}"), build.evaluated()) for n in range(40))
    )
    records = await whole(ledger)
    assert [record.seq for record in records] == list(range(1, 81))
    assert [seqs for one in done for seqs in one.seqs] == list(range(1, 81))
    previous = GENESIS
    for record in records:
        rebuilt = Record(
            seq=record.seq,
            previous=previous,
            type=record.type,
            version=record.version,
            at=record.at,
            header=record.header,
            payload=record.payload,
        )
        assert encode(rebuilt) == record.encoded
        assert hash_of(record.encoded) == record.hash
        previous = record.hash
    assert await ledger.head() == (80, previous)


async def test_the_tree_head_is_the_root_over_the_stored_bytes(ledger: AnyLedger):
    for number in range(1, 12):
        await append(ledger, build.evaluated())
        size, root, head = await ledger.tree_head()
        leaves = [record.encoded for record in await whole(ledger)]
        assert (size, root) == (number, merkle.root_of(leaves))
        assert head == (await ledger.head())[1]


async def test_a_step_sees_what_the_batch_did_before_it(ledger: AnyLedger):
    def seen_or_open(state: State) -> Result[int]:
        key = (build.TENANT, build.AGENT, "key-t-1")
        if key in state.idempotency:
            return Result(reply=len(state.tickets))
        return Result(reply=0, events=(build.opened("t-1"),))

    keys = Keys(
        tickets=naming("t-1").tickets,
        idempotency=((build.TENANT, build.AGENT, "key-t-1"),),
    )
    replies = await asyncio.gather(*(ledger.commit(keys, seen_or_open) for _ in range(20)))
    assert sorted(one.reply for one in replies) == [0] + [1] * 19
    assert len(await whole(ledger)) == 1


async def test_a_step_sees_only_what_its_keys_name(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.opened("t-2"))
    found = await ledger.commit(
        naming("t-2", "t-none"), lambda state: Result(reply=list(state.tickets))
    )
    assert found.reply == ["t-2"]


async def test_pending_counts_the_tickets_that_wait(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.opened("t-2"), build.allowed("t-3"))
    await append(ledger, build.on("t-2", ev.TicketCancelled, actor="agent:deployer"))
    found = await ledger.commit(Keys(), lambda state: Result(reply=state.pending))
    assert found.reply == 1


async def test_a_failing_step_fails_alone_and_leaves_nothing(ledger: AnyLedger):
    def refuse(_: State) -> Result[str]:
        raise Refused(Code.FORBIDDEN, "not you")

    def break_(_: State) -> Result[str]:
        raise ZeroDivisionError

    half = (build.opened("t-half"), build.on("t-none", ev.TicketExpired))
    results = await asyncio.gather(
        append(ledger, build.opened("t-1")),
        ledger.commit(Keys(), refuse),
        append(ledger, build.opened("t-2")),
        ledger.commit(Keys(), break_),
        append(ledger, *half),
        append(ledger, build.opened("t-3")),
        return_exceptions=True,
    )
    codes = [getattr(one, "code", None) for one in results]
    unavailable = Code.LEDGER_UNAVAILABLE
    assert codes == [None, Code.FORBIDDEN, None, unavailable, unavailable, None]
    assert [record.header.ticket_id for record in await whole(ledger)] == ["t-1", "t-2", "t-3"]
    assert await ledger.ticket(build.opened("t-half").ticket_id) is None


async def test_a_ticket_is_not_born_again_under_its_id(ledger: AnyLedger):
    """Nobody looks for it before: within a batch it is seen, beyond it the database refuses."""
    await append(ledger, build.opened("t-1"))
    other, third = (build.ask(idempotency_key=name) for name in ("other", "third"))
    results = await asyncio.gather(
        append(ledger, build.opened("t-2")),
        append(ledger, build.opened("t-1", ask=other)),
        append(ledger, build.opened("t-2", ask=third)),
        append(ledger, build.opened("t-3")),
        return_exceptions=True,
    )
    codes = [getattr(one, "code", None) for one in results]
    assert codes == [None, Code.LEDGER_UNAVAILABLE, Code.LEDGER_UNAVAILABLE, None]
    assert [record.header.ticket_id for record in await whole(ledger)] == ["t-1", "t-2", "t-3"]
    assert (await ledger.queue(build.TENANT)).waiting == 3


async def test_an_error_as_reply_is_raised_after_its_events_are_durable(ledger: AnyLedger):
    def expired(_: State) -> Result[str]:
        events = (build.opened("t-1"),)
        return Result(reply=Refused(Code.EXPIRED, "too late"), events=events)

    with pytest.raises(Refused) as caught:
        await ledger.commit(Keys(), expired)
    assert caught.value.code is Code.EXPIRED
    assert len(await whole(ledger)) == 1


async def test_steps_that_are_committed_together_stand_and_fall_each_by_itself(ledger: AnyLedger):
    refused = Refused(Code.NOT_FOUND, "no such thing")

    def broken(_: State) -> Result[str]:
        raise ValueError("a bug")

    def replying(_: State) -> Result[str]:
        return Result(reply=refused, events=(build.evaluated(),))

    steps = (
        appending(build.opened("t-1"), reply="one"),
        broken,
        replying,
        appending(build.opened("t-2"), build.evaluated(), reply="two"),
    )
    one, bug, reply, two = await ledger.commit_all([(Keys(), step) for step in steps])
    assert one == Committed(reply="one", seqs=(1,))
    assert isinstance(bug, Unavailable)
    assert bug.code is Code.LEDGER_UNAVAILABLE
    assert reply is refused
    assert two == Committed(reply="two", seqs=(3, 4))
    assert len(await whole(ledger)) == 4


async def test_each_of_steps_together_sees_what_its_keys_name_and_those_before_it_did(
    ledger: AnyLedger,
):
    def states(state: State) -> Result[list[TicketState]]:
        return Result(reply=[ticket.state for ticket in state.tickets.values()])

    def expiring(_: State) -> Result[list[TicketState]]:
        return Result(reply=[], events=(build.on("t-1", ev.TicketExpired),))

    await append(ledger, build.opened("t-1"), build.opened("t-2"))
    found = await ledger.commit_all(
        [(naming("t-1"), states), (naming("t-1"), expiring), (naming("t-1", "t-2"), states)]
    )
    assert [one.reply for one in found if isinstance(one, Committed)] == [
        [TicketState.PENDING],
        [],
        [TicketState.EXPIRED, TicketState.PENDING],
    ]


async def test_nothing_together_is_nothing(ledger: AnyLedger):
    assert list(await ledger.commit_all([])) == []
    assert await ledger.head() == (0, GENESIS)


async def test_an_idempotency_key_is_used_once_per_tenant_and_agent(ledger: AnyLedger):
    same = build.ask(idempotency_key="once")
    other = build.ask(idempotency_key="once", agent=build.AgentId("other"))
    await append(ledger, build.opened("t-1", ask=same))
    with pytest.raises(Unavailable):
        await append(ledger, build.opened("t-2", ask=same))
    await append(ledger, build.opened("t-3", ask=other))
    key = (build.TENANT, build.AGENT, "once")
    found = await ledger.commit(
        Keys(idempotency=(key,)), lambda state: Result(reply=state.idempotency[key])
    )
    assert found.reply == Remembered(request_digest="1" * 64, ticket_id=build.TicketId("t-1"))


async def test_a_ticket_is_born_once(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"))
    with pytest.raises(Unavailable):
        await append(ledger, build.opened("t-1", ask=build.ask(idempotency_key="other")))


async def test_event_time_never_goes_back(ledger: AnyLedger, clock: FixedClock):
    await append(ledger, build.evaluated())
    clock.pass_(-3600)
    seen = await ledger.commit(
        Keys(), lambda state: Result(reply=state.at, events=(build.evaluated(),))
    )
    assert seen.reply == T0
    assert [record.at for record in await whole(ledger)] == [T0, T0]
    clock.pass_(7200)
    later = await ledger.commit(Keys(), lambda state: Result(reply=state.at))
    assert later.reply == T0 + timedelta(hours=1)


async def test_buckets_are_what_the_last_counters_said(ledger: AnyLedger):
    await append(ledger, build.allowed("t-1", counters=(("agent:deployer", 3_000, T0),)))
    since = T0 + timedelta(seconds=2, microseconds=7)
    throttled = ev.SubmissionThrottled(
        ask=build.ask(),
        ruling=build.ruling(build.Effect.THROTTLE),
        retry_after_s=1,
        counters=(("agent:deployer", 12, since),),
    )
    await append(ledger, throttled)
    keys = Keys(buckets=("agent:deployer", "unused"))
    found = await ledger.commit(keys, lambda state: Result(reply=dict(state.buckets)))
    assert found.reply == {"agent:deployer": Bucket(tokens_milli=12, updated_at=since)}


async def test_control_and_credentials_follow_their_events(ledger: AnyLedger, clock: FixedClock):
    samples = build.samples()
    for name in ("BundleActivated", "AgentFrozen", "UnfreezeAsked", "KeyRegistered"):
        await append(ledger, samples[name][0])
    await append(ledger, samples["CredentialIssued"][0])
    clock.pass_(5)
    await append(ledger, samples["CredentialRevoked"][0])
    control = await ledger.control()
    assert control.snapshot == "5" * 64
    assert control.frozen[build.AGENT].unfreeze_asked_by == ANNA
    assert set(control.keys) == {"key:operator"}
    found = await ledger.commit(Keys(), lambda state: Result(reply=state.control))
    assert found.reply == control
    revoked = await ledger.credential("cred-1")
    assert revoked == build.credential(revoked_at=T0 + timedelta(seconds=5))
    assert await ledger.credentials() == [revoked]
    assert await ledger.credential("none") is None


async def test_contents_lie_under_their_digest_until_erased(ledger: AnyLedger):
    body = b'{"arguments": {}}'
    digest = content_digest(body)
    for _ in range(2):
        await ledger.commit(Keys(), lambda _: Result(reply=None, contents={digest: body}))
        assert await ledger.content(digest) == body
        await erase(ledger, digest)
        assert await ledger.content(digest) is None
    with pytest.raises(Unavailable):
        await ledger.commit(Keys(), lambda _: Result(reply=None, contents={"0" * 64: body}))


async def test_votes_are_counted_withdrawn_and_cast_anew(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"))
    steps = [
        build.cast(),
        build.on("t-1", ev.VoteWithdrawn, person=ANNA),
        build.cast(nonce="8" * 32),
        build.cast(choice=build.Choice.REJECT, nonce="9" * 32),
        build.cast(person=BEN, role="security-admin", weight=3),
    ]
    await asyncio.gather(*(append(ledger, one) for one in steps))
    ticket = await ledger.ticket(build.opened("t-1").ticket_id)
    assert ticket is not None
    assert [(v.person, v.choice.value) for v in ticket.votes] == [
        (ANNA, "reject"),
        (BEN, "approve"),
    ]


async def test_every_projection_equals_the_replay_of_its_records(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.opened("t-2"), build.allowed("t-3"))
    await append(ledger, build.cast(), build.cast(person=BEN, role="security-admin", weight=3))
    await append(ledger, build.on("t-1", ev.TicketApproved, weight=4, threshold=4))
    await append(ledger, build.on("t-1", run_ev.ExecutionCleared, people=(ANNA, BEN)))
    await append(ledger, build.started())
    failed = build.report(build.RunStatus.FAILED)
    await append(
        ledger,
        build.on("t-1", run_ev.ExecutionFailed, run_id="run-1", report=failed),
        build.revised(ask=build.opened("t-1").ask),
    )
    replayed: dict[str, Ticket] = {}
    for record in await whole(ledger):
        event = codec.event(record.type, record.version, record.payload)
        assert isinstance(event, ev.TicketEvent)
        replayed[event.ticket_id] = evolve(replayed.get(event.ticket_id), event, record.at)
    for ticket_id, ticket in replayed.items():
        assert await ledger.ticket(ticket.id) == ticket, ticket_id
    assert replayed["t-1"].revision == 2
    assert replayed["t-1"].state is TicketState.PENDING


async def test_a_refused_event_owes_nothing(ledger: AnyLedger):
    with pytest.raises(PlacetError):
        await append(ledger, build.opened("t-1"), build.on("t-9", ev.TicketExpired))
    assert not await ledger.claim(list(OwedKind), at=T0, lease_s=5, limit=9)


async def test_a_freeze_owes_every_card_once(ledger: AnyLedger):
    frozen = ctl.AgentFrozen(tenant=build.TENANT, target="all", person=ANNA)
    await asyncio.gather(append(ledger, frozen), append(ledger, frozen))
    claimed = await ledger.claim([OwedKind.ALL_CARDS], at=T0, lease_s=5, limit=9)
    assert [one.owed.key for one in claimed] == [build.TENANT]


async def test_what_cannot_be_encoded_fails_its_own_item(ledger: AnyLedger):
    bad = build.evaluated(target="\ud800")
    results = await asyncio.gather(
        append(ledger, build.evaluated()),
        append(ledger, bad),
        append(ledger, build.evaluated()),
        return_exceptions=True,
    )
    assert [isinstance(one, Unavailable) for one in results] == [False, True, False]


async def test_a_step_may_commit_nothing(ledger: AnyLedger):
    done = await ledger.commit(Keys(), appending(reply="nothing"))
    assert (done.reply, done.seqs) == ("nothing", ())
    assert await ledger.head() == (0, GENESIS)
