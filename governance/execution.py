"""What running an approved action yields, as values.

Lives here: sandbox tiers by name, outcomes and reports. Must not live here: how anything is run
(``bot.executor``). Law: an outcome never says success before the effect.
"""

from dataclasses import dataclass
from enum import StrEnum


class SandboxTier(StrEnum):
    """How strong the walls around a run are, strongest first; a bundle names the lowest it takes.

    A: bubblewrap, call filter, control group. A-: the same with rlimits in the control group's
    place. B (Landlock, for machines without user namespaces) and C (WebAssembly) are names only:
    no launcher offers them yet, and asking for them is refused.
    """

    A = "A"
    A_MINUS = "A-"
    B = "B"
    C = "C"

    def accepts(self, offered: "SandboxTier") -> bool:
        """Whether a tier at least as strong as this one is ``offered``."""
        return offered.rank <= self.rank

    @property
    def rank(self) -> int:
        """The place in the order of strength; 0 is the strongest."""
        return list(SandboxTier).index(self)


class RunStatus(StrEnum):
    """How a run or a redeemed grant ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNREPORTED = "unreported"


class OutputState(StrEnum):
    """What became of an output; agents and channels only ever see the redacted form."""

    CLEAN = "clean"
    REDACTED = "redacted"
    QUARANTINED = "quarantined"
    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a scanner saw: where, never what."""

    scanner: str
    rule: str
    place: str
    """``start-end`` in characters of the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What an executor (or an agent, for a released action) says about one run."""

    status: RunStatus
    exit_code: int | None = None
    error: str = ""
    """One sentence for people; never output."""
    duration_ms: int = 0
    sandbox: str = ""
    """Tier that ran it, empty for a released action."""
    output_state: OutputState = OutputState.CLEAN
    output_digest: str = ""
    """Content digest of the full output."""
    shown_digest: str = ""
    """Content digest of the form that may be shown."""
    findings: tuple[Finding, ...] = ()
