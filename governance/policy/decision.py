"""What the policy decision point answers, as values.

Lives here: effects, constraints, required approvals and the decision with its trace.
Must not live here: how a decision is reached (``evaluate``). Law: effects are totally ordered and
the most restrictive wins; constraints of several rules merge to the tightest.
"""

from dataclasses import dataclass
from enum import StrEnum

from governance.canonical import Json
from governance.execution import SandboxTier
from governance.making import quickly_made
from governance.principal import PersonId

SIGNAL_PREFIX = "signal:"


class Effect(StrEnum):
    """The five answers; ``rank`` orders them, a higher rank is more restrictive."""

    ALLOW = "ALLOW"
    ALLOW_WITH_CONSTRAINTS = "ALLOW_WITH_CONSTRAINTS"
    REQUIRE_APPROVAL = "REQUIRE_APPROVAL"
    THROTTLE = "THROTTLE"
    DENY = "DENY"

    rank: int
    """0 for ALLOW up to 4 for DENY."""
    loosens: bool
    """Whether it lets an action through without people."""

    def __init__(self, word: str) -> None:
        self.rank = len(type(self).__members__)
        self.loosens = word.startswith("ALLOW")


class RejectPolicy(StrEnum):
    """What one rejection does."""

    VETO = "veto"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Limits on how an action may run; None and empty mean no limit from here.

    Numbers merge to the minimum, ``*_allow`` lists to their intersection, ``*_deny`` lists to
    their union. Durations in seconds, sizes in bytes.
    """

    max_runtime_s: int | None = None
    max_retries: int | None = None
    max_artifact_bytes: int | None = None
    max_output_bytes: int | None = None
    max_concurrent_jobs: int | None = None
    max_files: int | None = None
    max_lines: int | None = None
    network_allow: tuple[str, ...] | None = None
    read_allow: tuple[str, ...] | None = None
    write_allow: tuple[str, ...] | None = None
    tools_allow: tuple[str, ...] | None = None
    commands_allow: tuple[str, ...] | None = None
    paths_deny: tuple[str, ...] = ()
    redact_deny: tuple[str, ...] = ()
    isolated: bool = False

    def merge(self, other: "Constraints") -> "Constraints":
        """The tightest of both."""
        merged: dict[str, object] = {}
        for name in Constraints.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            is_unset = mine is theirs and not mine
            merged[name] = mine if is_unset else _tightest(name, mine, theirs)
        return Constraints(**merged)  # type: ignore[arg-type]  # each value has its field's type

    @property
    def is_empty(self) -> bool:
        """Whether nothing is constrained."""
        return self == NO_CONSTRAINTS

    def to_json(self) -> dict[str, Json]:
        """Only what is set, for bindings, cards and answers."""
        shown: dict[str, Json] = {}
        if self is NO_CONSTRAINTS:
            return shown
        for name in Constraints.__slots__:
            value = getattr(self, name)
            if value is None or value is False or (value == () and not name.endswith("_allow")):
                continue  # an empty allow list is set: it lets nothing through
            shown[name] = list(value) if isinstance(value, tuple) else value
        return shown


NO_CONSTRAINTS = Constraints()
"""What most rules carry; one value for all of them."""


def _tightest(name: str, mine: object, theirs: object) -> object:
    if isinstance(mine, bool) or isinstance(theirs, bool):
        return bool(mine) or bool(theirs)
    if mine is None or theirs is None:
        return theirs if mine is None else mine
    if isinstance(mine, int) and isinstance(theirs, int):
        return min(mine, theirs)
    assert isinstance(mine, tuple)  # noqa: S101  # the two remaining kinds of field are tuples
    assert isinstance(theirs, tuple)  # noqa: S101
    if name.endswith("_allow"):
        return tuple(sorted(set(mine) & set(theirs)))
    return tuple(sorted(set(mine) | set(theirs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRequirement:
    """What one role must and may bring: votes of ``weight`` each, at least ``min_required``."""

    role: str
    weight: int
    min_required: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """The approvals that a risk tier demands, copied to the ticket and bound."""

    tier: str
    roles: tuple[RoleRequirement, ...]
    threshold: int
    ttl_s: int
    respond_within_s: int | None = None
    comment_required: bool = False
    step_up: bool = False
    reviewer: PersonId | None = None
    distinct_roles: bool = False
    reject_policy: RejectPolicy = RejectPolicy.VETO
    sandbox: SandboxTier = SandboxTier.A
    release_allowed: bool = True

    def weight_of(self, role: str) -> int | None:
        """The weight of a vote in ``role``, None where the role has no vote here."""
        return next((item.weight for item in self.roles if item.role == role), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketDemand:
    """One token to be taken from a bucket when the decision is settled.

    ``capacity`` in tokens, ``refill_ms`` the milliseconds in which one token comes back.
    """

    key: str
    rule_id: str
    capacity: int
    refill_ms: int


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """One source's contribution: what was considered and what it said."""

    source: str
    """registry, constraint, rule, signal, environment, default, fail_mode"""
    id: str
    verdict: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What people are shown beside the effect: a violated WARN constraint, or a signal."""

    constraint_id: str
    """The constraint's id, or that of the signal's rule behind ``signal:``."""
    description: str

    @property
    def is_signal(self) -> bool:
        """Whether a signal gave it."""
        return self.constraint_id.startswith(SIGNAL_PREFIX)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer for one request under one snapshot, re-derivable byte for byte."""

    effect: Effect
    reason: str
    snapshot: str
    rule_ids: tuple[str, ...] = ()
    constraint_ids: tuple[str, ...] = ()
    constraint_id: str = ""
    """The BLOCK constraint to which this ticket would be the exception."""
    constraints: Constraints = Constraints()
    warnings: tuple[Warned, ...] = ()
    risk_tier: str = ""
    requirement: Requirement | None = None
    data_class: str = "internal"
    risk_tags: tuple[str, ...] = ()
    environment: str = "prod"
    plan_digest: str = ""
    """Digest of the registered action that would run; empty for a release."""
    sandbox: SandboxTier = SandboxTier.A
    demands: tuple[BucketDemand, ...] = ()
    retry_after_s: int = 0
    safety_bypassed: bool = False
    trace: tuple[TraceLine, ...] = ()
    data_classes: tuple[str, ...] = ()
    """Every class and mark in play, sorted: retention takes the longest that applies."""
    action: str = ""
    """What the registry says that it does to the world, where that is more than was claimed."""
    instead: tuple[Requirement, ...] = ()
    """What takes the requirement's place, in turn, where its quorum cannot be reached."""
