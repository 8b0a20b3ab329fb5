"""Tiles and checkpoints in the ledger's database.

Lives here: the SQL of the three tables that hold what is derived from the log for proofs. Must not
live here: what a tile is (``tiles``), when it is made (``tiling``). Law: nothing
here is written in the transaction of a decision, and nothing decides by it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Row, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from governance.transparency import Cosignature, Published
from storage.connection import Connection
from storage.schema.tables import checkpoints, cosignatures, detached_leaves, events, tiles
from storage.tree.merkle import HASH_BYTES
from storage.tree.tiles import WIDTH, TileId

T = TypeVar("T")

Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
Upkeep = Callable[[Callable[[Connection], Any]], Awaitable[Any]]

_PREVIOUS = "SELECT 1 FROM tiles WHERE level = 0 AND place = ?"
_TILE = """INSERT INTO tiles (level, place, hashes) VALUES (?, ?, ?)
    ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes
    WHERE length(excluded.hashes) > length(tiles.hashes)"""
_DROP = "DELETE FROM tiles"
_CHECKPOINT = """INSERT INTO checkpoints (size, root, note) VALUES (?, ?, ?)
    ON CONFLICT (size) DO NOTHING"""
_COSIGNATURE = """INSERT INTO cosignatures (size, name, line) VALUES (?, ?, ?)
    ON CONFLICT (size, name) DO UPDATE SET line = excluded.line"""


class SqlTiles:
    """``tiling.TileStore`` over a ledger's readers and its writer's upkeep."""

    def __init__(self, reading: Reading, upkeep: Upkeep) -> None:
        self._reading = reading
        self._upkeep = upkeep

    async def bodies(self, after_seq: int, limit: int) -> Sequence[bytes]:
        """See ``tiling.TileStore``; so are the other methods."""
        query = select(events.c.seq, events.c.body).where(events.c.seq > after_seq)
        rows = await self._rows(query.order_by(events.c.seq).limit(limit))
        if rows and rows[0].seq != after_seq + 1:
            return ()  # they have left just now
        return [bytes(row.body) for row in rows]

    async def leaves(self, after_seq: int, limit: int) -> Sequence[bytes]:
        after, upto = detached_leaves.c.after, after_seq + limit
        near = select(detached_leaves).where(after > after_seq - WIDTH, after < upto)
        found: list[bytes] = []
        for row in await self._rows(near.order_by(after)):
            hashes = bytes(row.hashes)
            all_ = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
            found += all_[max(0, after_seq - row.after) :]
        return found[:limit]

    async def tiles(self, wanted: Collection[TileId]) -> Mapping[TileId, bytes]:
        if not wanted:
            return {}
        columns = (tiles.c.level, tiles.c.place)
        places = [and_(columns[0] == one.level, columns[1] == one.index) for one in wanted]
        rows = await self._rows(select(*columns, tiles.c.hashes).where(or_(*places)))
        return {TileId(row.level, row.place): bytes(row.hashes) for row in rows}

    async def filled(self) -> int:
        last = select(func.max(tiles.c.place)).where(tiles.c.level == 0)
        (row,) = await self._rows(last)
        return 0 if row[0] is None else int(row[0]) + 1

    async def put(self, tiles: Mapping[TileId, bytes], *, after: int) -> bool:
        return bool(await self._upkeep(partial(_put, made=tiles, after=after)))

    async def drop(self) -> None:
        await self._upkeep(partial(_run, sql=_DROP))

    async def newest(self) -> Published | None:
        return await self._published(select(checkpoints).order_by(checkpoints.c.size.desc()))

    async def published(self, size: int) -> Published | None:
        return await self._published(select(checkpoints).where(checkpoints.c.size == size))

    async def publish(self, checkpoint: Published) -> None:
        row = (checkpoint.size, checkpoint.root, checkpoint.note)
        await self._upkeep(partial(_run, sql=_CHECKPOINT, values=row))

    async def cosign(self, cosignature: Cosignature) -> None:
        row = (cosignature.size, cosignature.name, cosignature.line)
        await self._upkeep(partial(_run, sql=_COSIGNATURE, values=row))

    async def _published(self, query: Select[Any]) -> Published | None:
        rows = await self._rows(query.limit(1))
        if not rows:
            return None
        lines = select(cosignatures.c.line).where(cosignatures.c.size == rows[0].size)
        found = await self._rows(lines.order_by(cosignatures.c.name))
        note = with_lines(rows[0].note, (row.line for row in found))
        return Published(size=rows[0].size, root=bytes(rows[0].root), note=note)

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._reading() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows


def with_lines(note: str, lines: Iterable[str]) -> str:
    """A note with further signature lines under it."""
    return note + "".join(f"{line}\n" for line in lines)


def _run(connection: Connection, sql: str, values: Sequence[Any] = ()) -> None:
    connection.execute(sql, values)


def _put(connection: Connection, made: Mapping[TileId, bytes], after: int) -> bool:
    if after and connection.execute(_PREVIOUS, (after - 1,)).fetchone() is None:
        return False
    rows = [(tile.level, tile.index, hashes) for tile, hashes in sorted(made.items())]
    connection.executemany(_TILE, rows)
    return True
