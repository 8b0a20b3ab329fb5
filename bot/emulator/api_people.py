"""Web API families auth, team, bots, users, usergroups, apps: who is who.

Lives here: the handlers. Not here: JSON shapes (`people.py`).
Law: an address is shown only with users:read.email.
"""

from __future__ import annotations

from bot.emulator.api_conversations import page
from bot.emulator.errors import ApiRefusal
from bot.emulator.method import ApiContext, Method
from bot.emulator.params import Params
from bot.emulator.people import user_json, usergroup_json
from bot.emulator.values import JsonObject


def auth_test(context: ApiContext, params: Params) -> JsonObject:
    """auth.test."""
    seed = context.workspace.seed
    answer: JsonObject = {
        "url": f"{context.origin()}/",
        "team": seed.team_name,
        "user": context.workspace.users[seed.bot_user_id].name,
        "team_id": seed.enterprise_id if seed.is_org_install else seed.team_id,
        "user_id": seed.bot_user_id,
        "bot_id": seed.bot_id,
        "is_enterprise_install": seed.is_org_install,
    }
    return {**answer, "enterprise_id": seed.enterprise_id} if seed.enterprise_id else answer


def team_info(context: ApiContext, params: Params) -> JsonObject:
    """team.info."""
    seed = context.workspace.seed
    return {
        "team": {
            "id": seed.team_id,
            "name": seed.team_name,
            "domain": seed.team_domain,
            "url": f"{context.origin()}/",
            "email_domain": "",
            "icon": {"image_default": True},
            "is_verified": False,
        }
    }


def bots_info(context: ApiContext, params: Params) -> JsonObject:
    """bots.info."""
    seed = context.workspace.seed
    if params.text("bot", seed.bot_id) != seed.bot_id:
        raise ApiRefusal("bot_not_found")
    return {
        "bot": {
            "id": seed.bot_id,
            "deleted": False,
            "name": context.workspace.users[seed.bot_user_id].real_name,
            "app_id": seed.app_id,
            "user_id": seed.bot_user_id,
            "icons": {},
        }
    }


def connections_open(context: ApiContext, params: Params) -> JsonObject:
    """apps.connections.open."""
    return {"url": context.issue_socket_url()}


def _need_team(context: ApiContext, params: Params) -> None:
    """Refuse a token of an organisation that does not say which workspace is meant."""
    seed = context.workspace.seed
    if seed.is_org_install and params.text("team_id") != seed.team_id:
        raise ApiRefusal("missing_argument")


def users_info(context: ApiContext, params: Params) -> JsonObject:
    """users.info."""
    person = context.workspace.account(params.required("user"))
    if person is None:
        raise ApiRefusal("user_not_found")
    shape = user_json(context.workspace, person, with_email=context.with_email)
    return {"user": {**shape, "locale": person.locale} if params.flag("include_locale") else shape}


def users_list(context: ApiContext, params: Params) -> JsonObject:
    """users.list."""
    ws = context.workspace
    part, cursor = page(list(ws.users.values()), params)
    return {
        "members": [user_json(ws, one, with_email=context.with_email) for one in part],
        "cache_ts": int(ws.clock().timestamp()),
        "response_metadata": {"next_cursor": cursor},
    }


def lookup_by_email(context: ApiContext, params: Params) -> JsonObject:
    """users.lookupByEmail."""
    _need_team(context, params)
    wanted = params.required("email").casefold()
    for person in context.workspace.users.values():
        if person.email.casefold() == wanted and not person.deleted:
            return {"user": user_json(context.workspace, person, with_email=True)}
    raise ApiRefusal("users_not_found")


def usergroups_list(context: ApiContext, params: Params) -> JsonObject:
    """usergroups.list."""
    _need_team(context, params)
    shown = []
    for group in context.workspace.usergroups.values():
        if group.is_disabled and not params.flag("include_disabled"):
            continue
        shape = usergroup_json(context.workspace, group)
        if params.flag("include_users"):
            shape["users"] = list(group.users)
        shown.append(shape)
    return {"usergroups": shown}


def usergroups_users(context: ApiContext, params: Params) -> JsonObject:
    """usergroups.users.list."""
    _need_team(context, params)
    group = context.workspace.usergroups.get(params.required("usergroup"))
    if group is None or (group.is_disabled and not params.flag("include_disabled")):
        raise ApiRefusal("no_such_subteam")
    return {"users": list(group.users)}


_USERS, _GROUPS = ("users:read",), ("usergroups:read",)
METHODS = (
    Method(name="auth.test", handler=auth_test, tier=4),
    Method(name="team.info", handler=team_info, scopes=("team:read",), tier=3),
    Method(name="bots.info", handler=bots_info, scopes=_USERS, tier=3),
    Method(name="apps.connections.open", handler=connections_open, tier=1, opened_by="app"),
    Method(name="users.info", handler=users_info, scopes=_USERS, tier=4),
    Method(name="users.list", handler=users_list, scopes=_USERS, tier=2),
    Method(
        name="users.lookupByEmail", handler=lookup_by_email, scopes=("users:read.email",), tier=3
    ),
    Method(name="usergroups.list", handler=usergroups_list, scopes=_GROUPS, tier=2),
    Method(name="usergroups.users.list", handler=usergroups_users, scopes=_GROUPS, tier=2),
)
