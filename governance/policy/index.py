"""Rules, and an index that finds the few that could match.

Lives here: a rule as a value and the way to its candidates. Must not live here: judging them.
Law: the index never loses a rule that a linear scan would match; candidates keep file order.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain

from governance.policy.decision import NO_CONSTRAINTS, Constraints, Effect, TraceLine
from governance.policy.masks import Masks, words_of
from governance.policy.matching import Match, Subject
from governance.policy.said import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A throttle's allowance: ``count`` tokens that come back over ``window_s``."""

    per: str
    """agent, tenant, tool or label:NAME"""
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
    constraints: Constraints = NO_CONSTRAINTS
    tier: str = ""
    rate: Rate | None = None
    said: Said = field(init=False, repr=False, compare=False)
    """Its word where it decides."""
    line: TraceLine = field(init=False, repr=False, compare=False)
    """What a trace says of it where it matches and counts."""

    def __post_init__(self) -> None:
        reason = self.reason or f"rule {self.id}"
        said = Said(source="rule", id=self.id, effect=self.effect, reason=reason, tier=self.tier)
        object.__setattr__(self, "said", said)
        line = said.line if self.reason else replace(said.line, note="")
        object.__setattr__(self, "line", line)


class RuleIndex:
    """Rules by the literal segments at the head of their topics or by tool, then by words.

    A rule stands where it has fewest neighbours. What is asked about is cut into at most as many
    heads as a rule has; nothing is remembered from one question to the next.
    """

    __slots__ = ("_by_head", "_by_tool", "_depth", "has_conditions", "rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        heads = [{_head(topic.prefix) for topic in rule.match.topics} for rule in self.rules]
        by_head = Counter(chain.from_iterable(heads))
        by_tool = Counter(chain.from_iterable(rule.match.tools for rule in self.rules))
        headed: dict[str, list[int]] = {}
        tooled: dict[str, list[int]] = {}
        for place, rule in enumerate(self.rules):
            tools, crowd = rule.match.tools, max(map(by_head.__getitem__, heads[place]), default=0)
            if tools and (not crowd or max(map(by_tool.__getitem__, tools)) < crowd):
                for tool in tools:
                    tooled.setdefault(tool, []).append(place)
            else:
                for head in heads[place] or {""}:
                    headed.setdefault(head, []).append(place)
        self._by_head = {head: self._masks(places) for head, places in headed.items()}
        self._by_tool = {tool: self._masks(places) for tool, places in tooled.items()}
        self.has_conditions = any(rule.match.conditions for rule in self.rules)
        self._depth = max((head.count(".") + 1 for head in headed if head), default=0)

    def _masks(self, places: list[int]) -> Masks:
        return Masks([self.rules[place].match for place in places], places)

    def candidates(self, *subjects: Subject) -> list[Rule]:
        """Every rule that could match one of ``subjects``, in file order, each once."""
        found: list[int] = []
        for subject in subjects:
            words, labels, topic = words_of(subject), subject.labels, subject.topic
            for masks in self._near(subject.tool, topic):
                found += masks.fitting(words, labels)
        return [self.rules[place] for place in sorted(set(found))]

    def _near(self, tool: str, topic: str) -> list[Masks]:
        """The rules that stand under ``tool`` or under a head of ``topic``."""
        near = [self._by_head[""]] if "" in self._by_head else []
        if tool in self._by_tool:
            near.append(self._by_tool[tool])
        end = 0
        for _ in range(self._depth):
            end = topic.find(".", end + 1)
            if end < 0:
                break
            head = topic[:end]
            if head in self._by_head:
                near.append(self._by_head[head])
        return near


def _head(prefix: str) -> str:
    """The part of a literal prefix that ends before a dot, so that it is one of the topic's."""
    return prefix[: max(prefix.rfind("."), 0)]
