"""Signatures that wait to be verified, many at a time.

Lives here: a claimed signature, and whether claims hold. Must not live here: which key may sign
what (``keys``, ``tickets``). Law: every claim is verified; none is sampled.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from storage.verify.chain import Problem
from storage.verify.values import Key, is_signed, key_of, unbase64


class Claim(NamedTuple):
    """A signature that is said to be some key's: base64 of r and s, over ``message``."""

    pem: str
    signature: str
    message: bytes


class Doubt(NamedTuple):
    """A claim, and what is wrong if it does not hold."""

    claim: Claim
    problem: Problem


def holding(claims: Sequence[Claim]) -> list[bool]:
    """Which of ``claims`` hold."""
    return [is_signed(_key(pem), unbase64(text), message) for pem, text, message in claims]


@lru_cache(maxsize=256)
def _key(pem: str) -> Key:
    """A key is read from its PEM once, not for every signature."""
    return key_of("", pem)
