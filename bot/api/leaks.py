"""Raw secrets in what a client sends.

Lives here: refusing them by their place, and pointers that repeat none. Must not live here: what a
secret looks like (``bot.scan``). Law: a raw secret is refused before anything is kept of it, and no
answer and no log ever repeats it.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from bot.scan.scanner import scan
from governance.errors import Code, InvalidInput

_REFERENCE = "secret://"
_BY_CONTEXT = frozenset({"named_secret", "url_password", "bearer"})
"""Rules that go by the words around a secret, not by the prefix that its issuer gave it."""
_REMOVED = "[removed]"


def refuse(parts: Mapping[str, object]) -> None:
    """Nothing under ``parts``, by the names of a body's fields, may be a raw secret.

    Raises:
        InvalidInput: ``invalid_field`` with its place.
    """
    texts = list(_texts(parts, ""))
    # One look at everything together; only where that finds something is each text looked at.
    if not scan("\n".join(text for _, text in texts)):
        return
    for pointer, text in texts:
        rule = _rule(text)
        if rule:
            raise _refused(rule, pointer)


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
    rules = (found.rule for found in scan(text) if found.scanner == "secrets")
    return next((rule for rule in rules if rule not in _BY_CONTEXT), "")


def safe_pointer(pointer: str) -> str:
    """``pointer`` without any key that is itself a secret."""
    return "/".join(_REMOVED if _rule(_unescape(part)) else part for part in pointer.split("/"))


def _refused(rule: str, pointer: str) -> InvalidInput:
    message = f"a raw secret ({rule}) stands here: refer to it as {_REFERENCE}name"
    return InvalidInput(Code.INVALID_FIELD, message, pointer=safe_pointer(pointer))


def _rule(text: str) -> str:
    """The rule by which ``text`` holds a raw secret; empty for none, or a reference to one."""
    for found in scan(text):
        start, _, end = found.place.partition("-")
        if found.scanner == "secrets" and _REFERENCE not in text[int(start) : int(end)]:
            return found.rule
    return ""


def _texts(value: object, pointer: str) -> Iterator[tuple[str, str]]:
    """Every text under ``value`` with its place, names of keys included."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, BaseModel):
        yield from _texts(dict(value), pointer)
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
