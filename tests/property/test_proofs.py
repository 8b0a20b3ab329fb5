"""Proofs: what the prover makes, what the definition says and what the verifier accepts agree."""

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.proofs import extends, includes
from storage.tree import tiles
from storage.tree.tiles import Span, TileId
from tests.support.logs import growth, path, records_of, root_of

MOST = 300
RECORDS = records_of(70_000)


def tiled(records: Sequence[bytes]) -> dict[TileId, bytes]:
    """Every tile over ``records``, partial ones too."""
    found, row, level = {}, [tiles.leaf_hash(record) for record in records], 0
    while row:
        for start in range(0, len(row), tiles.WIDTH):
            index = start // tiles.WIDTH
            found[TileId(level, index)] = b"".join(row[start : start + tiles.WIDTH])
        full = len(row) // tiles.WIDTH
        row = [tiles.root_of(found[TileId(level, index)]) for index in range(full)]
        level += 1
    return found


@cache
def large() -> dict[TileId, bytes]:
    """The tiles of three levels."""
    return tiled(RECORDS)


@cache
def naive(size: int) -> bytes:
    return root_of(RECORDS[:size])


def proof(spans: Sequence[Span]) -> list[bytes]:
    wanted = tiles.needed(spans)
    held = {tile: large()[tile][:least] for tile, least in wanted.items()}
    return [tiles.hash_of(span, held) for span in spans]


def test_every_proof_of_every_small_tree_is_the_one_of_the_definition():
    for size in range(1, 130):
        for index in range(size):
            assert proof(tiles.inclusion(index, size)) == path(index, RECORDS[:size])
        for old in range(size + 1):
            assert proof(tiles.consistency(old, size)) == growth(old, RECORDS[:size])


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 255, 256, 257, MOST])
def test_every_proof_verifies_and_none_does_for_another_place(size: int):
    root = naive(size)
    for index in range(size):
        hashes = proof(tiles.inclusion(index, size))
        record = RECORDS[index]
        assert includes(record=record, index=index, size=size, hashes=hashes, root=root)
        for other in {index - 1, index + 1, size, -1} - {index}:
            assert not includes(record=record, index=other, size=size, hashes=hashes, root=root)
        assert not includes(record=b"x", index=index, size=size, hashes=hashes, root=root)
    for old in range(size + 1):
        hashes = proof(tiles.consistency(old, size))
        sizes = {"old_size": old, "new_size": size, "hashes": hashes}
        assert extends(**sizes, old_root=naive(old), new_root=root)  # type: ignore[arg-type]
        assert not extends(**sizes, old_root=b"\1" * 32, new_root=root)  # type: ignore[arg-type]
        if old:
            assert not extends(**sizes, old_root=naive(old), new_root=b"\1" * 32)  # type: ignore[arg-type]


@given(st.integers(1, len(RECORDS)), st.data())
def test_a_large_tree_has_the_same_laws(size: int, data: st.DataObject):
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    root, old_root = (proof((Span(0, n),))[0] for n in (size, old))
    hashes = proof(tiles.inclusion(index, size))
    assert includes(record=RECORDS[index], index=index, size=size, hashes=hashes, root=root)
    hashes = proof(tiles.consistency(old, size))
    assert extends(old_size=old, old_root=old_root, new_size=size, new_root=root, hashes=hashes)


@given(st.integers(2, MOST), st.data())
def test_a_mutated_proof_never_verifies(size: int, data: st.DataObject):
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    root = naive(size)
    hashes = _mutated(proof(tiles.inclusion(index, size)), data)
    assert not includes(record=RECORDS[index], index=index, size=size, hashes=hashes, root=root)
    hashes = _mutated(proof(tiles.consistency(old, size)), data)
    sizes = {"old_size": old, "new_size": size, "hashes": hashes}
    assert not extends(**sizes, old_root=naive(old), new_root=root)  # type: ignore[arg-type]


def _mutated(hashes: list[bytes], data: st.DataObject) -> list[bytes]:
    """One hash more, less, bent, or two exchanged."""
    kind = data.draw(st.sampled_from(["more", "less", "bent", "short", "swapped"]))
    place = data.draw(st.integers(0, max(0, len(hashes) - 1)))
    if kind == "more" or not hashes:
        return [*hashes[:place], data.draw(st.binary(min_size=32, max_size=32)), *hashes[place:]]
    if kind == "less":
        return hashes[:place] + hashes[place + 1 :]
    if kind == "swapped" and place:
        return [*hashes[: place - 1], hashes[place], hashes[place - 1], *hashes[place + 1 :]]
    if kind == "short":
        return [*hashes[:place], hashes[place][:-1], *hashes[place + 1 :]]
    bit = data.draw(st.integers(0, 255))
    bent = (int.from_bytes(hashes[place], "big") ^ (1 << bit)).to_bytes(32, "big")
    return [*hashes[:place], bent, *hashes[place + 1 :]]


def test_a_proof_reads_the_tiles_of_one_path_and_of_the_right_edge():
    for size in (1, 256, 65_536, 65_537, len(RECORDS)):
        spans = (*tiles.inclusion(size // 2, size), *tiles.consistency(size // 3, size))
        assert len(tiles.needed(spans)) <= 9
