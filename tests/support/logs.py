"""A log of a few records with real keys, and naive proofs by the definition.

Lives here: what honest and lying servers of the tests show. It shares no code with the product's
prover: trees are hashed by recursion over all records.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from governance.checkpoint_notes import checkpoint_body, note_key_hash, note_signature, signed_note
from governance.control import PublicKey
from governance.note_keys import NoteKey, ecdsa_key
from governance.ports import Signature
from tests.support.build import T0
from tests.support.world import pem_of, sign

ORIGIN = "log.example/placet"
KEY = "checkpoint"


def root_of(records: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written."""
    if len(records) < 2:
        return sha256(b"\0" + records[0] if records else b"").digest()
    split = _split(len(records))
    left, right = root_of(records[:split]), root_of(records[split:])
    return sha256(b"\1" + left + right).digest()


def path(index: int, records: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1."""
    if len(records) == 1:
        return []
    split = _split(len(records))
    if index < split:
        return [*path(index, records[:split]), root_of(records[split:])]
    return [*path(index - split, records[split:]), root_of(records[:split])]


def growth(old: int, records: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.2."""
    return _subproof(old, records, is_whole=True) if 0 < old < len(records) else []


def _subproof(old: int, records: Sequence[bytes], *, is_whole: bool) -> list[bytes]:
    if old == len(records):
        return [] if is_whole else [root_of(records)]
    split = _split(len(records))
    if old <= split:
        return [*_subproof(old, records[:split], is_whole=is_whole), root_of(records[split:])]
    return [
        *_subproof(old - split, records[split:], is_whole=False),
        root_of(records[:split]),
    ]


def _split(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def records_of(size: int, *, word: str = "ok") -> list[bytes]:
    """Records that say their own numbers."""
    return [json.dumps({"seq": seq, "payload": word}).encode() for seq in range(1, size + 1)]


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log as somebody shows it; ``purpose`` picks the key that signs."""

    records: Sequence[bytes]
    origin: str = ORIGIN
    purpose: str = KEY

    def body(self, size: int) -> str:
        """What a checkpoint signs."""
        root = root_of(self.records[:size])
        return checkpoint_body(origin=self.origin, size=size, root=root, head="ab", at=T0)

    def note(self, size: int | None = None) -> str:
        """A signed checkpoint."""
        return self.signed(self.body(len(self.records) if size is None else size))

    def signed(self, body: str) -> str:
        """``body``, signed by this log's key."""
        return signed_note(
            body,
            key_name=self.origin,
            key_hash=note_key_hash(pem_of(self.purpose)),
            signature=note_signature(sign(self.purpose, body.encode())),
        )

    def before(self, size: int, key_id: str = "checkpoint-0") -> str:
        """A checkpoint as they were signed at first."""
        body = self.body(size)
        return signed_note(
            body,
            key_name=f"{self.origin}+{key_id}",
            key_hash=sha256(key_id.encode()).digest()[:4],
            signature=sign(self.purpose, body.encode()),
        )

    def inclusion(self, seq: int, size: int | None = None) -> list[bytes]:
        """The proof of record ``seq``."""
        return path(seq - 1, self.records[: size or len(self.records)])

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof of growth."""
        return growth(old, self.records[:new])

    @property
    def key(self) -> NoteKey:
        """Who signs it."""
        return ecdsa_key(self.origin, pem_of(self.purpose))

    def receipt(self, *seqs: int, note: str = "", size: int | None = None) -> dict[str, object]:
        """A receipt as JSON."""
        return {
            "receipt": "placet-receipt/v1",
            "checkpoint": note or self.note(size),
            "entries": [
                {
                    "seq": seq,
                    "event": self.records[seq - 1].decode(),
                    "proof": [base64.b64encode(h).decode() for h in self.inclusion(seq, size)],
                }
                for seq in seqs
            ],
            "keys": [],
        }


class RealSigner:
    """Signs with the fixed keys of the tests, so that what it signs verifies."""

    def __init__(self, *purposes: str) -> None:
        self._purposes = purposes

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """ES256."""
        value = base64.b64encode(sign(purpose, message)).decode()
        return Signature(key_id=f"key:{purpose}", value=value)

    def public_keys(self) -> Sequence[PublicKey]:
        """A key for each purpose."""
        return tuple(
            PublicKey(id=f"key:{name}", purpose=name, pem=pem_of(name), valid_from=T0)
            for name in self._purposes
        )
