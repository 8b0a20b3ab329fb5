"""Proofs of every ledger: right for every size, O(log n) reads, and never given when wrong."""

import random
from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from governance import control as ctl
from governance import proofs
from governance.errors import Code, InvalidInput, Unavailable
from governance.transparency import Cosignature, Published
from storage.connection import Connection
from storage.ledger import SqlLedger
from storage.sqlite.database import SqliteConnection
from storage.tree import merkle, tiling
from storage.tree.proving import Prover
from storage.tree.tile_store import SqlTiles
from storage.tree.tiles import TileId
from tests.contract.conftest import AnyLedger
from tests.support.build import ANNA, TENANT
from tests.support.commits import append, whole

SIZE = 600


def frozen(number: int) -> ctl.AgentFrozen:
    return ctl.AgentFrozen(tenant=TENANT, target=f"agent-{number}", person=ANNA)


@pytest.fixture
async def filled(ledger: AnyLedger) -> AnyLedger:
    """A log of ``SIZE`` records."""
    for start in range(0, SIZE, 100):
        await append(ledger, *(frozen(number) for number in range(start, start + 100)))
    return ledger


async def signed(ledger: AnyLedger, prover: Prover) -> Published:
    """A checkpoint of the log as it is now."""
    size, root, _ = await ledger.tree_head()
    await prover.catch_up(size, root)
    made = Published(size=size, root=root, note=f"note of {size}\n")
    await prover.publish(made)
    return made


class Counting:
    """A store that counts what is read of it."""

    def __init__(self, ledger: AnyLedger) -> None:
        self._tiles = ledger.tiles
        self.read = self.records = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._tiles, name)

    async def tiles(self, wanted: Collection[TileId]) -> Mapping[TileId, bytes]:
        self.read += len(wanted)
        return await self._tiles.tiles(wanted)

    async def bodies(self, after_seq: int, limit: int) -> list[bytes]:
        self.records += limit
        return list(await self._tiles.bodies(after_seq, limit))


async def test_every_proof_holds_and_agrees_with_the_whole_tree(filled: AnyLedger):
    records = [item.encoded for item in await whole(filled)]
    prover = Prover(filled.tiles)
    await signed(filled, prover)
    roots = {size: merkle.root_of(records[:size]) for size in (1, 2, 255, 256, 257, 511, 600)}
    picks = random.Random(7)  # noqa: S311  # which records are looked at
    for size, root in roots.items():
        for seq in {1, size, *(picks.randint(1, size) for _ in range(6))}:
            hashes = await prover.inclusion(seq, size)
            assert proofs.includes(
                record=records[seq - 1], index=seq - 1, size=size, hashes=hashes, root=root
            )
        for old, old_root in roots.items():
            if old <= size:
                assert proofs.extends(
                    old_size=old,
                    old_root=old_root,
                    new_size=size,
                    new_root=root,
                    hashes=await prover.consistency(old, size),
                )
    assert await prover.consistency(0, 600) == ()


async def test_a_proof_reads_a_few_tiles_and_at_most_one_tile_of_records(filled: AnyLedger):
    await signed(filled, Prover(filled.tiles))
    store = Counting(filled)
    await Prover(store).inclusion(3, SIZE)  # type: ignore[arg-type]
    assert store.read <= 4
    assert store.records <= 256 + 1


async def test_there_is_no_proof_before_a_checkpoint_nor_beyond_the_newest(filled: AnyLedger):
    prover = Prover(filled.tiles)
    with pytest.raises(Unavailable) as early:
        await prover.inclusion(1, 1)
    assert early.value.code is Code.NOT_CHECKPOINTED
    await signed(filled, prover)
    await append(filled, frozen(0))
    for seq, size, pointer in (
        (1, SIZE + 1, "/query/size"),
        (SIZE + 1, SIZE, "/query/seq"),
        (0, 5, "/query/seq"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await prover.inclusion(seq, size)
        assert (caught.value.code, caught.value.pointer) == (Code.INVALID_FIELD, pointer)
    for old, new, pointer in ((5, 4, "/query/from"), (5, SIZE + 1, "/query/to")):
        with pytest.raises(InvalidInput) as caught:
            await prover.consistency(old, new)
        assert caught.value.pointer == pointer


@pytest.mark.parametrize("level", [0, 1])
async def test_a_wrong_tile_is_never_believed_and_is_made_anew(filled: AnyLedger, level: int):
    prover = Prover(filled.tiles)
    checkpoint = await signed(filled, prover)
    right = await filled.tiles.tiles([TileId(level, 0)])
    wrong = bytes(32) + right[TileId(level, 0)][32:]
    await filled.tiles.drop()
    await tiling.fill(filled.tiles, SIZE)
    await _replace(filled, TileId(level, 0), wrong)
    with pytest.raises(Unavailable) as caught:
        await prover.inclusion(1, SIZE)
    assert caught.value.code is Code.LEDGER_UNAVAILABLE
    assert await prover.mended()
    assert await filled.tiles.tiles([TileId(level, 0)]) == right
    records = [item.encoded for item in await whole(filled)]
    assert proofs.includes(
        record=records[0],
        index=0,
        size=SIZE,
        hashes=await prover.inclusion(1, SIZE),
        root=checkpoint.root,
    )


async def _replace(ledger: AnyLedger, tile: TileId, hashes: bytes) -> None:
    """Alter a tile, as somebody with the database might."""
    store = ledger.tiles
    if isinstance(store, SqlTiles):
        assert isinstance(ledger, SqlLedger)
        sql = "UPDATE tiles SET hashes = ? WHERE level = ? AND place = ?"
        await ledger._upkeep(lambda c: c.execute(sql, (hashes, tile.level, tile.index)).rowcount)
    else:
        store._tiles[tile] = hashes


async def test_a_record_that_was_altered_is_said_so_and_the_tiles_stay(filled: AnyLedger):
    prover = Prover(filled.tiles)
    await signed(filled, prover)
    tile = await filled.tiles.tiles([TileId(0, 0)])
    await _alter(filled, 3)
    with pytest.raises(Unavailable, match="event 3 is not the one that was signed"):
        await prover.inclusion(3, SIZE)
    assert await prover.mended()
    assert await filled.tiles.tiles([TileId(0, 0)]) == tile
    assert await prover.inclusion(4, SIZE), "the others are still proven"


async def _alter(ledger: AnyLedger, seq: int) -> None:
    """Alter a record, as somebody with the database might."""
    if isinstance(ledger, SqlLedger):

        def alter(connection: Connection) -> None:
            if isinstance(connection, SqliteConnection):
                connection.execute("DROP TRIGGER events_no_update")
            else:
                connection.execute("ALTER TABLE events DISABLE TRIGGER USER")
            connection.execute("UPDATE events SET body = ? WHERE seq = ?", (b"{}", seq))

        await ledger._upkeep(alter)
    else:
        ledger._tables.events[seq - 1] = replace(ledger._tables.events[seq - 1], encoded=b"{}")


async def test_missing_tiles_are_made_anew(filled: AnyLedger):
    prover = Prover(filled.tiles)
    await signed(filled, prover)
    await filled.tiles.drop()
    with pytest.raises(Unavailable):
        await prover.inclusion(1, SIZE)
    assert await prover.mended()
    assert await prover.inclusion(1, SIZE)


async def test_a_root_that_the_records_do_not_have_is_not_signed(filled: AnyLedger):
    with pytest.raises(Unavailable) as caught:
        await Prover(filled.tiles).catch_up(SIZE, b"\1" * 32)
    assert caught.value.code is Code.LEDGER_UNAVAILABLE
    with pytest.raises(Unavailable):
        await Prover(filled.tiles).catch_up(SIZE + 300, (await filled.tree_head())[1])


async def test_a_checkpoint_that_the_log_does_not_have_gives_no_proof_and_one_repair(
    filled: AnyLedger,
):
    prover = Prover(filled.tiles)
    await prover.publish(Published(size=SIZE, root=b"\1" * 32, note="forged\n"))
    messages = []
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await prover.consistency(3, SIZE)
        messages.append(caught.value.message)
        assert not await prover.mended()
    assert "anew" in messages[0]
    assert messages[1:] == ["the log does not have the root that was signed"] * 2


async def test_two_processes_fill_the_same_tiles(filled: AnyLedger):
    await tiling.fill(filled.tiles, 300)
    behind = await filled.tiles.tiles([TileId(1, 0)])
    await tiling.fill(filled.tiles, SIZE)
    ahead = await filled.tiles.tiles([TileId(1, 0)])
    assert await filled.tiles.put(behind, after=1)
    assert await filled.tiles.tiles([TileId(1, 0)]) == ahead
    assert not await filled.tiles.put(behind, after=9)


async def test_checkpoints_are_kept_by_size_with_what_witnesses_signed(ledger: AnyLedger):
    store = ledger.tiles
    assert await store.newest() is None
    for size in (3, 9):
        await store.publish(Published(size=size, root=bytes([size] * 32), note=f"{size}\n"))
    await store.publish(Published(size=9, root=b"\0" * 32, note="another\n"))
    await store.cosign(Cosignature(size=9, name="w2", line="two"))
    await store.cosign(Cosignature(size=9, name="w1", line="old"))
    await store.cosign(Cosignature(size=9, name="w1", line="one"))
    newest = await store.newest()
    assert newest == Published(size=9, root=bytes([9] * 32), note="9\none\ntwo\n")
    assert (await store.published(3)) == Published(size=3, root=bytes([3] * 32), note="3\n")
    assert await store.published(4) is None
