"""How each condition of a match compares with a request, in words.

Lives here: one value for each condition, and its sentence. Must not live here: whether a rule
matches (``matching`` says), or what follows from it (``evaluate``).
Law: a match whose every comparison is ``matched`` is one that ``Match.judge`` matches, and the
other way round. A comparison never holds an argument or the agent's words.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from governance.canonical import Json
from governance.policy.matching import Match, Outcome, Subject

IDENTITY = frozenset({"tenant", "agent", "role"})
"""Conditions about who asks, which nobody can ask otherwise."""
_MOST = 8
_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One condition: what the rule wants, what the request has; both cut to a few short words."""

    condition: str
    wanted: tuple[str, ...]
    got: tuple[str, ...]
    outcome: Outcome

    @property
    def sentence(self) -> str:
        """``environment is prod, the rule wants dev``."""
        has = " and ".join(self.got)
        said = f"{self.condition} is {has}" if has else f"no {self.condition} is given"
        if not self.wanted:
            return f"{self.condition}: {_WORDS[self.outcome]}"
        return f"{said}, the rule wants {' or '.join(self.wanted)}"

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {
            "condition": self.condition,
            "wanted": list(self.wanted),
            "got": list(self.got),
            "outcome": self.outcome.value,
            "sentence": self.sentence,
        }


_WORDS = {
    Outcome.MATCHED: "it holds",
    Outcome.NOT_MATCHED: "it does not hold",
    Outcome.ERROR: "it cannot be judged",
}


def compare(match: Match, subject: Subject) -> Iterator[Compared]:
    """Every condition of ``match`` that restricts, the cheap ones first."""
    for name, field, have in _haves(subject):
        wanted: frozenset[str] = getattr(match, field)
        if wanted:
            yield _compared(name, wanted, have, is_met=not wanted.isdisjoint(have))
    if match.requires:
        is_met = match.requires <= subject.requires
        yield _compared("requirement", match.requires, subject.requires, is_met=is_met)
    if match.topics:
        patterns = [topic.pattern for topic in match.topics]
        is_met = any(topic.matches(subject.topic) for topic in match.topics)
        yield _compared("topic", patterns, (subject.topic,), is_met=is_met)
    for key, value in match.labels.items():
        yield _label(key, value, subject.labels.get(key))
    for condition in match.conditions:
        outcome = condition.judge(subject)
        yield Compared(condition=short(condition.describe()), wanted=(), got=(), outcome=outcome)


def is_near(match: Match, subject: Subject) -> bool:
    """Whether ``subject`` fails on exactly one condition."""
    return 0 in near_misses((match,), subject)


def near_misses(matches: Iterable[Match], subject: Subject) -> Iterator[int]:
    """The places of those matches that ``subject`` fails on exactly one condition of.

    Cheap for each, since all of a bundle are asked: it ends at the second miss.
    """
    haves = tuple((field, have) for _, field, have in _haves(subject))
    for place, match in enumerate(matches):
        missed = 0
        for field, have in haves:
            wanted: frozenset[str] = getattr(match, field)
            if wanted and wanted.isdisjoint(have):
                missed += 1
                if missed > 1:
                    break
        else:
            if missed + _rest_missed(match, subject, missed) == 1:
                yield place


def _rest_missed(match: Match, subject: Subject, before: int) -> int:
    """How many of the other conditions fail; it may end at the second miss of all."""
    missed = int(bool(match.requires) and not match.requires <= subject.requires)
    if match.topics:
        missed += not any(topic.matches(subject.topic) for topic in match.topics)
    for key, value in match.labels.items():
        missed += subject.labels.get(key, value) != value
    for condition in match.conditions:
        if before + missed > 1:
            break
        missed += condition.judge(subject) is Outcome.NOT_MATCHED
    return missed


def _haves(subject: Subject) -> tuple[tuple[str, str, Collection[str]], ...]:
    """What a condition is called, the field of a match that holds it, what the request has."""
    return (
        ("tool", "tools", (subject.tool,)),
        ("action", "actions", (subject.action.value,)),
        ("tenant", "tenants", (subject.tenant,)),
        ("agent", "agents", (subject.agent,)),
        ("role", "roles", subject.roles),
        ("environment", "environments", subject.environments),
        ("capability", "capabilities", subject.capabilities),
        ("risk tag", "risk_tags", subject.risk_tags),
        ("data class", "data_classes", subject.data_classes),
    )


def _compared(name: str, wanted: Iterable[str], have: Iterable[str], *, is_met: bool) -> Compared:
    return Compared(
        condition=name,
        wanted=_few(wanted, first=have),
        got=_few(word for word in have if word),
        outcome=Outcome.MATCHED if is_met else Outcome.NOT_MATCHED,
    )


def _label(key: str, wanted: str, value: str | None) -> Compared:
    """A label that is asked for and missing cannot be judged, as in ``Match.judge``."""
    outcome = Outcome.MATCHED if value == wanted else Outcome.NOT_MATCHED
    return Compared(
        condition=f"label {short(key)}",
        wanted=(short(wanted),),
        got=() if value is None else (short(value),),
        outcome=Outcome.ERROR if value is None else outcome,
    )


def _few(words: Iterable[str], first: Iterable[str] = ()) -> tuple[str, ...]:
    """A few of ``words``, sorted, those that are also in ``first`` before the others."""
    known = frozenset(first)
    ordered = sorted(words, key=lambda word: (word not in known, word))
    kept = tuple(short(word) for word in islice(ordered, _MOST))
    return kept if len(ordered) <= _MOST else (*kept, f"{len(ordered) - _MOST} more")


def short(text: str) -> str:
    """``text`` cut to what fits into a sentence."""
    return text if len(text) <= _CHARS else f"{text[: _CHARS - 1]}…"
