"""What governs every ticket at once: the active bundle, freezes, credentials and keys.

Lives here: that state, its events, and how it evolves by them. Must not live here: tickets, who may
freeze (``freezing``). Law: the active bundle is a fact of the log; a credential's secret is never
kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, assert_never

from governance.delegation import Delegation, DelegationEvent, evolve_delegations
from governance.principal import AgentId, Credential, PersonId, TenantId
from governance.retention_events import Hold, RetentionEvent, evolve_holds
from governance.segments import (
    Detached,
    Sealed,
    SegmentDetached,
    SegmentSealed,
    detached_by,
    sealed_by,
)

HEAD = "head"
"""The purpose of the key that signs the log's head with each batch."""
EVERYONE = "all"
"""The freeze target that stops every agent of the tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A signing key as the log knows it: ``pem`` is its public half."""

    id: str
    purpose: str
    """``vote:<role>``, ``checkpoint`` or ``head``."""
    pem: str
    valid_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEnd:
    """From when on a key signs nothing more, and why; ``successor`` took its place, if any."""

    at: datetime
    reason: str
    successor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """One freeze; ``unfreeze_asked_by`` is the first of the two people who lift it."""

    target: str
    by: PersonId
    at: datetime
    reason: str = ""
    unfreeze_asked_by: PersonId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Where the active bundle's bytes lie in the payload table, and who vouches for them."""

    content_digest: str
    registry_digest: str
    key_id: str = ""
    signature: str = ""
    """The key that signed the bundle (empty: nobody did), and base64 of r and s (ES256)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The governing state of one ledger at one moment."""

    snapshot: str = ""
    """The active bundle's snapshot, empty before the first activation."""
    frozen: Mapping[str, Frozen] = field(default_factory=dict)
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    activation: Activation | None = None
    """None before the first activation, and where an earlier version recorded it."""
    ended: Mapping[str, KeyEnd] = field(default_factory=dict)
    """Keys of ``keys`` that were rotated out or revoked, by id."""
    holds: Mapping[str, Hold] = field(default_factory=dict)
    sealed: Sealed | None = None
    detached: Detached | None = None

    @property
    def detached_upto(self) -> int:
        """The number of the newest record that is no longer in the database; 0: all are."""
        return self.detached.last if self.detached else 0

    delegations: Mapping[str, Delegation] = field(default_factory=dict)
    """Those that had not ended when the last of them was granted or revoked, by id."""

    def freeze_of(self, agent: AgentId) -> Frozen | None:
        """The freeze that stops ``agent`` now."""
        return self.frozen.get(EVERYONE) or self.frozen.get(agent)

    def active_key(self, purpose: str) -> PublicKey | None:
        """The one key that may sign for ``purpose`` now; the newest where a log names several."""
        mine = (key for key in self.keys.values() if key.purpose == purpose)
        return next((key for key in reversed(tuple(mine)) if key.id not in self.ended), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleActivated:
    """A bundle became the one that decides; its bytes lie in the payload table by digest."""

    version: ClassVar[int] = 2
    tenant: TenantId
    actor: str
    snapshot: str
    content_digest: str
    registry_digest: str
    key_id: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFrozen:
    """One person stopped an agent, or all."""

    version: ClassVar[int] = 1
    tenant: TenantId
    target: str
    person: PersonId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfreezeAsked:
    """The first of two people wants to lift a freeze."""

    version: ClassVar[int] = 1
    tenant: TenantId
    target: str
    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUnfrozen:
    """The second person agreed."""

    version: ClassVar[int] = 1
    tenant: TenantId
    target: str
    person: PersonId
    asked_by: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialIssued:
    """A bearer credential exists from now on."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    credential: Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRevoked:
    """A bearer credential no longer works."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    credential_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRegistered:
    """Signatures by this key may be trusted from ``key.valid_from`` on."""

    version: ClassVar[int] = 1
    tenant: TenantId
    key: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated:
    """Another key signs from here on; each signed ``keys.rotation_message`` (base64, r and s)."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    old_key_id: str
    key: PublicKey
    signed_by_old: str
    signed_by_new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked:
    """Whatever this key signs from here on is void; what stands before it in the log is not."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    key_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSigned:
    """The head was signed; ``note`` is the whole signed text, of the registered form since 2."""

    version: ClassVar[int] = 2
    tenant: TenantId
    size: int
    head: str
    note: str
    key_id: str = ""


ControlEvent = (
    BundleActivated
    | AgentFrozen
    | UnfreezeAsked
    | AgentUnfrozen
    | CredentialIssued
    | CredentialRevoked
    | KeyRegistered
    | KeyRotated
    | KeyRevoked
    | CheckpointSigned
    | RetentionEvent
    | SegmentSealed
    | SegmentDetached
    | DelegationEvent
)
"""Everything that can happen to the governing state."""


def evolve(control: Control, event: ControlEvent, at: datetime) -> Control:
    """The governing state after ``event``; credentials are kept in their own projection."""
    if isinstance(event, RetentionEvent):
        return replace(control, holds=evolve_holds(control.holds, event, at))
    if isinstance(event, DelegationEvent):
        return replace(control, delegations=evolve_delegations(control.delegations, event, at))
    match event:
        case SegmentSealed():
            return replace(control, sealed=sealed_by(event))
        case SegmentDetached():
            return replace(control, detached=detached_by(event))
        case BundleActivated():
            activation = Activation(
                content_digest=event.content_digest,
                registry_digest=event.registry_digest,
                key_id=event.key_id,
                signature=event.signature,
            )
            return replace(control, snapshot=event.snapshot, activation=activation)
        case AgentFrozen():
            entry = Frozen(target=event.target, by=event.person, at=at, reason=event.reason)
            return replace(control, frozen={**control.frozen, event.target: entry})
        case UnfreezeAsked():
            entry = replace(control.frozen[event.target], unfreeze_asked_by=event.person)
            return replace(control, frozen={**control.frozen, event.target: entry})
        case AgentUnfrozen():
            rest = {name: item for name, item in control.frozen.items() if name != event.target}
            return replace(control, frozen=rest)
        case KeyRegistered():
            return replace(control, keys={**control.keys, event.key.id: event.key})
        case KeyRotated():
            end = KeyEnd(at=at, reason="rotated", successor=event.key.id)
            keys = {**control.keys, event.key.id: event.key}
            return replace(control, keys=keys, ended={**control.ended, event.old_key_id: end})
        case KeyRevoked():
            end = KeyEnd(at=at, reason=event.reason)
            return replace(control, ended={**control.ended, event.key_id: end})
        case CredentialIssued() | CredentialRevoked() | CheckpointSigned():
            return control
        case _:
            assert_never(event)
