"""The examination of a Slack installation, and the manifest that makes one.

Lives here: ``placet doctor`` and ``placet manifest``: what is asked, and how it is shown. Must not
live here: the questions to Slack (``slack.sending.doctor``), checks without it (``placet check``).
Law: it changes nothing; exit code 1 means that something keeps cards from people or clicks from
us, and every problem says what to do.
"""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit, run, show, table
from bot.replies import Exit


def register(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.command(
        epilog="Example: placet doctor --url https://placet.example.com/slack/events\n\n"
        "Example: placet doctor --json"
    )(doctor)
    app.command(
        epilog="Example: placet manifest --url https://placet.example.com\n\n"
        "Example: placet manifest --socket > manifest.yml"
    )(manifest)


@answered
def doctor(
    *,
    url: Annotated[
        str, typer.Option(help="The request URL that the Slack app has, to be tried out.")
    ] = "",
    manifest: Annotated[
        Path | None, typer.Option(help="Your copy of the Slack app's manifest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask Slack what is wrong: token, scopes, channels, clock, request URL, undelivered messages.

    It needs the settings of the service and its network. Exit code 0: no problem; 1: at least one.
    """
    from bot.cli.checks.findings import Level
    from bot.cli.checks.slack import findings

    settings = settings_now()
    found = run(findings(settings, url=url, manifest=manifest))
    is_ok = not any(item.level is Level.PROBLEM for item in found)
    if as_json:
        emit({"ok": is_ok, "findings": [item.to_json() for item in found]})
    else:
        ranked = sorted(found, key=lambda item: list(Level).index(item.level), reverse=True)
        rows = ((item.level.value, item.area, item.text, item.place) for item in ranked)
        show(table("", ("level", "area", "what", "where"), rows))
        count = sum(item.level is Level.PROBLEM for item in found)
        show("No problem was found." if is_ok else f"{count} problem{'s' * (count > 1)} to solve.")
    if not is_ok:
        raise typer.Exit(Exit.PROBLEM)


@answered
def manifest(
    *,
    url: Annotated[
        str,
        typer.Option(help="Where Slack reaches the service: https://HOST; /slack/events is added."),
    ] = "",
    socket: Annotated[
        bool, typer.Option("--socket", help="For Socket Mode, which needs no address.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the Slack app's manifest for an address and a mode; Slack's settings page takes it."""
    from bot.manifest import for_address, to_yaml

    made = for_address(url, is_socket=socket)
    if as_json:
        emit(made)
    else:
        typer.echo(to_yaml(made), nl=False)
