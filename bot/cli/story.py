"""A ticket told whole: as tables for people and as JSON for machines.

Lives here: what ``placet ticket`` shows. Must not live here: reading the ledger. Law: what the
agent wrote is labelled as such and cannot steer the terminal; an output's text is never shown.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from bot.cli.output import facts, span, stamp, table, visible
from governance.action import Content
from governance.canonical import Json
from governance.json_text import to_text
from governance.ports import Logged
from governance.tickets.binding import SHOWN_DIGITS
from governance.tickets.lifecycle import LIVE
from governance.tickets.quorum import tally
from governance.tickets.ticket import Ticket, TicketState

if TYPE_CHECKING:
    from rich.console import RenderableType

COLUMNS = ("id", "state", "agent", "action", "target", "age", "expires in", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A ticket with its content (None: erased, or never kept) and every record of it."""

    ticket: Ticket
    content: Content | None
    erased_at: datetime | None = None
    history: Sequence[Logged]


def row(ticket: Ticket, now: datetime) -> tuple[str, ...]:
    """One line of the list, under ``COLUMNS``."""
    ask = ticket.ask
    return (
        ticket.id,
        ticket.state.value,
        ask.agent,
        f"{ask.action.value} {ask.tool or ask.topic}",
        ask.target,
        span((now - ticket.created_at).total_seconds()),
        _left(ticket, now),
        missing(ticket),
    )


def _left(ticket: Ticket, now: datetime) -> str:
    if ticket.state not in LIVE:
        return ""
    left = (ticket.expires_at - now).total_seconds()
    return span(left) if left > 0 else "overdue"


def missing(ticket: Ticket) -> str:
    """What a pending ticket still needs, in words; empty for any other."""
    requirement = ticket.ruling.requirement
    if ticket.state is not TicketState.PENDING or requirement is None:
        return ""
    return tally(requirement, ticket.votes).sentence()


def brief(ticket: Ticket) -> dict[str, object]:
    """A ticket as JSON, without its content."""
    ask, ruling = ticket.ask, ticket.ruling
    return {
        "id": ticket.id,
        "state": ticket.state.value,
        "revision": ticket.revision,
        "tenant": ask.tenant,
        "agent": ask.agent,
        "on_behalf_of": ask.on_behalf_of,
        "owners": list(ask.owners),
        "topic": ask.topic,
        "tool": ask.tool,
        "action": ask.action.value,
        "target": ask.target,
        "environment": ask.environment,
        "risk_tags": list(ask.risk_tags),
        "labels": dict(ask.labels),
        "data_class": ask.data_class,
        "dispatch": ask.dispatch.value,
        "trace_id": ask.trace_id,
        "effect": ruling.effect.value,
        "reason": ruling.reason,
        "rule_ids": list(ruling.rule_ids),
        "constraint_id": ruling.constraint_id,
        "constraints": ruling.constraints.to_json(),
        "risk_tier": ruling.risk_tier,
        "snapshot": ruling.snapshot,
        "binding": ticket.binding[:SHOWN_DIGITS],
        "created_at": stamp(ticket.created_at),
        "updated_at": stamp(ticket.updated_at),
        "expires_at": stamp(ticket.expires_at),
        "missing": missing(ticket),
        "decided_by": ticket.decided_by,
        "note": ticket.note,
    }


def whole(story: Story) -> dict[str, object]:
    """A ticket as JSON, with its content, votes, run and records."""
    ticket, content = story.ticket, story.content
    report = ticket.report
    return brief(ticket) | {
        "content": None if content is None else cast("Json", json.loads(content.to_bytes())),
        "content_erased_at": None if story.erased_at is None else stamp(story.erased_at),
        "votes": [
            {
                "person": vote.person,
                "role": vote.role,
                "weight": vote.weight,
                "choice": vote.choice.value,
                "at": stamp(vote.at),
                "key_id": vote.key_id,
                "has_comment": bool(vote.comment_digest),
                "delegator": vote.delegator,
            }
            for vote in ticket.votes
        ],
        "refused": [{"person": person, "code": code} for person, code in ticket.refusals],
        "report": report
        and {
            "status": report.status.value,
            "exit_code": report.exit_code,
            "error": report.error,
            "duration_ms": report.duration_ms,
            "sandbox": report.sandbox,
            "output": report.output_state.value,
            "findings": len(report.findings),
        },
        "timeline": [record_line(record) for record in story.history],
    }


def record_line(record: Logged) -> dict[str, object]:
    """One record of the log in short: who did what, when."""
    return {
        "seq": record.seq,
        "at": stamp(record.at),
        "type": record.type,
        "actor": record.header.actor,
        "ticket_id": record.header.ticket_id,
        "trace_id": record.header.trace_id,
        "agent_id": record.header.agent_id,
        "approval_status": record.header.approval_status,
        "outcome": record.header.outcome,
        "hash": record.hash,
    }


def tell(story: Story, now: datetime) -> Iterator["RenderableType"]:
    """A ticket's story, part by part."""
    ticket = story.ticket
    ask = ticket.ask
    where = f" in {ask.environment}" if ask.environment else ""
    what = f"{ask.action.value} {ask.tool or ask.topic}"
    on = f" on {ask.target}" if ask.target else ""
    yield visible(f"{ask.agent} asks to {what}{on}{where}: {ticket.state.value}")
    yield ""
    yield facts(_facts(ticket, now))
    yield from _content(story.content, story.erased_at)
    if ticket.votes or ticket.refusals:
        yield table("\nVotes", ("person", "says", "role", "weight", "at"), _votes(ticket))
    yield table(
        "\nTimeline",
        ("seq", "at", "event", "by", "outcome"),
        (
            (item.seq, stamp(item.at), item.type, item.header.actor, item.header.outcome or "")
            for item in story.history
        ),
    )


def _facts(ticket: Ticket, now: datetime) -> Iterator[tuple[str, object]]:
    ask, ruling = ticket.ask, ticket.ruling
    yield "ticket", f"{ticket.id}, revision {ticket.revision}"
    yield "for", ask.on_behalf_of or ""
    yield "answered for by", " ".join(ask.owners)
    yield "policy", f"{ruling.effect.value}: {ruling.reason}"
    yield "rules", " ".join(ruling.rule_ids)
    yield "exception to", ruling.constraint_id
    yield "constraints", _json(ruling.constraints.to_json()) if not _is_free(ticket) else ""
    yield "warnings", "; ".join(item.description for item in ruling.warnings)
    yield "risk tier", ruling.risk_tier
    yield "missing", missing(ticket)
    yield "decided by", ticket.decided_by
    yield "note", ticket.note
    yield "binding", ticket.binding[:SHOWN_DIGITS]
    yield "snapshot", ruling.snapshot
    yield "trace", ask.trace_id
    yield (
        "asked",
        f"{stamp(ticket.created_at)} ({span((now - ticket.created_at).total_seconds())} ago)",
    )
    left = _left(ticket, now)
    yield "expires", stamp(ticket.expires_at) + (f" (in {left})" if left else "")
    yield "result", _result(ticket)


def _is_free(ticket: Ticket) -> bool:
    return ticket.ruling.constraints.is_empty


def _result(ticket: Ticket) -> str:
    report = ticket.report
    if report is None:
        return ""
    code = "" if report.exit_code is None else f", exit code {report.exit_code}"
    where = f" in sandbox {report.sandbox}" if report.sandbox else ""
    why = f": {report.error}" if report.error else ""
    return (
        f"{report.status.value}{where} after {report.duration_ms} ms{code}, "
        f"output {report.output_state.value}{why}"
    )


def _content(content: Content | None, erased_at: datetime | None) -> Iterator["RenderableType"]:
    if content is None:
        when = f"was erased at {stamp(erased_at)}" if erased_at else "cannot be read back"
        yield f"\nThe content of this request {when}; its digest is in the log."
        return
    yield "\nArguments"
    yield visible(to_text(content.arguments, indent=2), is_multiline=True)
    words: Mapping[str, str] = {
        "prompt": content.prompt,
        "justification": content.justification,
        "context": "" if content.context is None else to_text(content.context, indent=2),
    }
    if any(words.values()):
        yield "\nIn the agent's own words, which nobody has checked"
        yield facts(words.items())


def _votes(ticket: Ticket) -> Iterator[tuple[object, ...]]:
    for vote in ticket.votes:
        who = f"{vote.person} for {vote.delegator}" if vote.delegator else vote.person
        yield who, vote.choice.value, vote.role, vote.weight, stamp(vote.at)
    for person, code in ticket.refusals:
        yield person, f"not counted ({code})", "", "", ""


def _json(value: Json) -> str:
    return to_text(value)
