"""What the other processes of ``tests/unit/storage/test_verify_others.py`` are asked."""

import os
import signal
import sys
from collections.abc import Callable, Mapping


def _same(*given: object) -> tuple[object, ...]:
    return given


def _stop() -> None:
    """Neither an answer nor an end: it stands still until somebody kills it."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _fail() -> None:
    os.close(sys.stderr.fileno())  # the traceback is not what is tested
    raise ValueError("no such thing")


CALLS: Mapping[str, Callable[..., object]] = {
    "pid": os.getpid,
    "same": _same,
    "die": lambda: os._exit(9),
    "fail": _fail,
    "stop": _stop,
    "line ends": lambda: os.closerange(3, 256),
    "no plain value": object,
}
