"""Whatever is changed about a log, verification says so; and what only an outside copy shows.

A verifier that looks away must fail these tests: the last ones take one check out of it and see
that an attack goes through.
"""

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from storage.verify import chain as verify_chain
from storage.verify import crew as verify_crew
from storage.verify import form as verify_form
from storage.verify import guards as verify_guards
from storage.verify import published as verify_published
from storage.verify import source as verify_source
from storage.verify import tickets as verify_tickets
from storage.verify import verifier as verify
from storage.verify.findings import FINDINGS
from tests.attacks import __main__ as count
from tests.attacks.flips import FLIPS
from tests.attacks.tampering import Attack, Lab, written
from tests.attacks.tampering_kinds import ATTACKS, ITSELF, OUTSIDE
from tests.attacks.tampering_server import is_possible
from tests.attacks.tampering_server_kinds import SERVER_ATTACKS


def table() -> list[str]:
    """The table of ``docs/security.md``."""
    rows = [(a.surface, a.name, a.shown_by, tried_on(a)) for a in ATTACKS]
    rows += [(a.surface, a.name, ITSELF, "PostgreSQL") for a in SERVER_ATTACKS]
    told = (f"| {' | '.join(row)} |" for row in rows)
    return ["| where | what is changed | shown by | tried on |", "|---|---|---|---|", *told]


def tried_on(attack: Attack) -> str:
    if attack.target != "database":
        return "files"
    return "both" if is_possible(attack) else "SQLite"


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
        for path in folder.glob("*.py")
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


@pytest.mark.parametrize("where", FLIPS)
def test_random_flips_are_all_found(lab: Lab, tmp_path: Path, where: str):
    flip, times = FLIPS[where]
    assert flip(lab.copied(tmp_path), times) == []


def test_the_count_says_what_was_found_otherwise_than_documented(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    honest = Attack(
        name="none", surface="events", target="database", shown_by=ITSELF, act=lambda lab: None
    )
    monkeypatch.setattr(count, "ATTACKS", (ATTACKS[0], honest))
    said = (SERVER_ATTACKS[0], replace(SERVER_ATTACKS[1], finds=frozenset(("hash",))))
    monkeypatch.setattr(count, "SERVER_ATTACKS", said)
    monkeypatch.setattr(count, "FLIPS", {"rows": (FLIPS["rows"][0], 2)})
    assert count.main() == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["missed"] == {"rows": []}
    one, other = told["sqlite"], told["postgresql"]
    assert (one["kinds"], one["shown_by"]) == (2, {"itself": 1, "nothing": 1})
    assert one["otherwise"] == ["events: none: nothing"]
    assert (other["kinds"], other["shown_by"]) == (4, {"itself": 2, "nothing": 1, "trigger": 1})
    wrong = f"{said[1].surface}: {said[1].name}: trigger"
    assert other["otherwise"] == ["events: none: nothing", wrong]


def test_a_schema_that_is_no_text_is_a_problem_and_no_crash(lab: Lab, tmp_path: Path):
    spoiled = lab.copied(tmp_path)
    raw = spoiled.database.read_bytes()
    name = b"sqlite_autoindex_outbox_1"
    assert name in raw
    spoiled.database.write_bytes(raw.replace(name, b"\xff" + name[1:]))
    found = spoiled.verified("database", outside=False).problems
    assert {problem.what for problem in found} == {"database"}


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
