"""The verifier's other processes: they look at stretches and at signatures.

Lives here: who does what when. Must not live here: what is looked for. Law: everything is looked
at, by whichever process; a verdict never depends on how many there are, and work that a process
lost is done here. Memory stays flat: a few stretches are under way at a time.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from storage.verify_chain import GENESIS, Look, Problem, Raw, Stretch, leaves, look
from storage.verify_claims import Doubt, holding
from storage.verify_form import Forms

_STRETCH = 2_000
"""Records in a stretch, at most; a stretch of long records has fewer."""
_STRETCH_BYTES = 4_194_304
_CLAIMS = 500
_FORMS = Forms()


def _look(before: int, previous: str, raws: Sequence[Raw], has_tree: bool) -> Look:
    found = look(Stretch(before, previous, raws), _FORMS)
    return found._replace(leaves=leaves(raws)) if has_tree else found


class _Work(NamedTuple):
    """A call that another process makes, and how to make it here instead."""

    future: "Future[object] | None"
    call: Callable[..., object]
    given: tuple[object, ...]


_UnderWay = tuple[Sequence[Raw], Sequence[Problem], _Work | Look]
"""A stretch, what its source said of it, and what it showed or who looks at it."""


class Crew:
    """``jobs`` processes beside this one; none: everything is done here.

    ``has_tree``: the records' hashes in the tree are wanted, too.
    """

    def __init__(self, jobs: int, *, has_tree: bool = True) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._jobs = jobs
        self._has_tree = has_tree
        if jobs:
            try:
                # Not fork: the service has threads.
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(jobs, mp_context=context)
            except OSError:  # no shared semaphores here
                self._pool = None
        self._doubts: list[Doubt] = []
        self._waiting: deque[tuple[_Work, list[Doubt]]] = deque()
        self.signatures = 0

    def looked(
        self, items: Iterator[Raw | Problem], before: int = 0, previous: str = GENESIS
    ) -> Iterator[tuple[Sequence[Raw], Sequence[Problem], Look]]:
        """Every stretch of ``items`` in order, what its source said of it, and what it showed.

        The first of them follows record ``before``, whose hash is ``previous``.
        """
        under_way: deque[_UnderWay] = deque()
        for (start, link, raws), aside in stretches(items, before, previous):
            if self._are_busy(under_way):
                work: _Work | Look = _look(start, link, raws, self._has_tree)
            else:
                given = list(map(tuple, raws)) if self._pool else raws
                work = self._begin(_look, start, link, given, self._has_tree)
            under_way.append((raws, aside, work))
            if len(under_way) > 2 * self._jobs:
                yield self._one(under_way)
        while under_way:
            yield self._one(under_way)

    def _are_busy(self, under_way: "deque[_UnderWay]") -> bool:
        """Whether each of the others has one stretch at hand and one waits: this one looks, too."""
        futures = [work.future for _, _, work in under_way if isinstance(work, _Work)]
        return sum(not future.done() for future in futures if future) > self._jobs

    def _one(self, under_way: "deque[_UnderWay]") -> tuple[Sequence[Raw], Sequence[Problem], Look]:
        raws, aside, work = under_way.popleft()
        found = self._result(work) if isinstance(work, _Work) else work
        if not isinstance(found, Look):
            raise TypeError("a look is expected")
        return raws, aside, found

    def doubt(self, doubts: Sequence[Doubt]) -> Iterator[Problem]:
        """Have these signatures verified; what comes back are those of earlier ones that fail."""
        self.signatures += len(doubts)
        self._doubts += doubts
        while len(self._doubts) >= _CLAIMS:
            self._claim(self._doubts[:_CLAIMS])
            del self._doubts[:_CLAIMS]
        while len(self._waiting) > 2 * self._jobs:
            yield from self._settled()

    def settle(self) -> Iterator[Problem]:
        """Every signature that is left."""
        if self._doubts:
            self._claim(self._doubts)
            self._doubts = []
        while self._waiting:
            yield from self._settled()

    def _claim(self, doubts: list[Doubt]) -> None:
        work = self._begin(holding, [tuple(doubt.claim) for doubt in doubts])
        self._waiting.append((work, doubts))

    def _settled(self) -> Iterator[Problem]:
        work, doubts = self._waiting.popleft()
        held = self._result(work)
        if not isinstance(held, list):
            raise TypeError("a list is expected")
        for doubt, holds in zip(doubts, held, strict=True):
            if holds is not True:
                yield doubt.problem

    def _begin(self, call: Callable[..., object], *given: object) -> _Work:
        future = None
        if self._pool is not None:
            try:
                future = self._pool.submit(call, *given)
            except (BrokenProcessPool, RuntimeError):
                self._pool = None
        return _Work(future, call, given)

    def _result(self, work: _Work) -> object:
        if work.future is not None:
            try:
                return work.future.result()
            except (BrokenProcessPool, OSError):
                self._pool = None
        return work.call(*work.given)

    def close(self) -> None:
        """End the other processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def stretches(
    items: Iterator[Raw | Problem], before: int = 0, previous: str = GENESIS
) -> Iterator[tuple[Stretch, list[Problem]]]:
    """Records in stretches of bounded size, with the problems that stood between them."""
    raws: list[Raw] = []
    aside: list[Problem] = []
    size = 0
    for item in items:
        if isinstance(item, Problem):
            aside.append(item)
        else:
            raws.append(item)
            size += len(item.body)
        if max(len(raws), len(aside)) >= _STRETCH or size >= _STRETCH_BYTES:
            yield Stretch(before, previous, raws), aside
            if raws:
                before, previous = raws[-1].seq, raws[-1].hash
            raws, aside, size = [], [], 0
    if raws or aside:
        yield Stretch(before, previous, raws), aside
