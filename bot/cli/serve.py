"""Commands that run until they are stopped.

Lives here: ``placet serve`` and ``placet executor``. Must not live here: what they are made of
(``bot.compose``). Law: the first SIGINT or SIGTERM ends the work in hand and then the process; a
second one ends the process at once.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, TypeVar

import typer

from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit_line

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def register(app: typer.Typer) -> None:
    """Put the commands into the tree."""
    app.command(epilog="Example: PLACET_PORT=8081 placet serve")(serve)
    app.command(epilog="Example: PLACET_FOLDERS=site=/srv/site placet executor")(executor)


@answered
def serve(
    *,
    accept_rollback: Annotated[
        bool,
        typer.Option(
            "--accept-rollback",
            help="Start although the log lacks records that a checkpoint saw; it is recorded.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the service: HTTP for agents, Slack for people, the clock; until SIGINT or SIGTERM.

    It refuses to start on a log that is older than the newest checkpoint in PLACET_CHECKPOINTS.
    """
    import uvloop

    from bot import memory
    from bot.compose.serve import Serving, run_serve
    from bot.observability import set_up

    settings = settings_now()
    set_up()

    def ready(running: Serving) -> None:
        memory.settle()
        url = running.base_url
        _announce("serve", f"placet serve: listening on {url}", url, as_json)

    uvloop.run(
        until_stopped(
            run_serve(settings, accepted_by=actor() if accept_rollback else ""),
            ready,
        )
    )


@answered
def executor(*, as_json: AsJson = False) -> None:
    """Run approved actions in a sandbox, in a process that holds no vote key and no Slack token."""
    from bot.compose.executor import run_executor
    from bot.observability import set_up

    settings = settings_now()
    set_up()
    asyncio.run(
        until_stopped(
            run_executor(settings),
            lambda running: _announce(
                "executor",
                f"placet executor: {settings.executor_name} works off {running.core.ledger.name}. "
                f"{running.availability.reason}",
                None,
                as_json,
                tier=running.availability.tier.value if running.availability.tier else "none",
            ),
        )
    )


def _announce(
    name: str, sentence: str, base_url: str | None, as_json: bool, *, tier: str | None = None
) -> None:
    """Say on standard output that it is ready, and where; logs go to standard error."""
    if not as_json:
        typer.echo(sentence)
        return
    ready: dict[str, object] = {"ready": name, "pid": os.getpid()}
    if base_url is not None:
        ready["base_url"] = base_url
    if tier is not None:
        ready["sandbox"] = tier
    emit_line(ready)


async def until_stopped(
    context: AbstractAsyncContextManager[T], announce: Callable[[T], None]
) -> None:
    """Enter ``context``, announce what it gave, and leave it at the first signal."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def stop_once() -> None:
        stop.set()
        for number in _SIGNALS:  # from here on a signal has its usual effect
            loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop_once)
    try:
        async with context as running:
            announce(running)
            await stop.wait()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
