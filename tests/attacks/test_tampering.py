"""Whatever is changed about a log, verification says so; and what only an outside copy shows.

A verifier that looks away must fail these tests: the last ones take one check out of it and see
that an attack goes through.
"""

import asyncio
import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage import (
    verify,
    verify_chain,
    verify_crew,
    verify_form,
    verify_guards,
    verify_published,
    verify_source,
    verify_tickets,
)
from storage.verify_findings import FINDINGS
from tests.attacks.tampering import Attack, Lab, unguarded, written
from tests.attacks.tampering_kinds import ATTACKS, ITSELF, OUTSIDE

SEED = 20260301
FLIPS = {"database": 300, "export": 200, "file": 200}
COLUMNS = {
    "events": "hash body at type tenant trace_id ticket_id agent_id",
    "tickets": "id body state tenant agent topic tool trace_id created_at expires_at",
    "votes": "ticket_id person role choice",
    "idempotency": "tenant agent key request_digest ticket_id",
    "deeds": "at tenant agent trace_id topic tool action target data_classes risk_tags labels",
    "buckets": "key updated_at",
    "credentials": "id issued_at body",
    "control": "body",
    "contents": "digest body",
    "head": "hash at tree",
    "head_signatures": "origin key_id value",
    "checkpoints": "root note",
}


def table() -> list[str]:
    """The table of ``docs/security.md``."""
    rows = (f"| {attack.surface} | {attack.name} | {attack.shown_by} |" for attack in ATTACKS)
    return ["| where | what is changed | shown by |", "|---|---|---|", *rows]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return asyncio.run(written(tmp_path_factory.mktemp("lab")))


def applied(attack: Attack, lab: Lab, folder: Path) -> Lab:
    spoiled = lab.copied(folder)
    return attack.act(spoiled) or spoiled


@pytest.mark.parametrize("target", ["database", "export", "segments"])
def test_what_nobody_touched_verifies(lab: Lab, target: str):
    assert lab.verified(target, outside=False).problems == ()
    report = lab.verified(target, outside=True)
    assert report.problems == ()
    assert report.counts.uncovered == 0


def test_there_are_enough_kinds_and_no_two_bear_one_name():
    assert len({(attack.surface, attack.name) for attack in ATTACKS}) == len(ATTACKS) >= 40
    assert {attack.shown_by for attack in ATTACKS} == {ITSELF, OUTSIDE}


def test_the_documentation_names_every_kind_and_what_shows_it():
    page = Path(__file__).parents[2] / "docs" / "security.md"
    assert "\n".join(["", *table(), ""]) in page.read_text(encoding="utf-8")


def test_every_code_that_the_verifier_can_say_is_documented():
    folder = Path(verify.__file__).parent
    said = {
        code
        for path in (folder / "verify.py", *folder.glob("verify_*.py"))
        for code in re.findall(
            r"""(?:what="|_wrong\(event, "|_lie\("|_row\(")([a-z_ ]+)""", path.read_text()
        )
    }
    # What tables are compared as a whole is found under their own names.
    assert said <= FINDINGS.keys()
    assert FINDINGS.keys() - said <= {"votes", "buckets", "deeds", "content_uses"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.surface}: {a.name}")
def test_tampering_is_found_by_what_the_documentation_says(
    lab: Lab, tmp_path: Path, attack: Attack
):
    spoiled = applied(attack, lab, tmp_path)
    alone = spoiled.verified(attack.target, outside=False).problems
    assert bool(alone) == (attack.shown_by == ITSELF), alone
    found = spoiled.verified(attack.target, outside=True).problems
    assert found
    assert {problem.what for problem in (*alone, *found)} <= FINDINGS.keys()


def test_random_flips_in_the_database_are_all_found(lab: Lab, tmp_path: Path):
    rng, spoiled = random.Random(SEED), lab.copied(tmp_path)  # noqa: S311  # to be repeated
    clean = lab.database.read_bytes()
    missed: list[str] = []
    for _ in range(FLIPS["database"]):
        told = flipped(spoiled, rng)
        if not spoiled.verified("database", outside=False).problems:
            missed.append(told)
        spoiled.database.write_bytes(clean)
    assert missed == []


def flipped(lab: Lab, rng: random.Random) -> str:
    """Change one byte of one value of one row; what was changed."""
    table = rng.choice([*COLUMNS, *["events"] * len(COLUMNS)])
    column = rng.choice(COLUMNS[table].split())
    with unguarded(lab.database) as db:
        query = f"SELECT rowid, CAST({column} AS BLOB), typeof({column}) FROM {table}"
        rows = db.execute(query).fetchall()
        row, value, kind = rng.choice([row for row in rows if row[1]])
        place = rng.randrange(len(value))
        forged = bytes([value[place] ^ rng.randrange(1, 256)])
        new = value[:place] + forged + value[place + 1 :]
        cast = "CAST(? AS TEXT)" if kind == "text" else "?"
        update = f"UPDATE {table} SET {column} = {cast} WHERE rowid = ?"
        db.execute(update, (new, row))
    return f"{table}.{column} row {row} byte {place}: {value[place]:02x} -> {forged.hex()}"


def test_random_flips_in_the_file_are_found_or_change_no_row_and_no_index(lab: Lab, tmp_path: Path):
    rng, spoiled = random.Random(SEED), lab.copied(tmp_path)  # noqa: S311  # to be repeated
    raw, clean = lab.database.read_bytes(), held_in(lab.database)
    missed: list[tuple[int, int]] = []
    for _ in range(FLIPS["file"]):
        place, flip = rng.randrange(len(raw)), rng.randrange(1, 256)
        spoiled.database.write_bytes(raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :])
        found = spoiled.verified("database", outside=False).problems
        if not found and held_in(spoiled.database) != clean:
            missed.append((place, flip))
    assert missed == []


def held_in(path: Path) -> list[list[tuple[object, ...]]]:
    """Every row that is compared, read by table, and whether its indexes hold the same."""
    with closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        return [
            *(
                db.execute(f"SELECT {', '.join(names.split())} FROM {table} NOT INDEXED").fetchall()
                for table, names in COLUMNS.items()
            ),
            db.execute("PRAGMA integrity_check").fetchall(),
        ]


def test_a_schema_that_is_no_text_is_a_problem_and_no_crash(lab: Lab, tmp_path: Path):
    spoiled = lab.copied(tmp_path)
    raw = spoiled.database.read_bytes()
    name = b"sqlite_autoindex_outbox_1"
    assert name in raw
    spoiled.database.write_bytes(raw.replace(name, b"\xff" + name[1:]))
    found = spoiled.verified("database", outside=False).problems
    assert {problem.what for problem in found} == {"database"}


def test_random_flips_in_an_export_are_all_found(lab: Lab, tmp_path: Path):
    rng, spoiled = random.Random(SEED), lab.copied(tmp_path)  # noqa: S311  # to be repeated
    raw = lab.export.read_bytes()
    missed: list[tuple[int, int]] = []
    for _ in range(FLIPS["export"]):
        place, flip = rng.randrange(len(raw)), rng.randrange(1, 256)
        spoiled.export.write_bytes(raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :])
        if not spoiled.verified("export", outside=False).problems:
            missed.append((place, flip))
    assert missed == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakening:
    """A verifier without one of its checks, and an attack that goes through then."""

    place: object
    name: str
    instead: Callable[..., object]
    attack: str


def _nothing(*_: object, **__: object) -> list[object]:
    return []


def _all_hold(claims: list[object]) -> list[bool]:
    return [True] * len(claims)


def _anybody(*_: object) -> bool:
    return True


def _any_form(text: str) -> tuple[object, str]:
    return verify_form.load(text), ""


WEAKENINGS = {
    "signatures hold": Weakening(
        place=verify_crew, name="holding", instead=_all_hold, attack="a signed head replaced"
    ),
    "rows agree": Weakening(
        place=verify, name="compare", instead=_nothing, attack="a ticket's state"
    ),
    "guards stand": Weakening(
        place=verify_source, name="guards", instead=_nothing, attack="a guard removed"
    ),
    "links hold": Weakening(
        place=verify_chain, name="_links", instead=_nothing, attack="an event, and its hash with it"
    ),
    "columns agree": Weakening(
        place=verify_chain, name="_columns", instead=_nothing, attack="a column beside an event"
    ),
    "any spelling will do": Weakening(
        place=verify_form,
        name="record_of",
        instead=_any_form,
        attack="an event spelled otherwise, every hash made to fit",
    ),
    "nothing needs a decision": Weakening(
        place=verify_tickets.Tickets,
        name="_used",
        instead=_nothing,
        attack="a grant for another action, every hash made to fit",
    ),
    "keys may be gone": Weakening(
        place=verify_guards, name="uniques", instead=_nothing, attack="a unique index removed"
    ),
    "indexes hold their tables": Weakening(
        place=verify_source,
        name="damage",
        instead=_nothing,
        attack="an index without its rows: what an agent did is not found",
    ),
    "checkpoints agree": Weakening(
        place=verify.Verification,
        name="_checkpoint",
        instead=_nothing,
        attack="told anew without its checkpoint and signed heads",
    ),
    "published rows agree": Weakening(
        place=verify_published.Published,
        name="compare",
        instead=_nothing,
        attack="a published checkpoint's row",
    ),
    "cosignatures hold": Weakening(
        place=verify_published,
        name="_is_cosigned",
        instead=_anybody,
        attack="a cosignature by another key",
    ),
}


@pytest.mark.parametrize("name", WEAKENINGS)
def test_a_verifier_that_looks_away_lets_an_attack_through(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    weakening = WEAKENINGS[name]
    (attack,) = [attack for attack in ATTACKS if attack.name == weakening.attack]
    spoiled = applied(attack, lab, tmp_path)
    outside = attack.shown_by == OUTSIDE
    before = spoiled.verified(attack.target, outside=outside).problems
    monkeypatch.setattr(verify_crew, "_FORMS", verify_form.Forms())
    monkeypatch.setattr(weakening.place, weakening.name, weakening.instead)
    after = spoiled.verified(attack.target, outside=outside).problems
    assert before
    assert len(after) < len(before)
    assert set(after) < set(before)


def test_a_row_that_cannot_be_read_is_a_problem_and_no_crash(lab: Lab, tmp_path: Path):
    spoiled = lab.copied(tmp_path)
    with closing(sqlite3.connect(spoiled.database, isolation_level=None)) as db:
        db.execute("UPDATE tickets SET state = CAST(x'ff' AS TEXT)")
    assert "database" in {p.what for p in spoiled.verified("database", outside=False).problems}
