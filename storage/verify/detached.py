"""The verifier's own reading of detached segments: what may be gone, and what is left of it.

Lives here: records that say that a segment left, the rows that stay of it, and its files in the
place of its records. Must not live here: seals (``segments``), states (``state``).
Law: shares no code with what detaches; a record is only ever missing where a signed
``SegmentDetached`` names its range, and then the whole range is missing; nothing that was not read
counts as read.

A signature covers, in UTF-8: ``placet/v1/detach``, a zero byte, then the canonical JSON object with
``tenant``, ``origin``, ``seal``, ``first``, ``last``, ``head``, ``events``, ``name`` (of the file),
``file`` and ``state`` (SHA-256 of whole files, in hex). It is ES256: base64 of r and s.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from storage.verify.chain import GENESIS, Json, Problem, Raw
from storage.verify.claims import Claim, Doubt
from storage.verify.form import canonical
from storage.verify.keys import Ring
from storage.verify.moves import ENDS
from storage.verify.retention import Retention
from storage.verify.segments import Segments, file_name, state_name
from storage.verify.source import ExportSource, Source
from storage.verify.tickets import Event, Seen

KIND = "SegmentDetached"
TABLE = """CREATE TABLE g (last INTEGER PRIMARY KEY, first INT, seq INT, head TEXT, file TEXT,
    file_digest TEXT, state_digest TEXT);"""
_COLUMNS = "last, first, seq, head, file, file_digest, state_digest"
_ENDS = ", ".join(f"'{state}'" for state in sorted(ENDS))
_OPEN = f"""SELECT id FROM t WHERE opened_seq BETWEEN ? AND ?
    AND (json_extract(body, '$.state') NOT IN ({_ENDS}) OR json_extract(body, '$.expires_at') > ?)
    ORDER BY opened_seq"""  # noqa: S608  # constants
# CROSS JOIN: from the keys, which are few, to the tickets by their id.
_KEYS = """SELECT t.id FROM i CROSS JOIN t ON t.id = i.ticket_id
    WHERE t.opened_seq BETWEEN ? AND ? AND i.kept_until > ? ORDER BY t.opened_seq LIMIT 1"""
_BY_BIRTH = "CREATE INDEX IF NOT EXISTS t_by_birth ON t (opened_seq)"
"""Only where segments leave; else no walk has to keep it."""
_HELD = {
    "ticket": ("SELECT 1 FROM t WHERE opened_seq <= ? AND id = ?",),
    "trace": (
        "SELECT 1 FROM e WHERE seq BETWEEN ? AND ? AND tenant = ? AND trace_id = ?",
        "SELECT 1 FROM u WHERE seq BETWEEN ? AND ? AND tenant = ? AND trace = ?",
    ),
    "agent": (
        "SELECT 1 FROM e WHERE seq BETWEEN ? AND ? AND tenant = ? AND agent = ?",
        "SELECT 1 FROM u WHERE seq BETWEEN ? AND ? AND tenant = ? AND agent = ?",
    ),
}
_USES = "digest, seq, at, tenant, agent_id, trace_id, ticket_id"
_NAMED = "SELECT digest, seq, at, tenant, agent, trace, ticket FROM u WHERE seq <= :last"
_KEPT = f"SELECT {_USES} FROM db.detached_uses"  # noqa: S608  # constants
_CLASSES = """SELECT r.digest, r.seq FROM db.detached_uses r JOIN t ON t.id = r.ticket_id
    JOIN e ON e.seq = t.opened_seq WHERE e.data_classes <> r.data_classes"""


class NotAtHand(Exception):
    """Records are detached, and what would stand for them was not given."""


class Detachments:
    """The segments that have left so far; ``TABLE`` is in the scratch."""

    def __init__(
        self, scratch: sqlite3.Connection, segments: Segments, retention: Retention
    ) -> None:
        self._scratch = scratch
        self._segments = segments
        self._retention = retention

    @property
    def upto(self) -> int:
        """The number of the newest record that has left; 0: none has."""
        (last,) = self._scratch.execute("SELECT coalesce(max(last), 0) FROM g").fetchone()
        return int(last)

    def governing(self) -> dict[str, Json] | None:
        """The newest one, as the governing state has it."""
        sql = "SELECT last, head, state_digest FROM g ORDER BY last DESC LIMIT 1"
        row = self._scratch.execute(sql).fetchone()
        return None if row is None else dict(zip(("last", "head", "state"), row, strict=True))

    def take(
        self, event: Event, ring: Ring, doubts: list[Doubt], live: Mapping[str, Seen]
    ) -> Iterator[Problem]:
        """What is wrong with one that leaves; its signature is left in ``doubts``."""
        seq, at, told = event.seq, event.at, event.payload
        first, last = told["first"], told["last"]
        if first != self.upto + 1 or not first <= last < seq:
            yield _wrong(seq, f"{first} to {last} do not follow {self.upto}, where others ended")
        if told["events"] != last - first + 1 or told["file"] != file_name(first, last):
            yield _wrong(seq, "it does not name its records and their file")
        yield from self._seal(seq, at, told)
        yield from self._needed(seq, at, told, live)
        void = ring.void(told["key_id"], "checkpoint")
        if void:
            yield _wrong(seq, f"it does not count: {void}")
        else:
            pem = ring.keys[told["key_id"]].pem
            wrong = _wrong(seq, "its signature does not hold")
            doubts.append(Doubt(Claim(pem, told["signature"], message(told)), wrong))
        digests = (told["head"], told["file"], told["file_digest"], told["state_digest"])
        row = (last, first, seq, *digests)
        self._scratch.execute("INSERT OR REPLACE INTO g VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def _seal(self, seq: int, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        seal = self._segments.seals.get(told["seal"])
        if seal is None:
            # A seal that stands before the start is vouched for as all is that does.
            begun = self._segments.begun
            if not told["last"] < told["seal"] <= begun:
                yield _wrong(seq, f"record {told['seal']} sealed no such segment")
            yield from self._files(seq, told)
            return
        whole = ("tenant", "origin", "first", "last", "head", "events")
        if any(told[name] != seal[name] for name in (*whole, "file_digest", "state_digest")):
            yield _wrong(seq, f"it is not what record {told['seal']} sealed")
        if seal["keep_until"] > at:
            yield _wrong(seq, f"its records were to be kept until {seal['keep_until']}")

    def _files(self, seq: int, told: Mapping[str, Json]) -> Iterator[Problem]:
        shelf = self._segments.shelf
        if shelf is None:
            return
        last = told["last"]
        for name, found, wanted in (
            (told["file"], shelf.files.get(last), told["file_digest"]),
            (state_name(last), shelf.states.get(last), told["state_digest"]),
        ):
            if found is None and self._segments.is_complete:
                yield _wrong(seq, f"{name} is missing", name)
            elif found not in (None, wanted):
                yield _wrong(seq, f"{name} is not the file that was sealed", name)

    def _needed(
        self, seq: int, at: str, told: Mapping[str, Json], live: Mapping[str, Seen]
    ) -> Iterator[Problem]:
        self._scratch.execute(_BY_BIRTH)
        reach = (told["first"], told["last"])
        settled = self._scratch.execute(_OPEN, (*reach, at))
        waiting = [str(row[0]) for row in settled if row[0] not in live]
        waiting += [seen.id for seen in live.values() if seen.opened_seq <= told["last"]]
        if waiting:
            yield _wrong(seq, f"ticket {waiting[0]}, which it is of, was not over")
        for (name,) in self._scratch.execute(_KEYS, (*reach, at)):
            yield _wrong(seq, f"the idempotency key of ticket {name} was still remembered")
        for name, hold in self._retention.holds.items():
            if self._is_held(hold, told, live):
                yield _wrong(seq, f"it was under the hold {name}")

    def _is_held(
        self, hold: Mapping[str, Json], told: Mapping[str, Json], live: Mapping[str, Seen]
    ) -> bool:
        scope, target = hold["scope"], hold["target"]
        if scope == "all":
            return bool(hold["tenant"] == told["tenant"])
        values: tuple[Json, ...] = (told["first"], told["last"], hold["tenant"], target)
        if scope == "ticket":
            seen = live.get(target)
            if seen is not None and seen.opened_seq <= told["last"]:
                return True
            values = (told["last"], target)
        found = (self._scratch.execute(sql, values).fetchone() for sql in _HELD[scope])
        return any(row is not None for row in found)

    def compare(self, source: Source) -> Iterator[Problem]:
        """What the database ``db`` attached to the scratch, and the log in it, say otherwise."""
        upto, begun = self.upto, self._segments.begun
        left = source.held(upto) if upto else 0
        if left:
            yield _at_table(
                "detached", f"{left} records of what was detached up to {upto} are there"
            )
        if begun > upto and source.held(begun) != begun - upto:
            yield _at_table("events", f"some of the records {upto + 1} to {begun} are missing")
        if not has_table(self._scratch):
            return
        yield from self._same("detached", f"SELECT {_COLUMNS} FROM g", _theirs("detached"))  # noqa: S608  # constants
        yield from self._same("detached_uses", _NAMED, _KEPT)
        for digest, seq in self._scratch.execute(_CLASSES):
            detail = f"{digest} of record {seq} has other classes than its request"
            yield _at_table("detached_uses", detail, f"{digest}/{seq}")

    def _same(self, table: str, ours: str, theirs: str) -> Iterator[Problem]:
        last = {"last": self.upto}
        for sql, why in (
            (f"{ours} EXCEPT {theirs}", "is not as the log says, or missing"),
            (f"{theirs} EXCEPT {ours}", "is not what the log says"),
        ):
            for row in self._scratch.execute(sql, last):
                name = "/".join(str(part) for part in row[:2])
                yield _at_table(table, f"{name} {why}", name)


class Rejoined:
    """A source with the files of what is detached in the place of the records that left."""

    has_tables = True

    def __init__(self, source: Source, files: Iterable[Path], upto: int) -> None:
        self._source = source
        self._files = tuple(files)
        self._upto = upto
        self.unreadable: tuple[type[Exception], ...] = (*source.unreadable, OSError)

    def attach(self, scratch: sqlite3.Connection) -> int:
        """See ``Source``; so are the other methods."""
        return self._source.attach(scratch)

    def records(self, after: int = 0, previous: str = GENESIS) -> Iterator[Raw | Problem]:
        yield from ExportSource(*self._files).records(after, previous)
        yield from self._source.records(self._upto)

    def signed_heads(self, after: int = 0) -> Iterator[tuple[object, ...]]:
        return self._source.signed_heads(after)

    def held(self, upto: int) -> int:
        return self._source.held(upto)

    def guards(self) -> Iterator[Problem]:
        return self._source.guards()


def rejoined(source: Source, scratch: sqlite3.Connection, folder: Path) -> Rejoined:
    """``source``, attached, with the files in ``folder`` before its records.

    Raises:
        NotAtHand: one is missing.
    """
    rows = scratch.execute("SELECT first, last FROM db.detached ORDER BY last").fetchall()
    files = [folder / file_name(first, last) for first, last in rows]
    for path in files:
        if not path.is_file():
            raise NotAtHand(f"{path.name} is missing, and its records are nowhere else")
    return Rejoined(source, files, rows[-1][1])


def begins_after(scratch: sqlite3.Connection) -> int:
    """What the database ``db`` attached to ``scratch`` says of where its log begins."""
    if not has_table(scratch):
        return 0  # an earlier version left it
    rows = scratch.execute("SELECT first, last FROM db.detached ORDER BY last").fetchall()
    if not all(type(number) is int for row in rows for number in row):
        return 0  # named by ``compare``
    return int(rows[-1][1]) if rows else 0


def has_table(scratch: sqlite3.Connection) -> bool:
    """Not so in a database that an earlier version left and no newer one has opened."""
    sql = "SELECT 1 FROM db.sqlite_master WHERE name = 'detached'"
    return scratch.execute(sql).fetchone() is not None


def state_at(folder: Path | None, upto: int) -> Path:
    """The state at the end of what is detached.

    Raises:
        NotAtHand: it is not there.
    """
    path = None if folder is None else folder / state_name(upto)
    if path is None or not path.is_file():
        raise NotAtHand(
            f"records 1 to {upto} are detached, and neither their files nor {state_name(upto)} "
            "are at hand: nothing can be derived without"
        )
    return path


def message(told: Mapping[str, Json]) -> bytes:
    """What the signature of a detachment must cover."""
    names = ("tenant", "origin", "seal", "first", "last", "head", "events")
    files = {"name": told["file"], "file": told["file_digest"], "state": told["state_digest"]}
    return b"placet/v1/detach\x00" + canonical({name: told[name] for name in names} | files)


def _theirs(table: str) -> str:
    return f"SELECT {_COLUMNS} FROM db.{table}"  # noqa: S608  # names of this module


def _wrong(seq: int, detail: str, table: str = "") -> Problem:
    return Problem(seq=seq, what="detached", detail=detail, table=table)


def _at_table(table: str, detail: str, row: str = "") -> Problem:
    return Problem(seq=0, what="detached", detail=detail, table=table, row=row)
