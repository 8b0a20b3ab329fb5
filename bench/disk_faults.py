"""A disk error at every n-th write (1 for each): once, and for as long as it lasts.

``python -m bench.disk_faults`` tells each story of ``bench.fault_stories`` again and again. The
n-th write to the database, WAL or index fails with EIO or ENOSPC, first that one only, then every
one after it, too, until the client has been told "not now" three times and the disk works again.
The process is not restarted: it must answer with ``ledger_unavailable`` while it lasts, dispatch
nothing that is not on record, and go on by itself. Then the log is verified and compared with what
was acknowledged and what ran, and compared once more after a restart. The last line is JSON.
"""

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.fault_breaks import Break
from bench.fault_harness import Bench, Tally, facts_of, judge, judge_end
from bench.fault_walk import Walk
from bench.shim import Action

ERRORS = (errno.EIO, errno.ENOSPC)
CODES = frozenset({"ledger_unavailable", "ledger_busy"})
_REFUSALS = 3
_MANY = 60
_POLL_S = 0.002
_PROOF_STEP = 11
"""The broken build is caught by far fewer points."""


@contextmanager
def _mended_in_time(bench: Bench, home: Path) -> Iterator[None]:
    """Mend the disk once the client was refused a few times, or the process tried very often."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(_POLL_S):
            refused = sum("unavailable" in fact for fact in facts_of(home))
            if refused >= _REFUSALS or bench.control.fired >= _MANY:
                bench.control.clear()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        bench.control.clear()


def fail_everywhere(
    bench: Bench,
    story: str,
    tally: Tally,
    *,
    step: int = 1,
    first: int = 1,
    broken: Break = Break.NONE,
) -> None:
    """Fail ``story`` at each ``step``-th write, in four ways; ``tally`` gets what came of it."""
    when, is_reached = first, True
    while is_reached:
        is_reached = False
        for error in ERRORS:
            for is_sticky in (False, True):
                home = bench.fresh()
                ways = "from then on" if is_sticky else "once"
                where = f"{story}, {errno.errorcode[error]} at write {when} {ways}"
                bench.control.set(
                    home / "ledger.db",
                    action=Action.FAIL,
                    error=error,
                    is_sticky=is_sticky,
                    when=when,
                )
                with _mended_in_time(bench, home):
                    status = bench.play(home, story, broken=broken, patience=4)
                if bench.control.fired:
                    is_reached = True
                    tally.counts["points"] += 1
                    _judge(bench, home, story, status=status, tally=tally, where=where)
                bench.tidy(home)
        when += step


def _judge(bench: Bench, home: Path, story: str, *, status: int, tally: Tally, where: str) -> None:
    codes = {fact["unavailable"] for fact in facts_of(home) if "unavailable" in fact}
    tally.counts["refused"] += bool(codes)
    if not codes <= CODES:
        tally.harm("unfinished", where, f"refused with {codes}")
    log = judge(home, tally, where)
    if status == 0:
        tally.counts["went_on"] += 1
        judge_end(home, story, log, tally, where)
    else:
        tally.counts["start_refused"] += 1
        if facts_of(home) and any("event" in fact for fact in facts_of(home)):
            tally.harm("unfinished", where, f"ended with {status} in the middle")
    again = bench.play(home, story, again=True)
    if again:
        tally.harm("unfinished", where, f"a restart ended with {again}")
    judge_end(home, story, judge(home, tally, f"{where}, again"), tally, where)


if __name__ == "__main__":
    Walk(
        name="errors",
        strike=fail_everywhere,
        step=7,
        quick_step=37,
        caught={Break.EARLY_ANSWER: _PROOF_STEP},
    ).main(__doc__)
