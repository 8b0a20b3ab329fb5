"""Importing by the command line."""

from pathlib import Path

import pytest

from bot.bundle_yaml import parsed
from bot.bundles import load_bundle
from bot.replies import Exit
from tests.unit.cli.conftest import Placet

FIXTURES = Path(__file__).parents[2] / "fixtures"
DIALECT = FIXTURES / "import" / "dialect.yaml"
FILES = [DIALECT, *sorted((FIXTURES / "bundles").glob("*.yaml"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_written_loads_and_begins_with_what_it_was_made_from(
    placet: Placet, tmp_path: Path, file: Path
):
    ran = placet("policy", "import", file, "--out", tmp_path / "new")
    written = tmp_path / "new" / "bundle.yaml"
    assert (ran.code, ran.out) == (Exit.OK, "")
    assert f"{file}:1:1: " in ran.err or f"{file}:2:1: " in ran.err
    assert load_bundle(written).not_enforced == ()
    assert written.read_text().startswith(f"# Made from {file.name} ")
    assert placet("policy", "import", file).out == written.read_text()


def test_without_out_the_bundle_is_printed_and_the_notes_stand_beside(placet: Placet):
    ran = placet("policy", "import", DIALECT, "--from", "rules")
    assert parsed("out", ran.out)["strategy"] == "first_match"
    assert f"{DIALECT}:29:7: not carried over: 'predicate'" in ran.err


def test_json_holds_the_bundle_and_the_notes_with_their_places(placet: Placet):
    found = placet("policy", "import", DIALECT, "--json").json
    assert set(found) == {"bundle", "notes"}
    note = next(n for n in found["notes"] if n["pointer"] == "/rules/0/match/predicate")
    assert (note["kind"], note["line"], note["column"]) == ("not carried over", 29, 7)
    assert found["bundle"]["default_decision"] == "deny"


def test_nothing_is_overwritten(placet: Placet, tmp_path: Path):
    there = tmp_path / "other.yml"
    there.write_text("kept")
    ran = placet("policy", "import", DIALECT, "--out", tmp_path)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "nothing is overwritten" in ran.err
    assert (there.read_text(), (tmp_path / "bundle.yaml").exists()) == ("kept", False)
    assert placet("policy", "import", DIALECT, "--out", there).code == Exit.USAGE


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("rules: [\n", "2:1"),
        ("version: v1\nrules:\n  - id: a\n    decision: perhaps\n", "4:5"),
        ("rules: []\nrules: []\n", "2:1"),
        ("rules: []\npriority: 1\n", "2:1"),
        ("strategy: first_match\n", "1:1"),
    ],
)
def test_what_is_malformed_is_refused_with_its_place_and_nothing_is_written(
    placet: Placet, tmp_path: Path, text: str, place: str
):
    file, out = tmp_path / "their.yaml", tmp_path / "out"
    file.write_text(text)
    ran = placet("policy", "import", file, "--out", out)
    assert ran.code == Exit.PROBLEM
    assert f"{file}:{place}: " in ran.err
    assert not out.exists()


def test_texts_come_through_unbent_and_cannot_steer_a_reader(placet: Placet, tmp_path: Path):
    file = tmp_path / "their.yaml"
    file.write_text(
        "rules:\n  - id: a\n    decision: deny\n    reason: 'on'\n    match:\n"
        '      labels: {"y": "012", "1:30": "a\\tb\\u202e"}\n      "evil\\n# x": 1\n'
    )
    ran = placet("policy", "import", file)
    rule = parsed("out", ran.out)["rules"]
    assert isinstance(rule, list)
    assert rule[0]["reason"] == "on"
    assert rule[0]["match"]["labels"] == {"y": "012", "1:30": "a\tb\u202e"}
    assert "\u202e" not in ran.out + ran.err
    assert all(line.startswith("#") for line in ran.out.split("\n\n")[0].splitlines())
