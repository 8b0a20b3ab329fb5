"""The log, to verify, watch and take away.

Lives here: ``placet audit``. Must not live here: how a log is verified (``storage``). Law: verifying
trusts nothing that the service says; a problem names its event and ends with exit code 1.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit_line, note, run, show, stamp, visible

if TYPE_CHECKING:
    from governance.ports import Logged, Reader

app = typer.Typer(
    name="audit",
    help="The tamper-evident log.",
    no_args_is_help=True,
    epilog="Example: placet audit verify",
)

_BATCH = 500
_POLL_S = 1.0

Print = Callable[["Sequence[Logged]"], None]


@app.command(epilog="Example: placet audit tail -n 5 --follow")
@answered
def tail(
    *,
    number: Annotated[
        int, typer.Option("-n", "--number", help="How many of the newest events.", min=0)
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written, until Ctrl-C.")
    ] = False,
    trace: Annotated[str, typer.Option(help="Only events of this trace.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print the newest events, oldest of them first; with --json one document on each line."""
    from bot.compose import tools

    settings = settings_now()

    async def read() -> None:
        async with tools.open_tools(settings) as opened:
            await _tail(
                opened.reader,
                number=number,
                follow=follow,
                trace=trace,
                print_=_print_json if as_json else _print_text,
            )

    try:
        run(read())
    except KeyboardInterrupt:  # the way to end --follow
        raise typer.Exit from None


async def _tail(reader: "Reader", *, number: int, follow: bool, trace: str, print_: Print) -> None:
    seen, _ = await reader.head()
    if trace:
        records = [item for item in await reader.timeline(trace) if item.seq <= seen]
        print_(records[len(records) - min(number, len(records)) :])
    else:
        await _span(reader, max(0, seen - number), seen, print_)
    while follow:
        size = await reader.changed(seen, _POLL_S)
        await _span(reader, seen, size, lambda batch: print_(_of_trace(batch, trace)))
        seen = max(seen, size)


async def _span(reader: "Reader", after: int, upto: int, print_: Print) -> None:
    while after < upto:
        batch = await reader.records(after, min(_BATCH, upto - after))
        if not batch:
            return
        print_(batch)
        after = batch[-1].seq


def _of_trace(records: "Sequence[Logged]", trace: str) -> "Sequence[Logged]":
    return [item for item in records if trace in ("", item.header.trace_id)]


def _print_json(records: "Sequence[Logged]") -> None:
    import json

    for item in records:
        emit_line({"hash": item.hash, "event": json.loads(item.encoded)})


def _print_text(records: "Sequence[Logged]") -> None:
    for item in records:
        head = item.header
        parts = (
            f"{item.seq:>7}",
            stamp(item.at),
            f"{item.type:<20}",
            f"{head.actor:<24}",
            head.ticket_id,
            head.outcome or "",
        )
        typer.echo(visible("  ".join(parts)).rstrip())
