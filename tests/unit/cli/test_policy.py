"""The active bundle by the command line."""

from bot.bundles import shipped
from bot.replies import Exit
from governance.tickets.ticket import TicketId
from tests.unit.cli.conftest import Placet


def test_activation_says_which_snapshot_follows_which(placet: Placet, story: TicketId) -> None:
    assert story
    before = placet("policy", "show", "--json").json
    assert before["is_active"] is True
    done = placet("policy", "activate", "--policies", shipped("default"), "--yes", "--json").json
    assert done["changed"] is True
    assert done["old"] == before["active"]
    assert done["new"] != done["old"]
    assert "not the active one" in placet("policy", "show").out
    types = placet("audit", "tail", "-n", 1).out
    assert "BundleActivated" in types
    assert "operator:" in types


def test_activation_asks_and_no_changes_nothing(placet: Placet, story: TicketId) -> None:
    assert story
    words = ("policy", "activate", "--policies", shipped("default"))
    assert placet(*words, typed="n\n").code == Exit.PROBLEM
    assert placet("policy", "show", "--json").json["is_active"] is True
    assert placet(*words, "--json").code == Exit.USAGE
    agreed = placet(*words, typed="y\n")
    assert agreed.code == Exit.OK
    assert "old" in agreed.out


def test_the_active_bundle_is_not_activated_again(placet: Placet, story: TicketId) -> None:
    assert story
    assert placet("policy", "activate", "--json").json["changed"] is False
    assert "is the active one" in placet("policy", "activate").out


def test_the_first_activation_may_come_before_the_service(placet: Placet) -> None:
    assert placet("policy", "show").code == Exit.UNAVAILABLE
    done = placet("policy", "activate", "--yes")
    assert done.code == Exit.OK
    assert "none" in done.out
