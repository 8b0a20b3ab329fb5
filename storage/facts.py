"""What is counted of the log, read out of the records by the database itself.

Lives here: the statements that take a few words out of each record's bytes, page by page.
Must not live here: counting (``governance.statistics``). Law: what they read is what the record
says, on every engine, and a page is bounded however long the log is.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection

from governance.statistics import COUNTED, Fact
from storage.connection import in_style

_RULED = "('TicketOpened', 'DecisionEvaluated', 'SubmissionThrottled')"
_KINDS = ", ".join(f"'{kind}'" for kind in sorted(COUNTED))
# Columns: who decided what by which rules. Each is asked of those types only that have it.
_SHAPE = """SELECT seq, at, type, ticket_id,
    CASE WHEN type IN {ruled} THEN {effect} WHEN type = 'VoteCast' THEN {choice}
        WHEN type = 'RefusalsCoalesced' THEN {flooded} END,
    CASE WHEN type = 'TicketOpened' THEN {state} WHEN type = 'VoteCast' THEN {person} END,
    CASE WHEN type = 'TicketOpened' THEN {tier} END,
    CASE WHEN type IN {ruled} THEN {rules} END,
    CASE WHEN type IN {ruled} THEN {fired} WHEN type = 'RefusalsCoalesced' THEN {rule} END,
    CASE WHEN type = 'RefusalsCoalesced' THEN {count} END
    FROM (SELECT seq, at, type, ticket_id, {text} AS j FROM events
        WHERE seq > ? AND seq <= ? AND tenant = ? AND type IN ({kinds})) AS told ORDER BY seq"""
_PLACES = {
    "effect": ("ruling", "effect"),
    "choice": ("vote", "choice"),
    "flooded": ("effect",),
    "state": ("state",),
    "person": ("vote", "person"),
    "tier": ("ruling", "requirement", "tier"),
    "rules": ("ruling", "rule_ids"),
    "rule": ("rule_id",),
    "count": ("count",),
}
_FIRED_SQLITE = """(SELECT json_group_array(json_extract(value, '$.id'))
    FROM json_each(j, '$.payload.trace') WHERE json_extract(value, '$.source') = 'rule'
    AND json_extract(value, '$.verdict') <> 'not counted')"""
_FIRED_POSTGRES = """(SELECT json_agg(line ->> 'id')::text
    FROM json_array_elements(j #> '{payload,trace}') AS line WHERE line ->> 'source' = 'rule'
    AND line ->> 'verdict' <> 'not counted')"""
FACTS = {
    "sqlite": _SHAPE.format(
        ruled=_RULED,
        kinds=_KINDS,
        text="CAST(body AS TEXT)",
        fired=_FIRED_SQLITE,
        **{k: f"json_extract(j, '$.payload.{'.'.join(v)}')" for k, v in _PLACES.items()},
    ),
    "postgresql": _SHAPE.format(
        ruled=_RULED,
        kinds=_KINDS,
        text="convert_from(body, 'UTF8')::json",
        fired=_FIRED_POSTGRES,
        **{k: f"j #>> '{{payload,{','.join(v)}}}'" for k, v in _PLACES.items()},
    ),
}
_NEXT = "SELECT seq, at FROM events WHERE seq >= ? ORDER BY seq LIMIT 1"


def read_facts(connection: Connection, tenant: str, after_seq: int, until_seq: int) -> list[Fact]:
    """Facts of the records after ``after_seq`` up to ``until_seq``."""
    sql = in_style(FACTS[connection.dialect.name], connection.dialect.paramstyle)
    rows = connection.exec_driver_sql(sql, (after_seq, until_seq, tenant))
    return [_fact(row) for row in rows]


def _fact(row: Sequence[Any]) -> Fact:
    seq, at, kind, ticket_id, word, who, tier, rules, fired, count = row
    return Fact(
        seq=seq,
        at=datetime.fromisoformat(at),
        type=kind,
        ticket_id=ticket_id,
        word=word or "",
        who=who or "",
        tier=tier or "",
        rules=_names(rules or "[]"),
        fired=(fired,) if fired and kind == "RefusalsCoalesced" else _names(fired or "[]"),
        count=1 if count is None else int(count),
    )


@lru_cache(4_096)
def _names(text: str) -> tuple[str, ...]:
    """A list of names as JSON: the same few lists come again and again."""
    return tuple(cast("list[str]", json.loads(text)))


def seq_before(connection: Connection, at: str, head_seq: int) -> int:
    """The number of the last record before the instant ``at`` (as ``stamp`` writes it).

    Numbers and instants rise together, so a few look-ups find it.
    """
    sql = in_style(_NEXT, connection.dialect.paramstyle)
    low, high = 0, head_seq
    while low < high:
        middle = (low + high) // 2
        found = connection.exec_driver_sql(sql, (middle + 1,)).first()
        if found is None or found[1] >= at:
            high = middle
        else:
            low = found[0]
    return low
