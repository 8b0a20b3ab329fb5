"""Reading decisions back: in pages, the newest first found, never more than is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from bot import replay
from governance.audit import describe
from governance.control import BundleActivated, Control
from governance.errors import Code, Unavailable
from governance.policy.bundle import load
from governance.ports import Logged, Reader
from governance.principal import AgentId, TenantId
from governance.segments import Detached
from governance.tickets import events as ev
from storage import codec
from tests.support import build

CHOICE = replay.Choice(tenant=build.TENANT, limit=1_000)
POLICY = load({"version": "v1", "name": "then"})


@dataclass
class Log:
    """Records in a list, and how many were read at once."""

    events: list[Logged] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    pages: list[int] = field(default_factory=list)
    detached: Detached | None = None

    def add(self, event: Any, ticket: Any = None) -> None:
        seq = len(self.events) + 1
        self.events.append(
            Logged(
                seq=seq,
                type=type(event).__name__,
                version=event.version,
                at=build.T0 + timedelta(seconds=seq),
                header=describe(event, ticket),
                payload=codec.payload(event),
                hash="",
                encoded=b"",
            )
        )

    async def records(self, after_seq: int, limit: int) -> Sequence[Logged]:
        found = self.events[after_seq : after_seq + limit]
        self.pages.append(len(found))
        return found

    async def head(self) -> tuple[int, str]:
        return len(self.events), ""

    async def control(self) -> Control:
        return Control(detached=self.detached)

    async def content(self, digest: str) -> bytes | None:
        return self.contents.get(digest)


def reader(log: Log) -> Reader:
    return cast("Reader", log)


def activated(log: Log, *, text: bytes | None = None) -> None:
    source = POLICY.to_bytes()
    event = BundleActivated(
        tenant=build.TENANT,
        actor="test",
        snapshot=POLICY.snapshot,
        content_digest="then",
        registry_digest="r",
    )
    log.contents["then"] = source if text is None else text
    log.add(event)


def evaluated(log: Log, number: int = 1, **changes: Any) -> None:
    event = build.evaluated(**changes)
    ruling = replace(event.ruling, snapshot=POLICY.snapshot)
    for _ in range(number):
        log.add(replace(event, ruling=ruling))


async def seqs(log: Log, choice: replay.Choice, most_read: int = 10**6) -> list[int]:
    window = await replay.find(reader(log), choice, most_read=most_read)
    found = [record.seq async for record, _ in replay.records(reader(log), choice, window)]
    assert len(found) == window.cases
    return found


async def test_the_newest_are_found_across_pages_and_told_oldest_first():
    log = Log()
    evaluated(log, replay.PAGE * 2 + 10)
    total = len(log.events)
    wanted = replay.PAGE + 5
    found = await seqs(log, replace(CHOICE, limit=wanted))
    assert found == list(range(total - wanted + 1, total + 1))
    assert max(log.pages) <= replay.PAGE
    assert await seqs(log, replace(CHOICE, limit=10**6)) == list(range(1, total + 1))


async def test_only_what_is_chosen_is_told():
    log = Log()
    evaluated(log)
    evaluated(log, agent=AgentId("other"))
    evaluated(log, trace_id="b")
    log.add(*build.samples()["FullViewOpened"])
    evaluated(log, tenant=TenantId("other"))
    assert await seqs(log, CHOICE) == [1, 2, 3]
    assert await seqs(log, replace(CHOICE, agent=AgentId("other"))) == [2]
    assert await seqs(log, replace(CHOICE, trace_id="b")) == [3]
    assert await seqs(log, replace(CHOICE, since=build.T0 + timedelta(seconds=2))) == [2, 3]
    assert await seqs(log, replace(CHOICE, limit=0)) == []
    assert await seqs(Log(), CHOICE) == []


async def test_no_more_is_read_than_may_be():
    log = Log()
    evaluated(log, replay.PAGE * 3)
    assert len(await seqs(log, replace(CHOICE, limit=10**6), most_read=replay.PAGE)) == replay.PAGE


async def test_the_bundle_that_decided_is_looked_for_before_the_decisions():
    log = Log()
    activated(log)
    evaluated(log, replay.PAGE + 5)
    told: list[tuple[int, int]] = []
    window = await replay.find(
        reader(log),
        replace(CHOICE, limit=1),
        most_read=10**6,
        progress=lambda done, total: told.append((done, total)),
    )
    assert window.cases == 1
    assert list(await replay.bundles(reader(log), window)) == [POLICY.snapshot]
    assert told[-1] == (len(log.events), len(log.events))
    log.contents.clear()
    assert await replay.bundles(reader(log), window) == {}


@pytest.mark.parametrize("text", [b"[]", b"{", load({"name": "other"}).to_bytes()])
async def test_another_text_than_the_one_activated_decides_nothing(text: bytes):
    log = Log()
    activated(log, text=text)
    evaluated(log)
    window = await replay.find(reader(log), CHOICE, most_read=10**6)
    assert await replay.bundles(reader(log), window) == {}


async def test_a_record_that_does_not_read_back_is_not_judged():
    log = Log()
    evaluated(log)
    broken = replace(log.events[0], payload={"ask": {"tenant": 1}, "ruling": {}})
    with pytest.raises(Unavailable) as caught:
        replay.case_of(broken, None)
    assert caught.value.code is Code.LEDGER_UNAVAILABLE
    case = replay.case_of(log.events[0], b"x")
    assert (case.seq, case.content, case.stands) == (1, b"x", False)


async def test_a_job_that_was_not_denied_counts_as_done():
    log = Log()
    log.add(*build.samples()[ev.TicketOpened.__name__])
    assert replay.case_of(log.events[0], None).stands is True
    payload = log.events[0].payload
    assert isinstance(payload, dict)
    denied = replace(log.events[0], payload={**payload, "state": "DENIED"})
    assert replay.case_of(denied, None).stands is False


async def test_the_walk_ends_where_older_records_are_detached():
    log = Log()
    evaluated(log, 9)
    log.detached = Detached(last=4, head="", state="")
    assert await seqs(log, CHOICE) == [5, 6, 7, 8, 9]
