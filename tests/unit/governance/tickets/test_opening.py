"""How a ticket is born, and what a newly activated bundle does to it."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from governance.action import Content, Dispatch
from governance.digests import action_digest, request_digest
from governance.errors import Code, Refused
from governance.execution import RunStatus, SandboxTier
from governance.policy.decision import Constraints, Decision, Effect, TraceLine, Warned
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import lifecycle
from governance.tickets._opening import ask_of, ruling_of
from governance.tickets.binding import binding_of
from governance.tickets.ticket import Basis, Ruling, Ticket, TicketState
from tests.support.build import ANNA, BEN, OWNER, T0, report, requirement
from tests.support.core import (
    ADMIN,
    CARA,
    OPERATOR,
    PEOPLE,
    REQUESTER,
    TICKET,
    after,
    agent,
    approved,
    ballot,
    born,
    clearing,
    code,
    decide,
    decision,
    executing,
    kinds,
    opening,
    played,
    request,
    starting,
)

S = TicketState


def _open(**changes: object) -> ev.TicketOpened:
    decided = lifecycle.open_ticket(opening(**changes), T0, (("bucket", 5, T0),))
    (event,) = decided.events
    assert isinstance(event, ev.TicketOpened)
    return event


@pytest.mark.parametrize(
    ("effect", "state", "basis"),
    [
        (Effect.ALLOW, S.APPROVED, Basis.POLICY),
        (Effect.ALLOW_WITH_CONSTRAINTS, S.APPROVED, Basis.POLICY),
        (Effect.REQUIRE_APPROVAL, S.PENDING, None),
        (Effect.THROTTLE, S.DENIED, None),
        (Effect.DENY, S.DENIED, None),
    ],
)
def test_the_effect_decides_how_a_ticket_is_born(
    effect: Effect, state: TicketState, basis: Basis | None
):
    event = _open(decision=decision(effect))
    assert (event.state, event.basis) == (state, basis)
    ticket = after(None, [event], T0)
    assert (ticket.state, ticket.basis, ticket.revision) == (state, basis, 1)
    assert ticket.approved_at == (T0 if state is S.APPROVED else None)
    assert (ticket.created_at, ticket.updated_at) == (T0, T0)


def test_a_birth_records_what_was_asked_what_was_decided_and_why():
    trace = (TraceLine(source="rule", id="prod-writes", verdict="REQUIRE_APPROVAL"),)
    decided = decision(trace=trace)
    event = _open(decision=decided)
    assert event.ticket_id == TICKET
    assert event.ask == ask_of(request(), agent(), decided, content="2" * 64)
    assert event.ruling == ruling_of(decided)
    assert (event.trace, event.counters) == (trace, (("bucket", 5, T0),))


def test_an_ask_keeps_the_policys_word_where_the_agents_is_a_claim():
    decided = decision(
        environment="staging", risk_tags=("derived", "prod"), data_class="confidential"
    )
    ask = ask_of(request(), agent(), decided, content="2" * 64)
    assert (ask.environment, ask.data_class) == ("staging", "confidential")
    assert ask.risk_tags == ("derived", "prod")
    assert ask.owners == (OWNER,)
    assert ask.excluded == {OWNER, REQUESTER}
    assert ask.labels == (("team", "core"),)
    # What people are shown is what is bound: the environment as policy took it.
    assert ask.action_digest == action_digest(request(environment="staging"))
    assert ask.request_digest == request_digest(request())
    assert ask.content_digest == "2" * 64
    assert not ask.needs_full_view
    long = request(content=Content(prompt="x" * 5_000))
    assert ask_of(long, agent(), decided, content="").needs_full_view
    alone = ask_of(request(on_behalf_of=None), agent(owners=()), decided, content="")
    assert alone.excluded == frozenset()


def test_a_ruling_keeps_everything_but_the_trace():
    decided = decision(
        constraint_ids=("c-1",),
        constraint_id="c-1",
        warnings=(Warned(constraint_id="w", description="late"),),
        safety_bypassed=True,
    )
    ruling = ruling_of(decided)
    assert ruling.sandbox == decided.sandbox.value
    same = {spec.name for spec in fields(Ruling)} - {"sandbox"}
    assert len(same) == 12
    for name in same:
        assert getattr(ruling, name) == getattr(decided, name), name


def test_the_binding_of_a_birth_covers_the_first_revision():
    event = _open()
    assert event.binding == binding_of(
        ticket_id=TICKET,
        revision=1,
        action_digest=event.ask.action_digest,
        constraints=event.ruling.constraints,
        snapshot=event.ruling.snapshot,
        requirement=event.ruling.requirement,
        constraint_id="",
        plan_digest=event.ruling.plan_digest,
        expires_at=event.expires_at,
    )


# Life


@pytest.mark.parametrize(
    ("asked", "tier", "lives"),
    [
        (None, 3600, 3600),
        (60, 3600, 60),
        (7200, 3600, 3600),
        (1, 3600, 1),
        (172_800, 172_800, 172_800),
        (None, 999_999, None),
        (172_800, 999_999, 172_800),
    ],
)
def test_a_ticket_lives_as_asked_but_no_longer_than_its_tier(
    asked: int | None, tier: int, lives: int | None
):
    given = opening(
        request=request(ttl_s=asked), decision=decision(requirement=requirement(ttl_s=tier))
    )
    if lives is None:
        with pytest.raises(Refused) as caught:
            lifecycle.open_ticket(given, T0, ())
        assert caught.value.code is Code.TTL_OUT_OF_RANGE
    else:
        (event,) = lifecycle.open_ticket(given, T0, ()).events
        assert isinstance(event, ev.TicketOpened)
        assert event.expires_at == T0 + timedelta(seconds=lives)


@pytest.mark.parametrize("ttl", [0, -1, 172_801])
def test_a_life_out_of_range_is_refused_and_nothing_is_recorded(ttl: int):
    with pytest.raises(Refused) as caught:
        lifecycle.open_ticket(opening(request=request(ttl_s=ttl)), T0, ())
    assert caught.value.code is Code.TTL_OUT_OF_RANGE


def test_a_ticket_that_needs_no_people_lives_an_hour_at_most():
    for ttl in (None, 7200):
        event = _open(decision=decision(Effect.ALLOW), request=request(ttl_s=ttl))
        assert event.expires_at == T0 + timedelta(hours=1)


# What could never be approved


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"eligible": {}}, Code.QUORUM_UNREACHABLE),
        ({"eligible": {CARA: PEOPLE[CARA]}}, Code.QUORUM_UNREACHABLE),
        (
            {"eligible": {OWNER: frozenset({OPERATOR}), BEN: PEOPLE[BEN]}},
            Code.QUORUM_UNREACHABLE,
        ),
        (
            {"eligible": {ANNA: PEOPLE[ANNA], REQUESTER: frozenset({ADMIN})}},
            Code.QUORUM_UNREACHABLE,
        ),
        ({"decision": decision(requirement=None)}, Code.POLICY_UNAVAILABLE),
        (
            {
                "request": request(dispatch=Dispatch.RELEASE),
                "decision": decision(requirement=requirement(release_allowed=False)),
            },
            Code.WRONG_DISPATCH,
        ),
    ],
)
def test_what_people_could_never_approve_is_born_denied_with_the_reason(
    changes: dict[str, object], expected: Code
):
    decided = lifecycle.open_ticket(opening(**changes), T0, ())
    assert code(decided) is expected
    ticket = after(None, decided.events, T0)
    assert (ticket.state, ticket.basis) == (S.DENIED, None)


def test_what_is_missing_for_a_quorum_is_named():
    decided = lifecycle.open_ticket(opening(eligible={ANNA: PEOPLE[ANNA]}), T0, ())
    assert decided.refusal
    assert decided.refusal.message == (
        "tier high needs 1 operator and 1 security-admin; 1 people could vote"
    )


def test_reachability_is_no_question_where_nobody_is_asked():
    for effect in (Effect.ALLOW, Effect.DENY):
        decided = lifecycle.open_ticket(opening(decision=decision(effect), eligible={}), T0, ())
        assert decided.refusal is None


def test_a_release_is_allowed_where_the_tier_allows_it():
    assert _open(request=request(dispatch=Dispatch.RELEASE)).state is S.PENDING
    forbidden = decision(requirement=requirement(release_allowed=False))
    assert _open(decision=forbidden).state is S.PENDING  # it is executed, not released


# A new bundle


def _again(new: Decision) -> cmd.ReassessTicket:
    """Judge the ticket by ``new``, of a bundle of its own."""
    return cmd.ReassessTicket(ticket_id=TICKET, decision=replace(new, snapshot="s-2"))


def _judge(ticket: Ticket, new: Decision) -> list[str]:
    return kinds(decide(ticket, _again(new)))


@pytest.mark.parametrize("start", [born, approved])
@pytest.mark.parametrize(
    "new",
    [decision(Effect.DENY), decision(Effect.THROTTLE), decision(requirement=None)],
    ids=["deny", "throttle", "nobody to ask"],
)
def test_what_a_new_bundle_refuses_is_denied(start, new: Decision):  # noqa: ANN001
    before = start()
    decided = decide(before, _again(new))
    assert kinds(decided) == ["TicketDenied"]
    ticket = after(before, decided.events, T0)
    assert (ticket.state, ticket.note) == (S.DENIED, new.reason)
    assert ticket.ruling == ruling_of(replace(new, snapshot="s-2"))
    assert ticket.binding == before.binding


STRICTER = {
    "a higher threshold": decision(requirement=requirement(threshold=5)),
    "another role's weight": decision(requirement=requirement(comment_required=True)),
    "an incomparable tier": decision(requirement=requirement(tier="other")),
    "a lower limit": decision(constraints=replace(decision().constraints, max_runtime_s=59)),
    "a limit more": decision(constraints=replace(decision().constraints, isolated=True)),
    "a host less": decision(
        constraints=replace(decision().constraints, network_allow=("a.example",))
    ),
    "another plan": decision(plan_digest="9" * 64),
    "another sandbox": decision(sandbox=SandboxTier.A),
    "the exception to a constraint": decision(constraint_id="c-9"),
}


@pytest.mark.parametrize("name", STRICTER)
@pytest.mark.parametrize("start", [born, approved])
def test_a_stricter_or_incomparable_bundle_voids_the_votes_in_a_new_revision(start, name: str):  # noqa: ANN001
    before = start()
    new = STRICTER[name]
    decided = decide(before, _again(new))
    assert kinds(decided) == ["TicketRevised"]
    ticket = after(before, decided.events, T0)
    assert (ticket.state, ticket.revision, ticket.votes) == (S.PENDING, 2, ())
    assert (ticket.basis, ticket.approved_at, ticket.cleared_at) == (None, None, None)
    assert ticket.ruling == ruling_of(replace(new, snapshot="s-2"))
    assert ticket.judged_by == "s-2"
    assert ticket.expires_at == before.expires_at
    assert ticket.binding != before.binding
    assert decided.events[0].cause == "policy_changed"  # type: ignore[union-attr]


LOOSER = {
    "the same": decision(),
    "another snapshot": decision(snapshot="s-2"),
    "an exception less": decision(),
    "nobody asked": decision(Effect.ALLOW),
    "a higher limit": decision(constraints=replace(decision().constraints, max_runtime_s=61)),
    "no limit": decision(constraints=Constraints()),
    "the same hosts in another order": decision(
        constraints=replace(decision().constraints, network_allow=("b.example", "a.example"))
    ),
}


@pytest.mark.parametrize("name", LOOSER)
@pytest.mark.parametrize("start", [born, approved])
def test_an_equal_or_looser_bundle_changes_nothing_but_who_judged_it(start, name: str):  # noqa: ANN001
    before = start()
    decided = decide(before, _again(LOOSER[name]))
    assert decided.events == (ev.TicketUpheld(ticket_id=TICKET, revision=1, snapshot="s-2"),)
    upheld = after(before, decided.events, T0)
    assert (before.judged_by, upheld.judged_by) == ("s-1", "s-2")
    assert upheld == replace(before, upheld_by="s-2")


def test_a_bundle_judges_a_ticket_once():
    denies = decision(Effect.DENY)
    for ticket in (born(), approved()):
        same = cmd.ReassessTicket(ticket_id=TICKET, decision=denies)
        assert kinds(decide(ticket, same)) == []
        upheld = played(ticket, _again(decision()))
        assert _judge(upheld, denies) == []
        back = cmd.ReassessTicket(ticket_id=TICKET, decision=decision())
        assert played(upheld, back).judged_by == "s-1"


def test_a_new_revision_of_the_same_ruling_was_judged_as_that_was():
    upheld = played(approved(), _again(decision()))
    running = played(upheld, clearing(upheld), starting(upheld))
    failure = report(RunStatus.FAILED)
    failed = played(running, cmd.RecordOutcome(ticket_id=TICKET, run_id="run-1", report=failure))
    assert (failed.state, failed.revision, failed.judged_by) == (S.PENDING, 2, "s-2")


@pytest.mark.parametrize("start", [born, approved])
def test_what_counts_as_another_environment_now_is_not_what_is_on_the_card(start):  # noqa: ANN001
    moved = decision(environment="elsewhere")
    assert _judge(start(), moved) == ["TicketCancelled"]
    assert _judge(start(), decision(Effect.DENY, environment="elsewhere")) == ["TicketDenied"]


def test_the_order_of_a_list_in_the_old_bundle_makes_nothing_stricter():
    mixed = replace(decision().constraints, network_allow=("b.example", "a.example"))
    upheld = _judge(born(decision=decision(constraints=mixed)), decision(constraints=mixed))
    assert upheld == ["TicketUpheld"]


def test_an_exception_that_falls_away_makes_nothing_stricter():
    assert _judge(born(decision=decision(constraint_id="c-1")), decision()) == ["TicketUpheld"]


def test_people_are_asked_about_what_policy_alone_allowed_before():
    ticket = born(decision=decision(Effect.ALLOW))
    decided = decide(ticket, _again(decision()))
    ticket = after(ticket, decided.events, T0)
    assert (ticket.state, ticket.basis, ticket.revision) == (S.PENDING, None, 2)


@pytest.mark.parametrize(
    "before",
    [born(), approved(), born(decision=decision(Effect.ALLOW))],
    ids=["pending", "approved", "allowed"],
)
def test_a_stricter_bundle_that_asks_nobody_ends_the_ticket_instead_of_letting_it_wait(
    before: Ticket,
):
    tight = decision(
        Effect.ALLOW_WITH_CONSTRAINTS,
        constraints=replace(decision().constraints, max_runtime_s=1),
    )
    decided = decide(before, _again(tight))
    assert kinds(decided) == ["TicketCancelled"]
    ticket = after(before, decided.events, T0)
    assert ticket.state is S.CANCELLED
    assert ticket.ruling == before.ruling
    assert (ticket.decided_by, ticket.note) == (
        "system:placet",
        "the active policy changed; ask again",
    )


def test_what_runs_or_is_over_is_never_judged_again():
    over = played(born(), cmd.CancelTicket(ticket_id=TICKET, actor="a", person=OWNER))
    denied = born(decision=decision(Effect.DENY))
    for ticket in (executing(), over, denied):
        assert _judge(ticket, decision(Effect.DENY)) == []


def test_a_vote_on_the_earlier_revision_does_not_count_on_the_new_one():
    before = played(born(), ballot(born(), ANNA))
    stricter = decision(requirement=requirement(threshold=5))
    ticket = played(before, _again(stricter))
    stale = ballot(before, BEN, ADMIN)
    assert code(decide(ticket, stale)) is Code.SUPERSEDED_REVISION
