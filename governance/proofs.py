"""Checking Merkle proofs: that a record is in a tree, and that a tree grew by appending alone.

Lives here: the arithmetic of whoever checks, from hashes alone. Must not live here: making proofs
(``storage.tree``). Law: shares no code with what makes proofs, so that it can contradict it; a
proof that is longer, shorter or otherwise than needed is no proof, and nothing raises.
Source: RFC 9162 sections 2.1.3.2 and 2.1.4.2 (the tree of RFC 6962).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The root of a tree without records."""
_HASH_BYTES = 32
_MOST_HASHES = 128
"""A tree of 2^63 records needs fewer; what is longer is refused before it is hashed."""


def leaf_of(record: bytes) -> bytes:
    """The hash of a record's bytes in the tree."""
    return sha256(b"\x00" + record).digest()


def includes(*, record: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> bool:
    """Whether ``record`` is number ``index`` (from 0) in the tree of ``size`` records."""
    leaf = leaf_of(record)
    return includes_leaf(leaf=leaf, index=index, size=size, hashes=hashes, root=root)


def includes_leaf(
    *, leaf: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes
) -> bool:
    """The same for a record of which only the hash is there."""
    if not 0 <= index < size or not _are_hashes((leaf, *hashes)):
        return False
    at, last, found = index, size - 1, leaf
    for sibling in hashes:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = _node(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = _node(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def extends(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, hashes: Sequence[bytes]
) -> bool:
    """Whether the tree of ``new_size`` records begins with the very tree of ``old_size``."""
    if not 0 <= old_size <= new_size or not _are_hashes(hashes):
        return False
    if old_size == 0:
        return not hashes and old_root == EMPTY and (new_size > 0 or new_root == EMPTY)
    if old_size == new_size:
        return not hashes and old_root == new_root
    return _is_grown(old_size, old_root, new_size, new_root, hashes)


def _is_grown(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, hashes: Sequence[bytes]
) -> bool:
    # An old tree that is one full subtree is itself the first hash, and so is not repeated.
    path = list(hashes) if old_size & (old_size - 1) else [old_root, *hashes]
    if not path:
        return False
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = _node(sibling, old), _node(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = _node(new, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and (old, new) == (old_root, new_root)


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _are_hashes(hashes: Iterable[bytes]) -> bool:
    found = list(hashes)
    return len(found) <= _MOST_HASHES and all(len(item) == _HASH_BYTES for item in found)
