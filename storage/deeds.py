"""What later rules may ask about: the deeds projection, its rows and its reads.

Lives here: events -> deeds, and the statements that find and count them, each by an index.
Must not live here: what follows from a deed (``governance.policy.history``), transactions.
Law: only a bounded number of rows is read for one question; where more would be needed, the answer
says so.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from governance.audit import Event
from governance.policy.decision import Effect
from governance.policy.facts import MOST_DEEDS, Deed, DeedsOf, Past, Tally, Wanted, Whose
from governance.policy.history import falls_under, label_of, tool_of
from governance.principal import TenantId
from governance.tickets import events as ev
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ticket, TicketState

WALK = 5_000
"""Rows that are looked at to count by a label, for which there is no index."""
Run = Callable[[str, tuple[object, ...]], Iterable[Sequence[Any]]]
"""Runs one statement and yields its rows."""

_COLUMNS = (
    *("seq", "at", "tenant", "agent", "trace_id", "ticket_id", "topic", "tool", "action"),
    *("target", "data_classes", "risk_tags", "labels", "stands"),
)
INSERT = f"INSERT INTO deeds ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608  # constant
_READ = f"""SELECT {", ".join(f"d.{name}" for name in _COLUMNS)}, t.state, t.revision
    FROM deeds d LEFT JOIN tickets t ON t.id = d.ticket_id
    WHERE d.tenant = ? AND d.{{column}} = ? AND d.at >= ?
    ORDER BY d.at DESC, d.seq DESC LIMIT {MOST_DEEDS + 1}"""  # noqa: S608  # constant
READS: Mapping[Whose, str] = {
    Whose.AGENT: _READ.format(column="agent"),
    Whose.TRACE: _READ.format(column="trace_id"),
}
_COUNT = """SELECT count(*) FROM (SELECT 1 FROM deeds
    WHERE tenant = ? AND {column} = ? AND at >= ? LIMIT ?) AS found"""
COUNTS: Mapping[str, str] = {
    "agent": _COUNT.format(column="agent"),
    "trace": _COUNT.format(column="trace_id"),
    "tool": _COUNT.format(column="tool"),
    "tenant": """SELECT count(*) FROM (SELECT 1 FROM deeds
    WHERE tenant = ? AND at >= ? LIMIT ?) AS found""",
}
COUNT_BY_LABEL = """SELECT count(*),
    coalesce(sum(CASE WHEN replace(labels, ?, '') <> labels THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN replace(labels, ?, '') <> labels THEN 1 ELSE 0 END), 0)
    FROM (SELECT labels FROM deeds
    WHERE tenant = ? AND at >= ? ORDER BY at DESC LIMIT ?) AS newest"""
"""Rows looked at, those with the label and value, those with the label at all.

What contains a text is changed by taking the text out: both engines say that alike.
"""

_UNDONE = frozenset(
    {TicketState.DENIED, TicketState.REJECTED, TicketState.EXPIRED, TicketState.CANCELLED}
)


class DeedRow:
    """A request as it is kept; few are asked about in the batch that wrote them."""

    __slots__ = ("_deed", "at", "event", "seq")

    def __init__(
        self, event: ev.TicketOpened | ev.DecisionEvaluated, seq: int, at: datetime
    ) -> None:
        self.event = event
        self.seq = seq
        self.at = at
        self._deed: Deed | None = None

    @property
    def tenant(self) -> TenantId:
        """Whose past it is."""
        return self.event.ask.tenant

    @property
    def deed(self) -> Deed:
        """The deed; ``stands`` is what it was at birth."""
        if self._deed is None:
            self._deed = self._made()
        return self._deed

    def _made(self) -> Deed:
        ask = self.event.ask
        return Deed(
            ticket_id=self.ticket_id,
            at=self.at,
            agent=ask.agent,
            trace_id=ask.trace_id,
            topic=ask.topic,
            tool=self.tool,
            action=self.action,
            target=ask.target,
            data_classes=self.data_classes,
            risk_tags=ask.risk_tags,
            labels=ask.labels,
            seq=self.seq,
            stands=self.stands,
        )

    @property
    def ticket_id(self) -> str:
        """Its ticket, if it has one."""
        return self.event.ticket_id if isinstance(self.event, ev.TicketOpened) else ""

    @property
    def tool(self) -> str:
        """Which tool it names."""
        return tool_of(self.event.ask.tool, dict(self.event.ask.labels))

    @property
    def action(self) -> str:
        """As policy judged it, or as it was asked where that was not kept."""
        return self.event.action or self.event.ask.action.value

    @property
    def data_classes(self) -> tuple[str, ...]:
        """The same of what it touches."""
        return self.event.data_classes or (self.event.ask.data_class,)

    @property
    def stands(self) -> bool:
        """Whoever only asks acts on an answer that lets it through, and on no other."""
        return isinstance(self.event, ev.TicketOpened) or self.event.ruling.effect.loosens


def deed_of(event: Event, seq: int, at: datetime) -> DeedRow | None:
    """What ``event`` adds to the past; None where it was refused at once, or is no request."""
    if isinstance(event, ev.TicketOpened):
        return None if event.state is TicketState.DENIED else DeedRow(event, seq, at)
    if isinstance(event, ev.DecisionEvaluated):
        is_refused = event.ruling.effect.rank >= Effect.THROTTLE.rank
        return None if is_refused else DeedRow(event, seq, at)
    return None


def stands(state: TicketState, revision: int) -> bool:
    """Whether what a ticket asked for may have happened, or still may.

    A later revision began, or changed under people's hands: it counts however it ended.
    """
    return state not in _UNDONE or revision > 1


def ticket_stands(ticket: Ticket) -> bool:
    """The same, of a ticket."""
    return stands(ticket.state, ticket.revision)


def is_of(row: DeedRow, wanted: DeedsOf) -> bool:
    """Whether ``wanted`` asks for ``row``, whenever it was."""
    ask = row.event.ask
    value = ask.agent if wanted.whose is Whose.AGENT else ask.trace_id
    return (row.tenant, value) == (wanted.tenant, wanted.value)


def is_counted(row: DeedRow, tally: Tally) -> bool:
    """Whether ``tally`` counts ``row``, whenever it was."""
    return row.tenant == tally.tenant and falls_under(row.deed, tally)


def past_of(found: Mapping[DeedsOf, Sequence[Deed]], counts: Mapping[Tally, int | None]) -> Past:
    """What was found, newest first, at most ``MOST_DEEDS`` of each question."""
    deeds: dict[int, Deed] = {}
    cut: dict[str, datetime] = {}
    for wanted, some in found.items():
        kept = some[:MOST_DEEDS]
        deeds |= {deed.seq: deed for deed in kept}
        if len(some) > MOST_DEEDS:
            cut[wanted.whose.value] = kept[-1].at
    newest_first = tuple(deeds[seq] for seq in sorted(deeds, reverse=True))
    return Past(deeds=newest_first, cut=cut, counts=counts)


def read_past(run: Run, wanted: Wanted, at: datetime) -> Past:
    """Everything that ``wanted`` names, as of ``at``."""
    return past_of(
        {item: read_deeds(run, item, at) for item in wanted.deeds},
        {tally: count(run, tally, at) for tally in wanted.tallies},
    )


def read_deeds(run: Run, wanted: DeedsOf, at: datetime) -> list[Deed]:
    """Deeds newest first, one more than may be kept where there are more."""
    since = stamp(at - timedelta(seconds=wanted.within_s))
    rows = run(READS[wanted.whose], (wanted.tenant, wanted.value, since))
    return [_deed(row) for row in rows]


def count(run: Run, tally: Tally, at: datetime) -> int | None:
    """How many ``tally`` counts, at most its ``most``; None where that cannot be known."""
    since = stamp(at - timedelta(seconds=tally.within_s))
    label = label_of(tally.per)
    if label is not None:
        return _count_by_label(run, tally, label, since)
    key = () if tally.per == "tenant" else (tally.value,)
    rows = run(COUNTS[tally.per], (tally.tenant, *key, since, tally.most))
    return int(next(iter(rows))[0])


def _count_by_label(run: Run, tally: Tally, label: str, since: str) -> int | None:
    # A pair of a flat list of pairs: within a text its quotes would be escaped.
    pair, any_value = _json((label, tally.value)), _json((label,))[:-1] + ","
    rows = run(COUNT_BY_LABEL, (pair, any_value, tally.tenant, since, WALK))
    looked_at, same, labelled = (int(number) for number in next(iter(rows)))
    found = same if tally.value else same + looked_at - labelled
    return None if looked_at >= WALK and found < tally.most else min(found, tally.most)


def row_of(row: DeedRow) -> tuple[object, ...]:
    """The parameters of ``INSERT``, as those of its deed."""
    ask = row.event.ask
    return (
        row.seq,
        stamp(row.at),
        ask.tenant,
        ask.agent,
        ask.trace_id,
        row.ticket_id,
        ask.topic,
        row.tool,
        row.action,
        ask.target,
        _json(row.data_classes),
        _json(ask.risk_tags),
        _json(ask.labels),
        int(row.stands),
    )


def _deed(row: Sequence[Any]) -> Deed:
    seq, at, _, agent, trace_id, ticket_id, topic, tool, action, target, *rest = row
    classes, tags, labels, stood, state, revision = rest
    return Deed(
        ticket_id=ticket_id,
        at=datetime.fromisoformat(at),
        agent=agent,
        trace_id=trace_id,
        topic=topic,
        tool=tool,
        action=action,
        target=target,
        data_classes=_words(classes),
        risk_tags=_words(tags),
        labels=_pairs(labels),
        seq=seq,
        stands=bool(stood) and (state is None or stands(TicketState(state), revision)),
    )


@lru_cache(4096)
def _words(text: str) -> tuple[str, ...]:
    """A list of words; most rows repeat those of others."""
    return tuple(json.loads(text))


@lru_cache(4096)
def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in json.loads(text))


@lru_cache(4096)
def _json(value: tuple[object, ...]) -> str:
    """A list of words or pairs; most rows repeat those of others."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
