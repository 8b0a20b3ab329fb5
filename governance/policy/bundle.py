"""A policy bundle as a value, and its snapshot.

Lives here: what a loaded bundle holds and the one door by which a mapping becomes one.
Must not live here: YAML (``bot.bundles``), or the answer to a request (``evaluate``).
Law: a bundle is immutable; the same mapping always has the same snapshot, whatever the order of
its keys; every key has an effect, is refused, or is listed in ``not_enforced``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from governance.canonical import Json, canonical_bytes, digest, parse
from governance.errors import Code, InvalidInput
from governance.execution import SandboxTier
from governance.policy.clearance import Clearance
from governance.policy.constraints import ConstraintRegistry
from governance.policy.decision import Effect, Requirement
from governance.policy.forms import BundleForm
from governance.policy.index import Rule, RuleIndex
from governance.policy.tools import ToolRegistry
from governance.principal import PersonId

MAX_BYTES = 8_388_608
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Who holds a role: people by id, and Slack user groups by id."""

    people: tuple[PersonId, ...] = ()
    slack_usergroups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPolicy:
    """What becomes of an output with findings, and its size cap."""

    quarantine: bool = False
    max_bytes: int = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPolicy:
    """The audit channel, retention, and the columns of a sink (empty = all)."""

    channel: str = ""
    retention_days: int = 365
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
    credential_ttl_s: int
    output: OutputPolicy
    audit: AuditPolicy
    directory: Mapping[str, Members]
    """Role -> who holds it."""
    not_enforced: tuple[Note, ...]
    source: Mapping[str, Json]
    """The mapping it was loaded from; its canonical bytes load to the same snapshot."""
    registry_digest: str
    snapshot: str

    def gate(self, environment: str) -> Gate:
        """The gate of a normalised environment; prod may have none."""
        return self.environments.get(environment, Gate())

    def to_bytes(self) -> bytes:
        """Canonical bytes of the source: ``load(parse(bytes))`` is this bundle again."""
        return canonical_bytes(self.source)


def load(mapping: Mapping[str, object]) -> Bundle:
    """Validate ``mapping`` and compile it.

    Raises:
        InvalidInput: ``invalid_bundle`` with a JSON pointer to the key and a plain sentence.
    """
    # Here and not above: these two build the values that this module defines.
    from governance.policy.compile import compile_bundle
    from governance.policy.seeds import check_seeds

    source = _plain(mapping)
    form = _form(source)
    notes = check_seeds(form)
    return compile_bundle(form, source, notes)


def snapshot_of(source: Mapping[str, Json], registry_digest: str) -> str:
    """The name of a bundle's content, constraint registry included."""
    return "v1:" + digest("bundle", {"bundle": source, "constraints": registry_digest})


def refuse(pointer: str, message: str) -> InvalidInput:
    """The error for the key at ``pointer``."""
    return InvalidInput(Code.INVALID_BUNDLE, message, pointer=pointer)


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) to ``parts``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _plain(mapping: Mapping[str, object]) -> Mapping[str, Json]:
    """A private copy in canonical order, so that nothing depends on the order of keys."""
    try:
        raw = canonical_bytes(mapping)  # type: ignore[arg-type]  # anything else raises TypeError
        value = parse(raw, max_bytes=MAX_BYTES)
    except (TypeError, AttributeError) as error:
        raise refuse("", f"the bundle is not plain data: {error}") from error
    except RecursionError as error:
        raise refuse("", "the bundle is nested too deeply") from error
    except InvalidInput as error:
        raise refuse(error.pointer, error.message) from error
    if not isinstance(value, Mapping):
        raise refuse("", "a bundle is a mapping of sections")
    return value


def _form(source: Mapping[str, Json]) -> BundleForm:
    try:
        return BundleForm.model_validate(source)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = first["loc"]
        raise refuse(pointer(*place), _sentence(first["type"], first["msg"], place)) from error


def _sentence(kind: str, message: str, place: tuple[int | str, ...]) -> str:
    key = str(place[-1]) if place else "the bundle"
    if kind == "extra_forbidden":
        return f"{key!r} is not a key that is known here"
    if kind == "missing":
        return f"{key!r} is missing"
    return f"{key!r}: {message[0].lower()}{message[1:]}"
