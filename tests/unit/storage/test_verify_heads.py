"""Signed heads as the verifier finds them: what they cover, and whatever was done to them."""

import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from governance import control as ctl
from governance.keys import head_message
from storage.ledger import SqlLedger
from storage.schema.guards import TRIGGERS
from storage.verify import heads as verify_heads
from storage.verify.heads import Heads
from storage.verify.keys import Ring
from storage.verify.verifier import Report, verify_database
from tests.support import build, world
from tests.support.build import T0, TENANT, FixedClock
from tests.support.commits import append

ORIGIN = "placet.example/log"
H1, H2 = "h1", "h2"


class Signing:
    """Signs heads with the key of any name."""

    origin = ORIGIN

    def sign_head(self, key_id: str, message: bytes) -> str | None:
        """base64 of r and s."""
        return base64.b64encode(world.sign(key_id, message)).decode()


def registered(name: str, purpose: str = ctl.HEAD) -> ctl.KeyRegistered:
    key = ctl.PublicKey(id=name, purpose=purpose, pem=world.pem_of(name), valid_from=T0)
    return ctl.KeyRegistered(tenant=TENANT, key=key)


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A ledger of six events whose heads were signed at 1, 2, 4 and 5, and then one unsigned."""
    path = tmp_path / "placet.db"
    async with SqlLedger(f"sqlite:///{path}", FixedClock()) as ledger:
        ledger.sign_heads(Signing())
        await append(ledger, registered(H1))
        await append(ledger, build.evaluated())
        await append(ledger, build.evaluated(), build.evaluated())
        await append(ledger, build.evaluated())
    async with SqlLedger(f"sqlite:///{path}", FixedClock()) as keyless:
        await append(keyless, build.evaluated())
    return path


def tampered(file: Path, *statements: str, values: tuple[object, ...] = ()) -> Report:
    """What the verifier says after somebody with the file altered it and put the guards back."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement, values)
        for trigger in TRIGGERS.values():
            connection.execute(trigger)
    return verify_database(file)


def told(report: Report) -> list[tuple[int, str]]:
    """Where, and what."""
    return [(p.seq, p.detail) for p in report.problems if p.what == "head signature"]


def test_the_records_after_the_newest_signed_head_are_the_uncovered_tail(file: Path):
    report = verify_database(file)
    assert [p for p in report.problems if p.what != "contents"] == []
    assert (report.counts.events, report.counts.unsigned) == (6, 1)


def test_a_signature_that_was_altered_is_named_with_its_place(file: Path):
    forged = base64.b64encode(world.sign(H1, b"another")).decode()
    report = tampered(file, "UPDATE head_signatures SET value = ? WHERE seq = 4", values=(forged,))
    ((seq, detail),) = told(report)
    assert seq == 4
    assert "another log stood here when it was made" in detail


@pytest.mark.parametrize(
    ("change", "seq", "says"),
    [
        ("UPDATE head_signatures SET seq = 3 WHERE seq = 4", 3, "does not hold"),
        ("UPDATE head_signatures SET origin = 'other' WHERE seq = 5", 5, "was signed for other"),
        ("UPDATE head_signatures SET key_id = 'h9' WHERE seq = 5", 5, "no key h9 is registered"),
        ("UPDATE head_signatures SET value = x'00' WHERE seq = 5", 5, "malformed"),
        ("UPDATE head_signatures SET seq = 0 WHERE seq = 1", 0, "where there is no record"),
        ("UPDATE head_signatures SET seq = 99 WHERE seq = 5", 0, "records were removed"),
    ],
)
def test_a_signed_head_that_says_something_else_is_named(
    file: Path, change: str, seq: int, says: str
):
    found = told(tampered(file, change))
    assert any(place == seq and says in detail for place, detail in found), found


def test_records_cut_off_at_the_end_are_found_by_the_heads_that_were_signed_after_them(
    file: Path,
):
    cut = ("DELETE FROM events WHERE seq > 4",)
    assert (0, 5) in [
        (seq, int(detail.split("signed at ")[1].split()[0]))
        for seq, detail in told(tampered(file, *cut))
        if "records were removed" in detail
    ]


def test_a_history_that_was_rewritten_with_its_hashes_does_not_match_its_signed_heads(
    file: Path,
):
    """Whoever rewrites the chain, but has not the key, contradicts every later signed head."""
    from governance.audit import hash_of

    with closing(sqlite3.connect(file)) as connection:
        bodies = [row[0] for row in connection.execute("SELECT body FROM events ORDER BY seq")]
    previous, rows = "0" * 64, []
    for seq, body in enumerate(bodies, start=1):
        record = json.loads(body) | {"previous": previous}
        record |= {"actor": "agent:somebody"} if seq == 3 else {}
        text = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        previous = hash_of(text)
        rows.append((text, previous, seq))
    with closing(sqlite3.connect(file)) as connection, connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        connection.executemany("UPDATE events SET body = ?, hash = ? WHERE seq = ?", rows)
        for trigger in TRIGGERS.values():
            connection.execute(trigger)
    report = verify_database(file)
    assert "hash" not in {p.what for p in report.problems}
    assert [seq for seq, _ in told(report)] == [4, 5]


def test_heads_that_were_all_removed_leave_everything_uncovered(file: Path):
    report = tampered(file, "DELETE FROM head_signatures")
    assert told(report) == []
    assert report.counts.unsigned == report.counts.events == 6


# Keys


def row(seq: int, name: str, hash_: str = "ab") -> tuple[object, ...]:
    """A head signed by ``name``."""
    message = head_message(origin=ORIGIN, seq=seq, hash_=hash_, at=T0)
    return seq, ORIGIN, name, base64.b64encode(world.sign(name, message)).decode()


def meet(ring: Ring, *rows: tuple[object, ...]) -> list[str]:
    """What is wrong with these rows on a log of three records."""
    heads = Heads(iter(rows), ring)
    found = [
        problem.detail
        for seq in (1, 2, 3)
        for problem in heads.meet(seq, "ab", "2026-03-01T09:00:00.000000Z")
    ]
    held = verify_heads_holding(heads)
    return found + held + [problem.detail for problem in heads.left()]


def verify_heads_holding(heads: Heads) -> list[str]:
    from storage.verify.claims import holding

    held = holding([doubt.claim for doubt in heads.doubts])
    return [d.problem.detail for d, holds in zip(heads.doubts, held, strict=True) if not holds]


def ring(*events: Callable[[Ring], object]) -> Ring:
    made = Ring({})
    for event in events:
        event(made)
    return made


def knows(name: str, purpose: str = ctl.HEAD) -> Callable[[Ring], object]:
    told_of = {
        "id": name,
        "purpose": purpose,
        "pem": world.pem_of(name),
        "valid_from": "2026-03-01T09:00:00.000000Z",
    }
    at = told_of["valid_from"]
    return lambda made: list(made.take(1, "KeyRegistered", at, {"key": told_of}))


def revokes(name: str) -> Callable[[Ring], object]:
    told_of = {"key_id": name, "reason": "stolen"}
    return lambda made: list(made.take(2, "KeyRevoked", "2026-03-01T09:00:00.000000Z", told_of))


def test_a_head_by_its_active_key_is_no_problem():
    assert meet(ring(knows(H1)), row(1, H1), row(3, H1)) == []


def test_a_head_by_a_revoked_key_or_one_for_votes_is_named():
    (revoked,) = meet(ring(knows(H1), revokes(H1)), row(3, H1))
    assert "key h1 was revoked by event 2 (stolen)" in revoked
    (other,) = meet(ring(knows(H1, "vote:operator")), row(3, H1))
    assert "key h1 is for vote:operator, not for head" in other


def test_a_row_that_names_no_record_is_no_end_of_the_check():
    found = meet(ring(knows(H1)), ("x", ORIGIN, H1, "v"), row(2, H1, "other"))
    assert found[0] == "the signed head 'x' names no record"
    assert "does not hold" in found[1]


def test_the_verifier_states_the_format_of_what_is_signed():
    assert "placet/v1/head" in (verify_heads.__doc__ or "")
