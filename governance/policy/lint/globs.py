"""Whether one glob takes in all that another does.

Lives here: containment of the patterns of ``matching``, by walking both at once.
Must not live here: what follows from it (``rules``).
Law: ``covers`` is true only where it is certain; where the walk grows too large, the answer is no.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from governance.policy.matching import Glob, Token

MAX_STATES = 500
"""Pairs of positions that one walk looks at before it gives up."""
FIRST_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
TOPIC_CHARS = FIRST_CHARS + "._:/-"
"""What every door accepts in a topic, the first character apart."""
MAX_TOPIC_CHARS = 256
_STAR = "*"
_TOP = 0x10FFFF


@dataclass(slots=True)
class Effort:
    """How many steps may still be taken; without any, nothing is certain any more."""

    left: int

    def spend(self, steps: int) -> bool:
        """Take ``steps``; False where they were more than was left."""
        self.left = max(0, self.left - steps)
        return self.left > 0


def covers(wide: Glob, narrow: Glob, effort: Effort) -> bool:
    """Whether every text that fits ``narrow`` certainly fits ``wide`` too.

    A walk through the positions of ``narrow`` with, for each, all positions in which ``wide``
    could be after the same text: characters that no token of either tells apart count as one.
    """
    if not narrow.prefix.startswith(wide.prefix):
        return wide.pattern == narrow.pattern
    if len(wide.tokens) == len(wide.prefix) + 1 and wide.tokens[-1].kind == _STAR:
        return not any(token.chars == "/" for token in narrow.tokens[len(wide.prefix) :])
    if not effort.spend(1) or not _may_end_alike(wide.tokens, narrow.tokens):
        return False
    alphabet = _alphabet((*wide.tokens, *narrow.tokens))
    first = (0, _skip_stars(wide.tokens, {0}))
    seen = {first}
    open_pairs = [first]
    while open_pairs:
        step, others = open_pairs.pop()
        if len(seen) > MAX_STATES or not effort.spend(len(alphabet) * len(others)):
            return False
        if step == len(narrow.tokens) and len(wide.tokens) not in others:
            return False
        for pair in _next(narrow.tokens, step, wide.tokens, others, alphabet):
            if not pair[1]:
                return False
            if pair not in seen:
                seen.add(pair)
                open_pairs.append(pair)
    return True


def _may_end_alike(wide: tuple[Token, ...], narrow: tuple[Token, ...]) -> bool:
    """Whether the literal ends agree: the cheap way out of most comparisons."""
    for one, other in zip(reversed(wide), reversed(narrow), strict=False):
        if one.kind != "literal" or other.kind != "literal":
            return True
        if one.chars != other.chars:
            return False
    return True


def _next(
    narrow: tuple[Token, ...],
    step: int,
    wide: tuple[Token, ...],
    others: frozenset[int],
    alphabet: Iterable[str],
) -> Iterator[tuple[int, frozenset[int]]]:
    if step == len(narrow):
        return
    if narrow[step].kind == _STAR:
        yield step + 1, others
    for char in alphabet:
        if _accepts(narrow[step], char):
            after = step if narrow[step].kind == _STAR else step + 1
            yield after, _advance(wide, others, char)


def _advance(tokens: tuple[Token, ...], steps: frozenset[int], char: str) -> frozenset[int]:
    reached = set()
    for step in steps:
        if step < len(tokens) and _accepts(tokens[step], char):
            reached.add(step if tokens[step].kind == _STAR else step + 1)
    return _skip_stars(tokens, reached)


def _skip_stars(tokens: tuple[Token, ...], steps: set[int]) -> frozenset[int]:
    """A star may also stand for nothing."""
    reached = set(steps)
    for step in steps:
        ahead = step
        while ahead < len(tokens) and tokens[ahead].kind == _STAR:
            ahead += 1
            reached.add(ahead)
    return frozenset(reached)


def _accepts(token: Token, char: str) -> bool:
    return char != "/" if token.kind == _STAR else token.accepts(char)


def _alphabet(tokens: Iterable[Token]) -> tuple[str, ...]:
    """One character of each set that no token tells apart."""
    starts = {0, ord("/"), ord("/") + 1}
    for token in tokens:
        pairs = token.ranges or ((token.chars, token.chars),) * bool(token.chars)
        for low, high in pairs:
            starts |= {ord(low), ord(high) + 1}
    return tuple(chr(start) for start in sorted(starts) if start <= _TOP)


def is_possible_topic(topic: Glob) -> bool:
    """Whether any topic that the doors accept could fit ``topic``."""
    fixed = [token for token in topic.tokens if token.kind != _STAR]
    if len(fixed) > MAX_TOPIC_CHARS or not topic.tokens:
        return False
    allowed = [FIRST_CHARS if topic.tokens[0].kind != _STAR else TOPIC_CHARS]
    allowed += [TOPIC_CHARS] * (len(fixed) - 1)
    return all(
        any(token.accepts(char) for char in chars)
        for token, chars in zip(fixed, allowed, strict=False)
    )
