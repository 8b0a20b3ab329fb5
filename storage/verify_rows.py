"""The verifier's comparison of the database's own tables with what the log says.

Lives here: projections, votes, keys, head and triggers against derived facts.
Must not live here: derivation. Law: a projection that says more, less or other than the log is
named; so is a log that the database no longer protects.
"""

import json
import re
import sqlite3
from collections.abc import Iterator

from storage import verify_body
from storage.verify_chain import Chain, Json, Problem, canonical, digest
from storage.verify_facts import Facts

_TRIGGERS = {
    "events_no_update": """CREATE TRIGGER events_no_update BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_no_delete": """CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    "events_in_order": """CREATE TRIGGER events_in_order BEFORE INSERT ON events
        WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events)
        BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END""",
}
_COLUMNS = (
    *("id", "opened_seq", "tenant", "state", "revision", "agent", "topic", "tool", "trace_id"),
    *("needed_people", "created_at", "expires_at", "expiring_at", "overdue_at", "lease_until"),
    "uncleared_since",
)
_SAME = {
    "votes": ("v", "ticket_id, revision, person, role, weight, choice, withdrawn"),
    "idempotency": ("i", "tenant, agent, key, request_digest, ticket_id"),
    "buckets": ("b", "key, tokens_milli, updated_at"),
    "deeds": (
        "e",
        """seq, at, tenant, agent, trace_id, ticket_id, topic, tool, action, target,
        data_classes, risk_tags, labels, stands""",
    ),
}


def compare(facts: Facts, chain: Chain) -> Iterator[Problem]:
    """Everything in the database ``db`` attached to the scratch that the log does not say."""
    scratch = facts.scratch
    yield from _schema(scratch)
    yield from _head(facts, chain)
    yield from _tickets(scratch)
    for table, (derived, columns) in _SAME.items():
        yield from _same(scratch, table, derived, columns)
    yield from _credentials(scratch)
    yield from _governing(facts)
    yield from _contents(scratch)


def _schema(scratch: sqlite3.Connection) -> Iterator[Problem]:
    sql = "SELECT name, sql FROM db.sqlite_master WHERE type = 'trigger'"
    found = {name: _spaced(text) for name, text in scratch.execute(sql)}
    for name, text in _TRIGGERS.items():
        if found.pop(name, "") != _spaced(text):
            yield Problem(seq=0, what="trigger", detail=f"{name} does not guard the log any more")
    for name in found:
        yield Problem(seq=0, what="trigger", detail=f"{name} is none of ours")
    for (name,) in scratch.execute("SELECT name FROM db.sqlite_master WHERE type = 'view'"):
        yield Problem(seq=0, what="schema", detail=f"the view {name} is none of ours")


def _spaced(text: str) -> str:
    """SQL without its layout."""
    return re.sub(r"\s+", " ", text).strip()


def _head(facts: Facts, chain: Chain) -> Iterator[Problem]:
    sql = "SELECT seq, hash, at, pending, tree FROM db.head"
    rows = facts.scratch.execute(sql).fetchall()
    tree = b"".join(chain.tree.peaks)
    if rows != [(chain.seq, chain.hash, chain.time, facts.pending, tree)]:
        yield Problem(seq=0, what="head", detail="the head row is not where the log ends")


def _tickets(scratch: sqlite3.Connection) -> Iterator[Problem]:
    missing = "SELECT id FROM t WHERE id NOT IN (SELECT id FROM db.tickets)"
    for (name,) in scratch.execute(missing):
        yield Problem(seq=0, what="projection", detail=f"ticket {name} has no row")
    sql = f"""SELECT t.opened_seq, t.body, r.body, {", ".join(f"r.{name}" for name in _COLUMNS)}
              FROM db.tickets r LEFT JOIN t ON t.id = r.id"""  # noqa: S608  # names of this module
    for opened_seq, told, body, *columns in scratch.execute(sql):
        found = dict(zip(_COLUMNS, columns, strict=True))
        if told is None:
            detail = f"ticket {found['id']} is not in the log"
            yield Problem(seq=0, what="projection", detail=detail)
            continue
        try:
            wanted = json.loads(told)
            wrong = _differing(wanted, _SINCE | _object(body))
            wrong += _differing(verify_body.columns(wanted, opened_seq), found)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            wrong = [type(error).__name__]  # what is malformed in the log, or nested without end
        if wrong:
            where = ", ".join(dict.fromkeys(wrong))
            yield Problem(
                seq=opened_seq,
                what="projection",
                detail=f"the row of ticket {found['id']} is not what the log says ({where})",
            )


_SINCE: dict[str, Json] = {"upheld_by": ""}
"""Fields that the rows of earlier versions lack."""


def _differing(wanted: Json, found: Json) -> list[str]:
    """Fields that are missing, too many, or other; True is not 1, and no text is a number."""
    return [
        name
        for name in (*wanted, *(found.keys() - wanted.keys()))
        if name not in found or name not in wanted or not _is_same(wanted[name], found[name])
    ]


def _is_same(wanted: Json, found: Json) -> bool:
    if isinstance(found, bytes):
        return False
    return json.dumps(wanted, sort_keys=True) == json.dumps(found, sort_keys=True)


def _same(scratch: sqlite3.Connection, table: str, derived: str, columns: str) -> Iterator[Problem]:
    ours = f"SELECT {columns} FROM {derived}"  # noqa: S608  # names of this module
    theirs = f"SELECT {columns} FROM db.{table}"  # noqa: S608
    for row in scratch.execute(f"{ours} EXCEPT {theirs}"):
        yield Problem(seq=0, what=table, detail=f"{_name(row)} is not as the log says, or missing")
    for row in scratch.execute(f"{theirs} EXCEPT {ours}"):
        yield Problem(seq=0, what=table, detail=f"{_name(row)} is not what the log says")


def _name(row: tuple[object, ...]) -> str:
    return "/".join(str(part) for part in row[:3])


def _credentials(scratch: sqlite3.Connection) -> Iterator[Problem]:
    sql = """SELECT c.id, c.body, r.body, r.revoked_at FROM c LEFT JOIN db.credentials r
             ON r.id = c.id"""
    for name, told, body, revoked_at in scratch.execute(sql):
        seen = _object(body or b"")
        if canonical(seen).decode() != told or seen.get("revoked_at") != revoked_at:
            yield Problem(seq=0, what="credentials", detail=f"{name} is not as the log says")
    for (name,) in scratch.execute(
        "SELECT id FROM db.credentials WHERE id NOT IN (SELECT id FROM c)"
    ):
        yield Problem(seq=0, what="credentials", detail=f"{name} is not in the log")


def _governing(facts: Facts) -> Iterator[Problem]:
    row = facts.scratch.execute("SELECT body FROM db.control").fetchone()
    empty: Json = {"snapshot": "", "frozen": {}, "keys": {}}
    seen = _object(row[0]) if row else empty
    keys = {name: [k.purpose, k.pem, k.valid_from] for name, k in facts.logged_keys.items()}
    try:
        found = {n: [k["purpose"], k["pem"], k["valid_from"]] for n, k in seen["keys"].items()}
        frozen = {target: entry["by"] for target, entry in seen["frozen"].items()}
    except (KeyError, TypeError, AttributeError):
        found, frozen = {"": []}, {}
    # The rows of earlier versions do not say where the bundle's bytes lie.
    is_placed = seen.get("activation") in (None, facts.activation)
    if (seen.get("snapshot"), frozen, found) != (facts.snapshot, facts.frozen, keys) or (
        not is_placed
    ):
        yield Problem(seq=0, what="control", detail="the governing state is not what the log says")


def _contents(scratch: sqlite3.Connection) -> Iterator[Problem]:
    for name, body, erased_at in scratch.execute("SELECT digest, body, erased_at FROM db.contents"):
        if body is None:
            if erased_at is None:
                yield Problem(seq=0, what="contents", detail=f"{name} is gone, but was not erased")
        elif not isinstance(body, bytes) or digest("content", body) != name:
            yield Problem(seq=0, what="contents", detail=f"{name} is not the digest of its bytes")
    # An erased content keeps its row: one that has none was taken away behind the ledger's back.
    missing = "SELECT digest, seq FROM d WHERE digest NOT IN (SELECT digest FROM db.contents)"
    for name, seq in scratch.execute(missing):
        yield Problem(seq=seq, what="contents", detail=f"{name}, which it names, has no row")


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
