"""What may leave the log is what was sealed, in order, after its time, and needed by nobody."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from governance import detaching
from governance.administration import Administration
from governance.control import Control, KeyEnd, evolve
from governance.errors import Code, PlacetError, Refused
from governance.ports import State
from governance.principal import TenantId
from governance.segments import (
    Detached,
    Needs,
    SegmentSealed,
    detach_message,
    detached_by,
    file_of,
)
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.build import T0, TENANT, FixedClock, detached, sealed
from tests.support.sealing import WorldSigner

KEY = replace(build.public_key("key:checkpoint"), purpose="checkpoint")
OVER = T0 + timedelta(days=365)
SECOND = {
    "first": 4,
    "last": 6,
    "file": "log-000000000004-000000000006.jsonl",
    "head": "9" * 64,
    "seal": 8,
}


def second(seal: SegmentSealed) -> SegmentSealed:
    return replace(seal, first=4, last=6, previous="c" * 64, head="9" * 64)


def state(needs: Needs | None = None, control: Control | None = None) -> State:
    both = {5: sealed(), 8: second(sealed())}
    return State(
        at=OVER,
        control=control or Control(keys={KEY.id: KEY}),
        needs=needs or Needs(seals=both),
    )


def test_a_segment_that_was_sealed_and_kept_for_long_enough_leaves():
    result = detaching.detach(state(), [detached()])
    assert (result.reply, result.events) == (None, (detached(),))


def test_several_leave_together_in_order():
    two = [detached(), detached(**SECOND)]
    assert detaching.detach(state(), two).events == tuple(two)
    for wrong in ([two[1]], [two[1], two[0]], [two[0], two[0]]):
        with pytest.raises(Refused, match="does not follow"):
            detaching.detach(state(), wrong)


def test_the_next_one_follows_what_left_before():
    gone = Control(keys={KEY.id: KEY}, detached=Detached(last=3, head="c" * 64, state="f" * 64))
    event = detached(**SECOND)
    assert detaching.detach(state(control=gone), [event]).events == (event,)
    with pytest.raises(Refused, match="does not follow 3"):
        detaching.detach(state(control=gone), [detached()])


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": TenantId("other")},
        {"origin": "other"},
        {"seal": 6},
        {"last": 4},
        {"head": "1" * 64},
        {"events": 4},
        {"file": "log-000000000001-000000000004.jsonl"},
        {"file_digest": "1" * 64},
        {"state_digest": "1" * 64},
    ],
)
def test_what_its_seal_does_not_say_does_not_leave(changes: dict[str, object]):
    with pytest.raises(Refused, match="not what event") as refused:
        detaching.detach(state(), [detached(**changes)])
    assert refused.value.code is Code.WRONG_STATE


def test_before_its_time_is_over_nothing_leaves():
    early = replace(state(), at=OVER - timedelta(microseconds=1))
    with pytest.raises(Refused, match="to be kept until 2027-03-01") as refused:
        detaching.detach(early, [detached()])
    assert refused.value.code is Code.WRONG_STATE


@pytest.mark.parametrize(
    ("needs", "code"),
    [
        ({"tickets": ("t-1", "t-2")}, Code.WRONG_STATE),
        ({"keys": ("t-1",)}, Code.WRONG_STATE),
        ({"holds": ("h-1",)}, Code.HELD),
    ],
)
def test_what_something_needs_stays_and_what_needs_it_is_named(
    needs: dict[str, tuple[str, ...]], code: Code
):
    (named,) = needs.values()
    for act in (detaching.detach, detaching.look):
        with pytest.raises(Refused, match=", ".join(named)) as refused:
            act(state(Needs(seals={5: sealed()}, **needs)), [detached()])
        assert refused.value.code is code


def test_a_key_that_has_ended_detaches_nothing():
    ended = Control(keys={KEY.id: KEY}, ended={KEY.id: KeyEnd(at=T0, reason="stolen")})
    result = detaching.detach(state(control=ended), [detached()])
    assert (isinstance(result.reply, PlacetError), result.events) == (True, ())


def test_a_look_records_nothing_and_asks_for_no_key():
    result = detaching.look(state(control=Control()), [detached(key_id="")])
    assert (result.reply, result.events) == (None, ())


def test_what_is_signed_is_canonical_and_all_but_the_actor():
    domain, _, text = detach_message(detached()).partition(b"\0")
    assert domain == b"placet/v1/detach"
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()
    assert json.loads(text) == {
        "tenant": TENANT,
        "origin": "placet.local/log",
        "seal": 5,
        "first": 1,
        "last": 3,
        "head": "c" * 64,
        "events": 3,
        "name": file_of(1, 3),
        "file": "e" * 64,
        "state": "f" * 64,
    }
    assert detach_message(detached(actor="another")) == detach_message(detached())


def test_the_newest_detached_segment_is_in_the_governing_state():
    assert Control().detached_upto == 0
    one = evolve(Control(sealed=None), detached(), T0)
    assert (
        one.detached == detached_by(detached()) == Detached(last=3, head="c" * 64, state="f" * 64)
    )
    two = evolve(one, detached(**SECOND), T0)
    assert (two.detached_upto, two.keys) == (6, one.keys)


async def test_each_departure_is_signed_before_any_is_told_and_memory_lets_nothing_go():
    """A ledger in memory has no files that could stand for its records."""
    ledger = MemoryLedger(FixedClock(OVER))
    office = Administration(
        ledger=ledger, reader=ledger, clock=FixedClock(), signer=WorldSigner(), tenant=TENANT
    )
    await office.register_keys(WorldSigner().public_keys())
    before = await ledger.head()
    for act in (office.look_at({5: sealed()}), office.detach({5: sealed()}, actor="a")):
        with pytest.raises(Refused):
            await act
    assert await ledger.head() == before


def test_without_any_seal_nothing_leaves():
    with pytest.raises(Refused, match="not what event 5 sealed"):
        detaching.detach(state(Needs()), [detached()])
