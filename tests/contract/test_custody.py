"""Holds and erasures on every ledger: judged inside the transaction, and in the batch so far."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from governance import control as ctl
from governance.custody import Custody
from governance.digests import content_digest
from governance.errors import Code, InvalidInput, PlacetError, Refused
from governance.policy.decision import Effect
from governance.ports import Keys, Result, State
from governance.retention import Retention
from governance.retention_events import HoldScope
from governance.tickets.ticket import TicketId, TicketState
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import AGENT, T0, TENANT, FixedClock
from tests.support.commits import append, naming

BY = "operator:root"
WHY = "asked by its subject"
BODY = b'{"arguments": {"iban": "DE00"}}'
DIGEST = content_digest(BODY)


@pytest.fixture
def custody(ledger: AnyLedger) -> Custody:
    return Custody(ledger=ledger, reader=ledger, tenant=TENANT)


async def ask(ledger: AnyLedger, name: str, *, denied: bool = True, body: bytes = BODY) -> None:
    """A ticket whose arguments are ``body``, over at once unless it is not ``denied``."""
    mine = build.ask(idempotency_key=name, content_digest=content_digest(body))
    opened = build.opened(name, ask=mine)
    if denied:
        opened = replace(opened, state=TicketState.DENIED, ruling=build.ruling(Effect.DENY))
    result = Result(reply=None, events=(opened,), contents={content_digest(body): body})
    await ledger.commit(naming(name), lambda _: result)


async def code_of(wish: object) -> Code:
    with pytest.raises(PlacetError) as caught:
        await wish  # type: ignore[misc]
    return caught.value.code


async def test_erased_contents_are_gone_with_their_moment_and_the_log_says_who_and_why(
    ledger: AnyLedger, custody: Custody, clock: FixedClock
):
    await ask(ledger, "t-1")
    clock.at = T0 + timedelta(seconds=9)
    assert await ledger.erased_at(DIGEST) is None
    done = await custody.erase(DIGEST, actor=BY, reason=WHY)
    assert done.erased == (DIGEST,)
    assert await ledger.content(DIGEST) is None
    assert await ledger.erased_at(DIGEST) == clock.at
    last = (await ledger.records(0, 100))[-1]
    assert (last.type, last.header.actor) == ("ContentErased", BY)
    assert isinstance(last.payload, dict)
    assert (last.payload["digest"], last.payload["reason"]) == (DIGEST, WHY)
    assert b"DE00" not in last.encoded
    again = await custody.erase(DIGEST, actor=BY, reason=WHY)
    assert (again.erased, again.gone_before) == ((), (DIGEST,))


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (HoldScope.AGENT, AGENT),
        (HoldScope.TICKET, "t-1"),
        (HoldScope.TRACE, build.ask().trace_id),
        (HoldScope.ALL, ""),
    ],
)
async def test_a_hold_keeps_what_it_covers_until_it_is_lifted(
    ledger: AnyLedger, custody: Custody, scope: HoldScope, target: str
):
    await ask(ledger, "t-1")
    made = await custody.hold(scope, target, hold_id="hold-1", actor=BY, reason="case 4711")
    assert await custody.holds() == [made]
    assert await code_of(custody.erase(DIGEST, actor=BY, reason=WHY)) is Code.HELD
    wish = custody.erase_ticket(TicketId("t-1"), actor=BY, reason=WHY)
    assert await code_of(wish) is Code.HELD
    assert await ledger.content(DIGEST) == BODY
    await custody.lift("hold-1", actor=BY, reason="closed")
    assert await custody.holds() == []
    done = await custody.erase_ticket(TicketId("t-1"), actor=BY, reason=WHY)
    assert done.erased == (DIGEST,)


async def test_a_hold_on_one_ticket_keeps_a_content_that_another_shares(
    ledger: AnyLedger, custody: Custody
):
    await ask(ledger, "t-1")
    await ask(ledger, "t-2")
    await custody.hold(HoldScope.TICKET, "t-2", hold_id="h", actor=BY, reason="case")
    wish = custody.erase_ticket(TicketId("t-1"), actor=BY, reason=WHY)
    assert await code_of(wish) is Code.HELD


async def test_a_hold_and_an_erasure_at_once_never_both_hold(ledger: AnyLedger, custody: Custody):
    await ask(ledger, "t-1")
    hold, gone = await asyncio.gather(
        custody.hold(HoldScope.ALL, "", hold_id="h", actor=BY, reason="case"),
        custody.erase(DIGEST, actor=BY, reason=WHY),
        return_exceptions=True,
    )
    assert not isinstance(hold, BaseException)
    assert isinstance(gone, Refused)
    assert gone.code is Code.HELD
    assert await ledger.content(DIGEST) == BODY


async def test_a_request_in_the_same_batch_keeps_its_content(ledger: AnyLedger, custody: Custody):
    await ask(ledger, "t-1")
    _, gone = await asyncio.gather(
        ask(ledger, "t-2", denied=False),
        custody.erase(DIGEST, actor=BY, reason=WHY),
        return_exceptions=True,
    )
    assert isinstance(gone, Refused)
    assert gone.code is Code.WRONG_STATE
    assert await ledger.content(DIGEST) == BODY


async def test_a_content_that_comes_again_after_its_erasure_is_there_again(
    ledger: AnyLedger, custody: Custody
):
    await ask(ledger, "t-1")
    await asyncio.gather(custody.erase(DIGEST, actor=BY, reason=WHY), ask(ledger, "t-2"))
    assert await ledger.content(DIGEST) == BODY
    assert await ledger.erased_at(DIGEST) is None
    done = await custody.erase(DIGEST, actor=BY, reason=WHY)
    assert done.erased == (DIGEST,)
    assert await ledger.content(DIGEST) is None


async def test_the_arguments_of_an_open_ticket_and_the_policy_stay(
    ledger: AnyLedger, custody: Custody
):
    await ask(ledger, "t-1", denied=False)
    assert await code_of(custody.erase(DIGEST, actor=BY, reason=WHY)) is Code.WRONG_STATE
    policy = b"{}"
    event = ctl.BundleActivated(
        tenant=TENANT,
        actor=BY,
        snapshot="5" * 64,
        content_digest=content_digest(policy),
        registry_digest="b" * 64,
    )
    result = Result(reply=None, events=(event,), contents={content_digest(policy): policy})
    await ledger.commit(Keys(), lambda _: result)
    wish = custody.erase(content_digest(policy), actor=BY, reason=WHY)
    assert await code_of(wish) is Code.WRONG_STATE


async def test_what_is_unknown_or_no_digest_is_refused(custody: Custody):
    assert await code_of(custody.erase("0" * 64, actor=BY, reason=WHY)) is Code.NOT_FOUND
    wish = custody.erase_ticket(TicketId("t-9"), actor=BY, reason=WHY)
    assert await code_of(wish) is Code.NOT_FOUND
    with pytest.raises(InvalidInput):
        await custody.erase("no digest", actor=BY, reason=WHY)
    wish = custody.hold(HoldScope.TICKET, "t-9", hold_id="h", actor=BY, reason="case")  # type: ignore[assignment]
    assert await code_of(wish) is Code.NOT_FOUND


async def test_retention_takes_only_what_was_kept_for_long_enough(
    ledger: AnyLedger, custody: Custody, clock: FixedClock
):
    await ask(ledger, "t-1")
    clock.at = T0 + timedelta(days=200)
    await ask(ledger, "t-2", body=b"{}")
    clock.at = T0 + timedelta(days=365)
    found = await ledger.contents_after(0, 10)
    assert [(item.seq, item.digest, item.is_gone) for item in found] == [
        (1, DIGEST, False),
        (2, content_digest(b"{}"), False),
    ]
    digests = [item.digest for item in found]
    done = await custody.expire(digests, actor="system:placet", retention=Retention(days=365))
    assert (done.erased, [why for _, why in done.kept]) == ((DIGEST,), ["too_young"])
    assert [item.is_gone for item in await ledger.contents_after(0, 10)] == [True, False]


async def test_the_classes_of_a_content_are_those_of_its_tickets_birth(
    ledger: AnyLedger, custody: Custody
):
    mine = build.ask(content_digest=DIGEST)
    opened = build.opened("t-1", ask=mine, data_classes=("financial", "internal"))
    result = Result(reply=None, events=(opened,), contents={DIGEST: BODY})
    await ledger.commit(naming("t-1"), lambda _: result)
    (found,) = await ledger.contents_after(0, 10)
    assert found.data_classes == ("financial", "internal")

    def look(state: State) -> Result[object]:
        return Result(reply=state.contents[DIGEST].uses[0].data_classes)

    seen = await ledger.commit(Keys(contents=(DIGEST,)), look)
    assert seen.reply == ("financial", "internal")


async def test_an_accepted_rollback_is_on_record(ledger: AnyLedger, custody: Custody):
    await append(ledger, build.opened("t-1"))
    size, head = await ledger.head()
    await custody.accept_rollback(actor=BY, here=(size, head), published=(9, "f" * 64))
    last = (await ledger.records(size, 1))[0]
    assert isinstance(last.payload, dict)
    assert (last.type, last.payload["published_size"]) == ("RollbackAccepted", 9)
