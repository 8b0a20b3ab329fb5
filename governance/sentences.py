"""A sentence that names something, and can still be told in another language.

Lives here: our template with the values that it is about. Must not live here: any translation, or
who is told. Law: it is the English text, byte for byte, wherever a text is taken; a value is never
read as a template, and is ours only where it is a sentence itself.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Self

SEVERAL = "{first}; {more}"
"""Sentences one after the other."""


class Sentence(str):
    """The finished English sentence, which remembers what it was made from."""

    __slots__ = ("template", "values")
    template: str
    values: dict[str, str | int]

    def __new__(cls, template: str, /, **values: str | int) -> Self:
        """``template`` with ``values`` in its places; without values it is taken as it stands."""
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template = template
        made.values = values
        return made

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Another process reads the text alone."""
        return (str, (str(self),))


def joined(parts: Iterable[str], form: str) -> str:
    """``parts`` one after the other; ``form`` says how, as ``{first}; {more}``, in any language."""
    return reduce(lambda first, more: Sentence(form, first=first, more=more), parts)
