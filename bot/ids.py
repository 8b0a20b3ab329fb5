"""Unguessable names.

Lives here: ticket ids, trace ids and nonces from the operating system's randomness. Must not live
here: anything that gives a name a meaning. Law: ids of tickets and traces sort by time of birth, so
that what is new lies together in an index; none can be guessed.
Source: W3C Trace Context, section 3.2.2.3 and level 2 (the last seven bytes of a trace's id are
random).
"""

import secrets
import time
from collections.abc import Callable

from governance.tickets.ticket import TicketId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_POOL_BYTES = 4096
_BITS = 5
"""Of one character."""
_TIME_SHIFTS = tuple(range(8 * _BITS, -1, -_BITS))
_CHARACTER_OF = (_ALPHABET * (256 // len(_ALPHABET))).encode()
"""Of each byte: there are as many of every character, so a random byte makes a random one."""


class RandomIds:
    """Ids of 22 characters: 9 of time in milliseconds, 13 random (65 bits)."""

    def __init__(self) -> None:
        self._hex = _Pool(bytes.hex)
        self._characters = _Pool(lambda drawn: drawn.translate(_CHARACTER_OF).decode())
        self._born = (0, "")

    def ticket(self) -> TicketId:
        """A new ticket id."""
        now_ms = time.time_ns() // 1_000_000
        if self._born[0] != now_ms:
            self._born = now_ms, "".join([_ALPHABET[now_ms >> by & 31] for by in _TIME_SHIFTS])
        return TicketId(self._born[1] + self._characters.take(13))

    def trace(self) -> str:
        """A new trace id in hex: 48 bits of time in milliseconds, 80 random."""
        return f"{time.time_ns() // 1_000_000:012x}{self._hex.take(20)}"

    def nonce(self) -> str:
        """128 random bits in hex."""
        return self._hex.take(32)

    def short(self) -> str:
        """64 random bits in hex."""
        return self._hex.take(16)


class _Pool:
    """Random characters, each used once; drawn in bulk, as every draw lets other threads in."""

    def __init__(self, written: Callable[[bytes], str]) -> None:
        self._written = written
        self._text = ""
        self._used = 0

    def take(self, count: int) -> str:
        """The next ``count`` characters."""
        end = self._used + count
        if end > len(self._text):
            self._text, self._used, end = self._written(secrets.token_bytes(_POOL_BYTES)), 0, count
        begun, self._used = self._used, end
        return self._text[begun:end]
