"""Other processes that look at parts of a log: how they are begun, asked, waited for and ended.

Lives here: processes, and memory that each shares with this one. Must not live here: what they are
asked (``crew``). Law: an answer is whole or lost, and who asked is told when it is lost;
none of them outlives this process, however that ends: its line to them closes then.

They are begun anew, never forked, since the service has threads; and not by ``multiprocessing``,
which would run the main module of whoever verifies once more in each. They share no lock with
this process and write nowhere but here. What they are asked lies in the shared memory, so that a
line carries a few bytes one way and what was found the other; nobody waits for the other to read.
"""

import contextlib
import logging
import marshal
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection, Pipe
from typing import Any, NamedTuple

_log = logging.getLogger("placet.ledger")
Calls = Mapping[str, Callable[..., Any]]
"""What they can be asked, by name: of plain values, answered with plain values."""

_PART_BYTES = 4_194_304
"""What may be asked at once, at most."""
_AT_HAND = 2
"""What each is asked before it has answered: one is looked at, and one waits."""
_TO_END_S = 5
_CODE = """import sys
sys.path[:] = sys.argv[4:]
from importlib import import_module
from storage.verify.others import serve
serve(int(sys.argv[1]), int(sys.argv[2]), import_module(sys.argv[3]).CALLS)
"""


class Lost(Exception):
    """The process that was asked is gone, and its answer with it."""


class Asked(NamedTuple):
    """Something that one of them was asked: the how many-th thing."""

    whom: "_Other"
    number: int


class Others:
    """``count`` processes, or as many as can be had, which answer the ``CALLS`` of a module."""

    def __init__(self, count: int, module: str) -> None:
        self._others: list[_Other] = []
        with contextlib.suppress(OSError, ValueError):  # no memory, no files, no processes left
            while len(self._others) < count:
                self._others.append(_Other(module))

    def is_any_free(self) -> bool:
        """Whether one of them would begin at once, or has only one thing before that."""
        return any(other.is_free() for other in self._others)

    def ask(self, call: str, given: tuple[Any, ...]) -> Asked | None:
        """Have one of them make a call; None: all have enough to do, or it is too much for one."""
        free = [other for other in self._others if other.is_free()]
        return min(free, key=lambda other: other.waiting).ask(call, given) if free else None

    def answer(self, asked: Asked) -> object:
        """What the call returned, once and as soon as it is there.

        Raises:
            Lost: the process is gone.
        """
        return asked.whom.answer(asked.number)

    def close(self) -> None:
        """End them."""
        for other in self._others:
            other.hang_up()
        for other in self._others:
            other.end()
        self._others.clear()


class _Other:
    """One process, the line to it, and the memory in which it reads what it is asked."""

    def __init__(self, module: str) -> None:
        self._line, theirs = Pipe()
        with theirs, _shareable() as memory:
            self._memory = mmap.mmap(memory, _AT_HAND * _PART_BYTES)
            given = (theirs.fileno(), memory)
            words = [sys.executable, "-c", _CODE, *map(str, given), module, *sys.path]
            # In a session of its own: an interrupt at the terminal is this process's to handle.
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter, our own words
                words, pass_fds=given, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._asked = self._answered = 0
        self._answers: dict[int, object] = {}
        self._is_lost = False

    @property
    def waiting(self) -> int:
        """How much it was asked and has not answered."""
        return self._asked - self._answered

    def is_free(self) -> bool:
        """Whether it may be asked; takes what it has answered meanwhile."""
        with contextlib.suppress(Lost):
            while self.waiting and not self._is_lost and self._line.poll():
                self._receive()
        return not self._is_lost and self.waiting < _AT_HAND

    def ask(self, call: str, given: tuple[Any, ...]) -> Asked | None:
        """Nothing is asked where it does not fit, or is gone."""
        try:
            part = marshal.dumps(given)
        except ValueError:  # nothing that is read from a database or file, but who knows
            return None
        if len(part) > _PART_BYTES:
            return None
        at = self._asked % _AT_HAND * _PART_BYTES
        self._memory[at : at + len(part)] = part
        try:
            self._line.send_bytes(marshal.dumps((call, at, len(part))))
        except OSError as error:
            self._lose(error)
            return None
        self._asked += 1
        return Asked(self, self._asked)

    def answer(self, number: int) -> object:
        while number not in self._answers:
            self._receive()
        return self._answers.pop(number)

    def _receive(self) -> None:
        try:
            if self._is_lost:
                raise Lost
            answer = marshal.loads(self._line.recv_bytes())  # noqa: S302  # by our own process
        except (OSError, EOFError, ValueError, TypeError) as error:
            self._lose(error)
            raise Lost from error
        self._answered += 1
        self._answers[self._answered] = answer

    def _lose(self, error: Exception) -> None:
        self._is_lost = True
        why = {"pid": self._process.pid, "why": type(error).__name__}
        _log.warning("a process that verifies was lost; its work is done here", extra=why)

    def hang_up(self) -> None:
        """It ends by itself when nobody can ask it any more."""
        self._line.close()

    def end(self) -> None:
        """Wait for its end; it is in the middle of one answer at most."""
        try:
            self._process.wait(_TO_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._memory.close()


@contextlib.contextmanager
def _shareable() -> Iterator[int]:
    """A descriptor of memory without a name; where there is none such, of a file without one."""
    size = _AT_HAND * _PART_BYTES
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("placet-verify")
    else:
        descriptor, name = tempfile.mkstemp(prefix="placet-verify-")
        os.unlink(name)
    try:
        os.ftruncate(descriptor, size)
        yield descriptor
    finally:
        os.close(descriptor)


def serve(line: int, memory: int, calls: Calls) -> None:
    """In the other process: answer until nobody is there to ask."""
    asking = Connection(line)
    shared = memoryview(mmap.mmap(memory, _AT_HAND * _PART_BYTES, access=mmap.ACCESS_READ))
    with contextlib.suppress(OSError, EOFError):
        while True:
            call, at, size = marshal.loads(asking.recv_bytes())  # noqa: S302  # by whom began it
            given = marshal.loads(shared[at : at + size])  # noqa: S302
            asking.send_bytes(marshal.dumps(calls[call](*given)))
