"""The verifier's view of idempotency keys: which tickets they stand for, and for how long.

Lives here: keys derived from records in the scratch database, and their rows beside the log.
Must not live here: other facts (``facts``) and rows (``rows``).
Law: a key stands for one ticket until 30 days after that ticket's end; before then its row is
there, and no other ticket has it. Afterwards the row may be gone and the key be used anew.
"""

import sqlite3
from collections.abc import Iterator

from storage.verify.body import later
from storage.verify.chain import Problem
from storage.verify.form import Json

TABLE = """CREATE TABLE i (tenant TEXT, agent TEXT, key TEXT, request_digest TEXT, ticket_id TEXT,
    kept_until TEXT, PRIMARY KEY (tenant, agent, key)) WITHOUT ROWID;"""
_KEPT_S = 30 * 24 * 60 * 60
_FIRST = "INSERT OR IGNORE INTO i VALUES (?, ?, ?, ?, ?, NULL)"
_ANEW = """UPDATE i SET request_digest = ?, ticket_id = ?, kept_until = NULL
    WHERE tenant = ? AND agent = ? AND key = ? AND kept_until <= ?"""
_OVER = """UPDATE i SET kept_until = ? WHERE tenant = ? AND agent = ? AND key = ?
    AND ticket_id = ? AND kept_until IS NULL"""
_HAS_END = """SELECT count(*) FROM pragma_table_info('idempotency', 'db')
    WHERE name = 'kept_until'"""
_COLUMNS = "tenant, agent, key, request_digest, ticket_id"
_FOREIGN = f"SELECT {_COLUMNS} FROM db.idempotency EXCEPT SELECT {_COLUMNS} FROM i"  # noqa: S608  # constants
_MISSING = f"""SELECT {_COLUMNS} FROM i WHERE kept_until IS NULL OR kept_until > ?
    EXCEPT SELECT {_COLUMNS} FROM db.idempotency"""  # noqa: S608  # constants
# Rows of tickets that were over before ends were kept have none: such keys are kept for good.
_OTHER_END = """SELECT i.tenant, i.agent, i.key FROM i JOIN db.idempotency r
    ON r.tenant = i.tenant AND r.agent = i.agent AND r.key = i.key
    WHERE r.kept_until IS NOT NULL AND r.kept_until IS NOT i.kept_until"""


def take_key(
    scratch: sqlite3.Connection, seq: int, at: str, ask: Json, ticket_id: str
) -> Iterator[Problem]:
    """A ticket was born with a key of its agent's."""
    key = (ask["tenant"], ask["agent"], ask["idempotency_key"])
    digest = ask["request_digest"]
    if scratch.execute(_FIRST, (*key, digest, ticket_id)).rowcount:
        return
    if not scratch.execute(_ANEW, (digest, ticket_id, *key, at)).rowcount:
        yield Problem(seq=seq, what="idempotency", detail="its key already has another ticket")


def end_key(scratch: sqlite3.Connection, at: str, ask: Json, ticket_id: str) -> None:
    """A ticket has ended, now or before."""
    try:
        until = later(at, _KEPT_S)
    except ValueError:  # beyond the end of time: never
        return
    key = (ask["tenant"], ask["agent"], ask["idempotency_key"])
    scratch.execute(_OVER, (until, *key, ticket_id))


def compare_keys(scratch: sqlite3.Connection, time: str) -> Iterator[Problem]:
    """Rows of keys that are not as the log says, at the ``time`` of its end."""
    for row in scratch.execute(_MISSING, (time,)):
        yield _problem(row, "is not as the log says, or missing")
    for row in scratch.execute(_FOREIGN):
        yield _problem(row, "is not what the log says")
    if scratch.execute(_HAS_END).fetchone() != (0,):
        for row in scratch.execute(_OTHER_END):
            yield _problem(row, "is not kept as long as the log says")


def _problem(row: tuple[object, ...], why: str) -> Problem:
    name = "/".join(str(part) for part in row[:3])
    detail = f"{name} {why}"
    return Problem(seq=0, what="idempotency", detail=detail, table="idempotency", row=name)
