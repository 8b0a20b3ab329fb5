"""The verifier's own derivation of tickets: states, votes and what each event presupposes.

Lives here: one small state machine over payloads. Must not live here: bytes and links
(``chain``), the database's projections (``rows``).
Law: shares no code with the lifecycle; no state outside the transitions, and nothing starts or is
redeemed without an earlier decision of its digest.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from storage.verify import aftermath, moves, values
from storage.verify import body as verify_body
from storage.verify.chain import Json, Problem
from storage.verify.claims import Claim, Doubt
from storage.verify.delegations import Lent
from storage.verify.keys import Ring

_CLEARANCE_LIFE_S = 60


@dataclass(slots=True, kw_only=True)
class Seen:
    """One ticket as its events say so far; ``votes`` are (role, weight, choice) by person."""

    id: str
    opened_seq: int
    ask: Mapping[str, Json]
    ruling: Mapping[str, Json]
    state: str
    basis: str | None
    binding: str
    expires_at: str
    revision: int = 1
    votes: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    run_id: str = ""
    has_failed: bool = False
    body: verify_body.Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One record of one ticket."""

    seq: int
    type: str
    at: str
    payload: Mapping[str, Json]


class Tickets:
    """The rules, one method for each event that presupposes more than a state."""

    def __init__(self, ring: Ring, frozen: Mapping[str, Json], lent: Lent) -> None:
        self._ring = ring
        self._lent = lent
        self._frozen = frozen
        self.active: str | None = None
        """The active bundle, from the first activation on that open tickets were held to."""
        self.doubts: list[Doubt] = []
        """Signatures that somebody has yet to verify."""

    def birth(self, event: Event) -> tuple[Seen, list[Problem]]:
        """A ticket from its first event, and what is wrong with that."""
        told = event.payload
        seen = Seen(
            id=told["ticket_id"],
            opened_seq=event.seq,
            ask=told["ask"],
            ruling=told["ruling"],
            state=told["state"],
            basis=told["basis"],
            binding=told["binding"],
            expires_at=told["expires_at"],
            body=verify_body.born(told, event.at),
        )
        return seen, list(self._birth_problems(event, seen))

    def _birth_problems(self, event: Event, seen: Seen) -> Iterator[Problem]:
        effect = seen.ruling["effect"]
        if effect not in moves.BIRTHS.get(seen.state, ()):
            yield _wrong(event, "transition", f"born {seen.state} by {effect}")
        if (seen.basis == "policy") != (seen.state == "APPROVED"):
            yield _wrong(event, "decision", f"born {seen.state} on basis {seen.basis}")
        if seen.expires_at <= event.at:
            yield _wrong(event, "expiry", "born expired")
        yield from self._binding(event, seen)

    def follow(self, seen: Seen, event: Event) -> Iterator[Problem]:
        """What is wrong with ``event`` on ``seen``, which becomes what it is afterwards."""
        allowed = moves.FROM.get(event.type)
        if allowed is None:
            yield _wrong(event, "type", f"{event.type} is no event of a ticket")
            return
        was = "FAILED" if seen.has_failed else seen.state
        if not (event.type in moves.AFTER_FAILURE if seen.has_failed else was in allowed):
            yield _wrong(event, "transition", f"{event.type} on a ticket that is {was}")
        grown = event.type == "TicketRevised"
        if event.payload["revision"] != seen.revision + grown:
            yield _wrong(event, "revision", f"{event.payload['revision']} follows {seen.revision}")
        check = self._CHECKS.get(event.type)
        if check is not None:
            yield from check(self, seen, event)
        seen.has_failed = event.type == "ExecutionFailed" or (
            event.type == "UnknownResolved" and not event.payload["took_effect"]
        )
        seen.state = moves.TO.get(event.type, seen.state)
        verify_body.follow(seen.body, event.type, event.payload, event.at)

    def _binding(self, event: Event, seen: Seen) -> Iterator[Problem]:
        expected = values.binding_of(
            seen.id, seen.revision, seen.ask["action_digest"], seen.ruling, seen.expires_at
        )
        if seen.binding != expected:
            yield _wrong(event, "binding", "it is not the digest of what this revision covers")

    def _vote_cast(self, seen: Seen, event: Event) -> Iterator[Problem]:
        vote = event.payload["vote"]
        person, role, weight = vote["person"], vote["role"], vote["weight"]
        requirement = seen.ruling["requirement"] or {"roles": []}
        weights = {item["role"]: item["weight"] for item in requirement["roles"]}
        if weights.get(role) != weight:
            yield _wrong(event, "vote", f"no vote of role {role} and weight {weight} counts here")
        if person in seen.ask["owners"] or person == seen.ask["on_behalf_of"]:
            yield _wrong(event, "vote", "it is on the voter's own request")
        for detail in self._lent.problems(vote, seen.body["votes"], seen.ask, event.at):
            yield _wrong(event, "vote", detail)
        if event.at >= seen.expires_at:
            yield _wrong(event, "expiry", "it counts after the ticket expired")
        if vote["choice"] == "approve" and self._is_frozen(seen):
            yield _wrong(event, "frozen", "it approves while the agent is frozen")
        view = {"person": person, "revision": seen.revision}
        is_blind = seen.ask["needs_full_view"] and view not in seen.body["full_views"]
        if vote["choice"] == "approve" and is_blind:
            yield _wrong(event, "view", "it approves what its voter was not shown in full")
        yield from self._signature(seen, event, vote)
        seen.votes[person] = (role, weight, vote["choice"])

    def _signature(self, seen: Seen, event: Event, vote: Mapping[str, Json]) -> Iterator[Problem]:
        void = self._ring.void(vote["key_id"], f"vote:{vote['role']}")
        if void:
            yield _wrong(event, "key", f"the vote of {vote['person']} does not count: {void}")
        else:
            key = self._ring.keys[vote["key_id"]]
            claim = Claim(key.pem, vote["signature"], values.vote_message(seen.binding, vote))
            wrong = _wrong(event, "signature", "the vote's signature does not hold")
            self.doubts.append(Doubt(claim, wrong))

    def _withdrawn(self, seen: Seen, event: Event) -> Iterator[Problem]:
        if seen.votes.pop(event.payload["person"], None) is None:
            yield _wrong(event, "vote", "there is no vote to take back")

    def _approved(self, seen: Seen, event: Event) -> Iterator[Problem]:
        if not self._is_met(seen, event.at):
            yield _wrong(event, "decision", "its votes do not meet what is required")
        if event.at >= seen.expires_at:
            yield _wrong(event, "expiry", "approved after it expired")
        seen.basis = "people"

    def _expired(self, seen: Seen, event: Event) -> Iterator[Problem]:
        if event.at < seen.expires_at:
            yield _wrong(event, "expiry", f"expired before {seen.expires_at}")

    def _denied(self, seen: Seen, event: Event) -> Iterator[Problem]:
        yield from self._judged_anew(seen, event)
        seen.ruling = event.payload["ruling"]

    def _judged_anew(self, seen: Seen, event: Event) -> Iterator[Problem]:
        """Only another bundle, active by then, says otherwise than the one before it."""
        by, judged_by = event.payload["ruling"]["snapshot"], _judged_by(seen)
        if self.active is not None and (by == judged_by or by != self.active):
            yield _wrong(event, "policy", "it is ruled otherwise, and not by a newly active bundle")

    def _revised(self, seen: Seen, event: Event) -> Iterator[Problem]:
        told = event.payload
        if told["expires_at"] > seen.expires_at:
            yield _wrong(event, "expiry", "a revision lives longer than the one before it")
        if told["ruling"] != seen.ruling:
            yield from self._judged_anew(seen, event)
        seen.revision = told["revision"]
        seen.ruling, seen.binding = told["ruling"], told["binding"]
        seen.expires_at, seen.votes, seen.basis = told["expires_at"], {}, None
        yield from self._binding(event, seen)

    def _quorum_lost(self, seen: Seen, event: Event) -> Iterator[Problem]:
        for person in event.payload["dropped"]:
            if seen.votes.pop(person, None) is None:
                yield _wrong(event, "vote", "a vote is dropped that was never cast")
        seen.basis = None

    def _started(self, seen: Seen, event: Event) -> Iterator[Problem]:
        seen.run_id = event.payload["run"]["id"]
        if event.payload["plan_digest"] != seen.ruling["plan_digest"]:
            yield _wrong(event, "decision", "it runs another plan than was approved")
        yield from self._used(seen, event)

    def _redeemed(self, seen: Seen, event: Event) -> Iterator[Problem]:
        if event.payload["agent"] != seen.ask["agent"]:
            yield _wrong(event, "decision", "another agent redeemed it")
        yield from self._used(seen, event)

    def _used(self, seen: Seen, event: Event) -> Iterator[Problem]:
        """A start or a grant needs an earlier decision of its digest, still standing."""
        if event.payload["action_digest"] != seen.ask["action_digest"]:
            yield _wrong(event, "decision", "its action is not the one that was approved")
        by_policy = seen.basis == "policy" and seen.ruling["effect"] in moves.BIRTHS["APPROVED"]
        if not by_policy and not (seen.basis == "people" and self._is_met(seen, event.at)):
            yield _wrong(event, "decision", "nothing before it approved this action")
        if event.at >= seen.expires_at:
            yield _wrong(event, "expiry", "it was used after it expired")
        cleared = seen.body["cleared_at"]
        if cleared is None or event.at > verify_body.later(cleared, _CLEARANCE_LIFE_S):
            yield _wrong(event, "clearance", "its voters were not confirmed in the minute before")
        if self._is_frozen(seen):
            yield _wrong(event, "frozen", "it was used while the agent was frozen")
        if self.active is not None and _judged_by(seen) != self.active:
            yield _wrong(event, "policy", "the bundle that was active then had not judged it")

    def _upheld(self, seen: Seen, event: Event) -> Iterator[Problem]:
        if self.active is not None and event.payload["snapshot"] != self.active:
            yield _wrong(event, "policy", "it names a bundle that was not active then")

    def _of_run(self, seen: Seen, event: Event) -> Iterator[Problem]:
        if event.payload["run_id"] != seen.run_id:
            yield _wrong(event, "run", f"run {event.payload['run_id']} was never started")

    def _resolved(self, seen: Seen, event: Event) -> Iterator[Problem]:
        told = event.payload
        if told["took_effect"]:
            seen.state = "EXECUTED"
        yield from _all(event, aftermath.resolved(told, seen.body, seen.ruling["requirement"]))

    def _reminded(self, seen: Seen, event: Event) -> Iterator[Problem]:
        told, over = event.payload, event.at >= seen.expires_at
        yield from _all(event, aftermath.reminded(told, seen.votes, seen.ask, is_over=over))

    def _told_of_lost(self, seen: Seen, event: Event) -> Iterator[Problem]:
        yield from _all(event, aftermath.told_of_lost(event.payload, seen.body, seen.ask))

    def _escalated(self, seen: Seen, event: Event) -> Iterator[Problem]:
        is_over = event.at >= seen.expires_at
        yield from _all(event, aftermath.escalated(event.payload, seen.body, is_over=is_over))

    def _by_another(self, seen: Seen, event: Event) -> Iterator[Problem]:
        person = event.payload["person"]
        if person in seen.ask["owners"] or person == seen.ask["on_behalf_of"]:
            yield _wrong(event, "vote", "it is on the person's own request")

    def _output_judged(self, seen: Seen, event: Event) -> Iterator[Problem]:
        yield from self._by_another(seen, event)
        if (seen.body["report"] or {}).get("output_state") != "quarantined":
            yield _wrong(event, "decision", "no output of it is quarantined")

    def _is_met(self, seen: Seen, at: str) -> bool:
        requirement = seen.ruling["requirement"]
        over = {v["person"] for v in seen.body["votes"] if not self._lent.stands(v, at)}
        votes = [(person, *vote) for person, vote in seen.votes.items() if person not in over]
        return requirement is not None and values.is_met(requirement, votes)

    def _is_frozen(self, seen: Seen) -> bool:
        return "all" in self._frozen or seen.ask["agent"] in self._frozen

    _CHECKS: ClassVar[Mapping[str, Callable[["Tickets", Seen, Event], Iterator[Problem]]]] = {
        "VoteCast": _vote_cast,
        "VoteWithdrawn": _withdrawn,
        "TicketApproved": _approved,
        "TicketExpired": _expired,
        "TicketDenied": _denied,
        "TicketRevised": _revised,
        "QuorumLost": _quorum_lost,
        "TicketUpheld": _upheld,
        "ExecutionStarted": _started,
        "ExecutionSucceeded": _of_run,
        "ExecutionFailed": _of_run,
        "ExecutionLost": _of_run,
        "OutcomeAttested": _by_another,
        "UnknownResolved": _resolved,
        "OutputReleased": _output_judged,
        "OutputDiscarded": _output_judged,
        "GrantRedeemed": _redeemed,
        "VotersReminded": _reminded,
        "ResolversReminded": _told_of_lost,
        "TicketEscalated": _escalated,
    }


def _judged_by(seen: Seen) -> str:
    return str(seen.body["upheld_by"] or seen.ruling["snapshot"])


def _all(event: Event, wrong: Iterator[tuple[str, str]]) -> Iterator[Problem]:
    yield from (_wrong(event, what, detail) for what, detail in wrong)


def _wrong(event: Event, what: str, detail: str) -> Problem:
    return Problem(seq=event.seq, what=what, detail=f"{event.type}: {detail}")
