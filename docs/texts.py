"""Writes the catalogues of what is said in Slack: ``python docs/texts.py``, or ``make texts``.

Lives here: from the sentences in the code to ``placet.pot``, from there to each ``placet.po`` and
to the ``placet.mo`` that is shipped. Must not live here: a translation. Law: a sentence that is no
longer in the code leaves the catalogues, one that is new is in each of them without a
translation, and ``tests/docs`` fails until there is one.
"""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from bot.replies import REPLIES
from bot.slack.kit.language import LANGUAGES, SOURCE

ROOT = Path(__file__).resolve().parents[1]
SLACK = ROOT / "bot" / "slack"
LOCALE = SLACK / "locale"
TEMPLATE = LOCALE / "placet.pot"
REPLY_TABLE = "bot/replies.py"
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "N_": None,
    "Sentence": None,
    "gettext": None,
    "ngettext": (1, 2),
}
_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""Written into every header, so that the same sentences make the same bytes."""


def template() -> Catalog:
    """Every sentence in the code, with the files that it stands in."""
    found = Catalog(
        project="placet",
        version="1",
        copyright_holder="The Placet maintainers",
        msgid_bugs_address="none",
        creation_date=_AT,
        header_comment="# What Placet says in Slack. Made by docs/texts.py.",
        fuzzy=False,
    )
    for message, place in sorted(_sentences(), key=lambda one: (one[1], str(one[0]))):
        found.add(message, locations=[(place, 1)])
    return found


def sources() -> Iterator[Path]:
    """Every file in which a sentence may stand."""
    for folder in ("bot", "governance", "storage"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def _sentences() -> Iterator[tuple[str | tuple[str, ...], str]]:
    for reply in REPLIES.values():
        yield reply.slack, REPLY_TABLE
    for path in sources():
        place = path.relative_to(ROOT).as_posix()
        for _, message, _, _ in extract_from_file("python", path, keywords=_KEYWORDS):
            if message:
                yield message, place


def po_of(language: str) -> Path:
    """The translations into ``language``."""
    return LOCALE / language / "LC_MESSAGES" / "placet.po"


def catalogue(language: str) -> Catalog:
    """The translations into ``language`` as they stand."""
    with po_of(language).open("rb") as file:
        return read_po(file, locale=language)


def as_text(found: Catalog) -> bytes:
    """A catalogue as its file."""
    out = io.BytesIO()
    write_po(out, found, width=100, include_lineno=False, ignore_obsolete=True)
    return out.getvalue()


def as_compiled(found: Catalog) -> bytes:
    """A catalogue as what is shipped."""
    out = io.BytesIO()
    write_mo(out, found)
    return out.getvalue()


def renewed(language: str, source: Catalog) -> Catalog:
    """The catalogue of ``language`` with the sentences of ``source`` and no others."""
    found = catalogue(language)
    found.update(source, no_fuzzy_matching=True, update_creation_date=False)
    return found


def main() -> None:
    """Write every file that has changed."""
    source = template()
    made = {TEMPLATE: as_text(source)}
    for language in LANGUAGES:
        if language != SOURCE:
            found = renewed(language, source)
            made[po_of(language)] = as_text(found)
            made[po_of(language).with_suffix(".mo")] = as_compiled(found)
    for path, content in made.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            sys.stdout.write(f"{path.relative_to(ROOT)} is written anew\n")


if __name__ == "__main__":
    main()
