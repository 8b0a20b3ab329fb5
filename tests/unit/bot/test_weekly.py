"""The weekly digest: once a week, by one process, also after a restart or a failure."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.weekly import NAME, Weekly, last_monday
from governance.errors import Code, Unavailable
from tests.support.build import FixedClock

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


class Post:
    """Where digests go, and what is noted of them."""

    def __init__(self) -> None:
        self.sent: list[tuple[datetime, datetime]] = []
        self.marks: dict[str, int] = {}
        self.leading = True
        self.failing = False
        self.is_full = False

    async def cursor(self, name: str) -> int:
        return self.marks.get(name, 0)

    async def advance(self, name: str, seq: int) -> None:
        if self.is_full:
            raise Unavailable(Code.LEDGER_UNAVAILABLE, "it could not be written")
        self.marks[name] = max(seq, self.marks.get(name, 0))

    async def leads(self) -> bool:
        return self.leading

    async def send(self, since: datetime, until: datetime) -> None:
        if self.failing:
            raise TimeoutError
        self.sent.append((since, until))


def weekly(post: Post, clock: FixedClock) -> Weekly:
    return Weekly(clock=clock, marks=post, leads=post.leads, send=post.send, failures=TimeoutError)


@pytest.mark.parametrize(
    ("now", "monday"),
    [
        ((2, 8, 0), 2),
        ((2, 7, 59), -5),
        ((4, 0, 0), 2),
        ((9, 7, 59), 2),
        ((9, 8, 0), 9),
    ],
)
def test_a_week_is_over_on_monday_when_its_hour_has_come(
    now: tuple[int, int, int], monday: int
) -> None:
    day, hour, minute = now
    at = datetime(2026, 3, day, hour, minute, tzinfo=UTC)
    assert last_monday(at) == MONDAY + timedelta(days=monday - 2)


async def test_a_week_is_sent_once_and_the_next_one_a_week_later() -> None:
    post, clock = Post(), FixedClock(MONDAY + timedelta(hours=9))
    turn = weekly(post, clock).turn
    assert [await turn() for _ in range(3)] == [True, False, False]
    assert post.sent == [(MONDAY - timedelta(days=7), MONDAY)]
    clock.pass_(7 * 86_400)
    restarted = weekly(post, clock)
    assert await restarted.turn()
    assert post.sent[1] == (MONDAY, MONDAY + timedelta(days=7))


async def test_only_the_process_that_leads_sends() -> None:
    post, clock = Post(), FixedClock(MONDAY + timedelta(hours=9))
    post.leading = False
    assert not await weekly(post, clock).turn()
    assert post.sent == []


async def test_what_failed_is_tried_again_and_not_taken_for_sent() -> None:
    post, clock = Post(), FixedClock(MONDAY + timedelta(hours=9))
    post.failing = True
    assert not await weekly(post, clock).turn()
    assert post.marks.get(NAME) is None
    post.failing = False
    assert await weekly(post, clock).turn()
    assert len(post.sent) == 1


async def test_a_week_that_was_sent_while_nothing_could_be_noted_is_not_sent_again() -> None:
    post, clock = Post(), FixedClock(MONDAY + timedelta(hours=9))
    post.is_full = True
    turn = weekly(post, clock).turn
    for _ in range(4):
        with pytest.raises(Unavailable):
            await turn()
    post.is_full = False
    assert not await turn()
    assert len(post.sent) == 1
    assert not await weekly(post, clock).turn()
    assert len(post.sent) == 1


async def test_a_clock_that_goes_back_sends_no_week_twice() -> None:
    post, clock = Post(), FixedClock(MONDAY + timedelta(days=8))
    assert await weekly(post, clock).turn()
    clock.pass_(-7 * 86_400)
    assert not await weekly(post, clock).turn()
