"""Which directory answers for people.

Lives here: the choice between Slack and the bundle alone, and what Slack's is given.
Must not live here: who may vote (``bot.people``). Law: a token that is needed and not readable is
an error at start.
"""

from collections.abc import Mapping

import aiohttp

from bot.people.account import Workspace
from bot.people.directories import Groups, NoGroups
from bot.people.identity import SlackDirectory
from bot.people.scim import ScimGroups
from bot.people.static_directory import StaticDirectory
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.slack.accounts import SlackAccounts
from bot.slack.sending.client import SlackConfig, make_client
from governance.errors import Code, InvalidInput
from governance.policy.active import ActiveBundle
from governance.policy.model import Members
from governance.principal import TenantId


def directory_of(
    settings: Settings,
    active: ActiveBundle,
    config: SlackConfig | None,
    session: aiohttp.ClientSession,
) -> SlackDirectory | StaticDirectory:
    """The directory of this process.

    Raises:
        InvalidInput: ``invalid_settings``: the company's directory is named and cannot be used.
    """
    tenant, clock = TenantId(settings.tenant), WallClock()

    def members() -> Mapping[str, Members]:
        return active.current.directory

    if config is None:
        return StaticDirectory(members, tenant=tenant, clock=clock)
    return SlackDirectory(
        accounts=SlackAccounts(make_client(config, session), team_id=settings.slack_team),
        workspace=Workspace(team_id=settings.slack_team),
        members=members,
        tenant=tenant,
        clock=clock,
        groups=groups_of(settings, session),
    )


def groups_of(settings: Settings, session: aiohttp.ClientSession) -> Groups:
    """The company's directory of groups, if there is one.

    Raises:
        InvalidInput: ``invalid_settings``.
    """
    if not settings.scim_url:
        return NoGroups()
    return ScimGroups(session, base_url=settings.scim_url, token=_token(settings))


def _token(settings: Settings) -> str:
    given = settings.scim_token
    token = given.get_secret_value().strip() if given is not None else ""
    if settings.scim_token_file is not None:
        try:
            token = settings.scim_token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            message = f"PLACET_SCIM_TOKEN_FILE cannot be read ({type(error).__name__})"
            raise InvalidInput(Code.INVALID_SETTINGS, message) from error
    if not token or not token.isprintable() or not token.isascii():
        message = "PLACET_SCIM_URL needs a token: PLACET_SCIM_TOKEN_FILE names the file with it"
        raise InvalidInput(Code.INVALID_SETTINGS, message)
    return token
