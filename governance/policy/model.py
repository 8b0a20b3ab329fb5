"""What a loaded bundle holds, as values.

Lives here: the bundle and its sections. Must not live here: how they are read (``bundle``,
``compile``) or the answer to a request (``evaluate``). Law: a bundle is immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from governance.canonical import Json, canonical_bytes, digest
from governance.delegation import DelegationPolicy
from governance.execution import SandboxTier
from governance.policy.clearance import Clearance
from governance.policy.constraints import ConstraintRegistry
from governance.policy.decision import Effect, Requirement
from governance.policy.emergency import Emergency
from governance.policy.history import Lookback
from governance.policy.index import RuleIndex
from governance.policy.reminders import Reminders
from governance.policy.tiers import Levels
from governance.policy.tools import ToolRegistry
from governance.principal import PersonId

PROD = "prod"


class Strategy(StrEnum):
    """How several matching rules make one answer."""

    MOST_RESTRICTIVE = "most_restrictive"
    FIRST_MATCH = "first_match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A key that this version reads and does not enforce."""

    pointer: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What one environment demands of every action."""

    requires_human_approval: bool = False
    allowed_tools: frozenset[str] | None = None
    """Names of tools, groups resolved; None = every registered tool."""
    unsafe_open: bool = False
    """Let actions through, marked, while policy cannot be evaluated."""
    tier: str = ""


_CLOSED = Gate()
"""Where nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Who holds a role: people by id or confirmed address, and the members of groups."""

    people: tuple[PersonId, ...] = ()
    slack_usergroups: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    """In lower case."""
    directory_groups: tuple[str, ...] = ()

    @property
    def outside(self) -> tuple[str, ...]:
        """What only somebody outside the bundle knows the members of, in words."""
        found = (("user group", self.slack_usergroups), ("directory group", self.directory_groups))
        named = tuple(f"{kind} {name}" for kind, names in found for name in names)
        return (*named, *(f"address {address}" for address in self.emails))


class Sharing(StrEnum):
    """With whom a channel may be shared in which cards are posted."""

    REFUSE = "refuse"
    ORGANISATION = "organisation"
    OUTSIDERS = "outsiders"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPolicy:
    """What becomes of an output with findings, and its size cap."""

    quarantine: bool = False
    max_bytes: int = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalPolicy:
    """What a signal does; neither effect loosens anything."""

    injection: Effect | None = Effect.REQUIRE_APPROVAL
    """None: text is not looked at for injections."""
    secrets: Effect = Effect.DENY
    tier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPolicy:
    """The audit channel, retention, and the columns of a sink (empty = all)."""

    channel: str = ""
    retention_days: int = 365
    retention_by_class: Mapping[str, int] = field(default_factory=dict)
    """Classes and marks that are kept for longer."""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One loaded policy bundle."""

    name: str
    strategy: Strategy
    default_decision: Effect
    default_tier: str
    """Always a key of ``tiers``."""
    minimum_sandbox: SandboxTier
    rules: RuleIndex
    constraints: ConstraintRegistry
    exceptions: Mapping[str, str]
    """Constraint id -> tier."""
    tools: ToolRegistry
    tiers: Mapping[str, Requirement]
    environments: Mapping[str, Gate]
    clearance: Clearance
    approval_required_for: frozenset[str]
    required_fields: frozenset[str]
    max_ttl_s: int
    max_pending: int
    max_pending_per_agent: int
    refusals_in_full: int
    refusal_window_s: int
    credential_ttl_s: int
    output: OutputPolicy
    signals: SignalPolicy = SignalPolicy()
    audit: AuditPolicy
    directory: Mapping[str, Members]
    """Role -> who holds it."""
    shared_channels: Sharing = Sharing.REFUSE
    not_enforced: tuple[Note, ...]
    source: Mapping[str, Json]
    """The mapping it was loaded from; its canonical bytes load to the same snapshot."""
    registry_digest: str
    snapshot: str
    lookback: Lookback = field(default_factory=Lookback)
    """How far its rules, constraints, tools and templates look back."""
    levels: Mapping[str, Levels] = field(default_factory=lambda: MappingProxyType({}))
    """Tier -> its levels of severity, each a tier of its own."""
    escalations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Tier -> the tier whose people decide where its own cannot."""
    emergencies: Mapping[str, Emergency] = field(default_factory=lambda: MappingProxyType({}))
    """Template -> what it excepts."""
    delegation: DelegationPolicy = field(default_factory=DelegationPolicy)
    reminders: Reminders = field(default_factory=Reminders)

    def gate(self, environment: str) -> Gate:
        """The gate of a normalised environment; prod may have none."""
        return self.environments.get(environment, _CLOSED)

    def to_bytes(self) -> bytes:
        """Canonical bytes of the source: ``load(parse(bytes))`` is this bundle again."""
        return canonical_bytes(self.source)


def snapshot_of(source: Mapping[str, Json], registry_digest: str) -> str:
    """The name of a bundle's content, constraint registry included."""
    return "v1:" + digest("bundle", {"bundle": source, "constraints": registry_digest})
