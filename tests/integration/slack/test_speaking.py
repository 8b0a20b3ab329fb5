"""The composed service speaks at Slack's pace, and nothing that goes wrong there decides anything.

Everything is real here: ``run_serve``, its ledger on disk, HTTP, and a workspace that counts.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from bench import slack_load
from bot.api.auth import make_token
from bot.compose import clock
from bot.compose.serve import SLACK_PATH, Serving, run_serve
from bot.demo.client import Client
from bot.emulator.emulator import Emulator
from bot.emulator.faults import FaultKind
from bot.emulator.messages import Message
from bot.manifest import manifest
from bot.settings import Language, Settings, SlackMode
from bot.slack import names
from bot.slack.home import view as home_view
from bot.slack.sending import publisher
from bot.slack.sending.digest import DIGEST_AT
from governance.outbox import Owed, OwedKind
from governance.principal import Agent, AgentId, PersonId, Scope, TenantId
from governance.tickets.ticket import TicketId, TicketState

pytestmark = pytest.mark.slow
ADA, BEN = "U0ADA", "U0BEN"
CARDS = slack_load.APPROVALS


@dataclass(kw_only=True)
class Service:
    """A service in its workspace."""

    emu: Emulator
    serving: Serving
    client: Client
    agent: str
    people: dict[str, str]

    async def ask(self, number: int = 0, ttl_s: int = 3_600) -> TicketId:
        """An agent asks for something that two operators decide."""
        body = {
            "topic": "job.load",
            "action": "write",
            "environment": "prod",
            "target": f"web-{number}",
            "dispatch": "release",
            "idempotency_key": f"k-{number}",
            "ttl_seconds": ttl_s,
        }
        answer = await self.client.post("/api/v1/jobs", body, token=self.agent)
        assert answer.status == 200, answer
        return TicketId(answer.body["job_id"])

    async def approve(self, ticket: TicketId, *people: str) -> None:
        """Vote over REST: the way that is left where there is no card."""
        for person in people:
            path = f"/api/v1/approvals/{ticket}/approve"
            answer = await self.client.post(path, {}, token=self.people[person])
            assert answer.status == 200, answer

    async def decide_at_home(self, ticket: TicketId, user: str, trouble: str) -> None:
        """Vote in the home tab, which says what is wrong: another way that is left."""
        tab = await self.emu.open_home(user)
        assert tab is not None
        assert home_view.TROUBLES in str(tab.blocks)
        assert trouble in str(tab.blocks)
        [details] = [
            element["value"]
            for block in tab.blocks
            for element in block.get("elements", ())
            if element.get("action_id") == names.DETAILS and ticket in element["value"]
        ]
        await self.emu.click_view(user, tab.id, names.DETAILS, value=details)
        opened = self.emu.modal(user)
        assert opened is not None
        await self.emu.click_view(user, opened.id, names.APPROVE)
        decided = self.emu.modal(user)
        assert decided is not None
        assert "Your vote counts" in str(decided.blocks)

    async def state(self, ticket: TicketId) -> TicketState:
        return (await self.serving.core.service.ticket(ticket)).state

    def card(self, ticket: TicketId) -> Message | None:
        """The newest card of a ticket."""
        found = [m for m in self.emu.messages(CARDS) if slack_load.ticket_of(m) == ticket]
        return found[-1] if found else None

    async def until(self, is_so: Callable[[], object], within_s: float = 30) -> None:
        """Wait for something that delivery brings about."""
        async with asyncio.timeout(within_s):
            while not is_so():
                await self.serving.core.ledger.changed(10**9, 0.02)

    async def until_true(self, is_so: Callable[[], Awaitable[bool]], within_s: float = 30) -> None:
        """The same, where asking takes a read."""
        async with asyncio.timeout(within_s):
            while not await is_so():
                await self.serving.core.ledger.changed(10**9, 0.02)

    async def errors(self) -> set[str]:
        """Why messages wait."""
        return {one.error for one in await self.serving.core.ledger.backlog() if one.error}


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    *,
    is_rate_limited: bool = False,
    others: int = 0,
    language: Language = Language.ENGLISH,
) -> AsyncIterator[Service]:
    """Start everything on loopback and stop it again; ``others`` share the ledger."""
    async with contextlib.AsyncExitStack() as stack:
        emu = Emulator(
            slack_load.WORKSPACE, manifest(), is_rate_limited=is_rate_limited, ack_timeout_s=20
        )
        await emu.start()
        stack.push_async_callback(emu.stop)
        settings = Settings(
            database=f"sqlite:///{folder / 'placet.db'}",
            policies=slack_load.BUNDLE,
            keys=folder / "keys",
            checkpoints=folder / "checkpoints.txt",
            port=0,
            slack_mode=SlackMode.HTTP,
            slack_bot_token=SecretStr(emu.bot_token),
            slack_signing_secret=SecretStr(emu.signing_secret),
            slack_team=slack_load.WORKSPACE.team_id,
            slack_app_id=slack_load.WORKSPACE.app_id,
            slack_approvals_channel=CARDS,
            slack_audit_channel=slack_load.AUDIT,
            slack_api_url=emu.base_url,
            language=language,
        )
        serving = await stack.enter_async_context(run_serve(settings))
        for _ in range(others):
            await stack.enter_async_context(run_serve(settings))
        emu.busy = lambda: not serving.is_idle()
        await emu.connect(request_url=serving.base_url + SLACK_PATH)
        client = await stack.enter_async_context(Client(serving.base_url))
        tenant, at = TenantId("default"), serving.core.clock.now()
        agent = Agent(id=AgentId("load"), tenant=tenant)
        scopes = (Scope.SUBMIT, Scope.READ)
        credential, token = make_token(tenant=tenant, scopes=scopes, at=at, agent=agent)
        await serving.core.administration.issue(credential, actor="test")
        people: dict[str, str] = {}
        for user in (ADA, BEN):
            person = PersonId(f"slack:{slack_load.WORKSPACE.team_id}/{user}")
            scopes = (Scope.APPROVE, Scope.READ)
            credential, people[user] = make_token(
                tenant=tenant, scopes=scopes, at=at, person=person
            )
            await serving.core.administration.issue(credential, actor="test")
        yield Service(emu=emu, serving=serving, client=client, agent=token, people=people)


async def test_a_flood_is_posted_by_deadline_at_slacks_pace_with_one_429_and_one_digest(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, is_rate_limited=True) as service:
        count = DIGEST_AT + 10
        tickets = [await service.ask(n, ttl_s=80_000 - 1_000 * n) for n in range(count)]
        await service.until(lambda: len(service.emu.messages(CARDS)) >= 6)
        cards = [slack_load.ticket_of(m) for m in service.emu.messages(CARDS)]
        digests = [m for m in service.emu.messages(CARDS) if "wait for a card" in m.text]
        assert len(digests) == 1
        order = [tickets.index(TicketId(one)) for one in cards if one]
        assert order[-2:] == sorted(order[-2:], reverse=True)
        assert min(order[-2:]) >= count - 5  # the last ones asked for have the least time
        limited = Counter(c.method for c in service.emu.calls() if c.status == 429)
        assert limited == {"chat.postMessage": 1}
        later = tickets[5]
        assert service.card(later) is None
        await service.approve(later, ADA, BEN)  # nobody waits for a card to decide
        assert await service.state(later) is TicketState.APPROVED


async def test_the_card_that_somebody_acts_on_changes_at_once_and_costs_no_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as service:
        ticket = await service.ask()
        await service.until(lambda: service.card(ticket))
        card = service.card(ticket)
        assert card is not None
        service.emu.faults.add(FaultKind.RATE_LIMITED, on="chat.update", retry_after_s=600)
        other = await service.ask(1)
        await service.until(lambda: service.card(other))
        await service.approve(other, ADA)  # its update meets the 429: no update for ten minutes
        await service.until(lambda: any(c.status == 429 for c in service.emu.calls("chat.update")))
        before = len(service.emu.calls("chat.update"))
        await service.emu.click(ADA, CARDS, card.ts, names.APPROVE)
        now = service.card(ticket)
        assert now is not None
        assert now.current.blocks != card.current.blocks
        assert "U0ADA" in str(now.current.blocks)
        assert len(service.emu.calls("chat.update")) == before
        place = await service.serving.core.ledger.place(ticket)
        assert place is not None
        await service.emu.click(BEN, CARDS, card.ts, names.APPROVE)
        assert await service.state(ticket) is TicketState.APPROVED
        final = service.card(ticket)
        assert final is not None
        assert "Approved" in final.text


async def test_of_several_services_one_speaks_and_every_card_is_posted_once(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, is_rate_limited=True, others=2) as service:
        tickets = [await service.ask(n) for n in range(5)]
        await service.until(lambda: all(service.card(ticket) for ticket in tickets))
        cards = [slack_load.ticket_of(m) for m in service.emu.messages(CARDS)]
        assert sorted(cards) == sorted(tickets)
        limited = [c for c in service.emu.calls() if c.status == 429]
        assert len([c for c in limited if c.params["channel"] == CARDS]) <= 1


@pytest.mark.parametrize(
    ("change", "back", "word"),
    [
        ({"is_archived": True}, {"is_archived": False}, "is_archived"),
        (
            {"members": ("U0ADA", "U0BEN")},
            {"members": ("U0ADA", "U0BEN", "U0EMUBOT")},
            "not_in_channel",
        ),
        ({"is_ext_shared": True}, {"is_ext_shared": False}, "shared_with_outsiders"),
    ],
)
async def test_without_its_channel_everything_is_decided_and_the_cards_come_once_it_is_mended(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    back: dict[str, object],
    word: str,
) -> None:
    monkeypatch.setattr(publisher, "MENDING_S", 0.5)
    monkeypatch.setattr("bot.compose.effects.MENDING_S", 0.5)
    monkeypatch.setattr("bot.slack.sending.channels.CHANNEL_TTL_S", 0)
    async with running(tmp_path) as service:
        channel = service.emu.workspace.channels[CARDS]
        service.emu.workspace.replace_channel(replace(channel, **change))  # type: ignore[arg-type]
        tickets = [await service.ask(n) for n in range(5)]

        async def is_told() -> bool:
            return any(word in error for error in await service.errors())

        await service.until_true(is_told)
        calls = len(service.emu.calls("chat.postMessage"))
        assert calls <= 8  # it finds out by single calls, not by one for every card
        await service.decide_at_home(tickets[0], ADA, word)
        await service.approve(tickets[0], BEN)
        assert await service.state(tickets[0]) is TicketState.APPROVED
        assert not list(await service.serving.core.ledger.dead())
        service.emu.workspace.replace_channel(replace(channel, **back))  # type: ignore[arg-type]
        await service.until(lambda: all(service.card(ticket) for ticket in tickets))


async def test_with_its_token_revoked_everything_is_decided_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "MENDING_S", 0.5)
    monkeypatch.setattr("bot.compose.effects.MENDING_S", 0.5)
    async with running(tmp_path) as service:
        service.emu.faults.add(
            FaultKind.REFUSED, on="chat.postMessage", error="token_revoked", times=10_000
        )
        ticket = await service.ask()

        async def is_told() -> bool:
            return any("token_revoked" in error for error in await service.errors())

        await service.until_true(is_told)
        await service.approve(ticket, ADA, BEN)
        assert await service.state(ticket) is TicketState.APPROVED
        ready = await service.client.get("/readyz")
        assert ready.status == 200
        service.emu.faults.clear()
        await service.until(lambda: service.card(ticket))


async def test_a_card_that_was_deleted_is_posted_again_when_it_changes(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        ticket = await service.ask()
        await service.until(lambda: service.card(ticket))
        card = service.card(ticket)
        assert card is not None
        service.emu.workspace.board.keep(replace(card, is_deleted=True))
        await service.approve(ticket, ADA)
        await service.until(lambda: service.card(ticket))


async def test_what_is_settled_in_an_archived_channel_is_left_as_it_is(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        ticket = await service.ask()
        await service.until(lambda: service.card(ticket))
        channel = service.emu.workspace.channels[CARDS]
        await service.approve(ticket, ADA)
        service.emu.workspace.replace_channel(replace(channel, is_archived=True))
        await service.approve(ticket, BEN)  # approved: it may still be stopped, so it is live
        path = f"/api/v1/approvals/{ticket}/stop"
        body = {"comment": "not now"}
        answer = await service.client.post(path, body, token=service.people[BEN])
        assert answer.status == 200, answer
        card = Owed(kind=OwedKind.CARD, key=ticket)

        async def is_gone() -> bool:
            ledger = service.serving.core.ledger
            await ledger.owe(card, at=service.serving.core.clock.now())
            await ledger.changed(10**9, 0.3)
            return OwedKind.CARD not in {one.kind for one in await ledger.backlog()}

        await service.until_true(is_gone)


async def test_a_message_that_slack_will_never_take_is_a_dead_letter_and_stops_no_other(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as service:
        refuse = {"on": "chat.postMessage", "error": "invalid_blocks", "times": 50}
        service.emu.faults.add(FaultKind.REFUSED, **refuse)  # type: ignore[arg-type]
        await service.ask()

        async def is_dead() -> bool:
            return bool(await service.serving.core.ledger.dead())

        await service.until_true(is_dead)
        service.emu.faults.clear()
        second = await service.ask(1)
        await service.until(lambda: service.card(second))


async def test_what_does_not_arrive_is_a_note_of_readiness_and_no_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "LOOK_S", 0.1)
    async with running(tmp_path) as service:
        service.emu.faults.add(
            FaultKind.REFUSED, on="chat.postMessage", error="invalid_blocks", times=9
        )
        await service.ask()

        async def is_noted() -> bool:
            ready = await service.client.get("/readyz")
            assert ready.status == 200
            return any("1 card was given up (invalid_blocks)" in one for one in ready.body["notes"])

        await service.until_true(is_noted)
