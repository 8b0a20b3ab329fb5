"""Accounts and user groups of a workspace, for the directory.

Lives here: three reads of Slack's Web API. Must not live here: who may vote (``bot.people``).
Law: what Slack did not answer is an error, never an empty list.
"""

from collections.abc import Awaitable, Mapping, Sequence

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.people.directories import LookupFailedError
from bot.slack.sending.client import CALL_FAILURES, failure_of


class SlackAccounts:
    """Lookups through a client; ``team_id`` names the workspace to a token of an organisation."""

    def __init__(self, client: AsyncWebClient, *, team_id: str = "") -> None:
        self._client = client
        self._team_id = team_id or None

    async def account(self, user_id: str) -> Mapping[str, object]:
        """One account as ``users.info`` describes it.

        Raises:
            LookupFailedError: there is none, or Slack did not answer.
        """
        return _user(
            await _asked("users.info", self._client.users_info(user=user_id, include_locale=True))
        )

    async def account_by_address(self, address: str) -> Mapping[str, object]:
        """The account with this e-mail address.

        Raises:
            LookupFailedError: there is none, or Slack did not answer.
        """
        call = self._client.users_lookupByEmail(email=address, team_id=self._team_id)
        return _user(await _asked("users.lookupByEmail", call))

    async def group_members(self, group_id: str) -> Sequence[str]:
        """User ids of a user group.

        Raises:
            LookupFailedError: Slack did not answer, or the group is disabled.
        """
        call = self._client.usergroups_users_list(usergroup=group_id, team_id=self._team_id)
        users = (await _asked("usergroups.users.list", call)).get("users")
        if not isinstance(users, list):
            raise LookupFailedError("no_users_in_answer")
        return [str(user) for user in users]


async def _asked(method: str, call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    try:
        return await call
    except CALL_FAILURES as error:
        raise LookupFailedError(failure_of(method, error).code) from error


def _user(answer: AsyncSlackResponse) -> Mapping[str, object]:
    user = answer.get("user")
    if not isinstance(user, dict):
        raise LookupFailedError("no_user_in_answer")
    return user
