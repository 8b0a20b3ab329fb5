"""Credentials: making, listing and revoking them.

Lives here: ``placet token``. Must not live here: how a token is made (``bot.api.auth``).
Law: a secret is printed once, to standard output, when it is made, and kept nowhere; the log has
its digest.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit, facts, note, run, show, stamp, table, visible
from bot.webhook_secrets import FOLDER, FileWebhookSecrets
from governance.errors import Code, InvalidInput
from governance.principal import Agent, AgentId, Credential, PersonId, Scope, TenantId

if TYPE_CHECKING:
    from bot.settings import Settings

app = typer.Typer(
    name="token",
    help="Bearer credentials of agents and people.",
    no_args_is_help=True,
    epilog="Example: placet token create --agent deployer --owner slack:T0123/U0123",
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_PERSON = re.compile(r"slack:[TE][A-Z0-9]{1,31}/[UW][A-Z0-9]{1,31}")
_OF_AGENT = frozenset({Scope.SUBMIT, Scope.READ})
_OF_PERSON = frozenset({Scope.APPROVE, Scope.READ})


@app.command(
    epilog="Example: placet token create --agent deployer --owner slack:T0123/U0123 "
    "--environment staging\n\n"
    "Example: placet token create --person slack:T0123/U0456 --scope approve"
)
@answered
def create(
    *,
    agent: Annotated[str, typer.Option(help="Name of the agent that will use it.")] = "",
    person: Annotated[
        str, typer.Option(help="Person that will use it: slack:TEAM/USER.", metavar="PERSON")
    ] = "",
    owner: Annotated[
        list[str] | None,
        typer.Option(
            help="Person who answers for the agent and so may not approve what it asks; "
            "may be repeated.",
            metavar="PERSON",
        ),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option(help="Environment that the agent may name; any when left out. Repeatable."),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="Role of the agent for data clearance; may be repeated."),
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What it may be used for; agents: submit and read, people: approve and read."
        ),
    ] = None,
    webhook: Annotated[
        bool, typer.Option("--webhook", help="Also make a secret for signed webhooks.")
    ] = False,
    redeem_on_read: Annotated[
        bool,
        typer.Option(
            "--redeem-on-read",
            help="Reading an approved job also redeems it; for clients that cannot do both.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a credential for an agent or a person; its secret is shown this once."""
    settings = settings_now()
    principal = _principal(
        settings,
        agent=agent,
        person=person,
        owners=owner or [],
        environments=environment or [],
        roles=role or [],
        redeem_on_read=redeem_on_read,
    )
    if webhook and not agent:
        raise _bad("--webhook is for an agent: signed webhooks submit jobs", "/webhook")
    made, token = _make(settings, principal, scope or [])
    issued, secret, odd = run(_issue(settings, made, webhook=webhook))
    for text in odd:
        note(visible(text))
    if as_json:
        shown = _described(issued) | {"token": token}
        emit(shown | ({"webhook_secret": secret} if secret else {}))
        return
    _tell(issued, token, secret)


Principal = Agent | PersonId


def _principal(
    settings: "Settings",
    *,
    agent: str,
    person: str,
    owners: list[str],
    environments: list[str],
    roles: list[str],
    redeem_on_read: bool,
) -> Principal:
    if bool(agent) == bool(person):
        raise _bad("name either --agent or --person", "/agent")
    if person:
        if owners or environments or roles or redeem_on_read:
            raise _bad("--owner, --environment, --role and --redeem-on-read are for agents", "")
        return _person(person, "/person")
    for option, names in (("agent", [agent]), ("environment", environments), ("role", roles)):
        for name in names:
            if not _NAME.fullmatch(name):
                raise _bad(f"--{option}: letters, digits and . _ : / - only", f"/{option}")
    return Agent(
        id=AgentId(agent),
        tenant=TenantId(settings.tenant),
        owners=tuple(_person(item, "/owner") for item in owners),
        environments=tuple(environments),
        roles=tuple(roles),
        redeem_on_read=redeem_on_read,
    )


def _person(text: str, pointer: str) -> PersonId:
    if not _PERSON.fullmatch(text):
        raise _bad(f"{text!r} is not a person: write slack:TEAM/USER, both ids", pointer)
    return PersonId(text)


def _make(
    settings: "Settings", principal: Principal, scopes: Iterable[Scope]
) -> tuple[Credential, str]:
    from bot.api.auth import make_token
    from bot.scheduler import WallClock

    agent = principal if isinstance(principal, Agent) else None
    chosen = frozenset(scopes) or (_OF_AGENT if agent else _OF_PERSON)
    try:
        return make_token(
            tenant=TenantId(settings.tenant),
            scopes=chosen,
            at=WallClock().now(),
            agent=agent,
            person=None if isinstance(principal, Agent) else principal,
        )
    except ValueError as error:
        raise _bad(str(error), "/scope") from error


async def _issue(
    settings: "Settings", credential: Credential, *, webhook: bool
) -> tuple[Credential, str, list[str]]:
    from bot.cli import known
    from bot.compose import tools

    kept = FileWebhookSecrets(settings.keys / FOLDER)
    async with tools.open_tools(settings, create=True) as opened:
        # The file first: a credential that the log knows is then complete.
        secret = kept.create(credential.id) if webhook else ""
        odd = await known.oddities(opened.reader, credential)
        try:
            issued = await opened.administration.issue(credential, actor=actor())
        except BaseException:
            kept.remove(credential.id)
            raise
    return issued, secret, odd


def _tell(issued: Credential, token: str, secret: str) -> None:
    show(facts([("credential", issued.id), ("for", _who(issued)), ("scopes", _scopes(issued))]))
    typer.echo(f"\ntoken           {token}")  # not through a table, which would fold it
    if secret:
        typer.echo(f"webhook secret  {secret}")
    note("\nCopy it now: it is shown this once and kept nowhere.")
    if issued.agent is not None and not issued.agent.owners:
        note("The agent has no --owner, so nobody is kept from approving what it asks.")


@app.command("list", epilog="Example: placet token list --json")
@answered
def list_(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Show revoked ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the credentials; no secret is ever shown again."""
    settings = settings_now()

    async def read() -> list[Credential]:
        from bot.compose import tools

        async with tools.open_tools(settings) as opened:
            return list(await opened.reader.credentials())

    found = [item for item in run(read()) if all_ or item.revoked_at is None]
    if as_json:
        emit({"credentials": [_described(item) for item in found]})
        return
    has_webhook = FileWebhookSecrets(settings.keys / FOLDER)
    rows = [
        (
            item.id,
            _who(item),
            _scopes(item),
            " ".join(item.agent.owners) if item.agent else "",
            " ".join(item.agent.environments) or "any" if item.agent else "",
            "yes" if has_webhook.lookup(item.id) is not None else "",
            stamp(item.issued_at),
            stamp(item.revoked_at) if item.revoked_at else "",
        )
        for item in found
    ]
    columns = ("id", "for", "scopes", "owners", "environments", "webhook", "issued", "revoked")
    show(table("", columns, rows) if rows else "No credentials. Make one: placet token create")


@app.command(epilog="Example: placet token revoke 0123456789abcdef")
@answered
def revoke(
    credential_id: Annotated[str, typer.Argument(help="Id of the credential (token list).")],
    *,
    as_json: AsJson = False,
) -> None:
    """End a credential, and remove its webhook secret."""
    settings = settings_now()

    async def end() -> bool:
        from bot.compose import tools

        async with tools.open_tools(settings) as opened:
            found = await opened.reader.credential(credential_id)
            if found is None or found.revoked_at is None:
                await opened.administration.revoke(credential_id, actor=actor())
        return FileWebhookSecrets(settings.keys / FOLDER).remove(credential_id)

    had_webhook = run(end())
    if as_json:
        emit({"revoked": credential_id, "webhook_secret_removed": had_webhook})
        return
    show(
        f"Credential {visible(credential_id)} is revoked"
        + (", and its webhook secret removed." if had_webhook else ".")
    )


def _who(credential: Credential) -> str:
    if credential.agent is not None:
        return f"agent {credential.agent.id}"
    return f"person {credential.person}" if credential.person else "nobody"


def _scopes(credential: Credential) -> str:
    return " ".join(sorted(credential.scopes))


def _described(credential: Credential) -> dict[str, object]:
    """A credential without anything that proves it."""
    shown: dict[str, object] = {
        "id": credential.id,
        "tenant": credential.tenant,
        "scopes": sorted(credential.scopes),
        "issued_at": stamp(credential.issued_at),
        "revoked_at": stamp(credential.revoked_at) if credential.revoked_at else None,
    }
    agent = credential.agent
    if agent is not None:
        shown |= {
            "agent": agent.id,
            "owners": list(agent.owners),
            "environments": list(agent.environments),
            "roles": list(agent.roles),
            "redeem_on_read": agent.redeem_on_read,
        }
    if credential.person is not None:
        shown["person"] = credential.person
    return shown


def _bad(message: str, pointer: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_FIELD, message, pointer=pointer)
