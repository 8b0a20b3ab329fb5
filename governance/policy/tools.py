"""The tool registry: what each tool may do, to what, where, and what would run.

Lives here: registered tools, the tags that the registry derives, and the reasons to refuse a use.
Must not live here: approval (``sources``) or how a registered action runs (``bot.executor``).
Law: what is not registered is refused; the registry's word on a tool's action, tags, capability
and class outweighs the agent's. A refusal names key and rule, never a value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from governance.action import ActionKind, ActionRequest, Dispatch
from governance.canonical import Json, digest
from governance.policy.argument_schema import ArgumentSchema
from governance.policy.decision import Effect
from governance.policy.matching import Match, Outcome, Subject
from governance.policy.said import Said
from governance.policy.scopes import Scope
from governance.policy.shows import Shows
from governance.principal import Agent

WIDTH = tuple(ActionKind)
"""Kinds of action from the narrowest to the widest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedTags:
    """Risk tags that a use carries because of what it is, whatever the agent calls it."""

    match: Match
    tags: frozenset[str]

    def of(self, subject: Subject, *, surely: bool) -> frozenset[str]:
        """The tags; ``surely``: not where the match cannot be judged."""
        outcome = self.match.judge(subject)
        if surely:  # a label is the agent's own word
            is_tagged = outcome is Outcome.MATCHED and not self.match.reads_claims
        else:
            is_tagged = outcome is not Outcome.NOT_MATCHED
        return self.tags if is_tagged else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One registered tool."""

    name: str
    actions: tuple[ActionKind, ...]
    classification: str
    requires_approval: bool = False
    scope: Scope | None = None
    environments: frozenset[str] = frozenset()
    """Where it may be used; empty = wherever the environment's gate lets it."""
    arguments: ArgumentSchema | None = None
    risk_tags: frozenset[str] = frozenset()
    derived: tuple[DerivedTags, ...] = ()
    capability: str = ""
    tier: str = ""
    severity: str = ""
    """How grave a use is in the registry's word; the agent's own can only be added to it."""
    target: str = ""
    """The argument that says what it acts on, empty where none does."""
    run: Mapping[str, Json] | None = None
    """The registered action, opaque here; None: the tool can only be released."""
    plan_digest: str = ""
    shows: Shows = field(default_factory=Shows)
    """How its arguments are laid out for people."""
    granted: Mapping[ActionKind, Said] = field(init=False, repr=False, compare=False)
    """The registry's word on a use that it does not refuse."""

    def __post_init__(self) -> None:
        granted = {
            action: Said(
                source="registry",
                id=self.name,
                effect=Effect.ALLOW,
                reason=f"tool {self.name} may {action.value} within its grant",
            )
            for action in self.actions
        }
        object.__setattr__(self, "granted", MappingProxyType(granted))

    def action(self, claimed: ActionKind) -> ActionKind:
        """What it does to the world: a registered action does the widest that is allowed to it,
        whatever the request calls it; another tool is taken at its word within its grant."""
        return claimed if self.run is None else max(self.actions, key=WIDTH.index)

    def tags(self, subject: Subject, *, surely: bool) -> frozenset[str]:
        """The registry's tags for this use; ``surely``: those that may also loosen."""
        if not self.derived:
            return self.risk_tags
        return self.risk_tags.union(*(each.of(subject, surely=surely) for each in self.derived))

    def refusals(
        self,
        request: ActionRequest,
        agent: Agent,
        actions: frozenset[ActionKind],
        environment: str,
    ) -> tuple[str, ...]:
        """Every reason why this use of the tool is not allowed."""
        refused = actions.difference(self.actions)
        found = [f"it may not {action.value}" for action in WIDTH if action in refused]
        if self.environments and environment not in self.environments:
            found.append(f"it may not be used in {environment}")
        if self.scope is not None:
            found.append(self.scope.refusal(request, agent))
        if self.arguments is not None:
            found.append(self.arguments.refusal(request.content.arguments))
        named = request.content.arguments.get(self.target) if self.target else None
        if request.target and named is not None and request.target != str(named):
            # The card's first sentence is about the target: it must be what the arguments say.
            found.append(f"its target is argument {self.target}, and the request names another")
        if request.dispatch is Dispatch.EXECUTE and self.run is None:
            found.append("it has no registered action that could be executed")
        return tuple([f"tool {self.name}: {text}" for text in found if text])


def plan_digest(name: str, run: Mapping[str, Json]) -> str:
    """The digest of a registered action as the bundle wrote it: what an approval binds."""
    return digest("plan", {"tool": name, "run": run})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRegistry:
    """All tools of a bundle by name."""

    tools: Mapping[str, Tool] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, name: str) -> Tool | None:
        """The tool of that name."""
        return self.tools.get(name)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools.values())
