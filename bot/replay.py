"""Recorded decisions, read back from the log to be judged again.

Lives here: which records are decisions, and the way from a record to a ``Case``.
Must not live here: judging (``governance.simulation``), or how a result is shown.
Law: the log is read in pages and never held whole; what a caller may not see is not judged.
"""

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from governance.canonical import Json, canonical_bytes, parse
from governance.control import BundleActivated
from governance.differences import Case
from governance.errors import Code, InvalidInput, Unavailable
from governance.policy.bundle import MAX_BYTES, Bundle, load
from governance.ports import Logged, Reader
from governance.principal import AgentId, TenantId
from governance.tickets import events as ev
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ask, Ruling, TicketState

PAGE = 500
DECISIONS = frozenset(
    cls.__name__ for cls in (ev.TicketOpened, ev.DecisionEvaluated, ev.SubmissionThrottled)
)
_ACTIVATED = BundleActivated.__name__
_ASK: TypeAdapter[Ask] = TypeAdapter(Ask)
_RULING: TypeAdapter[Ruling] = TypeAdapter(Ruling)
Progress = Callable[[int, int], None]
"""Called now and then with cases done and cases in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which decisions: the newest ``limit``, not before ``since``, of one agent, of one trace."""

    tenant: TenantId
    limit: int
    since: datetime | None = None
    agent: AgentId | None = None
    trace_id: str = ""

    def takes(self, record: Logged) -> bool:
        """Whether ``record`` is such a decision."""
        head = record.header
        return (
            record.type in DECISIONS
            and head.tenant == self.tenant
            and self.agent in (None, head.agent_id)
            and self.trace_id in ("", head.trace_id)
            and (self.since is None or record.at >= self.since)
        )


@dataclass(slots=True, kw_only=True)
class Window:
    """Where the chosen decisions stand in the log, and the bundles that made them."""

    after_seq: int
    until_seq: int
    cases: int
    sources: dict[str, str] = field(default_factory=dict)
    """Snapshot -> digest of the bundle's text, as far as the log was read for it."""


async def find(
    reader: Reader, choice: Choice, *, most_read: int, progress: Progress | None = None
) -> Window:
    """Walk back from the head until the choice is met, at most ``most_read`` records.

    It ends where older records are detached.

    A bundle that was activated before the first of these decisions is looked for as well.
    """
    head, _ = await reader.head()
    floor = max((await reader.control()).detached_upto, head - most_read)
    window = Window(after_seq=head, until_seq=head, cases=0)
    wanted: set[str] = set()
    low, is_met = head, choice.limit < 1
    while low > floor and not (is_met and wanted <= set(window.sources)):
        high, low = low, max(floor, low - PAGE)
        for record in reversed(await reader.records(low, high - low)):
            if record.type == _ACTIVATED and record.header.tenant == choice.tenant:
                _note_bundle(window, record)
            is_met = is_met or (choice.since is not None and record.at < choice.since)
            if not is_met and choice.takes(record):
                window.cases += 1
                window.after_seq = record.seq - 1
                wanted.add(str(_part(record, "ruling").get("snapshot", "")))
                is_met = window.cases >= choice.limit
        if progress is not None:
            progress(head - low, head)
    return window


def _note_bundle(window: Window, record: Logged) -> None:
    payload = record.payload if isinstance(record.payload, Mapping) else {}
    snapshot, text = payload.get("snapshot"), payload.get("content_digest")
    if isinstance(snapshot, str) and isinstance(text, str):
        window.sources.setdefault(snapshot, text)


async def bundles(reader: Reader, window: Window) -> dict[str, Bundle]:
    """The bundles that decided in ``window``, from their texts; what cannot be had is absent."""
    found: dict[str, Bundle] = {}
    for snapshot, text in window.sources.items():
        raw = await reader.content(text)
        if raw is None:
            continue
        try:
            bundle = load_text(raw)
        except InvalidInput:
            continue  # a text of another version: its decisions are compared as they are on record
        if bundle.snapshot == snapshot:
            found[snapshot] = bundle
    return found


def load_text(raw: bytes) -> Bundle:
    """A bundle from the canonical bytes that ``Bundle.to_bytes`` wrote.

    Raises:
        InvalidInput: they are not such a bundle.
    """
    value = parse(raw, max_bytes=MAX_BYTES)
    if not isinstance(value, Mapping):
        raise InvalidInput(Code.INVALID_BUNDLE, "a bundle is a mapping of sections")
    return load(value)


async def records(
    reader: Reader, choice: Choice, window: Window
) -> AsyncIterator[tuple[Logged, bytes | None]]:
    """The chosen records, oldest first, each with the content that is still kept."""
    at, left = window.after_seq, window.cases
    while at < window.until_seq and left:
        for record in await reader.records(at, min(PAGE, window.until_seq - at)):
            at = record.seq
            if left and choice.takes(record):
                left -= 1
                digest = str(_part(record, "ask").get("content_digest", ""))
                yield record, await reader.content(digest)


def case_of(record: Logged, content: bytes | None) -> Case:
    """The case behind a record of a decision.

    Raises:
        Unavailable: ``ledger_unavailable``: it does not read back.
    """
    return case_from(as_line(record, None), content)


def as_line(record: Logged, content: bytes | None) -> Mapping[str, Json]:
    """A record and its content as plain JSON, for another process; ``case_from`` reads it."""
    payload = record.payload if isinstance(record.payload, Mapping) else {}
    return {
        "seq": record.seq,
        "at": stamp(record.at),
        "ticket_id": record.header.ticket_id,
        "state": payload.get("state"),
        "ask": _part(record, "ask"),
        "ruling": _part(record, "ruling"),
        "content": None if content is None else base64.b64encode(content).decode("ascii"),
    }


def case_from(line: Mapping[str, Json], content: bytes | None) -> Case:
    """The case that ``as_line`` wrote.

    Raises:
        Unavailable: ``ledger_unavailable``: it does not read back.
    """
    try:
        ask = _ASK.validate_json(canonical_bytes(line["ask"]), strict=True)
        ruling = _RULING.validate_json(canonical_bytes(line["ruling"]), strict=True)
    except ValidationError as error:
        message = f"event {line['seq']} does not read back"
        raise Unavailable(Code.LEDGER_UNAVAILABLE, message) from error
    return Case(
        seq=int(str(line["seq"])),
        at=datetime.fromisoformat(str(line["at"])),
        ticket_id=str(line["ticket_id"]),
        ask=ask,
        ruling=ruling,
        content=content,
        stands=line["state"] not in (None, TicketState.DENIED.value),
    )


def _part(record: Logged, name: str) -> Mapping[str, Json]:
    inner = record.payload.get(name) if isinstance(record.payload, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}
