"""Whatever people lend, take back and vote: one human, one voice, and only while it is lent."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from governance import delegation as dg
from governance.errors import PlacetError
from governance.policy.decision import RejectPolicy
from governance.principal import Person, PersonId
from governance.tickets import commands as cmd
from governance.tickets import lifecycle
from governance.tickets import run_events as run_ev
from governance.tickets.quorum import tally
from governance.tickets.ticket import Choice, TicketState
from tests.support.build import ANNA, BEN, OWNER, T0, TENANT, requirement
from tests.support.core import (
    ADMIN,
    CARA,
    DAN,
    OPERATOR,
    PEOPLE,
    REQUESTER,
    ballot,
    born,
    decision,
    starting,
)

NOBODY = PersonId("slack:T1/UNOBODY")
EVERYBODY = [ANNA, BEN, CARA, DAN, OWNER, REQUESTER, NOBODY]
POLICY = dg.DelegationPolicy(max_days=7)
_PEOPLE = st.sampled_from([ANNA, BEN, CARA, DAN] * 3 + EVERYBODY)
_CHOICES = st.sampled_from([Choice.APPROVE] * 9 + [Choice.REJECT])
_ROLES = st.sampled_from([(), (), (OPERATOR,), (ADMIN,)])


class Voices(RuleBasedStateMachine):
    """One ticket, people who lend and vote, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.at = T0
        self.made = 0
        self.lent: dg.Delegations = {}
        self.roles = {**PEOPLE, OWNER: frozenset({OPERATOR, ADMIN}), REQUESTER: PEOPLE[CARA]}

    def _person(self, who: PersonId) -> Person:
        held = self.roles.get(who, frozenset())
        return Person(id=who, tenant=TENANT, roles=held, resolved_at=self.at)

    def _handle(self, command: cmd.Command) -> None:
        decided = lifecycle.decide(
            self.ticket, command, self.at, is_frozen=False, delegations=self.lent
        )
        for event in decided.events:
            self.ticket = lifecycle.evolve(self.ticket, event, self.at)
            if isinstance(event, run_ev.ExecutionStarted):
                self._check_start()

    def _check_start(self) -> None:
        alive = dg.in_force(self.lent, self.at)
        standing = [
            vote
            for vote in self.ticket.votes
            if vote.delegator is None or any(one.id == vote.delegation for one in alive)
        ]
        wanted = self.ticket.ruling.requirement
        assert wanted is not None
        assert tally(wanted, standing).is_met

    @initialize(policy=st.sampled_from(RejectPolicy))
    def begin(self, policy: RejectPolicy) -> None:
        wanted = requirement(reject_policy=policy, ttl_s=40_000)
        self.ticket = born(decision=decision(requirement=wanted))

    @rule(whose=_PEOPLE, to=_PEOPLE, roles=_ROLES, minutes=st.sampled_from([0, 5, 90, 600]))
    def lend(self, whose: PersonId, to: PersonId, roles: tuple[str, ...], minutes: int) -> None:
        ends_at = self.at + timedelta(minutes=minutes)
        wish = dg.Wish(delegator=whose, delegate=to, roles=roles, ends_at=ends_at, reason="leave")
        self.made += 1
        try:
            event = dg.grant(
                self.lent,
                wish,
                delegation_id=f"d-{self.made}",
                delegator=self._person(whose),
                delegate=self._person(to),
                policy=POLICY,
                at=self.at,
            )
        except PlacetError:
            return
        assert whose != to
        assert set(event.roles) <= self.roles[whose]
        self.lent = dg.evolve_delegations(self.lent, event, self.at)

    @rule(number=st.integers(0, 5), who=_PEOPLE)
    def take_back(self, number: int, who: PersonId) -> None:
        names = sorted(self.lent)
        if names:
            name = names[number % len(names)]
            try:
                event = dg.revoke(self.lent, name, person=who, at=self.at)
            except PlacetError:
                return
            self.lent = dg.evolve_delegations(self.lent, event, self.at)

    @rule(who=_PEOPLE, role=st.sampled_from([OPERATOR, ADMIN]), choice=_CHOICES)
    def vote(self, who: PersonId, role: str, choice: Choice) -> None:
        cast = replace(ballot(self.ticket, who, role), person=self._person(who), choice=choice)
        self._handle(cast)

    @rule(
        thief=st.none() | st.none() | _PEOPLE,
        number=st.integers(0, 5),
        role=st.sampled_from([OPERATOR, ADMIN]),
        choice=_CHOICES,
    )
    def speak_for(self, thief: PersonId | None, number: int, role: str, choice: Choice) -> None:
        """Also by delegations that are not one's own, or over: the core must tell."""
        names = sorted(self.lent)
        if not names:
            return
        lent = self.lent[names[number % len(names)]]
        who = thief or lent.delegate
        self._speak(lent, who, role, choice)

    def _speak(self, lent: dg.Delegation, who: PersonId, role: str, choice: Choice) -> None:
        cast = replace(
            ballot(self.ticket, who, role),
            person=self._person(who),
            choice=choice,
            delegator=lent.delegator,
            delegation=lent.id,
            lent=self.roles.get(lent.delegator, frozenset()),
            lent_names=frozenset({lent.delegator}),
            is_admitted=True,
        )
        self._handle(cast)

    @rule(role=st.sampled_from([OPERATOR, ADMIN]), is_own_first=st.booleans())
    def everybody_speaks(self, role: str, is_own_first: bool) -> None:
        """Each voice by every hand that has it, one after the other."""
        for lent in list(self.lent.values()):
            if is_own_first:
                self.vote(lent.delegator, role, Choice.APPROVE)
            self._speak(lent, lent.delegate, role, Choice.APPROVE)
            self.vote(lent.delegator, role, Choice.APPROVE)

    @rule(is_taken_back=st.booleans())
    def confirm_and_start(self, is_taken_back: bool) -> None:
        """What is approved is confirmed, and starts unless a voice was taken back in between."""
        for lent in list(self.lent.values()):
            self._speak(lent, lent.delegate, OPERATOR, Choice.APPROVE)
        for who in (BEN, CARA):
            self.vote(who, ADMIN, Choice.APPROVE)
        self.clear(None)
        used = [vote for vote in self.ticket.votes if vote.delegation in self.lent]
        if is_taken_back and used:
            name, whose = used[0].delegation, used[0].voice
            self.take_back(sorted(self.lent).index(name), whose)
        self.start()

    @rule(who=_PEOPLE)
    def withdraw(self, who: PersonId) -> None:
        revision = self.ticket.revision
        back = cmd.WithdrawVote(
            ticket_id=self.ticket.id, revision=revision, person=self._person(who)
        )
        self._handle(back)

    @rule(gone=st.none() | _PEOPLE)
    def clear(self, gone: PersonId | None) -> None:
        asked = {who for vote in self.ticket.votes for who in (vote.person, vote.voice)}
        standing = {who: self.roles.get(who, frozenset()) for who in asked if who != gone}
        self._handle(
            cmd.ClearExecution(
                ticket_id=self.ticket.id, revision=self.ticket.revision, standing=standing
            )
        )

    @rule()
    def start(self) -> None:
        self._handle(starting(self.ticket))

    @rule(seconds=st.sampled_from([1, 30, 61, 600, 3_600]))
    def time_passes(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)

    @rule(who=st.sampled_from([ANNA, BEN, CARA, DAN]), role=st.sampled_from([OPERATOR, ADMIN]))
    def role_changes(self, who: PersonId, role: str) -> None:
        self.roles[who] = self.roles[who] ^ {role}

    @invariant()
    def one_voice_is_heard_once_and_nobody_speaks_twice(self) -> None:
        if not hasattr(self, "ticket"):
            return
        votes = self.ticket.votes
        assert len({vote.voice for vote in votes}) == len(votes)
        assert len({vote.person for vote in votes}) == len(votes)

    @invariant()
    def whoever_asked_approves_neither_by_hand_nor_by_voice(self) -> None:
        if not hasattr(self, "ticket"):
            return
        approving = [vote for vote in self.ticket.votes if vote.choice is Choice.APPROVE]
        heard = {who for vote in approving for who in (vote.person, vote.voice)}
        assert not heard & {OWNER, REQUESTER}

    @invariant()
    def what_is_approved_took_two_people_and_two_voices(self) -> None:
        if not hasattr(self, "ticket") or self.ticket.state is not TicketState.APPROVED:
            return
        approving = [vote for vote in self.ticket.votes if vote.choice is Choice.APPROVE]
        assert len(approving) >= 2
        assert tally(requirement(), approving).is_met


TestVoices = Voices.TestCase
TestVoices.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
