"""Which waiting tickets are alike enough to be decided side by side.

Lives here: what makes tickets alike, and their groups. Must not live here: deciding (``bulk``).
Law: alike are only tickets that the same rules sent to the same people under the same limits, for
the same tool and kind of action in the same place; whatever differs beyond that is on each one's
own line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from governance.json_text import to_text
from governance.tickets.binding import requirement_json
from governance.tickets.ticket import Ticket

_DIGITS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """One group; ``name`` stands for what its tickets have in common."""

    name: str
    title: str
    tickets: tuple[Ticket, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.tickets)


def name_of(ticket: Ticket) -> str:
    """A name for everything that a ticket has in common with those that are like it."""
    ask, ruling = ticket.ask, ticket.ruling
    common = {
        "tool": ask.tool,
        "topic": ask.topic,
        "action": ask.action.value,
        "environment": ask.environment,
        "dispatch": ask.dispatch.value,
        "data_class": ask.data_class,
        "rules": list(ruling.rule_ids),
        "constraints": ruling.constraints.to_json(),
        "exception": ruling.constraint_id,
        "requirement": requirement_json(ruling.requirement),
        "is_first_revision": ticket.revision == 1,
        "is_cut": ask.needs_full_view,
    }
    return sha256(to_text(common).encode()).hexdigest()[:_DIGITS]


def likes(tickets: Iterable[Ticket]) -> tuple[Like, ...]:
    """The groups of ``tickets``, in the order in which their first ones come."""
    groups: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        groups.setdefault(name_of(ticket), []).append(ticket)
    return tuple(
        Like(name=name, title=found[0].ask.tool or found[0].ask.topic, tickets=tuple(found))
        for name, found in groups.items()
    )
