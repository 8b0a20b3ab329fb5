"""Ten thousand tickets in a minute, in a workspace that enforces Slack's rates.

``python -m bench.slack_load`` has ``placet serve`` take 10,000 requests that need people, 167 a
second or as fast as it can, and posts their cards into an emulated workspace that answers 429 as
Slack does. While they come and for ``--watch`` seconds afterwards, people click on every card that
appears: two operators, or one, a third who comes too late, and a stranger. ``--tickets 500`` for a
quick look.

It holds, and ends with exit code 1 where one of these does not: at most one 429 for each bucket; of
the cards that waited the earliest deadline was always posted first; every ticket's state in the
log is what its votes say; and 99 of 100 clicks are acknowledged within 100 ms (``--slow-ok`` does
not judge that: a machine that does other work is slower). All in real time: at one card a second
ten thousand cards take three hours, and what is not posted within the run is counted as waiting.
The last line is JSON.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.load import percentile
from bench.processes import run_json, settings_in, start
from bot.demo.client import Client
from bot.emulator.emulator import Emulator
from bot.emulator.messages import Message
from bot.emulator.values import ChannelSeed, UserSeed, WorkspaceSeed
from bot.manifest import manifest
from bot.scheduler import WallClock
from bot.slack import names
from governance.tickets.ticket import Ticket, TicketId, TicketState
from storage.ledger import SqlLedger

BUNDLE = Path(__file__).with_name("slack_load_bundle.yaml")
TICKETS, WATCH_S, CONNECTIONS = 10_000, 60.0, 8
PER_SECOND = 10_000 / 60
"""They are asked for no faster than this."""
APPROVALS, AUDIT = "C0CARDS", "C0AUDIT"
OPERATORS = ("U0ADA", "U0BEN", "U0CAI")
STRANGER = "U0STRANGER"
ENOUGH = 2
ACK_P99_MS = 100.0
_IN_FLIGHT_S = 5.0
"""A card whose post was under way when an earlier deadline came in was not out of turn."""
_SHORTEST_S, _LONGEST_S = 3_600, 172_800
_NEVER = datetime.max.replace(tzinfo=UTC)
WORKSPACE = WorkspaceSeed(
    users=tuple(
        UserSeed(id=user, name=user.lower(), real_name=user) for user in (*OPERATORS, STRANGER)
    ),
    channels=tuple(
        ChannelSeed(id=channel, name=channel.lower(), members=(*OPERATORS, STRANGER, "U0EMUBOT"))
        for channel in (APPROVALS, AUDIT)
    ),
    team_id="T0LOAD",
    app_id="A0LOAD",
)


@dataclass(kw_only=True)
class Run:
    """What happened so far."""

    seed: int
    ended_at: datetime = _NEVER
    """When the last answer was there."""
    asked: dict[str, datetime] = field(default_factory=dict)
    """When each ticket's answer was there, by its id."""
    approved_by: dict[str, set[str]] = field(default_factory=dict)
    """Operators whose click was taken, by ticket."""
    other_answers: int = 0
    is_over: bool = False


async def measured(tickets: int, watch_s: float, seed: int = 1) -> dict[str, Any]:
    """Everything, on a ledger and in a workspace of its own."""
    emulator = Emulator(WORKSPACE, manifest(), is_rate_limited=True, ack_timeout_s=30)
    await emulator.start()
    run = Run(seed=seed)
    with tempfile.TemporaryDirectory(prefix="placet-load-") as folder:
        settings = _settings(Path(folder), emulator)
        token = (await run_json(settings, "token", "create", "--agent", "load"))["token"]
        serve = await start("serve", settings)
        try:
            base = str(serve.ready["base_url"])
            await emulator.connect(request_url=f"{base}/slack/events")
            clicking = asyncio.create_task(_click(emulator, run), name="clicks")
            begun = time.perf_counter()
            await _ask(base, token, tickets, run)
            took_s = time.perf_counter() - begun
            run.ended_at = datetime.now(UTC)
            await asyncio.sleep(watch_s)
            run.is_over = True
            await clicking
            await emulator.settle(within_s=30)
        finally:
            await serve.stop()
            await emulator.stop()
        states = await _states(settings["PLACET_DATABASE"], run)
    return {"tickets": len(run.asked), "asked_in_s": round(took_s, 1)} | _judged(
        emulator, run, states
    )


def _settings(home: Path, emulator: Emulator) -> dict[str, str]:
    return {
        **settings_in(home, BUNDLE),
        "PLACET_SLACK_MODE": "http",
        "PLACET_SLACK_BOT_TOKEN": emulator.bot_token,
        "PLACET_SLACK_SIGNING_SECRET": emulator.signing_secret,
        "PLACET_SLACK_TEAM": WORKSPACE.team_id,
        "PLACET_SLACK_APP_ID": WORKSPACE.app_id,
        "PLACET_SLACK_APPROVALS_CHANNEL": APPROVALS,
        "PLACET_SLACK_AUDIT_CHANNEL": AUDIT,
        "PLACET_SLACK_API_URL": emulator.base_url,
    }


async def _ask(base: str, token: str, tickets: int, run: Run) -> None:
    """Ask for all of them, over several connections; deadlines are in no order."""
    numbers, begun = iter(range(tickets)), time.perf_counter()
    chance = random.Random(run.seed)  # noqa: S311  # a workload, no secret

    async def one() -> None:
        async with Client(base) as client:
            for number in numbers:
                ahead_s = begun + number / PER_SECOND - time.perf_counter()
                await asyncio.sleep(max(0.0, ahead_s))
                body = {
                    "topic": "job.load",
                    "action": "write",
                    "environment": "prod",
                    "target": f"web-{number}",
                    "arguments": {"number": number},
                    "dispatch": "release",
                    "idempotency_key": f"load-{number}",
                    "ttl_seconds": chance.randint(_SHORTEST_S, _LONGEST_S),
                }
                answer = await client.post("/api/v1/jobs", body, token=token)
                if answer.status < 300:  # a 2xx
                    run.asked[answer.body["job_id"]] = datetime.now(UTC)
                else:
                    run.other_answers += 1

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


async def _click(emulator: Emulator, run: Run) -> None:
    """Have people click on every card that appears; no click is left half done at the end."""
    chance = random.Random(run.seed)  # noqa: S311  # a workload, no secret
    while not run.is_over:
        for message in emulator.messages(APPROVALS):
            ticket = ticket_of(message)
            if ticket and ticket not in run.approved_by:
                run.approved_by[ticket] = set()
                operators = chance.sample(OPERATORS, 3)
                people = [*operators[: chance.choice((1, 2, 3))], STRANGER]
                chance.shuffle(people)
                for person in people:
                    await _press(emulator, run, person, message, ticket)
        await asyncio.sleep(0.05)


async def _press(emulator: Emulator, run: Run, person: str, message: Message, ticket: str) -> None:
    pressed = await emulator.click(
        person, APPROVALS, message.ts, names.APPROVE, settle=False, stale=0
    )
    if pressed.status != 200:  # what Slack takes for an ack
        run.other_answers += 1
    elif person != STRANGER:
        run.approved_by[ticket].add(person)


def ticket_of(message: Message) -> str:
    """The ticket whose card a message is; empty: it is no card."""
    metadata = message.versions[0].metadata or {}
    payload = metadata.get("event_payload")
    return str(payload.get("ticket", "")) if isinstance(payload, dict) else ""


async def _states(database: str, run: Run) -> dict[str, Ticket]:
    """Every ticket as the ledger has it, once nobody writes any more."""
    async with SqlLedger(database, WallClock()) as ledger:
        found = {name: await ledger.ticket(TicketId(name)) for name in run.asked}
    run.other_answers += sum(ticket is None for ticket in found.values())
    return {name: ticket for name, ticket in found.items() if ticket is not None}


def _judged(emulator: Emulator, run: Run, states: dict[str, Ticket]) -> dict[str, Any]:
    pressed = emulator.deliveries("block_actions")
    acks = [one.elapsed_ms for one in pressed]
    after = [one.elapsed_ms for one in pressed if one.at > run.ended_at]
    posts = [call for call in emulator.calls("chat.postMessage") if call.status == 200]
    limited = Counter(
        f"{call.method} {call.params.get('channel', '')}"
        if call.method == "chat.postMessage"
        else call.method
        for call in emulator.calls()
        if call.status == 429  # too many
    )
    posted = [(name, call.at) for call in posts if (name := _ticket_in(call.params)) in states]
    return {
        "cards_posted": len(posted),
        "cards_waiting": len(states) - len({ticket for ticket, _ in posted}),
        "digests": _digests(emulator),
        "calls": len(emulator.calls()),
        "limited": dict(limited),
        "most_429_in_a_bucket": max(limited.values(), default=0),
        "out_of_turn": _out_of_turn(posted, run, states),
        "clicks": len(acks),
        "wrong_verdicts": _wrong(run, states),
        "approved": sum(one.state is TicketState.APPROVED for one in states.values()),
        "other_answers": run.other_answers,
        "click_to_ack_p50_ms": round(percentile(acks, 0.5), 1),
        "click_to_ack_p99_ms": round(percentile(acks, 0.99), 1),
        "after_the_flood_p99_ms": round(percentile(after, 0.99), 1),
    }


def _digests(emulator: Emulator) -> int:
    shown = emulator.messages(APPROVALS)
    return sum("wait for a card" in message.versions[0].text for message in shown)


def _ticket_in(params: Any) -> str:  # noqa: ANN401  # what a call carried
    metadata = params.get("metadata")
    if isinstance(metadata, str):
        metadata = json.loads(metadata)
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return str(payload.get("ticket", "")) if isinstance(payload, dict) else ""


def _out_of_turn(
    posted: Sequence[tuple[str, datetime]], run: Run, states: dict[str, Ticket]
) -> int:
    """How often a card was posted while one with an earlier deadline had long been waiting."""
    late = dict(posted)
    count = 0
    for ticket, at in posted:
        deadline = states[ticket].expires_at
        count += any(
            other.expires_at < deadline
            and (at - run.asked[name]).total_seconds() > _IN_FLIGHT_S
            and late.get(name, _NEVER) > at
            for name, other in states.items()
        )
    return count


def _wrong(run: Run, states: dict[str, Ticket]) -> int:
    """Tickets whose state or votes are not what the clicks that were taken make of them."""
    wrong = 0
    for name, ticket in states.items():
        said = run.approved_by.get(name, set())
        voted = {vote.person.rpartition("/")[2] for vote in ticket.votes}
        state = TicketState.APPROVED if len(said) >= ENOUGH else TicketState.PENDING
        count = min(len(said), ENOUGH)
        if ticket.state is not state or not voted <= said or len(voted) != count:
            wrong += 1
            print(f"{name} is {ticket.state.value} by {voted}, clicked by {said}", file=sys.stderr)
    return wrong


def held(told: dict[str, Any], *, slow_ok: bool) -> bool:
    """Whether everything held that must."""
    return (
        told["most_429_in_a_bucket"] <= 1
        and told["out_of_turn"] == told["wrong_verdicts"] == told["other_answers"] == 0
        and (slow_ok or told["click_to_ack_p99_ms"] <= ACK_P99_MS)
    )


def main() -> None:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=TICKETS)
    parser.add_argument("--watch", type=float, default=WATCH_S, help="seconds after the last ask")
    parser.add_argument("--slow-ok", action="store_true", help="do not judge how fast it was")
    given = parser.parse_args()
    told = asyncio.run(measured(given.tickets, given.watch))
    for name, value in told.items():
        print(f"{name:<22} {value}")
    print(json.dumps(told))
    if not held(told, slow_ok=given.slow_ok):
        sys.exit(1)


if __name__ == "__main__":
    main()
