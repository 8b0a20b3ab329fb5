"""The tick that forgets idempotency keys whose time is over.

Lives here: how often, and how many in one transaction. Must not live here: which are over
(``governance.idempotency``; the ledger looks again inside the transaction).
Law: it is never in a decision's way: few rows by index, one short transaction after the other, and
none while the clock is not trusted.
"""

from bot.scheduler import BATCH, JumpGuard
from governance.idempotency import KeyStore

FORGET_S = 60.0
_ROUNDS = 64
"""Batches of one tick; what is left waits for the next."""


async def forget_keys(store: KeyStore, guard: JumpGuard) -> int:
    """Forget what is over, in batches; how many keys.

    Raises:
        Unavailable: the ledger cannot be written; the next tick tries again.
    """
    gone = 0
    for _ in range(_ROUNDS):
        some = await store.forget_keys(BATCH) if guard.check() else 0
        gone += some
        if some < BATCH:
            break
    return gone
