"""Commands that describe the product: its version and its HTTP interface.

Lives here: ``placet version`` and ``placet openapi``. Must not live here: anything that opens the
ledger. Law: they work without any setting.
"""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

import typer

from bot.cli.output import AsJson, answered, emit


def register(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.command(epilog="Example: placet version --json")(version)
    app.command(epilog="Example: placet openapi > openapi.json")(openapi)


@answered
def version(*, as_json: AsJson = False) -> None:
    """Print the version of Placet and of Python."""
    try:
        installed = version_of("placet")
    except PackageNotFoundError:  # run from a checkout without an installation
        installed = "unknown"
    found = {"placet": installed, "python": platform.python_version()}
    if as_json:
        emit(found)
        return
    typer.echo(f"placet {found['placet']} (Python {found['python']})")


@answered
def openapi() -> None:
    """Print the OpenAPI document of the HTTP interface; it is JSON."""
    from bot.api.openapi import document

    emit(document())
