"""Lending a voice: only one's own, to somebody else, for a time, for a reason."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance import control as ctl
from governance import delegation as dg
from governance.control import Control
from governance.errors import Code, PlacetError
from governance.principal import Person, PersonId
from tests.support.build import ANNA, BEN, T0, TENANT, granted
from tests.support.core import ADMIN, CARA, DAN, OPERATOR, person

POLICY = dg.DelegationPolicy(max_days=7, barred=frozenset({"top"}))
NOBODY = replace(person(), roles=frozenset())
WISH = dg.Wish(
    delegator=ANNA, delegate=BEN, roles=(), ends_at=T0 + timedelta(days=1), reason="on leave"
)


def _grant(
    known: dg.Delegations | None = None,
    *,
    wish: dg.Wish = WISH,
    delegator: Person | None = None,
    delegate: Person | None = None,
    policy: dg.DelegationPolicy = POLICY,
) -> dg.DelegationGranted:
    return dg.grant(
        known or {},
        wish,
        delegation_id="d-1",
        delegator=delegator or person(ANNA),
        delegate=delegate or person(BEN),
        policy=policy,
        at=T0,
    )


def _refusal(**given: object) -> PlacetError:
    with pytest.raises(PlacetError) as caught:
        _grant(**given)  # type: ignore[arg-type]  # the arguments of _grant
    return caught.value


def _given(number: int, **changes: object) -> dg.Delegation:
    event = granted(delegation_id=f"d-{number}", **changes)
    return dg.evolve_delegations({}, event, T0)[event.delegation_id]


def test_a_person_lends_what_they_hold_for_a_time_and_a_reason():
    wish = replace(WISH, roles=(OPERATOR, OPERATOR))
    event = _grant(wish=wish)
    assert event == granted()
    known = dg.evolve_delegations({}, event, T0)
    assert known["d-1"].granted_at == T0
    assert known["d-1"].lends(OPERATOR)
    assert not known["d-1"].lends(ADMIN)
    assert dg.evolve_delegations({}, _grant(), T0)["d-1"].lends("whatever they hold")


def test_nothing_that_was_lent_can_be_lent_on():
    lent = dg.evolve_delegations({}, granted(), T0)
    assert _refusal(known=lent, delegator=NOBODY).code is Code.WRONG_ROLE
    refusal = _refusal(known=lent, wish=replace(WISH, roles=(ADMIN,)))
    assert refusal.code is Code.WRONG_ROLE
    assert ADMIN in refusal.message


def test_nobody_lends_to_themselves():
    assert _refusal(delegate=person(ANNA)).code is Code.DELEGATION_NOT_ALLOWED


def test_a_bundle_that_says_nothing_lets_nobody_delegate():
    policy = dg.DelegationPolicy()
    assert _refusal(policy=policy).code is Code.DELEGATION_NOT_ALLOWED
    assert not policy.admits("high")


def test_a_barred_tier_takes_no_delegation():
    assert POLICY.admits("high")
    assert not POLICY.admits("top")


@pytest.mark.parametrize("days", [0, 8])
def test_it_ends_after_now_and_within_what_the_bundle_allows(days: int):
    refusal = _refusal(wish=replace(WISH, ends_at=T0 + timedelta(days=days)))
    assert (refusal.code, refusal.pointer) == (Code.INVALID_FIELD, "/ends_at")
    assert _grant(wish=replace(WISH, ends_at=T0 + timedelta(days=7)))


@pytest.mark.parametrize("reason", ["", " \n", "x" * 301])
def test_it_needs_a_reason(reason: str):
    refusal = _refusal(wish=replace(WISH, reason=reason))
    assert (refusal.code, refusal.pointer) == (Code.INVALID_FIELD, "/reason")


@pytest.mark.parametrize(
    ("stands", "asked", "is_new"),
    [
        ((), (), False),
        ((), (OPERATOR,), False),
        ((OPERATOR,), (OPERATOR,), False),
        ((OPERATOR,), (), True),
        ((ADMIN,), (OPERATOR,), True),
    ],
)
def test_what_is_lent_already_is_not_lent_again(
    stands: tuple[str, ...], asked: tuple[str, ...], is_new: bool
):
    known = {"d-0": _given(0, roles=stands, ends_at=WISH.ends_at)}
    wish = replace(WISH, roles=asked, reason="other words")
    if is_new:
        assert _grant(known, wish=wish).roles == asked
    else:
        assert _refusal(known=known, wish=wish).code is Code.DELEGATION_EXISTS


@pytest.mark.parametrize(("later_s", "is_new"), [(-3600, False), (59, False), (60, True)])
def test_a_later_end_is_something_new(later_s: int, is_new: bool):
    known = {"d-0": _given(0, roles=(), ends_at=WISH.ends_at)}
    wish = replace(WISH, ends_at=WISH.ends_at + timedelta(seconds=later_s))
    if is_new:
        assert _grant(known, wish=wish).ends_at == wish.ends_at
    else:
        assert _refusal(known=known, wish=wish).code is Code.DELEGATION_EXISTS


def test_what_was_lent_to_somebody_else_by_somebody_else_or_is_over_is_no_hindrance():
    over = replace(_given(3, roles=()), ends_at=T0)
    others = (_given(1, delegate=CARA, roles=()), _given(2, delegator=DAN, roles=()), over)
    assert _grant({one.id: one for one in others}).delegate == BEN


def test_one_person_has_only_so_many_in_force():
    known = {f"d-{n}": _given(n) for n in range(dg.MAX_GIVEN)}
    assert _refusal(known=known).code is Code.DELEGATION_NOT_ALLOWED
    one_less = dict(list(known.items())[1:])
    assert _grant(one_less)
    over = {name: replace(one, ends_at=T0) for name, one in known.items()}
    assert _grant(over)


def test_a_tenant_has_only_so_many_in_force(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dg, "MAX_IN_FORCE", 2)
    known = {f"d-{n}": _given(n, delegator=CARA) for n in range(2)}
    assert _refusal(known=known).code is Code.DELEGATION_NOT_ALLOWED


def test_what_ends_first_comes_first_and_what_has_ended_not_at_all():
    later, sooner, over = (
        _given(n, ends_at=T0 + timedelta(hours=h)) for n, h in ((1, 2), (2, 1), (3, 0))
    )
    known = {one.id: one for one in (later, sooner, over)}
    assert [one.id for one in dg.in_force(known, T0)] == ["d-2", "d-1"]


@pytest.mark.parametrize("who", [ANNA, BEN])
def test_who_lent_it_or_was_lent_it_may_end_it(who: PersonId):
    known = dg.evolve_delegations({}, granted(), T0)
    event = dg.revoke(known, "d-1", person=who, at=T0)
    assert event == dg.DelegationRevoked(tenant=TENANT, delegation_id="d-1", person=who)
    assert dg.evolve_delegations(known, event, T0) == {}
    assert dg.evolve_delegations({}, event, T0) == {}


@pytest.mark.parametrize(
    ("name", "who", "after_s"), [("d-2", ANNA, 0), ("d-1", DAN, 0), ("d-1", ANNA, 86_400)]
)
def test_nobody_else_ends_it_and_nobody_ends_what_is_over(name: str, who: PersonId, after_s: int):
    known = dg.evolve_delegations({}, granted(), T0)
    with pytest.raises(PlacetError) as caught:
        dg.revoke(known, name, person=who, at=T0 + timedelta(seconds=after_s))
    assert caught.value.code is Code.NOT_FOUND


def test_the_governing_state_forgets_what_has_ended():
    one = ctl.evolve(Control(), granted(), T0)
    assert [*one.delegations] == ["d-1"]
    two = ctl.evolve(one, granted(delegation_id="d-2"), T0 + timedelta(days=1))
    assert [*two.delegations] == ["d-2"]
