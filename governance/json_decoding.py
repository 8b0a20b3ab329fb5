"""What Python's JSON decoder is told, so that it is strict.

Lives here: exact numbers within bounds, and no key twice. Must not live here: what becomes of a
value (``canonical``). Law: what is refused is refused by both decoders; one goes on, so that the
place can be told, and the other, which most texts are read by, ends at once.
Source: RFC 8259.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from governance.errors import Code
from governance.sentences import Sentence

MAX_DIGITS = 100
MAX_EXPONENT = 308


@dataclass(frozen=True, slots=True)
class Bad:
    """What the parser met and refuses once the walk over the value knows its place."""

    code: Code
    message: str
    key: str | None = None


def _exact_int(literal: str) -> int | Bad:
    if len(literal.lstrip("-")) > MAX_DIGITS:
        return Bad(
            Code.INVALID_NUMBER, Sentence("a number of more than {count} digits", count=MAX_DIGITS)
        )
    return int(literal)


def _exact(literal: str) -> Decimal | Bad:
    """Bounds hold for the value, however it is spelt: what is read can be written and read."""
    mantissa, _, exponent = literal.lower().partition("e")
    digits = re.sub("[^0-9]", "", mantissa).lstrip("0")
    if len(digits) > MAX_DIGITS:
        return Bad(
            Code.INVALID_NUMBER, Sentence("a number of more than {count} digits", count=MAX_DIGITS)
        )
    spelt = exponent.lstrip("+-").lstrip("0") or "0"
    is_far = len(spelt) > len(str(MAX_EXPONENT)) or int(spelt) > MAX_EXPONENT
    if is_far or abs(Decimal(literal).adjusted()) > MAX_EXPONENT:
        return Bad(Code.INVALID_NUMBER, Sentence("an exponent beyond {most}", most=MAX_EXPONENT))
    return Decimal(literal)


def _no_constant(name: str) -> Bad:
    return Bad(Code.INVALID_NUMBER, Sentence("{name} is not a JSON number", name=name))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object] | Bad:
    found: dict[str, object] = {}
    for key, item in pairs:
        if key in found:
            return Bad(Code.DUPLICATE_KEY, Sentence("a key stands twice in one object"), key)
        found[key] = item
    return found


PLACING_DECODER = json.JSONDecoder(
    parse_int=_exact_int,
    parse_float=_exact,
    parse_constant=_no_constant,
    object_pairs_hook=_unique,
)


class RefusedJson(Exception):
    """What is read is refused; nobody has said where yet."""


def _sound(hook: Callable[[str], int | Decimal | Bad]) -> Callable[[str], int | Decimal]:
    """``hook``, raising for what it refuses."""

    def read(literal: str) -> int | Decimal:
        found = hook(literal)
        if isinstance(found, Bad):
            raise RefusedJson
        return found

    return read


def _sound_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RefusedJson
    return found


QUICK_DECODER = json.JSONDecoder(
    parse_int=_sound(_exact_int),
    parse_float=_sound(_exact),
    parse_constant=_sound(_no_constant),
    object_pairs_hook=_sound_object,
)
