"""Whatever clocks do, a key in use is never forgotten, and one stands for one ticket at a time."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.audit import Event
from governance.errors import Unavailable
from governance.idempotency import KEPT_FOR
from governance.tickets import events as ev
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.build import FixedClock
from tests.support.commits import append

DAY = 24 * 3600
KEYS = ("a", "b", "c")
MOVES = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(KEYS)),
    st.tuples(st.just("end"), st.sampled_from(KEYS)),
    st.tuples(st.just("write"), st.just(0)),
    st.tuples(st.just("forget"), st.integers(1, 3)),
    st.tuples(
        st.just("clock"),
        st.one_of(st.integers(-90 * DAY, 90 * DAY), st.sampled_from((30 * DAY, 30 * DAY - 1))),
    ),
)


class Model:
    """What must be kept: by key, its ticket and (once that ended) until when."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.ledger = MemoryLedger(self.clock)
        self.kept: dict[str, tuple[str, datetime | None]] = {}
        self.written: datetime | None = None
        self.made = 0

    async def move(self, what: str, given: str | int) -> None:
        match what:
            case "open":
                await self.open(str(given))
            case "end":
                await self.end(str(given))
            case "write":
                await self.append(build.evaluated())
            case "clock":
                self.clock.pass_(int(given))
            case _:
                await self.forget(int(given))
        assert {key[2]: used.ticket_id for key, used in self.ledger._tables.remembered.items()} == {
            key: ticket for key, (ticket, _) in self.kept.items()
        }

    async def append(self, event: Event) -> None:
        await append(self.ledger, event)
        self.written = max(self.clock.now(), self.written or self.clock.now())

    async def open(self, key: str) -> None:
        self.made += 1
        name = f"t-{self.made}"
        late = datetime.max.replace(tzinfo=self.clock.now().tzinfo)
        event = build.opened(name, ask=build.ask(idempotency_key=key), expires_at=late)
        if key in self.kept:
            with pytest.raises(Unavailable):
                await append(self.ledger, event)
            return
        await self.append(event)
        self.kept[key] = (name, None)

    async def end(self, key: str) -> None:
        name, until = self.kept.get(key, ("", None))
        if not name or until is not None:
            return
        await self.append(build.on(name, ev.TicketCancelled, actor="agent:deployer"))
        assert self.written is not None
        self.kept[key] = (name, self.written + KEPT_FOR)

    async def forget(self, limit: int) -> None:
        passed = min(self.clock.now(), self.written or self.clock.now())
        over = [(u, k) for k, (_, u) in self.kept.items() if u is not None and u <= passed]
        before = set(self.kept)
        gone = await self.ledger.forget_keys(limit)
        assert gone == min(limit, len(over))
        left = {key[2] for key in self.ledger._tables.remembered}
        assert before - left <= {key for _, key in over}
        for key in before - left:
            del self.kept[key]


@settings(max_examples=300, deadline=timedelta(seconds=2))
@given(st.lists(MOVES, max_size=40))
def test_a_key_in_use_is_never_forgotten(moves: list[tuple[str, str | int]]):
    async def run() -> None:
        model = Model()
        for what, given_ in moves:
            await model.move(what, given_)

    asyncio.run(run())
