"""What a ticket's records tell beside its present state.

Lives here: reading decisions, grants and texts back for an answer. Must not live here: deciding.
Law: records are read as the log holds them; a text that was erased is absent, never guessed at.
"""

from collections.abc import Mapping, Sequence

from bot.api import answers as ans
from bot.api.wire import SHOWABLE, first
from governance.canonical import Json
from governance.errors import Code, Unavailable
from governance.ports import Logged, Reader
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ticket, TicketState

_DECIDING = frozenset(cls.__name__ for cls in (ev.TicketOpened, ev.TicketRevised, ev.TicketDenied))


async def decisions(reader: Reader, ticket: Ticket) -> list[ans.DecisionAnswer]:
    """Every decision on a job, oldest first."""
    return [
        _decision(record, ruling)
        for record in await reader.history(ticket.id)
        if record.type in _DECIDING and (ruling := _mapping(record.payload, "ruling"))
    ]


def _decision(record: Logged, ruling: Mapping[str, Json]) -> ans.DecisionAnswer:
    rules = [str(rule) for rule in _items(ruling.get("rule_ids"))]
    limits = {
        key: value
        for key, value in _mapping(ruling, "constraints").items()
        if value not in (None, [], False)
    }
    return ans.DecisionAnswer(
        rule_id=first(rules),
        action=str(ruling.get("effect", "")),
        reason=str(ruling.get("reason", "")),
        constraints=dict(limits) or None,
        evaluated_at=stamp(record.at),
        policy_snapshot=str(ruling.get("snapshot", "")),
        revision=record.header.revision,
    )


async def grant(reader: Reader, ticket: Ticket) -> ans.GrantAnswer:
    """The grant that a redeemed ticket's agent holds.

    Raises:
        Unavailable: the log holds none, although the ticket says that it was redeemed.
    """
    for record in await reader.history(ticket.id):
        if record.type == run_ev.GrantRedeemed.__name__ and isinstance(record.payload, Mapping):
            return ans.GrantAnswer(
                id=str(record.payload.get("grant_id", "")),
                action_digest=ticket.ask.action_digest,
                binding=ticket.binding,
                constraints=dict(ticket.ruling.constraints.to_json()),
                unenforced=[str(name) for name in _items(record.payload.get("unenforced"))],
            )
    raise Unavailable(Code.LEDGER_UNAVAILABLE, f"no grant of {ticket.id} is on record yet")


async def text(reader: Reader, digest: str) -> str | None:
    """Kept text by its digest; None: there is none (any more)."""
    raw = await reader.content(digest) if digest else None
    return None if raw is None else raw.decode("utf-8", "replace")


async def shown_output(reader: Reader, ticket: Ticket) -> str | None:
    """The form of an output that may leave; None while there is none."""
    report = ticket.report
    if report is None or report.output_state not in SHOWABLE:
        return None
    return await text(reader, report.shown_digest)


async def deciding_comment(reader: Reader, ticket: Ticket) -> str:
    """What the person who rejected it said."""
    if ticket.state is not TicketState.REJECTED:
        return ""
    for vote in ticket.votes:
        if vote.person == ticket.decided_by:
            return await text(reader, vote.comment_digest) or ""
    return ""


def _mapping(value: Json, key: str) -> Mapping[str, Json]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _items(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
