"""In which zone a person's day is.

Lives here: the zone that an account names, and when a day ends in it. Must not live here: what
time of day means anything (``bot.reminding``). Law: a zone that cannot be had is UTC: it moves a
reminder, or the end of a day, which is said back as the instant that it is.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.people.directories import LookupFailedError
from bot.people.lookups import Lookups
from governance.ports import Clock
from governance.principal import PersonId

ZONE_TTL_S = 86_400
"""A reminder may follow somebody to another zone a day late."""


class Accounts(Protocol):
    """What is asked of a workspace."""

    async def account(self, user_id: str) -> Mapping[str, object]:
        """One account as ``users.info`` describes it."""
        ...


class Zones:
    """Zones of one workspace's people."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._found = Lookups(clock, accounts.account)

    async def zone(self, person_id: PersonId, *, ttl_s: int = ZONE_TTL_S) -> tzinfo:
        """The zone of a person's account; UTC where Slack does not say."""
        try:
            account = await self._found.get(user_of(person_id), ttl_s=ttl_s)
            return ZoneInfo(str(account.get("tz") or "UTC"))
        except (LookupFailedError, ZoneInfoNotFoundError, ValueError, OSError):
            return UTC


def end_of(day: date, zone: tzinfo) -> datetime:
    """The last second of a day in a zone, also of one that is longer or shorter than others.

    Raises:
        OverflowError: no instant lies behind it.
    """
    next_day = datetime.combine(day + timedelta(days=1), time(), zone)
    return next_day.astimezone(UTC) - timedelta(seconds=1)


def user_of(person_id: PersonId) -> str:
    """The user id within a person's id."""
    return person_id.rpartition("/")[2]
