"""Tickets, to look at.

Lives here: ``placet ticket``. Must not live here: voting (a vote needs a proven person: Slack, or
REST with a person's credential). Law: it reads and changes nothing.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit, run, show, table
from governance.action import parse_content
from governance.errors import Code, InvalidInput, Refused
from governance.tickets.ticket import TicketId, TicketState

if TYPE_CHECKING:
    from governance.ports import Reader
    from governance.tickets.ticket import Ticket

app = typer.Typer(
    name="ticket",
    help="Requests of agents and what became of them.",
    no_args_is_help=True,
    epilog="Example: placet ticket list --state pending",
)

_MOST = 1_000


@app.command("list", epilog="Example: placet ticket list --state pending --agent deployer")
@answered
def list_(
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(help="Only tickets in this state (pending, approved, ...). Repeatable."),
    ] = None,
    agent: Annotated[str, typer.Option(help="Only tickets of this agent.")] = "",
    limit: Annotated[
        int, typer.Option(help="At most this many, newest first.", min=1, max=_MOST)
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List tickets, newest first, with what each still needs."""
    from bot.cli import known, story
    from bot.compose import tools
    from governance.ports import TicketQuery
    from governance.principal import AgentId, TenantId

    settings = settings_now()
    query = TicketQuery(
        tenant=TenantId(settings.tenant),
        states=_states(state or []),
        agent=AgentId(agent) if agent else None,
        limit=limit,
    )

    async def read() -> None:
        async with tools.open_tools(settings) as opened:
            if agent:
                await known.check_agent(opened.reader, TenantId(settings.tenant), agent)
            found = await opened.reader.tickets(query)
            now = opened.clock.now()
        if as_json:
            emit({"tickets": [story.brief(ticket) for ticket in found]})
        elif found:
            show(table("", story.COLUMNS, (story.row(ticket, now) for ticket in found)))
        else:
            show("No such tickets.")

    run(read())


def _states(names: list[str]) -> tuple[TicketState, ...]:
    known = {item.value: item for item in TicketState}
    for name in names:
        if name.upper() not in known:
            choices = ", ".join(item.lower() for item in known)
            raise InvalidInput(Code.INVALID_FIELD, f"--state is one of {choices}", pointer="/state")
    return tuple(known[name.upper()] for name in names)


@app.command("show", epilog="Example: placet ticket show 01h2xcejqtf2nbrexx3vqj --json")
@answered
def show_(
    ticket_id: Annotated[str, typer.Argument(help="Id of the ticket (ticket list).")],
    *,
    as_json: AsJson = False,
) -> None:
    """Tell a ticket's whole story: request, policy, votes, run and every record of it."""
    from bot.cli import story
    from bot.compose import tools

    settings = settings_now()

    async def read() -> None:
        async with tools.open_tools(settings) as opened:
            found = await ticket_of(opened.reader, ticket_id, settings.tenant)
            raw = await opened.reader.content(found.ask.content_digest)
            told = story.Story(
                ticket=found,
                content=None if raw is None else parse_content(raw),
                erased_at=await opened.reader.erased_at(found.ask.content_digest),
                history=await opened.reader.history(found.id),
            )
            now = opened.clock.now()
        if as_json:
            emit(story.whole(told))
        else:
            show(*story.tell(told, now))

    run(read())


async def ticket_of(reader: "Reader", ticket_id: str, tenant: str) -> "Ticket":
    """The ticket that was named, if it is one of ``tenant``.

    Raises:
        Refused: ``not_found``.
    """
    found = await reader.ticket(TicketId(ticket_id))
    if found is None or found.ask.tenant != tenant:
        raise Refused(Code.NOT_FOUND, f"no ticket {ticket_id}")
    return found
