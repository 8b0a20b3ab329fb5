"""What an expression comes out as where a label is missing.

Lives here: one look at the words of a ``when``, as the language joins them. Must not live here:
values and evaluation (``expression``), or what a linter makes of it (``lint.labels``).
Law: whatever judging could answer to a request without the label is among the outcomes told; what
is not understood as a choice between parts counts as true or false, or as an error where it reads
the label.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, product

from governance.policy.cel.tokens import MAX_CHARS, Token
from governance.policy.matching import Outcome

TRUE, FALSE, ERROR = Outcome.MATCHED, Outcome.NOT_MATCHED, Outcome.ERROR
Outcomes = frozenset[Outcome]
_EITHER: Outcomes = frozenset({TRUE, FALSE})
_NEVER: Outcomes = frozenset({FALSE})
_OPENS, _CLOSES = frozenset("([{"), frozenset(")]}")
_JOINS = frozenset({"==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "in"})
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"true", "false", "null", "in"})
Words = Sequence[Token]


def asks_for(label: str) -> str:
    """How an expression asks whether ``label`` is there."""
    if _FIELD.fullmatch(label) and label not in _RESERVED:
        return f"has(labels.{label})"
    quote = "'" if '"' in label else '"'
    return f"{quote}{label}{quote} in labels"


def labels_read(words: Words) -> tuple[str, ...]:
    """The labels whose value an expression of these words reads, by their names, each once."""
    found = (_read_at(words, place) for place in range(len(words)))
    return tuple(dict.fromkeys(name for name in found if name))


def without(words: Words, label: str) -> Outcomes:
    """Everything that an expression of these words can come out as where ``label`` is missing."""
    return _choice(words, label)


def _read_at(words: Words, place: int) -> str:
    """The label that is read at ``place``; a ``has()`` around it only asks for it."""
    before = [token.text for token in words[max(0, place - 2) : place]]
    if words[place].text != "labels" or before[-1:] == ["."] or before == ["has", "("]:
        return ""
    match [token.text for token in words[place + 1 : place + 4]]:
        case [".", name, *rest] if rest != ["("] and words[place + 2].kind == "name":
            return name
        case ["[", key, "]"] if words[place + 2].is_plain:
            return key[1:-1]
    return ""


def _choice(words: Words, label: str) -> Outcomes:
    """``a ? b : c``, or what stands there without."""
    words = _bare(words)
    asked = _split(words, "?", most=1)
    if len(asked) == 1:
        return _either(words, label)
    yes, no = _split(asked[1], ":", most=1)  # another choice in the middle stands in brackets
    found: set[Outcome] = set()
    for said in _either(asked[0], label):
        if said is ERROR:
            found.add(ERROR)
        else:
            found |= _choice(yes if said is TRUE else no, label)
    return frozenset(found)


def _either(words: Words, label: str) -> Outcomes:
    return _joined((_both(part, label) for part in _split(words, "||")), TRUE, FALSE)


def _both(words: Words, label: str) -> Outcomes:
    return _joined((_one(part, label) for part in _split(words, "&&")), FALSE, TRUE)


def _joined(parts: Iterable[Outcomes], stands: Outcome, empty: Outcome) -> Outcomes:
    """One part that is ``stands`` makes the whole so, whatever the others are."""
    whole: Outcomes = frozenset({empty})
    for part in parts:
        pairs = product(whole, part)
        whole = frozenset(
            stands if stands in pair else ERROR if ERROR in pair else empty for pair in pairs
        )
    return whole


def _one(words: Words, label: str) -> Outcomes:
    """A part that no sign joins to others: denied, in brackets, or a question of its own."""
    if not _is_single(words):
        return _leaf(words, label)
    denials = next((n for n, token in enumerate(words) if token.text != "!"), 0)
    inner = words[denials:]
    found = _choice(inner, label) if len(_bare(inner)) < len(inner) else _leaf(inner, label)
    if denials % 2 == 0:
        return found
    other = {TRUE: FALSE, FALSE: TRUE, ERROR: ERROR}
    return frozenset(other[said] for said in found)


def _leaf(words: Words, label: str) -> Outcomes:
    texts = [token.text for token in words]
    if texts == ["has", "(", "labels", ".", label, ")"]:
        return _NEVER
    is_asked = len(texts) == 3 and texts[1:] == ["in", "labels"] and words[0].is_plain  # noqa: PLR2004
    if is_asked and texts[0][1:-1] == label:
        return _NEVER
    reads = any(_read_at(words, place) == label for place in range(len(words)))
    # Where it asks and reads in one, such as in a loop, it knows what it does.
    asks = ["has", "(", "labels", ".", label]
    knows = any(texts[place : place + 5] == asks for place in range(len(texts)))
    return _EITHER | {ERROR} if reads and not knows else _EITHER


def _is_single(words: Words) -> bool:
    """Whether no sign at the outside compares or calculates: ``!a == b`` denies ``a`` alone."""
    return not any(words[place].text in _JOINS for place in _outside(words))


def _bare(words: Words) -> Words:
    """``words`` without brackets that stand around all of them."""
    while words[0].text == "(" and _outside(words)[0] == len(words) - 1:
        words = words[1:-1]
    return words


def _split(words: Words, sign: str, *, most: int = MAX_CHARS) -> list[Words]:
    """The parts of ``words`` between each ``sign`` that stands in no bracket."""
    signs = [place for place in _outside(words) if words[place].text == sign][:most]
    starts = [0, *(place + 1 for place in signs)]
    return [words[start:end] for start, end in zip(starts, [*signs, len(words)], strict=True)]


def _outside(words: Words) -> list[int]:
    """The places in no bracket; that which closes one is outside of it."""
    steps = (
        (token.text in _OPENS) - (token.text in _CLOSES) if token.kind == "sign" else 0
        for token in words
    )
    return [place for place, depth in enumerate(accumulate(steps)) if depth == 0]
