"""The figures of a window, gathered from the log.

Lives here: which stretch of the log a window is, and reading it in pages. Must not live here:
counting (``governance.statistics``), words and pictures (``figure_words``, ``plots``).
Law: the log is read and never held; other work has its turn between two pages.
"""

from datetime import datetime, timedelta
from typing import Protocol

from governance.principal import TenantId
from governance.statistics import WARM_UP, FactSource, Figures, Tally

PAGE = 2_000
WEEK = timedelta(days=7)
MOST = timedelta(days=366)


class CountedLog(FactSource, Protocol):
    """A log that can be counted, and its size."""

    async def head(self) -> tuple[int, str]:
        """Number and hash of the newest record."""
        ...


async def gather(log: CountedLog, tenant: TenantId, *, since: datetime, until: datetime) -> Figures:
    """The figures from ``since`` to ``until``.

    Raises:
        Unavailable: ``ledger_unavailable``.
    """
    tally = Tally(since=since, until=until)
    low = await log.seq_before(since - WARM_UP)
    high, _ = await log.head()
    while low < high:
        page = await log.facts(tenant, low, min(low + PAGE, high))
        tally.add(page)
        if page and page[-1].at > until:
            break
        low += PAGE
    return tally.figures()
