"""What Slack says about one account, and whether its owner may vote.

Lives here: the rules about an account's fields, its ids and its address. Must not live here:
looking it up, roles (``identity``). Law: it fails closed: whoever is not certainly a full
member of our own workspace has no vote, and each reason has its own code. A name decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.sentences import Sentence

SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Whose accounts are ours: the team, and its Enterprise Grid organisation if it has one."""

    team_id: str
    enterprise_id: str = ""


def account_problem(account: Mapping[str, object], workspace: Workspace) -> PlacetError | None:
    """Why this account may not vote, if so.

    ``is_stranger`` and ``is_email_confirmed`` are not always there; their absence is no refusal,
    and everything that Slack does say against an account is. In a Grid organisation Slack must
    also say which person it is: else one human could vote by two ids.
    """
    return (
        _machine(account)
        or _gone(account)
        or _outsider(account, workspace)
        or _half_member(account)
        or _nameless(account, workspace)
    )


def _machine(account: Mapping[str, object]) -> Refused | None:
    if account.get("is_workflow_bot") or account.get("is_connector_bot"):
        return Refused(Code.VOTER_IS_WORKFLOW, Sentence("this account is a workflow"))
    if account.get("is_app_user"):
        return Refused(Code.VOTER_IS_APP, Sentence("this account is an app"))
    if account.get("id") == SLACKBOT or account.get("is_bot"):
        return Refused(Code.VOTER_IS_BOT, Sentence("this account is a bot"))
    return None


def _gone(account: Mapping[str, object]) -> Refused | None:
    if account.get("deleted"):
        return Refused(Code.VOTER_DEACTIVATED, Sentence("this account was deactivated"))
    return None


def _outsider(account: Mapping[str, object], workspace: Workspace) -> Refused | None:
    if account.get("is_stranger"):
        return Refused(
            Code.VOTER_IS_STRANGER, Sentence("this account belongs to another organisation")
        )
    if _is_of(account, workspace):
        return None
    if account.get("is_stranger") is False:  # said of accounts of other organisations only
        return Refused(
            Code.VOTER_IS_CONNECTED, Sentence("this account is here through Slack Connect")
        )
    return Refused(Code.FOREIGN_TEAM, Sentence("this account belongs to another workspace"))


def of_workspace(team: str) -> Refused:
    """That an account belongs to the workspace ``team``, which is not ours."""
    return Refused(Code.FOREIGN_TEAM, Sentence("the account is of workspace {team}", team=team))


def _half_member(account: Mapping[str, object]) -> Refused | None:
    if account.get("is_ultra_restricted"):
        return Refused(Code.VOTER_IS_CHANNEL_GUEST, Sentence("this is a guest of a single channel"))
    if account.get("is_restricted"):
        return Refused(Code.VOTER_IS_GUEST, Sentence("this is a guest account"))
    if account.get("is_invited_user"):
        return Refused(
            Code.VOTER_IS_INVITED, Sentence("this account has not accepted its invitation")
        )
    if account.get("is_email_confirmed") is False:
        return Refused(
            Code.VOTER_UNCONFIRMED, Sentence("the e-mail address of this account is unconfirmed")
        )
    return None


def _nameless(account: Mapping[str, object], workspace: Workspace) -> Unavailable | None:
    if isinstance(account.get("id"), str) and (
        not workspace.enterprise_id or _enterprise(account).get("id")
    ):
        return None
    message = Sentence("Slack did not say which person of the organisation this is")
    return Unavailable(Code.IDENTITY_UNAVAILABLE, message)


def _enterprise(account: Mapping[str, object]) -> Mapping[str, object]:
    found = account.get("enterprise_user")
    return found if isinstance(found, Mapping) else {}


def _is_of(account: Mapping[str, object], workspace: Workspace) -> bool:
    enterprise = _enterprise(account)
    if not workspace.enterprise_id or not enterprise:
        return account.get("team_id") == workspace.team_id
    return enterprise.get("enterprise_id") == workspace.enterprise_id and (
        workspace.team_id in _teams(account)
    )


def _teams(account: Mapping[str, object]) -> frozenset[str]:
    """Every workspace of which this is an account; its organisation's id stands for all."""
    enterprise = _enterprise(account)
    listed = enterprise.get("teams")
    named = [account.get("team_id"), enterprise.get("enterprise_id")]
    if isinstance(listed, Sequence) and not isinstance(listed, str):
        named = [*listed, enterprise.get("enterprise_id")]
    return frozenset(team for team in named if isinstance(team, str))


def is_known_in(account: Mapping[str, object], team_id: str) -> bool:
    """Whether this account is one of workspace or organisation ``team_id``."""
    return account.get("team_id") == team_id or team_id in _teams(account)


def ids_of(account: Mapping[str, object]) -> frozenset[str]:
    """Every id of one account: Grid has one for the workspace and one for the organisation."""
    named = (account.get("id"), _enterprise(account).get("id"))
    return frozenset(found for found in named if isinstance(found, str))


def human_of(account: Mapping[str, object]) -> str:
    """The one id that stands for the account's owner: the organisation's where there is one."""
    return str(_enterprise(account).get("id") or account.get("id"))


def confirmed_address(account: Mapping[str, object]) -> str:
    """The account's address in lower case, where Slack says that it is confirmed; else nothing.

    Only ASCII: lower case turns some letters of other scripts into Latin ones.
    """
    profile = account.get("profile")
    address = profile.get("email") if isinstance(profile, Mapping) else None
    if account.get("is_email_confirmed") is not True or not isinstance(address, str):
        return ""
    return address.lower() if address.isascii() else ""
