"""Pure steps: what the writer runs inside its transaction.

Lives here: what becomes of requests and tickets, from committed ``State`` to a ``Result``.
Must not live here: the control state (``control_steps``), floods (``refusals``), I/O, directories,
signing. Law: every check that guards a state change is made here, on state read inside the
transaction; nothing that was read earlier is trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from governance import keys as signing_keys
from governance.action import ActionRequest
from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.making import quickly_made
from governance.policy import evaluate as policy
from governance.policy import facts
from governance.policy.decision import Decision, Effect
from governance.policy.facts import Considered
from governance.policy.throttle import take
from governance.ports import Result, State
from governance.principal import TenantId
from governance.refusals import one_of_many, rule_of
from governance.sentences import Sentence
from governance.submission import Submission
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import lifecycle
from governance.tickets import run_events as run_ev
from governance.tickets._opening import ruling_of
from governance.tickets.ticket import Ticket, TicketId, TicketState

_STARTS = (run_ev.ExecutionStarted, run_ev.GrantRedeemed)
"""Nothing of these happens on the word of a bundle that is no longer the active one."""
_KEPT = 10
"""One place in so many of the approval queue is kept for agents of which none waits."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of a submitted request.

    ``ticket_id`` is None when it was throttled, and when it was one of so many refusals that it
    was only counted.
    """

    effect: Effect
    ticket_id: TicketId | None
    reason: str = ""
    is_repeat: bool = False
    retry_after_s: int = 0
    ticket: Ticket | None = None
    rule_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """The ticket after a command; ``is_changed`` False: it already was so."""

    ticket: Ticket
    is_changed: bool


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A decision with its buckets charged: THROTTLE when one was empty."""

    decision: Decision
    counters: tuple[ev.Counter, ...]
    retry_after_s: int


def repeat_of(ticket: Ticket) -> Submitted:
    """The answer to a request that opened ``ticket`` before."""
    effect = ticket.ruling.effect
    return Submitted(effect=effect, ticket_id=ticket.id, is_repeat=True, ticket=ticket)


def submit(state: State, given: Submission, request_digest: str) -> Result[Submitted]:
    """Open the ticket of a request, or say which one it already has."""
    known = state.idempotency.get(given.idempotency)
    if known is not None:
        if known.request_digest != request_digest:
            message = Sentence("this idempotency key was used for another request")
            return Result(reply=Refused(Code.IDEMPOTENCY_CONFLICT, message))
        repeat = Submitted(effect=given.decision.effect, ticket_id=known.ticket_id, is_repeat=True)
        return Result(reply=repeat)
    stale = _not_now(state, given.request, given.decision)
    if stale is not None:
        return Result(reply=stale)
    decision, considered = _decided(state, given)
    settled = settle(decision, state)
    if settled.decision.effect is Effect.THROTTLE:
        return _throttled(state, given, settled, considered)
    if settled.decision.effect is Effect.REQUIRE_APPROVAL:
        blocked = given.unresolved or _queue_full(state, given)
        if blocked is not None:
            return Result(reply=blocked)
    opening = cmd.OpenTicket(
        ticket_id=given.ticket_id,
        request=given.request,
        agent=given.agent,
        decision=settled.decision,
        content_digest=given.content_digest,
        eligible=given.eligible,
        considered=considered,
        digests=given.digests,
    )
    decided = lifecycle.open_ticket(opening, state.at, settled.counters)
    ticket = lifecycle.evolve(None, decided.events[0], state.at)
    done = Submitted(
        effect=settled.decision.effect,
        ticket_id=given.ticket_id,
        reason=settled.decision.reason,
        ticket=ticket,
    )
    result: Result[Submitted] = Result(
        reply=decided.refusal or done,
        events=decided.events,
        contents={given.content_digest: given.content},
    )
    if ticket.state is not TicketState.DENIED:
        return result
    code = "" if decided.refusal is None else decided.refusal.code.value
    only_counted = decided.refusal or replace(
        done, ticket_id=None, ticket=None, rule_id=rule_of(settled.decision)
    )
    return one_of_many(state, given.limit, settled.decision, result, only_counted, code=code)


def _queue_full(state: State, given: Submission) -> Refused | None:
    """Which bound of the approval queue is reached, the agent's own first.

    The last places are for agents of which none waits: however many ask for all that they may,
    another one can still reach people.
    """
    # An agent that was not counted may have them all: it is refused rather than let through.
    own = state.pending_of.get(given.asker, state.pending)
    if own >= given.max_pending_per_agent:
        return Refused(
            Code.QUEUE_FULL,
            Sentence(
                "{count} tickets of agent {agent} wait already, at most {most}",
                count=own,
                agent=given.agent.id,
                most=given.max_pending_per_agent,
            ),
        )
    full = Sentence(
        "{count} tickets of tenant {tenant} wait already, at most {most}",
        count=state.pending,
        tenant=given.request.tenant,
        most=given.max_pending,
    )
    if state.pending >= given.max_pending:
        return Refused(Code.QUEUE_FULL, full)
    kept = given.max_pending // _KEPT
    if own and state.pending >= given.max_pending - kept:
        rest = Sentence(
            "{full}, and the last {kept} are for agents of which none waits", full=full, kept=kept
        )
        return Refused(Code.QUEUE_FULL, rest)
    return None


def _not_now(state: State, request: ActionRequest, decision: Decision) -> PlacetError | None:
    if decision.snapshot != state.control.snapshot:
        return Unavailable(
            Code.SNAPSHOT_CHANGED,
            Sentence("this process's bundle is not the active one; try again"),
        )
    if state.control.freeze_of(request.agent) is not None:
        return Refused(Code.FROZEN, f"{request.agent} is frozen by an approver")
    return None


def settle(decision: Decision, state: State) -> Settled:
    """Charge the decision's buckets; the first empty one throttles, unless it is denied anyway."""
    if decision.effect.rank >= Effect.THROTTLE.rank:
        return Settled(decision=decision, counters=(), retry_after_s=decision.retry_after_s)
    counters: list[ev.Counter] = []
    for demand in decision.demands:
        taken = take(state.buckets.get(demand.key), demand, state.at)
        if not taken.ok:
            throttled = replace(
                decision,
                effect=Effect.THROTTLE,
                reason=f"rule {demand.rule_id}: too many of these now",
                rule_ids=(demand.rule_id,),
            )
            return Settled(decision=throttled, counters=(), retry_after_s=taken.retry_after_s)
        counters.append((demand.key, taken.bucket.tokens_milli, taken.bucket.updated_at))
    return Settled(decision=decision, counters=tuple(counters), retry_after_s=0)


def _decided(state: State, given: Submission) -> tuple[Decision, Considered | None]:
    """The decision, made on the past where the bundle's rules look at it."""
    wanted = given.wanted
    if given.bundle is None or wanted is None:
        return given.decision, None
    decision = policy.evaluate(
        given.request, given.agent, given.bundle, at=state.at, past=state.past
    )
    return decision, facts.considered(wanted, state.past)


def _throttled(
    state: State, given: Submission, settled: Settled, considered: Considered | None
) -> Result[Submitted]:
    event = ev.SubmissionThrottled(
        ask=given.ask(settled.decision),
        ruling=ruling_of(settled.decision),
        retry_after_s=settled.retry_after_s,
        trace=settled.decision.trace,
        considered=considered,
    )
    reply = Submitted(
        effect=Effect.THROTTLE,
        ticket_id=None,
        reason=settled.decision.reason,
        retry_after_s=settled.retry_after_s,
        rule_id=rule_of(settled.decision),
    )
    recorded: Result[Submitted] = Result(reply=reply, events=(event,))
    return one_of_many(state, given.limit, settled.decision, recorded, reply)


def evaluate(state: State, given: Submission) -> Result[Settled]:
    """Record a decision that was asked for without a job."""
    stale = _not_now(state, given.request, given.decision)
    if stale is not None:
        return Result(reply=stale)
    decision, considered = _decided(state, given)
    settled = settle(decision, state)
    event = ev.DecisionEvaluated(
        ask=given.ask(settled.decision),
        ruling=ruling_of(settled.decision),
        counters=settled.counters,
        trace=settled.decision.trace,
        action=settled.decision.action,
        data_classes=settled.decision.data_classes,
        considered=considered,
    )
    recorded: Result[Settled] = Result(reply=settled, events=(event,))
    if settled.decision.effect.rank < Effect.THROTTLE.rank:
        return recorded
    return one_of_many(state, given.limit, settled.decision, recorded, settled)


def handle(
    state: State, command: cmd.Command, tenant: TenantId, contents: Mapping[str, bytes]
) -> Result[Handled]:
    """Run one command against its ticket."""
    ticket = state.tickets.get(command.ticket_id)
    if ticket is None or ticket.ask.tenant != tenant:
        return Result(
            reply=Refused(Code.NOT_FOUND, Sentence("no ticket {ticket}", ticket=command.ticket_id))
        )
    frozen = state.control.freeze_of(ticket.ask.agent) is not None
    match command:
        case cmd.CastVote(delegator=str(), snapshot=by) if by != state.control.snapshot:
            message = Sentence("another bundle says now what may be delegated; try again")
            return Result(reply=Unavailable(Code.SNAPSHOT_CHANGED, message))
    lent = state.control.delegations
    decided = lifecycle.decide(ticket, command, state.at, is_frozen=frozen, delegations=lent)
    is_start = any(isinstance(event, _STARTS) for event in decided.events)
    if is_start and ticket.judged_by != state.control.snapshot:
        message = Sentence(
            "ticket {ticket} is yet to be judged by the active bundle; try again", ticket=ticket.id
        )
        return Result(reply=Unavailable(Code.SNAPSHOT_CHANGED, message))
    votes = [event.vote for event in decided.events if isinstance(event, ev.VoteCast)]
    for vote in votes:  # its key may have been rotated or revoked since it was signed
        void = signing_keys.check_active(state.control, vote.key_id, f"vote:{vote.role}")
        if void is not None:
            return Result(reply=void)
    for event in decided.events:
        ticket = lifecycle.evolve(ticket, event, state.at)
    reply = Handled(ticket=ticket, is_changed=bool(decided.events))
    kept = contents if decided.events else {}
    return Result(reply=decided.refusal or reply, events=decided.events, contents=kept)
