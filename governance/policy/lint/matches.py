"""Whether one match takes in all that another does, and an index of those that could.

Lives here: containment of whole matches, and the way to the few that are worth comparing.
Must not live here: effects (``rules``).
Law: containment is claimed only where it is certain; the index never loses a match that contains
another by more than its topics' spelling.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields

from governance.policy.lint.globs import Effort
from governance.policy.lint.globs import covers as glob_covers
from governance.policy.matching import Match

WORD_FIELDS = (
    "tools",
    "agents",
    "capabilities",
    "risk_tags",
    "data_classes",
    "roles",
    "tenants",
    "environments",
    "actions",
)
"""Conditions of which any one entry is enough."""
SAME_FOR_ALL = frozenset({"topics", "tools", "actions", "tenants", "agents", "roles"})
"""Conditions that the agent's claims cannot bend: they are judged alike by facts and claims."""
_OWN = frozenset({*WORD_FIELDS, "topics", "requires", "labels", "conditions"})
_UNKNOWN = tuple(spec.name for spec in fields(Match) if spec.name not in _OWN)
_Key = tuple[str, str]
ANYWHERE: _Key = ("", "")


def words(match: Match, name: str) -> frozenset[str]:
    """The entries of one condition of ``WORD_FIELDS``."""
    found = getattr(match, name)
    assert isinstance(found, frozenset)  # noqa: S101  # WORD_FIELDS names such fields only
    return found


def used(match: Match) -> frozenset[str]:
    """The names of the conditions that ``match`` has."""
    return frozenset(spec.name for spec in fields(match) if getattr(match, spec.name))


def covers(wide: Match, narrow: Match, effort: Effort) -> bool:
    """Whether every subject that fits ``narrow`` certainly fits ``wide``.

    A condition that is judged one by one counts as covered by the very same condition; one that
    this module does not know is never covered.
    """
    return (
        not any(getattr(wide, name) for name in _UNKNOWN)
        and all(_any_of(words(wide, name), words(narrow, name)) for name in WORD_FIELDS)
        and wide.requires <= narrow.requires
        and wide.labels.items() <= narrow.labels.items()
        and all(condition in narrow.conditions for condition in wide.conditions)
        and _topics(wide, narrow, effort)
    )


def _any_of(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    return not wide or (bool(narrow) and narrow <= wide)


def _topics(wide: Match, narrow: Match, effort: Effort) -> bool:
    if not wide.topics:
        return True
    return bool(narrow.topics) and all(
        any(glob_covers(one, other, effort) for one in wide.topics) for other in narrow.topics
    )


def filed_under(match: Match) -> Iterator[_Key]:
    """Under which keys ``match`` is found by those that it could cover."""
    for name in ("tools", "agents"):
        if words(match, name):
            yield from ((name, word) for word in words(match, name))
            return
    if match.topics:
        yield from {("topics", topic.prefix) for topic in match.topics}
        return
    if match.labels:
        key, value = min(match.labels.items())
        yield "labels", f"{key}={value}"
        return
    if match.requires:
        yield "requires", min(match.requires)
        return
    for name in WORD_FIELDS:
        if words(match, name):
            yield from ((name, word) for word in words(match, name))
            return
    yield ANYWHERE


def looks_under(match: Match) -> Iterator[_Key]:
    """The keys under which whatever covers ``match`` is filed."""
    yield ANYWHERE
    for name in WORD_FIELDS:
        if words(match, name):
            yield name, min(words(match, name))
    yield from (("labels", f"{key}={value}") for key, value in sorted(match.labels.items()))
    yield from (("requires", word) for word in sorted(match.requires))
    if match.topics:
        prefix = match.topics[0].prefix
        yield from (("topics", prefix[:end]) for end in range(len(prefix) + 1))


def sort_out(matches: Iterable[Match]) -> dict[_Key, list[int]]:
    """The positions of ``matches`` under each key, in order."""
    found: dict[_Key, list[int]] = {}
    for position, match in enumerate(matches):
        for key in filed_under(match):
            found.setdefault(key, []).append(position)
    return found
