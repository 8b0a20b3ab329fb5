"""How a ticket is born and how it is revised.

Lives here: the deciders for opening, revision and a newly activated bundle.
Must not live here: votes and runs. Law: required approvals come from policy, never from the
request; everything that people approve is frozen per revision; a revision voids every vote.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from governance.action import ActionRequest, Digests, Dispatch
from governance.digests import action_digest, digests_of
from governance.errors import Code, Refused
from governance.policy.decision import Decision, Effect, Requirement
from governance.principal import Agent, Eligible
from governance.sentences import Sentence
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets.binding import binding_of
from governance.tickets.decided import NOTHING, Decided
from governance.tickets.escalation import escalated, kept
from governance.tickets.quorum import is_reachable, tally
from governance.tickets.ticket import Ask, Basis, Claims, Ruling, Ticket, TicketState

MAX_TTL_S = 48 * 3600
DEFAULT_TTL_S = 3600
"""Life of a ticket that needs no people, and of one whose request names none."""
POLICY_CHANGED = "the active policy changed; ask again"
_STARTABLE = (TicketState.PENDING, TicketState.APPROVED)


def open_ticket(command: cmd.OpenTicket, at: datetime, counters: tuple[ev.Counter, ...]) -> Decided:
    """The one event with which a ticket is born; a refusal where no quorum could ever be met.

    Raises:
        Refused: ``ttl_out_of_range``; nothing is recorded then.
    """
    request = command.request
    ask = ask_of(
        request,
        command.agent,
        command.decision,
        content=command.content_digest,
        digests=command.digests,
    )
    eligible = without(command.eligible, ask)
    decision = escalated(command.decision, eligible)
    expires_at = at + timedelta(seconds=life_s(request, decision.requirement))
    ruling = ruling_of(decision)
    blocked = _why_never(decision, ask, eligible)
    if decision.effect is Effect.REQUIRE_APPROVAL and blocked is None:
        state, basis = TicketState.PENDING, None
    elif decision.effect.loosens:
        state, basis = TicketState.APPROVED, Basis.POLICY
    else:
        state, basis = TicketState.DENIED, None
    event = ev.TicketOpened(
        ticket_id=command.ticket_id,
        state=state,
        basis=basis,
        ask=ask,
        ruling=ruling,
        binding=bind(command.ticket_id, 1, ask, ruling, expires_at),
        expires_at=expires_at,
        counters=counters,
        trace=decision.trace,
        action=decision.action,
        data_classes=decision.data_classes,
        considered=command.considered,
    )
    return Decided(events=(event,), refusal=blocked)


def life_s(request: ActionRequest, requirement: Requirement | None) -> int:
    """Seconds until it expires: what was asked for, at most what the tier allows.

    Raises:
        Refused: ``ttl_out_of_range``: not in (0, 48 h].
    """
    most = requirement.ttl_s if requirement else DEFAULT_TTL_S
    asked = most if request.ttl_s is None else request.ttl_s
    if not 0 < asked <= MAX_TTL_S:
        raise Refused(
            Code.TTL_OUT_OF_RANGE,
            Sentence(
                "a ticket lives 1 to {most} seconds, got {asked}", most=MAX_TTL_S, asked=asked
            ),
        )
    return min(asked, most, MAX_TTL_S)


def _why_never(decision: Decision, ask: Ask, eligible: Eligible) -> Refused | None:
    """Why people could never approve this, if so."""
    if decision.effect is not Effect.REQUIRE_APPROVAL:
        return None
    requirement = decision.requirement
    if requirement is None:
        return Refused(
            Code.POLICY_UNAVAILABLE, Sentence("an approval is required and no tier says whose")
        )
    if ask.dispatch is Dispatch.RELEASE and not requirement.release_allowed:
        return Refused(
            Code.WRONG_DISPATCH,
            Sentence("tier {tier} does not release grants to agents", tier=requirement.tier),
        )
    if not is_reachable(requirement, (), eligible):
        missing = tally(requirement, ()).sentence()
        return Refused(
            Code.QUORUM_UNREACHABLE,
            Sentence(
                "tier {tier} {needs}; {count} people could vote",
                tier=requirement.tier,
                needs=missing,
                count=len(eligible),
            ),
        )
    return None


def without(eligible: Eligible, ask: Ask) -> Eligible:
    """The eligible people less whoever asks or answers for the agent."""
    return {person: roles for person, roles in eligible.items() if person not in ask.excluded}


def ask_of(
    request: ActionRequest,
    agent: Agent,
    decision: Decision,
    *,
    content: str,
    digests: Digests | None = None,
) -> Ask:
    """The part of a request that the log may keep; ``digests`` are the request's, if known.

    The digest is over the environment as policy took it, since that is what people are shown.
    """
    known = digests or digests_of(request)
    shown = known.action
    if decision.environment != request.environment:
        shown = action_digest(replace(request, environment=decision.environment))
    return Ask(
        tenant=request.tenant,
        agent=request.agent,
        on_behalf_of=request.on_behalf_of,
        owners=agent.owners,
        topic=request.topic,
        tool=request.tool,
        action=request.action,
        environment=decision.environment,
        target=request.target,
        capability=request.capability,
        risk_tags=decision.risk_tags,
        labels=tuple(sorted(request.labels.items())),
        data_class=decision.data_class,
        dispatch=request.dispatch,
        trace_id=request.trace_id,
        idempotency_key=request.idempotency_key,
        request_digest=known.request,
        content_digest=content,
        action_digest=shown,
        # What the card keeps to itself can be approved from Details only.
        needs_full_view=bool(decision.constraints.redact_deny) or known.needs_full_view,
        claims=Claims(
            environment=request.environment,
            risk_tags=request.risk_tags,
            requires=request.requires,
            data_classes=request.data_classes,
            ttl_s=request.ttl_s,
            agent_roles=agent.roles,
            agent_environments=agent.environments,
        ),
    )


def ruling_of(decision: Decision) -> Ruling:
    """The part of a decision that a ticket keeps; its trace is in the event only."""
    return Ruling(
        effect=decision.effect,
        reason=decision.reason,
        snapshot=decision.snapshot,
        rule_ids=decision.rule_ids,
        constraint_ids=decision.constraint_ids,
        constraint_id=decision.constraint_id,
        constraints=decision.constraints,
        warnings=decision.warnings,
        risk_tier=decision.risk_tier,
        requirement=decision.requirement,
        plan_digest=decision.plan_digest,
        sandbox=decision.sandbox.value,
        safety_bypassed=decision.safety_bypassed,
    )


def revise(
    ticket: Ticket, *, cause: str, note: str, ruling: Ruling | None = None
) -> ev.TicketRevised:
    """The event that makes ``ticket`` pending again, with every vote void."""
    new = ruling or ticket.ruling
    return ev.TicketRevised(
        ticket_id=ticket.id,
        revision=ticket.revision + 1,
        cause=cause,
        ruling=new,
        binding=bind(ticket.id, ticket.revision + 1, ticket.ask, new, ticket.expires_at),
        expires_at=ticket.expires_at,
        note=note,
    )


def bind(ticket_id: str, revision: int, ask: Ask, ruling: Ruling, expires_at: datetime) -> str:
    """The binding that belongs to these parts of a ticket."""
    return binding_of(
        ticket_id=ticket_id,
        revision=revision,
        action_digest=ask.action_digest,
        constraints=ruling.constraints,
        snapshot=ruling.snapshot,
        requirement=ruling.requirement,
        constraint_id=ruling.constraint_id,
        plan_digest=ruling.plan_digest,
        expires_at=expires_at,
    )


def reassess(ticket: Ticket, command: cmd.ReassessTicket) -> Decided:
    """Judge an open ticket by a new bundle: denied, revised, or upheld when not stricter.

    Cancelled where the new bundle is stricter and yet asks nobody.
    """
    ruling = ruling_of(kept(command.decision, ticket.ruling.requirement))
    if ticket.state not in _STARTABLE or ticket.judged_by == ruling.snapshot:
        return NOTHING
    if ruling.effect in (Effect.DENY, Effect.THROTTLE) or (
        ruling.effect is Effect.REQUIRE_APPROVAL and ruling.requirement is None
    ):
        denied = ev.TicketDenied(ticket_id=ticket.id, revision=ticket.revision, ruling=ruling)
        return Decided(events=(denied,))
    is_elsewhere = command.decision.environment != ticket.ask.environment
    if _is_no_stricter(ticket.ruling, ruling) and not is_elsewhere:
        upheld = ev.TicketUpheld(
            ticket_id=ticket.id, revision=ticket.revision, snapshot=ruling.snapshot
        )
        return Decided(events=(upheld,))
    if ruling.requirement is None or is_elsewhere:
        # Nobody is asked any more: a new revision would wait for votes that none may cast. Or the
        # action is not the one on the card: its environment counts as another one now.
        cancelled = ev.TicketCancelled(
            ticket_id=ticket.id,
            revision=ticket.revision,
            actor="system:placet",
            reason=POLICY_CHANGED,
        )
        return Decided(events=(cancelled,))
    note = "the active policy became stricter; votes on the earlier revision are void"
    return Decided(events=(revise(ticket, cause="policy_changed", note=note, ruling=ruling),))


def _is_no_stricter(old: Ruling, new: Ruling) -> bool:
    """Whether what was approved under ``old`` is surely allowed under ``new``."""
    return (
        new.effect.rank <= old.effect.rank
        and new.requirement in (None, old.requirement)
        and new.constraint_id in ("", old.constraint_id)
        # Merged with itself, so that the order of a list makes no difference.
        and old.constraints.merge(new.constraints) == old.constraints.merge(old.constraints)
        and new.plan_digest == old.plan_digest
        and new.sandbox == old.sandbox
    )
