"""Which of some matches a subject's words let through, answered for all of them at once.

Lives here: one bit for each match, and for each word the bits of the matches that accept it.
Must not live here: what words cannot answer (globs, missing labels, conditions): ``Match.judge``
has the last word on every match that is left.
Law: a match that judges as matched or as unclear is never filtered out. Memory grows with the
words that are written, and a question costs a few operations for each kind of word.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from governance.policy.matching import Match, Subject

Words = tuple[Collection[str], ...]
"""A subject's words, in the order of ``_WANTED``."""
_Places = int | tuple[int, ...]
"""Bits, or the few places of bits in a long mask."""
_FEW = 8
"""So few matches are judged as they are."""
_RARE = 512
"""A word in fewer than one match of this many keeps places: its bits would be mostly empty."""

_LABELS = 16
"""So many label keys, those that most matches ask for, are looked at here."""


def words_of(subject: Subject) -> Words:
    """What ``subject`` offers, kind by kind."""
    return (
        (subject.tool,),
        (subject.action.value,),
        (subject.tenant,),
        (subject.agent,),
        subject.roles,
        subject.environments,
        subject.capabilities,
        subject.risk_tags,
        subject.data_classes,
        subject.requires,
    )


def _wanted(match: Match) -> tuple[Collection[str], ...]:
    """What ``match`` accepts, in the order of ``words_of``; any one of a kind is enough.

    Of ``requires``, of which all have to be there, one stands for the others.
    """
    return (
        match.tools,
        match.actions,
        match.tenants,
        match.agents,
        match.roles,
        match.environments,
        match.capabilities,
        match.risk_tags,
        match.data_classes,
        sorted(match.requires)[:1],
    )


_Kind = tuple[int, Mapping[str, _Places]]
"""The matches that ask for no word of a kind, and those that accept each word."""


def _kind(wanted: Iterable[tuple[int, Collection[str]]], size: int) -> _Kind:
    places: dict[str, list[int]] = {}
    asking: list[int] = []
    for place, words in wanted:
        asking += [place] if words else []
        for word in words:
            places.setdefault(word, []).append(place)
    free = ((1 << size) - 1) ^ _bits(asking)
    return free, {word: _packed(found, size) for word, found in places.items()}


class Masks:
    """Some matches, each with a number by which it is told."""

    __slots__ = ("_all", "_kinds", "_labels", "_numbers")

    def __init__(self, matches: Sequence[Match], numbers: Sequence[int]) -> None:
        size = len(matches)
        self._numbers = tuple(numbers)
        self._all = (1 << size) - 1
        self._kinds: tuple[tuple[int, int, Mapping[str, _Places]], ...] = ()
        self._labels: tuple[tuple[str, int, Mapping[str, _Places]], ...] = ()
        if size <= _FEW:
            return
        kinds = [
            (number, *_kind(enumerate(wanted), size))
            for number, wanted in enumerate(zip(*map(_wanted, matches), strict=True))
            if any(wanted)
        ]
        # The kind that most matches ask for comes first: then the question often ends there.
        self._kinds = tuple(sorted(kinds, key=lambda kind: kind[1].bit_count()))
        labels: dict[str, list[tuple[int, tuple[str]]]] = {}
        for place, match in enumerate(matches):
            for key, value in match.labels.items():
                labels.setdefault(key, []).append((place, (value,)))
        common = sorted(labels, key=lambda key: (-len(labels[key]), key))[:_LABELS]
        self._labels = tuple((key, *_kind(labels[key], size)) for key in common)

    def fitting(self, words: Words, labels: Mapping[str, str]) -> Sequence[int]:
        """The numbers of those that could fit, in the order in which they were given.

        A label that the subject has not is unclear, and leaves every match in.
        """
        if not self._kinds and not self._labels:
            return self._numbers
        left = self._all
        # Written out twice without a call: a decision spends more time here than anywhere.
        for number, free, by_word in self._kinds:
            accepting = free
            for word in words[number]:
                if word in by_word:
                    found = by_word[word]
                    accepting |= found if isinstance(found, int) else _bits(found)
            left &= accepting
            if not left:
                return ()
        for key, free, by_word in self._labels:
            if key in labels:
                accepting = free
                if labels[key] in by_word:
                    found = by_word[labels[key]]
                    accepting |= found if isinstance(found, int) else _bits(found)
                left &= accepting
        return _numbers(left, self._numbers)


def _packed(places: list[int], size: int) -> _Places:
    return tuple(places) if len(places) * _RARE < size else _bits(places)


def _bits(places: Collection[int]) -> int:
    """Built as bytes, so that many places do not copy a long number many times."""
    raw = bytearray(max(places, default=0) // 8 + 1)
    for place in places:
        raw[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(raw, "little")


def _numbers(bits: int, numbers: Sequence[int]) -> list[int]:
    """Those of ``numbers`` where ``bits`` has ones.

    Read as text, which costs no copy of a long number for each.
    """
    text = bin(bits)[:1:-1]
    found: list[int] = []
    place = text.find("1")
    while place >= 0:
        found.append(numbers[place])
        place = text.find("1", place + 1)
    return found
