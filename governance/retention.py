"""What may be erased, and what a legal hold keeps.

Lives here: pure steps for holds, erasures and accepted rollbacks, over committed ``State``; how
long a record is to be kept. Must not live here: when anybody looks (``bot.retention``), SQL.
Law: nothing is erased that a hold covers, that an open ticket may still need, or that policy is
made of; what retention erases was kept for the longest time that any record of it demands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from governance.audit import Event
from governance.canonical import Json
from governance.control import BundleActivated
from governance.errors import Code, InvalidInput, PlacetError, Refused
from governance.kept import Kept
from governance.ports import Result, State
from governance.principal import TenantId
from governance.retention_events import (
    ContentErased,
    Hold,
    HoldLifted,
    HoldPlaced,
    HoldScope,
    RollbackAccepted,
)
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import TicketState

REASON_CHARS = 500
TARGET_CHARS = 200
_OPEN = frozenset(
    {TicketState.PENDING, TicketState.APPROVED, TicketState.EXECUTING, TicketState.UNKNOWN}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many days records are kept: ``days``, or more for some classes and marks."""

    days: int
    by_class: Mapping[str, int] = field(default_factory=dict)

    def days_of(self, classes: Sequence[str]) -> int:
        """The longest that applies."""
        return max((self.days, *(self.by_class[name] for name in classes if name in self.by_class)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What came of the wish to erase: digests that are gone now, and those that were before."""

    erased: tuple[str, ...]
    gone_before: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    """Digests that stay, each with why: only where retention, not a person, asked."""


_OBJECT = (dict, Mapping)
"""What a JSON object is; nearly always the first, which is quick to tell."""


def named_contents(event: Event) -> tuple[str, ...]:
    """Digests of the contents that ``event`` put into the payload table."""
    match event:
        case ev.TicketOpened():
            names: tuple[str, ...] = (event.ask.content_digest,)
        case ev.VoteCast():
            names = (event.vote.comment_digest,)
        case BundleActivated():
            names = (event.content_digest,)
        case ev.TicketRejected() | run_ev.OutcomeAttested() | run_ev.OutputDiscarded():
            names = (event.comment_digest,)
        case run_ev.OutputReleased():
            names = (event.comment_digest, event.shown_digest)
        case run_ev.ExecutionSucceeded() | run_ev.ExecutionFailed() | run_ev.OutcomeReported():
            names = (event.report.output_digest, event.report.shown_digest)
        case _:
            return ()
    return tuple(dict.fromkeys(filter(None, names)))


def classes_of(told: Json) -> tuple[str, ...]:
    """The classes and marks in play of a request, as the event of its birth says; else none."""
    found = told.get("data_classes") if isinstance(told, Mapping) else None
    names = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    ask = _inner(told, "ask")
    return tuple(str(name) for name in names) or _texts(ask, "data_class")


def _inner(told: Json, name: str) -> Json:
    return told.get(name) if isinstance(told, _OBJECT) else None


def _texts(told: Json, *names: str) -> tuple[str, ...]:
    if not isinstance(told, _OBJECT):
        return ()
    found = map(told.get, names)
    return tuple(dict.fromkeys([name for name in found if isinstance(name, str) and name]))


def place_hold(state: State, event: HoldPlaced) -> Result[Hold]:
    """Keep what ``event`` names, from now on.

    Raises:
        InvalidInput: ``invalid_field``: no reason, or a target that does not fit its scope.
        Refused: ``not_found``: no such ticket; ``wrong_state``: a hold has that id already.
    """
    _check_reason(event.reason)
    is_all = event.scope is HoldScope.ALL
    if is_all == bool(event.target) or len(event.target) > TARGET_CHARS:
        wanted = "nothing besides" if is_all else f"one name of at most {TARGET_CHARS} characters"
        raise InvalidInput(
            Code.INVALID_FIELD,
            f"a hold on {event.scope.value} names {wanted}",
            pointer="/target",
        )
    if event.scope is HoldScope.TICKET:
        found = [t for key, t in state.tickets.items() if key == event.target]
        if not found or found[0].ask.tenant != event.tenant:
            raise Refused(Code.NOT_FOUND, f"no ticket {event.target}")
    if event.hold_id in state.control.holds:
        raise Refused(Code.WRONG_STATE, f"there is a hold {event.hold_id} already")
    hold = Hold(
        id=event.hold_id,
        tenant=event.tenant,
        scope=event.scope,
        target=event.target,
        by=event.actor,
        at=state.at,
        reason=event.reason,
    )
    return Result(reply=hold, events=(event,))


def lift_hold(state: State, event: HoldLifted) -> Result[Hold]:
    """End a hold.

    Raises:
        InvalidInput: ``invalid_field``: no reason.
        Refused: ``not_found``: no such hold is in force.
    """
    _check_reason(event.reason)
    hold = state.control.holds.get(event.hold_id)
    if hold is None or hold.tenant != event.tenant:
        raise Refused(Code.NOT_FOUND, f"no hold {event.hold_id} is in force")
    return Result(reply=hold, events=(event,))


def erase(
    state: State, *, tenant: TenantId, actor: str, digests: Sequence[str], reason: str
) -> Result[Erasure]:
    """Erase all of ``digests``, or none; what is gone already stays so.

    Raises:
        InvalidInput: ``invalid_field``: no reason.
        Refused: ``not_found``, ``held``, ``wrong_state``: one of them must stay, and why.
    """
    _check_reason(reason)
    for digest in digests:
        why = _must_stay(state, tenant, digest)
        if why is not None:
            raise why
    gone = tuple(name for name in digests if state.contents[name].erased_at is not None)
    erased = tuple(name for name in digests if name not in gone)
    events = tuple(
        ContentErased(tenant=tenant, actor=actor, digest=name, reason=reason.strip())
        for name in erased
    )
    return Result(reply=Erasure(erased=erased, gone_before=gone), events=events)


def expire(
    state: State, *, tenant: TenantId, actor: str, digests: Sequence[str], retention: Retention
) -> Result[Erasure]:
    """Erase those of ``digests`` that were kept for long enough and that nothing else keeps."""
    kept: list[tuple[str, str]] = []
    events: list[ContentErased] = []
    for digest in digests:
        found = state.contents.get(digest)
        if found is None or found.erased_at is not None:
            continue
        why = _must_stay(state, tenant, digest)
        if why is not None:
            kept.append((digest, why.code.value))
            continue
        until, days = keep_until(found, retention)
        if until > state.at:
            kept.append((digest, "too_young"))
            continue
        told = f"kept for {days} days"
        events.append(
            ContentErased(tenant=tenant, actor=actor, digest=digest, reason=told, kept_days=days)
        )
    erased = tuple(event.digest for event in events)
    return Result(reply=Erasure(erased=erased, kept=tuple(kept)), events=tuple(events))


def keep_until(kept: Kept, retention: Retention) -> tuple[datetime, int]:
    """When the last record of a content has been kept for long enough, and its days."""
    ends = []
    for use in kept.uses:
        days = retention.days_of(use.data_classes)
        ends.append((use.at + timedelta(days=days), days))
    return max(ends)


def accept_rollback(event: RollbackAccepted) -> Result[None]:
    """Record that the log was replaced by an older or another one, and who knew."""
    return Result(reply=None, events=(event,))


def _must_stay(state: State, tenant: TenantId, digest: str) -> PlacetError | None:
    """Why a content must not be erased now; None: it may."""
    found = state.contents.get(digest)
    short = digest[:12]
    if found is None or any(use.tenant != tenant for use in found.uses):
        return Refused(Code.NOT_FOUND, f"no content {short}")
    hold = next(_holding(state, found), None)
    if hold is not None:
        return Refused(Code.HELD, f"{short} is under the legal hold {hold.id} ({hold.reason})")
    if not found.uses or any(not use.ticket_id for use in found.uses):
        return Refused(Code.WRONG_STATE, f"{short} is policy, by which decisions are explained")
    for use in found.uses:
        if use.state in _OPEN:
            text = f"ticket {use.ticket_id} is {use.state} and may still need {short}"
            return Refused(Code.WRONG_STATE, text)
    return None


def _holding(state: State, kept: Kept) -> Iterator[Hold]:
    for use in kept.uses:
        for hold in state.control.holds.values():
            if hold.covers(
                tenant=use.tenant, ticket=use.ticket_id, trace=use.trace_id, agent=use.agent
            ):
                yield hold


def _check_reason(reason: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_CHARS:
        raise InvalidInput(
            Code.INVALID_FIELD,
            f"say why, in at most {REASON_CHARS} characters",
            pointer="/reason",
        )
