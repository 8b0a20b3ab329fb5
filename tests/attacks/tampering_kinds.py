"""Every kind of tampering by where it is done: the table in ``docs/security.md``."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.attacks.tampering import (
    SEGMENT,
    Attack,
    Lab,
    Record,
    canonical,
    cosigned,
    cut,
    edited,
    emptied,
    forged_head,
    guards,
    lines,
    moved_head,
    published,
    replaced,
    rewritten_and_cut,
    segments,
    set_in,
    sql,
    stranger_s,
    swapped,
    told_anew,
    unguarded,
    without,
)
from tests.support import world

ITSELF, OUTSIDE = "itself", "outside"
_ACTOR = set_in("payload", "actor", to="nobody")
_EVENT = """INSERT INTO events SELECT {}, at, type, version, tenant, trace_id, ticket_id, agent_id,
    hash || '0', body FROM events WHERE seq = {}"""


def _byte(lab: Lab) -> None:
    with unguarded(lab.database) as db:
        (body,) = db.execute("SELECT body FROM events WHERE seq = 9").fetchone()
        forged = body.replace(b"acme", b"acne", 1)
        assert forged != body
        db.execute("UPDATE events SET body = ? WHERE seq = 9", (forged,))


def _byte_and_hash(lab: Lab) -> None:
    with unguarded(lab.database) as db:
        (body,) = db.execute("SELECT body FROM events WHERE seq = 9").fetchone()
        forged = body.replace(b'"actor":"', b'"actor":"x', 1)
        hash_ = world.sha256(b"placet/v1/event\0" + forged).hexdigest()
        db.execute("UPDATE events SET body = ?, hash = ? WHERE seq = 9", (forged, hash_))


def _swap(lab: Lab) -> None:
    with unguarded(lab.database) as db:
        for old, new in ((12, -1), (13, 12), (-1, 13)):
            db.execute("UPDATE events SET seq = ? WHERE seq = ?", (new, old))


def _spaced(record: Record) -> bytes:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if record["type"] == "BundleActivated":
        text = text.replace('"actor":', '"actor": ')
    return text.encode()


def _another_log(bodies: list[bytes]) -> list[bytes]:
    """A log of another service, whose keys bear the same names."""
    found = []
    for body in bodies:
        record = json.loads(body)
        if record["type"] == "KeyRegistered":
            purpose = record["payload"]["key"]["purpose"]
            record["payload"]["key"]["pem"] = world.pem_of(f"stranger:{purpose}")
            found.append(canonical(record))
    return found


def _keys_only(lab: Lab) -> None:
    """All of the database another one, down to its last row."""
    replaced(_another_log)(lab)
    with unguarded(lab.database) as db:
        named = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in set(named) - {"events", "head", "control", "contents", "alembic_version"}:
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE head SET pending = 0")
        body = json.loads(db.execute("SELECT body FROM control").fetchone()[0])
        body |= {"frozen": {}, "snapshot": "", "activation": None}
        for key in body["keys"].values():
            key["pem"] = world.pem_of(f"stranger:{key['purpose']}")
        db.execute("UPDATE control SET body = ?", (json.dumps(body).encode(),))


def _cosigned_by_another(lab: Lab) -> None:
    """In the witness's name, by somebody else."""
    with closing(sqlite3.connect(lab.database, isolation_level=None)) as db:
        (note,) = db.execute("SELECT note FROM checkpoints").fetchone()
        db.execute("UPDATE cosignatures SET line = ?", (cosigned(note, "somebody else"),))


def _governed_twice(lab: Lab) -> None:
    """A second governing state, which forgets every freeze, before or behind the first."""
    with unguarded(lab.database) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        body = json.loads(db.execute("SELECT body FROM control").fetchone()[0]) | {"frozen": {}}
        db.execute("INSERT INTO control VALUES (2, ?)", (json.dumps(body).encode(),))


def _gone_on(lab: Lab) -> None:
    """An older copy, which was put back and went on otherwise; its signed heads are not there."""
    name = set_in("payload", "target", to="else")
    replaced(lambda b: [*b[:-1], *edited(b[-1:], "AgentFrozen", name)])(lab)
    with unguarded(lab.database) as db:
        body = json.loads(db.execute("SELECT body FROM control").fetchone()[0])
        body["frozen"]["else"] = body["frozen"].pop("late") | {"target": "else"}
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        db.execute("UPDATE control SET body = ?", (text,))


def _spliced(lab: Lab) -> None:
    """The beginning of this log, and how another one, which is whole as well, goes on."""
    ours = lab.export.read_text(encoding="utf-8").splitlines(keepends=True)
    told_anew(lambda b: edited(b, "BundleActivated", _ACTOR))(lab)
    theirs = lab.export.read_text(encoding="utf-8").splitlines(keepends=True)
    middle = len(theirs) // 2

    def number(line: str) -> int:
        return int(json.loads(line).get("seq", 0))

    upto = number(theirs[middle])
    until = next(place for place, line in enumerate(ours) if number(line) == upto)
    lab.export.write_text("".join([*ours[: until + 1], *theirs[middle + 1 :]]), encoding="utf-8")


def _governed(path: str, value: str) -> str:
    return f"""UPDATE control SET body =
        CAST(json_set(CAST(body AS TEXT), '$.{path}', json('{value}')) AS BLOB)"""


def _event(statement: str) -> Callable[[Lab], None]:
    return sql(statement)


def _row(name: str, statement: str) -> Attack:
    return Attack(
        name=name, surface="projection", target="database", shown_by=ITSELF, act=sql(statement)
    )


_ROWS = (
    ("one byte of an event", _byte),
    ("an event, and its hash with it", _byte_and_hash),
    ("an event removed", _event("DELETE FROM events WHERE seq = 9")),
    ("an event added", _event(_EVENT.format("(SELECT max(seq) + 1 FROM events)", 9))),
    ("two events swapped", _swap),
    ("a column beside an event", _event("UPDATE events SET ticket_id = 't-x' WHERE seq = 12")),
    ("an event spelled otherwise, every hash made to fit", replaced(lambda b: b, spell=_spaced)),
    (
        "history rewritten, every hash made to fit",
        replaced(lambda b: edited(b, "BundleActivated", _ACTOR), heads=True),
    ),
    (
        "a vote turned around, every hash made to fit",
        replaced(
            lambda b: edited(b, "VoteCast", set_in("payload", "vote", "person", to="slack:T1/UEVE"))
        ),
    ),
    ("an approval removed, every hash made to fit", replaced(without("TicketApproved"))),
    (
        "a start of another action, every hash made to fit",
        replaced(
            lambda b: edited(b, "ExecutionStarted", set_in("payload", "action_digest", to="0" * 64))
        ),
    ),
    (
        "a grant for another action, every hash made to fit",
        replaced(
            lambda b: edited(b, "GrantRedeemed", set_in("payload", "action_digest", to="0" * 64))
        ),
    ),
    ("the newest events cut off, tables made to fit", cut(1, heads=True)),
)
_TRIGGERS = (
    ("a guard removed", guards("DROP TRIGGER events_no_update")),
    (
        "a guard that guards nothing",
        guards(
            "DROP TRIGGER events_no_delete",
            "CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT 1; END",
        ),
    ),
    (
        "a trigger that does something else",
        guards("CREATE TRIGGER more AFTER INSERT ON votes BEGIN DELETE FROM outbox; END"),
    ),
    ("a unique index removed", guards("DROP INDEX ix_votes_voice")),
    (
        "a table made anew without its key",
        guards(
            "CREATE TABLE anew AS SELECT * FROM votes",
            "DROP TABLE votes",
            "ALTER TABLE anew RENAME TO votes",
            "CREATE UNIQUE INDEX ix_votes_voice ON votes (ticket_id, revision, voice) "
            "WHERE withdrawn = 0",
        ),
    ),
    (
        "a unique index that covers less than it should",
        guards(
            "DROP INDEX ix_votes_voice",
            "CREATE UNIQUE INDEX ix_votes_voice ON votes (ticket_id, revision, voice) "
            "WHERE withdrawn = 0 AND weight > 9",
        ),
    ),
    (
        "an index without its rows: the key of a request is not found",
        emptied(
            "sqlite_autoindex_idempotency_1", "ON idempotency (tenant, agent, key) WHERE tenant = 0"
        ),
    ),
    (
        "an index without its rows: what an agent did is not found",
        emptied("ix_deeds_trace", "ON deeds (trace_id) WHERE trace_id = 0"),
    ),
    ("a view", guards("CREATE VIEW mine AS SELECT * FROM events")),
)
_PROJECTIONS = (
    _row("a ticket's state", "UPDATE tickets SET state = 'APPROVED' WHERE id = 't-wait'"),
    _row(
        "a ticket's body",
        """UPDATE tickets SET body = CAST(replace(body, '"web-1"', '"web-2"') AS BLOB)
        WHERE id = 't-wait'""",
    ),
    _row("a ticket removed", "DELETE FROM tickets WHERE id = 't-gone'"),
    _row(
        "a vote invented",
        "INSERT INTO votes VALUES ('t-wait', 1, 'eve', 'operator', 1, 'approve', 0, 'eve')",
    ),
    _row("a vote's voice given to another", "UPDATE votes SET voice = 'eve' WHERE weight = 3"),
    _row("a key of a request forgotten", "DELETE FROM idempotency WHERE ticket_id = 't-run'"),
    _row("a rate bucket filled", "UPDATE buckets SET tokens_milli = 99999"),
    _row("a deed forgotten", "DELETE FROM deeds WHERE seq = (SELECT min(seq) FROM deeds)"),
    _row("a credential revived", "UPDATE credentials SET revoked_at = NULL"),
    _row("a content replaced", "UPDATE contents SET body = x'7b7d'"),
    _row(
        "a freeze lifted",
        """UPDATE control SET body = CAST(replace(body, '"other"', '"nobody"') AS BLOB)""",
    ),
    Attack(
        name="a second governing state",
        surface="projection",
        target="database",
        shown_by=ITSELF,
        act=_governed_twice,
    ),
    _row(
        "a voice lent",
        _governed(
            "delegations.x",
            '{"id":"x","granted_at":"2026-03-01T12:00:00.000000Z","tenant":"acme",'
            '"delegator":"anna","delegate":"eve","roles":[],'
            '"ends_at":"2026-03-09T12:00:00.000000Z","reason":""}',
        ),
    ),
    _row("an end of a key that none had", _governed("ended", '{"x":null}')),
    _row("a segment said to be sealed", _governed("sealed", '{"last":9,"head":"","state":""}')),
    _row("a segment said to be detached", _governed("detached", '{"last":9,"head":"","state":""}')),
    _row(
        "a legal hold invented",
        _governed(
            "holds.x",
            '{"id":"x","tenant":"acme","scope":"all","target":"","reason":"",'
            '"by":"","at":"2026-03-01T12:00:00.000000Z"}',
        ),
    ),
    _row(
        "who vouches for the active bundle",
        """UPDATE control SET body =
        CAST(json_set(CAST(body AS TEXT), '$.activation', NULL) AS BLOB)""",
    ),
    _row(
        "a content that is there, marked as erased",
        "UPDATE contents SET erased_at = at",
    ),
    _row("a ticket's body kept as text", "UPDATE tickets SET body = CAST(body AS TEXT)"),
    _row("where the log ends", "UPDATE head SET seq = seq - 1"),
)
_KEYS = (
    (
        "a public key replaced in the log",
        ITSELF,
        replaced(
            lambda b: edited(
                b, "KeyRegistered", set_in("payload", "key", "pem", to=world.pem_of("stranger"))
            ),
            heads=True,
        ),
    ),
    (
        "a public key replaced in the governing state",
        ITSELF,
        sql("""UPDATE control SET body = CAST(replace(body, 'key:head', 'key:haed') AS BLOB)"""),
    ),
    (
        "a signed head replaced",
        ITSELF,
        sql(f"UPDATE head_signatures SET value = '{stranger_s('head')}'"),
    ),
    (
        "signed heads swapped between records",
        ITSELF,
        sql(
            """UPDATE head_signatures SET value = (SELECT h.value FROM head_signatures h
            WHERE h.seq <> head_signatures.seq LIMIT 1)"""
        ),
    ),
    ("the whole log and its keys replaced", OUTSIDE, _keys_only),
)
_CHECKPOINTS = (
    (
        "the checkpoint in the log",
        ITSELF,
        replaced(lambda b: edited(b, "CheckpointSigned", set_in("payload", "note", to="x"))),
    ),
    (
        "a published checkpoint's row",
        ITSELF,
        sql("UPDATE checkpoints SET note = replace(note, 'head ', 'head f')"),
    ),
    ("the root beside a published checkpoint", ITSELF, sql("UPDATE checkpoints SET root = x'00'")),
    (
        "a published checkpoint that the log does not record",
        ITSELF,
        sql("INSERT INTO checkpoints SELECT size + 1, root, note FROM checkpoints"),
    ),
    ("a cosignature cut", ITSELF, sql("UPDATE cosignatures SET line = substr(line, 1, 60)")),
    (
        "a cosignature under no checkpoint",
        ITSELF,
        sql("INSERT INTO cosignatures SELECT size + 1, name, line FROM cosignatures"),
    ),
    (
        "a cosignature by another key",
        OUTSIDE,
        _cosigned_by_another,
    ),
    ("a published root", OUTSIDE, published(lambda text: text.replace("head ", "head f", 1))),
    (
        "a published checkpoint by another key",
        OUTSIDE,
        published(
            lambda text: text + "\n" + world.note_of(0, world.sha256(b"").digest(), "0" * 64, "x")
        ),
    ),
    ("published checkpoints cut short", OUTSIDE, published(lambda text: text[:-150])),
)
_OUTSIDE = (
    ("an older copy put back, which went on otherwise, signed heads removed", _gone_on),
    ("the newest events and their signed heads cut off, tables made to fit", cut(1, heads=False)),
    (
        "history rewritten back to the last checkpoint in the log, signed heads removed",
        rewritten_and_cut(_ACTOR, "BundleActivated"),
    ),
)
_EXPORT = (
    (
        "a line's record",
        ITSELF,
        lines(lambda f: [*f[:9], f[9].replace("acme", "acne", 1), *f[10:]]),
    ),
    ("a line removed", ITSELF, lines(lambda f: f[:9] + f[11:])),
    ("a line twice", ITSELF, lines(lambda f: [*f[:9], f[9], *f[9:]])),
    ("two lines swapped", ITSELF, lines(lambda f: [*f[:9], f[11], f[10], f[9], *f[12:]])),
    ("a line spelled otherwise", ITSELF, lines(lambda f: [*f[:9], " " + f[9], *f[10:]])),
    ("cut", ITSELF, lines(lambda f: f[:-3])),
    ("two whole exports spliced", ITSELF, _spliced),
    ("a forged signed head", ITSELF, lines(forged_head(stranger_s("head")))),
    (
        "a signed head by an unknown key",
        ITSELF,
        lines(forged_head(stranger_s("head"), "key:stranger")),
    ),
    ("a signed head under another record", ITSELF, lines(moved_head)),
    (
        "told anew with a vote changed",
        ITSELF,
        told_anew(
            lambda b: edited(b, "VoteCast", set_in("payload", "vote", "choice", to="reject"))
        ),
    ),
    (
        "told anew before the checkpoint that it holds",
        ITSELF,
        told_anew(lambda b: edited(b, "BundleActivated", _ACTOR)),
    ),
    (
        "told anew without its checkpoint and signed heads",
        OUTSIDE,
        told_anew(lambda b: edited(b[:-2], "BundleActivated", _ACTOR)),
    ),
    ("told anew without its newest events", OUTSIDE, told_anew(lambda b: b[:-2])),
)


def _missing(files: list[Path]) -> None:
    files[1].unlink()


def _last_missing(files: list[Path]) -> None:
    files[-1].unlink()


def _two_ends(files: list[Path]) -> None:
    text = files[1].read_text(encoding="utf-8").splitlines(keepends=True)
    files[1].write_text(
        "".join([*text[:-1], text[-1].replace(f'"events": {SEGMENT}', '"events": 1')])
    )


_SEGMENTS = (
    ("two segments swapped", ITSELF, segments(swapped)),
    ("a segment removed", ITSELF, segments(_missing)),
    ("a segment that says another number of records", ITSELF, segments(_two_ends)),
    ("the newest segments removed", OUTSIDE, segments(_last_missing)),
)

ATTACKS: tuple[Attack, ...] = (
    *(
        Attack(name=n, surface="events", target="database", shown_by=ITSELF, act=a)
        for n, a in _ROWS
    ),
    *(
        Attack(name=n, surface="events", target="database", shown_by=OUTSIDE, act=a)
        for n, a in _OUTSIDE
    ),
    *(
        Attack(name=n, surface="guards", target="database", shown_by=ITSELF, act=a)
        for n, a in _TRIGGERS
    ),
    *_PROJECTIONS,
    *(Attack(name=n, surface="keys", target="database", shown_by=s, act=a) for n, s, a in _KEYS),
    *(
        Attack(name=n, surface="checkpoints", target="database", shown_by=s, act=a)
        for n, s, a in _CHECKPOINTS
    ),
    *(Attack(name=n, surface="export", target="export", shown_by=s, act=a) for n, s, a in _EXPORT),
    *(
        Attack(name=n, surface="segments", target="segments", shown_by=s, act=a)
        for n, s, a in _SEGMENTS
    ),
)
"""All of them."""
