"""The verifier's tiles: the same as the ledger's, and any other is named."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from storage.tree import merkle
from storage.verify.tiles import Tiles

LEAVES = [merkle.leaf_hash(b"%d" % n) for n in range(700)]
TILES = {
    (0, 0): b"".join(LEAVES[:256]),
    (0, 1): b"".join(LEAVES[256:512]),
    (1, 0): merkle.root_of([b"%d" % n for n in range(256)])
    + merkle.root_of([b"%d" % n for n in range(256, 512)]),
}


@pytest.fixture
def scratch() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("ATTACH ':memory:' AS db")
        connection.execute("CREATE TABLE db.tiles (level INT, place INT, hashes BLOB)")
        yield connection


def named(scratch: sqlite3.Connection, kept: dict[tuple[int, int], object]) -> list[str]:
    rows = [(*place, hashes) for place, hashes in kept.items()]
    scratch.executemany("INSERT INTO db.tiles VALUES (?, ?, ?)", rows)
    tiles = Tiles(scratch)
    for leaf in LEAVES:
        tiles.add(leaf)
    return [problem.row for problem in tiles.compare()]


@pytest.mark.parametrize("missing", [None, *TILES])
def test_tiles_that_say_what_the_records_say_are_no_problem(
    scratch: sqlite3.Connection, missing: tuple[int, int] | None
) -> None:
    assert named(scratch, {k: v for k, v in TILES.items() if k != missing}) == []


def test_a_tile_that_has_not_grown_yet_is_no_problem(scratch: sqlite3.Connection) -> None:
    assert named(scratch, {(0, 2): b"".join(LEAVES[512:600]), (1, 0): TILES[1, 0][:32]}) == []


@pytest.mark.parametrize(
    "wrong",
    [
        TILES[0, 1][:-1] + b"x",
        TILES[0, 0],
        TILES[0, 1] + LEAVES[512],
        TILES[0, 1][:31],
        b"",
        TILES[0, 1].hex(),
    ],
)
def test_a_tile_that_says_anything_else_is_named(
    scratch: sqlite3.Connection, wrong: object
) -> None:
    assert named(scratch, {**TILES, (0, 1): wrong}) == ["0/1"]


@pytest.mark.parametrize("place", [(0, 3), (2, 0), (1, 1)])
def test_a_tile_where_the_log_has_none_is_named(
    scratch: sqlite3.Connection, place: tuple[int, int]
) -> None:
    level, index = place
    assert named(scratch, {**TILES, place: LEAVES[0]}) == [f"{level}/{index}"]


MANY = [merkle.leaf_hash(b"%d" % n) for n in range(256 * 3 + 9)]
WHOLE = {
    **{(0, n): b"".join(MANY[n * 256 : n * 256 + 256]) for n in range(3)},
    (1, 0): b"".join(
        merkle.root_of([b"%d" % n for n in range(at * 256, at * 256 + 256)]) for at in range(3)
    ),
}


def begun(scratch: sqlite3.Connection, kept: dict[tuple[int, int], object], size: int) -> list[str]:
    """What is named by a walk that begins with the tiles as they were at ``size``."""
    rows = [(*place, hashes) for place, hashes in kept.items()]
    scratch.executemany("INSERT INTO db.tiles VALUES (?, ?, ?)", rows)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as aside:
        before = Tiles(aside)
        for leaf in MANY[:size]:
            before.add(leaf)
        open_ = list(before.open_tiles())
    tiles = Tiles(scratch)
    tiles.begin(open_)
    for leaf in MANY[size:]:
        tiles.add(leaf)
    return sorted(problem.row for problem in tiles.compare())


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 600, 768, 770, 777])
def test_tiles_before_a_start_are_held_to_the_tile_above_them(
    scratch: sqlite3.Connection, size: int
) -> None:
    assert begun(scratch, WHOLE, size) == []


@pytest.mark.parametrize("size", [512, 600, 777])
@pytest.mark.parametrize("place", [0, 1])
def test_a_tile_before_a_start_that_says_anything_else_is_named(
    scratch: sqlite3.Connection, size: int, place: int
) -> None:
    wrong = WHOLE[0, place]
    changed = {(0, place): wrong[:-1] + bytes([wrong[-1] ^ 1])}
    assert begun(scratch, WHOLE | changed, size) == [f"0/{place}"]


@pytest.mark.parametrize("hashes", ["text", b"", None, WHOLE[0, 0][:-32]])
def test_a_tile_before_a_start_that_is_none_is_named(
    scratch: sqlite3.Connection, hashes: object
) -> None:
    assert begun(scratch, WHOLE | {(0, 0): hashes}, 600) == ["0/0"]


def test_a_tile_above_that_was_changed_with_the_one_below_is_named(
    scratch: sqlite3.Connection,
) -> None:
    forged = b"x" * 32 + WHOLE[0, 0][32:]
    above = merkle.node_hash(WHOLE[1, 0][:32], WHOLE[1, 0][32:64]) + WHOLE[1, 0][32:]
    assert "1/0" in begun(scratch, WHOLE | {(0, 0): forged, (1, 0): above}, 600)
