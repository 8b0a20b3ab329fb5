"""The service process: HTTP, Slack, delivery and the clock over one core.

Lives here: the composition of ``placet serve``. Must not live here: logic of any of them.
Law: it answers 503 until everything that it needs is proven, and what it began is drained when it
stops.
"""

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from bot.api import server
from bot.api.app import build_api
from bot.api.deps import ApiDeps, Limits, Writing
from bot.compose import policy
from bot.compose.checkpoints import witnesses_of
from bot.compose.clock import start_clock
from bot.compose.core import Core, core_over
from bot.compose.emergencies import told_of
from bot.compose.figures import figures_desk, weekly_of
from bot.compose.following import PolicyFollower
from bot.compose.keys import open_signer, purposes_of, sign_heads
from bot.compose.people import directory_of
from bot.compose.repeats import check_store, open_repeats
from bot.compose.rollback import check_published
from bot.compose.speaking import Speaking
from bot.compose.undelivered import Undelivered
from bot.compose.unknowns import watch_lost
from bot.delivery import Delivery, Worker, owe_all_cards
from bot.people.identity import SlackDirectory
from bot.people.static_directory import StaticDirectory
from bot.reassess import judge_open
from bot.scheduler import JumpGuard, WallClock
from bot.settings import Settings, SlackMode
from bot.signing.signer import StoreSigner
from bot.slack.app import SlackApp
from bot.slack.sending.client import SlackConfig
from bot.slack.sending.pace import Pace
from bot.webhook_secrets import FileWebhookSecrets
from governance.errors import Code, Unavailable
from governance.outbox import OwedKind
from governance.policy.active import ActiveBundle
from governance.policy.model import Bundle
from governance.ports import Directory
from governance.tickets.ticket import TicketId
from storage.ledger import SqlLedger

SLACK_PATH = "/slack/events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A service that answers."""

    core: Core
    base_url: str
    is_idle: Callable[[], bool]
    """Whether nothing is being answered or delivered right now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """What readiness is told besides the ledger's word."""

    guard: JumpGuard
    follower: PolicyFollower
    undelivered: Undelivered

    async def reasons(self) -> Sequence[str]:
        jumped = ("the clock jumped ahead",) if self.guard.has_jumped else ()
        unread = (f"bundle: {self.follower.problem}",) if self.follower.problem else ()
        return (*jumped, *unread)

    def notes(self) -> Sequence[str]:
        on_disk = (self.follower.disk,) if self.follower.disk else ()
        return (*on_disk, *self.undelivered.told)


@asynccontextmanager
async def run_serve(
    settings: Settings, *, listener: socket.socket | None = None, accepted_by: str = ""
) -> AsyncIterator[Serving]:
    """Serve until the context ends; ``listener`` replaces the address of the settings.

    ``accepted_by`` is who lets it start on a log that lacks what was published.

    Raises:
        InvalidInput: ``invalid_bundle`` or ``invalid_settings``.
        Unavailable: the ledger, the keys or Slack cannot be used; ``rolled_back``.
    """
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(SqlLedger(settings.database, WallClock()))
        await check_published(settings, ledger, accepted_by=accepted_by)
        await ledger.check_writable()
        start = await policy.at_start(settings, ledger)
        active = ActiveBundle(start.bundle)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        config = slack_config(settings)
        directory = directory_of(settings, active, config, session)
        signer = await stack.enter_async_context(open_signer(settings, ledger, start.bundle))
        core = core_over(
            ledger,
            settings,
            active=active,
            directory=directory,
            signer=signer,
            repeats=await stack.enter_async_context(open_repeats(settings, start.bundle)),
        )
        sign_heads(settings, ledger)
        await core.administration.register_keys()
        await policy.activate_first(core.administration, start)
        follower = await _policy(stack, core, active, signer, start.disk)
        pace = Pace()
        slack = await _slack(stack, core, config, session, directory, pace=pace)
        delivery = await _delivery(stack, core, slack, directory, pace)
        guard = JumpGuard(core.clock)
        undelivered = Undelivered(core.ledger)
        weekly = weekly_of(core, slack)
        await start_clock(stack, core, guard, weekly=weekly, undelivered=undelivered)
        watch = _Watch(guard=guard, follower=follower, undelivered=undelivered)
        base_url = await _http(stack, core, slack, watch, listener)

        def is_idle() -> bool:
            return delivery.is_idle and (slack is None or slack.is_idle)

        yield Serving(core=core, base_url=base_url, is_idle=is_idle)


def slack_config(settings: Settings) -> SlackConfig | None:
    """How Slack is reached, None where it is off."""
    if settings.slack_mode is SlackMode.OFF:
        return None
    is_socket = settings.slack_mode is SlackMode.SOCKET
    return SlackConfig(
        bot_token=_secret(settings.slack_bot_token),
        signing_secret=_secret(settings.slack_signing_secret),
        app_token=_secret(settings.slack_app_token) if is_socket else "",
        base_url=settings.slack_api_url,
        team_id=settings.slack_team,
        app_id=settings.slack_app_id,
        language=settings.language.value,
    )


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


async def _policy(
    stack: AsyncExitStack, core: Core, active: ActiveBundle, signer: StoreSigner, disk: str
) -> PolicyFollower:
    async def adopt(bundle: Bundle) -> None:
        check_store(core.settings, bundle)
        await signer.ensure(purposes_of(core.settings.signer, bundle))
        await core.administration.register_keys()
        active.replace(bundle)

    async def hold() -> bool:
        return (await judge_open(core.service, core.ledger)).left == 0

    follower = PolicyFollower(
        settings=core.settings,
        reader=core.ledger,
        current=lambda: active.current,
        adopt=adopt,
        hold=hold,
        disk=disk,
    )
    follower.start()
    stack.push_async_callback(follower.stop)
    return follower


async def _slack(
    stack: AsyncExitStack,
    core: Core,
    config: SlackConfig | None,
    session: aiohttp.ClientSession,
    directory: SlackDirectory | StaticDirectory,
    *,
    pace: Pace,
) -> SlackApp | None:
    if config is None or not isinstance(directory, SlackDirectory):
        return None
    slack = SlackApp(
        config,
        service=core.service,
        reader=core.ledger,
        clock=core.clock,
        session=session,
        directory=directory,
        places=core.ledger,
        pace=pace,
    )
    slack.extras.stats = figures_desk(core, slack)
    slack.extras.requests = core.ledger
    slack.extras.troubles = partial(told_of, core.ledger)
    slack.extras.proofs = core.proofs
    await slack.start()
    stack.push_async_callback(slack.close)
    return slack


async def _delivery(
    stack: AsyncExitStack,
    core: Core,
    slack: SlackApp | None,
    directory: Directory,
    pace: Pace,
) -> Delivery:
    async def clear(key: str) -> None:
        await core.service.clear(TicketId(key))

    async def all_cards(_tenant: str) -> None:
        await owe_all_cards(core.ledger, core.ledger, core.clock)

    workers: dict[OwedKind, Worker] = {OwedKind.CLEAR: clear, OwedKind.ALL_CARDS: all_cards}
    speaking = None if slack is None else Speaking(core, slack, directory, pace)
    delivery = Delivery(
        outbox=core.ledger,
        reader=core.ledger,
        clock=core.clock,
        workers=workers if speaking is None else {**workers, **speaking.workers()},
        lanes=() if speaking is None else speaking.lanes(),
    )
    if speaking is not None:
        await watch_lost(core.service.tenant, core.ledger, core.ledger, core.clock)
        speaking.start(stack, delivery)
    delivery.start()
    stack.push_async_callback(delivery.stop)
    return delivery


async def _http(
    stack: AsyncExitStack,
    core: Core,
    slack: SlackApp | None,
    watch: _Watch,
    listener: socket.socket | None,
) -> str:
    routes = [web.post(SLACK_PATH, slack.handle_http)] if slack is not None else []
    deps = ApiDeps(
        service=core.service,
        reader=core.ledger,
        clock=core.clock,
        readiness=watch.reasons,
        notes=watch.notes,
        writing=partial(writing_of, core.ledger),
        webhook_secrets=FileWebhookSecrets(core.settings.keys / "webhooks"),
        transparency=core.proofs,
        origin=core.settings.origin,
        witnesses=witnesses_of(core.settings),
        routes=routes,
        limits=Limits(requests_per_s=core.settings.requests_per_s),
    )
    runner = server.runner(build_api(deps))
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    held = listener or _bind(core.settings.host, core.settings.port)
    await web.SockSite(runner, held).start()
    host, port = held.getsockname()[:2]
    return f"http://{host}:{port}"


def writing_of(ledger: SqlLedger) -> Writing:
    """What the writer of ``ledger`` last saw."""
    seen = ledger.condition
    return Writing(failed_commits=seen.failed_commits, unwritable_s=seen.unwritable_s)


def _bind(host: str, port: int) -> socket.socket:
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, port))
    except OSError as error:
        held.close()
        raise Unavailable(
            Code.NOT_READY, f"cannot listen on {host}:{port}: {error.strerror}"
        ) from error
    return held
