"""A decision of the past, as the log holds it.

Lives here: reading it back, and the request behind it. Must not live here: what any bundle says
to it now (``governance.policy.explain``). Law: what is on record is told as it is on record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from governance.canonical import Json
from governance.errors import Code, Unavailable
from governance.policy.decision import TraceLine
from governance.policy.explain import once
from governance.ports import Logged, Reader
from governance.recorded import Recalled, recall
from governance.tickets import events as ev
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided about a ticket when it was asked for, and the request behind it."""

    ticket: Ticket
    at: datetime
    effect: str
    reason: str
    rule_ids: tuple[str, ...]
    snapshot: str
    trace: tuple[TraceLine, ...]
    recalled: Recalled

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {
            "job_id": self.ticket.id,
            "at": stamp(self.at),
            "effect": self.effect,
            "reason": self.reason,
            "rule_ids": list(self.rule_ids),
            "snapshot": self.snapshot,
            "trace": [
                {"source": line.source, "id": line.id, "verdict": line.verdict, "note": line.note}
                for line in self.trace
            ],
            "cannot_be_judged": self.recalled.why_not,
        }


async def decided(reader: Reader, ticket: Ticket) -> Decided:
    """The decision with which ``ticket`` was opened.

    Raises:
        Unavailable: ``ledger_unavailable``: the log holds none, although there is the ticket.
    """
    for record in await reader.history(ticket.id):
        if record.type == ev.TicketOpened.__name__:
            content = await reader.content(ticket.ask.content_digest)
            return _decided(record, ticket, recall(ticket.ask, content))
    raise Unavailable(Code.LEDGER_UNAVAILABLE, f"no decision on {ticket.id} is on record")


def _decided(record: Logged, ticket: Ticket, recalled: Recalled) -> Decided:
    payload = record.payload if isinstance(record.payload, Mapping) else {}
    ruling = payload.get("ruling")
    said = ruling if isinstance(ruling, Mapping) else {}
    return Decided(
        ticket=ticket,
        at=record.at,
        effect=str(said.get("effect", "")),
        reason=str(said.get("reason", "")),
        rule_ids=tuple(str(rule) for rule in _items(said.get("rule_ids"))),
        snapshot=str(said.get("snapshot", "")),
        trace=once(
            TraceLine(**{name: str(line.get(name, "")) for name in _LINE})
            for line in _items(payload.get("trace"))
            if isinstance(line, Mapping)
        ),
        recalled=recalled,
    )


_LINE = ("source", "id", "verdict", "note")


def _items(value: Json) -> tuple[Json, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()
