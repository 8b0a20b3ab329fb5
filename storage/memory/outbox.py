"""The outbox in memory: the same contract, for tests and examples.

Lives here: messages owed, cursors and places over dictionaries. Must not live here: events.
Law: a message claimed is hidden until its claim runs out; one that was owed again meanwhile
survives ``done`` and is due at once.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from governance.outbox import LONGEST_WAIT_S, Backlog, Claimed, Owed, OwedKind, Place
from governance.tickets.ticket import TicketId

_NONE = datetime.min.replace(tzinfo=UTC)
"""The deadline of what names none: it comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One row; ``token`` is empty while nobody holds it."""

    due_at: datetime
    deadline: datetime = _NONE
    generation: int = 0
    claimed_until: datetime | None = None
    token: str = ""
    claimed_generation: int = 0
    attempts: int = 0
    error: str = ""
    is_dead: bool = False


class MemoryOutbox:
    """Outbox over dictionaries."""

    def __init__(self) -> None:
        self._messages: dict[Owed, _Message] = {}
        self._cursors: dict[str, int] = {}
        self._places: dict[TicketId, Place] = {}
        self._taken: dict[str, datetime] = {}
        self._tokens = count(1)

    def owe_now(self, owed: Owed, at: datetime) -> None:
        """Owe a message, or owe it anew: the newest state is due at once."""
        known = self._messages.get(owed)
        due_at = at if owed.not_before is None else max(at, owed.not_before)
        deadline = owed.deadline or _NONE
        if known is None:
            self._messages[owed] = _Message(due_at=due_at, deadline=deadline)
            return
        self._messages[owed] = replace(
            known,
            due_at=due_at,
            deadline=deadline,
            generation=known.generation + 1,
            is_dead=False,
            attempts=0 if known.is_dead else known.attempts,
        )

    async def claim(
        self,
        kinds: Sequence[OwedKind],
        *,
        at: datetime,
        lease_s: int,
        limit: int,
        is_placed: bool | None = None,
        key: str | None = None,
    ) -> Sequence[Claimed]:
        """See ``governance.outbox.Outbox``; so are the other methods."""
        due = [
            (message.deadline, message.due_at, number, owed)
            for number, (owed, message) in enumerate(self._messages.items())
            if owed.kind in kinds
            and key in (None, owed.key)
            and is_placed in (None, self._is_placed(owed.key))
            and _is_free(message, at)
        ]
        claimed: list[Claimed] = []
        for *_, owed in sorted(due, key=lambda item: item[:3])[:limit]:
            message = self._messages[owed]
            held = replace(
                message,
                claimed_until=at + timedelta(seconds=lease_s),
                token=f"{next(self._tokens)}",
                claimed_generation=message.generation,
                attempts=message.attempts + 1,
            )
            self._messages[owed] = held
            claimed.append(Claimed(owed=owed, token=held.token, attempts=held.attempts))
        return claimed

    async def done(self, claimed: Claimed) -> None:
        message = self._held(claimed)
        if message is None:
            return
        if message.generation == message.claimed_generation:
            del self._messages[claimed.owed]
        else:
            self._messages[claimed.owed] = replace(_released(message), attempts=0, error="")

    async def retry(self, claimed: Claimed, *, at: datetime, error: str) -> None:
        message = self._held(claimed)
        if message is None:
            return
        is_same = message.generation == message.claimed_generation
        due_at = at if is_same else message.due_at
        self._messages[claimed.owed] = replace(_released(message), due_at=due_at, error=error)

    async def bury(self, claimed: Claimed, *, error: str) -> None:
        message = self._held(claimed)
        if message is None:
            return
        if message.generation == message.claimed_generation:
            self._messages[claimed.owed] = replace(_released(message), error=error, is_dead=True)
        else:
            self._messages[claimed.owed] = replace(_released(message), attempts=0, error=error)

    async def owe(self, owed: Owed, *, at: datetime) -> None:
        self.owe_now(owed, at)

    async def dead(self) -> Sequence[tuple[Owed, str]]:
        return [
            (owed, message.error) for owed, message in self._messages.items() if message.is_dead
        ]

    async def backlog(self) -> Sequence[Backlog]:
        counts = Counter(
            (owed.kind, message.error, message.is_dead) for owed, message in self._messages.items()
        )
        return [
            Backlog(kind=kind, error=error, is_dead=is_dead, count=count)
            for (kind, error, is_dead), count in sorted(counts.items())
        ]

    async def unplaced(self, limit: int) -> int:
        waiting = (
            owed
            for owed, message in self._messages.items()
            if owed.kind is OwedKind.CARD and not message.is_dead
        )
        return min(limit, sum(not self._is_placed(owed.key) for owed in waiting))

    async def cursor(self, name: str) -> int:
        return self._cursors.get(name, 0)

    async def advance(self, name: str, seq: int) -> None:
        self._cursors[name] = max(seq, self._cursors.get(name, 0))

    async def place(self, ticket_id: TicketId) -> Place | None:
        return self._places.get(ticket_id)

    async def put_place(self, ticket_id: TicketId, place: Place) -> None:
        self._places[ticket_id] = place

    async def lose_place(
        self, ticket_id: TicketId, lost: Place, owed: Owed, *, at: datetime
    ) -> None:
        if self._places.get(ticket_id) == lost:
            self._places[ticket_id] = replace(lost, ts="", shown="")
            self.owe_now(owed, at)

    async def take(self, key: str, *, at: datetime, until: datetime) -> bool:
        """See ``taken``."""
        self._taken = {one: end for one, end in self._taken.items() if end > at}
        is_first = key not in self._taken
        self._taken.setdefault(key, until)
        return is_first

    def _is_placed(self, key: str) -> bool:
        place = self._places.get(TicketId(key))
        return place is not None and bool(place.ts)

    def _held(self, claimed: Claimed) -> _Message | None:
        message = self._messages.get(claimed.owed)
        return message if message is not None and message.token == claimed.token else None


def _is_free(message: _Message, at: datetime) -> bool:
    never = at + timedelta(seconds=LONGEST_WAIT_S)
    if message.is_dead or at < message.due_at <= never:
        return False
    held = message.claimed_until
    return held is None or held <= at or held > never


def _released(message: _Message) -> _Message:
    return replace(message, claimed_until=None, token="")
