"""What a secret or a personal datum looks like in text.

Lives here: the patterns of personal data with their checks, beside those of secrets, which
requests are judged by as well (``governance.policy.signals.secrets``). Must not live here: what
follows from a find (``governance.output_safety``). Law: a pattern names what it finds and matches
in linear time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from governance.policy.signals.secrets import SECRET_RULES

SECRETS, PERSONAL = "secrets", "personal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One thing to look for; ``check`` confirms a match where the shape alone says too little."""

    scanner: str
    rule: str
    regex: re.Pattern[str]
    hints: tuple[str, ...] = ()
    """Without one of these pieces a text, in lower case, holds none; empty: nothing tells."""
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


PATTERNS = (
    *(
        Pattern(scanner=SECRETS, rule=secret.id, regex=secret.regex, hints=secret.hints)
        for secret in SECRET_RULES
    ),
    Pattern(
        scanner=PERSONAL,
        rule="email",
        hints=("@",),
        regex=re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,5}\b"),
    ),
    Pattern(
        scanner=PERSONAL,
        rule="card_number",
        regex=re.compile(r"\b\d(?:[ -]?\d){12,18}\b"),
        check=_luhn,
    ),
    Pattern(
        scanner=PERSONAL,
        rule="iban",
        regex=re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        check=_iban,
    ),
    Pattern(
        scanner=PERSONAL,
        rule="us_ssn",
        hints=("-",),
        regex=re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b"),
    ),
)
