"""When a day ends, zone by zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.slack.zones import end_of


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        (date(2026, 12, 24), "Etc/UTC", "2026-12-24T23:59:59"),
        (date(2026, 12, 24), "Asia/Tokyo", "2026-12-24T14:59:59"),
        (date(2026, 12, 24), "America/New_York", "2026-12-25T04:59:59"),
        (date(2026, 3, 29), "Europe/Berlin", "2026-03-29T21:59:59"),  # a day of 23 hours
        (date(2026, 10, 25), "Europe/Berlin", "2026-10-25T22:59:59"),  # a day of 25 hours
        (date(2026, 4, 4), "America/Santiago", "2026-04-05T03:59:59"),  # 23:59 comes twice
        (date(2026, 9, 5), "America/Santiago", "2026-09-06T03:59:59"),  # no midnight follows
    ],
)
def test_a_day_ends_with_its_last_second(day: date, zone: str, end: str) -> None:
    assert end_of(day, ZoneInfo(zone)) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_behind_the_last_day_lies_no_instant() -> None:
    with pytest.raises(OverflowError):
        end_of(date.max, ZoneInfo("Etc/UTC"))
