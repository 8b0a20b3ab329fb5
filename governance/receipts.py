"""Receipts: records of the log that somebody took away, and what may be believed of them.

Lives here: the form of a receipt, and its verification from its text alone. Must not live here:
files, databases and networks. Law: what a receipt itself carries vouches for nothing; without
something from outside (a kept key, a published checkpoint, a witness) it is not verified.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from governance.note_keys import NoteError, NoteKey, unbase64
from governance.notes import Checkpoint, cosigned_at, parse_checkpoint
from governance.proofs import includes
from governance.trust import KeptKey, vouching

FORM = "placet-receipt/v1"
MOST_BYTES = 8_388_608
_KEYS = frozenset({"receipt", "checkpoint", "entries", "keys"})
_ENTRY_KEYS = frozenset({"seq", "event", "proof"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record: its very bytes, and the hashes that lead from it to the checkpoint's root."""

    seq: int
    event: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Records under one checkpoint; ``keys`` are a hint of who signed it, and prove nothing."""

    checkpoint: str
    entries: tuple[Entry, ...]
    keys: tuple[Mapping[str, str], ...] = ()

    def to_json(self) -> dict[str, object]:
        """As it is written; ``event`` is the text that was hashed."""
        return {
            "receipt": FORM,
            "checkpoint": self.checkpoint,
            "entries": [
                {
                    "seq": entry.seq,
                    "event": entry.event.decode("utf-8"),
                    "proof": [base64.b64encode(item).decode() for item in entry.proof],
                }
                for entry in self.entries
            ],
            "keys": [dict(key) for key in self.keys],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What was had from elsewhere than the receipt.

    ``checkpoints`` were published where the log's operator cannot change them afterwards.
    """

    keys: tuple[KeptKey, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    witnesses: tuple[NoteKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with a receipt, and who vouches for it; verified with none and some."""

    problems: tuple[str, ...]
    vouchers: tuple[str, ...]

    @property
    def is_verified(self) -> bool:
        """Nothing is wrong, and something from outside vouches for it."""
        return not self.problems and bool(self.vouchers)


def parse_receipt(text: str) -> Receipt:
    """Read a receipt.

    Raises:
        NoteError: it is none.
    """
    if len(text) > MOST_BYTES:
        raise NoteError(f"a receipt has at most {MOST_BYTES} characters")
    try:
        told = _mapping(json.loads(text, object_pairs_hook=_once))
    except NoteError:
        raise
    except (ValueError, RecursionError) as error:
        raise NoteError("a receipt is JSON") from error
    if told.get("receipt") != FORM or set(told) - _KEYS:
        raise NoteError(f"this is no {FORM}")
    entries = tuple(_entry(item) for item in _items(told.get("entries")))
    if not entries:
        raise NoteError("a receipt of nothing")
    return Receipt(
        checkpoint=_text(told.get("checkpoint")),
        entries=entries,
        keys=tuple(_hint(item) for item in _items(told.get("keys", []))),
    )


def _entry(value: object) -> Entry:
    told = _mapping(value)
    seq = told.get("seq")
    if type(seq) is not int or set(told) != _ENTRY_KEYS:
        raise NoteError("an entry is seq, event and proof")
    try:
        event = _text(told["event"]).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NoteError("an event is valid Unicode") from error
    proof = tuple(unbase64(_text(item)) for item in _items(told["proof"]))
    return Entry(seq=seq, event=event, proof=proof)


def _hint(value: object) -> dict[str, str]:
    return {name: _text(item) for name, item in _mapping(value).items()}


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise NoteError("an object was expected")
    return value


def _items(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise NoteError("a list was expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NoteError("a text was expected")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NoteError("a key stands twice")
    return found


def verify(receipt: Receipt, outside: Outside) -> Verdict:
    """Hold a receipt against what was had from elsewhere."""
    try:
        checkpoint = parse_checkpoint(receipt.checkpoint)
    except NoteError as error:
        return Verdict(problems=(f"checkpoint: {error}",), vouchers=())
    problems = [*_of_entries(receipt, checkpoint), *_of_published(checkpoint, outside)]
    vouchers: list[str] = []
    try:
        vouchers += [f"the log's key {key.name}" for key in vouching(checkpoint, outside.keys)]
        if outside.keys and not vouchers:
            problems.append("checkpoint: none of the kept keys vouches for it")
        times = {key.name: cosigned_at(checkpoint.note, key) for key in outside.witnesses}
    except NoteError as error:
        return Verdict(problems=(*problems, f"checkpoint: {error}"), vouchers=())
    seen = [name for name, time_s in times.items() if time_s]
    if times and not seen:
        problems.append("checkpoint: none of the witnesses has cosigned it")
    vouchers += [f"the witness {name}" for name in seen]
    if _is_published(checkpoint, outside):
        vouchers.append("a published checkpoint")
    return Verdict(problems=tuple(problems), vouchers=tuple(vouchers))


def _of_entries(receipt: Receipt, checkpoint: Checkpoint) -> Iterator[str]:
    for entry in receipt.entries:
        if _seq_of(entry.event) != entry.seq:
            yield f"event {entry.seq}: its bytes do not say that number"
        if not includes(
            record=entry.event,
            index=entry.seq - 1,
            size=checkpoint.size,
            hashes=entry.proof,
            root=checkpoint.root,
        ):
            yield f"event {entry.seq}: the proof does not lead to the checkpoint's root"


def _seq_of(event: bytes) -> object:
    try:
        told = json.loads(event)
    except (ValueError, RecursionError):
        return None
    return told.get("seq") if isinstance(told, dict) else None


def _of_published(checkpoint: Checkpoint, outside: Outside) -> Iterator[str]:
    for other in outside.checkpoints:
        if other.origin != checkpoint.origin:
            yield f"checkpoint: {checkpoint.origin} is not {other.origin}, which published"
            return
        if other.size == checkpoint.size and other.root != checkpoint.root:
            yield f"checkpoint: another log of {other.size} events was published: a fork"
    if outside.checkpoints and not _is_published(checkpoint, outside):
        yield f"checkpoint: none of {checkpoint.size} events is among those published"


def _is_published(checkpoint: Checkpoint, outside: Outside) -> bool:
    return any(
        (other.origin, other.size, other.root)
        == (checkpoint.origin, checkpoint.size, checkpoint.root)
        for other in outside.checkpoints
    )
