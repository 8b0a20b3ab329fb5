"""Raw secrets in what a client sends.

Lives here: refusing them by their place, and pointers that repeat none. Must not live here: what a
secret looks like (``bot.scan``). Law: a raw secret is refused before anything is kept of it, and no
answer and no log ever repeats it.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from bot.scan import scanner
from bot.scan.scanner import scan_for_secrets
from governance.errors import Code, InvalidInput

_REFERENCE = "secret://"
_BY_CONTEXT = frozenset({"named_secret", "url_password", "bearer"})
"""Rules that go by the words around a secret, not by the prefix that its issuer gave it."""
_REMOVED = "[removed]"
_OUR_KEY = b'"idempotency_key"'
"""A key of every body, and the only one of ours that looks like the name of a secret."""


def refuse(parts: Mapping[str, object]) -> None:
    """Nothing under ``parts``, by the names of a body's fields, may be a raw secret.

    Raises:
        InvalidInput: ``invalid_field`` with its place.
    """
    # One look at everything together; only where that finds something is each text looked at.
    if not scan_for_secrets("\n".join(_flat(parts))):
        return
    for pointer, text in _texts(parts, ""):
        rule = _rule(text)
        if rule:
            raise _refused(rule, pointer)


def is_surely_clean(raw: bytes, *names: str) -> bool:
    """Whether a glance shows that neither a body of these bytes nor ``names`` hold a raw secret.

    False says nothing: look closely. So it is for text that is written with escapes.
    """
    if not raw.isascii() or b"\\" in raw:
        return False
    body = raw.replace(_OUR_KEY, b"").decode("ascii")
    return scanner.is_surely_clean("\n".join((body, *names)))


def refuse_issued(text: str, pointer: str) -> None:
    """A name that may look like anything, such as a hash, but not like an issuer's token.

    Raises:
        InvalidInput: ``invalid_field`` with its place.
    """
    rule = issued(text)
    if rule:
        raise _refused(rule, pointer)


def issued(text: str) -> str:
    """The rule by which ``text`` holds a secret with its issuer's prefix; empty for none."""
    for found in scan_for_secrets(text) if text else ():
        if found.rule not in _BY_CONTEXT:
            return found.rule
    return ""


def safe_pointer(pointer: str) -> str:
    """``pointer`` without any key that is itself a secret."""
    return "/".join(_REMOVED if _rule(_unescape(part)) else part for part in pointer.split("/"))


def _refused(rule: str, pointer: str) -> InvalidInput:
    message = f"a raw secret ({rule}) stands here: refer to it as {_REFERENCE}name"
    return InvalidInput(Code.INVALID_FIELD, message, pointer=safe_pointer(pointer))


def _rule(text: str) -> str:
    """The rule by which ``text`` holds a raw secret; empty for none, or a reference to one."""
    for found in scan_for_secrets(text):
        start, _, end = found.place.partition("-")
        if _REFERENCE not in text[int(start) : int(end)]:
            return found.rule
    return ""


def _flat(parts: Mapping[str, object]) -> list[str]:
    """The same texts without their places, which cost more than the texts."""
    out: list[str] = []
    waiting: list[object] = [parts]
    for value in waiting:  # grows while it is walked
        if isinstance(value, str):
            out.append(value)
        elif isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101  # dearer
            out += value
            waiting += value.values()
        elif isinstance(value, BaseModel):
            waiting.append({name: getattr(value, name) for name in value.model_fields_set})
        elif isinstance(value, Sequence):
            waiting += value
    return out


def _texts(value: object, pointer: str) -> Iterator[tuple[str, str]]:
    """Every text under ``value`` with its place, names of keys included."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, BaseModel):
        sent = {name: getattr(value, name) for name in value.model_fields_set}
        yield from _texts(sent, pointer)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield pointer, key
            yield from _texts(item, f"{pointer}/{_escape(key)}")
    elif isinstance(value, Sequence):
        for number, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{number}")


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
