"""How commands speak: tables for people, JSON for machines, one sentence for a failure.

Lives here: the consoles, the ``--json`` option, and what becomes of an error. Must not live here:
what any command does. Law: standard output is a table or JSON and nothing else; text that others
wrote cannot steer the terminal; no command ever ends in a traceback.
"""

import asyncio
import functools
import json
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

from bot.replies import Exit, exit_code_for
from governance.errors import Code, InvalidInput, PlacetError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

P = ParamSpec("P")
T = TypeVar("T")

INTERNAL_ERROR = "internal_error"
"""The code of our own faults, the same as over HTTP."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python reads such a byte of a command line as."""
_PIPED_WIDTH = 160
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def answered(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command so that every failure is one sentence, its code and the right exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = kwargs.get("as_json") is True
        try:
            _check_text(kwargs)
            command(*args, **kwargs)
        except PlacetError as error:
            fail(
                error.code,
                error.message,
                as_json=as_json,
                pointer=error.pointer,
                details=error.details,
            )
            raise typer.Exit(exit_code_for(error)) from error
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except BrokenPipeError:
            raise
        except Exception as error:  # the top handler: our fault, without a trace
            fail(INTERNAL_ERROR, _fault(error), as_json=as_json)
            raise typer.Exit(Exit.UNAVAILABLE) from error

    return run


def _check_text(given: Mapping[str, object]) -> None:
    """No text of a command line may hold bytes that are none; a file's name may."""
    for name, value in given.items():
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str) and _SURROGATE.search(text):
                raise InvalidInput(
                    Code.INVALID_TEXT, "bytes that are not UTF-8 are not text", pointer=f"/{name}"
                )


def _fault(error: Exception) -> str:
    """Where it failed, without the error's text, which may hold what others wrote."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace is not None else ""
    return f"a fault of Placet itself ({type(error).__name__} in {place}); please report it"


def fail(
    code: str,
    message: str,
    *,
    as_json: bool,
    pointer: str = "",
    details: Mapping[str, str | int | bool] | None = None,
) -> None:
    """Say what went wrong: JSON on standard output, or a sentence on standard error."""
    if as_json:
        problem: dict[str, object] = {"code": code, "message": message}
        if pointer:
            problem["pointer"] = pointer
        if details:
            problem["details"] = dict(details)
        emit({"error": problem})
        return
    typer.echo(f"placet: {visible(message, is_multiline=True)} ({code})", err=True)


def emit(value: object) -> None:
    """Print one JSON document; characters that a terminal could obey are escaped."""
    typer.echo(json.dumps(value, indent=2, default=_plain))


def emit_line(value: object) -> None:
    """Print one JSON document on one line."""
    typer.echo(json.dumps(value, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def console() -> "Console":
    """Standard output; wide where it is a file or a pipe, so that nothing is cut there."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(width=width, highlight=False, markup=False, soft_wrap=False)


def show(*parts: "RenderableType") -> None:
    """Print texts and tables."""
    out = console()
    for part in parts:
        out.print(part)


def note(text: str) -> None:
    """Say something beside the answer, on standard error."""
    typer.echo(text, err=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "RenderableType":
    """A table of inert texts; long cells are folded, never cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(Text(visible(str(cell), is_multiline=True)) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, object]]) -> "RenderableType":
    """Names with their values, one below the other; empty values are left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value not in ("", None, (), []):
            grid.add_row(name, Text(visible(str(value), is_multiline=True)))
    return grid


def visible(text: str, *, is_multiline: bool = False) -> str:
    r"""``text`` with every character that a terminal obeys or hides shown as ``\u{hex}``."""
    keep = "\n" if is_multiline else ""
    return "".join(
        char if char.isprintable() or char in keep else f"\\u{{{ord(char):x}}}" for char in text
    )


def span(seconds: float) -> str:
    """A length of time for people: ``45s``, ``12m``, ``3h 20m``, ``2d 4h``; never negative."""
    whole = max(0, int(seconds))
    if whole < _MINUTE_S:
        return f"{whole}s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h {whole % _HOUR_S // _MINUTE_S}m"
    return f"{whole // _DAY_S}d {whole % _DAY_S // _HOUR_S}h"


def run(work: Awaitable[T]) -> T:
    """Run one asynchronous piece of work to its end."""

    async def whole() -> T:
        return await work

    return asyncio.run(whole())
