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
_MASK = (1 << _BITS) - 1
_RANDOM_BITS = 13 * _BITS
_SHIFTS = tuple(range((9 + 13 - 1) * _BITS, -1, -_BITS))


class RandomIds:
    """Ids of 22 characters: 9 of time in milliseconds, 13 random (65 bits)."""

    def __init__(self) -> None:
        self._pool = b""

    def _bits(self, count: int) -> int:
        """Random bits, each used once; read in bulk, as every read lets other threads in."""
        size = -(-count // 8)
        if len(self._pool) < size:
            self._pool = secrets.token_bytes(_POOL_BYTES)
        taken, self._pool = self._pool[:size], self._pool[size:]
        return int.from_bytes(taken, "big") >> (size * 8 - count)

    def ticket(self) -> TicketId:
        """A new ticket id."""
        number = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | self._bits(_RANDOM_BITS)
        digits = (number >> shift & _MASK for shift in _SHIFTS)
        return TicketId("".join(_ALPHABET[digit] for digit in digits))

    def nonce(self) -> str:
        """128 random bits in hex."""
        return f"{self._bits(128):032x}"
