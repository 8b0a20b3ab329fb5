"""Sealing segments of the log, and detaching them.

Lives here: ``placet audit seal`` and ``detach``. Must not live here: what is sealed
(``retention.segments``) or may go (``governance.detaching``), and the verification (``verify``).
Law: what cannot be done now is said, with its reason; nothing leaves the log without ``--apply``.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit, run, show, stamp, visible
from bot.cli.progress import bar
from governance.errors import Code, InvalidInput

DETACH = "Example: placet audit detach\n\nExample: placet audit detach --up-to 2026-03-01 --apply"
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


@answered
def detach(
    *,
    up_to: Annotated[
        str,
        typer.Option(
            help="Only segments that end before: a date, or an instant with its zone.",
            metavar="DATE",
        ),
    ] = "",
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it instead of only saying what would go.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take the oldest sealed segments out of the database; their files in PLACET_SEGMENTS stay.

    Only what was kept for as long as policy demands goes, and only where the files are what was
    sealed, the rows are the files, and the log verifies. All of it goes in one transaction, which
    says so in the log. Exit code 3: something is in the way, and is named; nothing was changed.
    From then on the files are the only copy: have them, and every state, in your backups.
    """
    from bot.compose import detaching

    settings = settings_now()
    until = _instant(up_to) if up_to else None
    with bar("verifying") as progress:
        found = run(
            detaching.detach(settings, until=until, actor=actor(), apply=apply, progress=progress)
        )
    if as_json:
        segments = [
            {"first": item.first, "last": item.last, "file": item.file_digest}
            for item in found.segments
        ]
        emit({"detached": found.is_done, "events": found.events, "segments": segments})
        return
    if not found.segments:
        show("Nothing may go yet: no sealed segment is old enough.")
        return
    first, last = found.segments[0].first, found.segments[-1].last
    where = visible(str(settings.segments))
    if found.is_done:
        show(f"Events {first} to {last} have left the database; their files are in {where}.")
    else:
        show(f"Events {first} to {last} may go; their files are in {where}. Say --apply to do it.")


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
