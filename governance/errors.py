"""The one tree of errors, each with a stable, documented code.

Lives here: what may go wrong in words that a client, a person or an operator can act on.
Must not live here: HTTP statuses, Slack texts, exit codes (``bot.replies`` maps every code).
Law: a code never changes its meaning; a message names ticket, rule, got and expected, and
never carries a secret or a payload. Nothing classifies an error by its message.
"""

from collections.abc import Mapping
from enum import StrEnum


class Code(StrEnum):
    """Every stable code, grouped by what the reader can do about it."""

    # The text that arrived is not what the contract asks for.
    INVALID_JSON = "invalid_json"
    DUPLICATE_KEY = "duplicate_key"
    INVALID_NUMBER = "invalid_number"
    INVALID_TEXT = "invalid_text"
    TOO_DEEP = "too_deep"
    TOO_LARGE = "too_large"
    INVALID_FIELD = "invalid_field"
    TARGET_TOO_BROAD = "target_too_broad"
    TTL_OUT_OF_RANGE = "ttl_out_of_range"
    INVALID_BUNDLE = "invalid_bundle"
    INVALID_SETTINGS = "invalid_settings"

    # Who asks may not.
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REPLAYED = "replayed"

    # Policy says no, or later.
    POLICY_DENIED = "policy_denied"
    POLICY_UNAVAILABLE = "policy_unavailable"
    THROTTLED = "throttled"
    QUEUE_FULL = "queue_full"
    QUORUM_UNREACHABLE = "quorum_unreachable"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    FROZEN = "frozen"

    # A vote that does not count, and why.
    SELF_APPROVAL_DENIED = "self_approval_denied"
    WRONG_ROLE = "wrong_role"
    EXPIRED = "expired"
    ALREADY_RESOLVED = "approval_already_resolved"
    SUPERSEDED_REVISION = "superseded_revision"
    VOTER_IS_BOT = "voter_is_bot"
    VOTER_IS_APP = "voter_is_app"
    VOTER_IS_WORKFLOW = "voter_is_workflow"
    VOTER_IS_GUEST = "voter_is_guest"
    VOTER_IS_CHANNEL_GUEST = "voter_is_channel_guest"
    VOTER_IS_STRANGER = "voter_is_stranger"
    VOTER_IS_CONNECTED = "voter_is_connected"
    VOTER_IS_INVITED = "voter_is_invited"
    VOTER_UNCONFIRMED = "voter_unconfirmed"
    VOTER_UNKNOWN = "voter_unknown"
    VOTER_DEACTIVATED = "voter_deactivated"
    FOREIGN_TEAM = "foreign_team"
    IDENTITY_UNAVAILABLE = "identity_unavailable"
    STEP_UP_REQUIRED = "step_up_required"
    COMMENT_REQUIRED = "comment_required"
    EVIDENCE_REQUIRED = "evidence_required"
    FULL_VIEW_REQUIRED = "full_view_required"
    BINDING_MISMATCH = "binding_mismatch"
    NO_VOTE = "no_vote"
    VOICE_USED = "voice_used"
    DELEGATION_VOID = "delegation_void"
    DELEGATION_NOT_ALLOWED = "delegation_not_allowed"
    DELEGATION_EXISTS = "delegation_exists"
    ROLE_NO_LONGER_FITS = "role_no_longer_fits"

    # Running and redeeming.
    NOT_APPROVED = "not_approved"
    ALREADY_CONSUMED = "already_consumed"
    WRONG_DISPATCH = "wrong_dispatch"
    WRONG_STATE = "wrong_state"
    HELD = "held"
    DETACHED = "detached"
    DIGEST_MISMATCH = "digest_mismatch"
    CLEARANCE_STALE = "clearance_stale"
    NO_SANDBOX = "no_sandbox"

    # The service cannot do it now.
    NOT_READY = "not_ready"
    SNAPSHOT_CHANGED = "snapshot_changed"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    LEDGER_BUSY = "ledger_busy"
    NOT_CHECKPOINTED = "not_checkpointed"
    ROLLED_BACK = "rolled_back"


class PlacetError(Exception):
    """Root of the tree: a stable code, a sentence, and a pointer to the place (RFC 6901).

    ``details`` are small facts for machines (numbers, ids); never payloads or secrets.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        pointer: str = "",
        details: Mapping[str, str | int | bool] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.pointer = pointer
        self.details = dict(details or {})

    def __reduce__(self) -> tuple[object, ...]:  # pragma: no cover - kept picklable for workers
        return (type(self), (self.code, self.message))


class InvalidInput(PlacetError):
    """What arrived is malformed; nothing was changed."""


class Refused(PlacetError):
    """What was asked is well formed and the laws say no."""


class Unavailable(PlacetError):
    """It cannot be decided or recorded now; nothing was dispatched (fails closed)."""
