"""Requests that were taken: whichever process has one first acts on it, and no other does.

Lives here: taking a key, and forgetting those whose time is over. Must not live here: what a key is
made of (``bot.slack.once``). Law: a key is taken once until its time is over, whatever dies in
between; whoever takes one forgets what is over, so the table holds some minutes' worth.
"""

from datetime import datetime

from governance.tickets.binding import stamp
from storage.connection import Connection

FORGOTTEN_AT_ONCE = 100
_TAKE = "INSERT INTO taken (key, until) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
_OVER = "SELECT key FROM taken WHERE until <= ? ORDER BY until LIMIT ?"


def take(connection: Connection, key: str, *, at: datetime, until: datetime) -> bool:
    """Whether nobody has taken ``key`` yet; from now on somebody has, ``until`` then."""
    over = f"{_OVER}{connection.dialect.skip_locked}"
    connection.execute(
        f"DELETE FROM taken WHERE key IN ({over})",  # noqa: S608  # constants
        (stamp(at), FORGOTTEN_AT_ONCE),
    )
    return bool(connection.execute(_TAKE, (key, stamp(until))).rowcount)
