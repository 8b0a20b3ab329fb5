"""What a secret or a personal datum looks like in text.

Lives here: one table of patterns and their checks. Must not live here: what follows from a find
(``governance.output_safety``). Law: a pattern names what it finds and matches in linear time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One thing to look for; ``check`` confirms a match where the shape alone says too little."""

    scanner: str
    rule: str
    regex: re.Pattern[str]
    check: Callable[[str], bool] = lambda _text: True


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004  # the Luhn rule
    return len(set(digits)) > 1 and total % 10 == 0


def _iban(text: str) -> bool:
    compact = text.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _secret(rule: str, regex: str) -> Pattern:
    return Pattern(scanner="secrets", rule=rule, regex=re.compile(regex))


PATTERNS = (
    _secret("private_key", r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[\s\S]{0,8000}?(?:-----END|$)"),
    _secret("aws_access_key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    _secret("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})\b"),
    _secret("gitlab_token", r"\bglpat-[\w-]{20,64}\b"),
    _secret("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,255}\b"),
    _secret("slack_app_token", r"\bxapp-[A-Za-z0-9-]{10,255}\b"),
    _secret("slack_webhook", r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,120}"),
    _secret("stripe_key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}\b"),
    _secret("google_api_key", r"\bAIza[\w-]{35}\b"),
    _secret("model_api_key", r"\bsk-(?:ant-|proj-)?[\w-]{20,255}\b"),
    _secret("placet_token", r"\bplt_[A-Za-z0-9]{4,40}_[\w-]{16,255}\b"),
    _secret("webhook_secret", r"\bwhsec_[A-Za-z0-9+/=]{16,255}"),
    _secret("jwt", r"\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{16,2000}"),
    _secret("url_password", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,100}:[^\s@/]{3,200}@"),
    _secret(
        "bearer", r"(?i)\bauthorization\s{0,5}[:=]\s{0,5}(?:bearer|basic)\s{1,5}[\w.~+/=-]{8,2000}"
    ),
    _secret(
        "named_secret",
        r"(?i)\b[\w.-]{0,40}(?:password|passwd|secret|api_?key|access_?key|token)"
        r"[\"']?\s{0,5}[:=]\s{0,5}[\"']?[^\s\"',;]{6,500}",
    ),
    Pattern(
        scanner="personal",
        rule="email",
        regex=re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,5}\b"),
    ),
    Pattern(
        scanner="personal",
        rule="card_number",
        regex=re.compile(r"\b\d(?:[ -]?\d){12,18}\b"),
        check=_luhn,
    ),
    Pattern(
        scanner="personal",
        rule="iban",
        regex=re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        check=_iban,
    ),
    Pattern(
        scanner="personal",
        rule="us_ssn",
        regex=re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b"),
    ),
)
