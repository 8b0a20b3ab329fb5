"""Idempotency keys whose time is over.

Lives here: forgetting them, few at a time, inside the writer's transaction. Must not live here:
how long they are kept (``governance.idempotency``).
Law: a key is forgotten only when both the clock and the log are past its time: a clock that runs
ahead, and a log that was written while one did, forget nothing early; and whoever verifies the log
sees by its own times that a key's row may be gone. The row goes; the ticket and the log stay.
"""

from datetime import datetime

from governance.tickets.binding import stamp
from storage.connection import Connection

FORGET = """DELETE FROM idempotency WHERE ticket_id IN
    (SELECT ticket_id FROM idempotency WHERE kept_until IS NOT NULL AND kept_until <= ?
    ORDER BY kept_until LIMIT ?)"""


def forget_keys(connection: Connection, *, passed: datetime, limit: int) -> int:
    """Forget up to ``limit`` keys, longest over first; how many were."""
    return connection.execute(FORGET, (stamp(passed), limit)).rowcount
