"""``placet demo``: see the whole of Placet work, with nothing else installed.

Lives here: the command and its sub-commands. Must not live here: the demo itself
(``bot.demo``). Law: exit code 0 means that every step held; 4 that only the sandbox is missing.
"""

import asyncio
import json
import signal
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.output import AsJson, answered, emit
from bot.replies import Exit

if TYPE_CHECKING:
    from bot.demo.remote import Click
    from bot.demo.world import World

app = typer.Typer(
    help="A workspace, the service, an executor and an agent on this machine: try it.",
    invoke_without_command=True,
    epilog="Example: placet demo --script",
)

State = Annotated[
    Path, typer.Option("--state", help="State file that a running demo wrote with --state.")
]


@app.callback()
@answered
def demo(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="Port of the page; 0 takes any free one.")] = 8700,
    script: Annotated[bool, typer.Option("--script", help="Play the story and check it.")] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="Run until terminated, without opening a browser.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option(help="Write addresses and tokens here when ready (0600).")
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="Serve this bundle instead.")] = None,
    is_open: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = True,
    agent: Annotated[
        bool, typer.Option("--agent/--no-agent", help="Let the sample agent keep asking.")
    ] = True,
) -> None:
    """Start everything and print where to click; Ctrl-C ends it."""
    if context.invoked_subcommand is not None:
        return
    import logging

    from bot.observability import set_up

    set_up(level=logging.WARNING)  # a newcomer reads steps here, not logs
    if script:
        raise typer.Exit(asyncio.run(_play(policies)))
    asyncio.run(
        _run(
            port=port,
            policies=policies,
            state=state,
            is_open=is_open and not headless,
            with_agent=agent and not headless,
        )
    )


async def _play(policies: Path | None) -> int:
    from bot.demo.moves import StoryError
    from bot.demo.story import Story
    from bot.demo.world import run_world

    typer.echo("Placet, from an agent's wish to the audit log:\n")
    async with run_world(port=0, policies=policies) as world:
        story = Story(world)
        has_sandbox = world.sandbox.tier is not None
        ending: dict[str, object] = {"audit": "verified"}
        try:
            async for told in story.play():
                typer.echo(f"  \u2713 {told.title}: {told.happened}")
        except StoryError as error:
            typer.echo(f"  \u2717 {error}")
            ending = {"audit": "unknown", "failed": str(error)}
        if not has_sandbox:
            typer.echo(f"  - no sandbox here, so nothing was executed: {world.sandbox.reason}")
        sandbox = world.sandbox.tier.value if world.sandbox.tier else "none"
        typer.echo("\n" + json.dumps({**story.counts, "sandbox": sandbox, **ending}))
    if "failed" in ending:
        return Exit.PROBLEM
    return Exit.OK if has_sandbox else Exit.UNAVAILABLE


async def _run(
    *, port: int, policies: Path | None, state: Path | None, is_open: bool, with_agent: bool
) -> None:
    from bot.demo.agent import SampleAgent
    from bot.demo.world import run_world

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with run_world(port=port, policies=policies) as world:
        if state is not None:
            _write_state(state, world)
        _welcome(world)
        if is_open:
            await asyncio.to_thread(webbrowser.open, page_of(world))
        tasks = []
        if with_agent:
            agent = SampleAgent(world.client, world.tokens["deploy-bot"], say=typer.echo)
            tasks.append(asyncio.create_task(agent.run()))
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    typer.echo("\nThe demo has ended; its files are gone.")


def page_of(world: "World") -> str:
    """The page, opened as an operator in the approvals channel."""
    return f"{world.emulator.workspace_url}?user=U0OLIVIA&channel=approvals"


def _welcome(world: "World") -> None:
    token, base = world.tokens["deploy-bot"], world.serving.base_url
    tier = world.sandbox.tier.value if world.sandbox.tier else "none"
    typer.echo(
        f"""
Placet demo

  Click here       {page_of(world)}
  The service      {base}
  Sandbox          {tier}: {world.sandbox.reason}

In the page, switch between people at the bottom left: Olivia and Omar are operators, Rin, Ravi
and Ruth reviewers, Dana owns the agent (and may not approve). Every step is in #placet-audit.

Ask for something yourself:

  curl -sS {base}/api/v1/jobs -H 'Content-Type: application/json' \\
    -H 'Authorization: Bearer {token}' \\
    -d '{{"topic": "job.urgent.restart", "prompt": "Restart the mail relay", "target": "relay-2"}}'

  curl -sS {base}/api/v1/approvals -H 'Authorization: Bearer {token}'

Ctrl-C ends it.
"""
    )


def _write_state(path: Path, world: "World") -> None:
    from bot.demo import seed

    state = {
        "base_url": world.serving.base_url,
        "workspace_url": world.emulator.workspace_url,
        "agent_token": world.tokens["deploy-bot"],
        "other_agent_token": world.tokens["notes-bot"],
        "approver_tokens": {
            role: world.tokens[seed.ROLES[role][0]]
            for role in ("operator", "reviewer", "security-admin")
        },
        "database_url": world.settings.database,
        "checkpoints": str(world.settings.checkpoints),
        "site": str(world.site),
        "sandbox": world.sandbox.tier.value if world.sandbox.tier else "none",
        "users": {role: list(ids) for role, ids in seed.ROLES.items()},
        "channels": seed.CHANNELS,
    }
    aside = path.with_name(path.name + ".new")
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(state, indent=2), encoding="utf-8")
    aside.replace(path)


@app.command(
    epilog="Example: placet demo click --state demo.json --user operator "
    "--ticket ID --action approve"
)
@answered
def click(
    *,
    state: State,
    user: Annotated[str, typer.Option(help="A role (operator, reviewer, ...) or a Slack id.")],
    ticket: Annotated[str, typer.Option(help="The ticket's id.")],
    action: Annotated[str, typer.Option(help="approve, reject or details.")],
    comment: Annotated[str, typer.Option(help="The reason, where one is asked for.")] = "",
    stale: Annotated[
        bool, typer.Option("--stale", help="Press the button of the card's previous version.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Press a button on a ticket's card as that person: 0 accepted, 3 refused with its code."""
    from bot.demo.remote import Click, read_state, user_of

    told = read_state(state)
    wish = Click(
        user=user_of(told, user), ticket=ticket, action=action, comment=comment, is_stale=stale
    )
    done = asyncio.run(_click(told, wish))
    if as_json:
        emit(done)
    else:
        typer.echo(done["said"] or "done: the card says what came of it")


async def _click(state: dict[str, object], wish: "Click") -> dict[str, object]:
    import aiohttp

    from bot.demo.remote import Remote

    async with aiohttp.ClientSession() as session:
        return await Remote(session, state).click(wish)


@app.command(epilog="Example: placet demo messages --state demo.json --channel approvals --json")
@answered
def messages(
    *,
    state: State,
    channel: Annotated[str, typer.Option(help="approvals, placet-audit or general.")] = "approvals",
    user: Annotated[str, typer.Option(help="Whose screen: a role or a Slack id.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Print what is on screen in a channel."""
    from bot.demo.remote import read_state, user_of

    told = read_state(state)
    shown = asyncio.run(_messages(told, user_of(told, user), channel))
    if as_json:
        emit(shown)
        return
    for message in shown:
        typer.echo(f"{message['text']}\n")


async def _messages(state: dict[str, object], user: str, channel: str) -> list[dict[str, object]]:
    import aiohttp

    from bot.demo.remote import Remote

    async with aiohttp.ClientSession() as session:
        return await Remote(session, state).messages(user, channel)
