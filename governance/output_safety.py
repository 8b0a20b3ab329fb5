"""The verdict on an output, from what the scanners found.

Lives here: pass, redact or quarantine, as a pure function. Must not live here: the scanners
(``bot.scan``). Law: what was not scanned whole is never passed.
"""

from collections.abc import Iterable
from enum import StrEnum

from governance.execution import Finding, OutputState


class OutputPolicy(StrEnum):
    """What a bundle wants done with an output in which something was found."""

    REDACT = "redact"
    QUARANTINE = "quarantine"


def verdict(
    findings: Iterable[Finding],
    *,
    policy: OutputPolicy,
    is_truncated: bool,
    matches_schema: bool = True,
) -> OutputState:
    """The state an output gets; a cut output or one that breaks its schema is quarantined."""
    if is_truncated or not matches_schema:
        return OutputState.QUARANTINED
    if any(True for _ in findings):
        if policy is OutputPolicy.QUARANTINE:
            return OutputState.QUARANTINED
        return OutputState.REDACTED
    return OutputState.CLEAN
