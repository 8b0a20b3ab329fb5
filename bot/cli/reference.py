"""The reference of commands, written from the commands themselves.

Lives here: ``docs/commands.md`` as text; ``python -m bot.cli.reference > docs/commands.md`` writes
it. Must not live here: anything about a command that its own help does not say. Law: the document
and ``--help`` cannot differ.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import typer
from typer.main import get_command

from bot.replies import REPLIES, Exit

EXAMPLE = "Example: "
EXITS = {
    Exit.OK: "It is done, or what was checked is in order.",
    Exit.PROBLEM: "A problem was found: a bundle that does not load, a log that does not verify.",
    Exit.USAGE: "What was typed is not well formed.",
    Exit.REFUSED: "It is well formed and the laws say no.",
    Exit.UNAVAILABLE: "It cannot be done now, or only a part of it could be.",
    Exit.CONTRADICTED: "A log contradicts what it showed before: rolled back, forked, or not its "
    "key's; `placet witness` alone ends so, with the code `log_contradicted`.",
}


class Parameter(Protocol):
    """What is read of an option or argument."""

    name: str
    opts: Sequence[str]
    secondary_opts: Sequence[str]
    help: str | None
    metavar: str | None
    multiple: bool
    required: bool
    default: object
    is_flag: bool
    param_type_name: str


class Command(Protocol):
    """What is read of a command or group of commands."""

    name: str
    help: str | None
    epilog: str | None
    params: Sequence[Parameter]
    hidden: bool


def commands(app: typer.Typer) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every command and group with its words after ``placet``, as the help lists them."""
    yield from _walk((), cast("Command", get_command(app)))


def _walk(words: tuple[str, ...], command: Command) -> Iterator[tuple[tuple[str, ...], Command]]:
    yield words, command
    below: dict[str, Command] = getattr(command, "commands", {})
    for name, child in below.items():
        if not child.hidden:
            yield from _walk((*words, name), child)


def examples(command: Command) -> list[str]:
    """The command's examples, as they are typed."""
    lines = (line.strip() for line in (command.epilog or "").splitlines())
    return [line.removeprefix(EXAMPLE) for line in lines if line.startswith(EXAMPLE)]


def document(app: typer.Typer) -> str:
    """The whole reference as Markdown."""
    lines = [
        "# Commands",
        "",
        "Written by `python -m bot.cli.reference` from the commands' own help. Do not edit.",
        "",
        *_exits(),
    ]
    for words, command in commands(app):
        if words:
            lines += _section(words, command)
    return "\n".join(lines).rstrip() + "\n"


def _exits() -> Iterator[str]:
    yield "## Exit codes"
    yield ""
    yield "| code | meaning | errors |"
    yield "|---|---|---|"
    for code, meaning in EXITS.items():
        errors = [f"`{item.value}`" for item, reply in REPLIES.items() if reply.exit_code is code]
        yield f"| {int(code)} | {meaning} | {' '.join(errors)} |"
    yield ""
    yield "An error is one sentence with its code on standard error; with `--json` it is"
    yield '`{"error": {"code": ..., "message": ...}}` on standard output.'
    yield ""


def _section(words: tuple[str, ...], command: Command) -> Iterator[str]:
    yield f"{'#' * (1 + len(words))} placet {' '.join(words)}"
    yield ""
    yield inspect.cleandoc(command.help or "")
    yield ""
    shown = [item for item in command.params if item.name != "help"]
    if shown:
        yield "| parameter | meaning |"
        yield "|---|---|"
        yield from (f"| `{_name(item)}` | {_meaning(item)} |" for item in shown)
        yield ""
    if found := examples(command):
        yield "```sh"
        yield from found
        yield "```"
        yield ""


def _name(parameter: Parameter) -> str:
    if parameter.param_type_name == "argument":
        return parameter.metavar or parameter.name.upper()
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} {parameter.metavar or 'VALUE'}"


def _meaning(parameter: Parameter) -> str:
    text = (parameter.help or "").replace("|", "\\|")
    default = parameter.default
    is_told = isinstance(default, int | str) and not isinstance(default, bool) and default != ""
    return f"{text} Default: {default}." if is_told and not parameter.required else text


if __name__ == "__main__":
    from bot.cli.main import app as root

    typer.echo(document(root), nl=False)
