"""SIGKILL at every single write that the process makes to its database.

``python -m bench.kill_writes`` tells each story of ``bench.fault_stories`` again and again. The
first time it dies before its first write to the database, the WAL or the index, then half-way
through it, then before the second, until one telling survives. After each kill the log is verified
and compared with what was acknowledged; then the story is told once more on what is left, as a
restart would, and everything is compared again. Every count of harm must be 0; the last line is
JSON.

The broken builds (``--broken``) must be caught; without the option each of them is tried, too.
"""

from bench.fault_breaks import Break
from bench.fault_harness import Bench, Tally, judge, judge_end
from bench.fault_walk import Walk
from bench.shim import Action, How

CAUGHT = (Break.LATE_START, Break.EARLY_ANSWER, Break.NO_QUORUM)
"""The broken builds that dying at a write brings to light."""
_KILLED = -9
_PROOF_STEP = 7
"""A broken build is caught by far fewer points."""


def kill_everywhere(
    bench: Bench,
    story: str,
    tally: Tally,
    *,
    step: int = 1,
    first: int = 1,
    broken: Break = Break.NONE,
) -> None:
    """Kill ``story`` at each ``step``-th write; ``tally`` gets what came of it."""
    when = first
    while True:
        survived = False
        for how in (How.BEFORE, How.HALF):
            home = bench.fresh()
            where = f"{story}, {how.name.lower()} write {when}"
            bench.control.set(home / "ledger.db", action=Action.KILL, how=how, when=when)
            status = bench.play(home, story, broken=broken)
            bench.control.clear()
            tally.counts["points"] += status == _KILLED
            survived = status != _KILLED
            if status not in (0, _KILLED):
                tally.harm("unfinished", where, f"status {status}")
            judge(home, tally, where)
            if not survived:
                again = bench.play(home, story, broken=broken, again=True)
                tally.counts["starts_again"] += again == 0
                judge_end(home, story, judge(home, tally, f"{where}, again"), tally, where)
            bench.tidy(home)
        if survived:
            return
        when += step


if __name__ == "__main__":
    proofs = dict.fromkeys(CAUGHT, _PROOF_STEP)
    Walk(name="kills", strike=kill_everywhere, step=1, quick_step=23, caught=proofs).main(__doc__)
