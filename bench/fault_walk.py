"""One kind of fault, at every place of every story: the walk, its proofs and its ending.

Lives here: what the scripts share that go through ``bench.fault_stories`` write by write: options,
the order of the stories, the broken builds that must be caught, and the last line, which is JSON.
Must not live here: what a fault is. Law: any harm of the real build fails the script, and so does
a broken build that was not caught.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.fault_breaks import Break
from bench.fault_harness import Bench, Tally, opened

STORIES = (
    *("allow", "approve", "release", "reject"),
    *("withdraw", "expire", "freeze", "checkpoint"),
)
_PROOF = ("approve",)
"""A broken build is caught in one story."""


class Everywhere(Protocol):
    """The fault at each ``step``-th write of ``story``; ``tally`` gets what came of it."""

    def __call__(
        self,
        bench: Bench,
        story: str,
        tally: Tally,
        *,
        step: int = 1,
        first: int = 1,
        broken: Break = Break.NONE,
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A kind of fault: what it is called, where it strikes, and what it must bring to light."""

    name: str
    strike: Everywhere
    step: int
    quick_step: int
    caught: Mapping[Break, int]
    """The broken builds, each with the steps in which it is caught at the latest."""

    def measure(
        self, *, step: int, stories: Sequence[str] = STORIES, broken: Break = Break.NONE
    ) -> dict[str, object]:
        """Every story; the counts."""
        started, tally = time.monotonic(), Tally()
        with opened() as bench:
            for story in stories:
                before = tally.counts["points"]
                self.strike(bench, story, tally, step=step, broken=broken)
                points = tally.counts["points"] - before
                print(f"{story}: {points} {self.name}, {tally.harms} harms", flush=True)
        return {
            "broken": broken,
            "stories": list(stories),
            **tally.to_json(),
            "harms": tally.harms,
            "seconds": round(time.monotonic() - started),
        }

    def main(self, description: str | None) -> None:
        """Parse, run, print; exit 1 on any harm of the real build, or a broken one not caught."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--quick", action="store_true", help=f"step {self.quick_step}")
        parser.add_argument("--step", type=int, default=self.step, help="every STEP-th write only")
        parser.add_argument("--broken", choices=[item.value for item in Break], default=None)
        options = parser.parse_args()
        step = self.quick_step if options.quick else options.step
        if options.broken is not None:
            counts = self.measure(step=step, broken=Break(options.broken))
            print(json.dumps(counts))
            raise SystemExit(1 if counts["harms"] else 0)
        counts = self.measure(step=step)
        caught = {
            broken.value: self.measure(step=steps, stories=_PROOF, broken=broken)["harms"]
            for broken, steps in self.caught.items()
        }
        print(json.dumps({**counts, "harms_of_broken_builds": caught}))
        if counts["harms"] or not all(caught.values()):
            raise SystemExit(1)
