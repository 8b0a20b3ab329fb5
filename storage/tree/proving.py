"""Proofs of the log, up to its newest checkpoint.

Lives here: reading the tiles that a proof needs, and distrusting them. Must not live here: which
those are (``tiles``), SQL. Law: a proof leaves only after it was checked, by code that it
shares nothing with, to lead to a root that was signed; tiles that do not are made anew, and records
that do not are said to be altered. Fails closed: no proof is given rather than a wrong one.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance import proofs
from governance.errors import Code, InvalidInput, Unavailable
from governance.transparency import Cosignature, Published
from storage.errors import unavailable
from storage.tree.tiles import WIDTH, Span, TileId, consistency, hash_of, inclusion, needed
from storage.tree.tiling import DamagedTilesError, TileStore, fill, leaves_after

_log = logging.getLogger("placet.ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Tiles of one moment, and what spans of them hash to."""

    tiles: Mapping[TileId, bytes]

    def hashes(self, spans: Sequence[Span]) -> tuple[bytes, ...]:
        return tuple(hash_of(span, self.tiles) for span in spans)

    def root(self, size: int) -> bytes:
        return hash_of(Span(0, size), self.tiles)


class Prover:
    """``governance.transparency.Transparency`` over a store of tiles."""

    def __init__(self, store: TileStore) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._repair: asyncio.Task[None] | None = None
        self._beyond_repair = 0
        """The checkpoint's size at which making the tiles anew did not help."""

    async def close(self) -> None:
        """Repair no more."""
        if self._repair is not None:
            self._repair.cancel()
            await asyncio.gather(self._repair, return_exceptions=True)

    async def catch_up(self, size: int, root: bytes) -> None:
        """Fill the tiles up to ``size`` records and compare what they give with ``root``.

        Raises:
            Unavailable: ``ledger_unavailable``: the records do not have that root.
        """
        async with self._lock:
            if await self._gives(size, root):
                return
            _log.warning("the tiles are made anew", extra={"size": size})
            await self._store.drop()
            if await self._gives(size, root):
                return
        _log.critical("the records are not those of the log's head", extra={"size": size})
        raise unavailable(f"the log's {size} records do not have the root that its head says")

    async def _gives(self, size: int, root: bytes) -> bool:
        try:
            await fill(self._store, size)
            return (await self._read((Span(0, size),), size)).root(size) == root
        except DamagedTilesError:
            return False

    async def publish(self, checkpoint: Published) -> None:
        """Make a checkpoint the one that proofs lead to."""
        await self._store.publish(checkpoint)

    async def newest(self) -> Published | None:
        """See ``governance.transparency.Transparency``; so are the other methods."""
        return await self._store.newest()

    async def published(self, size: int) -> Published | None:
        return await self._store.published(size)

    async def cosign(self, cosignature: Cosignature) -> None:
        await self._store.cosign(cosignature)

    async def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        signed = await self._upto(size, "/query/size")
        if not 1 <= seq <= size:
            raise _bad(f"seq: from 1 to {size}", "/query/seq")
        path, leaf = inclusion(seq - 1, size), Span(seq - 1, seq)
        read = await self._trusted(size, signed, (*path, leaf))
        hashes, root = read.hashes(path), read.root(size)
        (found,) = read.hashes((leaf,))
        if not proofs.includes_leaf(leaf=found, index=seq - 1, size=size, hashes=hashes, root=root):
            raise self._distrusted(signed)
        # Of a detached record the hash is what is left; whoever has its file has its bytes.
        if await leaves_after(self._store, seq - 1, 1) != [found]:
            _log.critical("a record was altered", extra={"seq": seq})
            raise unavailable(f"event {seq} is not the one that was signed")
        return hashes

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        signed = await self._upto(new, "/query/to")
        if not 0 <= old <= new:
            raise _bad(f"from: from 0 to {new}", "/query/from")
        path = consistency(old, new)
        read = await self._trusted(new, signed, (*path, Span(0, old)))
        hashes = read.hashes(path)
        if not proofs.extends(
            old_size=old,
            old_root=read.root(old),
            new_size=new,
            new_root=read.root(new),
            hashes=hashes,
        ):
            raise self._distrusted(signed)
        return hashes

    async def _upto(self, size: int, pointer: str) -> Published:
        signed = await self._store.newest()
        if signed is None:
            raise Unavailable(Code.NOT_CHECKPOINTED, "no checkpoint was signed yet")
        if not 0 <= size <= signed.size:
            raise _bad(f"at most {signed.size}, the newest checkpoint's size", pointer)
        return signed

    async def _trusted(self, size: int, signed: Published, spans: Sequence[Span]) -> _Read:
        """Tiles whose root at ``size`` leads to the signed one."""
        bridge = consistency(size, signed.size)
        whole = (*spans, *bridge, Span(0, size), Span(0, signed.size))
        try:
            read = await self._read(whole, signed.size)
        except DamagedTilesError as error:
            raise self._distrusted(signed) from error
        if proofs.extends(
            old_size=size,
            old_root=read.root(size),
            new_size=signed.size,
            new_root=signed.root,
            hashes=read.hashes(bridge),
        ):
            return read
        raise self._distrusted(signed)

    async def _read(self, spans: Sequence[Span], size: int) -> _Read:
        """The tiles that hold ``spans``; those of level 0 that lack something, from records."""
        wanted = needed(spans)
        tiles = dict(await self._store.tiles(wanted))
        for tile, least in wanted.items():
            if len(tiles.get(tile, b"")) >= least:
                continue
            if tile.level:
                raise DamagedTilesError(f"tile {tile.index} of level {tile.level} is too short")
            after = tile.index * WIDTH
            leaves = await leaves_after(self._store, after, min(WIDTH, size - after))
            tiles[tile] = b"".join(leaves)
            if len(tiles[tile]) < least:
                raise DamagedTilesError(f"the log ends before {size} records")
        return _Read(tiles=tiles)

    def _distrusted(self, signed: Published) -> Unavailable:
        """Have the tiles made anew, once for each checkpoint; meanwhile there is no proof."""
        is_running = self._repair is not None and not self._repair.done()
        if not is_running and self._beyond_repair != signed.size:
            self._repair = asyncio.create_task(self._mend(signed))
            is_running = True
        if is_running:
            return unavailable("the hashes of the log are being computed anew; try again")
        return unavailable("the log does not have the root that was signed")

    async def _mend(self, signed: Published) -> None:
        self._beyond_repair = signed.size
        async with self._lock:
            _log.warning("the tiles are made anew", extra={"size": signed.size})
            await self._store.drop()
        with contextlib.suppress(Unavailable):  # said already, and not tried again
            await self.catch_up(signed.size, signed.root)
            self._beyond_repair = 0

    async def mended(self) -> bool:
        """Wait for a repair that is under way; whether it helped, or there was none."""
        if self._repair is not None:
            await asyncio.gather(self._repair, return_exceptions=True)
        return self._beyond_repair == 0


def _bad(message: str, pointer: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_FIELD, message, pointer=pointer)
