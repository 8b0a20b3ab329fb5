"""The verifier's own tiles of the tree, to compare those that the ledger makes proofs from.

Lives here: tiles of 256 hashes, derived record by record. Must not live here: roots and
checkpoints (``chain``). Law: shares no code with what makes tiles; a tile that is missing is
no problem, since they always lag behind, and one that says anything else is.
Source: C2SP tlog-tiles.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256

from storage.verify.chain import HASH_BYTES, Problem

_WIDTH = 256
_FULL = _WIDTH * HASH_BYTES
_TABLE = """CREATE TABLE n (level INT, place INT, hashes BLOB, PRIMARY KEY (level, place))
    WITHOUT ROWID"""
_WRONG = """SELECT r.level, r.place FROM db.tiles r
    LEFT JOIN n ON n.level = r.level AND n.place = r.place
    WHERE n.hashes IS NULL OR typeof(r.hashes) <> 'blob' OR length(r.hashes) % 32 <> 0
    OR length(r.hashes) = 0 OR substr(n.hashes, 1, length(r.hashes)) <> r.hashes"""
_BEFORE = "SELECT place, hashes FROM db.tiles WHERE level = ? AND place < ?"
_ONE = "SELECT hashes FROM n WHERE level = ? AND place = ?"
_INSERT = "INSERT OR REPLACE INTO n VALUES (?, ?, ?)"
_IS_THERE = "SELECT 1 FROM db.sqlite_master WHERE name = 'tiles'"


class Tiles:
    """Grows with the log; full tiles go to the scratch, so that memory stays flat."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        scratch.execute(_TABLE)
        self._open: list[bytearray] = []
        self._placed: list[int] = []
        self._known: tuple[int, ...] = ()
        """How many full tiles of each level stand before where the walk began."""

    def add(self, hash_: bytes, level: int = 0) -> None:
        """One more record, by the hash of its bytes as a leaf; a full tile is one hash above."""
        if level == len(self._open):
            self._open.append(bytearray())
            self._placed.append(0)
        tile = self._open[level]
        tile += hash_
        if len(tile) == _FULL:
            self._put(level, bytes(tile))
            above = _root(bytes(tile))
            tile.clear()
            self._placed[level] += 1
            self.add(above, level + 1)

    def open_tiles(self) -> Iterator[tuple[int, bytes]]:
        """By level: how many tiles are full, and the hashes of the one that is not."""
        return zip(self._placed, map(bytes, self._open), strict=True)

    def begin(self, levels: Sequence[tuple[int, bytes]]) -> None:
        """Go on from there."""
        self._placed = [placed for placed, _ in levels]
        self._open = [bytearray(tile) for _, tile in levels]
        self._known = tuple(self._placed)

    def compare(self) -> Iterator[Problem]:
        """Tiles of the database ``db`` attached to the scratch that are not as the records say."""
        for level, tile in enumerate(self._open):
            if tile:
                self._put(level, bytes(tile))
        if self._scratch.execute(_IS_THERE).fetchone() is None:
            return  # an earlier version left it
        for level, known in reversed(tuple(enumerate(self._known))):
            self._take(level, known)
        for level, place in self._scratch.execute(_WRONG):
            detail = f"tile {place} of level {level} is not what the records say"
            yield Problem(seq=0, what="tiles", detail=detail, table="tiles", row=f"{level}/{place}")

    def compare_leaves(self, upto: int) -> Iterator[Problem]:
        """After ``compare``: leaves that are kept of detached records, up to record ``upto``."""
        place, tile, end = 0, b"", 0
        rows = self._scratch.execute("SELECT after, hashes FROM db.detached_leaves ORDER BY after")
        for after, hashes in (*rows, (upto, None)):
            if hashes is None or after // _WIDTH != place:
                if tile and not self._is_tile(place, tile):
                    yield _leaves(f"{place * _WIDTH}", "are not what the records say")
                place, tile = after // _WIDTH, b""
            if after != end:
                yield _leaves(f"{end}", "are missing, or too many")
            if isinstance(hashes, bytes):
                tile, end = tile + hashes, after + len(hashes) // HASH_BYTES

    def _is_tile(self, place: int, tile: bytes) -> bool:
        """Whether these are the first leaves of a tile, as was derived or as the one above says."""
        row = self._scratch.execute(_ONE, (0, place)).fetchone()
        if row is not None:
            return bool(row[0][: len(tile)] == tile)
        above = self._scratch.execute(_ONE, (1, place // _WIDTH)).fetchone()
        at = place % _WIDTH * HASH_BYTES
        return bool(above and len(tile) == _FULL and above[0][at : at + HASH_BYTES] == _root(tile))

    def _take(self, level: int, known: int) -> None:
        """Take for ours the full tiles of a level that are what the tile above them says."""
        for place, hashes in self._scratch.execute(_BEFORE, (level, known)).fetchall():
            is_full = isinstance(hashes, bytes) and len(hashes) == _FULL
            row = self._scratch.execute(_ONE, (level + 1, place // _WIDTH)).fetchone()
            at = place % _WIDTH * HASH_BYTES
            if is_full and row and row[0][at : at + HASH_BYTES] == _root(hashes):
                self._scratch.execute(_INSERT, (level, place, hashes))

    def _put(self, level: int, hashes: bytes) -> None:
        row = (level, self._placed[level], hashes)
        self._scratch.execute(_INSERT, row)


def _leaves(row: str, why: str) -> Problem:
    detail = f"the kept leaves of detached records after {row} {why}"
    return Problem(seq=0, what="tiles", detail=detail, table="detached_leaves", row=row)


def _root(tile: bytes) -> bytes:
    """The hash above a full tile."""
    while len(tile) > HASH_BYTES:
        pairs = range(0, len(tile), 2 * HASH_BYTES)
        tile = b"".join(sha256(b"\x01" + tile[at : at + 2 * HASH_BYTES]).digest() for at in pairs)
    return tile
