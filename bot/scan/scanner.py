"""Look for secrets and personal data, and cut them out.

Lives here: scanning and redaction of text. Must not live here: the verdict
(``governance.output_safety``). Law: a finding says where, never what; redaction removes every
character of every find.
"""

import unicodedata
from collections.abc import Iterator, Sequence

from bot.scan.patterns import PATTERNS, SECRETS, Pattern
from governance.execution import Finding

MAX_SCANNED_CHARS = 1_048_576
_IGNORED = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0").union(
    map(chr, range(0xFE00, 0xFE10)), map(chr, range(0xE0100, 0xE01F0))
)
"""Invisible without being format characters: joiners, fillers, variation selectors."""


_SECRET_PATTERNS = tuple(pattern for pattern in PATTERNS if pattern.scanner == SECRETS)
_SECRET_HINTS = tuple(dict.fromkeys(hint for rule in _SECRET_PATTERNS for hint in rule.hints))
"""Each of them has some: without one of these a text, in lower case, holds no secret."""


def scan(text: str) -> tuple[Finding, ...]:
    """Every find in ``text``, in order of place; only the first mebi-character is looked at."""
    return _scan(text, PATTERNS)


def scan_for_secrets(text: str) -> tuple[Finding, ...]:
    """The same, less personal data."""
    return _scan(text, _SECRET_PATTERNS)


def is_surely_clean(text: str) -> bool:
    """Whether it takes no more than a glance to see that ``text`` holds no secret."""
    if not text.isascii() or len(text) > MAX_SCANNED_CHARS:
        return False
    return not any(map(text.lower().__contains__, _SECRET_HINTS))


def _scan(text: str, patterns: Sequence[Pattern]) -> tuple[Finding, ...]:
    seen = text[:MAX_SCANNED_CHARS]
    found = set(_finds(seen, range(len(seen)), patterns))
    hidden = frozenset() if seen.isascii() else frozenset(filter(_is_invisible, set(seen)))
    if hidden:  # looked at once more as a reader sees it, since these break up what is written
        kept = [place for place, char in enumerate(seen) if char not in hidden]
        found.update(_finds("".join(seen[place] for place in kept), kept, patterns))
    return tuple(sorted(found, key=lambda finding: (_span(finding), finding.rule)))


def _finds(text: str, places: Sequence[int], patterns: Sequence[Pattern]) -> Iterator[Finding]:
    """Every find; ``places`` says where each character stood."""
    for pattern in _worth_a_look(text.lower(), patterns):
        for match in pattern.regex.finditer(text):
            if match.group() and pattern.check(match.group()):
                span = f"{places[match.start()]}-{places[match.end() - 1] + 1}"
                yield Finding(scanner=pattern.scanner, rule=pattern.rule, place=span)


def _worth_a_look(lowered: str, patterns: Sequence[Pattern]) -> list[Pattern]:
    if patterns is _SECRET_PATTERNS and not any(map(lowered.__contains__, _SECRET_HINTS)):
        return []
    found: list[Pattern] = []
    for pattern in patterns:
        for hint in pattern.hints:
            if hint in lowered:
                found.append(pattern)
                break
        else:
            if not pattern.hints:
                found.append(pattern)
    return found


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or char in _IGNORED


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
