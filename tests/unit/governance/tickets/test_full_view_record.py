"""What the log keeps of a person who read the whole."""

from governance.tickets import commands as cmd
from governance.tickets import events as ev
from tests.support.build import ANNA, T0
from tests.support.core import TICKET, after, born, decide


def test_a_file_that_was_read_is_recorded_with_its_digest() -> None:
    ticket = born()
    command = cmd.OpenFullView(ticket_id=TICKET, revision=1, person=ANNA, file_digest="f" * 64)
    decided = decide(ticket, command)
    assert decided.events == (
        ev.FullViewOpened(ticket_id=TICKET, revision=1, person=ANNA, file_digest="f" * 64),
    )
    assert after(ticket, decided.events, T0).has_seen_all(ANNA)
