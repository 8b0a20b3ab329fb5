"""Figures, pictures and suggestions by the command line."""

from pathlib import Path

import pytest

from bot.bundles import load_bundle
from bot.replies import Exit
from governance.tickets.ticket import TicketId
from tests.unit.cli.conftest import OLIVIA, RIN, Placet


def test_the_figures_of_a_week_are_a_table(placet: Placet, story: TicketId) -> None:
    assert story
    told = placet("stats")
    assert told.code == Exit.OK
    assert "1 asked: 1 waiting" in told.out
    assert "1 (100 %) REQUIRE_APPROVAL" in told.out
    assert OLIVIA in told.out
    assert RIN not in told.out  # the vote of the agent's owner did not count


def test_as_json_they_are_numbers(placet: Placet, story: TicketId) -> None:
    assert story
    found = placet("stats", "--days", 30, "--json").json
    assert found["decisions"] == {"REQUIRE_APPROVAL": 1}
    assert found["asked"] == {"asked": 1, "waiting": 1, "median_s": None, "p90_s": None}
    assert found["votes"] == [{"person": OLIVIA, "for": 1, "against": 0}]
    assert found["queue"][-1]["waiting"] == 1
    assert (found["suggestions"], found["files"]) == ([], [])
    assert found["never_fired"]


def test_pictures_are_drawn_into_an_empty_folder_only(
    placet: Placet, story: TicketId, tmp_path: Path
) -> None:
    assert story
    folder = tmp_path / "pictures"
    done = placet("stats", "--pictures", folder)
    assert (done.code, done.out.count("drawn: ")) == (Exit.OK, 7)
    assert len([*folder.glob("*.png")]) == 6
    assert "rules.png\tHow often people approved" in (folder / "alt.txt").read_text("utf-8")
    before = (folder / "rules.png").read_bytes()
    again = placet("stats", "--pictures", folder)
    assert again.code == Exit.USAGE
    assert "name an empty folder" in again.err
    assert (folder / "rules.png").read_bytes() == before


def test_without_the_extra_it_says_what_to_install(
    placet: Placet, story: TicketId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert story
    monkeypatch.setattr("bot.figures.plots.find_spec", lambda _: None)
    told = placet("stats", "--pictures", tmp_path / "pictures")
    assert (told.code, "placet[plots]" in told.err) == (Exit.OK, True)
    assert not (tmp_path / "pictures").exists()


def test_each_suggestion_is_a_bundle_that_can_be_simulated(
    placet: Placet, story: TicketId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert story
    monkeypatch.setattr("governance.advice.MANY_DECISIONS", 1)
    told = placet("stats")
    assert "--suggest FOLDER" in told.err
    folder = tmp_path / "candidates"
    told = placet("stats", "--suggest", folder)
    written = sorted(folder.iterdir())
    assert written
    assert told.out.count("placet policy simulate --policies") == len(written)
    assert all(load_bundle(path).snapshot for path in written)
    simulated = placet("policy", "simulate", "--policies", written[0], "--json")
    assert (simulated.code, simulated.json["judged"]) == (Exit.OK, 1)


def test_there_must_be_a_ledger(placet: Placet, tmp_path: Path) -> None:
    assert placet("stats").code == Exit.UNAVAILABLE
    assert not (tmp_path / "ledger").exists()
    assert placet("stats", "--days", 0).code == Exit.USAGE
