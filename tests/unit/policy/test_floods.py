"""One window of refusals."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from governance.policy.decision import Effect
from governance.policy.floods import Flood, Noted, begun, flood_key, note
from governance.principal import AgentId, TenantId
from tests.unit.policy.asking import AT


def fresh(seconds: float = 0) -> Flood:
    return begun(
        tenant=TenantId("acme"),
        agent=AgentId("deployer"),
        effect=Effect.DENY,
        rule_id="never",
        at=AT + timedelta(seconds=seconds),
        window_s=60,
    )


def noted(flood: Flood | None, seconds: float, in_full: int = 2) -> Noted:
    return note(flood, fresh(seconds), AT + timedelta(seconds=seconds), in_full=in_full)


def test_the_first_are_recorded_and_the_others_counted_from_first_to_last():
    flood, counted = None, []
    for seconds in range(5):
        one = noted(flood, seconds)
        flood = one.flood
        counted.append(one.is_counted)
        assert one.ended is None
    assert counted == [False, False, True, True, True]
    assert flood is not None
    assert (flood.recorded, flood.count) == (2, 3)
    assert flood.first_at == AT + timedelta(seconds=2)
    assert flood.last_at == AT + timedelta(seconds=4)
    assert flood.ends_at == AT + timedelta(seconds=60)


def test_a_window_ends_at_its_end_and_is_handed_over_whole():
    full = replace(fresh(), recorded=2, count=7)
    still = noted(full, 59.999)
    assert (still.is_counted, still.ended, still.flood.count) == (True, None, 8)
    after = noted(full, 60)
    assert (after.is_counted, after.ended) == (False, full)
    assert after.flood == replace(fresh(60), recorded=1)


def test_each_part_of_the_name_makes_another_window():
    parts = [
        ("acme", "a", Effect.DENY, "r"),
        ("umbrella", "a", Effect.DENY, "r"),
        ("acme", "b", Effect.DENY, "r"),
        ("acme", "a", Effect.THROTTLE, "r"),
        ("acme", "a", Effect.DENY, "s"),
        ("acme", "a", Effect.DENY, ""),
    ]
    keys = {flood_key(TenantId(t), AgentId(a), e, r) for t, a, e, r in parts}
    assert len(keys) == len(parts)
    assert fresh().key == flood_key(TenantId("acme"), AgentId("deployer"), Effect.DENY, "never")


@given(st.lists(st.integers(0, 40), min_size=1, max_size=80), st.integers(1, 5))
def test_every_refusal_is_recorded_or_counted_exactly_once(gaps: list[int], in_full: int):
    flood, seconds, recorded, told = None, 0, 0, 0
    for gap in gaps:
        seconds += gap
        one = noted(flood, seconds, in_full)
        flood = one.flood
        recorded += not one.is_counted
        told += one.ended.count if one.ended else 0
    assert flood is not None
    assert recorded + told + flood.count == len(gaps)
