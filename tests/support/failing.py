"""Ledgers that cannot be written for a while: a fake at the port, a real file, a real server.

Every write fails, messages owed included; reads go on where the trouble leaves them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg

from governance.errors import Code, Unavailable
from storage.memory.ledger import MemoryLedger
from tests.support.postgres import Postgres

_WRITES = (
    "commit",
    "claim",
    "done",
    "retry",
    "bury",
    "owe",
    "advance",
    "put_place",
    "lose_place",
    "take",
    "forget_keys",
)


@contextmanager
def down(ledger: MemoryLedger) -> Iterator[None]:
    """No write of this ledger succeeds."""

    async def refuse(*_: object, **__: object) -> NoReturn:
        raise Unavailable(Code.LEDGER_UNAVAILABLE, "the ledger could not be written (fake)")

    for name in _WRITES:
        setattr(ledger, name, refuse)
    try:
        yield
    finally:
        for name in _WRITES:
            delattr(ledger, name)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the file's write lock."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def gone(path: Path) -> Iterator[None]:
    """The file is not where it was."""
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@contextmanager
def shut(server: Postgres, name: str) -> Iterator[None]:
    """The server ends every connection to the database and takes no new one."""
    mine = f"datname = '{name}' AND pid <> pg_backend_pid()"
    server.execute(
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {mine}",
    )
    try:
        yield
    finally:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def held(server: Postgres, name: str) -> Iterator[None]:
    """Another session holds the end of the log, and does not go on."""
    with psycopg.connect(server.url(name)) as other:
        other.execute("SELECT * FROM head FOR UPDATE")
        yield


@contextmanager
def full(server: Postgres, name: str) -> Iterator[None]:
    """The server finds no room for another row; statements that need none go on."""
    tables = ("events", "outbox")
    server.execute(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$",
        *(
            f"CREATE TRIGGER no_room BEFORE INSERT ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION no_room()"
            for table in tables
        ),
        name=name,
    )
    try:
        yield
    finally:
        server.execute("DROP FUNCTION no_room CASCADE", name=name)
