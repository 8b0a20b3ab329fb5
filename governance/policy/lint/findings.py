"""What a reader of a bundle should know before it decides anything.

Lives here: the findings, their codes and severities. Must not live here: how they are found.
Law: an error is certain: something that is written has no effect, or lets through what it should
not; a warning is a choice that somebody should have made on purpose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    WARNING = "warning"


class LintCode(StrEnum):
    """Every kind of finding; a code never changes its meaning."""

    CONTRADICTORY = "contradictory-rules"
    SHADOWED = "shadowed-rule"
    REDUNDANT = "redundant-rule"
    DENY_BEHIND_ALLOW = "deny-behind-allow"
    NEVER_MATCHES = "never-matches"
    REFUSED_ANYWAY = "refused-anyway"
    ASKS_ANYWAY = "asks-anyway"
    IMPOSSIBLE_TOPIC = "impossible-topic"
    UNKNOWN_TOOL = "unknown-tool"
    UNKNOWN_CLASS = "unknown-data-class"
    ALLOWS_EVERYTHING = "allows-everything"
    DEFAULT_ALLOWS = "default-allows"
    UNDECLARED_GROUP = "undeclared-group"
    UNUSED_GROUP = "unused-group"
    NO_APPROVERS = "no-approvers"
    UNREACHABLE_TIER = "unreachable-tier"
    SINGLE_PERSON_TIER = "single-person-tier"
    TIER_WITHOUT_TTL = "tier-without-ttl"
    UNUSED_TIER = "unused-tier"
    STEP_UP_UNAVAILABLE = "step-up-unavailable"
    TOOL_WITHOUT_SCOPE = "tool-without-scope"
    SIGNALS_OFF = "signals-off"
    UNSAFE_OPEN = "unsafe-open"
    EVADABLE_COUNT = "evadable-count"
    MISSING_LABEL = "missing-label"
    TARGET_ON_CARD = "target-on-card"


_ERRORS = frozenset(
    {
        LintCode.CONTRADICTORY,
        LintCode.SHADOWED,
        LintCode.NEVER_MATCHES,
        LintCode.IMPOSSIBLE_TOPIC,
        LintCode.ALLOWS_EVERYTHING,
        LintCode.UNDECLARED_GROUP,
        LintCode.UNREACHABLE_TIER,
        LintCode.STEP_UP_UNAVAILABLE,
        LintCode.TARGET_ON_CARD,
    }
)

MEANINGS: Mapping[LintCode, str] = {
    LintCode.CONTRADICTORY: "two rules are for the same requests and say different things",
    LintCode.SHADOWED: "another rule always decides instead, and says something else",
    LintCode.REDUNDANT: "another rule already says the same, or more, of the same requests",
    LintCode.DENY_BEHIND_ALLOW: "under first_match an allow stands before a stricter rule in it",
    LintCode.NEVER_MATCHES: "the conditions of a rule can never hold together",
    LintCode.REFUSED_ANYWAY: "what a rule refuses or slows is refused by the registry anyway",
    LintCode.ASKS_ANYWAY: "an allow of a tool's use for which people are asked anyway",
    LintCode.IMPOSSIBLE_TOPIC: "a topic that no request can have",
    LintCode.UNKNOWN_TOOL: "a rule or constraint names a tool that is not registered",
    LintCode.UNKNOWN_CLASS: "a rule or constraint names a data class that nobody is cleared for",
    LintCode.ALLOWS_EVERYTHING: "an allow without any condition, or of every topic",
    LintCode.DEFAULT_ALLOWS: "what no rule mentions is let through",
    LintCode.UNDECLARED_GROUP: "an environment lists a group that is not declared: it is empty",
    LintCode.UNUSED_GROUP: "a tool group that no environment lists",
    LintCode.NO_APPROVERS: "the directory names nobody, so nothing can be approved",
    LintCode.UNREACHABLE_TIER: "the people of the directory cannot meet a tier",
    LintCode.SINGLE_PERSON_TIER: "one person alone can approve",
    LintCode.TIER_WITHOUT_TTL: "a tier's tickets live as long as the longest that is allowed",
    LintCode.UNUSED_TIER: "nothing names the tier",
    LintCode.STEP_UP_UNAVAILABLE: "a tier asks for a passkey, for which this version cannot ask",
    LintCode.TOOL_WITHOUT_SCOPE: "a tool may be used on every resource",
    LintCode.SIGNALS_OFF: "signs of injection change nothing",
    LintCode.UNSAFE_OPEN: "an environment lets actions through while policy cannot be evaluated",
    LintCode.EVADABLE_COUNT: "a rule counts by trace or label, and the agent names another",
    LintCode.MISSING_LABEL: "a rule that restricts by a label also restricts what lacks the label",
    LintCode.TARGET_ON_CARD: "a rule hides an argument that is a tool's target, and not the target",
}
"""One line of the documentation for each code."""


def severity_of(code: LintCode) -> Severity:
    """How bad a finding of ``code`` is."""
    return Severity.ERROR if code in _ERRORS else Severity.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFinding:
    """One thing that was found, where it stands, and what to do about it."""

    code: LintCode
    pointer: str
    """JSON pointer (RFC 6901) into the bundle."""
    text: str
    fix: str

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return severity_of(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """What could not be judged, and why."""

    pointer: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """All findings, errors first, and what could not be judged."""

    findings: tuple[LintFinding, ...]
    unclear: tuple[Unclear, ...] = ()

    def of(self, severity: Severity) -> tuple[LintFinding, ...]:
        """The findings of one severity."""
        return tuple(item for item in self.findings if item.severity is severity)
