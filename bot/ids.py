"""Unguessable names.

Lives here: ticket ids and nonces from the operating system's randomness. Must not live here:
anything that gives a name a meaning. Law: a ticket id sorts by time of birth and cannot be guessed.
"""

import secrets
import time

from governance.tickets.ticket import TicketId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_POOL_BYTES = 4096
_BITS = 5
"""Of one character."""
_RANDOM_BITS = 13 * _BITS
_PAIR = (1 << 2 * _BITS) - 1
_PAIRS = tuple(one + other for one in _ALPHABET for other in _ALPHABET)
_SHIFTS = tuple(range((9 + 13 - 2) * _BITS, -1, -2 * _BITS))


class RandomIds:
    """Ids of 22 characters: 9 of time in milliseconds, 13 random (65 bits)."""

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0

    def _bits(self, count: int) -> int:
        """Random bits, each used once; read in bulk, as every read lets other threads in."""
        size = -(-count // 8)
        if len(self._pool) < self._used + size:
            self._pool, self._used = secrets.token_bytes(_POOL_BYTES), 0
        begun, self._used = self._used, self._used + size
        return int.from_bytes(self._pool[begun : self._used], "big") >> (size * 8 - count)

    def ticket(self) -> TicketId:
        """A new ticket id."""
        number = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | self._bits(_RANDOM_BITS)
        return TicketId("".join([_PAIRS[number >> shift & _PAIR] for shift in _SHIFTS]))

    def nonce(self) -> str:
        """128 random bits in hex."""
        return f"{self._bits(128):032x}"

    def short(self) -> str:
        """64 random bits in hex."""
        return f"{self._bits(64):016x}"
