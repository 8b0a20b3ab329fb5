"""The one table: what each stable code means over HTTP, in Slack and as an exit code.

Lives here: code -> HTTP status, a kind and specific sentence for a person in Slack, exit code.
Must not live here: who may do what, or how an answer is framed (each door does that).
Law: every ``Code`` has exactly one row, so no door invents its own meaning for a refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from governance.errors import Code, PlacetError


class Exit(IntEnum):
    """The exit codes of the ``placet`` command."""

    OK = 0
    """It is done, or what was checked is in order."""
    PROBLEM = 1
    """A check found a problem (a bundle that does not load, a log that does not verify)."""
    USAGE = 2
    """What was typed or sent is not well formed."""
    REFUSED = 3
    """It is well formed and the laws say no."""
    UNAVAILABLE = 4
    """It cannot be done now, or only a part of it could be."""
    CONTRADICTED = 5
    """A log contradicts what it showed before: rolled back, forked, or not signed by its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How one code is answered: HTTP ``status``, a sentence for Slack, an exit code."""

    status: int
    slack: str
    exit_code: Exit


def _bad(slack: str, status: int = 400) -> Reply:
    return Reply(status=status, slack=slack, exit_code=Exit.USAGE)


def _no(status: int, slack: str) -> Reply:
    return Reply(status=status, slack=slack, exit_code=Exit.REFUSED)


def _later(slack: str, status: int = 503) -> Reply:
    return Reply(status=status, slack=slack, exit_code=Exit.UNAVAILABLE)


REPLIES: Mapping[Code, Reply] = {
    Code.INVALID_JSON: _bad("That text is not JSON that I can read."),
    Code.DUPLICATE_KEY: _bad("The same key stands twice there; say it once."),
    Code.INVALID_NUMBER: _bad("There is a number in it that I cannot carry exactly."),
    Code.INVALID_TEXT: _bad("There is text in it that is not valid Unicode."),
    Code.TOO_DEEP: _bad("It is nested too deeply for me to show it honestly."),
    Code.TOO_LARGE: _bad("It is too large; send a reference instead.", 413),
    Code.INVALID_FIELD: _bad("One of the values is not what I expected there."),
    Code.TARGET_TOO_BROAD: _bad("One ticket is one action: name the target it acts on."),
    Code.TTL_OUT_OF_RANGE: _bad("A ticket lives for at least a second and at most 48 hours."),
    Code.INVALID_BUNDLE: Reply(
        status=400,
        slack="The policy bundle has a problem; whoever runs me can see where.",
        exit_code=Exit.PROBLEM,
    ),
    Code.INVALID_SETTINGS: Reply(
        status=503,
        slack="I am not set up completely; whoever runs me can see what is missing.",
        exit_code=Exit.PROBLEM,
    ),
    Code.UNAUTHENTICATED: _no(401, "I could not tell who is asking, so nothing was done."),
    Code.FORBIDDEN: _no(403, "That is not yours to do, so nothing was done."),
    Code.NOT_FOUND: _no(404, "I know nothing by that name."),
    Code.REPLAYED: _no(409, "That very message arrived before; it counts once."),
    Code.POLICY_DENIED: _no(403, "Policy does not allow this action."),
    Code.POLICY_UNAVAILABLE: _later("Policy could not be asked, so the answer is no for now."),
    Code.THROTTLED: Reply(
        status=429,
        slack="There were too many of these just now; try again in a while.",
        exit_code=Exit.UNAVAILABLE,
    ),
    Code.QUEUE_FULL: Reply(
        status=429,
        slack="Too many requests of this agent wait already; decide some of those first.",
        exit_code=Exit.UNAVAILABLE,
    ),
    Code.QUORUM_UNREACHABLE: _no(409, "Too few people could approve this, so it cannot be asked."),
    Code.IDEMPOTENCY_CONFLICT: _no(409, "That key was used for another request already."),
    Code.FROZEN: _no(409, "This agent is frozen. Two approvers can unfreeze it; then vote again."),
    Code.SELF_APPROVAL_DENIED: _no(
        403, "You asked for this, or answer for the agent that did. Somebody else must decide."
    ),
    Code.WRONG_ROLE: _no(403, "Your roles have no vote here, so nothing was counted."),
    Code.EXPIRED: _no(409, "Its time is over. The agent may ask again."),
    Code.ALREADY_RESOLVED: _no(409, "This is settled already; your click changed nothing."),
    Code.SUPERSEDED_REVISION: _no(
        409, "That card is out of date: the request changed since. Vote on the newest card."
    ),
    Code.VOTER_IS_BOT: _no(403, "Apps and bots have no vote; a person must decide."),
    Code.VOTER_IS_APP: _no(403, "An app's account has no vote; a person must decide."),
    Code.VOTER_IS_WORKFLOW: _no(403, "A workflow has no vote; a person must decide."),
    Code.VOTER_IS_GUEST: _no(403, "Guest accounts have no vote here; ask a full member."),
    Code.VOTER_IS_CHANNEL_GUEST: _no(
        403, "Guests of a single channel have no vote here; ask a full member."
    ),
    Code.VOTER_IS_CONNECTED: _no(
        403, "People who are here through Slack Connect have no vote; ask a member."
    ),
    Code.VOTER_IS_INVITED: _no(
        403, "This account has not accepted its invitation yet, so it has no vote."
    ),
    Code.VOTER_UNCONFIRMED: _no(
        403, "The e-mail address of this account is not confirmed, so it has no vote. Confirm it."
    ),
    Code.VOTER_UNKNOWN: _no(403, "Slack knows no such account here, so nothing was counted."),
    Code.VOTER_IS_STRANGER: _no(
        403, "I cannot vouch for this account, so it has no vote. An administrator can help."
    ),
    Code.VOTER_DEACTIVATED: _no(403, "This account is deactivated, so it has no vote."),
    Code.FOREIGN_TEAM: _no(403, "People of another workspace have no vote here."),
    Code.IDENTITY_UNAVAILABLE: _later(
        "I could not check who you are just now, so nothing was counted. Please try again."
    ),
    Code.STEP_UP_REQUIRED: _no(403, "This one needs your passkey, not only a click."),
    Code.COMMENT_REQUIRED: _no(409, "Please say why: this one asks for a reason with each vote."),
    Code.EVIDENCE_REQUIRED: _no(409, "Please say what you looked at and what you saw there."),
    Code.FULL_VIEW_REQUIRED: _no(
        409, "The card shows only a part. Open Details and read to the last page, then approve."
    ),
    Code.BINDING_MISMATCH: _no(
        409, "What you were shown is not what is asked now. Look at the newest card, then vote."
    ),
    Code.NO_VOTE: _no(409, "You have no vote on this one to take back."),
    Code.VOICE_USED: _no(409, "That person's voice was heard on this one already; it counts once."),
    Code.DELEGATION_VOID: _no(403, "Nobody has lent you a vote that counts on this one."),
    Code.DELEGATION_NOT_ALLOWED: _no(403, "That may not be delegated here."),
    Code.DELEGATION_EXISTS: _no(409, "They have that vote of yours already, for as long."),
    Code.ROLE_NO_LONGER_FITS: _no(409, "Somebody filled that role meanwhile. Please vote again."),
    Code.NOT_APPROVED: _no(409, "This is not approved."),
    Code.ALREADY_CONSUMED: _no(409, "This approval was used already; each is good for one run."),
    Code.WRONG_DISPATCH: _no(409, "This one is carried out in another way than you asked."),
    Code.HELD: _no(409, "A legal hold keeps it."),
    Code.DETACHED: _no(410, "That part of the log is archived; whoever runs me has its file."),
    Code.WRONG_STATE: _no(409, "It has moved on meanwhile, so this no longer applies."),
    Code.DIGEST_MISMATCH: _no(409, "This is not the action that was approved."),
    Code.CLEARANCE_STALE: _no(409, "The approvers must be confirmed again before it may start."),
    Code.NO_SANDBOX: _later("No sandbox that is strong enough is available; it stays approved."),
    Code.NOT_READY: _later("I am still starting. Please try again in a moment."),
    Code.SNAPSHOT_CHANGED: _later("Policy is changing just now. Please try again in a moment."),
    Code.LEDGER_UNAVAILABLE: _later(
        "I could not write the log, so nothing was done. Please try again in a moment."
    ),
    Code.LEDGER_BUSY: _later("Too much is happening at once. Please try again in a moment."),
    Code.NOT_CHECKPOINTED: _later(
        "No signed checkpoint covers that yet. Please try again in a few minutes."
    ),
    Code.ROLLED_BACK: _later("The log is older than it was. An operator must look at it first."),
}
"""Every stable code, once."""


def reply_for(code: Code) -> Reply:
    """The row of ``code``."""
    return REPLIES[code]


def exit_code_for(error: PlacetError) -> Exit:
    """The exit code with which a command ends after ``error``."""
    return REPLIES[error.code].exit_code
