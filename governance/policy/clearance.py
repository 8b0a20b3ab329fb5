"""Data classes, their order, and who is cleared for them.

Lives here: public < internal < restricted < confidential, marks beside them, and roles.
Must not live here: what a missing clearance leads to (``sources``).
Law: a class that needs clearance and has no mapping clears nobody; an unknown class needs it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

ORDERED = ("public", "internal", "restricted", "confidential")
_FROM_THE_HIGHEST = ORDERED[::-1]
MARKS = frozenset({"pii", "financial"})
DEFAULT_RESTRICTED = frozenset({"confidential"}) | MARKS
DEFAULT_CLEARANCE: Mapping[str, frozenset[str]] = {"confidential": frozenset({"security-admin"})}
UNSTATED = "internal"
"""The class of a request for which neither the registry nor the agent names one."""


def highest(classes: Collection[str]) -> str:
    """The highest ordered class among ``classes``; marks do not count."""
    for name in _FROM_THE_HIGHEST:
        if name in classes:
            return name
    return UNSTATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """Which classes and marks need clearance, and which roles give it."""

    restricted: frozenset[str] = DEFAULT_RESTRICTED
    roles: Mapping[str, frozenset[str]]
    _free: frozenset[str] = field(init=False)
    """What needs none: looked up for every request, so it is worked out once."""

    def __post_init__(self) -> None:
        free = frozenset(name for name in self.known if not self.needs(name))
        object.__setattr__(self, "_free", free)

    @property
    def known(self) -> frozenset[str]:
        """Every class and mark that this bundle knows."""
        return frozenset(ORDERED) | MARKS | self.restricted | frozenset(self.roles)

    def needs(self, name: str) -> bool:
        """Whether ``name`` needs clearance: listed, mapped, above a listed class, or unknown."""
        listed = self.restricted | frozenset(self.roles)
        if name in listed or name not in self.known:
            return True
        return name in ORDERED and any(
            ORDERED.index(name) > ORDERED.index(other) for other in listed if other in ORDERED
        )

    def clearing(self, name: str) -> frozenset[str]:
        """The roles that clear ``name``; clearance for a higher class covers the lower ones."""
        covering = ORDERED[ORDERED.index(name) :] if name in ORDERED else (name,)
        return frozenset().union(*(self.roles.get(other, frozenset()) for other in covering))

    def missing(self, classes: frozenset[str], roles: frozenset[str]) -> tuple[str, ...]:
        """Those of ``classes`` for which none of ``roles`` is cleared."""
        if classes <= self._free:
            return ()
        return tuple(
            [name for name in sorted(classes - self._free) if self.clearing(name).isdisjoint(roles)]
        )
