"""A policy of another control plane, as a bundle of ours.

Lives here: ``placet policy import``. Must not live here: the conversion
(``governance.policy.imported.documents``) or the file that it writes (``bot.policy_import``).
Law: it overwrites nothing and activates nothing; what became stricter or has no counterpart is
told with its line.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.output import AsJson, answered, emit, note, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.bundles import Source
    from governance.policy.imported.values import ImportNote


class From(StrEnum):
    """What the file is written in: ``governance.policy.imported.documents.Kind``, or a guess."""

    AUTO = "auto"
    EXCEPTION_ROUTING = "exception-routing"
    HARNESS = "harness"
    RULES = "rules"


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        "import",
        epilog="Exit code 0: it was converted; 1: it cannot be read.\n\n"
        "Example: placet policy import safety.yaml --out ./policies\n\n"
        "Example: placet policy import safety.yaml --from rules --json",
    )(take_over)


@answered
def take_over(
    *,
    file: Annotated[Path, typer.Argument(help="The YAML file of the other control plane.")],
    written_in: Annotated[From, typer.Option("--from", help="What it is written in.")] = From.AUTO,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the bundle; nothing there is overwritten.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert another control plane's policy file into a bundle that is never looser.

    Every key is converted, or told with its line as not carried over. Without --out the bundle is
    printed and the notes go to standard error. Nothing is activated.
    """
    from bot.policy_import import as_yaml, converted, write
    from governance.policy.imported.documents import Kind

    made, source = converted(file, None if written_in is From.AUTO else Kind(written_in.value))
    told = [_line(item, source) for item in made.notes]
    text = as_yaml(made.bundle, _head(file.name, told))
    place = None if out is None else write(text, out)
    if as_json:
        emit({"bundle": made.bundle, "notes": [_described(item, source) for item in made.notes]})
        return
    for line in told:
        note(line)
    if place is None:
        typer.echo(text, nl=False)
    else:
        note(f"Written to {visible(str(place))}. Next: placet policy lint --policies {out}")


def _head(name: str, told: "Sequence[str]") -> list[str]:
    first = (
        f"Made from {visible(name)} by placet policy import; read it before it decides anything."
    )
    return [first, "What was not carried over, is stricter here, or is left to do:", *told]


def _line(item: "ImportNote", source: "Source") -> str:
    return visible(f"{source.mark(item.pointer)}: {item.kind.value}: {item.text}")


def _described(item: "ImportNote", source: "Source") -> dict[str, object]:
    mark = source.mark(item.pointer)
    return {
        "kind": item.kind.value,
        "pointer": item.pointer,
        "line": mark.line,
        "column": mark.column,
        "text": item.text,
    }
