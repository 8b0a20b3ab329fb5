"""Checking Merkle proofs by known values; sizes without number are in tests/property."""

from hashlib import sha256

import pytest

from governance.proofs import EMPTY, extends, includes, includes_leaf, leaf_of
from tests.support.logs import growth, path, records_of, root_of

RECORDS = records_of(9)
ROOTS = [root_of(RECORDS[:size]) for size in range(10)]
CT = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The leaves of Certificate Transparency's reference tree."""


def test_the_roots_are_those_of_certificate_transparencys_reference_tree():
    known = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    assert {size: root_of(CT[:size]).hex() for size in known} == known
    assert leaf_of(b"").hex() == known[1]
    assert EMPTY.hex() == known[0]


@pytest.mark.parametrize("size", range(1, 10))
def test_each_record_is_in_each_tree_that_has_it(size: int):
    for index in range(size):
        hashes = path(index, RECORDS[:size])
        told = {"index": index, "size": size, "hashes": hashes, "root": ROOTS[size]}
        assert includes(record=RECORDS[index], **told)  # type: ignore[arg-type]
        assert includes_leaf(leaf=leaf_of(RECORDS[index]), **told)  # type: ignore[arg-type]
        for wrong in ([*hashes, b"\0" * 32], hashes[:-1] if hashes else [b"\0" * 32]):
            assert not includes(record=RECORDS[index], **{**told, "hashes": wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("size", range(10))
def test_each_tree_extends_each_smaller_one(size: int):
    for old in range(size + 1):
        hashes = growth(old, RECORDS[:size])
        told = {"old_size": old, "new_size": size, "hashes": hashes}
        assert extends(**told, old_root=ROOTS[old], new_root=ROOTS[size])  # type: ignore[arg-type]
        for wrong in ([*hashes, b"\0" * 32], hashes[:-1] if hashes else [b"\0" * 32]):
            changed = {**told, "hashes": wrong}
            assert not extends(**changed, old_root=ROOTS[old], new_root=ROOTS[size])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("index", "size"), [(-1, 5), (5, 5), (0, 0), (0, -1), (2**64, 2**64), (1, 2)]
)
def test_a_place_that_the_tree_does_not_have_is_never_proven(index: int, size: int):
    root = ROOTS[1]
    assert not includes(record=RECORDS[0], index=index, size=size, hashes=[], root=root)


def test_what_are_no_hashes_is_no_proof():
    short = [b"\0" * 31]
    many = [b"\0" * 32] * 200
    for hashes in (short, many):
        told = {"index": 0, "size": 2, "hashes": hashes, "root": ROOTS[2]}
        assert not includes(record=RECORDS[0], **told)  # type: ignore[arg-type]
        assert not extends(
            old_size=1, old_root=ROOTS[1], new_size=2, new_root=ROOTS[2], hashes=hashes
        )
    assert not includes_leaf(leaf=b"", index=0, size=1, hashes=[], root=b"")


def test_trees_do_not_shrink_and_the_empty_one_is_one():
    assert not extends(old_size=3, old_root=ROOTS[3], new_size=2, new_root=ROOTS[2], hashes=[])
    assert not extends(old_size=-1, old_root=EMPTY, new_size=2, new_root=ROOTS[2], hashes=[])
    fake = sha256(b"x").digest()
    assert not extends(old_size=0, old_root=fake, new_size=2, new_root=ROOTS[2], hashes=[])
    assert not extends(old_size=0, old_root=EMPTY, new_size=0, new_root=fake, hashes=[])
    assert not extends(old_size=3, old_root=ROOTS[3], new_size=3, new_root=fake, hashes=[])
    assert not extends(old_size=3, old_root=ROOTS[3], new_size=5, new_root=ROOTS[5], hashes=[])
