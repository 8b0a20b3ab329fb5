"""Sealing segments of the log.

Lives here: ``placet audit seal``. Must not live here: what is sealed (``storage.segments``), and
the verification (``verify``). Law: what cannot be sealed now is said, with its reason.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit, run, show, stamp, visible
from governance.errors import Code, InvalidInput

EXAMPLES = "Example: placet audit seal\n\nExample: placet audit seal --up-to 2026-03-01"


@answered
def seal(
    *,
    up_to: Annotated[
        str,
        typer.Option(
            help="Seal only what is older: a date, or an instant with its zone.", metavar="DATE"
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Write what follows the newest seal into PLACET_SEGMENTS, verify that, and sign for it.

    A segment ends at the newest checkpoint (older than DATE). Beside its records lies the state
    that verification derived at its end, so that audit verify --since-seal may begin there. The
    log keeps its records. Exit code 3: the log does not verify, or another process seals.
    """
    from bot.compose import segments

    settings = settings_now()
    until = _instant(up_to) if up_to else None
    made = run(segments.seal(settings, until=until, actor=actor()))
    if as_json:
        facts = {} if made is None else {"first": made.first, "last": made.last}
        digests = {} if made is None else {"file": made.file_digest, "state": made.state_digest}
        until_text = {} if made is None else {"keep_until": stamp(made.keep_until)}
        emit({"sealed": made is not None} | facts | digests | until_text)
    elif made is None:
        show("There is nothing to seal: no checkpoint of newer events.")
    else:
        folder = visible(str(settings.segments))
        show(
            f"Events {made.first} to {made.last} are sealed in {folder}; "
            f"to be kept until {stamp(made.keep_until)}."
        )


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{text!r} is no date, such as 2026-03-01", pointer="/up_to"
        ) from error
    if found.tzinfo is None and "T" in text.upper().replace(" ", "T"):
        raise InvalidInput(Code.INVALID_FIELD, "an instant needs its zone", pointer="/up_to")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
