"""The verifier's own table of a ticket's states: where each event may happen and where it leads.

Lives here: the two tables. Must not live here: what else an event presupposes (``tickets``).
Law: shares no code with the lifecycle, which has a table of its own.
"""

from collections.abc import Mapping

OPEN = frozenset({"PENDING", "APPROVED"})
ENDS = frozenset({"EXECUTED", "RELEASED", "DENIED", "REJECTED", "EXPIRED", "CANCELLED"})
_ANY = OPEN | ENDS | {"EXECUTING", "UNKNOWN"}
FROM: Mapping[str, frozenset[str]] = {
    "VoteCast": frozenset({"PENDING"}),
    "VoteWithdrawn": frozenset({"PENDING"}),
    "VoteRefused": _ANY,
    "FullViewOpened": _ANY,
    "TicketApproved": frozenset({"PENDING"}),
    "TicketRejected": OPEN,
    "TicketExpired": OPEN,
    "TicketCancelled": OPEN,
    "TicketDenied": OPEN,
    "TicketRevised": OPEN,
    "QuorumLost": OPEN,
    "ResponseOverdue": frozenset({"PENDING"}),
    "ExecutionCleared": frozenset({"APPROVED"}),
    "ExecutionDeferred": frozenset({"APPROVED"}),
    "ExecutionStarted": frozenset({"APPROVED"}),
    "LeaseRenewed": frozenset({"EXECUTING"}),
    "ExecutionSucceeded": frozenset({"EXECUTING"}),
    "ExecutionFailed": frozenset({"EXECUTING"}),
    "ExecutionLost": frozenset({"EXECUTING"}),
    "UnknownResolved": frozenset({"UNKNOWN"}),
    "GrantRedeemed": frozenset({"APPROVED"}),
    "OutcomeReported": frozenset({"RELEASED"}),
    "TicketUpheld": OPEN,
    "VotersReminded": frozenset({"PENDING"}),
    "TicketEscalated": frozenset({"PENDING"}),
    "ResolversReminded": frozenset({"UNKNOWN"}),
    "OutcomeAttested": frozenset({"UNKNOWN"}),
    "OutputReleased": frozenset({"EXECUTED", "RELEASED"}),
    "OutputDiscarded": frozenset({"EXECUTED", "RELEASED"}),
}
TO = {
    "TicketApproved": "APPROVED",
    "TicketRejected": "REJECTED",
    "TicketExpired": "EXPIRED",
    "TicketCancelled": "CANCELLED",
    "TicketDenied": "DENIED",
    "TicketRevised": "PENDING",
    "QuorumLost": "PENDING",
    "ExecutionStarted": "EXECUTING",
    "ExecutionSucceeded": "EXECUTED",
    "ExecutionLost": "UNKNOWN",
    "GrantRedeemed": "RELEASED",
}
AFTER_FAILURE = frozenset({"TicketRevised", "TicketExpired"})
"""What may follow a run that failed, and nothing else does."""
BIRTHS = {
    "PENDING": ("REQUIRE_APPROVAL",),
    "APPROVED": ("ALLOW", "ALLOW_WITH_CONSTRAINTS"),
    # A ticket that nobody could ever approve is born denied as well.
    "DENIED": ("DENY", "REQUIRE_APPROVAL"),
}
"""The effects by which a ticket is born in each state."""
