"""Stored JSON -> governance values: events by type and version, records, and projection bodies.

Lives here: the one way a stored value comes back. Must not live here: SQL, how a value becomes
JSON (``encoding``), and what is hashed around a payload (``governance.audit``).
Law: append only. A stored shape never changes; a class's version grows with each field added at
its end with a default, and every earlier version is still read. Golden bytes prove it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar, cast, get_args

from pydantic import TypeAdapter, ValidationError

from governance.audit import Event, Header
from governance.canonical import Json, canonical_bytes, parse
from governance.control import Control
from governance.errors import Code, InvalidInput, Unavailable
from governance.ports import Logged
from governance.tickets.ticket import Ticket
from storage.encoding import plain

T = TypeVar("T")

MAX_RECORD_BYTES = 16_777_216

_CLASSES: tuple[type[Event], ...] = get_args(Event)

REGISTRY: Mapping[str, Mapping[int, type[Event]]] = {
    cls.__name__: dict.fromkeys(range(1, cls.version + 1), cls) for cls in _CLASSES
}
"""Type name -> version -> the class that reads it."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401  # a cache's keys have no type
    return TypeAdapter(kind)


def payload(event: Event) -> Json:
    """What the log keeps of ``event`` beside its header."""
    return plain(event)


def event(type_name: str, version: int, stored: Json) -> Event:
    """The event that ``payload`` wrote, of this or any earlier version of its class.

    Raises:
        Unavailable: ``ledger_unavailable``: a type or version from a newer build, or a shape that
            no build ever wrote (fails closed: it is not guessed at).
    """
    cls = REGISTRY.get(type_name, {}).get(version)
    if cls is None:
        raise _unreadable(f"{type_name} version {version} is not known to this build")
    found = load(cls, canonical_bytes(stored))
    if not _is_within(stored, plain(found)):
        raise _unreadable(f"{type_name} version {version} holds fields that it never had")
    return found


@lru_cache(2048)
def ticket(body: bytes) -> Ticket:
    """The ticket that ``encoding.dump`` wrote; the same bytes are the same frozen value.

    Raises:
        Unavailable: as ``load``.
    """
    return load(Ticket, body)


@lru_cache(8)
def control(body: bytes) -> Control:
    """The governing state that ``encoding.dump`` wrote, which every batch reads and few change.

    Raises:
        Unavailable: as ``load``.
    """
    return load(Control, body)


def load(kind: type[T], body: bytes) -> T:
    """Read a value back, strictly.

    Raises:
        Unavailable: ``ledger_unavailable``: the bytes are not such a value.
    """
    try:
        return cast("T", _adapter(cast("Any", kind)).validate_json(body, strict=True))
    except ValidationError as error:
        raise _unreadable(f"a stored {kind.__name__} does not read back") from error


def record(encoded: bytes) -> Mapping[str, Json]:
    """The fields of a stored record from the very bytes that were hashed.

    Raises:
        Unavailable: ``ledger_unavailable``: the bytes are not such a record.
    """
    try:
        fields_ = parse(encoded, max_bytes=MAX_RECORD_BYTES)
    except InvalidInput as error:
        raise _unreadable("a stored record is not JSON") from error
    if not isinstance(fields_, Mapping):
        raise _unreadable("a stored record is not an object")
    return fields_


def logged(seq: int, hash_: str, encoded: bytes) -> Logged:
    """A record as read back, every field from the very bytes that were hashed.

    Raises:
        Unavailable: as ``record``.
    """
    stored = record(encoded)
    return Logged(
        seq=seq,
        type=str(stored["type"]),
        version=int(str(stored["version"])),
        at=datetime.fromisoformat(str(stored["timestamp"])),
        header=header(stored),
        payload=stored["payload"],
        hash=hash_,
        encoded=encoded,
    )


def header(stored: Mapping[str, Json]) -> Header:
    """The header within a stored record's fields."""
    text = {name: stored[key] for name, key in _HEADER_KEYS.items()}
    return Header(**cast("Any", text))


_HEADER_KEYS = {
    "tenant": "tenant",
    "actor": "actor",
    "trace_id": "traceId",
    "agent_id": "agentId",
    "ticket_id": "ticketId",
    "revision": "revision",
    "binding": "binding",
    "tool": "tool",
    "action": "action",
    "data_class": "dataClass",
    "approval_status": "approvalStatus",
    "outcome": "outcome",
}


def _is_within(stored: Json, whole: Json) -> bool:
    """Whether everything ``stored`` is in ``whole``, which may have newer fields besides."""
    if isinstance(stored, Mapping):
        return isinstance(whole, Mapping) and all(
            key in whole and _is_within(item, whole[key]) for key, item in stored.items()
        )
    if isinstance(stored, Sequence) and not isinstance(stored, str):
        return (
            isinstance(whole, Sequence)
            and len(stored) == len(whole)
            and all(_is_within(a, b) for a, b in zip(stored, whole, strict=True))
        )
    return stored == whole


def _unreadable(message: str) -> Unavailable:
    return Unavailable(Code.LEDGER_UNAVAILABLE, message)
