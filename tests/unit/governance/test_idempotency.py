"""Until when a key is kept, and which hints are believed."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from governance import control as ctl
from governance.action import ActionKind, ActionRequest, Dispatch
from governance.errors import Refused
from governance.idempotency import ENDED, KEPT_FOR, is_repeat, kept_until
from governance.ports import Committed, IdempotencyKey, Keys, Step
from governance.principal import AgentId, TenantId
from governance.service import Service
from governance.tickets.ticket import TicketId, TicketState
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.activation import BASE
from tests.support.build import AGENT, T0, TENANT, FixedClock
from tests.support.commits import append
from tests.support.core import CountingIds, FakeDirectory, FakeSigner, agent, request

T = TypeVar("T")
TICKET = build.sample_ticket()
ASK = TICKET.ask
KEY = (ASK.tenant, ASK.agent, ASK.idempotency_key)
LIVE = set(TicketState) - ENDED


def test_what_may_still_change_is_not_over():
    assert {
        TicketState.PENDING,
        TicketState.APPROVED,
        TicketState.EXECUTING,
        TicketState.UNKNOWN,
    } == LIVE


@pytest.mark.parametrize("state", sorted(TicketState))
def test_only_the_end_of_a_ticket_ends_its_key(state: TicketState):
    after = replace(TICKET, state=state)
    expected = T0 + timedelta(days=30) if state in ENDED else None
    assert kept_until(TICKET, after, T0) == expected
    assert kept_until(None, after, T0) == expected


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_is_said_of_a_ticket_after_its_end_keeps_its_key_no_longer(state: TicketState):
    over = replace(TICKET, state=state)
    assert kept_until(over, over, T0) is None


def test_a_hint_at_the_ticket_of_this_very_request_is_believed():
    assert is_repeat(TICKET, KEY, ASK.request_digest, T0)


@pytest.mark.parametrize(
    "key",
    [
        (TenantId("other"), ASK.agent, ASK.idempotency_key),
        (ASK.tenant, AgentId("other"), ASK.idempotency_key),
        (ASK.tenant, ASK.agent, "other"),
    ],
)
def test_a_hint_at_the_ticket_of_somebody_else_is_not_believed(
    key: tuple[TenantId, AgentId, str],
):
    assert not is_repeat(TICKET, key, ASK.request_digest, T0)


def test_a_hint_at_the_ticket_of_another_request_is_not_believed():
    assert not is_repeat(TICKET, KEY, "0" * 64, T0)


def test_a_hint_at_a_ticket_whose_key_may_be_forgotten_is_not_believed():
    assert is_repeat(TICKET, KEY, ASK.request_digest, T0 + KEPT_FOR - timedelta(microseconds=1))
    assert not is_repeat(TICKET, KEY, ASK.request_digest, T0 + KEPT_FOR)


@dataclass
class Told:
    """A store that says what it is set to say, and notes what it is told."""

    says: TicketId | None = None
    asked: list[IdempotencyKey] = field(default_factory=list)
    told: list[tuple[IdempotencyKey, TicketId]] = field(default_factory=list)

    async def ticket_of(self, key: IdempotencyKey) -> TicketId | None:
        self.asked.append(key)
        return self.says

    async def tell(self, key: IdempotencyKey, ticket_id: TicketId) -> None:
        self.told.append((key, ticket_id))


class Counted(MemoryLedger):
    """A ledger that counts commits."""

    commits = 0

    async def commit(self, keys: Keys, step: Step[T]) -> Committed[T]:
        self.commits += 1
        return await super().commit(keys, step)


@pytest.fixture
def store() -> Told:
    return Told()


@pytest.fixture
async def ledger() -> Counted:
    made = Counted(FixedClock())
    activated = ctl.BundleActivated(
        tenant=TENANT,
        actor="operator:x",
        snapshot=BASE.snapshot,
        content_digest="a" * 64,
        registry_digest="b" * 64,
    )
    await append(made, activated)
    return made


@pytest.fixture
def service(ledger: Counted, store: Told) -> Service:
    return Service(
        ledger=ledger,
        reader=ledger,
        clock=FixedClock(),
        signer=FakeSigner(),
        directory=FakeDirectory(),
        ids=CountingIds(),
        bundle=BASE,
        tenant=TENANT,
        repeats=store,
    )


def asked(**changes: Any) -> ActionRequest:
    own = {"tool": "", "action": ActionKind.WRITE, "dispatch": Dispatch.RELEASE}
    return request(**{**own, **changes})


async def test_the_store_is_told_what_the_ledger_said(service: Service, store: Told):
    first = await service.submit(asked(), agent())
    again = await service.submit(asked(), agent())
    key = (TENANT, AGENT, "key-1")
    assert first.ticket_id is not None
    assert again.is_repeat
    assert store.told == [(key, first.ticket_id)] * 2
    assert store.asked == [key] * 2


async def test_a_store_that_is_right_spares_the_writer(
    service: Service, ledger: Counted, store: Told
):
    first = await service.submit(asked(), agent())
    store.says, before = first.ticket_id, ledger.commits
    again = await service.submit(asked(), agent())
    assert (again.ticket_id, again.is_repeat, again.effect) == (first.ticket_id, True, first.effect)
    assert ledger.commits == before


@pytest.mark.parametrize("changes", [{"idempotency_key": "key-2"}, {"target": "web-2"}])
async def test_a_store_that_is_wrong_is_not_believed(
    service: Service, ledger: Counted, store: Told, changes: dict[str, str]
):
    first = await service.submit(asked(), agent())
    store.says, before = first.ticket_id, ledger.commits
    with suppress(Refused):
        other = await service.submit(asked(**changes), agent())
        assert other.ticket_id != first.ticket_id
    assert ledger.commits == before + 1


async def test_a_store_that_names_no_ticket_is_not_believed(service: Service, store: Told):
    store.says = TicketId("nowhere")
    assert not (await service.submit(asked(), agent())).is_repeat
