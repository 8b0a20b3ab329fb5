"""What the home tab is told of delivery, and which emergencies have a second channel."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.compose.emergencies import Emergencies, told_of
from bot.delivery import RetryLater
from bot.slack.sending.client import PermanentError
from governance.action import ActionKind, Content, Dispatch
from governance.outbox import Owed, OwedKind
from governance.tickets.ticket import Ticket
from storage.memory.ledger import MemoryLedger
from tests.support.build import T0, FixedClock
from tests.support.core import agent, request
from tests.unit.governance.test_governing import House, bundle

FREEZE = {
    "id": "freeze",
    "description": "nothing changes",
    "violationAction": "BLOCK",
    "match": {"topics": ["job.failover"]},
}
TEMPLATE = {"constraints": ["freeze"], "match": {"topics": ["job.failover"]}, "tier": "high"}


@dataclass
class Voice:
    """A publisher and the channels that it may speak in."""

    said: list[tuple[str, str]] = field(default_factory=list)
    problem: Exception | None = None

    async def check(self, channel: str) -> None:
        if self.problem is not None:
            raise self.problem

    async def post_audit(self, text: str, *, channel: str, blocks: Any) -> None:
        self.said.append((channel, text))


async def house(**template: str) -> House:
    emergency = {"failover": TEMPLATE | template}
    return await House(policy=bundle(constraints=[FREEZE], emergency=emergency)).ready()


async def broken(opened: House) -> Ticket:
    asked = request(
        topic="job.failover",
        tool="",
        capability="",
        action=ActionKind.EXECUTE,
        dispatch=Dispatch.RELEASE,
        labels={"emergency": "failover"},
        content=Content(justification="the primary is down"),
    )
    submitted = await opened.service.submit(asked, agent())
    assert submitted.ticket is not None
    return submitted.ticket


def worker(opened: House, voice: Any) -> Emergencies:
    return Emergencies(
        service=opened.service, reader=opened.ledger, publisher=voice, channels=voice
    )


async def test_the_templates_channel_is_told():
    opened, voice = await house(channel="C0SECOND"), Voice()
    ticket = await broken(opened)
    assert ticket.state == "PENDING"
    await worker(opened, voice).announce(ticket.id)
    ((channel, text),) = voice.said
    assert channel == "C0SECOND"
    assert "EMERGENCY" in text


async def test_a_template_without_a_channel_has_nobody_else_to_tell():
    opened, voice = await house(), Voice()
    await worker(opened, voice).announce((await broken(opened)).id)
    assert voice.said == []


async def test_a_channel_that_somebody_must_mend_is_told_later():
    opened = await house(channel="C0SECOND")
    voice = Voice(problem=PermanentError("conversations.info", "is_archived"))
    with pytest.raises(RetryLater):
        await worker(opened, voice).announce((await broken(opened)).id)
    assert voice.said == []


async def test_the_home_tab_is_told_what_does_not_arrive_and_what_helps():
    ledger = MemoryLedger(FixedClock())
    assert await told_of(ledger) == []
    await ledger.owe(Owed(kind=OwedKind.CARD, key="t-1"), at=T0)
    (claimed,) = await ledger.claim([OwedKind.CARD], at=T0, lease_s=9, limit=1)
    await ledger.bury(claimed, error="chat.update: is_archived")
    (told,) = await told_of(ledger)
    assert "1 card was given up (is_archived)" in told
