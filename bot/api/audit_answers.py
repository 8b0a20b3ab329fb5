"""What auditors, witnesses and holders of receipts are answered, as models.

Lives here: checkpoints, proofs, keys and receipts as JSON. Must not live here: how they are made.
Law: hashes are base64, as in checkpoints; fields are added, never changed or removed.
"""

from bot.api.answers import Answer


class CheckpointAnswer(Answer):
    """A checkpoint; ``note`` is the signed note with what witnesses signed beneath it."""

    origin: str
    size: int
    root: str
    note: str


class InclusionAnswer(Answer):
    """The hashes from event ``seq`` up to the root of the tree of ``size`` events."""

    seq: int
    size: int
    hashes: list[str]


class ConsistencyAnswer(Answer):
    """The hashes that show that the tree of ``to`` events begins with that of ``from`` events."""

    from_size: int
    to_size: int
    hashes: list[str]


class KeyAnswer(Answer):
    """A public key; ``ended_at`` is empty while it signs, ``vkey`` where it signs no checkpoints.

    A key that has ended without a ``successor`` was revoked.
    """

    id: str
    purpose: str
    pem: str
    valid_from: str
    ended_at: str
    reason: str
    successor: str
    vkey: str


class KeysAnswer(Answer):
    """Every key that the log names, and the witnesses whose cosignatures are kept."""

    origin: str
    keys: list[KeyAnswer]
    witnesses: list[str]


class EntryAnswer(Answer):
    """One event: its very text, and the hashes from it to the checkpoint's root."""

    seq: int
    event: str
    proof: list[str]


class ReceiptAnswer(Answer):
    """A receipt; it verifies offline with ``placet receipt verify``."""

    receipt: str
    checkpoint: str
    entries: list[EntryAnswer]
    keys: list[dict[str, str]]


class CosignedAnswer(Answer):
    """Whose cosignatures of the checkpoint of ``size`` are kept now."""

    size: int
    witnesses: list[str]
