"""Tickets by the command line."""

import pytest

from bot.replies import Exit
from governance.tickets.ticket import TicketId
from tests.unit.cli.conftest import ESCAPE, OLIVIA, RIN, Placet


def test_the_list_says_what_is_missing(placet: Placet, story: TicketId) -> None:
    shown = placet("ticket", "list").out
    assert story in shown
    assert "needs 2 reviewers" in shown
    found = placet("ticket", "list", "--state", "pending", "--agent", "deployer", "--json").json
    assert [item["id"] for item in found["tickets"]] == [story]
    assert found["tickets"][0]["missing"] == "needs 2 reviewers"


def test_the_list_is_filtered(placet: Placet, story: TicketId) -> None:
    assert story not in placet("ticket", "list", "--state", "executed").out
    assert placet("ticket", "list", "--agent", "deployer", "--json").json["tickets"]


def test_an_agent_of_whom_nothing_is_on_record_is_no_empty_list(
    placet: Placet, story: TicketId
) -> None:
    answer = placet("ticket", "list", "--agent", "deploier", "--json")
    assert (answer.code, story in answer.out) == (Exit.REFUSED, False)
    assert answer.json["error"]["code"] == "not_found"


def test_a_state_that_is_none_is_a_usage_error(placet: Placet) -> None:
    answer = placet("ticket", "list", "--state", "maybe", "--json")
    assert answer.code == Exit.USAGE
    assert "pending" in answer.json["error"]["message"]


def test_a_ticket_is_told_whole(placet: Placet, story: TicketId) -> None:
    shown = placet("ticket", "show", story).out
    found = placet("ticket", "show", story, "--json").json
    assert found["votes"][0]["person"] == OLIVIA
    assert found["refused"] == [{"person": RIN, "code": "self_approval_denied"}]
    assert [item["type"] for item in found["timeline"]] == [
        "TicketOpened",
        "VoteCast",
        "VoteRefused",
    ]
    assert found["content"]["arguments"] == {"grace_s": 5, "host": "web-1"}
    for text in (
        "require-approval-prod-write",
        found["binding"],
        OLIVIA,
        "not counted (self_approval_denied)",
        "In the agent's own words",
        "TicketOpened",
    ):
        assert text in shown


def test_an_agent_cannot_steer_the_terminal(placet: Placet, story: TicketId) -> None:
    for words in (["list"], ["list", "--json"], ["show", story], ["show", story, "--json"]):
        shown = placet("ticket", *words).out
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert r"\u{1b}" in placet("ticket", "show", story).out
    assert placet("ticket", "show", story, "--json").json["target"] == ESCAPE


def test_an_unknown_ticket_is_refused(placet: Placet, story: TicketId) -> None:
    assert story
    answer = placet("ticket", "show", "nope", "--json")
    assert answer.code == Exit.REFUSED
    assert answer.json["error"]["code"] == "not_found"


def test_another_tenants_ticket_is_not_found(
    placet: Placet, story: TicketId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_TENANT", "other")
    assert placet("ticket", "show", story).code == Exit.REFUSED
    assert placet("ticket", "list", "--json").json == {"tickets": []}
