"""RFC 6962 roots: known answers, and grown equals from scratch."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.tree import merkle
from storage.verify import chain as verify_chain

# Source: the test vectors of RFC 6962's reference implementations (eight leaves).
LEAVES = [
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
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_those_of_the_rfc():
    assert merkle.root_of([]) == merkle.Range().root == sha256(b"").digest()
    grown = merkle.Range()
    for number, expected in enumerate(ROOTS, start=1):
        grown = grown.grown([LEAVES[number - 1]])
        assert merkle.root_of(LEAVES[:number]).hex() == expected
        assert grown.root.hex() == expected


@given(st.lists(st.binary(max_size=4), max_size=70), st.integers(0, 70))
def test_a_tree_grown_in_parts_is_the_tree_from_scratch(leaves: list[bytes], cut: int):
    part = merkle.Range().grown(leaves[:cut])
    read_back = merkle.from_bytes(part.size, part.to_bytes())
    assert read_back.grown(leaves[cut:]).root == merkle.root_of(leaves)


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_verifier_grows_the_same_tree(leaves: list[bytes]):
    tree = verify_chain.Tree()
    raws = [verify_chain.Raw(seq, "", leaf) for seq, leaf in enumerate(leaves, start=1)]
    hashes = verify_chain.leaves(raws)
    for start in range(0, len(hashes), verify_chain.HASH_BYTES):
        tree.add(hashes[start : start + verify_chain.HASH_BYTES])
    assert tree.size == len(leaves)
    assert verify_chain.root(tree.peaks) == merkle.root_of(leaves)


@pytest.mark.parametrize(("size", "raw"), [(1, b""), (0, b"x" * 32), (3, b"x" * 32), (1, b"x")])
def test_peaks_that_cannot_belong_to_a_size_are_refused(size: int, raw: bytes):
    with pytest.raises(ValueError, match=r"range|peaks"):
        merkle.from_bytes(size, raw)
