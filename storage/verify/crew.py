"""The verifier's other processes: they look at stretches and at signatures.

Lives here: who does what when. Must not live here: what is looked for. Law: everything is looked
at, by whichever process; a verdict never depends on how many there are, and work that a process
lost is done here. Memory stays flat: a few stretches are under way at a time.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple, TypeVar, cast

from storage.verify.chain import GENESIS, Json, Look, Problem, Raw, Stretch, leaves, look
from storage.verify.claims import Claim, Doubt, holding
from storage.verify.form import Forms
from storage.verify.others import Asked, Lost, Others
from storage.verify.projections import wrong_in

_MOST_JOBS = 4
_STRETCH = 1_000
"""Records in a stretch, at most; a stretch of long records has fewer."""
_STRETCH_BYTES = 2_097_152
_CLAIMS = 250
_AHEAD = 4
"""What is under way for each process, at most."""
_FORMS = Forms()
_FIELDS = tuple(field.name for field in fields(Problem))

_Kept = TypeVar("_Kept")
_Found = tuple[Stretch, Sequence[Problem], Look]
_Wrong = Sequence[tuple[list[str], list[str]]]


def _look(before: int, previous: str, rows: Sequence[Json], has_tree: bool) -> tuple[Json, ...]:
    found = _look_here(Stretch(before, previous, rows), has_tree)
    return [_plain(problem) for problem in found.problems], *found[1:]


def _look_here(stretch: Stretch, has_tree: bool) -> Look:
    found = look(stretch, _FORMS)
    return found._replace(leaves=leaves(stretch.raws)) if has_tree else found


def _plain(problem: Problem) -> tuple[Json, ...]:
    return tuple(getattr(problem, field) for field in _FIELDS)


def _holding(*claims: tuple[str, str, bytes]) -> list[bool]:
    return holding([Claim(*claim) for claim in claims])


def _wrong_in(*rows: Json) -> list[tuple[list[str], list[str]]]:
    return [wrong_in(*row) for row in rows]


CALLS: Mapping[str, Callable[..., object]] = {
    "look": _look,
    "holding": _holding,
    "rows": _wrong_in,
}
"""What another process can be asked; nothing but plain values go there and come back."""


class _Work(NamedTuple):
    """A call that another process makes, if one was asked, and how to make it here instead."""

    asked: Asked | None
    call: str
    given: tuple[object, ...]


class Crew:
    """``jobs`` processes beside this one; none: everything is done here.

    ``has_tree``: the records' hashes in the tree are wanted, too.
    """

    def __init__(self, jobs: int, *, has_tree: bool = True) -> None:
        self._others = Others(jobs, __name__)
        self._has_tree = has_tree
        self._most = _AHEAD * jobs
        self._doubts: list[Doubt] = []
        self._waiting: deque[tuple[_Work, list[Doubt]]] = deque()
        self.signatures = 0

    def looked(
        self, items: Iterator[Raw | Problem], before: int = 0, previous: str = GENESIS
    ) -> Iterator[tuple[Sequence[Raw], Sequence[Problem], Look]]:
        """Every stretch of ``items`` in order, what its source said of it, and what it showed.

        The first of them follows record ``before``, whose hash is ``previous``.
        """
        under_way: deque[tuple[Stretch, Sequence[Problem], Asked | Look]] = deque()
        for stretch, aside in stretches(items, before, previous):
            under_way.append((stretch, aside, self._begin_look(stretch)))
            if len(under_way) > self._most:
                yield self._looked(*under_way.popleft())
        while under_way:
            yield self._looked(*under_way.popleft())

    def _begin_look(self, stretch: Stretch) -> Asked | Look:
        """Where all others have enough to do, this process looks, too."""
        asked = None
        if self._others.is_any_free():
            rows = list(map(tuple, stretch.raws))
            asked = self._others.ask("look", (*stretch[:2], rows, self._has_tree))
        return _look_here(stretch, self._has_tree) if asked is None else asked

    def _looked(
        self, stretch: Stretch, aside: Sequence[Problem], found: Asked | Look
    ) -> tuple[Sequence[Raw], Sequence[Problem], Look]:
        if isinstance(found, Asked):
            try:
                problems, *rest = cast(list[Json], self._others.answer(found))
                told = [Problem(**dict(zip(_FIELDS, item, strict=True))) for item in problems]
                found = Look(told, *rest)
            except Lost:
                found = _look_here(stretch, self._has_tree)
        return stretch.raws, aside, found

    def doubt(self, doubts: Sequence[Doubt]) -> Iterator[Problem]:
        """Have these signatures verified; what comes back are those of earlier ones that fail."""
        self.signatures += len(doubts)
        self._doubts += doubts
        while len(self._doubts) >= _CLAIMS:
            self._claim(self._doubts[:_CLAIMS])
            del self._doubts[:_CLAIMS]
        while len(self._waiting) > self._most:
            yield from self._settled()

    def settle(self) -> Iterator[Problem]:
        """Every signature that is left."""
        if self._doubts:
            self._claim(self._doubts)
            self._doubts = []
        while self._waiting:
            yield from self._settled()

    def _claim(self, doubts: list[Doubt]) -> None:
        work = self._begin("holding", *[tuple(doubt.claim) for doubt in doubts])
        self._waiting.append((work, doubts))

    def _settled(self) -> Iterator[Problem]:
        work, doubts = self._waiting.popleft()
        for doubt, holds in zip(doubts, cast(list[Json], self._result(work)), strict=True):
            if holds is not True:
                yield doubt.problem

    def rows(
        self, parts: Iterable[tuple[_Kept, Sequence[Sequence[Json]]]]
    ) -> Iterator[tuple[_Kept, _Wrong]]:
        """What is wrong with rows of tickets (``wrong_in``), part by part and in order."""
        under_way: deque[tuple[_Kept, _Work]] = deque()
        for kept, part in parts:
            under_way.append((kept, self._begin("rows", *part)))
            if len(under_way) > self._most:
                yield self._compared(*under_way.popleft())
        while under_way:
            yield self._compared(*under_way.popleft())

    def _compared(self, kept: _Kept, work: _Work) -> tuple[_Kept, _Wrong]:
        return kept, cast(_Wrong, self._result(work))

    def _begin(self, call: str, *given: object) -> _Work:
        return _Work(self._others.ask(call, given), call, given)

    def _result(self, work: _Work) -> object:
        if work.asked is not None:
            try:
                return self._others.answer(work.asked)
            except Lost:
                pass
        return CALLS[work.call](*work.given)

    def close(self) -> None:
        """End the other processes."""
        self._others.close()


def usual_jobs() -> int:
    """One process for each core that is left beside this one, some at most."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return min(_MOST_JOBS, cores - 1)


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
            is_full = len(aside) >= _STRETCH
        else:
            raws.append(item)
            size += len(item[2])
            is_full = size >= _STRETCH_BYTES or len(raws) >= _STRETCH
        if is_full:
            yield Stretch(before, previous, raws), aside
            if raws:
                before, previous = raws[-1].seq, raws[-1].hash
            raws, aside, size = [], [], 0
    if raws or aside:
        yield Stretch(before, previous, raws), aside
