"""What the writer needs from a database, and what differs between the two.

Lives here: the shape of a connection, of a database, and the few words in which the engines'
SQL differs. Must not live here: either engine. Law: statements are written once, with ``?`` for
parameters; what only one engine has is in ``Dialect``, and nobody asks which one it is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.pool import Pool

LOG_HEAD = "SELECT seq, hash, at, pending, tree FROM head WHERE id = 1"
"""Where the log ends."""


NUL = "\x00"
"""PostgreSQL's text cannot hold it: nothing has such a name, and nothing is asked about it."""


class Trouble(Enum):
    """What an error of the driver means for the batch that met it."""

    ITEM = auto()
    """Something in the batch was refused (a constraint, a right, a value): find out what."""
    AGAIN = auto()
    """It got in another transaction's way and was undone: the same again will do."""
    DOWN = auto()
    """The database cannot do it now; only a new connection may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The words that are not the same."""

    skip_locked: str
    """After a SELECT of rows to take: rows that another worker is taking are passed over."""
    rows_at_once: int
    """How many rows one INSERT is given where there are many; 1: the driver does better."""


@lru_cache(1024)
def in_style(sql: str, paramstyle: str) -> str:
    """``sql`` with a driver's marks for parameters; no statement holds either sign otherwise."""
    return sql if paramstyle == "qmark" else sql.replace("?", "%s")


class Rows(Protocol):
    """What a statement found, or how many rows it touched."""

    @property
    def rowcount(self) -> int:
        """Rows touched, by all runs of the statement together."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401  # a row of any columns, or None
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """The writer's connection; transactions are begun and ended by hand."""

    @property
    def dialect(self) -> Dialect:
        """How this database says what is not said alike."""
        ...

    @property
    def is_broken(self) -> bool:
        """Whether it is of no more use, though nothing here ended it."""
        ...

    def begin_chain(self) -> tuple[Sequence[Any] | None, datetime | None]:
        """Begin, and hold the end of the log alone; the row of ``LOG_HEAD``, None if it is gone.

        With it comes the database's own time, read after the lock was had; None where there is
        but one machine and so one clock.
        """
        ...

    def begin(self) -> None:
        """Begin a transaction that leaves the log alone."""
        ...

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """Run one statement."""
        ...

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Rows:
        """Run one statement for each of ``rows``."""
        ...

    def announce(self, size: int) -> None:
        """Have other processes told, once it is committed, that the log has grown."""
        ...

    def commit(self) -> None:
        """Make it durable."""
        ...

    def tidy(self) -> None:
        """Do what need not be waited for, after a commit; it never fails."""
        ...

    def rollback(self) -> None:
        """Undo it; nothing where nothing was begun."""
        ...

    def close(self) -> None:
        """Let go; what was not committed is undone."""
        ...


class Contradiction(Exception):
    """A projection row is not as the log says: the batch must not be committed."""


class Points(Protocol):
    """Reads of one row by its key, or of a page along an index."""

    async def value(self, sql: str, *keys: str) -> bytes | None:
        """The first column, bytes, of the row that ``sql`` finds by ``keys``; None without a row.

        Raises:
            Unavailable: ``ledger_unavailable``.
        """
        ...

    async def rows(self, sql: str, *values: str | int) -> Sequence[Sequence[Any]]:
        """All rows of ``sql``, which an index leads to and a limit bounds; none holds a NUL.

        Raises:
            Unavailable: ``ledger_unavailable``.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Wakes(Protocol):
    """Hints between the processes of one database that the log has grown."""

    def start(self, on_wake: Callable[[], None]) -> None:
        """Listen on the running loop."""
        ...

    async def close(self) -> None:
        """Listen no more."""
        ...

    def wake_others(self) -> None:
        """Tell the others; from any thread, never blocking."""
        ...


class Leader(Protocol):
    """One process's candidacy for what only one should do."""

    async def leads(self, name: str) -> bool:
        """Whether this process leads in ``name`` now; it tries to, and stays it until it ends."""
        ...

    async def close(self) -> None:
        """Leave it to others."""
        ...


class Database(Protocol):
    """One kind of database: how it is reached, prepared and understood."""

    @property
    def name(self) -> str:
        """As people may see it: never with a password."""
        ...

    def connect(self, *, busy_timeout_s: float) -> Connection:
        """The writer's connection.

        Raises:
            Exception: the driver's own; ``trouble`` says what it means.
        """
        ...

    def trouble(self, error: Exception) -> Trouble:
        """What an error means."""
        ...

    def reading_engine(self) -> AsyncEngine:
        """Asynchronous connections that cannot write."""
        ...

    def points(self, pool: Pool) -> Points:
        """Quick reads, over ``pool`` where the database is not beside us."""
        ...

    def wakes(self) -> Wakes:
        """What wakes whom."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether there is anything to look at; a server is taken to be there."""
        ...

    def moment(self) -> AbstractContextManager[Callable[[str], Iterator[Sequence[Any]]]]:
        """Look at one moment: a function that streams the rows of one read after the other.

        Nothing is made or migrated. What it raises is the driver's own.
        """
        ...

    def leader(self) -> Leader:
        """This process's candidacy."""
        ...

    def prepare(self) -> None:
        """Make room for a ledger where there is none."""
        ...

    def migrating_engine(self) -> Engine:
        """A plain engine; each of its transactions has the schema to itself."""
        ...
