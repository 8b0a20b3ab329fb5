"""The words with which the Slack side asks for its own.

Lives here: the names of ``bot.language`` that it needs. Must not live here: anything else. Law:
there is one catalogue and one language that is being spoken.
"""

from bot.language import (
    LANGUAGES,
    N_,
    SOURCE,
    gettext,
    language_of,
    ngettext,
    number,
    speaking,
    spoken,
    told,
)

__all__ = [
    "LANGUAGES",
    "N_",
    "SOURCE",
    "gettext",
    "language_of",
    "ngettext",
    "number",
    "speaking",
    "spoken",
    "told",
]
