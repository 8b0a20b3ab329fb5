"""Pure steps: what the writer runs inside its transaction.

Lives here: functions from committed ``State`` to a ``Result``; ``service`` alone uses them.
Must not live here: I/O, directories, signing. Law: every check that guards a state change is made
here, on state read inside the transaction; nothing that was read earlier is trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from governance import control as ctl
from governance.action import ActionRequest
from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.policy.decision import Decision, Effect
from governance.policy.throttle import take
from governance.ports import AgentKey, IdempotencyKey, Result, State
from governance.principal import Agent, Credential, Eligible, Person, TenantId
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import lifecycle
from governance.tickets._opening import ask_of, ruling_of
from governance.tickets.ticket import Ticket, TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What became of a submitted request; ``ticket_id`` is None when it was throttled."""

    effect: Effect
    ticket_id: TicketId | None
    reason: str = ""
    is_repeat: bool = False
    retry_after_s: int = 0
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """The ticket after a command; ``is_changed`` False: it already was so."""

    ticket: Ticket
    is_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A decision with its buckets charged: THROTTLE when one was empty."""

    decision: Decision
    counters: tuple[ev.Counter, ...]
    retry_after_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Everything about a request that was known before the transaction."""

    ticket_id: TicketId
    request: ActionRequest
    agent: Agent
    decision: Decision
    content: bytes
    content_digest: str
    eligible: Eligible
    max_pending: int
    max_pending_per_agent: int = 50

    @property
    def idempotency(self) -> IdempotencyKey:
        """The key under which a repeat is recognised."""
        return (self.request.tenant, self.agent.id, self.request.idempotency_key)

    @property
    def asker(self) -> AgentKey:
        """Whose pending tickets are counted."""
        return (self.request.tenant, self.agent.id)


def submit(state: State, given: Submission, request_digest: str) -> Result[Submitted]:
    """Open the ticket of a request, or say which one it already has."""
    known = state.idempotency.get(given.idempotency)
    if known is not None:
        if known.request_digest != request_digest:
            message = "this idempotency key was used for another request"
            return Result(reply=Refused(Code.IDEMPOTENCY_CONFLICT, message))
        repeat = Submitted(effect=given.decision.effect, ticket_id=known.ticket_id, is_repeat=True)
        return Result(reply=repeat)
    stale = _not_now(state, given.request, given.decision)
    if stale is not None:
        return Result(reply=stale)
    settled = settle(given.decision, state)
    if settled.decision.effect is Effect.THROTTLE:
        return _throttled(given, settled)
    is_asking = settled.decision.effect is Effect.REQUIRE_APPROVAL
    full = _queue_full(state, given) if is_asking else None
    if full is not None:
        return Result(reply=full)
    opening = cmd.OpenTicket(
        ticket_id=given.ticket_id,
        request=given.request,
        agent=given.agent,
        decision=settled.decision,
        content_digest=given.content_digest,
        eligible=given.eligible,
    )
    decided = lifecycle.open_ticket(opening, state.at, settled.counters)
    ticket = lifecycle.evolve(None, decided.events[0], state.at)
    done = Submitted(
        effect=settled.decision.effect,
        ticket_id=given.ticket_id,
        reason=settled.decision.reason,
        ticket=ticket,
    )
    return Result(
        reply=decided.refusal or done,
        events=decided.events,
        contents={given.content_digest: given.content},
    )


def _queue_full(state: State, given: Submission) -> Refused | None:
    """Which bound of the approval queue is reached, the agent's own first."""
    # An agent that was not counted may have them all: it is refused rather than let through.
    own = state.pending_of.get(given.asker, state.pending)
    if own >= given.max_pending_per_agent:
        return Refused(
            Code.QUEUE_FULL,
            f"{own} tickets of agent {given.agent.id} wait already, "
            f"at most {given.max_pending_per_agent}",
        )
    if state.pending >= given.max_pending:
        return Refused(
            Code.QUEUE_FULL,
            f"{state.pending} tickets of tenant {given.request.tenant} wait already, "
            f"at most {given.max_pending}",
        )
    return None


def _not_now(state: State, request: ActionRequest, decision: Decision) -> PlacetError | None:
    if decision.snapshot != state.control.snapshot:
        return Unavailable(
            Code.SNAPSHOT_CHANGED, "this process's bundle is not the active one; try again"
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


def _throttled(given: Submission, settled: Settled) -> Result[Submitted]:
    event = ev.SubmissionThrottled(
        ask=ask_of(given.request, given.agent, settled.decision, content=given.content_digest),
        ruling=ruling_of(settled.decision),
        retry_after_s=settled.retry_after_s,
        trace=settled.decision.trace,
    )
    reply = Submitted(
        effect=Effect.THROTTLE,
        ticket_id=None,
        reason=settled.decision.reason,
        retry_after_s=settled.retry_after_s,
    )
    return Result(reply=reply, events=(event,))


def evaluate(state: State, given: Submission) -> Result[Settled]:
    """Record a decision that was asked for without a job."""
    stale = _not_now(state, given.request, given.decision)
    if stale is not None:
        return Result(reply=stale)
    settled = settle(given.decision, state)
    event = ev.DecisionEvaluated(
        ask=ask_of(given.request, given.agent, settled.decision, content=given.content_digest),
        ruling=ruling_of(settled.decision),
        counters=settled.counters,
        trace=settled.decision.trace,
    )
    return Result(reply=settled, events=(event,))


def handle(
    state: State, command: cmd.Command, tenant: TenantId, contents: Mapping[str, bytes]
) -> Result[Handled]:
    """Run one command against its ticket."""
    ticket = state.tickets.get(command.ticket_id)
    if ticket is None or ticket.ask.tenant != tenant:
        return Result(reply=Refused(Code.NOT_FOUND, f"no ticket {command.ticket_id}"))
    frozen = state.control.freeze_of(ticket.ask.agent) is not None
    decided = lifecycle.decide(ticket, command, state.at, is_frozen=frozen)
    for event in decided.events:
        ticket = lifecycle.evolve(ticket, event, state.at)
    reply = Handled(ticket=ticket, is_changed=bool(decided.events))
    kept = contents if decided.events else {}
    return Result(reply=decided.refusal or reply, events=decided.events, contents=kept)


def freeze(
    state: State, *, tenant: TenantId, target: str, person: Person, reason: str
) -> Result[bool]:
    """Stop an agent, or all; False: it was stopped already."""
    events = ctl.freeze(state.control, tenant=tenant, target=target, person=person, reason=reason)
    return Result(reply=bool(events), events=events)


def unfreeze(state: State, *, tenant: TenantId, target: str, person: Person) -> Result[bool]:
    """Ask for, or agree to, lifting a freeze; True: it is lifted."""
    events = ctl.unfreeze(state.control, tenant=tenant, target=target, person=person)
    lifted = any(isinstance(event, ctl.AgentUnfrozen) for event in events)
    return Result(reply=lifted, events=events)


def activate(
    state: State,
    *,
    event: ctl.BundleActivated,
    source: bytes,
    only_first: bool,
) -> Result[bool]:
    """Make a bundle the active one; ``only_first``: only when none ever was."""
    current = state.control.snapshot
    if current == event.snapshot or (only_first and current):
        return Result(reply=False)
    return Result(reply=True, events=(event,), contents={event.content_digest: source})


def register_keys(state: State, tenant: TenantId, keys: tuple[ctl.PublicKey, ...]) -> Result[int]:
    """Put signing keys that the log does not know yet into it."""
    events = tuple(
        ctl.KeyRegistered(tenant=tenant, key=replace(key, valid_from=state.at))
        for key in keys
        if key.id not in state.control.keys
    )
    return Result(reply=len(events), events=events)


def issue(state: State, *, credential: Credential, actor: str) -> Result[Credential]:
    """Record a new credential."""
    stamped = replace(credential, issued_at=state.at)
    event = ctl.CredentialIssued(tenant=credential.tenant, actor=actor, credential=stamped)
    return Result(reply=stamped, events=(event,))


def revoke(*, tenant: TenantId, actor: str, credential_id: str) -> Result[None]:
    """Record that a credential no longer works."""
    event = ctl.CredentialRevoked(tenant=tenant, actor=actor, credential_id=credential_id)
    return Result(reply=None, events=(event,))


def sign_off(event: ctl.CheckpointSigned) -> Result[None]:
    """Record a signed checkpoint."""
    return Result(reply=None, events=(event,))


def is_overdue_answer(asked_at: datetime, answered_at: datetime, deadline_s: int) -> bool:
    """Whether a decision took longer than may be waited for."""
    return (answered_at - asked_at).total_seconds() > deadline_s
