"""Accounts and user groups of a workspace, for the directory.

Lives here: two reads of Slack's Web API. Must not live here: who may vote (``bot.identity``).
Law: what Slack did not answer is an error, never an empty list.
"""

from collections.abc import Mapping, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from bot.identity import LookupFailedError
from bot.slack.client import CALL_FAILURES, failure_of


class SlackAccounts:
    """Lookups through a client."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def account(self, user_id: str) -> Mapping[str, object]:
        """One account as ``users.info`` describes it.

        Raises:
            LookupFailedError: there is none, or Slack did not answer.
        """
        try:
            answer = await self._client.users_info(user=user_id)
        except CALL_FAILURES as error:
            raise LookupFailedError(failure_of("users.info", error).code) from error
        user = answer.get("user")
        if not isinstance(user, dict):
            raise LookupFailedError("no_user_in_answer")
        return user

    async def group_members(self, group_id: str) -> Sequence[str]:
        """User ids of a user group.

        Raises:
            LookupFailedError: Slack did not answer.
        """
        try:
            answer = await self._client.usergroups_users_list(usergroup=group_id)
        except CALL_FAILURES as error:
            raise LookupFailedError(failure_of("usergroups.users.list", error).code) from error
        users = answer.get("users")
        if not isinstance(users, list):
            raise LookupFailedError("no_users_in_answer")
        return [str(user) for user in users]
