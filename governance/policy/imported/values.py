"""What an import of another control plane's file is made of, and how its values are read.

Lives here: notes, and readers that refuse what has another shape than it should.
Must not live here: what any key means (``match``, ``limits``,
``rules``, ``seeds``).
Law: a value of the wrong kind is refused with its place and never bent into another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from governance.canonical import Json
from governance.policy.forms.documented import pointer, refuse

Place = tuple[str | int, ...]
_MOST_CHARS = 256


class NoteKind(StrEnum):
    """Why a person should look at a key."""

    NOT_CARRIED = "not carried over"
    STRICTER = "stricter"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportNote:
    """One thing that the import could not do, or did otherwise; ``pointer`` is into the input."""

    kind: NoteKind
    pointer: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A bundle in the documented form, and what a person has to know about it."""

    bundle: Mapping[str, Json]
    notes: tuple[ImportNote, ...] = field(default=())


def note(kind: NoteKind, place: Place, text: str) -> ImportNote:
    """A note about what stands at ``place``."""
    return ImportNote(kind=kind, pointer=pointer(*place), text=text)


def mapping(value: Json, place: Place) -> Mapping[str, Json]:
    """``value`` as a mapping; nothing written is an empty one.

    Raises:
        InvalidInput: ``invalid_bundle``: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise refuse(pointer(*place), "it should be a mapping")
    return value


def items(value: Json, place: Place) -> Sequence[Json]:
    """``value`` as a list; nothing written is an empty one.

    Raises:
        InvalidInput: ``invalid_bundle``: it is something else.
    """
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise refuse(pointer(*place), "it should be a list")
    return value


def text(value: Json, place: Place, *, most: int = _MOST_CHARS) -> str:
    """``value`` as text that says something.

    Raises:
        InvalidInput: ``invalid_bundle``: no text, a blank one, or one that is too long.
    """
    if not isinstance(value, str):
        raise refuse(pointer(*place), "it should be text")
    if not value.strip():
        raise refuse(pointer(*place), "it is blank")
    if len(value) > most:
        raise refuse(pointer(*place), f"it is longer than {most} characters")
    return value


def words(value: Json, place: Place) -> list[str]:
    """``value`` as a list of texts.

    A blank entry is refused: left out, it could turn a list into no restriction at all.

    Raises:
        InvalidInput: ``invalid_bundle``: no list, or an entry that is no text.
    """
    return [text(item, (*place, n)) for n, item in enumerate(items(value, place))]


def spelt(value: Json, place: Place) -> str:
    """The value of a label as the text it is compared as.

    Raises:
        InvalidInput: ``invalid_bundle``: it is not one value.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    raise refuse(pointer(*place), "it should be one text")


def whole(value: Json, place: Place) -> int:
    """``value`` as a whole number from 0.

    Raises:
        InvalidInput: ``invalid_bundle``: it is none, or larger than can be carried exactly.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise refuse(pointer(*place), "it should be a whole number from 0")
    return value


def is_unset(value: Json) -> bool:
    """Whether nothing is said: null, false, or an empty text, list or mapping."""
    return value is None or value is False or value in ("", (), [], {})
