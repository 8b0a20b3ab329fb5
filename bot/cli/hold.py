"""Legal holds, and erasing contents.

Lives here: ``placet audit hold`` and ``placet audit erase``. Must not live here: what may be erased
(``governance.retention``). Law: what is done is in the log, with the name of the account that did
it and its reason; no content is ever printed.
"""

import secrets
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit, run, show, stamp, table, visible
from governance.errors import Code, InvalidInput
from governance.principal import TenantId
from governance.retention_events import Hold, HoldScope
from governance.tickets.ticket import TicketId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.compose.tools import Tools
    from governance.retention import Erasure

T = TypeVar("T")

_UNSEEN = "; --unseen places it all the same"

app = typer.Typer(
    name="hold",
    help="Legal holds: what must not be erased, however old it is and whoever asks.",
    no_args_is_help=True,
    epilog="Example: placet audit hold list",
)
Reason = Annotated[str, typer.Option(help="Why; it stands in the log for good.")]


@app.command(
    epilog="Example: placet audit hold add --agent billing-bot --reason 'case 4711'\n\n"
    "Example: placet audit hold add --all --reason 'case 4712'"
)
@answered
def add(
    *,
    reason: Reason,
    ticket: Annotated[str, typer.Option(help="Hold what this ticket's records name.")] = "",
    trace: Annotated[str, typer.Option(help="Hold everything of this trace.")] = "",
    agent: Annotated[str, typer.Option(help="Hold everything that this agent asked.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Hold everything.")] = False,
    unseen: Annotated[
        bool, typer.Option("--unseen", help="Place it although nothing on record bears that name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Place a legal hold: nothing that it covers is erased or detached until it is lifted.

    It covers what is recorded after it, too. What was erased before is gone. An agent or trace of
    which nothing is on record is refused (exit code 3), since it may be misspelt.
    """
    named = {HoldScope.TICKET: ticket, HoldScope.TRACE: trace, HoldScope.AGENT: agent}
    chosen = [(scope, target) for scope, target in named.items() if target]
    chosen += [(HoldScope.ALL, "")] if all_ else []
    if len(chosen) != 1:
        raise InvalidInput(
            Code.INVALID_FIELD, "say one of --ticket, --trace, --agent and --all", pointer="/scope"
        )
    scope, target = chosen[0]
    hold_id = f"hold-{secrets.token_hex(4)}"

    async def place(tools: "Tools") -> Hold:
        if not unseen:
            await _check_known(tools, scope, target)
        return await tools.custody.hold(
            scope, target, hold_id=hold_id, actor=actor(), reason=reason
        )

    made = _with(place)
    if as_json:
        emit(_described(made))
        return
    show(f"Hold {made.id} is in force on {_covered(made)}.")


async def _check_known(tools: "Tools", scope: HoldScope, target: str) -> None:
    from bot.cli import known

    tenant = TenantId(settings_now().tenant)
    await known.check_tenant(tools.reader, tenant, hint=_UNSEEN)
    if scope is HoldScope.AGENT:
        await known.check_agent(tools.reader, tenant, target, hint=_UNSEEN)
    if scope is HoldScope.TRACE:
        await known.check_trace(tools.reader, tenant, target, hint=_UNSEEN)


@app.command(epilog="Example: placet audit hold lift hold-1a2b3c4d --reason 'case 4711 is closed'")
@answered
def lift(
    hold_id: Annotated[str, typer.Argument(help="Id of the hold (hold list).")],
    *,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Lift a legal hold; what other holds cover stays."""
    ended = _with(lambda tools: tools.custody.lift(hold_id, actor=actor(), reason=reason))
    if as_json:
        emit(_described(ended) | {"lifted": True})
        return
    show(f"Hold {ended.id} on {_covered(ended)} is lifted.")


@app.command("list", epilog="Example: placet audit hold list --json")
@answered
def list_(*, as_json: AsJson = False) -> None:
    """List the legal holds in force, oldest first."""
    found = _with(lambda tools: tools.custody.holds())
    if as_json:
        emit({"holds": [_described(hold) for hold in found]})
        return
    rows = ((hold.id, _covered(hold), stamp(hold.at), hold.by, hold.reason) for hold in found)
    columns = ("id", "covers", "since", "by", "why")
    show(table("", columns, rows) if found else "No holds are in force.")


@answered
def erase(
    digest: Annotated[
        str, typer.Argument(help="SHA-256 of the content, 64 hexadecimal digits.")
    ] = "",
    *,
    reason: Reason,
    ticket: Annotated[
        str, typer.Option(help="Erase whatever this ticket's records put there.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Erase arguments, texts, comments or outputs for good; the log keeps their digests.

    The chain stays whole and says who erased what, when and why. Refused (exit code 3) under a
    legal hold, while a ticket that needs it is open, and for the policy that decided. Backups and
    whatever was sent elsewhere still have it.
    """
    if bool(digest) == bool(ticket):
        raise InvalidInput(Code.INVALID_FIELD, "name one digest, or --ticket", pointer="/digest")

    async def work(tools: "Tools") -> "Erasure":
        if ticket:
            return await tools.custody.erase_ticket(TicketId(ticket), actor=actor(), reason=reason)
        return await tools.custody.erase(digest, actor=actor(), reason=reason)

    done = _with(work)
    if as_json:
        emit({"erased": list(done.erased), "gone_before": list(done.gone_before)})
        return
    for name in done.erased:
        show(f"{name} is erased.")
    for name in done.gone_before:
        show(f"{name} was erased before.")
    if not (done.erased or done.gone_before):
        show("There is nothing to erase.")


def _with(work: "Callable[[Tools], Awaitable[T]]") -> T:
    settings = settings_now()

    async def whole() -> T:
        from bot.compose.tools import open_tools

        async with open_tools(settings) as opened:
            return await work(opened)

    return run(whole())


def _covered(hold: Hold) -> str:
    return visible(f"{hold.scope.value} {hold.target}".strip())


def _described(hold: Hold) -> dict[str, object]:
    return {
        "id": hold.id,
        "scope": hold.scope.value,
        "target": hold.target,
        "by": hold.by,
        "at": stamp(hold.at),
        "reason": hold.reason,
    }
