"""Proofs from tiles: which hashes a proof is made of, and where they lie.

Lives here: pure arithmetic over tiles of 256 hashes. Must not live here: where tiles are kept
(``proving``), and checking proofs (``governance.proofs``). Law: a proof of a tree of n
records needs the tiles of one path and of the right edge, O(log n), however large the tree is.
Source: RFC 6962 sections 2.1.1 and 2.1.2, C2SP tlog-tiles (levels, indexes, widths).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from storage.tree.merkle import HASH_BYTES, leaf_hash, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
FULL_BYTES = WIDTH * HASH_BYTES


@dataclass(frozen=True, slots=True, order=True)
class TileId:
    """Where a tile is: ``level`` 0 holds the hashes of records."""

    level: int
    index: int


@dataclass(frozen=True, slots=True)
class Span:
    """The records from ``start`` up to but not with ``end``, a subtree of the tree."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Node:
    """A full subtree of 2^``height`` records, the ``index``-th of its kind."""

    height: int
    index: int

    @property
    def tile(self) -> TileId:
        level, above = divmod(self.height, HEIGHT)
        return TileId(level, (self.index << above) >> HEIGHT)

    @property
    def place(self) -> slice:
        """Its hashes within the tile, by bytes."""
        above = self.height % HEIGHT
        first = (self.index << above) % WIDTH
        return slice(first * HASH_BYTES, (first + (1 << above)) * HASH_BYTES)


def inclusion(index: int, size: int) -> tuple[Span, ...]:
    """The subtrees that stand beside record ``index`` on its way up, nearest first."""
    found: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _below(end - start)
        if index < split:
            found.append(Span(split, end))
            end = split
        else:
            found.append(Span(start, split))
            start = split
    return tuple(reversed(found))


def consistency(old: int, new: int) -> tuple[Span, ...]:
    """The subtrees from which both the tree of ``old`` and that of ``new`` records can be had."""
    if old in (0, new):
        return ()
    found: list[Span] = []
    start, end, is_whole = 0, new, True
    while old != end:
        split = start + _below(end - start)
        if old <= split:
            found.append(Span(split, end))
            end = split
        else:
            found.append(Span(start, split))
            start, is_whole = split, False
    if not is_whole:
        found.append(Span(start, end))
    return tuple(reversed(found))


def _below(count: int) -> int:
    """The largest power of two under ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def needed(spans: Iterable[Span]) -> Mapping[TileId, int]:
    """The tiles that hold ``spans``, and how many bytes of each at least."""
    found: dict[TileId, int] = {}
    for span in spans:
        for node in _cover(span):
            found[node.tile] = max(found.get(node.tile, 0), node.place.stop)
    return found


def hash_of(span: Span, tiles: Mapping[TileId, bytes]) -> bytes:
    """The hash of a subtree.

    Raises:
        KeyError: a tile that ``needed`` named is not there.
    """
    if span.start == span.end:
        return sha256(b"").digest()
    hashes = [_folded(tiles[node.tile][node.place]) for node in _cover(span)]
    found = hashes.pop()
    while hashes:
        found = node_hash(hashes.pop(), found)
    return found


def _cover(span: Span) -> Sequence[_Node]:
    """``span`` as full subtrees from left to right; its start is where a subtree may begin."""
    nodes: list[_Node] = []
    start = span.start
    while start < span.end:
        height = (span.end - start).bit_length() - 1
        nodes.append(_Node(height, start >> height))
        start += 1 << height
    return nodes


def _folded(hashes: bytes) -> bytes:
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def tile_of(records: Iterable[bytes]) -> bytes:
    """A tile of level 0, from the very bytes of its records."""
    return b"".join(leaf_hash(record) for record in records)


def root_of(tile: bytes) -> bytes:
    """The hash that a full tile has in the tile above it."""
    return _folded(tile)
