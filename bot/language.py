"""In which language we say something: the catalogue, and whose language it is now.

Lives here: looking our own English sentences up, numbers as a language writes them, the language
of what is being said. Must not live here: who speaks which (``slack.speakers``), any sentence.
Law: only our own words are looked up, and values are put in afterwards, so that nothing that
somebody else wrote is ever translated or read as a template; what a catalogue lacks is said in
English, and so is everything where nobody was asked for another language.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from governance.sentences import Sentence

SOURCE = "en"
"""The language of the sentences in the code."""
LANGUAGES = (SOURCE, "de")
_NUMBERS = {"de": str.maketrans(",.", ".,")}
"""How a language's signs in numbers differ from English ones."""
_DAYS = {"de": "%d.%m."}
"""How a language writes a day without its year."""
_spoken: ContextVar[str] = ContextVar("placet_language", default=SOURCE)


def N_(message: str) -> str:  # the name by which extraction tools know it
    """``message`` as it is: it is looked up where it is said."""
    return message


def gettext(message: str, /, **values: object) -> str:
    """Our sentence ``message`` in the language that is spoken, with ``values`` in their places."""
    found = _catalogue(_spoken.get()).gettext(message) if message else ""
    return found.format(**values) if values else found


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """The same in the form that goes with ``count``, whose place is ``{count}``."""
    found = _catalogue(_spoken.get()).ngettext(one, many, count)
    return found.format(count=number(count), **values)


def told(text: str) -> str:
    """``text`` in the language that is spoken where it is a sentence of ours, else as it is."""
    if not isinstance(text, Sentence):
        return text
    values = {
        name: told(value) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    return gettext(text.template, **values)


def number(value: float, *, decimals: int = 0) -> str:
    """A number with the signs that the language has for thousands and decimals."""
    return signed(f"{value:,.{decimals}f}")


def signed(shown: str) -> str:
    """A number that is written the English way, with the signs of the language."""
    table = _NUMBERS.get(_spoken.get())
    return shown if table is None else shown.translate(table)


def day_form() -> str:
    """How a day without its year is written, as ``strftime`` takes it."""
    return _DAYS.get(_spoken.get(), "%d %b")


def spoken() -> str:
    """The language that is spoken now."""
    return _spoken.get()


def language_of(locale: str) -> str:
    """The language of a locale such as ``de-DE``; English where it is none of ours."""
    name = locale.replace("_", "-").partition("-")[0].lower()
    return name if name in LANGUAGES else SOURCE


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak ``language`` for a while."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


@lru_cache
def _catalogue(language: str) -> NullTranslations:
    if language == SOURCE:
        return NullTranslations()
    place = files("bot.slack").joinpath("locale", language, "LC_MESSAGES", "placet.mo")
    with place.open("rb") as file:
        return GNUTranslations(file)
