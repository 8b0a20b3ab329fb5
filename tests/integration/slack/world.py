"""A whole small world over real HTTP: emulated workspace, Slack app, service, ledger in memory."""

# overrides are any field of the value that is built

import base64
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from bot.delivery import Delivery, owe_all_cards
from bot.emulator.acts import ActResult
from bot.emulator.emulator import Emulator
from bot.emulator.messages import Message
from bot.emulator.values import ChannelSeed, UsergroupSeed, UserSeed, WorkspaceSeed
from bot.ids import RandomIds
from bot.people.account import Workspace
from bot.people.directories import Groups
from bot.people.identity import SlackDirectory
from bot.slack.accounts import SlackAccounts
from bot.slack.app import SlackApp
from bot.slack.cards.view import load_card_view
from bot.slack.commands.stats import FiguresDesk
from bot.slack.sending.client import SlackConfig, make_client
from governance.action import ActionRequest, Content, Dispatch
from governance.administration import Administration
from governance.control import PublicKey
from governance.outbox import OwedKind
from governance.policy.bundle import load
from governance.ports import Clock, Signature, Signer
from governance.principal import Agent, AgentId, PersonId, TenantId
from governance.service import Service
from governance.tickets.ticket import Ticket, TicketId
from storage.memory.ledger import MemoryLedger
from storage.tree.proving import Prover

TENANT = TenantId("acme")
TEAM = "T0EMULATED"
TRANSPORTS = ("http", "socket")
"""How Slack reaches the app: requests to our address, or envelopes over a connection of ours."""
AGENT = Agent(id=AgentId("deploy-bot"), tenant=TENANT, owners=(PersonId(f"slack:{TEAM}/U0OWNER"),))
MANIFEST: Mapping[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "manifest.yml").read_text(encoding="utf-8")
)

BUNDLE: dict[str, Any] = {
    "version": "v1",
    "name": "slack-tests",
    "default_decision": "deny",
    "rules": [
        {
            "id": "deploys-need-people",
            "match": {"topics": ["job.deploy"]},
            "decision": "require_approval",
            "reason": "deployments change what customers see",
            "tier": "high",
        },
    ],
    "tiers": {
        "high": {
            "roles": {
                "operator": {"weight": 1, "min_required": 1},
                "reviewer": {"weight": 3, "min_required": 1},
            },
            "threshold": 4,
            "ttl": "1h",
        }
    },
    "directory": {
        "roles": {
            "operator": {
                "people": [f"slack:{TEAM}/{user}" for user in ("U0OLGA", "U0OTTO", "U0OWNER")]
            },
            "reviewer": {"slack_usergroups": ["S0REVIEW"]},
        }
    },
}


def _user(user_id: str, name: str, **more: Any) -> UserSeed:
    return UserSeed(id=user_id, name=name, real_name=name.title(), **more)


PEOPLE = (
    _user("U0OLGA", "olga"),
    _user("U0OTTO", "otto"),
    _user("U0RITA", "rita"),
    _user("U0OWNER", "owen"),
    _user("U0NEWBIE", "newbie"),
)
SEED = WorkspaceSeed(
    users=PEOPLE,
    channels=(
        ChannelSeed(
            id="C0APPROVE", name="approvals", members=(*(u.id for u in PEOPLE), "U0EMUBOT")
        ),
    ),
    usergroups=(
        UsergroupSeed(id="S0REVIEW", handle="reviewers", name="Reviewers", users=("U0RITA",)),
    ),
)


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class PlainSigner:
    """Signatures that nobody verifies here."""

    async def sign(self, purpose: str, message: bytes) -> Signature:
        return Signature(key_id=purpose, value=base64.b64encode(bytes(64)).decode())

    def public_keys(self) -> Sequence[PublicKey]:
        purposes = {f"vote:{role}" for tier in BUNDLE["tiers"].values() for role in tier["roles"]}
        return tuple(
            PublicKey(id=name, purpose=name, pem="PEM", valid_from=datetime.now(UTC))
            for name in sorted(purposes)
        )


@dataclass(kw_only=True)
class World:
    """Everything a test acts on."""

    emu: Emulator
    app: SlackApp
    service: Service
    ledger: MemoryLedger
    directory: SlackDirectory
    delivery: Delivery
    url: str
    session: aiohttp.ClientSession
    proofs: Prover

    async def ask(
        self, *, key: str = "k-1", content: Content | None = None, by: Agent = AGENT, **more: Any
    ) -> Ticket:
        """An agent asks to deploy; its card is in the channel afterwards."""
        request = ActionRequest(
            tenant=TENANT,
            agent=AGENT.id,
            topic="job.deploy",
            target="web-1",
            environment="staging",
            content=content or Content(arguments={"version": "1.2.3"}),
            dispatch=Dispatch.RELEASE,
            trace_id="a" * 32,
            idempotency_key=key,
        )
        submitted = await self.service.submit(replace(request, **more), by)
        assert submitted.ticket is not None
        await self.deliver()
        return submitted.ticket

    async def deliver(self) -> None:
        """Make every card equal to its state."""
        while await self.delivery.drain():
            pass

    async def ticket(self, ticket_id: TicketId) -> Ticket:
        return await self.service.ticket(ticket_id)

    def cards(self) -> tuple[Message, ...]:
        return self.emu.messages("approvals")

    def card(self) -> Message:
        return self.cards()[-1]

    async def click(self, user: str, action_id: str, **more: Any) -> ActResult:
        """Click on the newest card."""
        return await self.emu.click(user, "approvals", self.card().ts, action_id, **more)


def code_of(result: ActResult) -> str:
    """The stable code of the refusal that a person was shown."""
    for ephemeral in result.ephemerals:
        for block in ephemeral.blocks:
            block_id = str(block.get("block_id", ""))
            if block_id.startswith("placet.refused."):
                return block_id.removeprefix("placet.refused.")
    return ""


async def _serve(handler: Any) -> tuple[web.AppRunner, str]:
    application = web.Application(client_max_size=4 * 1_048_576)
    application.router.add_post("/slack/events", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}/slack/events"


@contextlib.asynccontextmanager
async def open_world(
    *,
    socket_mode: bool = False,
    seed: WorkspaceSeed = SEED,
    bundle: Mapping[str, Any] = BUNDLE,
    groups: Groups | None = None,
    clock: Clock | None = None,
    ledger: MemoryLedger | None = None,
    signer: Signer | None = None,
    ack_timeout_s: float = 20,
    has_proofs: bool = True,
) -> AsyncIterator[World]:
    """Start everything on loopback and stop it again.

    The emulator waits so long for an answer because a busy test machine is no slow app.
    """
    clock, signer = clock or RealClock(), signer or PlainSigner()
    emu = Emulator(seed, MANIFEST, ack_timeout_s=ack_timeout_s, clock=clock.now)
    await emu.start()
    loaded = load(bundle)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(emu.stop)
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        config = SlackConfig(
            bot_token=emu.bot_token,
            signing_secret=emu.signing_secret,
            app_token=emu.app_token if socket_mode else "",
            base_url=emu.base_url,
            team_id=seed.team_id,
        )
        ledger = ledger or MemoryLedger(clock)
        directory = SlackDirectory(
            accounts=SlackAccounts(make_client(config, session), team_id=seed.team_id),
            workspace=Workspace(team_id=seed.team_id),
            members=lambda: loaded.directory,
            tenant=TENANT,
            clock=clock,
            groups=groups,
        )
        service = Service(
            ledger=ledger,
            reader=ledger,
            clock=clock,
            signer=signer,
            directory=directory,
            ids=RandomIds(),
            bundle=loaded,
            tenant=TENANT,
        )
        await _activate(service, ledger, clock, signer)
        app = SlackApp(
            config,
            service=service,
            reader=ledger,
            clock=RealClock(),
            session=session,
            directory=directory,
            places=ledger,
        )
        app.extras.stats = FiguresDesk(
            service=service,
            log=ledger,
            clock=clock,
            accounts=app.accounts,
            publisher=app.publisher,
            uploads=app.uploads,
            channels=app.channels,
        )
        app.extras.requests = ledger
        proofs = Prover(ledger.tiles)
        app.extras.proofs = proofs if has_proofs else None
        stack.push_async_callback(proofs.close)
        await app.start()
        stack.push_async_callback(app.close)
        runner, url = await _serve(app.handle_http)
        stack.push_async_callback(runner.cleanup)
        emu.busy = lambda: not app.is_idle
        if socket_mode:
            await emu.sockets.wait_for(1)
        await emu.connect(request_url="" if socket_mode else url, socket_mode=socket_mode)

        async def card(key: str) -> None:
            ticket = await service.ticket(TicketId(key))
            view = await load_card_view(
                ledger, ticket, tools=service.bundle.tools, team_id=seed.team_id
            )
            place = await ledger.place(ticket.id)
            now = await app.publisher.publish_card(view, channel="C0APPROVE", place=place)
            await ledger.put_place(ticket.id, now)

        async def all_cards(key: str) -> None:
            await owe_all_cards(ledger, ledger, clock)

        async def clear(key: str) -> None:
            await service.clear(TicketId(key))

        delivery = Delivery(
            outbox=ledger,
            reader=ledger,
            clock=clock,
            workers={
                OwedKind.CARD: card,
                OwedKind.ALL_CARDS: all_cards,
                OwedKind.CLEAR: clear,
            },
        )
        yield World(
            emu=emu,
            app=app,
            service=service,
            ledger=ledger,
            directory=directory,
            delivery=delivery,
            url=url,
            session=session,
            proofs=proofs,
        )


async def _activate(service: Service, ledger: MemoryLedger, clock: Clock, signer: Signer) -> None:
    administration = Administration(
        ledger=ledger, reader=ledger, clock=clock, signer=signer, tenant=TENANT
    )
    await administration.register_keys()
    await administration.activate(service.bundle, actor="system:test", only_first=True)
