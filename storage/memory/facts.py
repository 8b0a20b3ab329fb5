"""What is counted of a record, from the record as it is read back.

Lives here: the twin of ``facts`` for the ledger in memory. Must not live here: counting.
Law: it says of every record what the database says of the same bytes.
"""

from collections.abc import Mapping, Sequence

from governance.canonical import Json
from governance.ports import Logged
from governance.statistics import COUNTED, Fact

_RULED = frozenset({"TicketOpened", "DecisionEvaluated", "SubmissionThrottled"})


def fact_of(record: Logged) -> Fact | None:
    """What is counted of ``record``; None: nothing is."""
    if record.type not in COUNTED:
        return None
    payload = _object(record.payload)
    ruling, vote = _object(payload.get("ruling")), _object(payload.get("vote"))
    is_ruled = record.type in _RULED
    told = {"VoteCast": vote.get("choice"), "RefusalsCoalesced": payload.get("effect")}
    who = {"TicketOpened": payload.get("state"), "VoteCast": vote.get("person")}
    tier = _object(ruling.get("requirement")).get("tier")
    flood = payload.get("rule_id") if record.type == "RefusalsCoalesced" else ""
    return Fact(
        seq=record.seq,
        at=record.at,
        type=record.type,
        ticket_id=record.header.ticket_id,
        word=_text(ruling.get("effect") if is_ruled else told.get(record.type)),
        who=_text(who.get(record.type)),
        tier=_text(tier) if record.type == "TicketOpened" else "",
        rules=_names(ruling.get("rule_ids")) if is_ruled else (),
        fired=_fired(payload.get("trace")) if is_ruled else ((_text(flood),) if flood else ()),
        count=int(str(payload.get("count"))) if record.type == "RefusalsCoalesced" else 1,
    )


def _fired(trace: Json) -> tuple[str, ...]:
    lines = [_object(line) for line in trace] if isinstance(trace, Sequence) else []
    return tuple(
        _text(line.get("id"))
        for line in lines
        if line.get("source") == "rule" and line.get("verdict") != "not counted"
    )


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _names(value: Json) -> tuple[str, ...]:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(_text(one) for one in value) if is_list else ()  # type: ignore[union-attr]
