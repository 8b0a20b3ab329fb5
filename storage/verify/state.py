"""What the verifier has derived at one record, as text, and back: so that it may begin there.

Lives here: the one form of that text. Must not live here: whether anybody vouches for it
(``segments``). Law: a walk that begins with a state ends exactly as one from the first
record does; the same records give the same bytes. Nothing here is trusted: text that is no state
is refused, and any other is compared with what was signed.

The text: ``{"state": 2, ...}`` says where it stands, then one line for each row of what was
derived, and ``{"end": rows}``.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import islice
from pathlib import Path

from storage.verify.chain import Chain, root
from storage.verify.facts import Facts
from storage.verify.form import Json
from storage.verify.keys import End
from storage.verify.tiles import Tiles
from storage.verify.values import Key, key_of

VERSION = 2
"""Since 2 there may be rows of detached segments; a state without them is one of version 1."""
_TABLES = {
    "t": "id, opened_seq, body, run_id, has_failed",
    "d": "digest, seq",
    "v": "ticket_id, revision, person, role, weight, choice, withdrawn",
    "w": "ticket_id, revision, person, voice",
    "b": "key, tokens_milli, updated_at",
    "e": "seq, at, tenant, agent, trace_id, ticket_id, topic, tool, action, target, data_classes, "
    "risk_tags, labels, stands",
    "c": "id, body",
    "i": "tenant, agent, key, request_digest, ticket_id, kept_until",
    "u": "digest, seq, at, tenant, ticket, trace, agent",
    "x": "digest, seq, at",
    "k": "size, root, head",
    "p": "size, note",
    "g": "last, first, seq, head, file, file_digest, state_digest",
}
"""Tables of the scratch database with their columns; a row's order is that of all its columns."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True)
MALFORMED = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError),
    sqlite3.Error,
)
"""What reading a value of an unexpected shape raises."""


class _Hashed:
    """Lines of a file, and the SHA-256 of those that were read."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._found = sha256()

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self._found.update(line)
            yield line

    def digest(self) -> str:
        """In hex."""
        return self._found.hexdigest()


class NoState(Exception):
    """The text is no state, or was cut."""


def written(chain: Chain, facts: Facts, tiles: Tiles, origin: str, time: str) -> Iterator[bytes]:
    """The state at ``time``, line by line; ``origin`` is the log's name in its signed heads."""
    facts.settle()
    yield _line({"state": _version(facts), "seq": chain.seq, "hash": chain.hash, "time": time})
    yield _line({"tree": [chain.tree.size, [peak.hex() for peak in chain.tree.peaks]]})
    yield _line({"tiles": [[placed, tile.hex()] for placed, tile in tiles.open_tiles()]})
    yield _line({"facts": _facts(facts, origin)})
    count = 4
    for size, peaks, hash_ in chain.recent():
        yield _line({"recent": [size, root(peaks).hex(), hash_]})
        count += 1
    for table, columns in _TABLES.items():
        sql = f"SELECT {columns} FROM {table} ORDER BY {columns}"  # noqa: S608  # constants
        for row in facts.scratch.execute(sql):
            yield _line({table: row})
            count += 1
    yield _line({"end": count})


def _version(facts: Facts) -> int:
    return VERSION if facts.detachments.upto else 1


def state_digest(lines: Iterable[bytes]) -> str:
    """SHA-256 over the lines, in hex."""
    found = sha256()
    for line in lines:
        found.update(line)
    return found.hexdigest()


def taken_up(
    path: Path, chain: Chain, facts: Facts, tiles: Tiles, outside: Mapping[str, Key]
) -> tuple[str, str]:
    """Begin with the state in a file; the log's name in its signed heads, and the file's digest.

    Raises:
        NoState: it is none, cannot be read, or names a key otherwise than ``outside`` does.
    """
    try:
        with path.open("rb") as file:
            lines = _Hashed(file)
            origin = _taken_up(lines, chain, facts, tiles, outside)
            return origin, lines.digest()
    except (*MALFORMED, OSError) as error:
        raise NoState(f"it is no state ({type(error).__name__})") from error


def _taken_up(
    lines: Iterable[bytes], chain: Chain, facts: Facts, tiles: Tiles, outside: Mapping[str, Key]
) -> str:
    entries: Iterator[Json] = (json.loads(line) for line in lines)
    top, tree, open_, told = list(islice(entries, 4))
    if not 1 <= top["state"] <= VERSION:
        raise NoState(f"it is a state of version {top['state']!r}")
    origin = _take_facts(facts, told["facts"], outside)
    tiles.begin([(placed, bytes.fromhex(tile)) for placed, tile in open_["tiles"]])
    recent: list[tuple[int, bytes, str]] = []
    count = 4
    for entry in entries:
        ((name, row),) = entry.items()
        if name == "end":
            if row != count or next(entries, None) is not None:
                raise NoState("it does not hold what its last line says")
            if top["state"] != _version(facts):
                raise NoState("it is of another version than what it holds")
            size, peaks = tree["tree"][0], [bytes.fromhex(peak) for peak in tree["tree"][1]]
            chain.begin(top["seq"], top["hash"], top["time"], (size, tuple(peaks)), recent)
            return origin
        count += 1
        if name == "recent":
            recent.append((row[0], bytes.fromhex(row[1]), row[2]))
        else:
            _insert(facts, name, row)
    raise NoState("it has no last line: it was cut")


def _insert(facts: Facts, table: str, row: Sequence[Json]) -> None:
    columns = _TABLES[table]
    marks = ", ".join("?" * len(columns.split(",")))
    sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  # names of this module
    facts.scratch.execute(sql, row)


def _facts(facts: Facts, origin: str) -> Json:
    ring = facts.ring
    # Said only where there is any: a state that was sealed before this was told stays what it was.
    lent = {"lent": facts.lent.known} if facts.lent.known else {}
    return lent | {
        "origin": origin,
        "snapshot": facts.snapshot,
        "activation": facts.activation,
        "active": facts.rules.active,
        "frozen": facts.frozen,
        "counts": [facts.pending, facts.tickets, facts.votes],
        "holds": facts.retention.holds,
        "has_erased": facts.retention.has_erased,
        "sealed": facts.segments.sealed,
        "keys": [
            [name, key.purpose, key.pem, key.valid_from, ring.since[name]]
            for name, key in ring.keys.items()
        ],
        "ended": {name: asdict(end) for name, end in ring.ended.items()},
    }


def _take_facts(facts: Facts, told: Json, outside: Mapping[str, Key]) -> str:
    facts.snapshot, facts.activation = told["snapshot"], told["activation"]
    facts.rules.active = told["active"]
    facts.frozen.update(told["frozen"])
    facts.pending, facts.tickets, facts.votes = told["counts"]
    facts.retention.holds.update(told["holds"])
    facts.retention.has_erased = told["has_erased"]
    facts.segments.sealed = told["sealed"]
    facts.lent.known = dict(told.get("lent", {}))
    for name, purpose, pem, valid_from, since in told["keys"]:
        known = outside.get(name)
        if known is not None and known.pem.strip() != pem.strip():
            raise NoState(f"{name} is not the key that you were given")
        facts.ring.keys[name] = key_of(purpose, pem, valid_from)
        facts.ring.since[name] = since
    facts.ring.ended.update({name: End(**end) for name, end in told["ended"].items()})
    origin = told["origin"]
    if not isinstance(origin, str):
        raise NoState("its log has no name")
    return origin


def _line(entry: Mapping[str, Json]) -> bytes:
    return _ENCODER.encode(entry).encode("utf-8") + b"\n"
