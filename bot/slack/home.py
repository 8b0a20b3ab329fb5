"""The App Home tab: what waits for me.

Lives here: building and publishing one person's tab. Must not live here: the lists themselves.
Law: the tab is made for one person from committed state; whoever may not vote reads why.
"""

from dataclasses import dataclass

from bot.slack import lists
from bot.slack.blocks import Block, header, ours, rich, run, section, with_ids
from bot.slack.desk import Desk
from bot.slack.payloads import HomeOpened
from bot.slack.said import refusal_text
from governance.errors import Refused
from governance.principal import PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The listener of the home tab."""

    desk: Desk
    team_id: str

    async def opened(self, event: HomeOpened) -> None:
        """Publish the tab of whoever looks at it.

        Raises:
            CallFailedError, Unavailable: it stays as it was.
        """
        if event.tab != "home":
            return
        person_id = PersonId(f"slack:{self.team_id}/{event.user}")
        await self.desk.publisher.publish_home(event.user, await self._view(person_id))

    async def _view(self, person_id: PersonId) -> Block:
        try:
            person = await self.desk.service.person(person_id)
        except Refused as refusal:
            blocks = [
                header(ours("Placet")),
                rich(section([run(refusal_text(refusal))])),
            ]
            return {"type": "home", "blocks": with_ids(blocks, "home")}
        found = await lists.open_tickets(self.desk.reader, self.desk.service.tenant)
        mine = [ticket for ticket in found if lists.waits_for(ticket, person)]
        blocks = lists.listing(
            "Waiting for you", mine, empty="Nothing waits for your vote.", prefix="home"
        )
        return {"type": "home", "blocks": blocks}
