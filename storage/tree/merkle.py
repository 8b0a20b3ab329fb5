"""The Merkle tree over the log's records: roots from scratch and grown leaf by leaf.

Lives here: pure arithmetic over hashes. Must not live here: where a tree is kept, or checkpoints.
Law: a leaf and a node never share a hash (prefixes 0x00 and 0x01); the empty tree is the hash of
nothing; the grown root equals the one from scratch.
Source: RFC 6962 section 2.1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one record's bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A tree of ``size`` leaves as its full subtrees, largest first: 32 bytes for each 1 bit."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse peaks that cannot belong to ``size`` leaves."""
        if len(self.peaks) != self.size.bit_count():
            raise ValueError(f"{len(self.peaks)} peaks cannot stand for {self.size} leaves")

    def grown(self, leaves: Iterable[bytes]) -> "Range":
        """The range with the hashes of these records' bytes added."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            node, carry = leaf_hash(leaf), size
            while carry & 1:
                node = node_hash(peaks.pop(), node)
                carry >>= 1
            peaks.append(node)
            size += 1
        return Range(size=size, peaks=tuple(peaks))

    @property
    def root(self) -> bytes:
        """The 32-byte root."""
        if not self.peaks:
            return sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node

    def to_bytes(self) -> bytes:
        """The peaks, one after the other."""
        return b"".join(self.peaks)


def from_bytes(size: int, raw: bytes) -> Range:
    """Read a range back.

    Raises:
        ValueError: the bytes cannot belong to ``size`` leaves.
    """
    if len(raw) % HASH_BYTES:
        raise ValueError("a compact range is whole hashes")
    peaks = tuple(raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES))
    return Range(size=size, peaks=peaks)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root from scratch, by the definition: split at the largest power of two below."""
    count = len(leaves)
    if count == 0:
        return sha256(b"").digest()
    if count == 1:
        return leaf_hash(leaves[0])
    split = 1 << ((count - 1).bit_length() - 1)
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))
