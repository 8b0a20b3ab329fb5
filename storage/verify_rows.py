"""The verifier's comparison of the database's own tables with what the log says.

Lives here: projections, votes, keys, head and triggers against derived facts.
Must not live here: derivation. Law: a projection that says more, less or other than the log is
named; so is a log that the database no longer protects.
"""

import json
import re
import sqlite3
from collections.abc import Iterator

from storage.verify_chain import Chain, Json, Problem, canonical, digest
from storage.verify_facts import Facts
from storage.verify_tickets import OPEN

_TRIGGERS = {
    "events_no_update": "BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT,",
    "events_no_delete": "BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT,",
    "events_in_order": "BEFORE INSERT ON events WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1",
}
_SAME = {
    "votes": ("v", "ticket_id, revision, person, role, weight, choice, withdrawn"),
    "idempotency": ("i", "tenant, agent, key, request_digest, ticket_id"),
    "buckets": ("b", "key, tokens_milli, updated_at"),
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
    found = {name: re.sub(r"\s+", " ", text) for name, text in scratch.execute(sql)}
    for name, text in _TRIGGERS.items():
        if text not in found.pop(name, ""):
            yield Problem(seq=0, what="trigger", detail=f"{name} does not guard the log any more")
    for name in found:
        yield Problem(seq=0, what="trigger", detail=f"{name} is none of ours")
    for (name,) in scratch.execute("SELECT name FROM db.sqlite_master WHERE type = 'view'"):
        yield Problem(seq=0, what="schema", detail=f"the view {name} is none of ours")


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
    sql = """SELECT r.id, t.facts, r.body, r.state, r.revision, r.opened_seq, r.expires_at,
             r.expiring_at, r.tenant, r.agent, r.topic, r.tool, r.trace_id
             FROM db.tickets r LEFT JOIN t ON t.id = r.id"""
    for name, facts, body, *columns in scratch.execute(sql):
        if facts is None:
            yield Problem(seq=0, what="projection", detail=f"ticket {name} is not in the log")
            continue
        told, seen = json.loads(facts), _object(body)
        ask, state, until = told["ask"], told["state"], told["expires_at"]
        wanted = [state, told["revision"], told["opened_seq"], until]
        wanted += [until if state in OPEN else None, ask["tenant"], ask["agent"]]
        wanted += [ask["topic"], ask["tool"], ask["trace_id"]]
        wrong = [key for key in told if key != "opened_seq" and _told(seen, key) != told[key]]
        if columns != wanted or wrong or seen.get("id") != name:
            where = ", ".join(wrong) or "a column"
            yield Problem(
                seq=told["opened_seq"],
                what="projection",
                detail=f"the row of ticket {name} is not what the log says ({where})",
            )


def _told(seen: Json, key: str) -> Json:
    """One fact as a ticket's body has it."""
    if key != "votes":
        return seen.get(key)
    try:
        return sorted([v["person"], v["role"], v["weight"], v["choice"]] for v in seen["votes"])
    except (KeyError, TypeError):
        return None


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
    if (seen.get("snapshot"), frozen, found) != (facts.snapshot, facts.frozen, keys):
        yield Problem(seq=0, what="control", detail="the governing state is not what the log says")


def _contents(scratch: sqlite3.Connection) -> Iterator[Problem]:
    sql = "SELECT digest, body FROM db.contents WHERE body IS NOT NULL"
    for name, body in scratch.execute(sql):
        if not isinstance(body, bytes) or digest("content", body) != name:
            yield Problem(seq=0, what="contents", detail=f"{name} is not the digest of its bytes")


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
