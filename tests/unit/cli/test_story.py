"""A ticket in words and in JSON, for the states that the sample ledger does not have."""

import io
from dataclasses import replace
from datetime import timedelta

from rich.console import Console

from bot.cli import story
from governance.tickets.ticket import TicketState
from tests.support import build


def _told(ticket: build.Ticket) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200, markup=False)
    for part in story.tell(story.Story(ticket=ticket, content=None, history=()), build.T0):
        console.print(part)
    return out.getvalue()


def test_a_result_says_how_it_ended_and_not_what_came_out() -> None:
    ticket = build.sample_ticket(state=TicketState.EXECUTED, note="done")
    told = _told(ticket)
    assert "succeeded in sandbox A after 12 ms, exit code 0, output redacted" in told
    whole = story.whole(story.Story(ticket=ticket, content=None, history=()))
    assert whole["report"] == {
        "status": "succeeded",
        "exit_code": 0,
        "error": "",
        "duration_ms": 12,
        "sandbox": "A",
        "output": "redacted",
        "findings": 1,
    }


def test_erased_content_is_said() -> None:
    assert "cannot be read back" in _told(build.sample_ticket())
    gone = story.Story(ticket=build.sample_ticket(), content=None, history=(), erased_at=build.T0)
    assert story.whole(gone)["content_erased_at"] == "2026-03-01T09:00:00Z"
    told = "".join(str(part) for part in story.tell(gone, build.T0))
    assert "was erased at 2026-03-01T09:00:00Z" in told


def test_a_ticket_without_constraints_shows_none() -> None:
    ruling = build.ruling(constraints=build.Constraints())
    assert "max_runtime_s" in _told(build.sample_ticket())
    assert "constraints" not in _told(build.sample_ticket(ruling=ruling))


def test_only_a_live_ticket_expires_and_a_late_one_is_overdue() -> None:
    ticket = build.sample_ticket()
    assert story.row(ticket, build.T0)[6] == "1h 0m"
    assert story.row(ticket, build.T0 + timedelta(hours=2))[6] == "overdue"
    settled = replace(ticket, state=TicketState.EXPIRED, report=None)
    assert story.row(settled, build.T0)[6] == ""
    assert story.row(settled, build.T0)[7] == ""
