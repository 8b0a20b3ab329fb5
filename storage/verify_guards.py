"""What protects the log inside a SQLite file: the verifier's own list.

Lives here: the triggers that must stand, and what must not. Must not live here: another engine's
guards. Law: shares no text with the schema, so that a trigger weakened in both is found.
"""

import re
import sqlite3
from collections.abc import Iterator

from storage.verify_chain import Problem

_TRIGGERS = {
    "events_no_update": """CREATE TRIGGER events_no_update BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_no_delete": """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_in_order": """CREATE TRIGGER events_in_order BEFORE INSERT ON events
        WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events)
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
}


def guards(scratch: sqlite3.Connection) -> Iterator[Problem]:
    """What does not guard the log of the database ``db`` attached to ``scratch``."""
    sql = "SELECT name, sql FROM db.sqlite_master WHERE type = 'trigger'"
    found = {name: _spaced(text) for name, text in scratch.execute(sql)}
    for name, text in _TRIGGERS.items():
        if found.pop(name, "") != _spaced(text):
            detail = f"{name} does not guard the log any more"
            yield Problem(seq=0, what="trigger", detail=detail, table="events", row=name)
    for name in found:
        yield Problem(seq=0, what="trigger", detail=f"{name} is none of ours", row=name)
    for (name,) in scratch.execute("SELECT name FROM db.sqlite_master WHERE type = 'view'"):
        yield Problem(seq=0, what="schema", detail=f"the view {name} is none of ours", row=name)


def _spaced(text: str) -> str:
    """SQL without its layout."""
    return re.sub(r"\s+", " ", text).strip()
