"""What the verifier derives from the log, kept on disk so that memory stays flat.

Lives here: live tickets in memory, everything settled in a scratch database, and the governing
state. Must not live here: the rules (``tickets``) and comparisons (``rows``).
Law: whatever is derived here comes from records alone.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping

from storage.verify import actions as verify_actions
from storage.verify import delegations as verify_delegations
from storage.verify import detached as verify_detached
from storage.verify import idempotency as verify_idempotency
from storage.verify import values
from storage.verify.chain import Json, Problem
from storage.verify.claims import holding
from storage.verify.delegations import Lent
from storage.verify.detached import Detachments
from storage.verify.form import text_of
from storage.verify.freezes import take_freeze
from storage.verify.idempotency import end_key, take_key
from storage.verify.keys import Ring
from storage.verify.moves import ENDS
from storage.verify.published import TABLE as PUBLISHED
from storage.verify.retention import KINDS as RETENTION
from storage.verify.retention import TABLES, Retention
from storage.verify.segments import KIND as SEALED
from storage.verify.segments import TABLE as SEALS
from storage.verify.segments import Segments
from storage.verify.tickets import Event, Seen, Tickets

_SCRATCH = """
CREATE TABLE t (id TEXT PRIMARY KEY, opened_seq INT, body TEXT, run_id TEXT, has_failed INT);
CREATE TABLE d (digest TEXT PRIMARY KEY, seq INT) WITHOUT ROWID;
CREATE TABLE v (ticket_id TEXT, revision INT, person TEXT, role TEXT, weight INT, choice TEXT,
    withdrawn INT, PRIMARY KEY (ticket_id, revision, person)) WITHOUT ROWID;
CREATE TABLE b (key TEXT PRIMARY KEY, tokens_milli INT, updated_at TEXT) WITHOUT ROWID;
CREATE TABLE e (seq INTEGER PRIMARY KEY, at TEXT, tenant TEXT, agent TEXT, trace_id TEXT,
    ticket_id TEXT, topic TEXT, tool TEXT, action TEXT, target TEXT, data_classes TEXT,
    risk_tags TEXT, labels TEXT, stands INT);
CREATE TABLE c (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
"""
_PRAGMAS = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;"
_MOST_NAMED = 4096
_HOLDS_OPEN_TICKETS = 2
"""The version of an activation since which nothing starts on an older bundle's word."""
_PUT = {
    "t": "INSERT OR REPLACE INTO t VALUES (?, ?, ?, ?, ?)",
    "d": "INSERT OR IGNORE INTO d VALUES (?, ?)",
    "v": "INSERT OR REPLACE INTO v VALUES (?, ?, ?, ?, ?, ?, ?)",
    "b": "INSERT OR REPLACE INTO b VALUES (?, ?, ?)",
    "e": "INSERT OR IGNORE INTO e VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "c": "INSERT OR REPLACE INTO c VALUES (?, ?)",
}


class Facts:
    """Everything that the records say, so far; ``known`` are keys from outside the log.

    ``deferred``: signatures are left in ``rules.doubts`` for somebody else to verify.
    """

    def __init__(self, known: Mapping[str, values.Key], *, deferred: bool = False) -> None:
        # The empty name is a scratch file of SQLite's own, removed when it is closed.
        self.scratch = sqlite3.connect("", isolation_level=None, uri=True)
        own = (verify_idempotency.TABLE, verify_detached.TABLE, verify_delegations.TABLE)
        tables = (_SCRATCH, *own, TABLES, SEALS, PUBLISHED)
        self.scratch.executescript(_PRAGMAS + "".join(tables))
        self.scratch.execute("BEGIN")
        self.live: dict[str, Seen] = {}
        self.snapshot = ""
        self.activation: dict[str, Json] | None = None
        self.frozen: dict[str, dict[str, Json]] = {}
        self.ring = Ring(known)
        self.retention = Retention(self.scratch)
        self.segments = Segments(self.scratch)
        self.detachments = Detachments(self.scratch, self.segments, self.retention)
        self.pending = self.tickets = self.votes = 0
        self._deferred = deferred
        self._named: set[str] = set()
        """Some of the contents that were named before; the scratch has all of them."""
        self.lent = Lent(self.scratch)
        self.rules = Tickets(self.ring, self.frozen, self.lent)

    def take(self, seq: int, record: Mapping[str, Json]) -> Iterator[Problem]:
        """What is wrong with a well-formed record, and add what it says."""
        yield from self._take(seq, record)
        if self.rules.doubts and not self._deferred:
            doubts = self.rules.doubts
            held = holding([doubt.claim for doubt in doubts])
            yield from (d.problem for d, holds in zip(doubts, held, strict=True) if not holds)
            doubts.clear()

    def _take(self, seq: int, record: Mapping[str, Json]) -> Iterator[Problem]:
        payload = record["payload"]
        event = Event(seq=seq, type=record["type"], at=record["timestamp"], payload=payload)
        yield from self._counters(payload.get("counters") or ())
        for digest in _kept(event.type, payload):
            self.retention.name(digest, seq, record)
            if digest not in self._named:
                self._put("d", (digest, seq))
                if len(self._named) >= _MOST_NAMED:
                    self._named.clear()
                self._named.add(digest)
        if event.type in ("TicketOpened", "DecisionEvaluated") and "data_classes" in payload:
            self._deed(event)
        if "ticket_id" in payload:
            yield from self._ticket(event, record)
        elif event.type in _CONTROL:
            yield from self._control(event)
            if event.type == "BundleActivated":
                yield from self._activated(event, record["version"])
                names = ("content_digest", "registry_digest", "key_id", "signature")
                self.activation = {name: payload.get(name, "") for name in names}
        elif event.type in RETENTION:
            yield from self.retention.take(seq, event.type, event.at, payload)
        elif event.type in verify_delegations.KINDS:
            yield from self.lent.take(seq, event.type, event.at, payload)
        elif event.type == SEALED:
            yield from self.segments.take(seq, payload, self.ring, self.rules.doubts)
        elif event.type == verify_detached.KIND:
            yield from self.detachments.take(event, self.ring, self.rules.doubts, self.live)
        elif event.type not in _WITHOUT_A_TICKET:
            yield Problem(seq=seq, what="type", detail=f"{event.type} is no event of ours")
        if "ask" in payload:
            yield from verify_actions.wordless(seq, event.type, payload["ask"])

    def settle(self) -> None:
        """Move what is still live to the scratch database, for comparison."""
        for seen in self.live.values():
            self._put("t", _row(seen))
        self.live.clear()

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        self.scratch.execute(_PUT[table], row)

    def _ticket(self, event: Event, record: Mapping[str, Json]) -> Iterator[Problem]:
        seen = self._seen(event.payload["ticket_id"])
        if event.type == "TicketOpened":
            if seen is not None:
                yield Problem(seq=event.seq, what="transition", detail="a ticket is born twice")
                return
            seen, wrong = self.rules.birth(event)
            yield from wrong
            self.tickets += 1
            self.pending += seen.state == "PENDING"
            yield from take_key(self.scratch, event.seq, event.at, seen.ask, seen.id)
        elif seen is None:
            yield Problem(seq=event.seq, what="transition", detail="its ticket was never opened")
            return
        else:
            yield from self._follow(seen, event)
        for column, value in (
            ("ticketId", seen.id),
            ("revision", seen.revision),
            ("binding", seen.binding),
        ):
            if record[column] != value:
                yield Problem(
                    seq=event.seq, what="header", detail=f"{column} is not what its event says"
                )
        if seen.state in ENDS:
            end_key(self.scratch, event.at, seen.ask, seen.id)
            self.live.pop(seen.id, None)
            self._put("t", _row(seen))
        else:
            self.live[seen.id] = seen

    def _follow(self, seen: Seen, event: Event) -> Iterator[Problem]:
        before, was_pending = dict(seen.votes), seen.state == "PENDING"
        revision = seen.revision
        yield from self.rules.follow(seen, event)
        self.pending += (seen.state == "PENDING") - was_pending
        if seen.revision != revision:
            return
        for person in {**before, **seen.votes}:
            if before.get(person) != seen.votes.get(person):
                role, weight, choice = seen.votes.get(person) or before[person]
                withdrawn = int(person not in seen.votes)
                row = (seen.id, revision, person, role, weight, choice, withdrawn)
                self._put("v", row)
        if event.type == "VoteCast":
            self.votes += 1
            self.lent.note(seen.id, revision, event.payload["vote"])

    def _seen(self, ticket_id: str) -> Seen | None:
        if ticket_id in self.live:
            return self.live[ticket_id]
        sql = "SELECT opened_seq, body, run_id, has_failed FROM t WHERE id = ?"
        row = self.scratch.execute(sql, (ticket_id,)).fetchone()
        if row is None:
            return None
        opened_seq, text, run_id, has_failed = row
        body = json.loads(text)
        return Seen(
            id=ticket_id,
            opened_seq=opened_seq,
            ask=body["ask"],
            ruling=body["ruling"],
            state=body["state"],
            basis=body["basis"],
            binding=body["binding"],
            expires_at=body["expires_at"],
            revision=body["revision"],
            votes={v["person"]: (v["role"], v["weight"], v["choice"]) for v in body["votes"]},
            run_id=run_id,
            has_failed=bool(has_failed),
            body=body,
        )

    def _counters(self, counters: Json) -> Iterator[Problem]:
        for key, tokens, since in counters:
            self._put("b", (key, tokens, since))
        yield from ()

    def _deed(self, event: Event) -> None:
        """What a request leaves for later rules to ask about, unless it was refused at once."""
        told, ask, effect = event.payload, event.payload["ask"], event.payload["ruling"]["effect"]
        is_job = event.type == "TicketOpened"
        if told["state"] == "DENIED" if is_job else effect in ("DENY", "THROTTLE"):
            return
        labels = dict(ask["labels"])
        row = (
            *(event.seq, event.at, ask["tenant"], ask["agent"], ask["trace_id"]),
            told["ticket_id"] if is_job else "",
            *(ask["topic"], ask["tool"] or labels.get("mcp.tool", "")),
            *(told["action"] or ask["action"], ask["target"]),
            text_of(told["data_classes"] or [ask["data_class"]]),
            *(text_of(ask[name]) for name in ("risk_tags", "labels")),
            int(is_job or effect != "REQUIRE_APPROVAL"),
        )
        self._put("e", row)

    def _control(self, event: Event) -> Iterator[Problem]:
        told = event.payload
        match event.type:
            case "BundleActivated":
                self.snapshot = told["snapshot"]
            case "AgentFrozen" | "UnfreezeAsked" | "AgentUnfrozen":
                yield from take_freeze(self.frozen, event.seq, event.type, event.at, told)
            case "CredentialIssued":
                body = told["credential"]
                self._put("c", (body["id"], text_of(body)))
            case "CredentialRevoked":
                yield from self._revoked(event)
            case "KeyRegistered" | "KeyRotated" | "KeyRevoked":
                yield from self.ring.take(event.seq, event.type, event.at, told)
                self.rules.doubts += self.ring.doubts
                self.ring.doubts.clear()
            case _:
                pass

    def _activated(self, event: Event, version: int) -> Iterator[Problem]:
        """Earlier versions let open tickets be; nothing is held against what they logged."""
        is_held = version >= _HOLDS_OPEN_TICKETS
        if not is_held and self.rules.active is not None:
            detail = "an activation of the earlier form, after one that held open tickets"
            yield Problem(seq=event.seq, what="policy", detail=detail)
            is_held = True
        self.rules.active = event.payload["snapshot"] if is_held else None

    def _revoked(self, event: Event) -> Iterator[Problem]:
        name = event.payload["credential_id"]
        row = self.scratch.execute("SELECT body FROM c WHERE id = ?", (name,)).fetchone()
        if row is None:
            yield Problem(seq=event.seq, what="credential", detail=f"{name} was never issued")
            return
        body = {**json.loads(row[0]), "revoked_at": event.at}
        self._put("c", (name, text_of(body)))


_WITHOUT_A_TICKET = frozenset({"SubmissionThrottled", "DecisionEvaluated", "RefusalsCoalesced"})
_CONTROL = frozenset(
    (
        *("BundleActivated", "AgentFrozen", "UnfreezeAsked", "AgentUnfrozen", "CredentialIssued"),
        *("CredentialRevoked", "KeyRegistered", "KeyRotated", "KeyRevoked", "CheckpointSigned"),
    )
)


def _kept(kind: str, told: Mapping[str, Json]) -> Iterator[str]:
    """Digests of the contents that an event put into the payload table."""
    if kind in ("TicketOpened", "VoteCast"):
        inner = told["ask"] if kind == "TicketOpened" else told["vote"]
        named = [inner["content_digest" if kind == "TicketOpened" else "comment_digest"]]
    elif kind in ("BundleActivated", "TicketRejected"):
        named = [told["content_digest" if kind == "BundleActivated" else "comment_digest"]]
    elif kind in ("OutcomeAttested", "OutputReleased", "OutputDiscarded"):
        named = [told["comment_digest"], told.get("shown_digest")]
    else:
        report = told.get("report") or {}
        named = [report.get("output_digest"), report.get("shown_digest")]
    yield from (name for name in named if name)


def _row(seen: Seen) -> tuple[object, ...]:
    return seen.id, seen.opened_seq, text_of(seen.body), seen.run_id, int(seen.has_failed)
