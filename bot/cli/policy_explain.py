"""Why policy answers as it does.

Lives here: ``placet policy explain``: the request from options or JSON. Must not live here: the
explanation itself (``governance.policy.explain``) or how it looks (``explained``).
Law: it records nothing; without ``--ticket`` it needs neither a ledger nor a service.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import explained
from bot.cli.bundle_place import Policies, place_of
from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, run
from bot.cli.ticket import ticket_of
from governance.canonical import Json, parse
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from governance.action import ActionRequest
    from governance.policy.explain import Explanation
    from governance.policy.model import Bundle
    from governance.principal import Agent

_MOST_BYTES = 1_048_576
_NAME = "explained"


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        "explain",
        epilog="Example: placet policy explain --policies ./policies --topic job.deploy.web "
        "--action write --environment prod\n\n"
        "Example: placet policy explain --request request.json --json\n\n"
        "Example: placet policy explain --ticket 01h2xcejqtf2nbrexx3vqj",
    )(explain)


@answered
def explain(
    *,
    policies: Policies = None,
    request: Annotated[
        str, typer.Option(help="The request as JSON, as it is posted: a file, or - for input.")
    ] = "",
    ticket: Annotated[
        str, typer.Option(help="Explain what was decided about this ticket of the ledger.")
    ] = "",
    topic: Annotated[str, typer.Option(help="The topic.")] = "",
    tool: Annotated[str, typer.Option(help="The tool.")] = "",
    action: Annotated[str, typer.Option(help="read, write or execute.")] = "",
    environment: Annotated[str, typer.Option(help="Where it acts.")] = "",
    target: Annotated[str, typer.Option(help="What it acts on.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A risk tag. Repeatable.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A label, key=value. Repeatable.")] = None,
    data_class: Annotated[list[str] | None, typer.Option(help="A data class. Repeatable.")] = None,
    arguments: Annotated[
        str, typer.Option(help="The arguments: JSON, or a file that holds it.")
    ] = "",
    justification: Annotated[str, typer.Option(help="Why, in the agent's words.")] = "",
    on_behalf_of: Annotated[
        str, typer.Option(help="The person it acts for, slack:TEAM/USER.")
    ] = "",
    dispatch: Annotated[
        str, typer.Option(help="execute or release; else as the tool is registered.")
    ] = "",
    at: Annotated[
        str, typer.Option(help="The moment with its zone, 2026-01-05T12:00:00Z; else now.")
    ] = "",
    agent: Annotated[str, typer.Option(help="The agent that asks.")] = _NAME,
    role: Annotated[
        list[str] | None, typer.Option(help="A role of the agent's credential. Repeatable.")
    ] = None,
    env_bound: Annotated[
        list[str] | None,
        typer.Option(help="An environment that the credential is bound to. Repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain what would be decided: every source, every rule, and what would change it.

    With --ticket, what was decided is told from the ledger beside what the bundle says now.
    """
    said: dict[str, Json] = {
        **({"topic": topic} if topic else {}),
        **({"tool": tool} if tool else {}),
        **({"action": action} if action else {}),
        **({"environment": environment} if environment else {}),
        **({"target": target} if target else {}),
        **({"risk_tags": list(tag)} if tag else {}),
        **({"labels": _labels(label)} if label else {}),
        **({"data_classes": list(data_class)} if data_class else {}),
        **({"arguments": _arguments(arguments)} if arguments else {}),
        **({"justification": justification} if justification else {}),
        **({"on_behalf_of": on_behalf_of} if on_behalf_of else {}),
        **({"dispatch": dispatch} if dispatch else {}),
    }
    who = _Who(name=agent, roles=tuple(role or ()), environments=tuple(env_bound or ()))
    moment = _moment(at) if at else None
    bundle = _bundle(policies)
    if ticket:
        if said or request or at:
            message = "--ticket names the request already, and is judged as of now"
            raise InvalidInput(Code.INVALID_FIELD, message, pointer="/ticket")
        _of_ticket(ticket, bundle, as_json=as_json)
        return
    if request:
        said = {**_object(_read(request), "/request"), **said}
    asked, made = _request(said, who, bundle)
    explained.tell(_explained(asked, made, bundle, moment), as_json=as_json, recorded=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Who:
    """The agent as a credential would describe it."""

    name: str
    roles: tuple[str, ...]
    environments: tuple[str, ...]


def _bundle(policies: Path | None) -> "Bundle":
    from bot.bundles import load_bundle

    return load_bundle(place_of(policies))


def _moment(text: str) -> datetime:
    from pydantic import AwareDatetime, TypeAdapter, ValidationError

    try:
        return TypeAdapter(AwareDatetime).validate_strings(text).astimezone(UTC)
    except (ValidationError, OverflowError) as error:
        message = "--at is a time with its zone, such as 2026-01-05T12:00:00Z"
        raise InvalidInput(Code.INVALID_FIELD, message, pointer="/at") from error


def _labels(pairs: Iterable[str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not (key and sign):
            raise InvalidInput(Code.INVALID_FIELD, "--label is key=value", pointer="/label")
        found[key] = value
    return found


def _arguments(text: str) -> Mapping[str, Json]:
    raw = text.encode() if text.lstrip().startswith("{") else _read(text)
    return _object(raw, "/arguments")


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return typer.get_binary_stream("stdin").read(_MOST_BYTES + 1)
        # Neither to wait for whoever might write into a pipe, nor to read what has no end.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{name} cannot be read ({type(error).__name__})"
        ) from error


def _object(raw: bytes, pointer: str) -> Mapping[str, Json]:
    value = parse(raw, max_bytes=_MOST_BYTES)
    if not isinstance(value, Mapping):
        raise InvalidInput(Code.INVALID_FIELD, "this is no JSON object", pointer=pointer)
    return value


def _request(
    said: Mapping[str, Json], who: _Who, bundle: "Bundle"
) -> "tuple[ActionRequest, Agent]":
    from bot.api.asking import request_of, without_unused
    from bot.api.bodies import validate
    from bot.api.schemas import DecideForm
    from governance.principal import Agent, AgentId, TenantId

    form = validate(DecideForm, without_unused(said))
    agent = Agent(
        id=AgentId(who.name),
        tenant=TenantId(settings_now().tenant),
        roles=who.roles,
        environments=who.environments,
    )
    return request_of(form, agent, bundle, key="none", trace_id=_NAME), agent


def _explained(
    request: "ActionRequest", agent: "Agent", bundle: "Bundle", at: datetime | None
) -> "Explanation":
    from bot.scheduler import WallClock
    from governance.policy import explain as why

    return why.explain(request, agent, bundle, at=at or WallClock().now())


def _of_ticket(name: str, bundle: "Bundle", *, as_json: bool) -> None:
    from bot.compose import tools
    from bot.decided import decided
    from governance.policy import explain as why
    from governance.policy.facts import Past

    settings = settings_now()

    async def read() -> None:
        async with tools.open_tools(settings) as opened:
            found = await ticket_of(opened.reader, name, settings.tenant)
            past = await decided(opened.reader, found)
            request, agent = past.recalled.request, past.recalled.agent
            now: Explanation | None = None
            if request is not None and agent is not None:
                at, seen = opened.clock.now(), Past()
                if not bundle.lookback.is_empty:
                    seen = await opened.reader.past(bundle.lookback.wanted_for(request), at)
                now = why.explain(request, agent, bundle, at=at, past=seen)
        explained.tell(now, as_json=as_json, recorded=past)

    run(read())
