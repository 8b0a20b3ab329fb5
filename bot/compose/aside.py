"""Work in a process of its own, which gives way to the service.

Lives here: starting it, and its answer or failure. Must not live here: what it does. Law: decisions
never wait for it; every failure is an answer; killed anywhere, the caller hears that it has ended.
"""

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from governance.errors import Code, PlacetError, Unavailable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")

_NICE = 10


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``work`` answers; a thread of this process would hold up decisions.

    Raises:
        PlacetError: what ``work`` raised, or ``ledger_unavailable`` for anything else.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(theirs, work, args, kwargs), daemon=True)
    process.start()
    theirs.close()
    try:
        found = await asyncio.to_thread(received, ours)
        await asyncio.to_thread(process.join)
    finally:
        process.terminate()  # where nobody waits for it any more; killed anywhere, nothing is lost
    if isinstance(found, PlacetError):
        raise found
    return cast("T", found)


def received(ours: "Connection") -> object:
    """The answer that comes through ``ours``; that none came is one, too."""
    with ours:
        try:
            return ours.recv()
        except EOFError:
            return Unavailable(Code.LEDGER_UNAVAILABLE, "the process beside us has ended early")


def run(
    theirs: "Connection",
    work: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    """What the other process does; every failure is an answer, too."""
    os.nice(_NICE)
    answer: object
    try:
        answer = work(*args, **kwargs)
    except PlacetError as error:
        answer = error
    except Exception as error:  # noqa: BLE001  # either driver's, which may not be sent
        answer = unread(error)
    theirs.send(answer)


def unread(error: Exception) -> Unavailable:
    """A driver's error in our words."""
    kind = type(error).__name__
    return Unavailable(Code.LEDGER_UNAVAILABLE, f"the ledger cannot be read ({kind})")
