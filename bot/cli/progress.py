"""How far a long command is, where somebody watches.

Lives here: a bar and a count on standard error. Must not live here: what is counted.
Law: standard output never hears of it, and a file or pipe that takes standard error gets none.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(doing: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar that is told how much of how much is done; a total of 0 is not known."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(doing, total=None, rate="")

        def move(done: int, total: int) -> None:
            speed = shown.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            shown.update(task, completed=done, total=total or None, rate=rate)

        yield move


@contextmanager
def count(doing: str) -> Iterator[Callable[[int], None] | None]:
    """A number that grows, where nobody knows how far."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(doing) as status:
        yield lambda seen: status.update(f"{doing}: {seen}")
