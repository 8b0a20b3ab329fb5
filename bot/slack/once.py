"""Each request is acted on once, whichever process it reaches.

Lives here: the name of a request, and asking whether it was taken already. Must not live here: the
process's own memory of signed bytes (``guard``), which only spares the question. Law: what changes
something is done at the first arrival alone, also where several processes serve and after a
restart: a vote that was withdrawn does not come back by its old bytes, nor by an envelope that
Slack sends again. Where it cannot be known to be the first, nothing is done and the person is told.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from bot.slack.guard import REMEMBER
from governance.ports import Clock


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
    """Asks ``requests``; None: this process's own memory has to do."""

    requests: Requests | None
    clock: Clock

    async def is_first(self, body: Mapping[str, object]) -> bool:
        """Whether this request has not been acted on; from now on it has.

        Each carries a trigger of its own, so equal payloads are one act of one person.

        Raises:
            Unavailable: ``ledger_unavailable``.
        """
        if self.requests is None:
            return True
        now = self.clock.now()
        return await self.requests.take(_name(body), at=now, until=now + REMEMBER)


def _name(body: Mapping[str, object]) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
