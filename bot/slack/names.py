"""The names that tie a rendered element to the listener that answers it.

Lives here: action ids, callback ids, the value of a button. Must not live here: what they do.
Law: ids are stable; a button's value says what was shown (ticket, revision, binding), which is
routing data and never authority.
"""

import json
from dataclasses import dataclass

from governance.canonical import Json
from governance.tickets.ticket import TicketId

APPROVE = "placet.approve"
APPROVE_WITH_COMMENT = "placet.approve_comment"
REJECT = "placet.reject"
DETAILS = "placet.details"
STOP = "placet.stop"
TOOK_EFFECT = "placet.unknown.yes"
NO_EFFECT = "placet.unknown.no"
NEXT_PAGE = "placet.page.next"
PREVIOUS_PAGE = "placet.page.previous"
ACTIONS = (
    APPROVE,
    APPROVE_WITH_COMMENT,
    REJECT,
    DETAILS,
    STOP,
    TOOK_EFFECT,
    NO_EFFECT,
    NEXT_PAGE,
    PREVIOUS_PAGE,
)
BALLOT_VIEW = "placet.view.ballot"
DETAILS_VIEW = "placet.view.details"
NOTICE_VIEW = "placet.view.notice"
REASON_BLOCK = "placet.reason"
REASON_INPUT = "placet.reason.text"
COMMAND = "/placet"
EVENTS = ("app_home_opened", "user_change", "subteam_members_changed", "subteam_updated")

_MAX_VALUE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a person had before them when they acted: ticket, revision, binding in hex."""

    ticket_id: TicketId
    revision: int
    binding: str

    def to_value(self, **more: Json) -> str:
        """The value of a button, or a view's private metadata; ``more`` is for views."""
        fields = {"t": self.ticket_id, "r": self.revision, "b": self.binding, **more}
        return json.dumps(fields, separators=(",", ":"))
