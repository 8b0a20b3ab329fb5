"""SIGKILL at every single write that the process makes to its database.

``python -m bench.kill_writes`` tells each story of ``bench.fault_stories`` again and again. The
first time it dies before its first write to the database, the WAL or the index, then half-way
through it, then before the second, until one telling survives. After each kill the log is verified
and compared with what was acknowledged; then the story is told once more on what is left, as a
restart would, and everything is compared again. Every count of harm must be 0; the last line is
JSON.

The broken builds (``--broken``) must be caught; without the option each of them is tried, too.
"""

import argparse
import json
import time
from collections.abc import Sequence

from bench.fault_breaks import Break
from bench.fault_harness import Bench, Tally, judge, judge_end, opened
from bench.shim import Action, How

STORIES = (
    *("allow", "approve", "release", "reject"),
    *("withdraw", "expire", "freeze", "checkpoint"),
)
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


def measure(
    *, step: int = 1, stories: Sequence[str] = STORIES, broken: Break = Break.NONE
) -> dict[str, object]:
    """Every story; the counts."""
    started, tally = time.monotonic(), Tally()
    with opened() as bench:
        for story in stories:
            before = tally.counts["points"]
            kill_everywhere(bench, story, tally, step=step, broken=broken)
            print(
                f"{story}: {tally.counts['points'] - before} kills, {tally.harms} harms", flush=True
            )
    return {
        "broken": broken,
        "stories": list(stories),
        **tally.to_json(),
        "harms": tally.harms,
        "seconds": round(time.monotonic() - started),
    }


def main() -> None:
    """Parse, run, print; exit 1 on any harm of the real build, or a broken one not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every 23rd write only")
    parser.add_argument("--step", type=int, default=1, help="every STEP-th write only")
    parser.add_argument("--broken", choices=[item.value for item in Break], default=None)
    options = parser.parse_args()
    step = 23 if options.quick else options.step
    if options.broken is not None:
        counts = measure(step=step, broken=Break(options.broken))
        print(json.dumps(counts))
        raise SystemExit(1 if counts["harms"] else 0)
    counts = measure(step=step)
    caught = {
        broken.value: measure(step=_PROOF_STEP, stories=("approve",), broken=broken)["harms"]
        for broken in CAUGHT
    }
    print(json.dumps({**counts, "harms_of_broken_builds": caught}))
    if counts["harms"] or not all(caught.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
