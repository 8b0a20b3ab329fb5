"""What reads like an attempt to steer the reviewer, the service or another agent.

Lives here: phrases and markers, and how phrases are found. Must not live here: the words
(``words``), where they are looked for (``scan``), how text is made plain
(``normalise``). Law: a phrase is found in one pass over the words, whatever they are.

A phrase is a row of word classes: one word of each, in this order, each at most ``within`` words
after the one before.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from governance.policy.signals.words import CLASSES

SIGNALS_VERSION = "2"
"""Changes whenever a rule here, in ``secrets`` or in ``normalise`` finds something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One phrase; nothing is a match without a word of the class ``rarest``."""

    rule: str
    classes: tuple[str, ...]
    rarest: str
    within: int


def _phrases(rule: str, *rows: str) -> tuple[Phrase, ...]:
    """Rows of classes and their distance; the one in brackets is the rarest."""
    found: list[Phrase] = []
    for row in rows:
        *names, within = row.split()
        rarest = next(name for name in names if name.startswith("["))
        classes = tuple(name.strip("[]") for name in names)
        found.append(
            Phrase(rule=rule, classes=classes, rarest=rarest.strip("[]"), within=int(within))
        )
    return tuple(found)


PHRASES = (
    *_phrases(
        "ignore_instructions",
        "[ignore] previous instructions 5",
        "[ignore] previous rules 3",
        "[ignore] yours instructions 3",
        "[ignore] yours rules 3",
        "[ignore] system prompt 3",
        "[ignore] all instructions 3",
        "[ignore] instructions previous 3",
        "[ignore] instructions told 4",
        "[ignore] everything told 4",
        "[ignore] the_above instead 5",
    ),
    *_phrases(
        "new_instructions",
        "[your] new task 2",
        "[now] on you be 2",
        "you be now [persona] 2",
        "[pretend] persona 4",
        "[dan] mode 1",
    ),
    *_phrases(
        "to_the_reviewer",
        "[approve] this request 2",
        "[approve] at_once 4",
        "you must [approve] 2",
        "no [approval] needed 4",
        "no need [approval] 3",
        "[approval] no needed 3",
        "dont [ask] human 4",
        "[german_ask] german_not 2",
        "dont [ask] approval 4",
        "without [inquiry] 3",
        "subject already [approved] 4",
        "already [approved] by 1",
        "[skip] oversight 3",
        "[treat] it safe 4",
    ),
    *_phrases("exfiltration", "[send] secrets destination 7", "[send] me secrets 4"),
    *_phrases("exfiltration", "[exfiltrate] data 4", "[exfiltrate] secrets 4"),
    *_phrases("prompt_leak", "[reveal] yours prompt 3", "[reveal] system prompt 3"),
    *_phrases("concealment", "dont [conceal] witness 4"),
    *_phrases(
        "tool_chaining",
        "before using [tool] read 6",
        "then [call] tool with 4",
        "[pass] content parameter 8",
    ),
)
MARKERS: Mapping[str, tuple[str, ...]] = {
    "role_marker": (
        "<|im_start|>",
        "<|im_end|>",
        "<|system|>",
        "<|assistant|>",
        "<|user|>",
        "<|endoftext|>",
        "<|start_header_id|>",
        "[inst]",
        "[/inst]",
        "<<sys>>",
        "<system_prompt",
        "<system-prompt",
        "<system-reminder",
        "<system_message",
        "### system:",
        "### instruction:",
        "### instructions:",
        "begin system prompt",
        "end of system prompt",
    ),
    "tool_chaining": (
        "<tool_call",
        "<tool_result",
        "<function_call",
        "<function_result",
        "<invoke",
    ),
}
"""Pieces of text, in lower case, that no reader needs and a model may obey."""
SPEAKER = re.compile(
    r"(?:^|\n)[ \t]{0,8}(?:system|developer) (?:message|prompt|override|instructions?)[ \t]{0,4}:"
    r"|[\"']role[\"']\s{0,4}:\s{0,4}[\"'](?:system|developer)[\"']",
    re.IGNORECASE,
)
HIDERS = (
    ("<!--", "-->"),
    ("[//]:", "\n"),
    ("[comment]:", "\n"),
    ("display:none", "</"),
    ("display: none", "</"),
    ("visibility:hidden", "</"),
    ("visibility: hidden", "</"),
    ("font-size:0", "</"),
    ("font-size: 0", "</"),
)
"""What takes text out of a rendered page, and where that ends."""
SIGNS = (
    *("<", "[inst]", "[/inst]", "### ", "system", "developer"),
    *(opening for opening, _ in HIDERS),
)
"""Pieces of which every marker, speaker and opening holds one."""
HIDDEN_CHARS = 400
"""How much behind such an opening is looked at."""
TITLE = {
    "ignore_instructions": "reads like an order to ignore instructions",
    "new_instructions": "reads like new instructions for an agent",
    "role_marker": "holds markers of a system or tool message",
    "to_the_reviewer": "reads like an instruction to the reviewer",
    "exfiltration": "reads like an order to send secrets or data away",
    "prompt_leak": "asks for hidden instructions",
    "concealment": "asks to keep something from people",
    "tool_chaining": "reads like an order to call further tools",
    "hidden_markup": "addresses an agent or reviewer in hidden markup",
    "hidden_characters": "holds characters that hide or reorder text",
}
"""The rules, in the order in which they are told, and what each says of a text."""
TRIGGERS = frozenset().union(*(CLASSES[phrase.rarest] for phrase in PHRASES))
"""Without one of these words there is no phrase."""


def _steps() -> dict[bytes, tuple[tuple[int, int], ...]]:
    found: dict[bytes, list[tuple[int, int]]] = {}
    for number, phrase in enumerate(PHRASES):
        for step, name in enumerate(phrase.classes):
            for word in CLASSES[name]:
                found.setdefault(word, []).append((number, step))
    return {word: tuple(steps) for word, steps in found.items()}


_STEPS = _steps()


def phrases_in(words: Iterable[bytes]) -> set[str]:
    """The rules of which a phrase stands in ``words``.

    Of each phrase only the latest place of each step is kept: the nearest is the one that fits
    if any does, so that one look at each word is enough.
    """
    reached: dict[tuple[int, int], int] = {}
    rules: set[str] = set()
    for place, word in enumerate(words):
        for number, step in _STEPS.get(word, ()):
            phrase = PHRASES[number]
            before = place if step == 0 else reached.get((number, step - 1))
            if before is None or place - before > phrase.within:
                continue
            reached[number, step] = place
            if step == len(phrase.classes) - 1:
                rules.add(phrase.rule)
    return rules


def _known() -> re.Pattern[bytes]:
    """Every known word of two letters and more, the longest first, by their first letter."""
    known = sorted(word.decode() for word in _STEPS if len(word) > 1)
    groups: list[str] = []
    for first, words in groupby(known, key=lambda word: word[0]):
        rests = sorted((word[1:] for word in words), key=lambda rest: (-len(rest), rest))
        groups.append(f"{first}(?:{'|'.join(rests)})")
    return re.compile("|".join(groups).encode())


KNOWN = _known()
LONG_WORD = 16
"""A word of so many letters may be several run together."""


def parted(words: Iterable[bytes]) -> list[bytes]:
    """``words`` with the known words of every long one in its place."""
    out: list[bytes] = []
    for word in words:
        out += [word] if len(word) < LONG_WORD else KNOWN.findall(word)
    return out
