"""That people were reminded of a ticket, in the past tense.

Lives here: the shapes of what time does to a ticket that waits for people. Must not live here:
when it is due (``bot.reminding`` asks, ``_nudging`` decides), or how anybody is told. Law: as for
every event, a stored shape never changes; a reminder changes nobody's right to vote.
"""

from dataclasses import dataclass
from typing import ClassVar

from governance.principal import PersonId
from governance.tickets.ticket import TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class VotersReminded:
    """These people were to be reminded that a ticket waits for them: its ``number``-th reminder."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    number: int
    people: tuple[PersonId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketEscalated:
    """A step of the tier's escalation came: more people are told; nobody's vote weighs more.

    ``channel`` may be empty; ``roles`` and ``people`` are whom the step names.
    """

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    step: int
    channel: str
    roles: tuple[str, ...]
    people: tuple[PersonId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolversReminded:
    """The ``number``-th moment came to tell that nobody knows what became of a run.

    ``people`` are to be told; where there are none, the channel is.
    """

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    number: int
    people: tuple[PersonId, ...]


NudgeEvent = VotersReminded | TicketEscalated | ResolversReminded
"""Everything that time alone does to a ticket that waits for people, but its end."""
