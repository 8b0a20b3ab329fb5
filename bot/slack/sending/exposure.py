"""Cards that outsiders could read since their channel was shared: they are taken back.

Lives here: the one question and what is left in a card's place. Must not live here: what is allowed
(``channels``), where a card goes instead. Law: only what Slack certainly says takes a card back;
the ticket is decided elsewhere all the same.
"""

from dataclasses import dataclass, replace

from bot.slack.kit.blocks import ours
from bot.slack.kit.language import N_, gettext
from bot.slack.said import say
from bot.slack.sending.channels import SENTENCES, Channels
from bot.slack.sending.client import CallFailedError
from bot.slack.sending.publisher import Publisher
from governance.outbox import Place

TAKEN_BACK = N_("A request stood here. Its card was taken back; the home tab has it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Looks at the channel of a card before the card is drawn again."""

    channels: Channels
    publisher: Publisher

    async def hidden(self, place: Place | None) -> Place | None:
        """Where the card is; with no timestamp if it had to be taken back just now.

        Raises:
            CallFailedError: it must be taken back and could not be.
        """
        if place is None or not place.ts:
            return place
        try:
            problem = await self.channels.problem(place.channel)
        except CallFailedError:
            return place  # nothing new would be shown there by drawing it again
        if not problem:
            return place
        said = say(
            ours(f"{gettext(SENTENCES[problem])} {gettext(TAKEN_BACK)}"),
            block_id="placet.taken_back",
        )
        await self.publisher.retire(place.channel, place.ts, said)
        return replace(place, ts="", shown="")
