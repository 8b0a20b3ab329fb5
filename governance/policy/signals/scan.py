"""Signals: text in a request that ought to make people look, or that must not be there at all.

Lives here: how the texts of a request are looked at, and what was found where. Must not live here:
which texts (``texts``), the rules (``rules``, ``secrets``), what follows
(``sources``).
Law: a signal says which rule and where, never what; the same request always has the same
signals, whatever the order of its keys; the work is bounded by the length of the request; what
is too long to be looked at is itself a signal.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from governance.action import MAX_CONTENT_BYTES, ActionRequest
from governance.policy import normalise
from governance.policy.signals.rules import (
    HIDDEN_CHARS,
    HIDERS,
    MARKERS,
    SIGNS,
    SPEAKER,
    TITLE,
    TRIGGERS,
    parted,
    phrases_in,
)
from governance.policy.signals.secrets import HINTS, REFERENCE, find_secret, is_named_secret
from governance.policy.signals.texts import MOST_APART, places_of, texts_of, together
from governance.policy.signals.words import ADDRESSED

MAX_CHARS = 2 * MAX_CONTENT_BYTES
"""More than any request that can become a job has."""
UNREAD = "not_read_whole"
NAMED = "named_argument"
_REMOVED = "[removed]"
_SAFE_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MAX_POINTER = 120
_HIDING = re.compile("[\u202d\u202e]|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0020-\U000e007e]")
"""Forced direction, and tags outside of a flag."""


def _gated() -> dict[str, tuple[str, ...]]:
    """Pieces without which no rule fires, by one character of theirs: most texts have none."""
    gated: dict[str, list[str]] = {}
    for needle in dict.fromkeys((*SIGNS, *HINTS)):
        gate = next((char for char in "<[#:_.-" if char in needle), "")
        gated.setdefault(gate, []).append(needle)
    return {gate: tuple(needles) for gate, needles in gated.items()}


_GATED = _gated()
_WORD_CHARS = 64
_SHORTEST = 6
"""No rule fires in fewer characters, once folded."""


class SignalKind(StrEnum):
    """What a signal is about."""

    INJECTION = "injection"
    SECRET = "secret"  # noqa: S105  # a kind, none itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One rule that fired. ``pointer`` is the first of its places, ``others`` how many more."""

    kind: SignalKind
    rule: str
    pointer: str
    others: int = 0

    @property
    def sentence(self) -> str:
        """What is said of it, in our words alone."""
        more = f" (and {self.others} more)" if self.others else ""
        if self.rule == UNREAD:
            return f"the request has more than {MAX_CHARS} characters, too many to look for secrets"
        if self.kind is SignalKind.SECRET:
            return (
                f"a raw secret ({self.rule}) stands at {self.pointer}{more}: "
                f"refer to it as {REFERENCE}name"
            )
        return f"text at {self.pointer}{more} {TITLE[self.rule]}"


def signals_in(request: ActionRequest) -> tuple[Signal, ...]:
    """Every rule that fires in ``request``, in the order of the rules' names."""
    texts = texts_of(request)
    whole = "\n".join(texts)
    if len(whole) > MAX_CHARS:
        return (Signal(kind=SignalKind.SECRET, rule=UNREAD, pointer=""),)
    if len(texts) <= MOST_APART:
        # Tags, labels and topics come again and again: only what is left is looked at anew.
        texts = [text for text in texts if len(text) > _WORD_CHARS or not _is_quiet_word(text)]
    if not texts or is_quiet("\n".join(texts)):
        return ()
    places = [*places_of(request)]
    found: dict[tuple[SignalKind, str], list[tuple[str, ...]]] = {}
    for place in (*places[:MOST_APART], *together(places[MOST_APART:])):
        for hit in frozenset() if is_quiet(place.text) else rules_in(place.text):
            found.setdefault(hit, []).append(place.parts)
    for place in places:
        if place.key and is_named_secret(place.key, place.text):
            found.setdefault((SignalKind.SECRET, NAMED), []).append(place.parts)
    return tuple(
        Signal(kind=kind, rule=rule, pointer=_pointer(min(where)), others=len(where) - 1)
        for (kind, rule), where in sorted(found.items())
    )


def is_quiet(text: str) -> bool:
    """Whether nothing in ``text`` can fire a rule: one cheap look that spares the others."""
    if not text.isascii():
        if _HIDING.search(text):
            return False
        text = normalise.fold(text)
    if len(text) < _SHORTEST:
        return True
    raw = text.encode()
    plain, leet = normalise.words(raw), normalise.words(raw, normalise.LEET)
    return not (
        normalise.has_escapes(text)
        or normalise.is_spelled_out(raw)
        or not TRIGGERS.isdisjoint(plain)
        or not TRIGGERS.isdisjoint(leet)
        or _holds_a_piece(text.lower())
        or (normalise.has_long_run(raw) and _says_something(text, plain, leet))
    )


_is_quiet_word = lru_cache(maxsize=4_096)(is_quiet)
"""The same for short texts, of which the last are remembered: a text alone decides it."""


def _says_something(text: str, *rows: list[bytes]) -> bool:
    """Whether a long run is more than a digest: it can be read, or words stand in it."""
    return bool(normalise.decoded(text)) or any(
        not TRIGGERS.isdisjoint(parted(row)) for row in rows
    )


def _holds_a_piece(lowered: str) -> bool:
    for gate, needles in _GATED.items():
        if gate in lowered:
            for needle in needles:
                if needle in lowered:
                    return True
    return False


def rules_in(text: str) -> frozenset[tuple[SignalKind, str]]:
    """The rules that fire in one text, each view of it looked at once."""
    hits: set[tuple[SignalKind, str]] = set()
    for view in views(text):
        hits |= {(SignalKind.INJECTION, rule) for rule in _injections(view)}
        secret = find_secret(view)
        if secret:
            hits.add((SignalKind.SECRET, secret))
    if _HIDING.search(text):
        hits.add((SignalKind.INJECTION, "hidden_characters"))
    return frozenset(hits)


def views(text: str) -> Iterator[str]:
    """``text`` folded, and what it says once its escapes and encodings are resolved, in ASCII.

    At most three, each at most a few times as long as the text.
    """
    folded = normalise.fold(text)
    yield folded
    if normalise.has_escapes(folded):
        resolved = normalise.unescaped(folded)
        if resolved != folded:
            yield resolved
    if normalise.has_long_run(folded.encode()):
        said = normalise.decoded(folded)
        if said:
            yield said


def _injections(view: str) -> set[str]:
    raw = view.encode()
    rows = [normalise.words(raw), normalise.words(raw, normalise.LEET)]
    if normalise.is_spelled_out(raw) or normalise.has_long_run(raw):
        closed = normalise.closed_up(view).encode()
        rows += [parted(normalise.words(closed)), parted(normalise.words(closed, normalise.LEET))]
    found: set[str] = set()
    for row in rows:
        if not TRIGGERS.isdisjoint(row):
            found |= phrases_in(row)
    lowered = view.lower()
    if any(sign in lowered for sign in SIGNS):
        found |= {
            rule for rule, markers in MARKERS.items() if any(mark in lowered for mark in markers)
        }
        if SPEAKER.search(view):
            found.add("role_marker")
        if _hides_words(lowered):
            found.add("hidden_markup")
    return found


def _hides_words(lowered: str) -> bool:
    """Whether hidden markup addresses somebody; no stretch is looked at twice for one opening."""
    for opening, ending in HIDERS:
        start = lowered.find(opening)
        while start >= 0:
            start += len(opening)
            end = lowered.find(ending, start, start + HIDDEN_CHARS)
            end = start + HIDDEN_CHARS if end < 0 else end
            if not ADDRESSED.isdisjoint(normalise.words(lowered[start:end].encode())):
                return True
            start = lowered.find(opening, end)
    return False


def _pointer(parts: tuple[str, ...]) -> str:
    """A pointer in which no key says anything: only plain names are repeated.

    One that would be long ends at the value around the place.
    """
    pointer = ""
    for part in parts:
        is_plain = _SAFE_KEY.fullmatch(part) and (is_quiet(part) or not rules_in(part))
        longer = f"{pointer}/{part if is_plain else _REMOVED}"
        if len(longer) > _MAX_POINTER:
            break
        pointer = longer
    return pointer
