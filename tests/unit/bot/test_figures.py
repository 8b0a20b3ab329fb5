"""Gathering figures: which stretch of the log is read, in which pages."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

import bot.figures.gathered
from bot.figures.gathered import gather
from governance.principal import TenantId
from governance.statistics import Fact
from tests.support.build import T0, TENANT

HOUR = timedelta(hours=1)


class Log:
    """An hour between two records."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.read: list[tuple[int, int]] = []

    async def head(self) -> tuple[int, str]:
        return self.size, ""

    async def seq_before(self, at: datetime) -> int:
        return sum(self._at(seq) < at for seq in range(1, self.size + 1))

    async def facts(self, tenant: TenantId, after_seq: int, until_seq: int) -> Sequence[Fact]:
        self.read.append((after_seq, until_seq))
        return [
            Fact(seq=seq, at=self._at(seq), type="DecisionEvaluated", word="ALLOW")
            for seq in range(after_seq + 1, until_seq + 1)
        ]

    @staticmethod
    def _at(seq: int) -> datetime:
        return T0 + seq * HOUR


async def test_every_record_of_the_window_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.figures.gathered, "PAGE", 7)
    log = Log(200)
    found = await gather(log, TENANT, since=T0 + 100 * HOUR, until=T0 + 149 * HOUR)
    assert found.effects == {"ALLOW": 50}
    assert log.read[0] == (51, 58)  # 48 hours before it: what is still waiting
    assert log.read[-1][0] <= 149 < log.read[-1][1]  # and nothing behind it
    assert all(high - low <= 7 for low, high in log.read)


async def test_an_empty_log_and_a_window_at_its_end_are_read_whole() -> None:
    empty = Log(0)
    assert (await gather(empty, TENANT, since=T0, until=T0 + HOUR)).effects == {}
    assert empty.read == []
    log = Log(10)
    found = await gather(log, TENANT, since=T0, until=T0 + 99 * HOUR)
    assert (found.effects, log.read) == ({"ALLOW": 10}, [(0, 10)])
