"""Whether the log is the one that was published: a restored backup may be older.

Lives here: comparing a ledger with the checkpoints outside it. Must not live here: whole
verification (``verification``); what is done about it (``serve``, ``bot.cli``). Law: a log that
lacks records which a checkpoint has seen is not served unless an operator says so, on record.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.settings import Settings
from governance.custody import Custody
from governance.errors import Code, PlacetError, Unavailable
from governance.notes import Checkpoint, parse_published
from governance.principal import TenantId
from storage.engine import database
from storage.ledger import SqlLedger

_TAIL_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """How a log differs from the newest checkpoint of it; ``size`` and ``head`` are the log's."""

    size: int
    head: str
    published: Checkpoint

    @property
    def sentence(self) -> str:
        """What is so, for people."""
        seen = f"the checkpoint of {self.published.at or 'an unknown time'}"
        if self.size < self.published.size:
            return (
                f"the log ends at record {self.size}, but {seen} saw {self.published.size}: "
                f"what came after {self.size} is lost (an older backup?)"
            )
        return f"record {self.published.size} is not the one that {seen} saw: this is another log"


def newest(path: Path, origin: str) -> Checkpoint | None:
    """The last checkpoint of this log in the file; None where there is none.

    Raises:
        Unavailable: ``not_ready``: the file is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            # No more than that: a device has no end.
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(
            Code.NOT_READY, f"the checkpoints in {path} cannot be read: {error.strerror}"
        ) from error
    found = [item for item in parse_published(text) if item.origin == origin]
    return found[-1] if found else None


async def behind(settings: Settings, ledger: SqlLedger) -> Behind | None:
    """How the open ledger differs from its newest checkpoint; None: it does not.

    Raises:
        Unavailable: as ``newest``, or ``ledger_unavailable``.
    """
    published = newest(settings.checkpoints, settings.origin)
    if published is None:
        return None
    size, head = await ledger.head()
    detached = (await ledger.control()).detached
    if detached is not None and published.size <= detached.last:
        recorded = await ledger.tiles.published(published.size)
        noted = "" if recorded is None else _noted(recorded.note)
        there = detached.head if published.size == detached.last else noted
        return _judged(published, size, head, there)
    records = await ledger.records(published.size - 1, 1)
    return _judged(published, size, head, records[0].hash if records else "")


def behind_at_rest(settings: Settings) -> Behind | None:
    """The same of a ledger that is only looked at, for ``placet check``.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database.
        Unavailable: as ``behind``.
    """
    published = newest(settings.checkpoints, settings.origin)
    db = database(settings.database)
    if published is None:
        return None
    if not db.is_there:
        return Behind(size=0, head="", published=published)
    try:
        with db.moment() as read:
            heads = list(read("SELECT seq, hash FROM head WHERE id = 1"))
            found = list(read(f"SELECT hash FROM events WHERE seq = {int(published.size)}"))  # noqa: S608  # a number
            if not found and heads and heads[0][0] >= published.size:
                found = _detached(read, int(published.size))
    except PlacetError:
        raise
    except Exception as error:
        raise Unavailable(
            Code.LEDGER_UNAVAILABLE, f"{db.name} cannot be read ({type(error).__name__})"
        ) from error
    size, head = heads[0] if heads else (0, "")
    return _judged(published, int(size), str(head), str(found[0][0]) if found else "")


async def check_published(settings: Settings, ledger: SqlLedger, *, accepted_by: str) -> None:
    """Refuse a log that lacks what was published, unless ``accepted_by`` somebody, on record.

    Raises:
        Unavailable: ``rolled_back``.
    """
    found = await behind(settings, ledger)
    if found is None:
        return
    if not accepted_by:
        raise Unavailable(
            Code.ROLLED_BACK,
            f"{found.sentence}. Restore a newer copy, or start once with --accept-rollback, which "
            "is recorded",
        )
    published = found.published
    custody = Custody(ledger=ledger, reader=ledger, tenant=TenantId(settings.tenant))
    await custody.accept_rollback(
        actor=accepted_by,
        here=(found.size, found.head),
        published=(published.size, published.head),
    )


def _detached(read: Callable[[str], Iterator[Sequence[Any]]], size: int) -> list[Sequence[Any]]:
    """The hash of a record that is detached, as far as the ledger still has it."""
    found = list(read(f"SELECT head FROM detached WHERE last = {size:d}"))  # noqa: S608  # a number
    known = f"""SELECT note FROM checkpoints WHERE size = {size:d}
        AND size < (SELECT max(last) FROM detached)"""  # noqa: S608  # a number
    return found or [(_noted(str(note)),) for (note,) in read(known)]


def _noted(note: str) -> str:
    """The hash that a recorded checkpoint says."""
    found = parse_published(note)
    return found[0].head if found else ""


def _judged(published: Checkpoint, size: int, head: str, hash_there: str) -> Behind | None:
    is_same = hash_there == published.head or (not published.head and bool(hash_there))
    if size >= published.size and is_same:
        return None
    return Behind(size=size, head=head, published=published)
