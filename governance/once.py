"""The request that is in hand: acted on once, in the transaction of what it first changes.

Lives here: which request this task works for, and whether it was taken. Must not live here: where
taken requests are kept (the ledger), what names a request (the adapters). Law: whatever a ledger
commits for a request first takes the request, in the same transaction; if somebody took it before,
nothing is committed.
"""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


class RepeatedError(Exception):
    """This request was acted on before: nothing is done, and nobody is to hear of it again."""


@dataclass(slots=True, kw_only=True)
class Request:
    """One request; taken at ``at`` it stays taken until ``until``."""

    key: str
    at: datetime
    until: datetime
    turn: AbstractAsyncContextManager[object]
    """A lock; held by the commit that takes it: the others of this request come after."""
    is_taken: bool = False


_IN_HAND: ContextVar[Request | None] = ContextVar("placet.request", default=None)


def untaken() -> Request | None:
    """The request that this task works for, if it is still to be taken."""
    request = _IN_HAND.get()
    return None if request is None or request.is_taken else request


@contextmanager
def in_hand(request: Request) -> Iterator[None]:
    """Work for ``request`` from here on, in this task and in those that it starts."""
    token = _IN_HAND.set(request)
    try:
        yield
    finally:
        _IN_HAND.reset(token)
