"""Whether the log can be written: what the writer last saw, and how it finds out.

Lives here: the writer's memory of its failures, what it says of them in the log of operators, and
the trial that a failure is followed by. Must not live here: when a batch is tried (the writer
does), or who is told over HTTP. Law: after a failure it counts as unwritable until something of
the size of a request was really written; an hour of failures is a line a minute.
"""

import logging
import math
import secrets
import time
from collections.abc import Callable

from governance.errors import Unavailable
from governance.sentences import Sentence
from governance.sparing import SAY_S
from storage.connection import Connection
from storage.errors import unavailable

_log = logging.getLogger("placet.ledger")

PROBE_S = 1.0
"""So long after the last failure it is tried again, if nobody else tries."""
_PROBE_BYTES = 128 * 1024
_PUT = """INSERT INTO outbox (kind, key, generation, due_at, claimed_until, token,
    claimed_generation, attempts, error, dead) VALUES ('probe', ?, 0, '', NULL, '', 0, 0, ?, 1)"""
_TAKE = "DELETE FROM outbox WHERE kind = 'probe' AND key = ?"


def unwritten(error: Exception) -> Unavailable:
    """What callers are told of a driver's error."""
    if isinstance(error, Unavailable):
        return error
    return unavailable(Sentence("the ledger could not be written ({error})", error=kind_of(error)))


def kind_of(error: Exception) -> str:
    """The error's kind alone: a driver's text may quote values, or a password."""
    return str(getattr(error, "sqlite_errorname", type(error).__name__))


def probe(connection: Connection) -> None:
    """Write about as much as a request does, and take it back: once committed, nothing is left.

    A statement that touches no row would do on a full disk, and so might a small one.
    """
    key = secrets.token_hex(8)  # of two processes that try at once none waits for the other
    connection.execute(_PUT, (key, secrets.token_hex(_PROBE_BYTES // 2)))
    connection.execute(_TAKE, (key,))


class Condition:
    """What one writer last saw; its thread tells it, and any thread may look."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.failed_commits = 0
        """Transactions that were not committed, and whose callers were told so."""
        self._since: float | None = None
        """When it began to fail; None: it does not."""
        self._next_trial = 0.0
        self._next_line = -math.inf
        self._is_told = False
        self._refused = 0

    @property
    def unwritable_s(self) -> int:
        """For how long it could not be written, of which a second is the least; 0: it can be."""
        since = self._since
        return 0 if since is None else max(1, math.ceil(self._monotonic() - since))

    @property
    def rest_s(self) -> float | None:
        """How long nothing need be tried; None: it can be written."""
        return None if self._since is None else max(0.0, self._next_trial - self._monotonic())

    def failed(self, items: int, why: str) -> None:
        """The database refused a batch of ``items``; of none: our own trial."""
        now = self._monotonic()
        if self._since is None:
            self._since, self._refused = now, 0
        self._next_trial = now + PROBE_S
        self._refused += items
        self.failed_commits += bool(items)
        if now >= self._next_line:
            self._next_line, self._is_told = now + SAY_S, True
            _log.error(
                "%s: nothing is done until it can be; refused so far: %d", why, self._refused
            )

    def spoiled(self, items: int, why: str) -> None:
        """What one of ``items`` wanted was refused, and the database is well."""
        self.failed_commits += 1
        _log.error("%s; items: %d", why, items)

    def wrote(self) -> None:
        """Something was written, and is durable."""
        since, self._since = self._since, None
        if since is not None and self._is_told:
            self._is_told = False
            lasted_s = round(self._monotonic() - since)
            _log.warning(
                "the ledger can be written again after %d s; refused: %d", lasted_s, self._refused
            )
