"""What does not arrive in Slack, for whoever watches the service.

Lives here: the newest answer of the outbox, in sentences. Must not live here: the sentences
(``troubles``). Law: it is a note and no reason not to be ready: everything can be decided
without a card.
"""

from collections.abc import Sequence

from bot.language import SOURCE, speaking
from bot.slack.sending.troubles import troubles
from governance.outbox import Outbox

LOOK_S = 15.0
"""So old is a note at most."""


class Undelivered:
    """Looks at the outbox every so often."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.told: Sequence[str] = ()
        """What waits for somebody to mend something, and what was given up."""

    async def look(self) -> None:
        """Count anew.

        Raises:
            Unavailable: ``ledger_unavailable``: what was told stands.
        """
        backlog = await self._outbox.backlog()
        with speaking(SOURCE):  # whoever watches reads it over HTTP
            found = troubles(backlog)
        self.told = tuple(f"delivery: {one.text} {one.fix}" for one in found)
