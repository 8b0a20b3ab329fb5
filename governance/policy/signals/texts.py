"""The texts of a request in which signals are looked for, with their places.

Lives here: which texts those are, where each stands, and which are looked at together. Must not
live here: what is looked for (``scan``).
Law: every text that the agent wrote is there, names of keys included; the same request always has
the same texts in the same order, whatever the order of its keys; no number of texts makes more
than ``MOST_APART`` of them and one for each field cost a look of their own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from governance.action import ActionRequest
from governance.policy.signals.rules import HIDERS

MOST_APART = 2_048
"""So many texts are looked at one by one; those after them together, field by field."""
_BETWEEN = "\n" + " ".join(dict.fromkeys(ending.strip() for _, ending in HIDERS)) + ";\n"
"""What parts texts that are looked at together: encodings end there, and hidden markup as well."""


@dataclass(frozen=True, slots=True)
class Place:
    """One text of a request; ``key`` names it where it is the value of a key."""

    parts: tuple[str, ...]
    text: str
    key: str = ""


def texts_of(request: ActionRequest) -> list[str]:
    """Every text of ``request`` that its agent wrote, names of keys included."""
    content = request.content
    out = [
        request.topic,
        request.tool,
        request.target,
        request.capability,
        *request.risk_tags,
        *request.requires,
        *request.data_classes,
        *request.labels,
        *request.labels.values(),
        content.prompt,
        content.justification,
    ]
    waiting: list[object] = [each for each in (content.arguments, content.context) if each]
    for value in waiting:  # grows while it is walked
        if isinstance(value, str):
            out.append(value)
        elif isinstance(value, Mapping):
            out += value
            waiting += value.values()
        elif isinstance(value, Sequence):
            waiting += value
    return out


def places_of(request: ActionRequest) -> Iterator[Place]:
    """The same texts with their places, by the names of a request's fields."""
    content = request.content
    waiting: list[tuple[tuple[str, ...], object, str]] = [
        (("topic",), request.topic, ""),
        (("tool",), request.tool, ""),
        (("target",), request.target, ""),
        (("capability",), request.capability, ""),
        (("risk_tags",), request.risk_tags, ""),
        (("requires",), request.requires, ""),
        (("data_classes",), request.data_classes, ""),
        (("labels",), request.labels, ""),
        (("prompt",), content.prompt, ""),
        (("justification",), content.justification, ""),
        (("arguments",), content.arguments, ""),
        (("context",), content.context, ""),
    ]
    for parts, value, key in waiting:  # grows while it is walked
        if isinstance(value, str):
            yield Place(parts, value, key)
        elif isinstance(value, Mapping):
            for name, item in sorted(value.items(), key=_name):
                yield Place(parts, name)
                waiting.append(((*parts, name), item, name))
        elif isinstance(value, Sequence):
            waiting += [((*parts, str(n)), item, key) for n, item in enumerate(value)]


def _name(entry: tuple[str, object]) -> str:
    return entry[0]


def together(places: Iterable[Place]) -> Iterator[Place]:
    """``places`` as one text for each field of the request."""
    texts: dict[str, list[str]] = {}
    for place in places:
        texts.setdefault(place.parts[0], []).append(place.text)
    for field, some in texts.items():
        yield Place((field,), _BETWEEN.join(some))
