"""Filling tiles from the log: a cache of hashes that is always behind and never needed to decide.

Lives here: what a store of tiles is, and how the next tiles are made from records. Must not live
here: proofs (``proving``), SQL (``tile_store``). Law: derived data: whatever is
missing or wrong is made anew from the bytes of the records; a tile follows the one before it.
Source: C2SP tlog-tiles.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from governance.transparency import Cosignature, Published
from storage.tree.merkle import HASH_BYTES, leaf_hash
from storage.tree.tiles import FULL_BYTES, HEIGHT, WIDTH, TileId, root_of

BATCH = 16
"""Tiles that are made and written at once: 4,096 records."""


class DamagedTilesError(Exception):
    """The tiles that are kept do not fit together."""


class TileStore(Protocol):
    """Where tiles and checkpoints are kept, beside the records that they are made from."""

    async def bodies(self, after_seq: int, limit: int) -> Sequence[bytes]:
        """The very bytes of the records after ``after_seq``, oldest first."""
        ...

    async def leaves(self, after_seq: int, limit: int) -> Sequence[bytes]:
        """Hashes of the records after ``after_seq`` whose bytes are detached, oldest first."""
        ...

    async def tiles(self, wanted: Collection[TileId]) -> Mapping[TileId, bytes]:
        """Those of ``wanted`` that are kept; tiles above level 0 may still grow."""
        ...

    async def filled(self) -> int:
        """How many tiles of level 0 are kept."""
        ...

    async def put(self, tiles: Mapping[TileId, bytes], *, after: int) -> bool:
        """Keep tiles that follow the first ``after`` of level 0; False: those are not there.

        A tile only ever grows: a shorter one than is kept changes nothing.
        """
        ...

    async def drop(self) -> None:
        """Forget every tile."""
        ...

    async def newest(self) -> Published | None:
        """The checkpoint of the most records."""
        ...

    async def published(self, size: int) -> Published | None:
        """The checkpoint of exactly ``size`` records."""
        ...

    async def publish(self, checkpoint: Published) -> None:
        """Keep a checkpoint; the first one of its size stays."""
        ...

    async def cosign(self, cosignature: Cosignature) -> None:
        """Keep a cosignature; a newer one of the same witness replaces it."""
        ...


async def leaves_after(store: TileStore, after_seq: int, limit: int) -> Sequence[bytes]:
    """Hashes of the records after ``after_seq`` as leaves, oldest first: kept ones, then made."""
    kept = await store.leaves(after_seq, limit)
    records = await store.bodies(after_seq + len(kept), limit - len(kept))
    if not records and len(kept) < limit:
        # Either the log ends there, or records have left between the two reads.
        kept = await store.leaves(after_seq, limit)
        records = await store.bodies(after_seq + len(kept), limit - len(kept))
    return [*kept, *map(leaf_hash, records)]


async def fill(store: TileStore, size: int) -> None:
    """Make every full tile of the first ``size`` records that is not kept yet.

    Raises:
        DamagedTilesError: the tiles that are kept do not fit together.
    """
    done = await store.filled()
    while done < size // WIDTH:
        count = min(BATCH, size // WIDTH - done)
        made = await _next(store, done, count)
        if not await store.put(made, after=done):
            raise DamagedTilesError(f"tile {done} of level 0 has no tile before it")
        done += count


async def _next(store: TileStore, done: int, count: int) -> Mapping[TileId, bytes]:
    """The next ``count`` tiles of level 0, and those above as they stand then."""
    leaves = await leaves_after(store, done * WIDTH, count * WIDTH)
    if len(leaves) != count * WIDTH:
        raise DamagedTilesError(f"the log ends within the first {(done + count) * WIDTH} records")
    edge = await _edge(store, done)
    made: dict[TileId, bytes] = {}
    for number in range(count):
        tile = b"".join(leaves[number * WIDTH : (number + 1) * WIDTH])
        made[TileId(0, done + number)] = tile
        _grow(made, edge, 1, done + number, root_of(tile))
    return made


def _grow(
    made: dict[TileId, bytes], edge: dict[int, bytes], level: int, index: int, found: bytes
) -> None:
    """Add the hash of the ``index``-th full tile below to the right edge of ``level``."""
    tile = edge.get(level, b"") + found
    made[TileId(level, index >> HEIGHT)] = tile
    edge[level] = tile
    if len(tile) == FULL_BYTES:
        edge[level] = b""
        _grow(made, edge, level + 1, index >> HEIGHT, root_of(tile))


async def _edge(store: TileStore, done: int) -> dict[int, bytes]:
    """The tiles above that are not full after ``done`` tiles of level 0, by level."""
    counts: dict[int, int] = {}
    level, below = 1, done
    while below:
        counts[level] = below
        level, below = level + 1, below >> HEIGHT
    wanted = {TileId(level, count >> HEIGHT) for level, count in counts.items() if count % WIDTH}
    found = await store.tiles(wanted)
    edge: dict[int, bytes] = {}
    for level, count in counts.items():
        wide = count % WIDTH * HASH_BYTES
        tile = found.get(TileId(level, count >> HEIGHT), b"")[:wide] if wide else b""
        if len(tile) != wide:
            raise DamagedTilesError(f"the last tile of level {level} is too short")
        edge[level] = tile
    return edge
