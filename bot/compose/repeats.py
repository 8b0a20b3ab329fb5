"""What stands beside the ledger to answer repeated requests early.

Lives here: reading the setting, and whether what it or the bundle names is there. Must not live
here: asking it (``bot.repeats``). Law: a store that is named and cannot be used is an error at
start, never silently another; afterwards the service does without it whenever it fails.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from bot.settings import Settings
from governance.errors import Code, InvalidInput
from governance.idempotency import Repeats
from governance.policy.forms.seeds import WANTS_REDIS
from governance.policy.model import Bundle

LEDGER = "ledger"


def check_store(settings: Settings, bundle: Bundle) -> None:
    """Whether the settings name a Redis server, where the bundle asks for one.

    Raises:
        InvalidInput: ``invalid_settings``: they do not.
    """
    is_wanted = any(note.pointer == WANTS_REDIS for note in bundle.not_enforced)
    if is_wanted and settings.idempotency_store == LEDGER:
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            "the bundle says idempotency_store: redis, and PLACET_IDEMPOTENCY_STORE names no Redis "
            "server: name one, or let the bundle say ledger",
            pointer=WANTS_REDIS,
        )


@asynccontextmanager
async def open_repeats(settings: Settings, bundle: Bundle) -> AsyncIterator[Repeats | None]:
    """The store that the settings name; None: the ledger alone remembers.

    Raises:
        InvalidInput: ``invalid_settings``: no such store, its client is not installed, its
            server does not answer, or ``bundle`` asks for one and none is named.
    """
    check_store(settings, bundle)
    if settings.idempotency_store == LEDGER:
        yield None
        return
    if find_spec("redis") is None:
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            "PLACET_IDEMPOTENCY_STORE names a Redis server, whose client is not installed: "
            "pip install 'placet[redis]'",
        )
    from bot.repeats import RedisRepeats

    repeats = RedisRepeats(settings.idempotency_store, log=settings.origin)
    try:
        await repeats.check()
        yield repeats
    finally:
        await repeats.close()
