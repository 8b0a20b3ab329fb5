"""The process under test of the fault runs, told what to do.

Lives here: orders and forks. Must not live here: the parts (``fault_stage``), the stories
(``fault_stories``), faults (``shim``) or verdicts (``fault_harness``).
Law: what a story leaves behind is left by a process that ended or was killed, never by this one.

``python -m bench.fault_driver`` reads one order per line of JSON and does each in a fork of
itself, so that a killed process costs no new imports; it answers with the status that it ended by.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.fault_breaks import Break
from bench.fault_stage import staged
from bench.fault_stories import STORIES, finish

LATER_S = 300
"""How far the clock of a second start is ahead: every lease of the first one is over."""

PATIENCE_S = 60
"""How far the clock moves at each turn of a process that waits for its own retries."""


async def play(order: Mapping[str, Any]) -> None:
    """Tell one story in ``order["home"]``; again is told on what a first telling left."""
    is_again = bool(order.get("again"))
    broken = Break(order.get("broken", Break.NONE))
    async with staged(Path(order["home"]), broken, LATER_S if is_again else 0.0) as stage:
        if is_again:
            await finish(stage)
        await STORIES[order["story"]](stage)
        for _ in range(int(order.get("patience", 0))):
            stage.clock.ahead_s += PATIENCE_S
            await finish(stage)
        stage.acks.say(done=order["story"])


def _in_fork(order: Mapping[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(play(order))
            status = 0
        except BaseException:  # noqa: BLE001  # a fork must end here, whatever came
            if not order.get("is_quiet"):
                traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Serve orders until the input ends."""
    gc.freeze()
    logging.disable()  # thousands of faults, each of which is logged as it should be
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"status": _in_fork(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
