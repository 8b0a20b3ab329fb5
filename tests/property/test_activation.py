"""Whatever order activations, loads, votes, judgements and uses come in, on two processes."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.reassess import judge_open
from governance.errors import PlacetError
from governance.policy.model import Bundle
from governance.tickets.ticket import TicketState
from storage.memory.ledger import MemoryLedger
from tests.support.activation import ALLOWS, BASE, DENIES, SAME, STRICTER, Process, process
from tests.support.build import ANNA, BEN, FixedClock
from tests.support.core import agent

BUNDLES = (BASE, SAME, STRICTER, DENIES, ALLOWS)
BY_SNAPSHOT = {bundle.snapshot: bundle for bundle in BUNDLES}
OPEN = (TicketState.PENDING, TicketState.APPROVED)
DOINGS = ("ask", "both", "anna", "ben", "clear", "redeem", "judge", "judge one", "activate", "load")
ACTS = st.tuples(st.sampled_from(DOINGS), st.integers(0, 4))


async def act(at: Process, what: str, number: int) -> None:
    tickets = at.tickets
    one = tickets[number % len(tickets)] if tickets else None
    match what:
        case "ask":
            tickets.append((await at.ask()).id)
        case "activate":
            await at.administration.activate(BUNDLES[number], actor="operator:x")
        case "load":
            await at.load(BUNDLES[number])
        case "judge":
            await judge_open(at.service, at.ledger)
        case _ if one is None:
            return
        case "judge one":
            await at.service.reassess(one)
        case "anna" | "ben":
            await at.vote(one, ANNA if what == "anna" else BEN)
        case "both":
            await at.approve(await at.service.ticket(one))
        case "clear":
            await at.service.clear(one)
        case "redeem":
            before = (await at.ledger.control()).snapshot
            ticket = await at.service.redeem(one, agent())
            assert ticket.judged_by == before
            assert BY_SNAPSHOT[before] is not DENIES
            assert ticket.votes or BY_SNAPSHOT[ticket.ruling.snapshot] is ALLOWS
            if BY_SNAPSHOT[before] is STRICTER:
                assert ticket.ruling.requirement is not None
                assert ticket.ruling.requirement.comment_required


async def play(first: Bundle, acts: list[tuple[int, tuple[str, int]]]) -> None:
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    processes = [process(ledger, clock, first) for _ in range(2)]
    processes[1].tickets = processes[0].tickets
    await processes[0].activate(first)
    await act(processes[0], "ask", 0)
    for who, (what, number) in acts:
        try:
            await act(processes[who], what, number)
        except PlacetError:
            continue
    # Once every process is on the active bundle and has judged, nothing old is left.
    active = (await ledger.control()).snapshot
    await processes[0].load(BY_SNAPSHOT[active])
    await judge_open(processes[0].service, ledger)
    for ticket_id in processes[0].tickets:
        ticket = await processes[0].service.ticket(ticket_id)
        if ticket.state in OPEN:
            assert ticket.judged_by == active
            assert BY_SNAPSHOT[active] is not DENIES


@settings(max_examples=300)
@given(
    st.sampled_from([BASE, ALLOWS]),
    st.lists(st.tuples(st.integers(0, 1), ACTS), min_size=4, max_size=24),
)
def test_nothing_is_used_that_the_active_bundle_did_not_let_stand(
    first: Bundle, acts: list[tuple[int, tuple[str, int]]]
) -> None:
    asyncio.run(play(first, acts))
