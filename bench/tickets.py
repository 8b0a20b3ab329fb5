"""What a hundred thousand tickets cost where nothing may be scanned.

``python -m bench.tickets`` writes 100,000 tickets by the real writer, 10,000 of them pending and
the others taken back, and measures on them: a sweep that finds nothing due, the first page of the
inbox, the size of the queue, and a sweep that expires all 10,000 with their records.
``--tickets 10000`` for a quick look, ``--url postgresql://...`` for another database, which must be
empty and gets the schema. Each read is the median of many runs; the last line is JSON.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.verify_story import BODY, TENANT, opened
from bot import memory
from bot.compose.core import NoDirectory
from bot.ids import RandomIds
from bot.scheduler import JumpGuard, Sweeper
from bot.signing.signer import NoSigner
from governance.audit import Event
from governance.digests import content_digest
from governance.policy.bundle import load
from governance.ports import Keys, Ledger, Result, State, TicketQuery
from governance.principal import AgentId
from governance.service import Service
from governance.tickets import events as ev
from governance.tickets.ticket import Ticket, TicketState
from storage import codec
from storage.ledger import SqlLedger

RUNS = 200
_BATCH = 256
_AGENTS = 40
_PENDING_OF = 10
"""One ticket in so many is pending."""
_LIVES = timedelta(hours=24)


class SetClock:
    """The wall clock, moved ahead by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """This instant, or a later one."""
        return datetime.now(UTC) + self.ahead


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--url", help="an empty database; a file in a temporary folder when unset")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="placet-tickets-") as folder:
        url = given.url or f"sqlite:///{Path(folder)}/placet.db"
        told = asyncio.run(measured(url, given.tickets, given.runs))
    for name, value in told.items():
        print(f"{name:<22} {value:>14,.3f}")
    print(json.dumps(told))


async def measured(url: str, tickets: int, runs: int) -> dict[str, float]:
    """Everything, on a database of its own."""
    clock = SetClock()
    async with SqlLedger(url, clock, trusts_database_time=False) as ledger:
        begun = time.perf_counter()
        pending = await written(ledger, tickets, clock.now())
        told: dict[str, float] = {
            "tickets": tickets,
            "pending": pending,
            "write_s": time.perf_counter() - begun,
        }
        memory.settle()  # as every process that serves does
        sweeper = sweeper_of(ledger, clock)
        states = (TicketState.PENDING,)
        inbox = TicketQuery(tenant=TENANT, states=states, needed_people=True, limit=51)
        of_one = replace(inbox, agent=AgentId("deployer-7"))
        last = (await ledger.tickets(inbox))[-1].id
        reads: dict[str, Callable[[], Awaitable[object]]] = {
            "idle_sweep_ms": sweeper.sweep,
            "inbox_ms": lambda: read_anew(ledger, inbox),
            "inbox_again_ms": lambda: ledger.tickets(inbox),
            "inbox_next_page_ms": lambda: ledger.tickets(replace(inbox, before=last)),
            "inbox_of_agent_ms": lambda: ledger.tickets(of_one),
            "queue_ms": lambda: ledger.queue(TENANT),
        }
        for name, read in reads.items():
            told[name] = await median_ms(read, runs)
        clock.ahead = _LIVES
        begun, busy = time.perf_counter(), time.process_time()
        expired = await sweeper.sweep()
        told["expire_s"] = time.perf_counter() - begun
        told["expire_cpu_s"] = time.process_time() - busy
        left = await ledger.queue(TENANT)
        assert (expired, left.waiting) == (pending, 0), (expired, left)
        told["expire_per_s"] = pending / told["expire_s"]
    return {name: round(value, 4) for name, value in told.items()}


async def read_anew(ledger: SqlLedger, wanted: TicketQuery) -> Sequence[Ticket]:
    """A page of which no ticket was read before."""
    codec.ticket.cache_clear()
    return await ledger.tickets(wanted)


async def median_ms(read: Callable[[], Awaitable[object]], runs: int) -> float:
    """The median of ``runs``, in milliseconds."""
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        await read()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


async def written(ledger: Ledger, tickets: int, now: datetime) -> int:
    """Write the tickets; how many are pending, spread over all of them."""
    for first in range(0, tickets, _BATCH):
        numbers = range(first, min(first + _BATCH, tickets))
        await asyncio.gather(*(_commit(ledger, story(number, now)) for number in numbers))
    return len(range(0, tickets, _PENDING_OF))


def story(number: int, now: datetime) -> tuple[Event, ...]:
    """A ticket's birth, and its end unless it is to be pending; people are asked about each."""
    agent = AgentId(f"deployer-{number // _PENDING_OF % _AGENTS}")
    born = opened(number * 4, now + _LIVES)  # of four, the first asks people
    born = replace(born, ask=replace(born.ask, agent=agent))
    if number % _PENDING_OF == 0:
        return (born,)
    end = ev.TicketCancelled(
        ticket_id=born.ticket_id, revision=1, actor=f"agent:{agent}", reason="no longer needed"
    )
    return (born, end)


async def _commit(ledger: Ledger, events: tuple[Event, ...]) -> None:
    contents = {content_digest(BODY): BODY}

    def step(_: State) -> Result[None]:
        return Result(reply=None, events=events, contents=contents)

    await ledger.commit(Keys(), step)


def sweeper_of(ledger: SqlLedger, clock: SetClock) -> Sweeper:
    """A sweeper whose clock is moved by hand, and trusted."""
    service = Service(
        ledger=ledger,
        reader=ledger,
        clock=clock,
        signer=NoSigner(),
        directory=NoDirectory(),
        ids=RandomIds(),
        bundle=load({"version": "v1", "name": "bench", "rules": []}),
        tenant=TENANT,
    )
    guard = JumpGuard(clock, monotonic=lambda: clock.now().timestamp())
    return Sweeper(service=service, reader=ledger, outbox=ledger, clock=clock, guard=guard)


if __name__ == "__main__":
    main()
