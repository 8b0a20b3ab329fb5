"""Verification: a clean log verifies, and every kind of tampering is found and placed."""

import asyncio
import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from storage.export import export
from storage.ledger import SqliteLedger
from storage.schema.guards import TRIGGERS
from storage.tree import merkle
from storage.verify.verifier import Report, verify_database, verify_export
from tests.support import world
from tests.support.build import FixedClock
from tests.unit.storage.story import DIGEST, TICKETS, VOTES, tell

Change = Callable[[sqlite3.Connection], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A database that verifies, and the checkpoint that was published near its end."""

    path: Path
    checkpoint: str
    size: int


async def write_story(path: Path) -> Story:
    async with SqliteLedger(f"sqlite:///{path}", FixedClock()) as ledger:
        await tell(ledger)
        checkpoint = await world.checkpointed(ledger, await ledger.tree_head())
        size, _ = await ledger.head()
    return Story(path=path, checkpoint=checkpoint, size=size)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(write_story(tmp_path_factory.mktemp("story") / "placet.db"))


@pytest.fixture
def copy(story: Story, tmp_path: Path) -> Path:
    return Path(shutil.copy(story.path, tmp_path / "copy.db"))


def tamper(path: Path, change: Change, *, restore: bool = True) -> None:
    """Change a database as somebody with the file in hand would, guards put back afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        change(connection)
        if restore:
            for statement in TRIGGERS.values():
                connection.execute(statement)


def sql(statement: str, *values: object) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        assert connection.execute(statement, values).rowcount > 0

    return change


def seqs(report: Report) -> set[int]:
    return {problem.seq for problem in report.problems}


def whats(report: Report) -> set[str]:
    return {problem.what for problem in report.problems}


def rewrite(seq: int, edit: Callable[[dict[str, object]], object]) -> Change:
    """Forge a record and every later one with right hashes and links, and the head with them."""

    def change(connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT seq, body FROM events ORDER BY seq").fetchall()
        previous, leaves = "0" * 64, []
        for number, body in rows:
            record = json.loads(body)
            if number == seq:
                edit(record)
            record["previous"] = previous
            forged = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            raw = forged.encode()
            previous = sha256(b"placet/v1/event\0" + raw).hexdigest()
            leaves.append(raw)
            connection.execute(
                "UPDATE events SET body = ?, hash = ? WHERE seq = ?", (raw, previous, number)
            )
        tree = merkle.Range().grown(leaves).to_bytes()
        connection.execute("UPDATE head SET hash = ?, tree = ?", (previous, tree))

    return change


def seq_of(path: Path, kind: str, ticket_id: str = "") -> int:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT min(seq) FROM events WHERE type = ? AND (? = '' OR ticket_id = ?)"
        found = connection.execute(query, (kind, ticket_id, ticket_id)).fetchone()
    return int(found[0])


def test_a_clean_log_verifies(story: Story):
    steps: list[tuple[int, int]] = []
    report = verify_database(
        story.path,
        checkpoints=story.checkpoint,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert report.problems == ()
    assert report.counts.events == story.size == steps[-1][0] == steps[-1][1]
    assert (report.counts.tickets, report.counts.votes) == (TICKETS, VOTES)
    assert report.counts.signatures == VOTES
    assert (report.counts.checkpoints, report.counts.uncovered) == (2, 1)


def test_an_export_verifies_alone_and_exports_the_same_root(story: Story, tmp_path: Path):
    out = tmp_path / "log.jsonl"
    with out.open("w") as lines:
        assert export(story.path, lines) == story.size
    report = verify_export(out, checkpoints=story.checkpoint)
    assert report.problems == ()
    assert (report.root, report.head) == (
        verify_database(story.path).root,
        verify_database(story.path).head,
    )
    part = io.StringIO()
    assert export(story.path, part, after_seq=story.size - 1) == 1


def test_keys_from_outside_verify_votes(story: Story):
    keys = {
        f"key:{purpose}": {"purpose": purpose, "pem": world.pem_of(purpose)}
        for purpose in world.PURPOSES
    }
    assert verify_database(story.path, keys=keys).problems == ()
    swapped = {**keys, "key:vote:operator": keys["key:checkpoint"]}
    assert "key" in whats(verify_database(story.path, keys=swapped))


def test_one_flipped_byte_of_any_record_names_it(story: Story, tmp_path: Path):
    for seq in range(1, story.size + 1):
        copy = Path(shutil.copy(story.path, tmp_path / f"flip-{seq}.db"))

        def flip(connection: sqlite3.Connection, seq: int = seq) -> None:
            query = "SELECT body FROM events WHERE seq = ?"
            (body,) = connection.execute(query, (seq,)).fetchone()
            at = (seq * 7919) % len(body)
            forged = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            connection.execute("UPDATE events SET body = ? WHERE seq = ?", (forged, seq))

        tamper(copy, flip)
        report = verify_database(copy)
        assert seq in seqs(report), seq
        assert "hash" in whats(report)


ROWS: dict[str, tuple[str, str]] = {
    "event deleted": ("DELETE FROM events WHERE seq = 5", "sequence"),
    "hash column": ("UPDATE events SET hash = printf('%064d', 7) WHERE seq = 5", "hash"),
    "type column": ("UPDATE events SET type = 'TicketExpired' WHERE seq = 6", "column"),
    "ticket column": ("UPDATE events SET ticket_id = 't-x' WHERE seq = 8", "column"),
    "time column": ("UPDATE events SET at = '2027' WHERE seq = 8", "column"),
    "body as text": ("UPDATE events SET body = CAST(body AS TEXT) WHERE seq = 8", "form"),
    "ticket state": ("UPDATE tickets SET state = 'APPROVED' WHERE id = 't-wait'", "projection"),
    "ticket revision": ("UPDATE tickets SET revision = 9 WHERE id = 't-wait'", "projection"),
    "ticket never expires": (
        "UPDATE tickets SET expiring_at = NULL WHERE id = 't-wait'",
        "projection",
    ),
    "ticket body": (
        """UPDATE tickets SET body = CAST(replace(body, '"PENDING"', '"APPROVED"') AS BLOB)
        WHERE id = 't-wait'""",
        "projection",
    ),
    "action in body": (
        """UPDATE tickets SET body = CAST(replace(body, '"web-1"', '"web-2"') AS BLOB)
        WHERE id = 't-wait'""",
        "projection",
    ),
    "body is junk": ("UPDATE tickets SET body = x'ff' WHERE id = 't-wait'", "projection"),
    "ticket deleted": ("DELETE FROM tickets WHERE id = 't-wait'", "projection"),
    "ticket invented": (
        """INSERT INTO tickets SELECT 't-new', 99, tenant, state, revision, agent, topic, tool,
        trace_id, needed_people, created_at, expires_at, expiring_at, overdue_at, lease_until,
        uncleared_since, body FROM tickets WHERE id = 't-wait'""",
        "projection",
    ),
    "vote invented": (
        "INSERT INTO votes VALUES ('t-wait', 1, 'eve', 'operator', 1, 'approve', 0, 'eve')",
        "votes",
    ),
    "vote deleted": ("DELETE FROM votes WHERE ticket_id = 't-run'", "votes"),
    "vote revived": ("UPDATE votes SET withdrawn = 0 WHERE withdrawn = 1", "votes"),
    "vote heavier": ("UPDATE votes SET weight = 9 WHERE weight = 1", "votes"),
    "idempotency forgotten": ("DELETE FROM idempotency WHERE ticket_id = 't-run'", "idempotency"),
    "bucket filled": ("UPDATE buckets SET tokens_milli = 99999", "buckets"),
    "credential revived": ("UPDATE credentials SET revoked_at = NULL", "credentials"),
    "credential forged": (
        "INSERT INTO credentials VALUES ('mine', '2026', NULL, x'7b7d')",
        "credentials",
    ),
    "secret replaced": (
        f"""UPDATE credentials SET body = CAST(replace(body, '{"4" * 64}', '{"5" * 64}')
        AS BLOB)""",
        "credentials",
    ),
    "freeze lifted": (
        """UPDATE control SET body = CAST(replace(body, '"other"', '"nobody"') AS BLOB)""",
        "control",
    ),
    "control with other bytes": (
        """UPDATE control SET body =
           CAST(replace(body, '"registry_digest":"', '"registry_digest":"f') AS BLOB)""",
        "control",
    ),
    "control is junk": ("UPDATE control SET body = x'5b5d'", "control"),
    "head moved back": ("UPDATE head SET seq = seq - 1", "head"),
    "pending miscounted": ("UPDATE head SET pending = 0", "head"),
    "tree replaced": ("UPDATE head SET tree = zeroblob(length(tree))", "head"),
    "content gone": ("UPDATE contents SET body = NULL", "contents"),
    "content deleted": ("DELETE FROM contents", "contents"),
    "people not needed": ("UPDATE tickets SET needed_people = 0 WHERE id = 't-run'", "projection"),
    "never overdue": ("UPDATE tickets SET overdue_at = NULL WHERE id = 't-wait'", "projection"),
    "overdue later": (
        "UPDATE tickets SET overdue_at = '2026-03-02T09:15:00.000000Z' WHERE id = 't-wait'",
        "projection",
    ),
    "overdue again": (
        "UPDATE tickets SET overdue_at = '2026-03-01T09:15:00.000000Z' WHERE id = 't-seen'",
        "projection",
    ),
    "lease prolonged": (
        "UPDATE tickets SET lease_until = '2099-03-01T09:01:00.000000Z' WHERE id = 't-live'",
        "projection",
    ),
    "lease forgotten": ("UPDATE tickets SET lease_until = NULL WHERE id = 't-live'", "projection"),
    "clearance column": (
        "UPDATE tickets SET uncleared_since = '2099' WHERE id = 't-defer'",
        "projection",
    ),
    "never to be cleared": (
        "UPDATE tickets SET uncleared_since = NULL WHERE id = 't-defer'",
        "projection",
    ),
    "birth moved": ("UPDATE tickets SET created_at = '2025' WHERE id = 't-wait'", "projection"),
    "revision as text": (
        "UPDATE tickets SET needed_people = x'31' WHERE id = 't-wait'",
        "projection",
    ),
    "content replaced": ("UPDATE contents SET body = x'7b7d'", "contents"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_changed_row_is_found(copy: Path, name: str):
    statement, what = ROWS[name]
    tamper(copy, sql(statement))
    assert what in whats(verify_database(copy))


BODIES: dict[str, tuple[str, str, object]] = {
    "full view forgotten": ("t-seen", "full_views", []),
    "full view invented": ("t-wait", "full_views", [{"person": "eve", "revision": 1}]),
    "refusals forgotten": ("t-seen", "refusals", []),
    "never overdue": ("t-seen", "is_overdue", False),
    "overdue as a number": ("t-seen", "is_overdue", 1),
    "clearance moved": ("t-defer", "cleared_at", "2099-01-01T00:00:00.000000Z"),
    "clearance forgotten": ("t-run", "cleared_at", None),
    "approval moved": ("t-defer", "approved_at", None),
    "deferrals forgotten": ("t-defer", "deferrals", 0),
    "note rewritten": ("t-defer", "note", "all is well"),
    "note of a revision": ("t-again", "note", ""),
    "run replaced": ("t-live", "run", None),
    "report forgotten": ("t-run", "report", None),
    "report of the agent": ("t-release", "report", None),
    "canceller replaced": ("t-gone", "decided_by", "slack:T1/UEVE"),
    "resolver forgotten": ("t-again", "decided_by", ""),
    "birth moved": ("t-wait", "created_at", "2025-01-01T00:00:00.000000Z"),
    "change moved": ("t-wait", "updated_at", "2025-01-01T00:00:00.000000Z"),
    "another id": ("t-wait", "id", "t-run"),
    "a field more": ("t-wait", "blessed", True),
}


def in_body(ticket_id: str, edit: Callable[[dict[str, object]], object]) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        query = "SELECT body FROM tickets WHERE id = ?"
        body = json.loads(connection.execute(query, (ticket_id,)).fetchone()[0])
        before = json.dumps(body)
        edit(body)
        assert json.dumps(body) != before
        forged = json.dumps(body, separators=(",", ":")).encode()
        connection.execute("UPDATE tickets SET body = ? WHERE id = ?", (forged, ticket_id))

    return change


def named(path: Path) -> list[str]:
    """The fields that the verifier names, where it finds nothing but wrong projections."""
    report = verify_database(path)
    assert whats(report) == {"projection"}
    return [problem.detail.rpartition("(")[2].rstrip(")") for problem in report.problems]


@pytest.mark.parametrize("name", BODIES)
def test_a_changed_field_of_a_ticket_is_named(copy: Path, name: str):
    ticket_id, field, value = BODIES[name]
    tamper(copy, in_body(ticket_id, lambda body: body.update({field: value})))
    assert named(copy) == [field]


def test_a_missing_field_of_a_ticket_is_named(copy: Path):
    tamper(copy, in_body("t-wait", lambda body: body.pop("report")))
    assert named(copy) == ["report"]


@pytest.mark.parametrize(
    "field",
    [
        *("person", "role", "weight", "choice", "at", "nonce", "key_id", "signature"),
        "comment_digest",
    ],
)
def test_every_field_of_a_ticket_s_votes_is_compared(copy: Path, field: str):
    def edit(body: dict[str, object]) -> None:
        votes = body["votes"]
        assert isinstance(votes, list)
        votes[0][field] = "forged"

    tamper(copy, in_body("t-seen", edit))
    assert named(copy) == ["votes"]


def test_content_that_a_record_names_and_nobody_has_is_placed(copy: Path):
    tamper(copy, sql("DELETE FROM contents"))
    assert [(p.seq, p.what) for p in verify_database(copy).problems] == [
        (seq_of(copy, "BundleActivated"), "contents")
    ]


def test_content_under_a_digest_that_no_record_names_is_compared(copy: Path):
    stray = "INSERT INTO contents VALUES (?, x'7b7d', '2026', NULL)"
    tamper(copy, sql(stray, DIGEST[::-1]))
    assert whats(verify_database(copy)) == {"contents"}


def test_a_content_that_only_its_row_calls_erased_is_named(copy: Path):
    tamper(copy, sql("UPDATE contents SET body = NULL, erased_at = '2026'"))
    assert whats(verify_database(copy)) == {"contents"}


def test_records_in_another_order_are_found(copy: Path):
    def swap(connection: sqlite3.Connection) -> None:
        for old, new in ((7, -1), (8, 7), (-1, 8)):
            connection.execute("UPDATE events SET seq = ? WHERE seq = ?", (new, old))

    tamper(copy, swap)
    report = verify_database(copy)
    assert {7, 8} <= seqs(report)
    assert {"sequence", "link"} <= whats(report)


OF_ANOTHER_KIND = [
    *(("seq", value) for value in ("NULL", "'x'", "1.5", "x'00'")),
    *(("hash", value) for value in ("NULL", "x'00'")),
    *(("body", value) for value in ("NULL", "'x'", "1.5")),
]


@pytest.mark.parametrize(("field", "value"), OF_ANOTHER_KIND)
def test_a_row_whose_values_cannot_be_a_record_s_is_named_and_not_a_crash(
    copy: Path, field: str, value: str
):
    def rebuild(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE loose AS SELECT * FROM events")
        connection.execute("DROP TABLE events")
        connection.execute("ALTER TABLE loose RENAME TO events")
        connection.execute(f"UPDATE events SET {field} = {value} WHERE seq = 5")

    tamper(copy, rebuild, restore=False)
    problems = verify_database(copy).problems
    assert [p.field for p in problems if p.what == "form"] == [field]
    assert [p.seq for p in problems if p.what == "sequence"] == [6]


def test_missing_guards_are_found(copy: Path):
    tamper(copy, lambda _: None, restore=False)
    assert [p.what for p in verify_database(copy).problems] == ["trigger"] * len(TRIGGERS)


WEAK: dict[str, tuple[str, str, str]] = {
    "never raises": ("events_no_update", "append-only')", "append-only') WHERE 0"),
    "does more": ("events_no_delete", "; END", "; DELETE FROM votes; END"),
    "raises less": ("events_in_order", "FROM events)", "FROM events) AND NEW.seq < 0"),
}


@pytest.mark.parametrize("name", WEAK)
def test_a_weakened_guard_is_found(copy: Path, name: str):
    trigger, old, new = WEAK[name]

    def weaken(connection: sqlite3.Connection) -> None:
        assert old in TRIGGERS[trigger]
        for guard, text in TRIGGERS.items():
            connection.execute(text.replace(old, new) if guard == trigger else text)

    tamper(copy, weaken, restore=False)
    assert [p.what for p in verify_database(copy).problems] == ["trigger"]


def test_guards_that_guard_nothing_are_found(copy: Path):
    def disarm(connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TRIGGER sneaky AFTER INSERT ON votes BEGIN DELETE FROM outbox; END"
        )
        connection.execute("CREATE VIEW mine AS SELECT * FROM events")

    tamper(copy, disarm)
    assert whats(verify_database(copy)) == {"trigger", "schema"}


def test_a_table_that_is_gone_is_found(copy: Path):
    tamper(copy, lambda connection: connection.execute("DROP TABLE votes"))
    assert "database" in whats(verify_database(copy))


def test_a_file_that_is_no_database_is_found(tmp_path: Path):
    path = tmp_path / "junk.db"
    path.write_bytes(b"junk" * 999)
    assert whats(verify_database(path)) == {"database"}


def set_in(*path: str, to: object) -> Callable[[dict[str, object]], object]:
    def edit(record: dict[str, object]) -> None:
        place = record
        for name in path[:-1]:
            inner = place[name]
            assert isinstance(inner, dict)
            place = inner
        assert place[path[-1]] != to
        place[path[-1]] = to

    return edit


P = "payload"
FORGERIES: dict[str, tuple[str, str, Callable[[dict[str, object]], object], str]] = {
    "vote for another choice": (
        "VoteCast",
        "t-wait",
        set_in(P, "vote", "choice", to="reject"),
        "signature",
    ),
    "vote by another person": (
        "VoteCast",
        "t-wait",
        set_in(P, "vote", "person", to="eve"),
        "signature",
    ),
    "vote with more weight": ("VoteCast", "t-wait", set_in(P, "vote", "weight", to=4), "vote"),
    "vote in another role": (
        "VoteCast",
        "t-wait",
        set_in(P, "vote", "role", to="security-admin"),
        "vote",
    ),
    "vote by the owner": (
        "VoteCast",
        "t-wait",
        set_in(P, "vote", "person", to=world.build.OWNER),
        "vote",
    ),
    "vote by an unknown key": ("VoteCast", "t-wait", set_in(P, "vote", "key_id", to="x"), "key"),
    "signature cut": ("VoteCast", "t-wait", set_in(P, "vote", "signature", to="c2ln"), "signature"),
    "signature malformed": (
        "VoteCast",
        "t-wait",
        set_in(P, "vote", "signature", to="!!"),
        "signature",
    ),
    "requirement lowered": (
        "TicketOpened",
        "t-run",
        set_in(P, "ruling", "requirement", "threshold", to=1),
        "binding",
    ),
    "action replaced": (
        "TicketOpened",
        "t-run",
        set_in(P, "ask", "action_digest", to="f" * 64),
        "binding",
    ),
    "born approved": ("TicketOpened", "t-wait", set_in(P, "state", to="APPROVED"), "transition"),
    "born into nowhere": ("TicketOpened", "t-wait", set_in(P, "state", to="DONE"), "transition"),
    "life prolonged": (
        "TicketOpened",
        "t-wait",
        set_in(P, "expires_at", to="2099-01-01T00:00:00.000000Z"),
        "binding",
    ),
    "approved too early": ("VoteCast", "t-run", set_in("type", to="VoteRefused"), "decision"),
    "another plan ran": (
        "ExecutionStarted",
        "t-run",
        set_in(P, "plan_digest", to="0" * 64),
        "decision",
    ),
    "another action ran": (
        "ExecutionStarted",
        "t-run",
        set_in(P, "action_digest", to="0" * 64),
        "decision",
    ),
    "another action released": (
        "GrantRedeemed",
        "",
        set_in(P, "action_digest", to="0" * 64),
        "decision",
    ),
    "another agent redeemed": ("GrantRedeemed", "", set_in(P, "agent", to="eve"), "decision"),
    "another run succeeded": ("ExecutionSucceeded", "", set_in(P, "run_id", to="x"), "run"),
    "revision skipped": ("TicketRevised", "", set_in(P, "revision", to=3), "revision"),
    "unknown type": ("OutcomeReported", "", set_in("type", to="TicketBlessed"), "type"),
    "unknown control": ("AgentFrozen", "", set_in("type", to="AllForgiven"), "type"),
    "wrong header": ("VoteCast", "t-run", set_in("ticketId", to="t-wait"), "header"),
    "time set back": (
        "ExecutionStarted",
        "t-run",
        set_in("timestamp", to="2020-01-01T00:00:00.000000Z"),
        "time",
    ),
    "time in another form": ("ExecutionStarted", "t-run", set_in("timestamp", to="now"), "time"),
    "field missing": ("VoteCast", "t-run", lambda record: record.pop("actor"), "form"),
    "payload field missing": (
        "VoteCast",
        "t-run",
        lambda record: record["payload"].pop("vote"),  # type: ignore[attr-defined]
        "form",
    ),
    "payload is a list": ("VoteCast", "t-run", set_in(P, to=[]), "form"),
    "a fraction": ("VoteCast", "t-run", set_in(P, "vote", "weight", to=1.5), "form"),
    "a huge number": ("VoteCast", "t-run", set_in(P, "vote", "weight", to=10**30), "form"),
    "another sequence": ("VoteCast", "t-run", set_in("seq", to=99), "sequence"),
    "key replaced": ("KeyRegistered", "", set_in(P, "key", "pem", to="PEM"), "key"),
    "key for another purpose": ("KeyRegistered", "", set_in(P, "key", "purpose", to="x"), "key"),
    "key valid later": (
        "KeyRegistered",
        "",
        set_in(P, "key", "valid_from", to="2099-01-01T00:00:00.000000Z"),
        "key",
    ),
    "credential never issued": (
        "CredentialRevoked",
        "",
        set_in(P, "credential_id", to="x"),
        "credential",
    ),
    "checkpoint note replaced": ("CheckpointSigned", "", set_in(P, "note", to="x"), "checkpoint"),
    "checkpoint size replaced": ("CheckpointSigned", "", set_in(P, "size", to=1), "checkpoint"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_record_is_found_although_every_hash_is_right(copy: Path, name: str):
    kind, ticket_id, edit, what = FORGERIES[name]
    seq = seq_of(copy, kind, ticket_id)
    tamper(copy, rewrite(seq, edit))
    report = verify_database(copy)
    assert what in whats(report)
    assert any(problem.seq >= seq for problem in report.problems)


def truncate(connection: sqlite3.Connection, *, keep: int) -> None:
    """Cut the log and make the head agree."""
    connection.execute("DELETE FROM events WHERE seq > ?", (keep,))
    rows = connection.execute("SELECT body, hash, at FROM events ORDER BY seq").fetchall()
    tree = merkle.Range().grown([row[0] for row in rows]).to_bytes()
    connection.execute(
        "UPDATE head SET seq = ?, hash = ?, at = ?, tree = ?",
        (keep, rows[-1][1], rows[-1][2], tree),
    )


def test_a_cut_tail_is_found_only_with_the_published_checkpoint(story: Story, copy: Path):
    tamper(copy, lambda connection: truncate(connection, keep=story.size - 1))
    assert verify_database(copy).problems == ()  # the story's last record changes no projection
    assert verify_database(copy, checkpoints=story.checkpoint).problems == ()
    newer = world.note_of(story.size, b"r" * 32, "f" * 64)
    report = verify_database(copy, checkpoints=story.checkpoint + "\n" + newer)
    assert [(p.what, p.seq) for p in report.problems] == [("checkpoint", 0)]


def test_a_rewritten_log_is_found_with_the_published_checkpoint(story: Story, copy: Path):
    seq = seq_of(copy, "BundleActivated")
    tamper(copy, rewrite(seq, set_in("payload", "actor", to="nobody")))
    assert "checkpoint" in whats(verify_database(copy, checkpoints=story.checkpoint))


def test_a_checkpoint_by_another_key_is_found(story: Story):
    size, _, _ = 3, None, None
    with closing(sqlite3.connect(story.path)) as connection:
        rows = connection.execute("SELECT body, hash FROM events WHERE seq <= 3").fetchall()
    root = merkle.root_of([row[0] for row in rows])
    good = world.note_of(size, root, rows[-1][1])
    forged = world.note_of(size, root, rows[-1][1], purpose="vote:operator")
    assert verify_database(story.path, checkpoints=good).problems == ()
    assert whats(verify_database(story.path, checkpoints=forged)) == {"checkpoint"}


@pytest.mark.parametrize("text", ["nonsense", "a\nb\nc\nd\ne\n\n\u2014 k AAAA\n"])
def test_a_checkpoint_that_cannot_be_read_is_found(story: Story, text: str):
    assert whats(verify_database(story.path, checkpoints=text)) == {"checkpoint"}


def test_a_forged_moment_beyond_the_end_of_time_is_named(copy: Path):
    seq = seq_of(copy, "ExecutionCleared")
    tamper(copy, rewrite(seq, set_in("timestamp", to="9999-12-31T23:59:59.999999Z")))
    assert (seq + 1, "form") in {(p.seq, p.what) for p in verify_database(copy).problems}


def test_a_ticket_whose_log_is_malformed_is_named_and_not_a_crash(copy: Path):
    endless = set_in(P, "ruling", "requirement", "respond_within_s", to=10**15)
    tamper(copy, rewrite(seq_of(copy, "TicketOpened", "t-wait"), endless))
    assert {"binding", "projection"} <= whats(verify_database(copy))


def lines_of(story: Story) -> list[str]:
    out = io.StringIO()
    export(story.path, out)
    return out.getvalue().splitlines(keepends=True)


LIES: dict[str, Callable[[list[str]], list[str]]] = {
    "line removed": lambda lines: lines[:4] + lines[5:],
    "line repeated": lambda lines: [*lines[:5], lines[4], *lines[5:]],
    "lines swapped": lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
    "line cut": lambda lines: [*lines[:4], lines[4][:40] + "\n", *lines[5:]],
    "line is a number": lambda lines: [*lines[:4], "7\n", *lines[5:]],
    "body spaced": lambda lines: [*lines[:4], lines[4].replace('":', '" :'), *lines[5:]],
    "body escaped": lambda lines: [
        *lines[:4],
        lines[4].replace("acme", "\\\\u0061cme"),
        *lines[5:],
    ],
    "first lines removed": lambda lines: lines[3:],
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_export_is_found(story: Story, tmp_path: Path, name: str):
    out = tmp_path / "log.jsonl"
    out.write_text("".join(LIES[name](lines_of(story))))
    assert verify_export(out).problems


def test_an_export_cut_at_its_end_is_found_with_the_checkpoint(story: Story, tmp_path: Path):
    out = tmp_path / "log.jsonl"
    lines = lines_of(story)
    out.write_text("".join(lines[:-3]))
    assert whats(verify_export(out)) == {"cut"}  # as an accident cuts it
    kept = json.loads(lines[-4])
    end = {"end": kept["seq"], "hash": kept["hash"], "events": kept["seq"]}
    out.write_text("".join([*lines[:-3], json.dumps(end) + "\n"]))
    assert verify_export(out).problems == ()  # as somebody cuts it who knows the form
    assert whats(verify_export(out, checkpoints=story.checkpoint)) == {"checkpoint"}


@pytest.mark.parametrize("text", ["", "nonsense\n"])
def test_an_export_without_any_record_is_no_success(tmp_path: Path, text: str):
    out = tmp_path / "log.jsonl"
    out.write_text(text)
    report = verify_export(out)
    assert report.problems[-1].what == "empty"
    assert "nothing to verify" in report.problems[-1].detail
