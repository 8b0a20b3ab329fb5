"""What an agent asks to do.

Lives here: the request as a value, its content (arguments and words), and what makes it one action
that people can see. Must not live here: the digests that say it is exactly this (``digests``),
whether it may be done (``policy``) or how it is shown (``bot.slack.cards``).
Law: a client's tags, environment and classes are claims; one ticket is one action.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from governance.canonical import Json, parse
from governance.errors import Code, InvalidInput
from governance.json_text import to_text
from governance.making import quickly_made
from governance.principal import AgentId, PersonId, TenantId
from governance.sentences import Sentence

MAX_CONTENT_BYTES = 262_144
SHOWN_CHARS = 1_800
"""What a card shows whole; beyond it a person must open the full view before approving."""
SHOWN_LINES = 30
SHOWN_NAME_CHARS = 120
"""The same for each short field that names what is acted on."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Printable by Unicode's word, and nothing to see."""
_COST_OF_ODD = 10  # an unprintable character is shown as \u{10ffff}


class ActionKind(StrEnum):
    """What the action does to the world; execute is the widest."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"


class Dispatch(StrEnum):
    """Who performs an approved action: our executor, or the agent with a single-use grant."""

    EXECUTE = "execute"
    RELEASE = "release"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What may be erased later without breaking the log: arguments and words, kept apart."""

    arguments: Mapping[str, Json] = field(default_factory=dict)
    prompt: str = ""
    context: Json = None
    justification: str = ""

    def to_bytes(self) -> bytes:
        """JSON bytes, numbers as the agent wrote them; ``parse_content`` reads them back."""
        return to_text(
            {
                "arguments": self.arguments,
                "prompt": self.prompt,
                "context": self.context,
                "justification": self.justification,
            }
        ).encode("utf-8")


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """One action, as asked; see domain fields in docs/concepts.md.

    ``labels`` are strings; ``ttl_s`` is the requested life in seconds (None: the tier's).
    """

    tenant: TenantId
    agent: AgentId
    on_behalf_of: PersonId | None = None
    topic: str = "job.default"
    tool: str = ""
    action: ActionKind = ActionKind.EXECUTE
    environment: str = ""
    """Empty counts as prod."""
    capability: str = ""
    risk_tags: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    data_classes: tuple[str, ...] = ()
    target: str = ""
    """What it acts on, in a word or two: a host, a ticket, a file."""
    content: Content = field(default_factory=Content)
    dispatch: Dispatch = Dispatch.RELEASE
    trace_id: str
    idempotency_key: str
    ttl_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """What is made of a request once and carried along: each costs as much as deciding by a rule.

    ``needs_full_view``: whether a card cannot show all of it.
    """

    action: str
    request: str
    needs_full_view: bool


def parse_content(raw: bytes) -> Content:
    """Read back what ``Content.to_bytes`` wrote.

    Raises:
        InvalidInput: the bytes are not such content (they were altered).
    """
    value = parse(raw, max_bytes=2 * MAX_CONTENT_BYTES)
    match value:
        case {
            "arguments": Mapping() as arguments,
            "prompt": str() as prompt,
            "context": context,
            "justification": str() as justification,
        }:
            return Content(
                arguments=arguments, prompt=prompt, context=context, justification=justification
            )
        case _:
            raise InvalidInput(Code.INVALID_FIELD, "these bytes are not an action's content")


def needs_full_view(content: Content, *names: str, raw: bytes = b"") -> bool:
    """Whether a card cannot show the action whole, so that Approve needs the full view.

    ``names`` are the short fields that say what is acted on (target, tool, topic); ``raw`` are the
    bytes of ``content`` where they were made already. Counts what a reader would see: a character
    that shows nothing costs as much as its escape.
    """
    if not _is_surely_shown(raw) and _is_long(content):
        return True
    together = "".join(names)
    if len(together) <= SHOWN_NAME_CHARS and _cost(together) == len(together):
        return False
    return any(_costs_over(name, SHOWN_NAME_CHARS) for name in names)


def _is_surely_shown(raw: bytes) -> bool:
    """Whether content of these bytes is shown whole, by what it is at most.

    Without escapes each character is shown as it is, but for the lines into which it is broken: one
    for each comma, two for each bracket, each indented by no more than all brackets would.
    """
    if not raw.isascii() or b"\\" in raw or not raw:
        return False
    brackets = raw.count(b"{") + raw.count(b"[")
    lines = raw.count(b",") + 2 * brackets
    if lines > SHOWN_LINES or len(raw) + lines * (1 + 2 * brackets) > SHOWN_CHARS:
        return False
    return b"\x7f" not in raw


def _is_long(content: Content) -> bool:
    shown = to_text(content.arguments, indent=2) + content.prompt
    if content.context is not None:
        shown += to_text(content.context, indent=2)
    return _costs_over(shown, SHOWN_CHARS) or shown.count("\n") > SHOWN_LINES


def _costs_over(text: str, most: int) -> bool:
    return len(text) * _COST_OF_ODD > most and _cost(text) > most


def _cost(text: str) -> int:
    if text.isascii() and text.replace("\n", "").isprintable():
        return len(text)
    return sum(
        1 if char == "\n" or (char.isprintable() and not _is_odd(char)) else _COST_OF_ODD
        for char in text
    )


def _is_odd(char: str) -> bool:
    """Printable, but shown as an escape: blanks, and marks that pile up on other characters."""
    return char in _BLANK or unicodedata.category(char).startswith("M")


def check_one_target(request: ActionRequest, content: bytes = b"") -> None:
    """One ticket is one action: category words in a target are refused.

    ``content`` are the bytes of the request's content where they were made already.

    Raises:
        InvalidInput: ``target_too_broad`` with a pointer to the word; ``too_large`` content,
            counted as it is stored, so that it can be read back.
    """
    size = len(content or request.content.to_bytes())
    if size > MAX_CONTENT_BYTES:
        bound = MAX_CONTENT_BYTES
        message = Sentence(
            "arguments and words of {size} bytes, at most {most}", size=size, most=bound
        )
        raise InvalidInput(Code.TOO_LARGE, message)
    _refuse_broad(request.target, "/target")
    for key, value in request.content.arguments.items():
        if key.casefold() in _TARGET_KEYS:
            _refuse_broad_in(value, f"/arguments/{key}")


_TARGET_KEYS = frozenset({"target", "targets", "resource", "resources", "host", "hosts"})
_BROAD = frozenset({"all", "any", "everything", "everyone", "everybody", "everywhere"})


def _refuse_broad_in(value: Json, pointer: str) -> None:
    if isinstance(value, str):
        _refuse_broad(value, pointer)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_broad_in(item, f"{pointer}/{key}")
    elif isinstance(value, Sequence):
        for number, item in enumerate(value):
            _refuse_broad_in(item, f"{pointer}/{number}")


def _refuse_broad(word: str, pointer: str) -> None:
    plain = unicodedata.normalize("NFKC", word).casefold()
    first = plain.strip(" \t\"'`[](){}").partition(" ")[0]
    if first in _BROAD or "*" in plain:
        raise InvalidInput(
            Code.TARGET_TOO_BROAD,
            Sentence("one ticket is one action: name the target instead of a category word"),
            pointer=pointer,
        )
