"""Rules, and an index that finds the few that could match.

Lives here: a rule as a value and the way to its candidates. Must not live here: judging them.
Law: the index never loses a rule that a linear scan would match; candidates keep file order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from governance.policy.decision import Constraints, Effect
from governance.policy.matching import Match, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A throttle's allowance: ``count`` tokens that come back over ``window_s``."""

    per: str
    """agent, tenant or tool"""
    count: int
    window_s: int

    @property
    def refill_ms(self) -> int:
        """Milliseconds in which one token comes back, rounded up."""
        return -(-self.window_s * 1_000 // self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a bundle; ``position`` is its place in the file."""

    id: str
    position: int
    effect: Effect
    match: Match = field(default_factory=Match)
    reason: str = ""
    constraints: Constraints = field(default_factory=Constraints)
    tier: str = ""
    rate: Rate | None = None


class RuleIndex:
    """Rules by tool, or by the literal segments at the head of their topics."""

    __slots__ = ("_anywhere", "_by_tool", "_by_topic", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_tool: dict[str, list[Rule]] = {}
        self._by_topic: dict[str, list[Rule]] = {}
        self._anywhere: list[Rule] = []
        for rule in self.rules:
            if rule.match.tools:
                for tool in rule.match.tools:
                    self._by_tool.setdefault(tool, []).append(rule)
            elif rule.match.topics:
                for head in {_head(topic.prefix) for topic in rule.match.topics}:
                    self._by_topic.setdefault(head, []).append(rule)
            else:
                self._anywhere.append(rule)

    def candidates(self, subject: Subject) -> list[Rule]:
        """Every rule that could match ``subject``, in file order, each once."""
        found = {rule.position: rule for rule in self._anywhere}
        for rule in self._by_tool.get(subject.tool, ()):
            found[rule.position] = rule
        end = 0
        while end >= 0:
            for rule in self._by_topic.get(subject.topic[:end], ()):
                found[rule.position] = rule
            end = subject.topic.find(".", end + 1)
        return [found[position] for position in sorted(found)]


def _head(prefix: str) -> str:
    """The part of a literal prefix that ends before a dot, so that it is one of the topic's."""
    return prefix[: max(prefix.rfind("."), 0)]
