"""Unguessable names.

Lives here: ticket ids and nonces from the operating system's randomness. Must not live here:
anything that gives a name a meaning. Law: a ticket id sorts by time of birth and cannot be guessed.
"""

import secrets
import time

from governance.tickets.ticket import TicketId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARS = 9
_RANDOM_CHARS = 13


class RandomIds:
    """Ids of 22 characters: 9 of time in milliseconds, 13 random (65 bits)."""

    def ticket(self) -> TicketId:
        """A new ticket id."""
        millis, text = time.time_ns() // 1_000_000, ""
        for _ in range(_TIME_CHARS):
            millis, digit = divmod(millis, len(_ALPHABET))
            text = _ALPHABET[digit] + text
        return TicketId(text + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARS)))

    def nonce(self) -> str:
        """128 random bits in hex."""
        return secrets.token_hex(16)
