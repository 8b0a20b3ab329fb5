"""The event log's records: what is hashed, and how it is linked.

Lives here: the record around an event and its canonical bytes. Must not live here: where records
are kept (``storage``) or shown (``bot.sinks``), checkpoints over them (``checkpoint_notes``).
Law: sequence and previous hash are inside the hashed bytes; a record never says success before
the effect.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from governance import control as ctl
from governance.canonical import Json, canonical_bytes, canonical_bytes_of_stored, digest_bytes
from governance.delegation import DelegationGranted, DelegationRevoked
from governance.execution import RunStatus
from governance.making import quickly_made
from governance.principal import actor_agent, actor_person
from governance.retention_events import RetentionEvent
from governance.segments import SegmentDetached, SegmentSealed
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ask, Basis, Ticket, TicketState

GENESIS = "0" * 64
"""The previous hash of the first record."""

Event = (
    ev.TicketEvent
    | ev.SubmissionThrottled
    | ev.DecisionEvaluated
    | ev.RefusalsCoalesced
    | ctl.ControlEvent
)
"""Everything that the log may hold."""

_WAITING = {TicketState.PENDING: "pending"}
_REFUSED = {
    TicketState.DENIED,
    TicketState.REJECTED,
    TicketState.EXPIRED,
    TicketState.CANCELLED,
}


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields beside an event's own payload, the same for every type."""

    tenant: str
    actor: str
    trace_id: str = ""
    agent_id: str = ""
    ticket_id: str = ""
    revision: int = 0
    binding: str = ""
    tool: str = ""
    action: str = ""
    data_class: str = ""
    approval_status: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry of the log; ``seq`` counts from 1, ``previous`` is the hash before it."""

    seq: int
    previous: str
    type: str
    version: int
    at: datetime
    header: Header
    payload: Json


def encode(record: Record) -> bytes:
    """The canonical bytes that are stored and hashed; field names are those of exports."""
    return encode_fields(
        seq=record.seq,
        previous=record.previous,
        type_=record.type,
        version=record.version,
        at=record.at,
        head=record.header,
        payload=canonical_bytes(record.payload),
    )


def encode_fields(
    *,
    seq: int,
    previous: str,
    type_: str,
    version: int,
    at: datetime,
    head: Header,
    payload: bytes,
) -> bytes:
    """The same around a payload's canonical bytes: what stands before it and after it by name."""
    before: dict[str, Json] = {
        "action": head.action,
        "actor": head.actor,
        "agentId": head.agent_id,
        "approvalStatus": head.approval_status,
        "binding": head.binding,
        "dataClass": head.data_class,
        "outcome": head.outcome,
    }
    after: dict[str, Json] = {
        "previous": previous,
        "revision": head.revision,
        "seq": seq,
        "tenant": head.tenant,
        "ticketId": head.ticket_id,
        "timestamp": stamp(at),
        "tool": head.tool,
        "traceId": head.trace_id,
        "type": type_,
        "version": version,
    }
    first, last = canonical_bytes_of_stored(before), canonical_bytes_of_stored(after)
    return b'%b,"payload":%b,%b' % (first[:-1], payload, last[1:])


def hash_of(encoded: bytes) -> str:
    """The hash by which the next record names this one."""
    return digest_bytes("event", encoded)


def describe(event: Event, after: Ticket | None) -> Header:
    """The header of ``event``; ``after`` is its ticket once the event has happened."""
    if ev.is_of_ticket(event):
        return _of_ticket(event, after)
    if isinstance(event, (ev.SubmissionThrottled, ev.DecisionEvaluated)):
        return _of_ask(event.ask, outcome="blocked" if _is_blocked(event) else None)
    if isinstance(event, ev.RefusalsCoalesced):
        return Header(
            tenant=event.tenant,
            actor=actor_agent(event.agent),
            agent_id=event.agent,
            approval_status="denied",
            outcome="blocked",
        )
    if isinstance(event, ctl.ControlEvent):
        return Header(tenant=event.tenant, actor=_control_actor(event))
    raise TypeError(f"{type(event).__name__} is no event")


def _of_ticket(event: ev.TicketEvent, after: Ticket | None) -> Header:
    if after is None:
        raise ValueError(f"{type(event).__name__} without its ticket")
    return Header(
        tenant=after.ask.tenant,
        actor=_actor(event, after),
        trace_id=after.ask.trace_id,
        agent_id=after.ask.agent,
        ticket_id=after.id,
        revision=after.revision,
        binding=after.binding,
        tool=after.ask.tool,
        action=after.ask.action.value,
        data_class=after.ask.data_class,
        approval_status=approval_status(after),
        outcome=_outcome(event, after),
    )


def _of_ask(ask: Ask, *, outcome: str | None) -> Header:
    return Header(
        tenant=ask.tenant,
        actor=actor_agent(ask.agent),
        trace_id=ask.trace_id,
        agent_id=ask.agent,
        tool=ask.tool,
        action=ask.action.value,
        data_class=ask.data_class,
        approval_status="denied" if outcome else None,
        outcome=outcome,
    )


def _is_blocked(event: ev.SubmissionThrottled | ev.DecisionEvaluated) -> bool:
    return isinstance(event, ev.SubmissionThrottled)


def approval_status(ticket: Ticket) -> str:
    """auto (no people needed), pending, approved or denied."""
    if ticket.state in _REFUSED:
        return "denied"
    if ticket.basis is Basis.POLICY:
        return "auto"
    return _WAITING.get(ticket.state, "approved")


def _outcome(event: ev.TicketEvent, after: Ticket) -> str | None:
    match event:
        case run_ev.ExecutionSucceeded():
            return "success"
        case run_ev.UnknownResolved():
            return "success" if event.took_effect else "error"
        case run_ev.ExecutionFailed() | run_ev.ExecutionLost():
            return "error"
        case run_ev.OutcomeReported():
            by_status = {RunStatus.SUCCEEDED: "success", RunStatus.FAILED: "error"}
            return by_status.get(event.report.status)
        case _:
            return "blocked" if after.state in _REFUSED else None


def _actor(event: ev.TicketEvent, ticket: Ticket) -> str:
    match event:
        case ev.TicketOpened() | run_ev.GrantRedeemed() | run_ev.OutcomeReported():
            return actor_agent(ticket.ask.agent)
        case ev.VoteCast():
            return actor_person(event.vote.person)
        case (
            ev.VoteWithdrawn()
            | ev.VoteRefused()
            | ev.FullViewOpened()
            | ev.TicketRejected()
            | run_ev.UnknownResolved()
            | run_ev.OutcomeAttested()
            | run_ev.OutputReleased()
            | run_ev.OutputDiscarded()
        ):
            return actor_person(event.person)
        case ev.TicketCancelled():
            return event.actor
        case run_ev.ExecutionStarted():
            return f"executor:{event.run.executor}"
        case run_ev.ExecutionSucceeded() | run_ev.ExecutionFailed():
            return f"executor:{ticket.run.executor}" if ticket.run else "executor:unknown"
        case _:
            return "system:placet"


def _control_actor(event: ctl.ControlEvent) -> str:
    if isinstance(event, RetentionEvent | SegmentSealed | SegmentDetached):
        return event.actor
    if isinstance(event, DelegationGranted):
        return actor_person(event.delegator)
    match event:
        case (
            ctl.BundleActivated()
            | ctl.CredentialIssued()
            | ctl.CredentialRevoked()
            | ctl.KeyRotated()
            | ctl.KeyRevoked()
        ):
            return event.actor
        case ctl.AgentFrozen() | ctl.UnfreezeAsked() | ctl.AgentUnfrozen() | DelegationRevoked():
            return actor_person(event.person)
        case ctl.KeyRegistered() | ctl.CheckpointSigned():
            return "system:placet"
        case _:
            assert_never(event)
