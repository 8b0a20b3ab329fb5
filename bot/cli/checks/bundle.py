"""Checks of the policy bundle: does it load, who decides, who could approve, who could edit it.

Lives here: the bundle's environments and tiers as rows, and findings about them. Must not live
here: what a bundle means (``governance.policy``). Law: what nobody can approve, what is let
through unasked and what is read without being enforced is said, never passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.bundles import Source, load_bundle, read, shipped, writable_by_service
from bot.cli.checks.findings import Finding, Level, problem_or_warning
from bot.cli.output import span
from governance.errors import InvalidInput
from governance.policy.decision import Requirement
from governance.policy.model import PROD, Bundle, Gate
from governance.policy.tiers import people_needed
from governance.principal import PersonId
from governance.tickets.quorum import is_reachable

AREA = "bundle"
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A bundle that loads, with the places of its keys."""

    path: Path
    bundle: Bundle
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRow:
    """One tier: what it demands, and whether it can be met by the people of the bundle."""

    name: str
    is_default: bool
    roles: tuple[str, ...]
    threshold: int
    people_needed: int
    people: int
    """People of the bundle who hold one of its roles."""
    usergroups: tuple[str, ...]
    """Slack user groups whose members count too."""
    can_be_met: bool
    """By the people whom the bundle names, groups left out."""
    ttl_s: int
    sandbox: str

    @property
    def verdict(self) -> str:
        """yes, no, or what it depends on."""
        if self.can_be_met:
            return "yes"
        return "depends on user groups" if self.usergroups else "no"

    def cells(self) -> tuple[object, ...]:
        """As a line of the table."""
        return (
            self.name + (" (default)" if self.is_default else ""),
            ", ".join(self.roles),
            self.threshold,
            self.people_needed,
            self.people,
            self.verdict,
            span(self.ttl_s),
            self.sandbox,
        )

    def to_json(self) -> dict[str, object]:
        """As ``placet check --json`` prints it."""
        return {
            "name": self.name,
            "default": self.is_default,
            "roles": list(self.roles),
            "threshold": self.threshold,
            "people_needed": self.people_needed,
            "people": self.people,
            "usergroups": list(self.usergroups),
            "reachable": self.verdict,
            "ttl_s": self.ttl_s,
            "sandbox": self.sandbox,
        }


TIER_COLUMNS = ("tier", "roles", "threshold", "needs", "people", "reachable", "ttl", "sandbox")
ENVIRONMENT_COLUMNS = ("environment", "fail mode", "people needed", "tools")


def load(path: Path | None) -> Loaded:
    """The bundle at ``path``, or the shipped default.

    Raises:
        InvalidInput: ``invalid_bundle``; the message starts with ``file:line:column: ``.
    """
    place = path or shipped("default")
    return Loaded(path=place, bundle=load_bundle(place), source=read(place))


def environments(bundle: Bundle) -> Iterator[dict[str, object]]:
    """Every environment with its fail mode; prod is always one."""
    for name in sorted({PROD, *bundle.environments}):
        gate: Gate = bundle.gate(name)
        yield {
            "name": name,
            "fail_mode": "unsafe_open" if gate.unsafe_open else "closed",
            "requires_human_approval": gate.requires_human_approval,
            "allowed_tools": None if gate.allowed_tools is None else sorted(gate.allowed_tools),
        }


def environment_cells(row: dict[str, object]) -> tuple[object, ...]:
    """One environment as a line of the table."""
    tools = row["allowed_tools"]
    return (
        row["name"],
        row["fail_mode"],
        "for every action" if row["requires_human_approval"] else "as rules and tools say",
        "every registered one" if not isinstance(tools, list) else " ".join(tools) or "none",
    )


def tiers(bundle: Bundle) -> Iterator[TierRow]:
    """Every tier, the default one first."""
    names = sorted(bundle.tiers, key=lambda name: (name != bundle.default_tier, name))
    for name in names:
        yield _tier(bundle, bundle.tiers[name], is_default=name == bundle.default_tier)


def _tier(bundle: Bundle, tier: Requirement, *, is_default: bool) -> TierRow:
    roles = [item.role for item in tier.roles]
    groups = {
        group
        for role in roles
        if role in bundle.directory
        for group in bundle.directory[role].outside
    }
    eligible = _eligible(bundle, roles)
    return TierRow(
        name=tier.tier,
        is_default=is_default,
        roles=tuple(
            f"{item.role} (weight {item.weight}"
            + (f", at least {item.min_required})" if item.min_required else ")")
            for item in tier.roles
        ),
        threshold=tier.threshold,
        people_needed=people_needed(tier) or 0,
        people=len(eligible),
        usergroups=tuple(sorted(groups)),
        can_be_met=is_reachable(tier, (), eligible),
        ttl_s=tier.ttl_s,
        sandbox=tier.sandbox.value,
    )


def _eligible(bundle: Bundle, roles: list[str]) -> dict[PersonId, frozenset[str]]:
    held: dict[PersonId, set[str]] = {}
    for role in roles:
        if role in bundle.directory:
            for person in bundle.directory[role].people:
                held.setdefault(person, set()).add(role)
    return {person: frozenset(names) for person, names in held.items()}


def findings(loaded: Loaded, *, account: str, production: bool) -> Iterator[Finding]:
    """Everything to be said about a bundle that loads."""
    yield from _of_environments(loaded)
    yield from _of_tiers(loaded, production=production)
    if loaded.bundle.signals.injection is None:
        yield Finding(
            area=AREA,
            level=Level.WARNING,
            text="text that reads like an injection changes nothing: signals.injection is off",
            place=str(loaded.source.mark("/signals/injection")),
        )
    for item in loaded.bundle.not_enforced:
        yield Finding(
            area=AREA,
            level=Level.WARNING,
            text=f"{item.pointer} is read and not enforced: {item.text}",
            place=str(loaded.source.mark(item.pointer)),
        )
    yield from _of_writers(loaded, account=account, production=production)


def _of_environments(loaded: Loaded) -> Iterator[Finding]:
    for row in environments(loaded.bundle):
        if row["fail_mode"] == "unsafe_open":
            name = row["name"]
            yield Finding(
                area=AREA,
                level=Level.WARNING,
                text=f"environment {name} lets actions through, marked, while policy cannot be "
                "evaluated: fail_mode is unsafe_open",
                place=str(loaded.source.mark(f"/environments/{name}/fail_mode")),
            )


def _of_tiers(loaded: Loaded, *, production: bool) -> Iterator[Finding]:
    for row in tiers(loaded.bundle):
        place = str(loaded.source.mark(f"/tiers/{row.name}"))
        level = problem_or_warning(is_problem=production)
        if loaded.bundle.tiers[row.name].step_up:
            yield Finding(
                area=AREA,
                level=level,
                text=f"tier {row.name} asks for a passkey (step_up), which this version cannot "
                "ask for: nothing of this tier can be approved",
                place=place,
            )
        if row.can_be_met:
            continue
        if row.usergroups:
            text = (
                f"tier {row.name} can be met only through {', '.join(row.usergroups)}; Slack and "
                "the company's directory are asked with each request"
            )
            yield Finding(area=AREA, level=Level.NOTE, text=text, place=place)
            continue
        text = (
            f"nobody can approve tier {row.name}: it needs {row.people_needed}, and the directory "
            f"names {row.people} in its roles; what asks for it is refused. Put people under "
            "directory.roles"
        )
        yield Finding(area=AREA, level=level, text=text, place=place)


def _of_writers(loaded: Loaded, *, account: str, production: bool) -> Iterator[Finding]:
    places = writable_by_service(loaded.path)
    if not places:
        return
    named = ", ".join(str(place) for place in places[:_EXAMPLES])
    more = f" and {len(places) - _EXAMPLES} more" if len(places) > _EXAMPLES else ""
    yield Finding(
        area=AREA,
        level=problem_or_warning(is_problem=production),
        text=f"{account} can change the bundle ({named}{more}); the service must not be able to "
        "rewrite its own rules: give these files to another account and make them read-only",
        place=str(loaded.path),
    )


def not_loading(error: InvalidInput) -> Finding:
    """A bundle that does not load, as a finding with its place."""
    place, separator, text = error.message.partition(": ")
    if not separator:
        place, text = "", error.message
    return Finding(area=AREA, level=Level.PROBLEM, text=text, place=place)
