"""The verifier's own derivation of what an ask is known by: digests of its action and request.

Lives here: the canonical form of an action, made from the ask in the log and from its content.
Must not live here: where contents come from (``rows``), nor whether anybody approved.
Law: shares no code with what makes these digests; what is not there any more is not judged.
Source: RFC 8785, its numbers as exact decimals; docs/concepts.md.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring as _string
from typing import NamedTuple, NoReturn

from storage.verify.chain import Problem, digest
from storage.verify.form import Json

_WORDS = ("arguments", "context", "justification", "prompt")
_NOTHING = b'{"arguments": {}, "prompt": "", "context": null, "justification": ""}'
"""Content without arguments and words, as it is written: its digest says it all."""
_NAMED_NOTHING = digest("content", _NOTHING)
_PLAIN_DIGITS = 21
"""RFC 8785: a number with more of them before its point is written with an exponent."""
_MOST_SMALL_ZEROS = 6
_BEYOND = re.compile(rb"[\xf0-\xf7]")
"""Bytes of characters that the quick encoder sorts otherwise than RFC 8785."""
_KNOWN_CONTENTS = 16
"""Contents are large at times, and often the same as a few before."""
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class _Parts(NamedTuple):
    """The members of a content, each in canonical form."""

    arguments: str
    context: str
    justification: str
    prompt: str


def wordless(seq: int, kind: str, ask: Mapping[str, Json]) -> Iterator[Problem]:
    """What is wrong with an ask without arguments and words: that much a log alone tells."""
    if ask["content_digest"] == _NAMED_NOTHING:
        whose = str(ask.get("idempotency_key", ""))
        yield from problem(seq, kind, f"the request {whose}", _other_digests(ask, _NOTHING))


def problem(seq: int, kind: str, whose: str, wrong: Sequence[str]) -> Iterator[Problem]:
    """What ``wrong_in_ask`` found, as a problem of the record that carries the ask."""
    if wrong:
        fields = ", ".join(wrong)
        detail = f"{kind}: {fields} of {whose} is not made of what it asks for and its content"
        yield Problem(seq=seq, what="binding", detail=detail, field=fields)


def wrong_in_ask(ask: Mapping[str, Json], named: str, content: Json) -> list[str]:
    """The digests of an ask that its fields and ``content`` do not make.

    ``named`` begins with the digest under which ``content`` was found; no content is none that is
    still there. One that is not the bytes of its name is told elsewhere.
    """
    name = str(ask["content_digest"])
    if not named.startswith(name):
        return ["content_digest"]  # it stands in the log twice, to have another one looked at
    if not isinstance(content, bytes) or name == _NAMED_NOTHING:
        return []
    wrong = _other_digests(ask, content)
    return wrong if wrong and digest("content", content) == name else []


def _other_digests(ask: Mapping[str, Json], content: bytes) -> list[str]:
    try:
        parts = _parts(content)
    except _UNREADABLE:
        return ["content_digest"]
    try:
        shown = action_digest(ask, ask["environment"], parts)
        wrong = [] if ask["action_digest"] == shown else ["action_digest"]
        claims = ask.get("claims")
        # Earlier versions kept no claims: then nobody knows what else was asked.
        if claims is not None and ask["request_digest"] != _request(ask, claims, shown, parts):
            wrong.append("request_digest")
    except _UNREADABLE:
        return ["action_digest"]
    return wrong


def action_digest(ask: Mapping[str, Json], environment: str, parts: _Parts) -> str:
    """The digest of what will happen, and for whom, in ``environment``."""
    get, person = ask.get, ask.get("on_behalf_of")
    text = (
        f'{{"action":{_string(ask["action"])},"agent":{_string(ask["agent"])},'
        f'"arguments":{parts.arguments},"context":{parts.context},'
        f'"dispatch":{_string(ask["dispatch"])},"environment":{_string(environment)},'
        f'"on_behalf_of":{"null" if person is None else _string(person)},'
        f'"prompt":{parts.prompt},"target":{_string(get("target", ""))},'
        f'"tenant":{_string(ask["tenant"])},"tool":{_string(get("tool", ""))},'
        f'"topic":{_string(ask["topic"])}}}'
    )
    return _digest(b"placet/v1/action\x00", text)


def _request(ask: Mapping[str, Json], claims: Mapping[str, Json], shown: str, parts: _Parts) -> str:
    """The digest of everything that was asked, in the environment that the asker named."""
    asked_for = claims["environment"]
    is_same = asked_for == ask["environment"]
    action = shown if is_same else action_digest(ask, asked_for, parts)
    lists = (claims["data_classes"], claims["requires"], claims["risk_tags"])
    classes, requires, tags = (",".join(map(_string, sorted(names))) for names in lists)
    labels = dict(ask.get("labels", ()))
    pairs = (f"{_string(name)}:{_string(labels[name])}" for name in sorted(labels, key=_by_unit))
    text = (
        f'{{"action":"{action}","capability":{_string(ask.get("capability", ""))},'
        f'"data_classes":[{classes}],"justification":{parts.justification},'
        f'"labels":{{{",".join(pairs)}}},"requires":[{requires}],"risk_tags":[{tags}],'
        f'"ttl_s":{canonical_text(claims["ttl_s"])}}}'
    )
    return _digest(b"placet/v1/request\x00", text)


def _digest(domain: bytes, text: str) -> str:
    return sha256(domain + text.encode("utf-8")).hexdigest()


@lru_cache(maxsize=_KNOWN_CONTENTS)
def _parts(content: bytes) -> _Parts:
    """The members of an action's content.

    Raises:
        ValueError: it is not of that form, or says something twice.
    """
    told = read(content.decode("utf-8"))
    if not isinstance(told, dict) or tuple(sorted(told)) != _WORDS:
        raise ValueError("it has not the members of an action's content")
    if not isinstance(told["arguments"], dict):
        raise TypeError("its arguments have no names")
    for name in ("prompt", "justification"):
        if not isinstance(told[name], str):
            raise TypeError(f"its {name} is no text")
    is_usual = content.isascii() or _BEYOND.search(content) is None
    write = _quick_text if is_usual and b"\\u" not in content else canonical_text
    arguments, context, justification, prompt = (told[name] for name in _WORDS)
    around = "null" if context is None else write(context)
    return _Parts(write(arguments), around, _string(justification), _string(prompt))


def read(text: str) -> Json:
    """JSON with every number exact.

    Raises:
        ValueError: it is none, or a name stands there twice.
    """
    return _DECODER.decode(text)


def _quick_text(value: Json) -> str:
    try:
        return _ENCODER.encode(value)
    except TypeError:  # a number with a point or an exponent, or one of many digits
        return canonical_text(value)


def canonical_text(value: Json) -> str:
    """The canonical form of a value whose numbers are exact.

    Raises:
        TypeError: it is no such value.
    """
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return _string(value)
        case int() | Decimal():
            return _number(Decimal(value))
        case dict():
            names = sorted(value, key=_by_unit)
            return "{" + ",".join(f"{_string(n)}:{canonical_text(value[n])}" for n in names) + "}"
        case list():
            return "[" + ",".join(map(canonical_text, value)) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} is nothing that JSON carries")


def _by_unit(name: str) -> bytes:
    """RFC 8785 sorts by UTF-16 units, so that what lies beyond them comes before U+E000."""
    return name.encode("utf-16-be")


def _number(value: Decimal) -> str:
    """By value: 1.0, 1 and 10e-1 are one number."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError("it is no number")
    whole = "".join(map(str, digits)).lstrip("0")
    short = whole.rstrip("0")
    if not short:
        return "0"
    size = len(whole) + exponent
    minus = "-" if sign else ""
    if 0 < size <= _PLAIN_DIGITS:
        before, after = short[:size].ljust(size, "0"), short[size:]
        return f"{minus}{before}.{after}" if after else minus + before
    if -_MOST_SMALL_ZEROS < size <= 0:
        return f"{minus}0.{'0' * -size}{short}"
    rest = f".{short[1:]}" if short[1:] else ""
    return f"{minus}{short[0]}{rest}e{size - 1:+d}"


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _whole(text: str) -> int | Decimal:
    """What the quick encoder must not write is no ``int``."""
    return int(text) if len(text) <= _PLAIN_DIGITS else Decimal(text)


def _no(literal: str) -> NoReturn:
    raise ValueError(literal)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=Decimal, parse_int=_whole, parse_constant=_no
)
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
)
