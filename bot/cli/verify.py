"""The verification of the log, as a command.

Lives here: ``placet audit verify``: what is compared with what, and how the verdict is shown. Must
not live here: the verification (``storage``). Law: it trusts nothing that the service says; a
problem names its event and ends with exit code 1; nothing is verified by being left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit, facts, show, table, visible
from bot.cli.progress import bar
from bot.replies import Exit
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from bot.compose.verification import Fault, Verdict

EXAMPLES = (
    "Example: placet audit verify\n\n"
    "Example: placet audit verify --export log.jsonl --checkpoints published.txt --keys keys.json"
)
_SHOWN = 50
"""How many problems are listed; all of them are counted."""
_MOST_JOBS = 64
_ALONE = (
    "Nothing from outside was compared: give --checkpoints and --keys that were kept elsewhere. "
    "Without, nobody sees a log whose end was cut off, or another one in its place."
)


@answered
def verify(
    *,
    database: Annotated[
        str, typer.Option(help="Database to verify; else PLACET_DATABASE.", metavar="URL")
    ] = "",
    export: Annotated[
        Path | None,
        typer.Option(
            help="Verify this export instead, alone: a file, or a folder of segments.", exists=True
        ),
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Published checkpoints, from outside; else PLACET_CHECKPOINTS, for its own "
            "database.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="Public keys from outside, as audit keys --json printed them.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    segments: Annotated[
        Path | None,
        typer.Option(
            help="Compare the sealed segments in this folder with their seals, too; else, with "
            "--since-seal or --complete, those in PLACET_SEGMENTS.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    since_seal: Annotated[
        bool,
        typer.Option(
            "--since-seal", help="Begin at the newest seal; what it vouches for is not looked at."
        ),
    ] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="A sealed file that is missing is a problem.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=_MOST_JOBS,
            help="Processes that look at a long log beside this one; else one for each other core, "
            "4 at most.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Re-derive everything from the raw records: chain, tickets, votes, signatures, checkpoints.

    Exit code 0: it verifies; 1: something is wrong, and the event or row is named with a code;
    2: wrong usage; 4: there is no such ledger, or its checkpoints cannot be read. What only an
    outside copy shows (newest events cut off, the whole log replaced) needs checkpoints and keys
    that were kept elsewhere. With --segments the files of sealed segments are compared with
    what was signed and with what the records say; --since-seal begins at the newest seal. Where
    segments are detached, --segments reads them from their files; without it, it begins at the
    newest of them, with its state in PLACET_SEGMENTS, and says what it did not look at.
    """
    from bot import memory
    from bot.compose import verification
    from bot.compose.segments import given

    if database and export:
        raise InvalidInput(Code.INVALID_FIELD, "say --database or --export, not both")
    if export and (segments or since_seal or complete):
        raise InvalidInput(Code.INVALID_FIELD, "segments are compared with a database's seals")
    settings = settings_now()
    outside = _published(checkpoints) if checkpoints else ""
    if not (database or export or checkpoints):
        outside = verification.published_checkpoints(settings)
    known = _keys(keys) if keys else None
    memory.settle()
    with bar("verifying") as progress:
        if export:
            verdict = verification.verify_exported(
                export, checkpoints=outside, keys=known, progress=progress, jobs=jobs
            )
        else:
            verdict = verification.verify_ledger(
                database or settings.database,
                checkpoints=outside,
                witnesses=verification.witnesses_text(settings),
                keys=known,
                progress=progress,
                jobs=jobs,
                sealed=given(
                    database or settings.database,
                    segments,
                    states=settings.segments,
                    since_seal=since_seal,
                    complete=complete,
                ),
            )
    _tell(verdict, as_json=as_json, is_alone=not (outside.strip() or known))
    if not verdict.is_verified:
        raise typer.Exit(Exit.PROBLEM)


def _tell(verdict: "Verdict", *, as_json: bool, is_alone: bool) -> None:
    counted = {
        "events": verdict.events,
        "tickets": verdict.tickets,
        "votes": verdict.votes,
        "signatures": verdict.signatures,
        "checkpoints": verdict.checkpoints,
        "uncovered": verdict.uncovered,
        "unsigned": verdict.unsigned,
        "seals": verdict.seals,
        "since": verdict.since,
        "detached": verdict.detached,
        "head": verdict.head,
        "root": verdict.root,
    }
    listed = verdict.problems[:_SHOWN]
    if as_json:
        problems = [_entry(item) for item in listed]
        emit(
            {"verified": verdict.is_verified}
            | counted
            | {"problem_count": verdict.problem_count, "problems": problems}
        )
        return
    show(facts(counted.items()))
    if verdict.is_verified:
        count = f"{verdict.events} event{'s' * (verdict.events != 1)}"
        begun = f", the first {verdict.since} by their seal alone" if verdict.since else ""
        show(f"\nverified: {count}{begun}; {_covered(verdict)}")
        if is_alone:
            show(_ALONE)
        if verdict.detached and verdict.since:
            show(f"Not looked at: events 1 to {verdict.since}. {_detached(verdict)}")
        return
    rows = ((visible(i.place), i.what, visible(i.detail)) for i in listed)
    show(table("\nProblems", ("where", "what", "how"), rows))
    show(f"NOT verified, {verdict.problem_count} in all. First: {visible(str(listed[0]))}")


def _entry(fault: "Fault") -> dict[str, object]:
    """A problem as programs read it; ``code`` is one of the documented ones."""
    return {
        "code": fault.what,
        "seq": fault.seq,
        "table": fault.table,
        "row": fault.row,
        "field": fault.field,
        "detail": fault.detail,
    }


def _detached(verdict: "Verdict") -> str:
    return (
        f"The database has none up to {verdict.detached}: name the folder of their files with "
        "--segments to verify them, too."
    )


def _covered(verdict: "Verdict") -> str:
    if not verdict.checkpoints:
        return "no checkpoint was compared"
    return f"{verdict.uncovered} are newer than the newest checkpoint"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{path} cannot be read ({type(error).__name__})"
        ) from error


def _published(path: Path) -> str:
    text = _read(path)
    if not text.strip():
        raise InvalidInput(Code.INVALID_FIELD, f"{path} holds no checkpoint to compare with")
    return text


def _keys(path: Path) -> Mapping[str, Mapping[str, str]]:
    import json

    try:
        found = json.loads(_read(path))
    except ValueError as error:
        raise InvalidInput(Code.INVALID_JSON, f"{path} is not JSON") from error
    if not isinstance(found, dict) or not all(isinstance(item, dict) for item in found.values()):
        raise InvalidInput(Code.INVALID_FIELD, f"{path} holds no keys by their ids")
    if not found:
        raise InvalidInput(Code.INVALID_FIELD, f"{path} holds no keys by their ids")
    return found
