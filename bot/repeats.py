"""Redis as a quick memory of which request opened which ticket.

Lives here: asking and telling a Redis server, within a time limit. Must not live here: whether what
it says is true (``governance.service`` looks at the ledger's own ticket before it believes it).
Law: nothing depends on it. A server that is slow, gone, emptied or lying costs at most a short wait
and then the ledger decides alone; it is given digests of keys, and no key, content or name.
Source: ADR 0013.
"""

import asyncio
import hashlib
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from governance.errors import Code, InvalidInput
from governance.idempotency import KEPT_FOR
from governance.ports import IdempotencyKey
from governance.tickets.ticket import TicketId

T = TypeVar("T")
_log = logging.getLogger(__name__)

ANSWER_S = 0.05
"""A repeat is not worth waiting for longer."""
START_S = 2.0
PAUSE_S = 5.0
"""A server that failed is left alone for this long."""
_CONNECTIONS = 16
_NAME = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_LONGEST = 64
_TROUBLE = (RedisError, OSError, EOFError, ValueError, TypeError, LookupError, RuntimeError)
"""What the client may raise: its own errors, and what a malformed answer makes of its parser."""


class RedisRepeats:
    """``governance.idempotency.Repeats`` over one server."""

    def __init__(
        self,
        url: str,
        *,
        log: str,
        answer_s: float = ANSWER_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``log`` is the log's name: deployments that share a server share no keys.

        Raises:
            InvalidInput: ``invalid_settings``: no such kind of URL.
        """
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=answer_s,
                socket_timeout=answer_s,
                socket_connect_timeout=answer_s,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise InvalidInput(
                Code.INVALID_SETTINGS,
                "PLACET_IDEMPOTENCY_STORE is ledger, redis://HOST:PORT/NUMBER, rediss://... or "
                "unix:///PATH",
            ) from error
        self._redis = Redis(connection_pool=pool)
        self._log = log
        self._answer_s = answer_s
        self._monotonic = monotonic
        self._rests_until = float("-inf")

    async def check(self) -> None:
        """Whether there is such a server now.

        Raises:
            InvalidInput: ``invalid_settings``: it does not answer, or refuses us.
        """
        try:
            async with asyncio.timeout(START_S):
                await self._redis.set(self._name(("", "", "start")), b"start", px=1000)
        except _TROUBLE as error:
            raise InvalidInput(
                Code.INVALID_SETTINGS,
                "PLACET_IDEMPOTENCY_STORE names a Redis server that cannot be used "
                f"({type(error).__name__}): start it, or set it to ledger",
            ) from error

    async def close(self) -> None:
        """Let go of the server."""
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def ticket_of(self, key: IdempotencyKey) -> TicketId | None:
        """See ``governance.idempotency.Repeats``."""
        found = await self._tried(lambda: self._redis.getrange(self._name(key), 0, _LONGEST))
        if not isinstance(found, bytes) or _NAME.fullmatch(found) is None:
            return None
        return TicketId(found.decode("ascii"))

    async def tell(self, key: IdempotencyKey, ticket_id: TicketId) -> None:
        """See ``governance.idempotency.Repeats``."""
        lasts = int(KEPT_FOR.total_seconds() * 1000)
        # Not NX: what the ledger has just said is right, and takes the place of what is not.
        await self._tried(lambda: self._redis.set(self._name(key), ticket_id, px=lasts))

    async def _tried(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        if self._monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(self._answer_s):
                return await ask()
        except ResponseError:
            return None  # it answers, though not what was asked
        except _TROUBLE as error:
            self._rests_until = self._monotonic() + PAUSE_S
            why = type(error).__name__
            _log.warning("the idempotency store rests: %s; the ledger decides alone", why)
            return None

    def _name(self, key: tuple[str, str, str]) -> str:
        said = json.dumps([self._log, *key]).encode()
        return f"placet:{hashlib.sha256(said).hexdigest()}"
