"""Rows of checkpoints and cosignatures: those of the log are no problem, and any other is named."""

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.note_keys import Kind, ed25519_key
from governance.notes import cosigned_message, parse_note
from storage.verify.published import TABLE, Published, witnesses_in
from tests.support import world

ROOT, OTHER = sha256(b"root").digest(), sha256(b"other").digest()
NOTE, NEWER = world.note_of(7, ROOT, "a" * 64), world.note_of(9, ROOT, "b" * 64)
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"witness").digest())
WITNESS = ed25519_key("watch.example", KEY.public_key().public_bytes_raw(), Kind.COSIGNATURE)
VKEYS = f"# who watches\n\n{WITNESS.vkey}\n"
AT = 1_772_366_400


class Row(NamedTuple):
    """A row of a checkpoint as the database has it."""

    size: object = 7
    root: object = ROOT
    note: object = NOTE


def cosigned(note: str = NOTE, at: int = AT, name: str = WITNESS.name) -> str:
    """A witness's line under ``note``."""
    made = KEY.sign(cosigned_message(parse_note(note).text, at))
    blob = WITNESS.id + at.to_bytes(8, "big") + made
    return f"\u2014 {name} {base64.b64encode(blob).decode()}"


@pytest.fixture
def scratch() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(TABLE)
        connection.execute("ATTACH ':memory:' AS db")
        connection.execute("CREATE TABLE db.checkpoints (size, root, note)")
        connection.execute("CREATE TABLE db.cosignatures (size, name, line)")
        yield connection


def found(
    scratch: sqlite3.Connection,
    *rows: Row,
    lines: tuple[tuple[object, object, object], ...] = (),
    witnesses: str = VKEYS,
) -> list[tuple[str, str]]:
    """Code and row of each problem; the log records ``NOTE`` and ``NEWER``."""
    scratch.executemany("INSERT INTO db.checkpoints VALUES (?, ?, ?)", rows)
    scratch.executemany("INSERT INTO db.cosignatures VALUES (?, ?, ?)", lines)
    published = Published(scratch, witnesses_in(witnesses))
    for size, note in ((7, NOTE), (9, NEWER)):
        published.take({"size": size, "note": note})
    return [(problem.what, problem.row) for problem in published.compare()]


@pytest.mark.parametrize("rows", [(), (Row(),), (Row(), Row(9, ROOT, NEWER))])
def test_rows_that_the_log_records_are_no_problem(
    scratch: sqlite3.Connection, rows: tuple[Row, ...]
) -> None:
    assert found(scratch, *rows) == []


@pytest.mark.parametrize(
    "row",
    [
        Row(note=NOTE.replace("acme", "acne")),
        Row(note=NOTE + cosigned() + "\n"),
        Row(note=NEWER),
        Row(note=world.note_of(7, OTHER, "a" * 64), root=OTHER),
        Row(note=""),
        Row(note=NOTE.encode()),
        Row(note=None),
        Row(root=OTHER),
        Row(root=ROOT.hex()),
        Row(root=None),
        Row(size=8),
        Row(size="7"),
        Row(size=7.0),
        Row(size=None),
    ],
)
def test_a_row_that_says_anything_else_is_named(scratch: sqlite3.Connection, row: Row) -> None:
    assert found(scratch, row) == [("published", f"{row.size}")]


def test_an_earlier_schema_has_neither_table(scratch: sqlite3.Connection) -> None:
    scratch.execute("DROP TABLE db.cosignatures")
    assert list(Published(scratch, {}).compare()) == []


@pytest.mark.parametrize("payload", [{}, {"size": 7}, {"size": "7", "note": NOTE}])
def test_a_malformed_record_vouches_for_no_row(
    scratch: sqlite3.Connection, payload: dict[str, object]
) -> None:
    scratch.execute("INSERT INTO db.checkpoints VALUES (7, ?, ?)", (ROOT, NOTE))
    published = Published(scratch, {})
    published.take(payload)
    assert [problem.what for problem in published.compare()] == ["published"]


@pytest.mark.parametrize("witnesses", [VKEYS, ""])
def test_a_cosignature_that_holds_is_no_problem(
    scratch: sqlite3.Connection, witnesses: str
) -> None:
    line = (7, WITNESS.name, cosigned())
    assert found(scratch, Row(), lines=(line,), witnesses=witnesses) == []


@pytest.mark.parametrize(
    ("size", "name", "line"),
    [
        (9, WITNESS.name, cosigned()),
        (None, WITNESS.name, cosigned()),
        (7, "else.example", cosigned()),
        (7, None, cosigned()),
        (7, WITNESS.name, cosigned() + "\n" + cosigned(at=AT + 1)),
        (7, WITNESS.name, cosigned()[:-8]),
        (7, WITNESS.name, cosigned().encode()),
        (7, WITNESS.name, ""),
        (7, WITNESS.name, None),
    ],
)
def test_a_cosignature_that_is_malformed_or_under_no_checkpoint_is_named_whoever_made_it(
    scratch: sqlite3.Connection, size: object, name: object, line: object
) -> None:
    told = found(scratch, Row(), lines=((size, name, line),), witnesses="")
    assert told == [("cosignature", f"{size}/{name}")]


def test_a_cosignature_by_a_known_witness_has_to_hold(scratch: sqlite3.Connection) -> None:
    told = found(scratch, Row(), lines=((7, WITNESS.name, cosigned(NEWER)),))
    assert told == [("cosignature", f"7/{WITNESS.name}")]


def test_a_cosignature_is_of_one_time(scratch: sqlite3.Connection) -> None:
    blob = bytearray(base64.b64decode(cosigned().split(" ")[2]))
    blob[11] ^= 1
    line = f"\u2014 {WITNESS.name} {base64.b64encode(bytes(blob)).decode()}"
    told = found(scratch, Row(), lines=((7, WITNESS.name, line),))
    assert told == [("cosignature", f"7/{WITNESS.name}")]


def test_cosignatures_that_were_verified_are_counted(scratch: sqlite3.Connection) -> None:
    scratch.execute("INSERT INTO db.checkpoints VALUES (7, ?, ?)", (ROOT, NOTE))
    scratch.execute("INSERT INTO db.cosignatures VALUES (7, ?, ?)", (WITNESS.name, cosigned()))
    for witnesses, count in ((VKEYS, 1), ("", 0)):
        published = Published(scratch, witnesses_in(witnesses))
        list(published.compare())
        assert published.cosignatures == count


@pytest.mark.parametrize(
    "text",
    [
        "watch.example",
        WITNESS.vkey[:-4],
        WITNESS.vkey.replace("watch", "catch"),
        ed25519_key("a", KEY.public_key().public_bytes_raw(), Kind.ED25519).vkey,
    ],
)
def test_what_is_no_witness_s_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="witness"):
        witnesses_in(text)
