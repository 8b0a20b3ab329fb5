"""One source's word on a request.

Lives here: the word, its line in the trace and its warning on the card. Must not live here: who
speaks when (``sources``, ``hearing``) and the answer that follows (``evaluate``).
Law: a word that is said to every request alike is made once; it is a value, so sharing it tells
nobody anything of another request.
"""

from dataclasses import dataclass, field

from governance.policy.decision import SIGNAL_PREFIX, Effect, TraceLine, Warned

WARN = "WARN"
"""The verdict in the trace of a word without an effect."""
SIGNAL = "signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One source's word; without an effect it is a warning."""

    source: str
    id: str
    effect: Effect | None
    reason: str
    tier: str = ""
    line: TraceLine = field(init=False, repr=False, compare=False)
    """Its line in the decision's trace."""

    def __post_init__(self) -> None:
        verdict = WARN if self.effect is None else self.effect.value
        line = TraceLine(source=self.source, id=self.id, verdict=verdict, note=self.reason)
        object.__setattr__(self, "line", line)

    @property
    def is_shown(self) -> bool:
        """Whether people are warned of it, whatever the effect: WARN constraints and signals."""
        return self.effect is None or self.source == SIGNAL

    def warned(self) -> Warned:
        """The warning on the card."""
        name = f"{SIGNAL_PREFIX}{self.id}" if self.source == SIGNAL else self.id
        return Warned(constraint_id=name, description=self.reason)


def deny(source: str, name: str, reason: str) -> Said:
    """A denial."""
    return Said(source=source, id=name, effect=Effect.DENY, reason=reason)


def approve(source: str, name: str, reason: str, tier: str) -> Said:
    """A demand for people, those of ``tier``; empty for the default tier."""
    return Said(source=source, id=name, effect=Effect.REQUIRE_APPROVAL, reason=reason, tier=tier)
