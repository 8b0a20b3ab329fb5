"""The verifier's own derivation of a ticket's whole row: its body and the columns beside it.

Lives here: what every field of a stored ticket must be after each event, and the moments that the
row keeps for the clock. Must not live here: whether an event was lawful (``tickets``), or
the comparison (``rows``). Law: shares no code with the lifecycle or the writer.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from storage.verify.chain import Json
from storage.verify.delegations import plain

Body = dict[str, Json]
"""A ticket as stored, field by field."""

NEVER = "1970-01-01T00:00:00.000000Z"
"""When a ticket that was never cleared was cleared last."""


def born(told: Mapping[str, Json], at: str) -> Body:
    """The body of a ticket after its first event."""
    return {
        "id": told["ticket_id"],
        "revision": 1,
        "state": told["state"],
        "basis": told["basis"],
        "ask": told["ask"],
        "ruling": told["ruling"],
        "binding": told["binding"],
        "created_at": at,
        "updated_at": at,
        "expires_at": told["expires_at"],
        "votes": [],
        "full_views": [],
        "approved_at": at if told["state"] == "APPROVED" else None,
        "cleared_at": None,
        "deferrals": 0,
        "run": None,
        "report": None,
        "decided_by": "",
        "note": "",
        "is_overdue": False,
        "refusals": [],
        "upheld_by": "",
        "attested": [],
        "failures": 0,
        "reminders": [],
        "escalated": [],
    }


def follow(body: Body, kind: str, told: Mapping[str, Json], at: str) -> None:
    """Make ``body`` what it is after an event of ``kind``; its state still is the earlier one."""
    changes = _by_people(body, kind, told, at)
    if changes is None:
        changes = _by_running(body, kind, told, at)
    body.update(changes, updated_at=at)


def _by_people(body: Body, kind: str, told: Mapping[str, Json], at: str) -> Body | None:
    match kind:
        case "VoteCast":
            vote = plain(told["vote"])
            return {"votes": [*_without(body, {vote["person"]}), vote]}
        case "VoteWithdrawn":
            return {"votes": _without(body, {told["person"]})}
        case "VoteRefused":
            return {"refusals": [*body["refusals"], [told["person"], told["code"]]]}
        case "FullViewOpened":
            view = {"person": told["person"], "revision": told["revision"]}
            return {"full_views": [*body["full_views"], view]}
        case "TicketApproved":
            return {"state": "APPROVED", "basis": "people", "approved_at": at}
        case "TicketRejected":
            person, cause = told["person"], told["cause"]
            return {"state": "REJECTED", "decided_by": person, "note": cause}
        case "TicketExpired":
            was = "decided" if body["state"] == "PENDING" else "used"
            return {"state": "EXPIRED", "note": f"not {was} in time"}
        case "TicketCancelled":
            actor, reason = told["actor"], told["reason"]
            return {"state": "CANCELLED", "decided_by": actor, "note": reason}
        case "TicketDenied":
            ruling = told["ruling"]
            note = ruling["reason"]
            return {"state": "DENIED", "ruling": ruling, "note": note, "upheld_by": ""}
        case "TicketUpheld":
            return {"upheld_by": told["snapshot"]}
        case "ResponseOverdue":
            return {"is_overdue": True}
        case "VotersReminded" | "ResolversReminded":
            one = {"number": told["number"], "at": at, "people": told["people"]}
            return {"reminders": [*body["reminders"], one]}
        case "TicketEscalated":
            named = {name: told[name] for name in ("channel", "roles", "people")}
            step = {"step": told["step"], "at": at, **named}
            return {"escalated": [*body["escalated"], step]}
        case _:
            return None


def _by_running(body: Body, kind: str, told: Mapping[str, Json], at: str) -> Body:
    match kind:
        case "TicketRevised":
            kept = ("revision", "ruling", "binding", "expires_at", "note")
            upheld_by = body["upheld_by"] if told["ruling"] == body["ruling"] else ""
            new = {name: told[name] for name in kept}
            return {**_FRESH, "votes": [], "refusals": [], "upheld_by": upheld_by, **new}
        case "QuorumLost":
            return {
                "state": "PENDING",
                "basis": None,
                "votes": _without(body, set(told["dropped"])),
                "approved_at": None,
                "cleared_at": None,
                "note": "an approver lost their role; their vote no longer counts",
            }
        case "ExecutionCleared":
            return {"cleared_at": at}
        case "ExecutionDeferred":
            return {"note": told["reason"], "deferrals": body["deferrals"] + 1}
        case "ExecutionStarted":
            return {"state": "EXECUTING", "run": told["run"], "note": ""}
        case "ExecutionSucceeded":
            return {"state": "EXECUTED", "report": told["report"]}
        case "ExecutionFailed":
            return {"report": told["report"], "failures": body["failures"] + 1}
        case "OutcomeReported":
            return {"report": told["report"]}
        case "ExecutionLost":
            note = "its executor vanished: nobody knows whether it took effect"
            return {"state": "UNKNOWN", "note": note}
        case "GrantRedeemed":
            return {"state": "RELEASED"}
        case _:
            return _by_finding(body, kind, told)


def _by_finding(body: Body, kind: str, told: Mapping[str, Json]) -> Body:
    match kind:
        case "OutcomeAttested":
            word = {name: told[name] for name in ("person", "took_effect", "comment_digest")}
            others = [one for one in body["attested"] if one["person"] != told["person"]]
            return {"attested": [*others, word]}
        case "UnknownResolved":
            person = {"decided_by": told["person"]}
            if told["took_effect"]:
                return {**person, "state": "EXECUTED", "note": "found to have taken effect"}
            return {**person, "failures": body["failures"] + 1}
        case "OutputReleased":
            seen = {"output_state": "released", "shown_digest": told["shown_digest"]}
            return {"report": {**(body["report"] or {}), **seen}}
        case "OutputDiscarded":
            return {"report": {**(body["report"] or {}), "output_state": "discarded"}}
        case _:
            return {}


_FRESH: Mapping[str, Json] = {
    "state": "PENDING",
    "basis": None,
    "approved_at": None,
    "cleared_at": None,
    "run": None,
    "deferrals": 0,
    "is_overdue": False,
    "attested": [],
    "reminders": [],
}
"""What a new revision begins with."""


def _without(body: Body, people: set[str]) -> list[Json]:
    return [vote for vote in body["votes"] if vote["person"] not in people]


def columns(body: Mapping[str, Json], opened_seq: int) -> dict[str, Json]:
    """What must stand beside ``body`` in its row."""
    ask, state, until = body["ask"], body["state"], body["expires_at"]
    is_startable = state == "APPROVED" and ask["dispatch"] == "execute"
    run = body["run"] if state == "EXECUTING" else None
    return {
        "id": body["id"],
        "opened_seq": opened_seq,
        "tenant": ask["tenant"],
        "state": state,
        "revision": body["revision"],
        "agent": ask["agent"],
        "topic": ask["topic"],
        "tool": ask["tool"],
        "trace_id": ask["trace_id"],
        "needed_people": int(body["ruling"]["effect"] == "REQUIRE_APPROVAL"),
        "created_at": body["created_at"],
        "expires_at": until,
        "expiring_at": until if state in ("PENDING", "APPROVED") else None,
        "overdue_at": _overdue_at(body),
        "lease_until": run["lease_until"] if run else None,
        "uncleared_since": (body["cleared_at"] or NEVER) if is_startable else None,
    }


def _overdue_at(body: Mapping[str, Json]) -> str | None:
    requirement = body["ruling"]["requirement"]
    if body["state"] != "PENDING" or body["is_overdue"] or requirement is None:
        return None
    within = requirement["respond_within_s"]
    return None if within is None else later(body["created_at"], within)


@lru_cache(maxsize=256)
def later(at: str, seconds: int) -> str:
    """The instant ``seconds`` after ``at``, in the one form of instants.

    Raises:
        ValueError: there is no such instant.
    """
    try:
        moment = datetime.fromisoformat(at).astimezone(UTC) + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError("beyond the end of time") from error
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
