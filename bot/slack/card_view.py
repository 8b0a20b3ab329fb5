"""What a card is made of, gathered from committed state.

Lives here: ``CardView`` and the reads that fill it. Must not live here: how it looks (``cards``).
Law: a card is made from what the ledger holds and from nothing that a click said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.action import Content, parse_content
from governance.control import Frozen
from governance.errors import InvalidInput
from governance.execution import OutputState
from governance.ports import Reader
from governance.tickets.ticket import Ticket

SHOWABLE = frozenset({OutputState.CLEAN, OutputState.REDACTED, OutputState.RELEASED})
"""Outputs whose shown form may be read by people in the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """A ticket with the texts that its card quotes.

    ``content`` is None once it was erased. ``output`` is the form that may be shown, None where
    there is none. ``comments`` are votes' reasons by digest. ``sandbox_note`` is one sentence on
    the isolation that this installation can offer, ours and not an agent's.
    """

    ticket: Ticket
    content: Content | None
    frozen: Frozen | None = None
    output: str | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    sandbox_note: str = ""
    team_id: str = ""


async def load_card_view(
    reader: Reader, ticket: Ticket, *, sandbox_note: str = "", team_id: str = ""
) -> CardView:
    """Gather everything that the card of ``ticket`` shows."""
    control = await reader.control()
    return CardView(
        ticket=ticket,
        content=await load_content(reader, ticket),
        frozen=control.freeze_of(ticket.ask.agent),
        output=await _output(reader, ticket),
        comments=await _comments(reader, ticket),
        sandbox_note=sandbox_note,
        team_id=team_id,
    )


async def load_content(reader: Reader, ticket: Ticket) -> Content | None:
    """What the agent sent; None when it was erased or cannot be read back."""
    raw = await reader.content(ticket.ask.content_digest)
    if raw is None:
        return None
    try:
        return parse_content(raw)
    except InvalidInput:
        return None  # altered: shown as missing; the executor compares digests and refuses


async def _output(reader: Reader, ticket: Ticket) -> str | None:
    report = ticket.report
    if report is None or not report.shown_digest or report.output_state not in SHOWABLE:
        return None
    raw = await reader.content(report.shown_digest)
    return None if raw is None else raw.decode("utf-8", "replace")


async def _comments(reader: Reader, ticket: Ticket) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for vote in ticket.votes:
        if vote.comment_digest:
            raw = await reader.content(vote.comment_digest)
            if raw is not None:
                found[vote.comment_digest] = raw.decode("utf-8", "replace")
    return found
