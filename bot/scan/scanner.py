"""Look for secrets and personal data, and cut them out.

Lives here: scanning and redaction of text. Must not live here: the verdict
(``governance.output_safety``). Law: a finding says where, never what; redaction removes every
character of every find.
"""

from collections.abc import Sequence

from bot.scan.patterns import PATTERNS
from governance.execution import Finding

MAX_SCANNED_CHARS = 1_048_576


def scan(text: str) -> tuple[Finding, ...]:
    """Every find in ``text``, in order of place; only the first mebi-character is looked at."""
    found = [
        Finding(scanner=pattern.scanner, rule=pattern.rule, place=f"{match.start()}-{match.end()}")
        for pattern in PATTERNS
        for match in pattern.regex.finditer(text, 0, MAX_SCANNED_CHARS)
        if pattern.check(match.group())
    ]
    return tuple(sorted(found, key=_span))


def redact(text: str, findings: Sequence[Finding]) -> str:
    """``text`` with every find replaced by the name of its rule; overlaps become one."""
    out, done = [], 0
    for finding in sorted(findings, key=_span):
        start, end = _span(finding)
        if end <= done:
            continue
        if start >= done:
            out.append(text[done:start])
            out.append(f"[{finding.rule} removed]")
        done = end
    return "".join((*out, text[done:]))


def _span(finding: Finding) -> tuple[int, int]:
    start, _, end = finding.place.partition("-")
    return int(start), int(end)
