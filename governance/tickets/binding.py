"""What a vote signs.

Lives here: the binding of one ticket revision and the message of a vote over it.
Must not live here: keys and signing (the ``Signer`` port). Law: what is approved is what runs;
a binding is computed once per revision and never again from a newer bundle.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from governance.canonical import (
    Json,
    canonical_bytes,
    canonical_bytes_of_stored,
    digest_bytes,
)
from governance.policy.decision import Constraints, Requirement
from governance.principal import PersonId
from governance.tickets.ticket import Choice

SHOWN_DIGITS = 12
"""Hex digits of a binding that card, command line and log show."""
_STAMP_CHARS = 26


def binding_of(
    *,
    ticket_id: str,
    revision: int,
    action_digest: str,
    constraints: Constraints,
    snapshot: str,
    requirement: Requirement | None,
    constraint_id: str,
    plan_digest: str,
    expires_at: datetime,
) -> str:
    """SHA-256 in hex over everything that this revision's approval covers."""
    covered: Mapping[str, Json] = {
        "ticket": ticket_id,
        "revision": revision,
        "action": action_digest,
        "constraints": constraints.to_json(),
        "snapshot": snapshot,
        "requirement": requirement_json(requirement),
        "constraint_id": constraint_id,
        "plan": plan_digest,
        "expires_at": stamp(expires_at),
    }
    return digest_bytes("binding", canonical_bytes_of_stored(covered))


def requirement_json(requirement: Requirement | None) -> Json:
    """The required approvals in canonical form."""
    if requirement is None:
        return None
    return {
        "tier": requirement.tier,
        "roles": [
            {"role": item.role, "weight": item.weight, "min_required": item.min_required}
            for item in requirement.roles
        ],
        "threshold": requirement.threshold,
        "ttl_s": requirement.ttl_s,
        "respond_within_s": requirement.respond_within_s,
        "comment_required": requirement.comment_required,
        "step_up": requirement.step_up,
        "reviewer": requirement.reviewer,
        "distinct_roles": requirement.distinct_roles,
        "reject_policy": requirement.reject_policy.value,
        "sandbox": requirement.sandbox.value,
        "release_allowed": requirement.release_allowed,
    }


def vote_message(
    *,
    binding: str,
    choice: Choice,
    person: PersonId,
    role: str,
    weight: int,
    comment_digest: str,
    at: datetime,
    nonce: str,
    delegator: PersonId | None = None,
    delegation: str = "",
) -> bytes:
    """The bytes that a vote's ES256 signature covers, domain-separated.

    A vote in somebody else's name says so; one's own is signed as it always was.
    """
    lent: dict[str, Json] = {"delegator": delegator, "delegation": delegation}
    return b"placet/v1/vote\0" + canonical_bytes(
        {
            "binding": binding,
            "choice": choice.value,
            "person": person,
            "role": role,
            "weight": weight,
            "comment": comment_digest,
            "at": stamp(at),
            "nonce": nonce,
            **(lent if delegator is not None else {}),
        }
    )


@lru_cache(maxsize=4_096)
def stamp(at: datetime) -> str:
    """An instant as RFC 3339 in UTC with microseconds, always of one length.

    The last are remembered: one event time stands in many places of one batch.
    """
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return f"{utc.isoformat(timespec='microseconds')[:_STAMP_CHARS]}Z"
