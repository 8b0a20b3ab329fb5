"""The verifier's own reading of lent voices: what is in force, and which votes rest on it.

Lives here: delegations as records tell of them, and whether a vote by one counts.
Must not live here: states and quorums (``tickets``), comparisons (``rows``).
Law: shares no code with the core; one voice is heard once on a revision; a vote by a delegation
that has ended carries nothing.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from storage.verify.chain import Json, Problem

KINDS = frozenset({"DelegationGranted", "DelegationRevoked"})
TABLE = """CREATE TABLE w (ticket_id TEXT, revision INT, person TEXT, voice TEXT,
    PRIMARY KEY (ticket_id, revision, person)) WITHOUT ROWID;"""
"""Voices of votes that were not cast in their voter's own name."""
_PUT = "INSERT OR REPLACE INTO w VALUES (?, ?, ?, ?)"
_DROP = "DELETE FROM w WHERE ticket_id = ? AND revision = ? AND person = ?"
_OTHER = """SELECT v.ticket_id, v.revision, v.person FROM v
    JOIN db.votes r USING (ticket_id, revision, person)
    LEFT JOIN w USING (ticket_id, revision, person)
    WHERE r.voice IS NOT coalesce(w.voice, v.person)"""
_LENT = ("delegator", "delegation")


class Lent:
    """The delegations so far; ``known`` is what the governing state must say of them."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        self.known: dict[str, dict[str, Json]] = {}

    def take(self, seq: int, kind: str, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        """What is wrong with an event of ``KINDS``, and add what it says."""
        self.known = {name: one for name, one in self.known.items() if at < one["ends_at"]}
        name = told["delegation_id"]
        if kind == "DelegationRevoked":
            ended = self.known.pop(name, None)
            if ended is None or told["person"] not in (ended["delegator"], ended["delegate"]):
                yield _wrong(seq, "it ends a delegation that is not theirs, or not in force")
            return
        if told["delegator"] == told["delegate"]:
            yield _wrong(seq, "a voice is lent to its own person")
        if told["ends_at"] <= at or name in self.known:
            yield _wrong(seq, "it had ended before it was granted, or is granted twice")
        fields = ("tenant", "delegator", "delegate", "roles", "ends_at", "reason")
        self.known[name] = {"id": name, "granted_at": at} | {field: told[field] for field in fields}

    def problems(
        self, vote: Mapping[str, Json], votes: list[Json], ask: Mapping[str, Json], at: str
    ) -> Iterator[str]:
        """Why a vote's voice does not count; ``votes`` are those before it on its revision."""
        voice = voice_of(vote)
        others = [one for one in votes if one["person"] != vote["person"]]
        if any(voice_of(one) == voice for one in others):
            yield "its voice was heard already"
        if not vote.get("delegator"):
            return
        barred = [*ask["owners"], *([ask["on_behalf_of"]] if vote["choice"] == "approve" else [])]
        if voice in barred:
            yield "it lends the voice of whoever asked"
        if not self.stands(vote, at):
            yield "no delegation in force entitles to it"

    def stands(self, vote: Mapping[str, Json], at: str) -> bool:
        """Whether what entitled to a vote is in force at ``at``."""
        if not vote.get("delegator"):
            return True
        lent = self.known.get(vote["delegation"])
        if lent is None or at >= lent["ends_at"]:
            return False
        if (lent["delegator"], lent["delegate"]) != (vote["delegator"], vote["person"]):
            return False
        return not lent["roles"] or vote["role"] in lent["roles"]

    def note(self, ticket_id: str, revision: int, vote: Mapping[str, Json]) -> None:
        """Remember whose voice a vote's row must name."""
        if vote.get("delegator"):
            row = (ticket_id, revision, vote["person"], vote["delegator"])
            self._scratch.execute(_PUT, row)
        else:
            self._scratch.execute(_DROP, (ticket_id, revision, vote["person"]))

    def compare(self) -> Iterator[Problem]:
        """Rows of votes in the database that name another voice than the log."""
        for ticket_id, revision, person in self._scratch.execute(_OTHER):
            name = f"{ticket_id}/{revision}/{person}"
            detail = f"{name} has another voice than the log says"
            yield Problem(seq=0, what="votes", detail=detail, table="votes", row=name)


def voice_of(vote: Mapping[str, Json]) -> str:
    """Whose voice a vote is."""
    return str(vote.get("delegator") or vote["person"])


def plain(vote: Mapping[str, Json]) -> Mapping[str, Json]:
    """A vote as it was written before voices were lent, where it is one's own."""
    if vote.get("delegator", None) is not None or vote.get("delegation", "") != "":
        return vote
    return {name: value for name, value in vote.items() if name not in _LENT}


def plain_body(body: dict[str, Any]) -> dict[str, Any]:
    """A ticket as stored, its votes ``plain``."""
    votes = body.get("votes")
    if not isinstance(votes, list) or not all(isinstance(vote, dict) for vote in votes):
        return body
    return {**body, "votes": [plain(vote) for vote in votes]}


def _wrong(seq: int, detail: str) -> Problem:
    return Problem(seq=seq, what="delegation", detail=detail)
