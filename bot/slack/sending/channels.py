"""Whether cards may stand in a channel: not where outsiders read along, unless policy says so.

Lives here: what Slack says about a channel's sharing, and the refusal of it. Must not live here:
posting (``publisher``), which channel a card goes to. Law: it fails closed: a channel that Slack
did not describe takes no cards; no decision depends on a card.
"""

from collections.abc import Callable, Mapping

from slack_sdk.web.async_client import AsyncWebClient

from bot.people.lookups import Lookups
from bot.slack.kit.language import N_
from bot.slack.sending.client import CALL_FAILURES, PermanentError, failure_of
from governance.policy.model import Sharing
from governance.ports import Clock

CHANNEL_TTL_S = 60

WITH_OUTSIDERS = "shared_with_outsiders"
INVITING_OUTSIDERS = "outsiders_were_invited"
WITH_ORGANISATION = "shared_in_organisation"
UNDESCRIBED = "sharing_unknown"
SENTENCES: Mapping[str, str] = {
    WITH_OUTSIDERS: N_("This channel is shared with another organisation."),
    INVITING_OUTSIDERS: N_("Another organisation was invited to this channel."),
    WITH_ORGANISATION: N_("This channel is shared with other workspaces of the organisation."),
    UNDESCRIBED: N_("Slack did not say whether this channel is shared."),
}
"""Each reason in words; directory.shared_channels in the bundle says what is allowed."""


def sharing_problem(channel: Mapping[str, object], allowed: Sharing) -> str:
    """Why no card may stand in a channel (as ``conversations.info`` describes it); empty: it may.

    The reason is a key of ``SENTENCES``.
    """
    if allowed is Sharing.OUTSIDERS:
        return ""
    if not channel.get("is_im") and not isinstance(channel.get("is_ext_shared"), bool):
        return UNDESCRIBED
    if channel.get("is_ext_shared"):
        return WITH_OUTSIDERS
    if channel.get("is_pending_ext_shared") or channel.get("pending_connected_team_ids"):
        return INVITING_OUTSIDERS
    if channel.get("is_org_shared"):
        return "" if allowed is Sharing.ORGANISATION else WITH_ORGANISATION
    return WITH_OUTSIDERS if channel.get("is_shared") else ""


class Channels:
    """The channels of one workspace; ``allowed`` is what the deciding bundle says."""

    def __init__(
        self, client: AsyncWebClient, allowed: Callable[[], Sharing], *, clock: Clock
    ) -> None:
        self._client = client
        self._allowed = allowed
        self._found = Lookups(clock, self._look_up)

    async def problem(self, channel_id: str) -> str:
        """Why no card may stand there (a key of ``SENTENCES``); empty: it may.

        Raises:
            CallFailedError: Slack was asked and did not say.
        """
        if self._allowed() is Sharing.OUTSIDERS:
            return ""
        channel = await self._found.get(channel_id, ttl_s=CHANNEL_TTL_S)
        return sharing_problem(channel, self._allowed())

    async def check(self, channel_id: str) -> None:
        """Refuse a channel in which no card may stand.

        Raises:
            PermanentError: ``shared_with_outsiders`` and its like: somebody must mend it first.
            CallFailedError: Slack was asked and did not say.
        """
        problem = await self.problem(channel_id)
        if problem:
            raise PermanentError("conversations.info", problem)

    def forget_all(self) -> None:
        """Ask anew about every channel."""
        self._found.clear()

    async def _look_up(self, channel_id: str) -> Mapping[str, object]:
        try:
            answer = await self._client.conversations_info(channel=channel_id)
        except CALL_FAILURES as error:
            raise failure_of("conversations.info", error) from error
        found = answer.get("channel")
        return found if isinstance(found, dict) else {}
