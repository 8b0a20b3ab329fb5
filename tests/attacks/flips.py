"""Single bytes changed at random: in rows, in the database's file, in an export.

Lives here: what is changed, and which changes verification did not see. Must not live here: attacks
with a purpose (``tampering``). Law: the same seed changes the same bytes.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from tests.attacks.tampering import Lab, unguarded

SEED = 20260301
COLUMNS = {
    "events": "hash body at type tenant trace_id ticket_id agent_id",
    "tickets": "id body state tenant agent topic tool trace_id created_at expires_at",
    "votes": "ticket_id person role choice",
    "idempotency": "tenant agent key request_digest ticket_id",
    "deeds": "at tenant agent trace_id topic tool action target data_classes risk_tags labels",
    "buckets": "key updated_at",
    "credentials": "id issued_at body",
    "control": "body",
    "contents": "digest body",
    "head": "hash at tree",
    "head_signatures": "origin key_id value",
    "checkpoints": "root note",
}
"""What rows of a log are compared by."""


def in_rows(lab: Lab, count: int) -> list[str]:
    """The changes of one value of one row that were not found."""
    rng, clean = _rng(), lab.database.read_bytes()
    missed: list[str] = []
    for _ in range(count):
        told = flipped(lab, rng)
        if not lab.verified("database", outside=False).problems:
            missed.append(told)
        lab.database.write_bytes(clean)
    return missed


def flipped(lab: Lab, rng: random.Random) -> str:
    """Change one byte of one value of one row; what was changed."""
    table = rng.choice([*COLUMNS, *["events"] * len(COLUMNS)])
    column = rng.choice(COLUMNS[table].split())
    with unguarded(lab.database) as db:
        query = f"SELECT rowid, CAST({column} AS BLOB), typeof({column}) FROM {table}"
        rows = db.execute(query).fetchall()
        row, value, kind = rng.choice([row for row in rows if row[1]])
        place = rng.randrange(len(value))
        forged = bytes([value[place] ^ rng.randrange(1, 256)])
        new = value[:place] + forged + value[place + 1 :]
        cast = "CAST(? AS TEXT)" if kind == "text" else "?"
        update = f"UPDATE {table} SET {column} = {cast} WHERE rowid = ?"
        db.execute(update, (new, row))
    return f"{table}.{column} row {row} byte {place}: {value[place]:02x} -> {forged.hex()}"


def in_file(lab: Lab, count: int) -> list[str]:
    """The changes anywhere in the file that were not found and changed a row or an index."""
    clean = held_in(lab.database)
    return [
        told
        for told in _bytes(lab.database, count)
        if not lab.verified("database", outside=False).problems and held_in(lab.database) != clean
    ]


def held_in(path: Path) -> list[list[tuple[object, ...]]]:
    """Every row that is compared, read by table, and whether its indexes hold the same."""
    with closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        return [
            *(
                db.execute(f"SELECT {', '.join(names.split())} FROM {table} NOT INDEXED").fetchall()
                for table, names in COLUMNS.items()
            ),
            db.execute("PRAGMA integrity_check").fetchall(),
        ]


def in_export(lab: Lab, count: int) -> list[str]:
    """The changes of an export that were not found."""
    return [
        told
        for told in _bytes(lab.export, count)
        if not lab.verified("export", outside=False).problems
    ]


def _bytes(path: Path, count: int) -> Iterator[str]:
    rng, raw = _rng(), path.read_bytes()
    for _ in range(count):
        place, flip = rng.randrange(len(raw)), rng.randrange(1, 256)
        path.write_bytes(raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :])
        yield f"byte {place} by {flip}"


def _rng() -> random.Random:
    return random.Random(SEED)  # noqa: S311  # to be repeated


FLIPS: dict[str, tuple[Callable[[Lab, int], list[str]], int]] = {
    "rows": (in_rows, 300),
    "export": (in_export, 200),
    "file": (in_file, 200),
}
"""Where bytes are changed: how, and how many."""
