"""The verifier's own reading of holds and erasures.

Lives here: which holds are in force, which contents are gone, and whether each might go. Must not
live here: any other event. Law: shares no code with the writer; an erasure under a hold, before
its time, or without a record is named, and so is a content that was erased and is still there.
"""

import sqlite3
from collections.abc import Iterator, Mapping

from storage.verify.body import later
from storage.verify.chain import Json, Problem

KINDS = frozenset(("HoldPlaced", "HoldLifted", "ContentErased", "RollbackAccepted"))
TABLES = """
CREATE TABLE u (digest TEXT, seq INT, at TEXT, tenant TEXT, ticket TEXT, trace TEXT, agent TEXT,
    PRIMARY KEY (digest, seq)) WITHOUT ROWID;
CREATE TABLE x (digest TEXT PRIMARY KEY, seq INT, at TEXT) WITHOUT ROWID;
"""
_SCOPES = ("ticket", "trace", "agent", "all")
_DAY_S = 86_400


class Retention:
    """Holds in force by id, and in the scratch database who named what and what is gone."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        self.has_erased = False
        self.holds: dict[str, dict[str, Json]] = {}

    def name(self, digest: str, seq: int, record: Mapping[str, Json]) -> None:
        """A record puts a content there: also one that was erased before."""
        row = [record[name] for name in ("timestamp", "tenant", "ticketId", "traceId", "agentId")]
        self._scratch.execute(
            "INSERT OR IGNORE INTO u VALUES (?, ?, ?, ?, ?, ?, ?)", (digest, seq, *row)
        )
        if self.has_erased:
            self._scratch.execute("DELETE FROM x WHERE digest = ?", (digest,))

    def take(self, seq: int, kind: str, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        """One event of ``KINDS``."""
        match kind:
            case "HoldPlaced":
                yield from self._placed(seq, at, told)
            case "HoldLifted":
                hold = self.holds.pop(told["hold_id"], None)
                if hold is None or hold["tenant"] != told["tenant"]:
                    yield _problem(seq, f"no hold {told['hold_id']} was in force")
            case "ContentErased":
                yield from self._erased(seq, at, told)
            case _:
                pass

    def _placed(self, seq: int, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        name, scope = told["hold_id"], told["scope"]
        if name in self.holds:
            yield _problem(seq, f"there is a hold {name} already")
        if scope not in _SCOPES or (scope == "all") == bool(told["target"]):
            yield _problem(seq, f"a hold on {scope} names what it cannot")
        fields = {key: told[key] for key in ("tenant", "scope", "target", "reason")}
        self.holds[name] = {"id": name, **fields, "by": told["actor"], "at": at}

    def _erased(self, seq: int, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        digest, days = told["digest"], told["kept_days"]
        sql = "SELECT at, tenant, ticket, trace, agent FROM u WHERE digest = ?"
        uses = self._scratch.execute(sql, (digest,)).fetchall()
        if not uses:
            yield _problem(seq, f"no record before it names {digest}")
        for _, *fields in uses:
            hold = self._holding(*fields)
            if hold:
                yield _problem(seq, f"{digest} was under the hold {hold}")
                break
        for used_at, *_ in uses:
            if days and later(used_at, days * _DAY_S) > at:
                yield _problem(seq, f"{digest} was not kept for {days} days")
                break
        sql = "INSERT OR IGNORE INTO x VALUES (?, ?, ?)"
        if not self._scratch.execute(sql, (digest, seq, at)).rowcount:
            yield _problem(seq, f"{digest} was erased before")
        self.has_erased = True

    def _holding(self, tenant: str, ticket: str, trace: str, agent: str) -> str:
        named = {"ticket": ticket, "trace": trace, "agent": agent, "all": ""}
        for name, hold in self.holds.items():
            if hold["tenant"] == tenant and named.get(hold["scope"]) == hold["target"]:
                return name
        return ""

    def compare(self) -> Iterator[Problem]:
        """What the tables of the database ``db`` say otherwise."""
        # An erased content keeps its row, and the row keeps the moment.
        gone = """SELECT c.digest, c.erased_at FROM db.contents c
            LEFT JOIN x ON x.digest = c.digest AND x.at = c.erased_at
            WHERE c.body IS NULL AND x.digest IS NULL"""
        for name, at in self._scratch.execute(gone):
            detail = f"{name} is gone, but was not erased" + (f" at {at}" if at else "")
            yield _row("contents", name, detail)
        there = """SELECT x.seq, x.digest FROM x JOIN db.contents c ON c.digest = x.digest
            WHERE c.body IS NOT NULL"""
        for seq, name in self._scratch.execute(there):
            yield _row("contents", name, f"{name} was erased by record {seq}, but is there")
        if not self._has_uses():
            return  # an earlier version left it, and no newer one has opened it
        ours, theirs = "SELECT digest, seq FROM u", "SELECT digest, seq FROM db.content_uses"
        for sql, word in ((f"{ours} EXCEPT {theirs}", "missing"), (f"{theirs} EXCEPT {ours}", "")):
            for digest, seq in self._scratch.execute(sql):
                told = word or "not what the log says"
                yield _row("content_uses", digest, f"{digest} by record {seq} is {told}", seq=seq)

    def _has_uses(self) -> bool:
        sql = "SELECT 1 FROM db.sqlite_master WHERE name = 'content_uses'"
        return self._scratch.execute(sql).fetchone() is not None


def _problem(seq: int, detail: str) -> Problem:
    return Problem(seq=seq, what="retention", detail=detail)


def _row(table: str, row: str, detail: str, *, seq: int = 0) -> Problem:
    return Problem(seq=seq, what=table, detail=detail, table=table, row=row)
