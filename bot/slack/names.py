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
WITHDRAW = "placet.withdraw"
RELEASE_OUTPUT = "placet.output.release"
DISCARD_OUTPUT = "placet.output.discard"
NEXT_PAGE = "placet.page.next"
PREVIOUS_PAGE = "placet.page.previous"
FIRST_PAGE = "placet.page.first"
SEND_FILE = "placet.file.send"
FILE_READ = "placet.file.read"
RECEIPT = "placet.receipt"
HOME_MORE = "placet.home.more"
HOME_FIRST = "placet.home.first"
BULK = "placet.bulk.open"
BULK_REFRESH = "placet.bulk.refresh"
DELEGATE = "placet.delegate.open"
END_DELEGATION = "placet.delegate.end"
INBOX = (HOME_MORE, HOME_FIRST, BULK, BULK_REFRESH, DELEGATE, END_DELEGATION)
PICK_TICKET = "placet.pick.ticket"
"""A menu whose options we are asked for while somebody types."""
ACTIONS = (
    APPROVE,
    APPROVE_WITH_COMMENT,
    REJECT,
    DETAILS,
    STOP,
    TOOK_EFFECT,
    NO_EFFECT,
    WITHDRAW,
    RELEASE_OUTPUT,
    DISCARD_OUTPUT,
    NEXT_PAGE,
    PREVIOUS_PAGE,
    FIRST_PAGE,
    SEND_FILE,
    FILE_READ,
    RECEIPT,
    *INBOX,
)
DEEDS = frozenset({APPROVE, WITHDRAW, STOP, END_DELEGATION})
"""Buttons that change something at once; the others open or show something."""
READING = frozenset({"", "help", "list", "mine", "status", "why"})
"""First words of commands that only tell something to whoever typed them."""
BALLOT_VIEW = "placet.view.ballot"
DEED_VIEW = "placet.view.deed"
DETAILS_VIEW = "placet.view.details"
NOTICE_VIEW = "placet.view.notice"
BULK_VIEW = "placet.view.bulk"
DELEGATE_VIEW = "placet.view.delegate"
INBOX_VIEW = "placet.view.inbox"
LAID_OVER = frozenset({BULK_VIEW, INBOX_VIEW})
"""Modals over which Details is laid."""
PICK_VIEW = "placet.view.pick"
EMERGENCY_VIEW = "placet.view.emergency"
FORMS = (BALLOT_VIEW, DEED_VIEW, BULK_VIEW, DELEGATE_VIEW, EMERGENCY_VIEW, PICK_VIEW)
"""Views that somebody submits."""
SHORTCUT_INBOX = "placet.shortcut.inbox"
SHORTCUT_DETAILS = "placet.shortcut.details"
SHORTCUTS = (SHORTCUT_INBOX, SHORTCUT_DETAILS)
REASON_BLOCK = "placet.reason"
REASON_INPUT = "placet.reason.text"
ROLE_BLOCK = "placet.role"
ROLE_INPUT = "placet.role.choice"
COMMAND = "/placet"
ACCOUNT_EVENTS = ("user_change", "team_join")
GROUP_EVENTS = ("subteam_created", "subteam_members_changed", "subteam_updated")
CHANNEL_EVENTS = ("channel_shared", "channel_unshared")
EVENTS = ("app_home_opened", *ACCOUNT_EVENTS, *GROUP_EVENTS, *CHANNEL_EVENTS)

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
