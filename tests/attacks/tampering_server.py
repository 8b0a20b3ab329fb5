"""A log on a PostgreSQL server to tamper with, and everything that was done to a file done there.

Lives here: how a spoiled file's rows get into a server's tables, as the tables' owner can put them
there, and what the verifier says of those. Must not live here: what is changed
(``tampering_kinds``, ``tampering_server_kinds``).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg

from storage.copying import copy
from storage.engine import database
from storage.postgres.database import PostgresDatabase
from storage.postgres.role_check import apply
from storage.schema.tables import metadata
from storage.verify.verifier import Report
from storage.verifying import verify_server
from tests.attacks.tampering import Attack, Lab
from tests.attacks.tampering_server_kinds import PREFIX, ServerAttack
from tests.support.postgres import Postgres

_GUARDED = (
    ("events", "no_change", "no_delete", "in_order"),
    ("head_signatures", "no_change", "in_order"),
    ("content_uses", "no_change"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLab:
    """A server, and the database whose copies attacks may change."""

    server: Postgres
    name: str

    def verified(self, name: str, lab: Lab, *, outside: bool) -> Report:
        """What the verifier says of a copy, with or without what was kept outside."""
        return verify_server(self.server.url(name), **lab.known("database", outside=outside))

    def poured(self, lab: Lab) -> str:
        """A copy that holds the rows of the file, and whose guards stand; its name."""
        name = self.server.copy(self.name)
        with closing(sqlite3.connect(lab.database)) as rows:
            rows.text_factory = str
            url = self.server.url(name)
            with psycopg.connect(url, autocommit=True) as into, _unguarded(into):
                for table in metadata.tables:
                    _pour(rows, into, table)
        return name

    @contextmanager
    def changed(self, attack: ServerAttack) -> Iterator[str]:
        """A copy where the owner did this, each statement by a connection of its own; its name."""
        name = self.server.copy(self.name)
        for statement in attack.statements:
            self.server.execute(statement, name=name)
        try:
            yield name
        finally:
            self.server.execute(*attack.after, name=name)


def laid_out(server: Postgres, lab: Lab) -> ServerLab:
    """The lab's log on a server, its roles apart."""
    name = server.ready()
    source, target = database(f"sqlite:///{lab.database}"), database(server.url(name))
    assert isinstance(target, PostgresDatabase)
    copy(source, target)
    apply(target, PREFIX)
    return ServerLab(server=server, name=name)


def is_possible(attack: Attack) -> bool:
    """Whether what is done to a file can be done to a server's rows; its guards are its own."""
    if attack.target != "database" or attack.surface == "guards":
        return False
    return attack.name != "a ticket's body kept as text"  # a column of bytes holds no text


def shown_by(spoiled: Lab, lab: ServerLab) -> str:
    """What showed it on a server: the log itself, only what was kept outside, or nothing."""
    name = lab.poured(spoiled)
    if lab.verified(name, spoiled, outside=False).problems:
        return "itself"
    return "outside" if lab.verified(name, spoiled, outside=True).problems else "nothing"


@contextmanager
def _unguarded(into: psycopg.Connection[tuple[object, ...]]) -> Iterator[None]:
    for table, *_ in _GUARDED:
        into.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
    yield
    for table, *guards in _GUARDED:
        for guard in guards:
            sql = f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{guard}"
            into.execute(sql.encode())


def _pour(
    rows: sqlite3.Connection, into: psycopg.Connection[tuple[object, ...]], table: str
) -> None:
    names = ", ".join(column.name for column in metadata.tables[table].columns)
    found = rows.execute(f"SELECT {names} FROM {table}").fetchall()
    held = into.execute(f"SELECT {names} FROM {table}".encode()).fetchall()
    if sorted(map(repr, found)) == sorted(map(repr, held)):
        return
    into.execute(f"DELETE FROM {table}".encode())
    if table == "control" and len(found) > 1:
        into.execute("ALTER TABLE control DROP CONSTRAINT ck_control_one_row")
    marks = ", ".join(["%s"] * len(found[0])) if found else ""
    for row in found:
        into.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})".encode(), row)
