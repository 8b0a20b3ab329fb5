"""What the verifier holds against a detachment, whatever the database let happen."""

from typing import Any

import pytest

from governance.segments import detach_message
from storage import codec
from storage.verify.detached import NotAtHand, message, state_at
from storage.verify.facts import Facts
from storage.verify.tickets import Event
from tests.support import build


def told(**changes: Any) -> list[str]:
    """What is wrong with a detachment of three records that nothing is known of."""
    facts = Facts({})
    payload = codec.payload(build.detached(**changes))
    at = "2027-03-01T09:00:00.000000Z"
    event = Event(seq=9, type="SegmentDetached", at=at, payload=payload)  # type: ignore[arg-type]
    found = facts.detachments.take(event, facts.ring, facts.rules.doubts, {})
    details = [problem.detail for problem in found]
    facts.scratch.close()
    return details


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"first": 2, "events": 2}, "do not follow 0"),
        ({"last": 9, "events": 9}, "do not follow 0"),
        ({"last": 0, "events": 0}, "do not follow 0"),
        ({"events": 2}, "does not name its records"),
        ({"file": "other"}, "does not name its records"),
        ({}, "record 5 sealed no such segment"),
        ({}, "does not count"),
    ],
)
def test_it_follows_names_what_left_and_is_sealed_and_signed(
    changes: dict[str, object], detail: str
):
    assert any(detail in found for found in told(**changes))


def test_the_verifier_reads_the_very_message_that_is_signed():
    event = build.detached()
    assert message(codec.payload(event)) == detach_message(event)  # type: ignore[arg-type]


def test_without_a_folder_there_is_no_state_to_begin_with():
    with pytest.raises(NotAtHand, match="1 to 7"):
        state_at(None, 7)
