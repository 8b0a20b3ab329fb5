"""Seals: each continues the one before it, by a key that is active, over all that it says."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from governance import control_steps
from governance.administration import Administration
from governance.audit import GENESIS
from governance.control import Control, KeyEnd, evolve
from governance.errors import Code, PlacetError, Refused
from governance.ports import State
from governance.principal import TenantId
from governance.segments import Sealed, Segment, follows, seal_message, sealed_by
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.build import T0, TENANT, FixedClock, sealed
from tests.support.commits import whole
from tests.support.sealing import WorldSigner

SEGMENT = Segment(
    first=1,
    last=3,
    previous=GENESIS,
    head="c" * 64,
    root="d" * 64,
    file_digest="e" * 64,
    state_digest="f" * 64,
    keep_until=T0,
)
KEY = build.public_key("key:checkpoint")
KEY = replace(KEY, purpose="checkpoint")


def control(after: Sealed | None = None) -> Control:
    return Control(keys={KEY.id: KEY}, sealed=after)


def test_a_segment_counts_its_records():
    assert SEGMENT.events == 3
    assert replace(SEGMENT, first=3).events == 1


def test_what_is_signed_is_canonical_and_domain_separated():
    domain, _, text = seal_message(tenant=TENANT, origin="log", segment=SEGMENT).partition(b"\0")
    assert domain == b"placet/v1/segment"
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()
    assert json.loads(text) == {
        "tenant": TENANT,
        "origin": "log",
        "first": 1,
        "last": 3,
        "previous": GENESIS,
        "head": "c" * 64,
        "root": "d" * 64,
        "events": 3,
        "file": "e" * 64,
        "state": "f" * 64,
        "keep_until": "2026-03-01T09:00:00.000000Z",
    }
    assert datetime(2026, 3, 1, 9, tzinfo=UTC) == T0


@pytest.mark.parametrize(
    "changes",
    [
        {"first": 2},
        {"last": 4},
        {"previous": "1" * 64},
        {"head": "1" * 64},
        {"root": "1" * 64},
        {"file_digest": "1" * 64},
        {"state_digest": "1" * 64},
        {"keep_until": T0 + timedelta(microseconds=1)},
    ],
)
def test_no_field_of_a_segment_may_change_under_its_signature(changes: dict[str, object]):
    before = seal_message(tenant=TENANT, origin="log", segment=SEGMENT)
    assert seal_message(tenant=TENANT, origin="log", segment=replace(SEGMENT, **changes)) != before
    assert seal_message(tenant=TenantId("other"), origin="log", segment=SEGMENT) != before
    assert seal_message(tenant=TENANT, origin="other", segment=SEGMENT) != before


AFTER = Sealed(last=3, head="c" * 64, state="f" * 64)


@pytest.mark.parametrize(
    ("before", "changes", "is_next"),
    [
        (None, {}, True),
        (None, {"first": 2, "events": 2}, False),
        (None, {"previous": "1" * 64}, False),
        (None, {"events": 2}, False),
        (None, {"last": 0, "events": 0}, False),
        (AFTER, {"first": 4, "last": 6, "previous": "c" * 64}, True),
        (AFTER, {"first": 4, "last": 6, "previous": GENESIS}, False),
        (AFTER, {"first": 3, "last": 5, "previous": "c" * 64}, False),
        (AFTER, {"first": 5, "last": 7, "previous": "c" * 64}, False),
        (AFTER, {}, False),
    ],
)
def test_a_segment_follows_the_one_before_it_without_a_gap(
    before: Sealed | None, changes: dict[str, object], is_next: bool
):
    event = sealed(**changes)
    assert follows(before, event, genesis=GENESIS) is is_next
    state = State(at=T0, control=control(before))
    if is_next:
        assert control_steps.seal(state, event).events == (event,)
        return
    with pytest.raises(Refused) as refused:
        control_steps.seal(state, event)
    assert refused.value.code is Code.WRONG_STATE
    assert f"the seal of {before.last if before else 0}" in refused.value.message


def test_a_key_that_has_ended_seals_nothing():
    ended = replace(control(), ended={KEY.id: KeyEnd(at=T0, reason="stolen")})
    result = control_steps.seal(State(at=T0, control=ended), sealed())
    assert (isinstance(result.reply, PlacetError), result.events) == (True, ())


def test_the_newest_seal_is_in_the_governing_state():
    one = evolve(control(), sealed(), T0)
    assert one.sealed == sealed_by(sealed()) == AFTER
    two = evolve(one, sealed(first=4, last=6, head="9" * 64), T0)
    assert two.sealed is not None
    assert (two.sealed.last, two.sealed.head, two.keys) == (6, "9" * 64, one.keys)


async def test_a_seal_is_signed_by_the_checkpoint_key_before_it_is_in_the_log():
    ledger, signer = MemoryLedger(FixedClock()), WorldSigner()
    office = Administration(
        ledger=ledger, reader=ledger, clock=FixedClock(), signer=signer, tenant=TENANT
    )
    await office.register_keys(signer.public_keys())
    made = await office.seal(SEGMENT, actor="operator:root", origin="log")
    (_, record) = await whole(ledger)
    assert (record.type, record.header.actor) == ("SegmentSealed", "operator:root")
    assert (made.key_id, made.events, made.origin) == ("key:checkpoint", 3, "log")
    assert (await ledger.control()).sealed == AFTER
    with pytest.raises(Refused):
        await office.seal(SEGMENT, actor="operator:root", origin="log")
