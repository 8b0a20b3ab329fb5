"""What is looked up before a transaction: an answer that comes late is never milder for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from governance.action import Dispatch
from governance.policy.decision import Effect
from governance.preparation import is_overdue_answer, prepare
from tests.support.build import T0
from tests.support.core import CountingIds, FakeDirectory
from tests.unit.policy.asking import BOUND, ask, bundle, rule


@dataclass
class SlowClock:
    """A clock by which every look takes three seconds."""

    at: datetime = T0

    def now(self) -> datetime:
        self.at += timedelta(seconds=3)
        return self.at


DENIED = bundle(
    rule("never", "deny", topics=["job.wipe"]),
    rule("work", "allow", topics=["job.*"]),
    environments={"dev": {"fail_mode": "unsafe_open"}},
)


@pytest.mark.parametrize(
    ("topic", "effect"), [("job.wipe", Effect.DENY), ("job.build", Effect.ALLOW)]
)
async def test_a_request_that_is_slow_to_judge_is_not_let_past_its_answer(
    topic: str, effect: Effect
):
    given = await prepare(
        ask(topic, environment="dev", dispatch=Dispatch.RELEASE),
        BOUND,
        bundle=DENIED,
        clock=SlowClock(),
        directory=FakeDirectory(),
        ids=CountingIds(),
    )
    assert (given.decision.effect, given.decision.safety_bypassed) == (effect, False)


def test_an_answer_is_overdue_only_past_its_deadline():
    assert not is_overdue_answer(T0, T0 + timedelta(seconds=2), 2)
    assert is_overdue_answer(T0, T0 + timedelta(seconds=2, microseconds=1), 2)
