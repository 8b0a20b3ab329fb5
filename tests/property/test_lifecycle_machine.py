"""Any history at all: whatever people, agents, executors and time do, the laws hold.

Everything goes through the steps that the writer runs; the model beside it is only what the laws
say, kept by counting.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from governance import control as ctl
from governance import control_steps, steps
from governance.action import Content, Dispatch
from governance.control import EVERYONE, Control
from governance.digests import content_digest, request_digest
from governance.errors import Code, PlacetError
from governance.execution import OutputState, RunStatus, SandboxTier
from governance.policy.decision import Decision, Effect, RejectPolicy, Requirement
from governance.ports import Remembered, Result, State
from governance.principal import Eligible, Person, PersonId
from governance.submission import Submission
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import lost
from governance.tickets import nudge_commands as nudge_cmd
from governance.tickets import run_events as run_ev
from governance.tickets._aftermath import MAX_FAILED_RUNS
from governance.tickets.lifecycle import TRANSITIONS, evolve
from governance.tickets.quorum import asks_for_two
from governance.tickets.ticket import Basis, Choice, Ticket, TicketId, TicketState, Vote
from tests.support.build import ANNA, BEN, OWNER, T0, TENANT, public_key, report, requirement
from tests.support.core import (
    ADMIN,
    CARA,
    DAN,
    OPERATOR,
    PEOPLE,
    REQUESTER,
    agent,
    decision,
    request,
)

S = TicketState
AGENTS = ["deployer", "scribe"]
VOTERS = [ANNA, BEN, CARA, DAN, OWNER, REQUESTER, PersonId("slack:T1/UNOBODY")]
ENDS = {state for state in TicketState if not TRANSITIONS[state]}
TIERS: dict[str, Requirement] = {
    "plain": requirement(ttl_s=900),
    "one": requirement(threshold=1, roles=requirement().roles[:1], respond_within_s=60),
    "distinct": requirement(distinct_roles=True, ttl_s=3600),
    "weighed": requirement(reject_policy=RejectPolicy.WEIGHT, ttl_s=3600),
    "commented": requirement(comment_required=True, ttl_s=3600),
    "reviewed": requirement(reviewer=BEN, ttl_s=3600),
}
_EFFECTS = [Effect.REQUIRE_APPROVAL] * 5 + [Effect.ALLOW, Effect.DENY]
_TICKETS = st.integers(0, 3)
_PEOPLE = st.sampled_from(VOTERS)
_STALE = st.sampled_from([0, 0, 0, 0, -1])


def _weight(needed: Requirement, ticket: Ticket) -> tuple[int, bool]:
    """Approving weight by the law, and whether every role has what it must bring."""
    by_role: dict[str, set[str]] = {}
    for vote in ticket.votes:
        if vote.choice is Choice.APPROVE:
            by_role.setdefault(vote.role, set()).add(vote.person)
    heard = {role: len(people) for role, people in by_role.items()}
    if needed.distinct_roles:
        heard = dict.fromkeys(heard, 1)
    weight = sum(heard.get(item.role, 0) * item.weight for item in needed.roles)
    enough = all(heard.get(item.role, 0) >= item.min_required for item in needed.roles)
    reviewed = needed.reviewer is None or any(
        vote.person == needed.reviewer and vote.choice is Choice.APPROVE for vote in ticket.votes
    )
    return weight, enough and reviewed


class Lifecycle(RuleBasedStateMachine):
    """Many tickets, people with roles, agents, freezes and time."""

    def __init__(self) -> None:
        super().__init__()
        self.at: datetime = T0
        self.control = Control(
            snapshot="s-1",
            keys={role: public_key(role, purpose=f"vote:{role}") for role in (OPERATOR, ADMIN)},
        )
        # Whoever asks and answers for the agent holds every role, and yet may never vote on it.
        asking = dict.fromkeys((OWNER, REQUESTER), frozenset({OPERATOR, ADMIN}))
        self.people: dict[PersonId, frozenset[str]] = {**asking, **PEOPLE}
        self.tickets: dict[TicketId, Ticket] = {}
        self.idempotency: dict[tuple[str, str, str], Remembered] = {}
        self.history: dict[TicketId, list[tuple[ev.TicketEvent, datetime]]] = {}
        self.effects: Counter[tuple[TicketId, int]] = Counter()
        self.runs = 0

    # The writer

    def _state(self) -> State:
        return State(
            at=self.at,
            control=self.control,
            tickets=self.tickets,
            idempotency=self.idempotency,  # type: ignore[arg-type]
            pending=sum(t.state is S.PENDING for t in self.tickets.values()),
        )

    def _commit(self, result: Result[object]) -> PlacetError | None:
        for happened in result.events:
            if isinstance(happened, ctl.ControlEvent):
                self.control = ctl.evolve(self.control, happened, self.at)
            elif isinstance(happened, ev.TicketEvent):
                self._append(happened)
        return result.reply if isinstance(result.reply, PlacetError) else None

    def _append(self, happened: ev.TicketEvent) -> None:
        key = happened.ticket_id
        before = self.tickets.get(key)
        after = evolve(before, happened, self.at)
        self._check_move(before, after, happened)
        if before is None:
            name = (after.ask.tenant, after.ask.agent, after.ask.idempotency_key)
            self.idempotency[name] = Remembered(
                request_digest=after.ask.request_digest, ticket_id=key
            )
        self.tickets[key] = after
        self.history.setdefault(key, []).append((happened, self.at))

    def _check_move(self, before: Ticket | None, after: Ticket, happened: ev.TicketEvent) -> None:
        was = before.state if before else None
        if after.state is not was:
            assert after.state in TRANSITIONS[was]
            event(f"{was} -> {after.state}")
        if after.state is S.EXPIRED and was is not S.EXPIRED:
            assert self.at >= after.expires_at
        if isinstance(happened, ev.TicketRejected | ev.TicketApproved):
            assert self.at < after.expires_at or happened.__class__ is ev.TicketRejected
        if isinstance(happened, ev.VoteCast):
            assert before
            assert before.state is S.PENDING
            assert self.at < before.expires_at
            assert happened.revision == before.revision
            self._check_vote(before, happened.vote)
        if isinstance(happened, run_ev.ExecutionStarted | run_ev.GrantRedeemed):
            self._check_effect(before, happened)
        if before:
            assert after.expires_at <= before.expires_at
            assert after.revision in (before.revision, before.revision + 1)
        if before and after.revision != before.revision:
            assert after.votes == ()
            assert after.binding != before.binding

    def _check_vote(self, ticket: Ticket, vote: Vote) -> None:
        """Whoever cast it: an eligible person, for what is bound now, with open eyes."""
        approves = vote.choice is Choice.APPROVE
        assert vote.person not in (ticket.ask.excluded if approves else ticket.ask.owners)
        assert vote.role in self.people[vote.person]
        assert ticket.ruling.requirement
        assert vote.weight == ticket.ruling.requirement.weight_of(vote.role)
        if approves:
            assert self.control.freeze_of(ticket.ask.agent) is None
            assert ticket.has_seen_all(vote.person)

    def _check_effect(
        self, before: Ticket | None, happened: run_ev.ExecutionStarted | run_ev.GrantRedeemed
    ) -> None:
        """An effect needs an approval that stands, was confirmed lately and never used."""
        assert before
        assert before.state is S.APPROVED
        assert self.control.freeze_of(before.ask.agent) is None
        assert self.at < before.expires_at
        assert before.cleared_at
        assert self.at - before.cleared_at < timedelta(seconds=60)
        assert happened.action_digest == before.ask.action_digest
        self.effects[(before.id, before.revision)] += 1
        assert self.effects[(before.id, before.revision)] == 1
        if isinstance(happened, run_ev.GrantRedeemed):
            assert [key for key, _ in self.effects].count(before.id) == 1

    def _handle(self, command: cmd.Command) -> PlacetError | None:
        """Run a command; a refusal may leave a record of itself or an expiry, and nothing else."""
        before = self.tickets[command.ticket_id]
        result = steps.handle(self._state(), command, TENANT, {})
        refusal = self._commit(result)
        if refusal is not None:
            allowed = (ev.VoteRefused, ev.TicketExpired)
            assert all(isinstance(happened, allowed) for happened in result.events)
            after = self.tickets[command.ticket_id]
            if after.state is not S.EXPIRED or before.state is S.EXPIRED:
                assert after == replace(
                    before, refusals=after.refusals, updated_at=after.updated_at
                )
        event(f"{type(command).__name__}: {refusal.code if refusal else 'ok'}")
        return refusal

    def _ticket(self, number: int) -> Ticket:
        keys = list(self.tickets)
        return self.tickets[keys[number % len(keys)]]

    def _person(self, who: PersonId) -> Person:
        roles = self.people.get(who, frozenset())
        return Person(id=who, tenant=TENANT, roles=roles, resolved_at=self.at)

    def _eligible(self) -> Eligible:
        return {who: held for who, held in self.people.items() if held}

    # What happens

    @initialize(
        dispatch=st.sampled_from(list(Dispatch)),
        tier=st.sampled_from(sorted(TIERS)),
        long=st.booleans(),
    )
    def begin(self, dispatch: Dispatch, tier: str, long: bool):
        for number, effect in enumerate((Effect.REQUIRE_APPROVAL, Effect.ALLOW)):
            self.submit(
                agent_id=AGENTS[0],
                key=number,
                tier=tier,
                effect=effect,
                dispatch=dispatch,
                long=long,
                ttl=None,
            )

    @rule(
        agent_id=st.sampled_from(AGENTS),
        key=st.integers(0, 3),
        tier=st.sampled_from(sorted(TIERS)),
        effect=st.sampled_from(_EFFECTS),
        dispatch=st.sampled_from(list(Dispatch)),
        long=st.booleans(),
        ttl=st.sampled_from([None, None, None, 60]),
    )
    def submit(
        self,
        *,
        agent_id: str,
        key: int,
        tier: str,
        effect: Effect,
        dispatch: Dispatch,
        long: bool,
        ttl: int | None,
    ):
        words = "x" * 5_000 if long else "x"
        asked = request(
            agent=agent_id,
            dispatch=dispatch,
            content=Content(prompt=words),
            idempotency_key=f"key-{key}",
            ttl_s=ttl,
        )
        given = Submission(
            ticket_id=TicketId(f"t-{len(self.history) + 1}"),
            request=asked,
            agent=agent(id=agent_id),
            decision=self._decision(effect, tier),
            content=b"",
            content_digest=content_digest(b""),
            eligible=self._eligible(),
            max_pending=4,
        )
        frozen = self.control.freeze_of(asked.agent)
        result = steps.submit(self._state(), given, request_digest(asked))
        refusal = self._commit(result)
        assert not (frozen and result.events)
        if refusal is None and not result.events:
            assert isinstance(result.reply, steps.Submitted)
            assert result.reply.is_repeat

    def _decision(self, effect: Effect, tier: str) -> Decision:
        wanted = TIERS[tier] if effect is Effect.REQUIRE_APPROVAL else None
        return decision(effect, requirement=wanted)

    @precondition(lambda self: self.tickets)
    @rule(
        number=_TICKETS,
        who=_PEOPLE,
        choice=st.sampled_from([Choice.APPROVE] * 5 + [Choice.REJECT]),
        role=st.sampled_from([None, None, None, OPERATOR, ADMIN, "visitor"]),
        stale=_STALE,
        wrong_binding=st.sampled_from([False, False, True]),
        comment=st.booleans(),
    )
    def vote(
        self,
        *,
        number: int,
        who: PersonId,
        choice: Choice,
        role: str | None,
        stale: int,
        wrong_binding: bool,
        comment: bool,
    ):
        ticket = self._ticket(number)
        voter = self._person(who)
        held = sorted(voter.roles) or [OPERATOR]
        as_role = role or held[-1]
        needed = ticket.ruling.requirement
        usual = self._ballot(ticket, who, as_role, choice)
        refusal = self._handle(
            replace(
                usual,
                revision=ticket.revision + stale,
                binding="0" * 64 if wrong_binding else ticket.binding,
                comment_digest=usual.comment_digest if comment else "",
            )
        )
        after = self.tickets[ticket.id]
        counted = refusal is None and after.votes != ticket.votes
        if counted:
            assert not stale
            assert not wrong_binding
            assert comment or not needed or not needed.comment_required

    @precondition(lambda self: self.tickets)
    @rule(
        number=_TICKETS,
        far=st.integers(1, 8),
        luck=st.sampled_from(["success", "failure", "lost"]),
    )
    def go_on(self, number: int, far: int, luck: str):
        """What everybody means to happen, so that histories get far enough to go wrong."""
        key = self._ticket(number).id
        for _ in range(far):
            self._next(self.tickets[key], luck)

    @precondition(lambda self: self.tickets)
    @rule(luck=st.sampled_from(["success", "failure", "lost"]))
    def go_on_with_all(self, luck: str):
        """One step each, so that many tickets are under way at once."""
        for ticket in list(self.tickets.values()):
            self._next(ticket, luck)

    def _next(self, ticket: Ticket, luck: str) -> None:
        key, state = ticket.id, ticket.state
        if state is S.PENDING:
            self._good_vote(ticket)
        elif state is S.APPROVED and ticket.cleared_at != self.at:
            self.clear_now(ticket, stale=0, gone=None)
        elif state is S.APPROVED and ticket.ask.dispatch is Dispatch.EXECUTE:
            self._start(ticket, ticket.ask.action_digest, SandboxTier.A)
        elif state is S.APPROVED:
            self._handle(cmd.RedeemGrant(ticket_id=key, agent=ticket.ask.agent, grant_id="g"))
        elif state is S.EXECUTING and luck != "lost":
            assert ticket.run
            status = RunStatus.SUCCEEDED if luck == "success" else RunStatus.FAILED
            self._handle(
                cmd.RecordOutcome(ticket_id=key, run_id=ticket.run.id, report=report(status))
            )
        elif state is S.EXECUTING:
            self.at += timedelta(seconds=30)
            self._handle(cmd.DeclareLost(ticket_id=key))
        elif state is S.UNKNOWN:
            self._handle(
                cmd.ResolveUnknown(
                    ticket_id=key,
                    person=self._person(BEN if ticket.attested else ANNA),
                    took_effect=False,
                    comment_digest="c",
                    standing=self._eligible(),
                )
            )

    def _good_vote(self, ticket: Ticket) -> None:
        needed = ticket.ruling.requirement
        assert needed
        for who, held in self._eligible().items():
            roles = [item.role for item in needed.roles if item.role in held]
            if roles and ticket.vote_of(who) is None and who not in ticket.ask.excluded:
                view = cmd.OpenFullView(ticket_id=ticket.id, revision=ticket.revision, person=who)
                self._handle(view)
                self._handle(self._ballot(self.tickets[ticket.id], who, roles[-1]))
                return

    def _ballot(
        self, ticket: Ticket, who: PersonId, role: str, choice: Choice = Choice.APPROVE
    ) -> cmd.CastVote:
        needed = ticket.ruling.requirement
        return cmd.CastVote(
            ticket_id=ticket.id,
            revision=ticket.revision,
            person=self._person(who),
            choice=choice,
            role=role,
            weight=(needed.weight_of(role) if needed else None) or 0,
            binding=ticket.binding,
            signed_at=self.at,
            nonce="1",
            key_id=role,
            signature="s",
            comment_digest="c" * 64,
            eligible=self._eligible(),
        )

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, who=_PEOPLE, stale=_STALE)
    def withdraw(self, number: int, who: PersonId, stale: int):
        ticket = self._ticket(number)
        revision = ticket.revision + stale
        self._handle(
            cmd.WithdrawVote(ticket_id=ticket.id, revision=revision, person=self._person(who))
        )
        assert ticket.state is S.PENDING or self.tickets[ticket.id] == ticket

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, who=_PEOPLE, stale=_STALE)
    def read_whole(self, number: int, who: PersonId, stale: int):
        ticket = self._ticket(number)
        revision = ticket.revision + stale
        self._handle(cmd.OpenFullView(ticket_id=ticket.id, revision=revision, person=who))

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, who=_PEOPLE, code=st.sampled_from([Code.VOTER_IS_BOT, Code.EXPIRED]))
    def strange_vote(self, number: int, who: PersonId, code: Code):
        ticket = self._ticket(number)
        refused = cmd.RecordRefusal(
            ticket_id=ticket.id, person=who, choice=Choice.APPROVE, code=code, reason="no"
        )
        refusal = self._handle(refused)
        assert refusal
        assert refusal.code is code

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, who=_PEOPLE, agent_id=st.sampled_from([None, None, *AGENTS]))
    def cancel(self, number: int, who: PersonId, agent_id: str | None):
        ticket = self._ticket(number)
        self._handle(
            cmd.CancelTicket(
                ticket_id=ticket.id,
                actor="x",
                agent=agent_id,  # type: ignore[arg-type]
                person=None if agent_id else who,
            )
        )

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, who=_PEOPLE)
    def stop(self, number: int, who: PersonId):
        self._handle(cmd.StopTicket(ticket_id=self._ticket(number).id, person=self._person(who)))

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, stale=_STALE, gone=st.sampled_from([None] * 7 + [OWNER]))
    def clear(self, number: int, stale: int, gone: PersonId | None):
        ticket = self._ticket(number)
        self.clear_now(ticket, stale=stale, gone=gone)
        assert not stale or self.tickets[ticket.id] == ticket

    def clear_now(self, ticket: Ticket, *, stale: int, gone: PersonId | None) -> None:
        """What the service would have found in the directory just now."""
        standing = {
            vote.person: self.people[vote.person]
            for vote in ticket.votes
            if self.people.get(vote.person)
        }
        self._handle(
            cmd.ClearExecution(
                ticket_id=ticket.id,
                revision=ticket.revision + stale,
                standing=standing,
                withdrawn=gone,
            )
        )

    @precondition(lambda self: self.tickets)
    @rule(
        number=_TICKETS,
        digest=st.sampled_from(["", "", "", "0" * 64]),
        tier=st.sampled_from([SandboxTier.A, SandboxTier.A_MINUS, SandboxTier.C]),
    )
    def start(self, number: int, digest: str, tier: SandboxTier):
        ticket = self._ticket(number)
        refusal = self._start(ticket, digest or ticket.ask.action_digest, tier)
        assert refusal or not digest
        assert refusal or SandboxTier(ticket.ruling.sandbox).accepts(tier)

    def _start(self, ticket: Ticket, digest: str, tier: SandboxTier) -> PlacetError | None:
        self.runs += 1
        return self._handle(
            cmd.StartExecution(
                ticket_id=ticket.id,
                run_id=f"run-{self.runs}",
                executor="e",
                lease_s=30,
                action_digest=digest,
                plan_digest=ticket.ruling.plan_digest,
                sandbox=tier,
            )
        )

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS)
    def defer(self, number: int):
        key = self._ticket(number).id
        self._handle(cmd.DeferExecution(ticket_id=key, code=Code.NO_SANDBOX, reason="none"))

    @precondition(lambda self: self.tickets)
    @rule(
        number=_TICKETS,
        status=st.sampled_from(list(RunStatus)),
        other_run=st.booleans(),
    )
    def outcome(self, number: int, status: RunStatus, other_run: bool):
        ticket = self._ticket(number)
        run_id = ticket.run.id if ticket.run and not other_run else "run-x"
        refusal = self._handle(
            cmd.RecordOutcome(ticket_id=ticket.id, run_id=run_id, report=report(status))
        )
        assert refusal or ticket.state is S.EXECUTING
        assert refusal or not other_run

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS)
    def lose(self, number: int):
        ticket = self._ticket(number)
        self._handle(cmd.DeclareLost(ticket_id=ticket.id))
        if self.tickets[ticket.id] != ticket:
            assert ticket.run
            assert self.at >= ticket.run.lease_until

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, who=_PEOPLE, took_effect=st.booleans())
    def resolve(self, number: int, who: PersonId, took_effect: bool):
        ticket = self._ticket(number)
        self._handle(
            cmd.ResolveUnknown(
                ticket_id=ticket.id,
                person=self._person(who),
                took_effect=took_effect,
                comment_digest="c",
                standing=self._eligible(),
            )
        )
        if who in ticket.ask.excluded:
            assert self.tickets[ticket.id] == ticket

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, other=st.sampled_from([False] * 5 + [True]))
    def redeem(self, number: int, other: bool):
        ticket = self._ticket(number)
        mine = ticket.ask.agent
        redeemer = next(name for name in AGENTS if (name != mine) is other)
        refusal = self._handle(
            cmd.RedeemGrant(ticket_id=ticket.id, agent=redeemer, grant_id="g")  # type: ignore[arg-type]
        )
        assert refusal or not other

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, status=st.sampled_from(list(RunStatus)))
    def say(self, number: int, status: RunStatus):
        ticket = self._ticket(number)
        held = report(status, output_state=OutputState.QUARANTINED)
        said = cmd.ReportOutcome(ticket_id=ticket.id, agent=ticket.ask.agent, report=held)
        self._handle(said)

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS, who=_PEOPLE, shown=st.sampled_from(["", "9" * 64]))
    def judge_output(self, number: int, who: PersonId, shown: str):
        ticket = self._ticket(number)
        refusal = self._handle(
            cmd.JudgeOutput(
                ticket_id=ticket.id,
                person=self._person(who),
                shown_digest=shown,
                comment_digest="c",
            )
        )
        now, then = self.tickets[ticket.id].report, ticket.report
        assert (now, then) == (None, None) or (now and then)
        if now and then and now != then:
            assert not refusal
            assert then.output_state is OutputState.QUARANTINED
            assert who not in ticket.ask.excluded
            assert self.people[who]
        assert self.tickets[ticket.id].state is ticket.state

    @precondition(lambda self: self.tickets)
    @rule(
        number=_TICKETS,
        effect=st.sampled_from([*_EFFECTS, Effect.ALLOW_WITH_CONSTRAINTS]),
        tier=st.sampled_from(sorted(TIERS)),
        limit=st.sampled_from([59, 60, 61]),
    )
    def reassess(self, number: int, effect: Effect, tier: str, limit: int):
        ticket = self._ticket(number)
        new = self._decision(effect, tier)
        new = replace(new, constraints=replace(new.constraints, max_runtime_s=limit))
        self._handle(cmd.ReassessTicket(ticket_id=ticket.id, decision=new))
        if ticket.state not in (S.PENDING, S.APPROVED):
            assert self.tickets[ticket.id] == ticket

    @rule(seconds=st.sampled_from([1, 20, 59, 60, 400, 4000]))
    def time_passes(self, seconds: int):
        self.at += timedelta(seconds=seconds)

    @precondition(lambda self: self.tickets)
    @rule(number=_TICKETS)
    def sweep(self, number: int):
        ticket = self._ticket(number)
        for command in (
            cmd.ExpireTicket(ticket_id=ticket.id),
            cmd.MarkOverdue(ticket_id=ticket.id),
        ):
            assert self._handle(command) is None
        now = self.tickets[ticket.id]
        assert now.state not in (S.PENDING, S.APPROVED) or self.at < now.expires_at

    @precondition(lambda self: self.tickets)
    @rule(
        number=_TICKETS,
        step=st.integers(1, 3),
        people=st.lists(st.sampled_from([ANNA, BEN, CARA, DAN]), max_size=4).map(tuple),
    )
    def time_nudges(self, number: int, step: int, people: tuple[PersonId, ...]):
        before = self._ticket(number)
        named = {"ticket_id": before.id, "revision": before.revision, "people": people}
        for command in (
            nudge_cmd.RemindVoters(number=step, most_a_day=2, **named),
            nudge_cmd.EscalateTicket(step=step, **named),
            nudge_cmd.RemindResolvers(most_a_day=2, **named),
        ):
            assert self._handle(command) is None
        after = self.tickets[before.id]
        assert (after.state, after.votes, after.binding) == (
            *(before.state, before.votes, before.binding),
        )
        told = after.reminders[len(before.reminders) :]
        for person in {one for reminder in told for one in reminder.people}:
            assert before.state in (S.PENDING, S.UNKNOWN)
            assert before.state is S.UNKNOWN or before.vote_of(person) is None
            assert not lost.has_spoken(before, {person})
            assert person not in before.ask.excluded
        assert len({one.step for one in after.escalated}) == len(after.escalated)

    @rule(who=st.sampled_from([ANNA, BEN, CARA, DAN]), roles=st.sampled_from([(), (OPERATOR,)]))
    def role_changes(self, who: PersonId, roles: tuple[str, ...]):
        self.people[who] = frozenset(roles) if self.people[who] == PEOPLE[who] else PEOPLE[who]

    @rule(whom=st.sampled_from([*AGENTS, EVERYONE]), who=st.sampled_from([ANNA, BEN]))
    def freeze(self, whom: str, who: PersonId):
        if not self._person(who).roles:
            return
        person = self._person(who)
        state = self._state()
        self._commit(
            control_steps.freeze(state, tenant=TENANT, target=whom, person=person, reason="")
        )
        assert whom in self.control.frozen

    @precondition(lambda self: self.control.frozen)
    @rule(who=st.sampled_from([ANNA, BEN]), number=_TICKETS)
    def unfreeze(self, who: PersonId, number: int):
        if not self._person(who).roles:
            return
        targets = sorted(self.control.frozen)
        target = targets[number % len(targets)]
        frozen = self.control.frozen[target]
        person = self._person(who)
        self._commit(
            control_steps.unfreeze(self._state(), tenant=TENANT, target=target, person=person)
        )
        lifted = target not in self.control.frozen
        assert lifted is (frozen.unfreeze_asked_by not in (None, who))

    # What always holds

    @invariant()
    def approved_means_basis_policy_or_a_met_quorum(self):
        for ticket in self.tickets.values():
            if ticket.state not in (S.APPROVED, S.EXECUTING, S.RELEASED):
                continue
            needed = ticket.ruling.requirement
            if ticket.basis is Basis.POLICY:
                assert needed is None
                continue
            assert ticket.basis is Basis.PEOPLE
            assert needed
            weight, enough = _weight(needed, ticket)
            assert weight >= needed.threshold
            assert enough

    @invariant()
    def one_person_has_one_vote_and_nobody_votes_for_themselves(self):
        for ticket in self.tickets.values():
            voters = [vote.person for vote in ticket.votes]
            assert len(voters) == len(set(voters))
            approving = {v.person for v in ticket.votes if v.choice is Choice.APPROVE}
            assert not ticket.ask.excluded & approving
            assert not {*ticket.ask.owners} & {*voters}

    @invariant()
    def what_became_of_a_run_is_said_by_two_where_one_vote_is_not_enough(self):
        for key, events in self.history.items():
            needed: Requirement | None = None
            for happened, _ in events:
                if isinstance(happened, ev.TicketOpened | ev.TicketRevised):
                    needed = happened.ruling.requirement
                if isinstance(happened, run_ev.UnknownResolved):
                    alone = needed is None or not asks_for_two(needed)
                    assert len({*happened.people}) > (0 if alone else 1), key
                    assert not self.tickets[key].ask.excluded & {*happened.people}

    @invariant()
    def no_request_fails_more_often_than_it_may(self):
        assert all(ticket.failures <= MAX_FAILED_RUNS for ticket in self.tickets.values())

    @invariant()
    def nothing_waits_for_votes_that_nobody_may_cast(self):
        for ticket in self.tickets.values():
            assert ticket.state is not S.PENDING or ticket.ruling.requirement is not None

    @invariant()
    def the_events_tell_the_whole_story(self):
        for key, events in self.history.items():
            ticket: Ticket | None = None
            for happened, at in events:
                ended = ticket is not None and ticket.state in ENDS
                before = ticket
                ticket = evolve(ticket, happened, at)
                if ended:
                    assert before
                    assert ticket.state is before.state
                    assert ticket.votes == before.votes
            assert ticket == self.tickets[key]


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=3 * settings().max_examples, stateful_step_count=50, deadline=None
)
