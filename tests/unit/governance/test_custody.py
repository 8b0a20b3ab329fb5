"""The commands of keeping, over a ledger in memory."""

import pytest

from governance.custody import Custody
from governance.digests import content_digest
from governance.errors import Code, InvalidInput, Refused
from governance.policy.decision import Effect
from governance.ports import Result
from governance.principal import TenantId
from governance.retention import Retention
from governance.retention_events import HoldScope
from governance.tickets.ticket import TicketId
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.build import AGENT, TENANT, FixedClock
from tests.support.commits import naming

BY, WHY = "operator:root", "asked by its subject"
BODY = b"{}"
DIGEST = content_digest(BODY)


@pytest.fixture
async def ledger() -> MemoryLedger:
    made = MemoryLedger(FixedClock())
    opened = build.opened(
        ask=build.ask(content_digest=DIGEST), ruling=build.ruling(Effect.DENY, requirement=None)
    )
    result = Result(reply=None, events=(opened,), contents={DIGEST: BODY})
    await made.commit(naming("t-1"), lambda _: result)
    return made


@pytest.fixture
def custody(ledger: MemoryLedger) -> Custody:
    return Custody(ledger=ledger, reader=ledger, tenant=TENANT)


async def test_a_ticket_under_a_hold_is_erased_once_it_is_lifted(
    ledger: MemoryLedger, custody: Custody
):
    await custody.hold(HoldScope.TICKET, "t-1", hold_id="h", actor=BY, reason="case")
    await custody.hold(HoldScope.AGENT, AGENT, hold_id="i", actor=BY, reason="case")
    for name in ("h", "i"):
        with pytest.raises(Refused) as caught:
            await custody.erase_ticket(TicketId("t-1"), actor=BY, reason=WHY)
        assert caught.value.code is Code.HELD
        await custody.lift(name, actor=BY, reason="closed")
    done = await custody.erase_ticket(TicketId("t-1"), actor=BY, reason=WHY)
    assert (done.erased, await ledger.content(DIGEST)) == ((DIGEST,), None)
    types = [item.type for item in await ledger.records(0, 9)]
    assert types == [
        "TicketOpened",
        *("HoldPlaced", "HoldPlaced", "HoldLifted", "HoldLifted"),
        "ContentErased",
    ]


async def test_a_ticket_of_another_tenant_is_not_found(ledger: MemoryLedger):
    other = Custody(ledger=ledger, reader=ledger, tenant=TenantId("another"))
    with pytest.raises(Refused) as caught:
        await other.erase_ticket(TicketId("t-1"), actor=BY, reason=WHY)
    assert caught.value.code is Code.NOT_FOUND
    await other.hold(HoldScope.ALL, "", hold_id="h", actor=BY, reason="case")
    mine = Custody(ledger=ledger, reader=ledger, tenant=TENANT)
    assert ([h.id for h in await other.holds()], await mine.holds()) == (["h"], [])


@pytest.mark.parametrize("digest", ["", "x", DIGEST.upper(), DIGEST + "0"])
async def test_only_a_digest_names_a_content(custody: Custody, digest: str):
    with pytest.raises(InvalidInput) as caught:
        await custody.erase(digest, actor=BY, reason=WHY)
    assert caught.value.pointer == "/digest"


async def test_what_is_too_young_stays(ledger: MemoryLedger, custody: Custody):
    done = await custody.expire((DIGEST,), actor="system:placet", retention=Retention(days=1))
    assert done.kept == ((DIGEST, "too_young"),)
    assert (await custody.erase(DIGEST, actor=BY, reason=WHY)).erased == (DIGEST,)


async def test_an_accepted_rollback_names_both_ends(ledger: MemoryLedger, custody: Custody):
    await custody.accept_rollback(actor=BY, here=(1, "a" * 64), published=(9, "f" * 64))
    payload = (await ledger.records(1, 1))[0].payload
    assert payload == {
        "tenant": TENANT,
        "actor": BY,
        "size": 1,
        "head": "a" * 64,
        "published_size": 9,
        "published_head": "f" * 64,
    }
