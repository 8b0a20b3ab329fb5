"""Who decides where a tier's own people cannot."""

from dataclasses import replace

from governance.action import Dispatch
from governance.errors import Code
from governance.execution import SandboxTier
from governance.policy.bundle import load
from governance.policy.decision import Decision, Effect, Requirement, RoleRequirement
from governance.preparation import prepare
from governance.principal import Eligible, PersonId
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import lifecycle
from governance.tickets.escalation import escalated, kept
from governance.tickets.ticket import TicketState
from tests.support.build import ANNA, BEN, OWNER, T0, FixedClock, requirement
from tests.support.core import (
    ADMIN,
    OPERATOR,
    TICKET,
    CountingIds,
    FakeDirectory,
    agent,
    born,
    code,
    decide,
    decision,
    opening,
    request,
)

DIRECTOR = "director"
DORA, DREW = PersonId("slack:T1/UDORA"), PersonId("slack:T1/UDREW")
BOARD = replace(
    requirement(),
    tier="board",
    roles=(RoleRequirement(role=DIRECTOR, weight=2, min_required=2),),
    threshold=4,
    sandbox=SandboxTier.A,
)
LAST = replace(BOARD, tier="last", roles=(RoleRequirement(role="owner", weight=4),))
DIRECTORS: Eligible = {who: frozenset({DIRECTOR}) for who in (DORA, DREW)}
SHORT: Eligible = {ANNA: frozenset({OPERATOR}), **DIRECTORS}
"""One operator and no admin: the tier itself cannot be met."""


def offering(*instead: Requirement, **changes: object) -> Decision:
    return replace(decision(), instead=instead, **changes)


def test_a_ticket_whose_quorum_cannot_be_reached_opens_with_the_tier_that_can():
    given = opening(decision=offering(BOARD), eligible=SHORT)
    (event,) = lifecycle.open_ticket(given, T0, ()).events
    assert isinstance(event, ev.TicketOpened)
    assert event.state is TicketState.PENDING
    assert event.ruling.requirement == BOARD
    assert (event.ruling.risk_tier, event.ruling.sandbox) == ("board", "A")
    why = "tier high needs 1 operator and 1 security-admin, and too few could vote"
    assert event.ruling.reason == f"writes to prod (escalated to tier board: {why})"
    line = event.trace[-1]
    assert (line.source, line.id, line.verdict, line.note) == ("tier", "board", "escalated", why)


def test_the_escalated_tier_is_what_the_votes_sign():
    own = born(decision=offering(BOARD), eligible={**SHORT, BEN: frozenset({ADMIN})})
    instead = born(decision=offering(BOARD), eligible=SHORT)
    assert own.ruling.requirement == requirement()
    assert own.binding != instead.binding


def test_a_tier_that_can_be_met_is_not_escalated():
    people = {**SHORT, BEN: frozenset({ADMIN})}
    assert escalated(offering(BOARD), people) == offering(BOARD)
    assert escalated(decision(Effect.ALLOW), {}) == decision(Effect.ALLOW)


def test_the_first_of_several_that_can_be_met_decides():
    assert escalated(offering(LAST, BOARD), SHORT).risk_tier == "board"
    owner = {**SHORT, BEN: frozenset({"owner"})}
    assert escalated(offering(LAST, BOARD), owner).risk_tier == "last"


def test_where_nobody_can_decide_the_ticket_is_refused_with_what_its_own_tier_misses():
    decided = lifecycle.open_ticket(opening(decision=offering(LAST), eligible=SHORT), T0, ())
    assert decided.refusal is not None
    assert decided.refusal.code is Code.QUORUM_UNREACHABLE
    assert "tier high needs" in decided.refusal.message


def test_whoever_answers_for_the_agent_makes_no_escalated_quorum_either():
    people = {OWNER: frozenset({DIRECTOR}), DORA: frozenset({DIRECTOR})}
    decided = lifecycle.open_ticket(opening(decision=offering(BOARD), eligible=people), T0, ())
    assert decided.refusal is not None
    assert decided.refusal.code is Code.QUORUM_UNREACHABLE


def test_a_tier_that_only_whoever_answers_for_the_agent_could_meet_is_passed_over():
    people = {
        OWNER: frozenset({DIRECTOR}),
        DORA: frozenset({DIRECTOR}),
        BEN: frozenset({"owner"}),
    }
    ticket = born(decision=offering(BOARD, LAST), eligible=people)
    assert (ticket.state, ticket.ruling.risk_tier) == (TicketState.PENDING, "last")


def test_an_escalated_tier_that_does_not_release_releases_nothing():
    executed = replace(BOARD, release_allowed=False)
    given = opening(
        request=request(dispatch=Dispatch.RELEASE), decision=offering(executed), eligible=SHORT
    )
    assert code(lifecycle.open_ticket(given, T0, ())) is Code.WRONG_DISPATCH


def _again(new: Decision) -> cmd.ReassessTicket:
    return cmd.ReassessTicket(ticket_id=TICKET, decision=replace(new, snapshot="s-2"))


def test_a_newly_activated_bundle_leaves_an_escalation_that_still_stands():
    ticket = born(decision=offering(BOARD), eligible=SHORT)
    (event,) = decide(ticket, _again(offering(BOARD))).events
    assert isinstance(event, ev.TicketUpheld)


def test_an_escalation_that_became_stricter_holds_in_the_next_revision():
    ticket = born(decision=offering(BOARD), eligible=SHORT)
    stricter = replace(BOARD, threshold=6)
    (event,) = decide(ticket, _again(offering(stricter))).events
    assert isinstance(event, ev.TicketRevised)
    assert event.ruling.requirement == stricter


def test_an_escalation_that_is_no_longer_offered_is_not_kept():
    for before in (BOARD, requirement(), None):
        assert kept(decision(), before) == decision()
    assert kept(decision(Effect.ALLOW), BOARD) == decision(Effect.ALLOW)
    assert kept(offering(LAST), BOARD) == offering(LAST)


async def test_the_people_of_the_escalated_tier_are_looked_up_beside_the_tiers_own():
    deploys = {"roles": {OPERATOR: {"weight": 1, "min_required": 1}}}
    bundle = load(
        {
            "default_decision": "require_approval",
            "default_tier": "deploys",
            "tiers": {
                "deploys": {**deploys, "escalation": {"unreachable": "board"}},
                "board": {"roles": {DIRECTOR: {"weight": 2, "min_required": 2}}},
            },
        }
    )
    given = await prepare(
        request(tool="", dispatch=Dispatch.RELEASE),
        agent(),
        bundle=bundle,
        clock=FixedClock(),
        directory=FakeDirectory(people=dict(SHORT)),
        ids=CountingIds(),
    )
    assert given.decision.risk_tier == "deploys"
    assert given.eligible == SHORT
