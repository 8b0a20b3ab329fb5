"""Tiles and checkpoints of the ledger in memory.

Lives here: ``MemoryTiles``, the twin of ``tree.tile_store``. Must not live here: proofs. Law:
the same contract as the durable one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from governance.ports import Logged
from governance.transparency import Cosignature, Published
from storage.tree.tile_store import with_lines
from storage.tree.tiles import TileId


class MemoryTiles:
    """``tree.tiling.TileStore`` in dictionaries, over the records that ``records`` lists."""

    def __init__(self, records: Callable[[], Sequence[Logged]]) -> None:
        self._records = records
        self._tiles: dict[TileId, bytes] = {}
        self._checkpoints: dict[int, Published] = {}
        self._lines: dict[int, dict[str, str]] = {}

    async def bodies(self, after_seq: int, limit: int) -> Sequence[bytes]:
        """See ``tree.tiling.TileStore``; so are the other methods."""
        return [item.encoded for item in self._records()[after_seq : after_seq + limit]]

    async def leaves(self, after_seq: int, limit: int) -> Sequence[bytes]:
        return ()  # memory keeps every record

    async def tiles(self, wanted: Collection[TileId]) -> Mapping[TileId, bytes]:
        return {tile: self._tiles[tile] for tile in wanted if tile in self._tiles}

    async def filled(self) -> int:
        return max((tile.index + 1 for tile in self._tiles if tile.level == 0), default=0)

    async def put(self, tiles: Mapping[TileId, bytes], *, after: int) -> bool:
        if after and TileId(0, after - 1) not in self._tiles:
            return False
        for tile, hashes in tiles.items():
            self._tiles[tile] = max(self._tiles.get(tile, b""), hashes, key=len)
        return True

    async def drop(self) -> None:
        self._tiles.clear()

    async def newest(self) -> Published | None:
        return await self.published(max(self._checkpoints, default=0))

    async def published(self, size: int) -> Published | None:
        found = self._checkpoints.get(size)
        if found is None:
            return None
        lines = self._lines.get(size, {})
        return replace(found, note=with_lines(found.note, (lines[name] for name in sorted(lines))))

    async def publish(self, checkpoint: Published) -> None:
        self._checkpoints.setdefault(checkpoint.size, checkpoint)

    async def cosign(self, cosignature: Cosignature) -> None:
        self._lines.setdefault(cosignature.size, {})[cosignature.name] = cosignature.line
