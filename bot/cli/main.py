"""The ``placet`` command.

Lives here: the tree of commands. Must not live here: any command's work, and any import that
would slow ``--help`` down. Law: every command has help, an example, and exits with one of the
documented codes (0 done, 1 a problem was found, 2 usage, 3 refused, 4 not possible now, 5 a log
contradicts itself).
"""

import logging
from importlib import import_module
from importlib.util import find_spec

import typer

from bot.cli import (
    audit,
    check,
    db,
    doctor,
    info,
    keys,
    policy,
    receipt,
    serve,
    stats,
    ticket,
    token,
    witness,
)

app = typer.Typer(
    name="placet",
    help="People approve what AI agents want to do.\n\n"
    "Settings come from the environment, as PLACET_* variables. Exit codes: 0 done, 1 a problem "
    "was found, 2 usage, 3 refused, 4 not possible now, 5 a log contradicts "
    "itself.",
    epilog="Example: placet check --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _build() -> None:
    for module in (serve, witness, check, doctor, info, stats):
        module.register(app)
    app.add_typer(token.app)
    app.add_typer(ticket.app)
    app.add_typer(policy.app)
    app.add_typer(audit.app)
    app.add_typer(db.app)
    app.add_typer(receipt.app)
    app.add_typer(keys.app)
    if find_spec("bot.cli.demo") is not None:
        app.add_typer(import_module("bot.cli.demo").app, name="demo")


_build()


def main() -> None:
    """Run the command that was typed; the installed ``placet`` calls this."""
    # A command's failure is its one sentence; what serves sets up lines for operators itself.
    logging.getLogger().addHandler(logging.NullHandler())
    app()
