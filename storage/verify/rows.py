"""The verifier's comparison of the database's own tables with what the log says.

Lives here: projections, votes, keys, head and triggers against derived facts.
Must not live here: derivation. Law: a projection that says more, less or other than the log is
named; so is a log that the database no longer protects.
"""

import sqlite3
from collections.abc import Iterable, Iterator

from storage.verify.actions import problem as of_ask
from storage.verify.chain import Chain, Problem, digest
from storage.verify.crew import Crew
from storage.verify.facts import Facts
from storage.verify.form import Json, text_of
from storage.verify.idempotency import compare_keys
from storage.verify.projections import COLUMNS, as_object, differing

_ROWS = 200
"""Rows of tickets that are compared at once, by whichever process."""
_ROWS_BYTES = 1_048_576
"""Fewer where their contents are larger than this together."""
# Canonical text writes a quote within a string as an escape, so that this is a name and no value.
_NAMED = """substr(t.body, instr(t.body, '"content_digest":"') + 18, 64)"""
_CONTENT = 4
"""Where a content stands in a row."""
Row = tuple[Json, ...]
_SAME = {
    "votes": ("v", "ticket_id, revision, person, role, weight, choice, withdrawn"),
    "buckets": ("b", "key, tokens_milli, updated_at"),
    "deeds": (
        "e",
        """seq, at, tenant, agent, trace_id, ticket_id, topic, tool, action, target,
        data_classes, risk_tags, labels, stands""",
    ),
}


def compare(facts: Facts, chain: Chain, crew: Crew) -> Iterator[Problem]:
    """Everything in the database ``db`` attached to the scratch that the log does not say."""
    scratch = facts.scratch
    yield from _head(facts, chain)
    yield from _tickets(scratch, crew)
    for table, (derived, columns) in _SAME.items():
        yield from _same(scratch, table, derived, columns)
    yield from compare_keys(scratch, chain.time)
    yield from _credentials(scratch)
    yield from _governing(facts)
    yield from _contents(scratch)
    yield from facts.retention.compare()
    yield from facts.lent.compare()


def _head(facts: Facts, chain: Chain) -> Iterator[Problem]:
    sql = "SELECT seq, hash, at, pending, tree FROM db.head"
    rows = facts.scratch.execute(sql).fetchall()
    tree = b"".join(chain.tree.peaks)
    if rows != [(chain.seq, chain.hash, chain.time, facts.pending, tree)]:
        yield _row("head", "head", 1, "the head row is not where the log ends")


def _tickets(scratch: sqlite3.Connection, crew: Crew) -> Iterator[Problem]:
    missing = "SELECT id FROM t WHERE id NOT IN (SELECT id FROM db.tickets)"
    for (name,) in scratch.execute(missing):
        yield _row("projection", "tickets", name, f"ticket {name} has no row")
    columns = ", ".join(f"r.{name}" for name in COLUMNS)
    sql = f"""SELECT t.opened_seq, t.body, r.body, {_NAMED}, c.body, {columns}
              FROM db.tickets r LEFT JOIN t ON t.id = r.id
              LEFT JOIN db.contents c ON c.digest = {_NAMED}"""  # noqa: S608  # names of this module
    parts = ((rows, rows) for rows in _parts(scratch.execute(sql)))
    for rows, found in crew.rows(parts):
        for (opened_seq, told, _, _, _, name, *_), (wrong, asked) in zip(rows, found, strict=True):
            yield from of_ask(opened_seq, "TicketOpened", f"ticket {name}", asked)
            if told is None:
                yield _row("projection", "tickets", name, f"ticket {name} is not in the log")
            elif wrong:
                where = ", ".join(wrong)
                yield Problem(
                    seq=opened_seq,
                    what="projection",
                    detail=f"the row of ticket {name} is not what the log says ({where})",
                    table="tickets",
                    row=str(name),
                    field=where,
                )


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in parts of a bounded size, however large the contents are that stand in them."""
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row[_CONTENT]) if isinstance(row[_CONTENT], bytes | str) else 0
        if len(some) >= _ROWS or size >= _ROWS_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _row(what: str, table: str, row: object, detail: str) -> Problem:
    return Problem(seq=0, what=what, detail=detail, table=table, row=str(row))


def _same(scratch: sqlite3.Connection, table: str, derived: str, columns: str) -> Iterator[Problem]:
    ours = f"SELECT {columns} FROM {derived}"  # noqa: S608  # names of this module
    theirs = f"SELECT {columns} FROM db.{table}"  # noqa: S608
    for row in scratch.execute(f"{ours} EXCEPT {theirs}"):
        yield _row(table, table, _name(row), f"{_name(row)} is not as the log says, or missing")
    for row in scratch.execute(f"{theirs} EXCEPT {ours}"):
        yield _row(table, table, _name(row), f"{_name(row)} is not what the log says")


def _name(row: tuple[object, ...]) -> str:
    return "/".join(str(part) for part in row[:3])


def _credentials(scratch: sqlite3.Connection) -> Iterator[Problem]:
    sql = """SELECT c.id, c.body, r.body, r.issued_at, r.revoked_at FROM c
             LEFT JOIN db.credentials r ON r.id = c.id"""
    for name, told, body, *times in scratch.execute(sql):
        seen = as_object(body or b"")
        said = [seen.get("issued_at"), seen.get("revoked_at")]
        if text_of(seen) != told or said != times:
            yield _row("credentials", "credentials", name, f"{name} is not as the log says")
    for (name,) in scratch.execute(
        "SELECT id FROM db.credentials WHERE id NOT IN (SELECT id FROM c)"
    ):
        yield _row("credentials", "credentials", name, f"{name} is not in the log")


def _governing(facts: Facts) -> Iterator[Problem]:
    rows = facts.scratch.execute("SELECT id, body FROM db.control ORDER BY id").fetchall()
    if any(name != 1 for name, _ in rows):
        yield _row("control", "control", rows[0][0], "there is another row of the governing state")
    wanted: Json = {
        "snapshot": facts.snapshot,
        "frozen": facts.frozen,
        "keys": {
            name: {"id": name, "purpose": k.purpose, "pem": k.pem, "valid_from": k.valid_from}
            for name, k in facts.ring.keys.items()
        },
        "activation": facts.activation,
        "ended": {
            name: {"at": end.at, "reason": end.reason, "successor": end.successor}
            for name, end in facts.ring.ended.items()
        },
        "holds": facts.retention.holds,
        "sealed": facts.segments.sealed,
        "detached": facts.detachments.governing(),
        "delegations": facts.lent.known,
    }
    empty: Json = {"snapshot": "", "frozen": {}, "keys": {}, "activation": None, "ended": {}}
    # The rows of earlier versions do not say where the bundle's bytes lie, or what has ended.
    found = {"ended": {}, "holds": {}, "sealed": None, "detached": None, "delegations": {}} | (
        as_object(rows[0][1]) if rows else empty
    )
    # Nor does a bundle that was activated in the form of such a version.
    if found.get("activation") is None and facts.rules.active is None:
        found["activation"] = wanted["activation"]
    wrong = ", ".join(differing(wanted, found))
    if wrong:
        detail = f"the governing state is not what the log says ({wrong})"
        yield Problem(seq=0, what="control", detail=detail, table="control", row="1", field=wrong)


def _contents(scratch: sqlite3.Connection) -> Iterator[Problem]:
    sql = "SELECT digest, body, erased_at FROM db.contents"
    for name, body, erased_at in scratch.execute(sql):
        if body is None:
            continue  # ``retention`` looks whether it was erased
        if not isinstance(body, bytes) or digest("content", body) != name:
            yield _row("contents", "contents", name, f"{name} is not the digest of its bytes")
        if erased_at is not None:
            yield _row("contents", "contents", name, f"{name} is there, and marked as erased")
    # An erased content keeps its row: one that has none was taken away behind the ledger's back.
    missing = "SELECT digest, seq FROM d WHERE digest NOT IN (SELECT digest FROM db.contents)"
    for name, seq in scratch.execute(missing):
        detail = f"{name}, which it names, has no row"
        yield Problem(seq=seq, what="contents", detail=detail, table="contents", row=name)
