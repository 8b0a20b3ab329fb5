"""What is kept although its time is over, and what is gone: holds, erasures, accepted rollbacks.

Lives here: those values, their events, and how holds evolve. Must not live here: what may be
erased (``retention``), where contents lie. Law: an event names a content by its digest, never by
any of its words; a hold that was lifted is still in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, assert_never

from governance.principal import TenantId


class HoldScope(StrEnum):
    """What a hold covers: one ticket, one trace, one agent, or everything of the tenant."""

    TICKET = "ticket"
    TRACE = "trace"
    AGENT = "agent"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A legal hold that is in force; ``target`` is empty where it covers all."""

    id: str
    tenant: TenantId
    scope: HoldScope
    target: str
    by: str
    at: datetime
    reason: str

    def covers(self, *, tenant: str, ticket: str, trace: str, agent: str) -> bool:
        """Whether a record with these fields is under it."""
        named = {HoldScope.TICKET: ticket, HoldScope.TRACE: trace, HoldScope.AGENT: agent}
        is_its = self.scope is HoldScope.ALL or named[self.scope] == self.target
        return self.tenant == tenant and is_its


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced:
    """From here on nothing that the hold covers is erased."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    hold_id: str
    scope: HoldScope
    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLifted:
    """The hold is over; what others cover stays."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    hold_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentErased:
    """The bytes with this digest are gone; ``kept_days`` of retention were over, 0: on request."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    digest: str
    reason: str
    kept_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackAccepted:
    """An operator let the service start on a log that is not the one a checkpoint saw."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    size: int
    head: str
    published_size: int
    published_head: str


RetentionEvent = HoldPlaced | HoldLifted | ContentErased | RollbackAccepted
"""Everything that this module tells of."""


def evolve_holds(
    holds: Mapping[str, Hold], event: RetentionEvent, at: datetime
) -> Mapping[str, Hold]:
    """The holds in force after ``event``."""
    match event:
        case HoldPlaced():
            placed = Hold(
                id=event.hold_id,
                tenant=event.tenant,
                scope=event.scope,
                target=event.target,
                by=event.actor,
                at=at,
                reason=event.reason,
            )
            return {**holds, placed.id: placed}
        case HoldLifted():
            return {name: hold for name, hold in holds.items() if name != event.hold_id}
        case ContentErased() | RollbackAccepted():
            return holds
        case _:
            assert_never(event)
