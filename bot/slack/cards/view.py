"""What a card is made of, gathered from committed state.

Lives here: ``CardView`` and the reads that fill it. Must not live here: how it looks (``cards``).
Law: a card is made from what the ledger holds and from nothing that a click said; bytes that were
altered there are not shown (``Reader.content`` compares them with their digest).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from governance.action import Content, parse_content
from governance.control import Frozen
from governance.errors import InvalidInput
from governance.execution import OutputState
from governance.policy.tools import Tool, ToolRegistry
from governance.ports import Reader
from governance.tickets.ticket import Ticket

_MAX_URL = 700
SHOWABLE = frozenset({OutputState.CLEAN, OutputState.REDACTED, OutputState.RELEASED})
"""Outputs whose shown form may be read by people in the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """A ticket with the texts that its card quotes.

    ``content`` is None once it was erased. ``output`` is the form that may be shown, None where
    there is none. ``comments`` are people's reasons by digest. ``sandbox_note`` is one sentence on
    the isolation that this installation can offer, ours and not an agent's.
    """

    ticket: Ticket
    content: Content | None
    frozen: Frozen | None = None
    output: str | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    sandbox_note: str = ""
    team_id: str = ""
    tool: Tool | None = None
    """The registered tool, which says how its arguments are laid out."""
    trace_url: str = ""
    """Where the trace is shown, by the operator's setting."""


async def load_card_view(
    reader: Reader,
    ticket: Ticket,
    *,
    tools: ToolRegistry | None = None,
    sandbox_note: str = "",
    team_id: str = "",
    trace_url: str = "",
) -> CardView:
    """Gather everything that the card of ``ticket`` shows; ``trace_url`` names ``{trace_id}``."""
    control = await reader.control()
    return CardView(
        ticket=ticket,
        content=await load_content(reader, ticket),
        frozen=control.freeze_of(ticket.ask.agent),
        output=await _output(reader, ticket),
        comments=await _comments(reader, ticket),
        sandbox_note=sandbox_note,
        team_id=team_id,
        tool=None if tools is None else tools.get(ticket.ask.tool),
        trace_url=trace_address(trace_url, ticket.ask.trace_id),
    )


def trace_address(template: str, trace_id: str) -> str:
    """The address of one trace; the id is data there and can be nothing else.

    Empty where there is nothing to link to, or where the id makes it longer than any trace's is.
    """
    url = template.replace("{trace_id}", quote(trace_id, safe="")) if trace_id else ""
    return url if len(url) <= _MAX_URL else ""


async def load_content(reader: Reader, ticket: Ticket) -> Content | None:
    """What the agent sent; None when it was erased or cannot be read back."""
    raw = await reader.content(ticket.ask.content_digest)
    if raw is None:
        return None
    try:
        return parse_content(raw)
    except InvalidInput:
        return None  # no content at all: shown as missing


async def _output(reader: Reader, ticket: Ticket) -> str | None:
    report = ticket.report
    if report is None or not report.shown_digest or report.output_state not in SHOWABLE:
        return None
    raw = await reader.content(report.shown_digest)
    return None if raw is None else raw.decode("utf-8", "replace")


async def _comments(reader: Reader, ticket: Ticket) -> Mapping[str, str]:
    found: dict[str, str] = {}
    voted = [vote.comment_digest for vote in ticket.votes]
    attested = [word.comment_digest for word in ticket.attested]
    for digest in dict.fromkeys(filter(None, (*voted, *attested))):
        raw = await reader.content(digest)
        if raw is not None:
            found[digest] = raw.decode("utf-8", "replace")
    return found
