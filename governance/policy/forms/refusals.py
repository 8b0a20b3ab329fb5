"""Why a form refuses what was written, in words of whoever writes it.

Lives here: the sentence for the first thing that a form finds, and the key that was probably
meant. Must not live here: what other files' keys are called here (``hints``), places in a file
(``bot.bundles``). Law: no name of a class and no type of this language is in a sentence; a key is
suggested only where it is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError

from governance.policy.forms.hints import HINTS, hint

Place = tuple[int | str, ...]
MAX_SUGGESTED = 64
"""Of a longer key nobody guesses what was meant."""
_KINDS = {
    "bool_type": "a boolean: true or false, without quotes",
    "bool_parsing": "a boolean: true or false, without quotes",
    "dict_type": "a mapping of keys",
    "list_type": "a valid list: in [ ], or each item on a line of its own behind a dash",
    "model_type": "a mapping of keys",
    "string_type": "a string: a number or a word like true stands in quotes there",
}
_PATTERNS = {
    "^[A-Za-z0-9][": "a name: a letter or digit, then letters, digits and marks such as . _ : -",
    "^slack:": "a person, written slack:TEAM/USER",
    "^([01][": "a time of day such as 09:00 or 18:30",
    "^(([01][": "a time of day such as 18:30, or 24:00",
    "^[A-Za-z][A-Za-z0-9_+-]*(/": "a time zone such as Europe/Berlin or UTC",
    "^(agent|tenant|tool|trace": "agent, tenant, tool, trace or label:NAME",
    "^(agent|tenant|tool|label": "agent, tenant, tool or label:NAME",
    "^S[": "a user group of Slack, written as its id, S0...",
    "^[CG][": "a channel of Slack, written as its id, C0...",
    "^[A-Za-z0-9.!#": "an address such as ada@example.com",
}
_NONE = object()
_DURATION = "[smhd]$"
"""How the pattern of every duration ends."""


def first_of(
    error: ValidationError,
    form: type[BaseModel],
    source: object,
    hints: Mapping[str, str] = HINTS,
) -> tuple[Place, str]:
    """Where the first thing is that ``form`` refuses in ``source``, and why."""
    errors = error.errors(include_url=False, include_input=False)
    first = errors[0]
    if first["type"] == "missing":  # often what is missing is what was misspelt beside it
        beside = (item for item in errors if item["type"] == "extra_forbidden")
        first = next((item for item in beside if item["loc"][:-1] == first["loc"][:-1]), first)
    kind, place = first["type"], first["loc"]
    if kind != "missing":
        place = _written(source, place)
    key = _called(place)
    if kind == "int_type" and place != first["loc"]:
        return place, f"{key}: it should be a number"
    if kind == "extra_forbidden":
        meant = hint(str(place[-1]), hints) or suggestion(form, place)
        return place, f"{key} is not a key that is known here{meant}"
    if kind == "missing":
        return place, f"{key} is missing"
    if kind in _KINDS:
        return place, f"{key}: it should be {_KINDS[kind]}"
    if kind == "string_pattern_mismatch":
        return place, f"{key}: it should be {form_of(first['ctx']['pattern'])}"
    message = first["msg"]
    message = f"{message[0].lower()}{message[1:]}".replace("input should", "it should")
    return place, f"{key}: {message}"


def _called(place: Place) -> str:
    last = place[-1] if place else "the whole"
    is_item = isinstance(last, int) and len(place) > 1
    return f"item {int(last) + 1} of {place[-2]!r}" if is_item else repr(last)


def form_of(pattern: str) -> str:
    """What a text has to look like that fits ``pattern``."""
    if pattern.endswith(_DURATION):
        return "a duration such as 30s, 5m, 4h or 2d"
    known = (words for start, words in _PATTERNS.items() if pattern.startswith(start))
    return next(known, f"a text of the form {pattern}")


def _written(source: object, place: Place) -> Place:
    """``place`` as far as it stands in ``source``: what follows names a form's own parts."""
    for number, part in enumerate(place):
        found: object = _NONE
        if isinstance(source, Mapping):
            found = source.get(part, _NONE)
        elif isinstance(source, Sequence) and isinstance(part, int):
            found = source[part]
        if found is _NONE:
            return place[:number]
        source = found
    return place


def suggestion(form: type[BaseModel], place: Place) -> str:
    """The key that was meant by the last one of ``place``, which ``form`` does not know."""
    *outer, key = place
    if not isinstance(key, str) or len(key) > MAX_SUGGESTED:
        return ""
    for model in _at(form, outer):
        for name, field in model.model_fields.items():
            if any(key in _keys(inner) for inner in _models(field.annotation)):
                return f": it stands in {name}"
        near = get_close_matches(key, sorted(_keys(model)), n=1)
        if near:
            return f": {near[0]} is one"
    return ""


def _at(form: type[BaseModel], place: Iterable[int | str]) -> list[type[BaseModel]]:
    """The forms that could stand at ``place``."""
    found: object = form
    for part in place:
        found = _inside(found, part)
    return _models(found)


def _inside(annotation: object, part: int | str) -> object:
    """What stands under ``part`` of whatever ``annotation`` describes."""
    if get_origin(annotation) in (list, dict):
        return get_args(annotation)[-1]
    fields = (item for model in _models(annotation) for item in model.model_fields.items())
    found = (f.annotation for name, f in fields if part in _spellings(name, f.validation_alias))
    return next(found, None)


def _models(annotation: object) -> list[type[BaseModel]]:
    """The forms of which ``annotation`` is one, or of which it holds several."""
    parts = (annotation, *get_args(annotation))
    return [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]


def _keys(model: type[BaseModel]) -> set[str]:
    fields = model.model_fields.items()
    return {key for name, field in fields for key in _spellings(name, field.validation_alias)}


def _spellings(name: str, alias: object) -> tuple[str, ...]:
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (name,)
