"""How many requests one credential may send.

Lives here: a token bucket for each credential. Must not live here: what policy throttles (the
ledger holds those buckets, for all processes), bounds of one request. Law: a loop that runs away
under one credential does not take this process from the others; the bound is each process's own,
is lost with it, and counts only who has proven who they are.
"""

import time
from collections.abc import Callable
from math import ceil

from aiohttp import web

from bot.api.problems import HttpRefused, Problem
from bot.http import TOO_MANY_REQUESTS

AT_ONCE = 10
"""So many seconds' worth may come at once, after as long a rest."""


class Pace:
    """One moment for each credential: when all that it sent would have been due at the rate.

    There are as many as credentials that were used since the start, which operators make.
    Source: the generic cell rate algorithm (ITU-T I.371), which needs no timer.
    """

    def __init__(self, per_s: int, now: Callable[[], float] = time.monotonic) -> None:
        """``per_s`` requests a second; 0: no bound."""
        self._gap_s = 1 / per_s if per_s else 0.0
        self._now = now
        self._due: dict[str, float] = {}

    def take(self, credential_id: str) -> None:
        """Count one request.

        Raises:
            HttpRefused: ``too_many_requests``, and when to come back; it was not counted.
        """
        now = self._now()
        due = self._due.get(credential_id, now)
        due = (max(now, due)) + self._gap_s
        if due - now > AT_ONCE:
            raise _too_many(due - now - AT_ONCE)
        self._due[credential_id] = due


PACE = web.AppKey("pace", Pace)
"""The one of an application: a credential's bearer and its webhooks are paced together."""


def _too_many(wait_s: float) -> HttpRefused:
    return HttpRefused(
        Problem(
            code=TOO_MANY_REQUESTS,
            message="this credential sends more requests than one may; nothing was done",
            status=429,
            retry_after_s=ceil(wait_s),
        )
    )
