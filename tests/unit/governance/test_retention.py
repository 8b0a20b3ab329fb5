"""What must stay stays: holds, open tickets, policy, and whatever is too young."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from governance import retention
from governance import retention_events as rt
from governance.control import Control, evolve
from governance.errors import Code, InvalidInput, PlacetError, Refused
from governance.kept import Kept, Use
from governance.ports import State
from governance.principal import TenantId
from governance.retention import Erasure, Retention
from governance.retention_events import Hold, HoldScope
from governance.tickets.ticket import TicketId, TicketState
from tests.support import build
from tests.support.build import AGENT, T0, TENANT

DIGEST, OTHER = "d" * 64, "e" * 64
BY = "operator:root"
TRACE = "a" * 32
RETENTION = Retention(days=365, by_class={"financial": 2555, "brief": 1})


def use(**changes: Any) -> Use:
    base = Use(
        seq=1,
        at=T0,
        tenant=TENANT,
        agent=AGENT,
        trace_id=TRACE,
        ticket_id="t-1",
        state=TicketState.EXECUTED,
        data_classes=("internal",),
    )
    return replace(base, **changes)


def hold(scope: HoldScope = HoldScope.AGENT, target: str = AGENT, **changes: Any) -> Hold:
    base = Hold(
        id="hold-1", tenant=TENANT, scope=scope, target=target, by=BY, at=T0, reason="case 4711"
    )
    return replace(base, **changes)


def state(kept: Kept | None = None, *holds: Hold, **changes: Any) -> State:
    control = Control(holds={item.id: item for item in holds})
    contents = {DIGEST: kept or Kept(uses=(use(),))}
    return replace(State(at=T0, control=control, contents=contents), **changes)


def erased(given: State, *digests: str, reason: str = "asked", tenant: str = TENANT) -> Any:
    return retention.erase(
        given, tenant=TenantId(tenant), actor=BY, digests=digests or (DIGEST,), reason=reason
    )


def refusal(given: State, *digests: str, **changes: Any) -> PlacetError:
    with pytest.raises(PlacetError) as caught:
        erased(given, *digests, **changes)
    return caught.value


# Erasing on request


def test_an_erasure_is_an_event_that_names_a_digest_an_account_and_a_reason():
    result = erased(state(), reason="  asked by its subject ")
    assert result.reply == Erasure(erased=(DIGEST,))
    assert result.events == (
        rt.ContentErased(tenant=TENANT, actor=BY, digest=DIGEST, reason="asked by its subject"),
    )


def test_what_is_gone_already_is_not_erased_again():
    result = erased(state(Kept(uses=(use(),), erased_at=T0)))
    assert (result.reply, result.events) == (Erasure(erased=(), gone_before=(DIGEST,)), ())


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_an_erasure_without_a_reason_is_refused(reason: str):
    found = refusal(state(), reason=reason)
    assert isinstance(found, InvalidInput)
    assert (found.code, found.pointer) == (Code.INVALID_FIELD, "/reason")


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        (HoldScope.AGENT, AGENT),
        (HoldScope.TICKET, "t-1"),
        (HoldScope.TRACE, TRACE),
        (HoldScope.ALL, ""),
    ],
)
def test_nothing_under_a_hold_is_erased(scope: HoldScope, target: str):
    found = refusal(state(None, hold(scope, target)))
    assert (type(found), found.code) == (Refused, Code.HELD)
    assert "hold-1" in found.message


def test_a_hold_on_any_record_of_a_content_keeps_it():
    kept = Kept(uses=(use(agent="other", ticket_id="t-0"), use()))
    assert refusal(state(kept, hold())).code is Code.HELD


@pytest.mark.parametrize(
    "other",
    [
        hold(target="other"),
        hold(HoldScope.TICKET, "t-2"),
        hold(HoldScope.TRACE, "b" * 32),
        hold(HoldScope.ALL, "", tenant=TenantId("another")),
        hold(tenant=TenantId("another")),
    ],
)
def test_a_hold_on_something_else_keeps_nothing(other: Hold):
    assert erased(state(None, other)).reply.erased == (DIGEST,)


@pytest.mark.parametrize("now", ["PENDING", "APPROVED", "EXECUTING", "UNKNOWN"])
def test_what_an_open_ticket_may_still_need_stays(now: str):
    kept = Kept(uses=(use(ticket_id="t-0"), use(state=TicketState(now))))
    found = refusal(state(kept))
    assert (found.code, "t-1" in found.message) == (Code.WRONG_STATE, True)


@pytest.mark.parametrize("uses", [(), (use(), use(ticket_id="", state=None))])
def test_policy_is_never_erased(uses: tuple[Use, ...]):
    assert refusal(state(Kept(uses=uses))).code is Code.WRONG_STATE


def test_a_content_that_is_unknown_or_of_another_tenant_is_not_found():
    assert refusal(state(), OTHER).code is Code.NOT_FOUND
    assert refusal(state(), tenant="another").code is Code.NOT_FOUND


def test_all_of_them_go_or_none():
    both = {DIGEST: Kept(uses=(use(),)), OTHER: Kept(uses=(use(state=TicketState.PENDING),))}
    assert refusal(state(contents=both), DIGEST, OTHER).code is Code.WRONG_STATE


# Retention


def expired(given: State, *digests: str) -> Any:
    return retention.expire(
        given, tenant=TENANT, actor="system:placet", digests=digests, retention=RETENTION
    )


@pytest.mark.parametrize(
    ("classes", "days"),
    [((), 365), (("internal", "pii"), 365), (("financial", "internal"), 2555), (("brief",), 365)],
)
def test_the_longest_retention_that_applies_holds_to_the_second(
    classes: tuple[str, ...], days: int
):
    kept = Kept(uses=(use(data_classes=classes),))
    end = T0 + timedelta(days=days)
    early = expired(state(kept, at=end - timedelta(microseconds=1)), DIGEST)
    assert (early.reply, early.events) == (Erasure(erased=(), kept=((DIGEST, "too_young"),)), ())
    due = expired(state(kept, at=end), DIGEST)
    assert due.reply == Erasure(erased=(DIGEST,))
    (event,) = due.events
    assert (event.kept_days, event.actor) == (days, "system:placet")


def test_a_younger_record_keeps_the_content_of_an_older_one():
    young = use(seq=9, at=T0 + timedelta(days=300))
    kept = Kept(uses=(use(), young))
    assert expired(state(kept, at=T0 + timedelta(days=400)), DIGEST).events == ()


def test_an_older_record_of_a_longer_class_keeps_it_too():
    kept = Kept(uses=(use(data_classes=("financial",)), use(seq=2)))
    at = T0 + timedelta(days=2000)
    assert retention.keep_until(kept, RETENTION) == (T0 + timedelta(days=2555), 2555)
    assert expired(state(kept, at=at), DIGEST).events == ()


def test_retention_passes_over_what_must_stay_and_what_is_gone():
    at = T0 + timedelta(days=9_000)
    contents = {
        DIGEST: Kept(uses=(use(),)),
        OTHER: Kept(uses=(use(agent="other"),), erased_at=T0),
        "f" * 64: Kept(uses=(use(agent="other"),)),
    }
    result = expired(state(None, hold(), at=at, contents=contents), "0" * 64, *contents)
    assert result.reply == Erasure(erased=("f" * 64,), kept=((DIGEST, "held"),))


# Holds


def placed(**changes: Any) -> rt.HoldPlaced:
    base = rt.HoldPlaced(
        tenant=TENANT,
        actor=BY,
        hold_id="hold-1",
        scope=HoldScope.AGENT,
        target=AGENT,
        reason="case 4711",
    )
    return replace(base, **changes)


def test_a_hold_is_in_force_from_its_event_until_it_is_lifted():
    result = retention.place_hold(state(), placed())
    assert result.reply == hold()
    (event,) = result.events
    assert isinstance(event, rt.HoldPlaced)
    control = evolve(Control(), event, T0)
    assert control.holds == {"hold-1": hold()}
    lift = rt.HoldLifted(tenant=TENANT, actor=BY, hold_id="hold-1", reason="closed")
    lifted = retention.lift_hold(state(None, hold()), lift)
    assert (lifted.reply, lifted.events) == (hold(), (lift,))
    assert evolve(control, lift, T0).holds == {}


def test_erasures_and_rollbacks_leave_the_holds_alone():
    control = Control(holds={"hold-1": hold()})
    for name in ("ContentErased", "RollbackAccepted"):
        event = build.samples()[name][0]
        assert isinstance(event, rt.ContentErased | rt.RollbackAccepted)
        assert evolve(control, event, T0) == control


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"reason": " "}, Code.INVALID_FIELD, "/reason"),
        ({"target": ""}, Code.INVALID_FIELD, "/target"),
        ({"target": "x" * 201}, Code.INVALID_FIELD, "/target"),
        ({"scope": HoldScope.ALL, "target": "x"}, Code.INVALID_FIELD, "/target"),
        ({"scope": HoldScope.TICKET, "target": "t-9"}, Code.NOT_FOUND, ""),
        ({"hold_id": "hold-9"}, Code.WRONG_STATE, ""),
    ],
)
def test_a_hold_that_names_nothing_or_is_there_is_refused(
    changes: dict[str, Any], code: Code, pointer: str
):
    given = state(None, hold(id="hold-9"))
    with pytest.raises(PlacetError) as caught:
        retention.place_hold(given, placed(**changes))
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


def test_a_hold_on_a_ticket_needs_that_ticket_of_this_tenant():
    given = state(tickets={TicketId("t-1"): build.sample_ticket()})
    event = placed(scope=HoldScope.TICKET, target="t-1")
    assert retention.place_hold(given, event).events == (event,)
    with pytest.raises(Refused, match="no ticket"):
        retention.place_hold(given, replace(event, tenant=TenantId("another")))


def test_only_a_hold_in_force_of_this_tenant_is_lifted_and_with_a_reason():
    lift = rt.HoldLifted(tenant=TENANT, actor=BY, hold_id="hold-1", reason="closed")
    for given, event in (
        (state(), lift),
        (state(None, hold()), replace(lift, tenant=TenantId("another"))),
    ):
        with pytest.raises(Refused, match="no hold"):
            retention.lift_hold(given, event)
    with pytest.raises(InvalidInput):
        retention.lift_hold(state(None, hold()), replace(lift, reason=""))


def test_an_accepted_rollback_is_recorded():
    event = build.samples()["RollbackAccepted"][0]
    assert isinstance(event, rt.RollbackAccepted)
    assert retention.accept_rollback(event).events == (event,)


# What records name


def _named(name: str, **changes: object) -> tuple[str, ...]:
    return retention.named_contents(replace(build.samples()[name][0], **changes))  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("name", "part", "told", "names"),
    [
        ("TicketOpened", "ask", {"content_digest": "1"}, ("1",)),
        ("VoteCast", "vote", {"comment_digest": ""}, ()),
        ("VoteCast", "vote", {"comment_digest": "2"}, ("2",)),
        ("BundleActivated", "", {"content_digest": "3"}, ("3",)),
        ("TicketRejected", "", {"comment_digest": "4"}, ("4",)),
        ("OutcomeAttested", "", {"comment_digest": "4"}, ("4",)),
        ("OutputDiscarded", "", {"comment_digest": "4"}, ("4",)),
        ("OutputReleased", "", {"comment_digest": "4", "shown_digest": "6"}, ("4", "6")),
        ("ExecutionSucceeded", "report", {"output_digest": "5", "shown_digest": ""}, ("5",)),
        ("ExecutionFailed", "report", {"output_digest": "5", "shown_digest": "6"}, ("5", "6")),
        ("OutcomeReported", "report", {"output_digest": "5", "shown_digest": "5"}, ("5",)),
        ("TicketExpired", "", {}, ()),
    ],
)
def test_a_record_names_the_contents_that_it_put_there(
    name: str, part: str, told: dict[str, str], names: tuple[str, ...]
):
    within = getattr(build.samples()[name][0], part) if part else None
    changes = told if within is None else {part: replace(within, **told)}
    assert _named(name, **changes) == names


@pytest.mark.parametrize(
    ("told", "classes"),
    [
        (
            {"data_classes": ["internal", "pii"], "ask": {"data_class": "public"}},
            ("internal", "pii"),
        ),
        ({"data_classes": [], "ask": {"data_class": "financial"}}, ("financial",)),
        ({"data_classes": "pii", "ask": {"data_class": "internal"}}, ("internal",)),
        ({"ask": {}}, ()),
        (None, ()),
    ],
)
def test_the_classes_in_play_are_those_of_the_birth(told: Any, classes: tuple[str, ...]):
    assert retention.classes_of(told) == classes
