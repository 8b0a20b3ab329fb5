"""Each request is acted on once, whichever process it reaches.

Lives here: the name of a request, and the frame around whatever acts on one. Must not live here:
the process's own memory of signed bytes (``guard``), which only spares the question. Law: what
changes something is done at the first arrival alone, also where several processes serve and after
a restart: a vote that was withdrawn does not come back by its old bytes, nor by an envelope that
Slack sends again. The ledger takes a request with the first thing that it commits for it; what
changed nothing is taken afterwards, so that a refusal, too, is the end of these bytes.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol, TypeVar

from bot.slack.guard import REMEMBER
from governance.errors import Unavailable
from governance.once import RepeatedError, Request, in_hand
from governance.ports import Clock

T = TypeVar("T")
_log = logging.getLogger("placet.slack")


class Requests(Protocol):
    """What every process on one ledger knows of requests."""

    async def take(self, key: str, *, at: datetime, until: datetime) -> bool:
        """Whether nobody has taken this one yet.

        Raises:
            Unavailable: ``ledger_unavailable``: it cannot be known.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """Acts once on what ``requests`` knows; None: this process's own memory has to do."""

    requests: Requests | None
    clock: Clock

    async def act(
        self, body: Mapping[str, object], work: Callable[[], Awaitable[T]], *, repeated: T
    ) -> T:
        """Do ``work`` for this request; ``repeated`` where it was acted on before.

        Each request carries a trigger of its own, so equal payloads are one act of one person.

        Raises:
            Exception: what ``work`` raises.
        """
        if self.requests is None:
            return await work()
        now = self.clock.now()
        request = Request(key=_name(body), at=now, until=now + REMEMBER, turn=asyncio.Lock())
        try:
            with in_hand(request):
                return await work()
        except RepeatedError:
            return repeated
        finally:
            if not request.is_taken:
                await self._take(self.requests, request)
            request.is_taken = True  # whatever it started and left running acts by itself

    async def _take(self, requests: Requests, request: Request) -> None:
        """Take what nothing was committed for; it was taken before where it is a repetition."""
        try:
            await requests.take(request.key, at=request.at, until=request.until)
        except Unavailable as error:
            _log.warning("a request was answered and not taken: %s", error.code)


def _name(body: Mapping[str, object]) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
