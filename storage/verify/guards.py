"""What protects the log inside a SQLite file: the verifier's own list.

Lives here: the triggers that must stand, what must not, and whether indexes hold what their tables
hold. Must not live here: another engine's guards. Law: shares no text with the schema, so that a
trigger weakened in both is found.
"""

import re
import sqlite3
from collections.abc import Iterator

from storage.verify.chain import Problem
from storage.verify.uniques import uniques

_TRIGGERS = {
    "events_no_update": """CREATE TRIGGER events_no_update BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_no_delete": """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        WHEN NOT EXISTS (SELECT 1 FROM detached d JOIN events e ON e.seq = d.seq
            WHERE OLD.seq BETWEEN d.first AND d.last AND e.seq > d.last
            AND e.type = 'SegmentDetached')
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_in_order": """CREATE TRIGGER events_in_order BEFORE INSERT ON events
        WHEN NEW.seq <> (SELECT coalesce(max(seq), (SELECT max(last) FROM detached), 0) + 1
            FROM events)
        BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END""",
    "head_signatures_no_update": """CREATE TRIGGER head_signatures_no_update
        BEFORE UPDATE ON head_signatures
        BEGIN SELECT RAISE(ABORT, 'signatures of heads are append-only'); END""",
    "head_signatures_no_delete": """CREATE TRIGGER head_signatures_no_delete
        BEFORE DELETE ON head_signatures
        BEGIN SELECT RAISE(ABORT, 'signatures of heads are append-only'); END""",
    "head_signatures_in_order": """CREATE TRIGGER head_signatures_in_order
        BEFORE INSERT ON head_signatures
        WHEN NEW.seq <= (SELECT coalesce(max(seq), 0) FROM head_signatures)
        BEGIN SELECT RAISE(ABORT, 'a signed head follows the one before it'); END""",
    "content_uses_no_update": """CREATE TRIGGER content_uses_no_update
        BEFORE UPDATE ON content_uses
        BEGIN SELECT RAISE(ABORT, 'who named a content stays'); END""",
    "content_uses_no_delete": """CREATE TRIGGER content_uses_no_delete
        BEFORE DELETE ON content_uses
        BEGIN SELECT RAISE(ABORT, 'who named a content stays'); END""",
    "detached_in_order": """CREATE TRIGGER detached_in_order BEFORE INSERT ON detached
        WHEN NEW.last < NEW.first
            OR NEW.first <> (SELECT coalesce(max(last), 0) + 1 FROM detached)
        BEGIN SELECT RAISE(ABORT, 'segments are detached in order'); END""",
} | {
    f"{table}_no_{word}": f"""CREATE TRIGGER {table}_no_{word}
        BEFORE {word.upper()} ON {table}
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END"""
    for table in ("detached", "detached_leaves", "detached_uses")
    for word in ("update", "delete")
}


_BEFORE = {
    "events_no_delete": """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_in_order": """CREATE TRIGGER events_in_order BEFORE INSERT ON events
        WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events)
        BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END""",
}
"""What stood in their place where an earlier version left the file: these let nothing go at all."""
_CACHE_KIB = 32_768
"""Pages held while a file is looked through; with fewer a long log takes several times as long."""


def _wanted(scratch: sqlite3.Connection) -> dict[str, str]:
    sql = "SELECT 1 FROM db.sqlite_master WHERE type = 'table' AND name = 'detached'"
    if scratch.execute(sql).fetchone() is not None:
        return _TRIGGERS
    kept = {name: text for name, text in _TRIGGERS.items() if not name.startswith("detached")}
    return kept | _BEFORE


def guards(scratch: sqlite3.Connection) -> Iterator[Problem]:
    """What does not guard the log of the database ``db`` attached to ``scratch``."""
    sql = "SELECT name, sql FROM db.sqlite_master WHERE type = 'trigger'"
    found = {name: _spaced(text) for name, text in scratch.execute(sql)}
    for name, text in _wanted(scratch).items():
        if found.pop(name, "") != _spaced(text):
            detail = f"{name} does not guard the log any more"
            yield Problem(seq=0, what="trigger", detail=detail, table="events", row=name)
    for name in found:
        yield Problem(seq=0, what="trigger", detail=f"{name} is none of ours", row=name)
    for (name,) in scratch.execute("SELECT name FROM db.sqlite_master WHERE type = 'view'"):
        yield Problem(seq=0, what="schema", detail=f"the view {name} is none of ours", row=name)
    yield from uniques(scratch)


def damage(scratch: sqlite3.Connection) -> Iterator[Problem]:
    """What of the file of ``db`` does not hold together: pages, and indexes beside their tables.

    Rows are compared by reading tables; the service finds them by indexes. One that lacks a row
    would hide a repeat or a deed from it, although every row is as the log says.
    """
    scratch.execute(f"PRAGMA db.cache_size = -{_CACHE_KIB}")  # it looks up each row in each index
    for (told,) in scratch.execute("PRAGMA db.integrity_check"):
        if told != "ok":
            yield Problem(seq=0, what="damage", detail=" ".join(told.split()), table="database")


def _spaced(text: str) -> str:
    """SQL without its layout."""
    return re.sub(r"\s+", " ", text).strip()
