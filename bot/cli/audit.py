"""The log, to watch and take away.

Lives here: ``placet audit`` but for its ``verify``. Must not live here: any change to the log.
Law: what an event says is printed whole or not at all, and cannot steer the terminal.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import audit_segments, hold, verify
from bot.cli.environment import settings_now
from bot.cli.output import (
    AsJson,
    answered,
    emit,
    emit_line,
    run,
    show,
    stamp,
    table,
    visible,
)
from bot.cli.progress import bar

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

app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command(epilog=audit_segments.EXAMPLES)(audit_segments.seal)
app.command(epilog=audit_segments.DETACH)(audit_segments.detach)
app.command(epilog="Example: placet audit erase --ticket t-1a2b --reason 'asked by its subject'")(
    hold.erase
)
app.add_typer(hold.app)

Print = Callable[["Sequence[Logged]"], None]


@app.command(
    epilog="Example: placet audit export log.jsonl\n\n"
    "Example: placet audit export /mnt/elsewhere/log --segment 100000"
)
@answered
def export(
    file: Annotated[
        Path,
        typer.Argument(
            help="New file to write, made for you alone; with --segment, a folder, new or not."
        ),
    ],
    *,
    segment: Annotated[
        int,
        typer.Option(
            help="Events to a file: the folder gets what it lacks, also after an interruption.",
            min=0,
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Write the log to a file, one record a line: enough to verify it elsewhere.

    Arguments and words of agents are not in it, only their digests.
    """
    from bot.compose import detaching, verification

    database = settings_now().database
    with bar("exporting") as progress:
        if segment:
            count = verification.export_to_folder(database, file, events=segment, progress=progress)
        else:
            count = verification.export_ledger(database, file, progress=progress)
    upto = detaching.detached_upto(database)
    if as_json:
        emit({"file": str(file), "events": count, "detached": upto})
        return
    name = visible(str(file))
    held = f"gained {count} in all" if segment else f"holds the log ({count} in all)"
    if upto:
        show(f"{name} {held} after event {upto}: the files of sealed segments have what is older.")
        return
    show(f"{name} {held}; verify it: placet audit verify --export {name}")


@app.command(epilog="Example: placet audit keys --json > keys.json")
@answered
def keys(*, as_json: AsJson = False) -> None:
    """List the public keys of the log, ended ones too; keep the JSON elsewhere, for verifying."""
    from bot.compose import tools
    from governance.transparency import key_facts

    settings = settings_now()

    async def read() -> list[dict[str, str]]:
        async with tools.open_tools(settings) as opened:
            return key_facts(await opened.reader.control())

    found = run(read())
    if as_json:
        emit({item["id"]: {k: v for k, v in item.items() if k != "id"} for item in found})
        return
    rows = (
        (item["id"], item["purpose"], _second(item["valid_from"]), _second(item["ended_at"]))
        for item in found
    )
    columns = ("id", "purpose", "valid from", "ended")
    show(table("", columns, rows) if found else "No keys yet.")


def _second(at: str) -> str:
    """A stored instant to the second, as every table has it."""
    return f"{at.partition('.')[0]}Z" if at else ""


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
        upto = (await reader.control()).detached_upto
        if seen - number < upto:
            typer.echo(f"Events 1 to {upto} are detached: their files have them.", err=True)
        await _span(reader, max(upto, seen - number), seen, print_)
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
