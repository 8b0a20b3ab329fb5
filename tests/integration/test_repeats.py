"""A Redis that is emptied, killed, slow or lying runs nothing twice and answers nothing wrong."""

import asyncio
import importlib.util
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.compose.repeats import open_repeats
from bot.ids import RandomIds
from bot.repeats import PAUSE_S, RedisRepeats
from bot.settings import Settings
from governance.action import ActionKind, ActionRequest, Dispatch
from governance.administration import Administration
from governance.errors import Code, InvalidInput, Refused
from governance.idempotency import KEPT_FOR, Repeats
from governance.policy.bundle import load
from governance.policy.model import Bundle
from governance.principal import AgentId
from governance.service import Service
from governance.steps import Submitted
from storage.ledger import SqlLedger
from tests.support import redis
from tests.support.activation import BASE
from tests.support.build import AGENT, TENANT, FixedClock
from tests.support.commits import whole
from tests.support.core import FakeDirectory, FakeSigner, agent, request
from tests.support.redis import RedisServer

LOG = "acme.example/placet"
KEY = (TENANT, AGENT, "key-1")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="placet-redis-") as name:  # a socket's path is short
        yield Path(name)


@pytest.fixture
def server(folder: Path) -> Iterator[RedisServer]:
    with redis.running(folder) as made:
        yield made


class Monotonic:
    """Time since some moment, moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class House:
    """Services over one log, each with a connection of its own to one Redis."""

    def __init__(self, url: str, path: Path) -> None:
        self.clock = FixedClock()
        self.time = Monotonic()
        self.url = url
        self.path = path
        self.ledgers: list[SqlLedger] = []
        self.stores: list[RedisRepeats] = []
        self.services: list[Service] = []
        self.stack = AsyncExitStack()

    async def add(self, answer_s: float = 2.0) -> Service:
        ledger = await self.stack.enter_async_context(
            SqlLedger(f"sqlite:///{self.path}/placet.db", self.clock)
        )
        store = RedisRepeats(self.url, log=LOG, answer_s=answer_s, monotonic=self.time)
        self.stack.push_async_callback(store.close)
        service = self.service(ledger, store)
        if not self.ledgers:
            admin = Administration(
                ledger=ledger, reader=ledger, clock=self.clock, signer=FakeSigner(), tenant=TENANT
            )
            await admin.register_keys()
            await admin.activate(BASE, actor="operator:x")
        self.ledgers.append(ledger)
        self.stores.append(store)
        self.services.append(service)
        return service

    def service(self, ledger: SqlLedger, repeats: Repeats | None) -> Service:
        return Service(
            ledger=ledger,
            reader=ledger,
            clock=self.clock,
            signer=FakeSigner(),
            directory=FakeDirectory(),
            ids=RandomIds(),
            bundle=BASE,
            tenant=TENANT,
            repeats=repeats,
        )

    async def opened(self) -> int:
        """How many jobs there are."""
        return sum(record.type == "TicketOpened" for record in await whole(self.ledgers[0]))


@asynccontextmanager
async def house_of(url: str, path: Path, **given: float) -> AsyncIterator[House]:
    made = House(url, path)
    async with made.stack:
        await made.add(**given)
        yield made


@pytest.fixture
async def house(server: RedisServer, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(server.url, tmp_path) as made:
        yield made


def asked(**changes: Any) -> ActionRequest:
    own = {"tool": "", "capability": "", "action": ActionKind.WRITE, "dispatch": Dispatch.RELEASE}
    return request(**{**own, **changes})


async def ask(service: Service, **changes: Any) -> Submitted:
    return await service.submit(asked(**changes), agent())


@asynccontextmanager
async def client(server: RedisServer) -> AsyncIterator[Redis]:
    made = Redis(unix_socket_path=str(server.path))
    try:
        yield made
    finally:
        await made.aclose()


async def names(server: RedisServer) -> list[bytes]:
    async with client(server) as raw:
        return [name async for name in raw.scan_iter()]


async def test_a_repeat_is_answered_without_the_writer(house: House):
    service = house.services[0]
    first = await ask(service)
    await asyncio.to_thread(house.ledgers[0]._writer.close)  # nothing can be written any more
    again = await ask(service)
    assert (again.ticket_id, again.is_repeat) == (first.ticket_id, True)
    assert again.ticket == first.ticket


async def test_redis_learns_no_key_no_name_and_no_content(house: House, server: RedisServer):
    done = await ask(house.services[0])
    (name,) = await names(server)
    async with client(server) as raw:
        value, lasts = await raw.get(name), await raw.pttl(name)
    assert value == str(done.ticket_id).encode()
    assert name.startswith(b"placet:")
    assert not any(word in name for word in (b"key-1", b"acme", b"deployer"))
    assert 0 < lasts <= KEPT_FOR.total_seconds() * 1000


async def test_200_same_requests_at_once_over_two_processes_are_one_job(house: House):
    await house.add()
    every = [ask(house.services[number % 2]) for number in range(200)]
    found = await asyncio.gather(*every)
    assert len({done.ticket_id for done in found}) == 1
    assert sum(not done.is_repeat for done in found) == 1
    assert await house.opened() == 1


async def test_200_same_requests_while_redis_is_emptied_and_killed_are_one_job(
    house: House, server: RedisServer
):
    await house.add()

    async def disturb() -> None:
        async with client(server) as raw:
            for _ in range(20):
                await raw.flushall()
        server.end()

    every = [ask(house.services[number % 2]) for number in range(200)]
    found = (await asyncio.gather(disturb(), *every))[1:]
    assert len({done.ticket_id for done in found}) == 1
    assert await house.opened() == 1


async def test_an_emptied_redis_is_filled_again_by_the_ledger_s_word(
    house: House, server: RedisServer
):
    first = await ask(house.services[0])
    async with client(server) as raw:
        await raw.flushall()
    again = await ask(house.services[0])
    assert (again.ticket_id, again.is_repeat) == (first.ticket_id, True)
    assert len(await names(server)) == 1
    assert await house.opened() == 1


async def test_another_request_under_the_key_is_a_conflict_that_tells_nothing(house: House):
    first = await ask(house.services[0])
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await ask(house.services[0], target="web-2")
        assert caught.value.code is Code.IDEMPOTENCY_CONFLICT
        assert str(first.ticket_id) not in caught.value.message
    assert await house.opened() == 1


async def poison(server: RedisServer, value: bytes) -> None:
    (name,) = await names(server)
    async with client(server) as raw:
        await raw.set(name, value)


async def test_a_redis_that_names_somebody_else_s_ticket_shows_nobody_that_ticket(
    house: House, server: RedisServer
):
    service = house.services[0]
    other = AgentId("other")
    theirs = await service.submit(asked(agent=other), agent(id=other))
    async with client(server) as raw:
        await raw.flushall()
    mine = await ask(service)
    await poison(server, str(theirs.ticket_id).encode())
    again = await ask(service)
    assert (again.ticket_id, again.is_repeat) == (mine.ticket_id, True)
    assert again.ticket is not None
    assert again.ticket.ask.agent == AGENT
    async with client(server) as raw:  # and is told what is right
        assert await raw.get((await names(server))[0]) == str(mine.ticket_id).encode()


async def test_a_redis_that_names_a_ticket_for_a_new_key_keeps_nobody_from_a_job(
    house: House, server: RedisServer
):
    service = house.services[0]
    first = await ask(service)
    async with client(server) as raw:
        name = house.stores[0]._name((TENANT, AGENT, "key-2"))
        await raw.set(name, str(first.ticket_id))
    second = await ask(service, idempotency_key="key-2")
    assert not second.is_repeat
    assert second.ticket_id != first.ticket_id


@pytest.mark.parametrize(
    "value", [b"", b"no-such-ticket", b"a\x00b", b"\xff\xfe", b"x" * 1_000_000, b"' OR 1=1 --"]
)
async def test_a_redis_that_says_nonsense_changes_nothing(
    house: House, server: RedisServer, value: bytes
):
    first = await ask(house.services[0])
    await poison(server, value)
    again = await ask(house.services[0])
    assert (again.ticket_id, again.is_repeat) == (first.ticket_id, True)
    assert await house.opened() == 1


async def test_a_redis_whose_value_is_of_another_kind_changes_nothing(
    house: House, server: RedisServer
):
    first = await ask(house.services[0])
    (name,) = await names(server)
    async with client(server) as raw:
        await raw.delete(name)
        await raw.rpush(name, "a", "b")
    again = await ask(house.services[0])
    assert (again.ticket_id, again.is_repeat) == (first.ticket_id, True)


async def test_a_forgotten_key_opens_a_new_job_whatever_redis_remembers(
    house: House, server: RedisServer
):
    service, ledger = house.services[0], house.ledgers[0]
    first = await ask(service)
    house.clock.pass_(KEPT_FOR.total_seconds() * 2)
    late = await ask(service, idempotency_key="other")  # the log has seen that time
    assert late.ticket_id is not None
    await ledger._upkeep(lambda c: c.execute("UPDATE idempotency SET kept_until = '2026'"))
    assert await ledger.forget_keys(1) == 1
    await poison_all(server, str(first.ticket_id).encode())
    again = await ask(service)
    assert not again.is_repeat
    assert again.ticket_id != first.ticket_id


async def poison_all(server: RedisServer, value: bytes) -> None:
    async with client(server) as raw:
        for name in await names(server):
            await raw.set(name, value)


async def test_a_redis_that_answers_nothing_costs_one_short_wait(
    server: RedisServer, tmp_path: Path
):
    async with house_of(server.url, tmp_path, answer_s=0.5) as house:
        service = house.services[0]
        first = await ask(service)
        server.stop()
        begun = time.monotonic()
        for _ in range(20):
            again = await ask(service)
            assert again.ticket_id == first.ticket_id
        assert time.monotonic() - begun < 20 * 0.5  # else every one of them had waited
        assert await house.opened() == 1


async def test_a_redis_that_is_back_is_asked_again_after_a_rest(
    house: House, server: RedisServer, folder: Path
):
    service = house.services[0]
    await ask(service)
    server.end()
    await ask(service)
    with redis.running(folder) as anew:
        await ask(service)
        assert await names(anew) == []  # it rests
        house.time.at += PAUSE_S
        await ask(service)
        assert len(await names(anew)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"$5\r\nwrong\r\n",
        b"+\r\n" * 50,
        b"*-7\r\n",
        b"$99999999999999999999\r\n",
        b"*1\r\n" * 20_000,
        b":not-a-number\r\n",
        b"%2\r\n$1\r\na\r\n",
        b"\x00\xff" * 100,
        b"-LOADING busy\r\n",
        b"",
    ],
)
async def test_a_server_that_is_no_redis_changes_nothing(
    folder: Path, tmp_path: Path, answer: bytes
):
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536) and answer:
            writer.write(answer)
        writer.close()

    lying = await asyncio.start_unix_server(lie, folder / "lying.sock")
    async with lying, house_of(f"unix://{folder}/lying.sock", tmp_path, answer_s=0.2) as house:
        first = await ask(house.services[0])
        for _ in range(3):
            house.time.at += PAUSE_S
            again = await ask(house.services[0])
            assert (again.ticket_id, again.is_repeat) == (first.ticket_id, True)
        assert await house.opened() == 1
        for store in house.stores:
            await store.close()


# At start


async def opened_with(store: str, bundle: Bundle = BASE) -> Repeats | None:
    async with open_repeats(Settings(idempotency_store=store), bundle) as made:
        return made


def asking_for(store: str | None) -> Bundle:
    """A bundle with the block that names a store."""
    approval = {"roles": {"operator": {"weight": 2, "min_required": 1}}}
    executor = {} if store is None else {"idempotency_store": store}
    return load({"exception_routing": {"approval": approval, "executor": executor}})


@pytest.mark.parametrize("store", [None, "ledger"])
async def test_a_bundle_that_names_no_redis_needs_none(store: str | None):
    assert await opened_with("ledger", asking_for(store)) is None


async def test_a_bundle_that_names_redis_does_not_start_without_one():
    with pytest.raises(InvalidInput, match="PLACET_IDEMPOTENCY_STORE") as caught:
        await opened_with("ledger", asking_for("redis"))
    assert caught.value.code is Code.INVALID_SETTINGS


def test_a_bundle_that_names_another_store_does_not_load():
    with pytest.raises(InvalidInput, match="ledger and redis") as caught:
        asking_for("memcached")
    assert caught.value.pointer == "/exception_routing/executor/idempotency_store"


async def test_a_bundle_that_names_redis_starts_with_one(server: RedisServer):
    assert isinstance(await opened_with(server.url, asking_for("redis")), RedisRepeats)


async def test_the_ledger_alone_is_the_default_and_needs_no_redis():
    assert await opened_with(Settings().idempotency_store) is None


async def test_a_redis_that_answers_is_used(server: RedisServer):
    assert isinstance(await opened_with(server.url), RedisRepeats)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("redis", "is ledger, redis://"),
        ("http://localhost:6379", "is ledger, redis://"),
        ("unix:///nowhere/redis.sock", "start it, or set it to ledger"),
        ("redis://user:hunter2@127.0.0.1:1/0", "start it, or set it to ledger"),
    ],
)
async def test_a_store_that_cannot_be_used_is_an_error_at_start(store: str, said: str):
    with pytest.raises(InvalidInput, match=said) as caught:
        await opened_with(store)
    assert caught.value.code is Code.INVALID_SETTINGS
    assert "PLACET_IDEMPOTENCY_STORE" in caught.value.message
    assert "hunter2" not in caught.value.message


async def test_a_client_that_is_not_installed_is_an_error_at_start(
    monkeypatch: pytest.MonkeyPatch,
):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "bot.compose.repeats.find_spec", lambda name: None if name == "redis" else real(name)
    )
    with pytest.raises(InvalidInput, match=r"pip install 'placet\[redis\]'") as caught:
        await opened_with("redis://127.0.0.1:6379/0")
    assert caught.value.code is Code.INVALID_SETTINGS


async def test_deployments_that_share_a_server_share_no_keys():
    one = RedisRepeats("redis://127.0.0.1:1", log="a/log")
    two = RedisRepeats("redis://127.0.0.1:1", log="b/log")
    assert one._name(KEY) != two._name(KEY)
    assert one._name(("a", "b,c", "d")) != one._name(("a,b", "c", "d"))
