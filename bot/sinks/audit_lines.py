"""Records of the log as lines for people in the audit channel.

Lives here: a pure function from records to messages within a budget. Must not live here: posting,
pacing, cursors. Law: nothing is dropped silently: every message names its range of sequence
numbers, ranges follow each other without a gap, and what is only counted says how many it was;
whatever an agent wrote is shown in ASCII with escapes and can format nothing; the first line about
a ticket in a message gives its whole id.
"""

import re
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from bot.sinks.audit_message import AuditMessage
from governance.canonical import Json
from governance.ports import Logged

MAX_LINES = 30
MAX_CHARS = 6_000
BACKLOG_OVER = 300
"""More records at once than this: all but the newest are counted, not listed."""
_LISTED_OF_BACKLOG = 60
_WORD_CHARS = 60
_PLAIN = "ALLOW"
_SHORT_ID = 6
_CHECKPOINT = "CheckpointSigned"
_ROOT_LINE = 2
"""Where a checkpoint's root stands in its note."""
_ACCOUNT = re.compile(r"person:slack:[A-Z0-9]{2,30}/([UW][A-Z0-9]{1,30})")
_TELLS_OUTCOME = frozenset({"ExecutionSucceeded", "ExecutionFailed"})
_INDENT = " " * 8


def audit_messages(records: Sequence[Logged]) -> tuple[AuditMessage, ...]:
    """The messages for ``records``, which must be consecutive and oldest first."""
    lines: list[_Line] = []
    rest = list(records)
    if len(rest) > BACKLOG_OVER:
        lines.append(_backlog(rest[:-_LISTED_OF_BACKLOG]))
        rest = rest[-_LISTED_OF_BACKLOG:]
    lines += _lines(rest)
    return tuple(_packed(lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    first_seq: int
    last_seq: int
    text: str
    """What is said of a ticket that the message named before: its id is shortened."""
    first: tuple[str, ...] = ()
    """The same with the ticket's whole id, for its first line in a message."""
    about: str = ""
    note: str = ""
    """A checkpoint, to stand below the lines as it is."""

    def within(self, named: Container[str]) -> tuple[str, ...]:
        """The lines to show where ``named`` were told whole already."""
        return self.first if self.first and self.about not in named else (self.text,)


def _lines(records: Sequence[Logged]) -> list[_Line]:
    """A line for each record; each run of plain ALLOWs is one line."""
    found: list[_Line] = []
    run: list[Logged] = []
    for record in records:
        if _is_plain_allow(record):
            run.append(record)
            continue
        found += _run_line(run)
        run = []
        found.append(_line(record))
    return found + _run_line(run)


def _run_line(run: Sequence[Logged]) -> list[_Line]:
    if not run:
        return []
    first, last = run[0].seq, run[-1].seq
    agents = Counter(record.header.agent_id for record in run)
    named = ", ".join(f"{count} for {_word(agent)}" for agent, count in agents.most_common(4))
    more = "" if len(agents) <= 4 else f" and {len(agents) - 4} more agents"  # noqa: PLR2004  # as listed
    return [
        _Line(
            first_seq=first,
            last_seq=last,
            text=f"{_range(first, last)}: {len(run)} ALLOW ({named}{more})",
        )
    ]


def _backlog(records: Sequence[Logged]) -> _Line:
    effects = Counter(filter(None, (_effect(record) for record in records)))
    others = Counter(record.type for record in records if not _effect(record))
    parts = [f"{count} {name}" for name, count in effects.most_common()]
    parts += [f"{count} {_word(name)}" for name, count in others.most_common()]
    first, last = records[0].seq, records[-1].seq
    text = f"{_range(first, last)}: {len(records)} records, only counted: {', '.join(parts)}"
    return _Line(first_seq=first, last_seq=last, text=text)


def _packed(lines: Sequence[_Line]) -> list[AuditMessage]:
    found: list[AuditMessage] = []
    taken: list[_Line] = []
    shown: list[str] = []
    for line in lines:
        more = line.within({one.about for one in taken})
        size = sum(len(text) + 1 for text in (*shown, *more))
        size += sum(len(one.note) for one in (*taken, line))
        if taken and (len(shown) + len(more) > MAX_LINES or size > MAX_CHARS):
            found.append(_message(taken, shown))
            taken, shown = [], []
            more = line.within(())
        taken.append(line)
        shown += more
    if taken:
        found.append(_message(taken, shown))
    return found


def _message(taken: Sequence[_Line], shown: Sequence[str]) -> AuditMessage:
    return AuditMessage(
        first_seq=taken[0].first_seq,
        last_seq=taken[-1].last_seq,
        lines=tuple(shown),
        notes=tuple(one.note for one in taken if one.note),
    )


def _range(first: int, last: int) -> str:
    return f"seq {first}" if first == last else f"seq {first}-{last}"


def _line(record: Logged) -> _Line:
    """The sentence first; then whose ticket it is about, and when."""
    head = record.header
    detail = _DETAILS.get(record.type, _nothing)(record.payload)
    said = f"{record.type} {detail}," if detail else record.type
    said = f"seq {record.seq}  {said} by {_actor(head.actor)}"
    if head.outcome and record.type not in _TELLS_OUTCOME:
        said += f" -> {_word(head.outcome)}"
    at = f"{record.at:%H:%M:%S}Z"
    if not head.ticket_id:
        note = _at(record.payload, "note") if record.type == _CHECKPOINT else ""
        seq = record.seq
        return _Line(first_seq=seq, last_seq=seq, text=f"{said}  {at}", note=note)
    ticket_id = _word(head.ticket_id)
    short = f"..{ticket_id[-_SHORT_ID:]}" + (f" r{head.revision}" if head.revision > 1 else "")
    whole = f"ticket {ticket_id} r{head.revision}, binding {_word(head.binding[:12])}"
    return _Line(
        first_seq=record.seq,
        last_seq=record.seq,
        text=f"{said}  {short} {at}",
        first=(said, f"{_INDENT}{whole}  {at}"),
        about=f"{head.ticket_id} {head.revision}",
    )


def _actor(actor: str) -> str:
    """Who did it; an account of Slack by its bare id, which no other actor's name can be."""
    found = _ACCOUNT.fullmatch(actor)
    return found[1] if found else _word(actor)


def _word(text: str) -> str:
    """Visible ASCII; everything else as an escape, and at most so long.

    Several words stand in quotes, so that nothing an agent names can pass for a part of the line.
    """
    shown = "".join(
        char if " " <= char <= "~" and char not in '\\"' else f"\\u{{{ord(char):x}}}"
        for char in text
    )
    if len(shown) > _WORD_CHARS:
        shown = f"{shown[: _WORD_CHARS - 3]}..."
    return f'"{shown}"' if " " in shown else shown


def _at(payload: Json, *path: str) -> str:
    value = payload
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return "" if value is None or isinstance(value, Mapping) else str(value)


def _nothing(_payload: Json) -> str:
    return ""


def _opened(payload: Json) -> str:
    rules = _list(payload, "ruling", "rule_ids")
    what = _word(_at(payload, "ask", "tool") or _at(payload, "ask", "topic"))
    target, where = _at(payload, "ask", "target"), _field(payload, "ask", "environment")
    hidden = {name.casefold() for name in _list(payload, "ruling", "constraints", "redact_deny")}
    shown = "a target that policy hides" if "target" in hidden else _word(target)
    on = f" on {shown}" if target else ""
    because = f" by {', '.join(_word(rule) for rule in rules[:3])}" if rules else ""
    return f"{_field(payload, 'ruling', 'effect')}{because}: {what}{on} in {where}"


def _coalesced(payload: Json) -> str:
    rule = _at(payload, "rule_id")
    return f"{_field(payload, 'count')} more {_field(payload, 'effect')}" + (
        f" by {_word(rule)}" if rule else ""
    )


def _list(payload: Json, *path: str) -> list[str]:
    value = payload
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(item) for item in value]
    return []


def _vote(payload: Json) -> str:
    choice, role = _at(payload, "vote", "choice"), _at(payload, "vote", "role")
    whose = _at(payload, "vote", "delegator")
    lead = f"{_word(choice)} for {_word(whose)}" if whose else _word(choice)
    return f"{lead} as {_word(role)}, weight {_word(_at(payload, 'vote', 'weight'))}"


def _field(payload: Json, *path: str) -> str:
    return _word(_at(payload, *path))


def _run(payload: Json) -> str:
    output = _at(payload, "report", "output_state")
    return f"after {_word(_at(payload, 'report', 'duration_ms'))} ms, output {_word(output)}"


def _checkpoint(payload: Json) -> str:
    """Size and root: what nobody can change afterwards is what a receipt is held against."""
    lines = str(_at(payload, "note")).split("\n")
    root = f" root {_word(lines[_ROOT_LINE])}" if len(lines) > _ROOT_LINE else ""
    return f"size {_field(payload, 'size')}{root}"


_DETAILS: Mapping[str, Callable[[Json], str]] = {
    "TicketOpened": _opened,
    "SubmissionThrottled": _opened,
    "RefusalsCoalesced": _coalesced,
    "DecisionEvaluated": _opened,
    "VoteCast": _vote,
    "VoteRefused": lambda payload: _field(payload, "code"),
    **dict.fromkeys(("TicketRejected", "TicketRevised"), lambda payload: _field(payload, "cause")),
    "TicketApproved": lambda payload: (
        f"weight {_field(payload, 'weight')} of {_field(payload, 'threshold')}"
    ),
    "TicketDenied": lambda payload: _field(payload, "ruling", "effect"),
    "ExecutionDeferred": lambda payload: _field(payload, "code"),
    "ExecutionStarted": lambda payload: f"sandbox {_field(payload, 'sandbox')}",
    "ExecutionSucceeded": _run,
    "ExecutionFailed": _run,
    "OutcomeReported": lambda payload: _field(payload, "report", "status"),
    "UnknownResolved": lambda payload: f"took effect: {_field(payload, 'took_effect')}",
    "OutcomeAttested": lambda payload: f"took effect: {_field(payload, 'took_effect')}",
    "AgentFrozen": lambda payload: _field(payload, "target"),
    "UnfreezeAsked": lambda payload: _field(payload, "target"),
    "AgentUnfrozen": lambda payload: _field(payload, "target"),
    "DelegationGranted": lambda payload: f"to {_field(payload, 'delegate')}",
    "BundleActivated": lambda payload: _field(payload, "snapshot"),
    _CHECKPOINT: _checkpoint,
}


def _effect(record: Logged) -> str:
    if record.type in ("TicketOpened", "SubmissionThrottled", "DecisionEvaluated"):
        return _word(_at(record.payload, "ruling", "effect"))
    return ""


def _is_plain_allow(record: Logged) -> bool:
    return record.type in ("TicketOpened", "DecisionEvaluated") and _effect(record) == _PLAIN
