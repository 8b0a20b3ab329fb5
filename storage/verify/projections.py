"""The verifier's comparison of one ticket's row with what its events make of it.

Lives here: the fields and columns of such rows. Must not live here: reading them, or any database
(``rows``): a row is plain values, so that whichever process has time compares it.
Law: shares no code with the writer; what cannot be read is not the same.
"""

import json

from storage.verify import body as verify_body
from storage.verify.actions import wrong_in_ask
from storage.verify.delegations import plain_body
from storage.verify.form import Json, text_of

COLUMNS = (
    *("id", "opened_seq", "tenant", "state", "revision", "agent", "topic", "tool", "trace_id"),
    *("needed_people", "created_at", "expires_at", "expiring_at", "overdue_at", "lease_until"),
    "uncleared_since",
)
"""The columns beside a ticket's body."""
_SINCE: dict[str, Json] = {
    "upheld_by": "",
    "attested": [],
    "failures": 0,
    "reminders": [],
    "escalated": [],
}
"""Fields that the rows of earlier versions lack."""


def wrong_in(
    opened_seq: int, told: str, body: bytes, named: str, content: Json, *columns: Json
) -> tuple[list[str], list[str]]:
    """The fields of a ticket's row that are not what the log says: first of all, whether any.

    And what of its ask is not made of the ``content`` that is kept under the name ``named``.
    """
    wrong_ask: list[str] = []
    try:
        found = plain_body(_SINCE | as_object(body))
        wanted = found if text_of(found) == told else json.loads(told)
        wrong_ask = wrong_in_ask(wanted["ask"], named, content)
        beside = verify_body.columns(wanted, opened_seq)
        if wanted is found and repr([*beside.values()]) == repr([*columns]):
            return [], wrong_ask
        wrong = differing(wanted, found)
        wrong += differing(beside, dict(zip(COLUMNS, columns, strict=True)))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # what is malformed in the log, or nested without end
        return [type(error).__name__], wrong_ask
    return list(dict.fromkeys(wrong)), wrong_ask


def differing(wanted: Json, found: Json) -> list[str]:
    """Fields that are missing, too many, or other; True is not 1, and no text is a number."""
    return [
        name
        for name in (*wanted, *(found.keys() - wanted.keys()))
        if name not in found or name not in wanted or not _is_same(wanted[name], found[name])
    ]


def _is_same(wanted: Json, found: Json) -> bool:
    if isinstance(found, bytes):
        return False
    return json.dumps(wanted, sort_keys=True) == json.dumps(found, sort_keys=True)


def as_object(body: object) -> Json:
    """A JSON object as its row must have it, UTF-8 in bytes; anything else is an empty one."""
    try:
        found = json.loads(body.decode("utf-8")) if isinstance(body, bytes) else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
