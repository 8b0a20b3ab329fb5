"""A witness of somebody's log, as a command of its own.

Lives here: ``placet witness``. Must not live here: what is cosigned (``bot.witness``). Law: a log
that contradicts itself ends the command with exit code 5 and a file of evidence, whatever was
asked for; it needs no database and no setting of a service.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.output import AsJson, answered, emit_line, fail, note, show, visible
from bot.cli.receipt import read_token
from bot.replies import Exit
from governance.errors import Code, InvalidInput, Unavailable

if TYPE_CHECKING:
    from bot.witness.witness import Witness

CONTRADICTED = "log_contradicted"
"""The code of exit 5 in JSON."""


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        epilog="Example: placet witness --url https://placet.example --token-file token "
        "--origin placet.example/log --log-key keys.json --name witness.example/w1 "
        "--folder /var/lib/witness --once"
    )(witness)


@answered
def witness(
    *,
    url: Annotated[str, typer.Option(help="Base address of the service.")],
    token_file: Annotated[
        Path, typer.Option(help="File with a token of scope read; - reads standard input.")
    ],
    origin: Annotated[str, typer.Option(help="The log's name (its PLACET_ORIGIN).")],
    log_key: Annotated[
        Path,
        typer.Option(
            help="Its keys, as you were given them: audit keys --json, PEM, or verifier keys.",
            exists=True,
            dir_okay=False,
        ),
    ],
    name: Annotated[str, typer.Option(help="This witness's name, such as witness.example/w1.")],
    folder: Annotated[
        Path, typer.Option(help="Its own folder: key, what it saw, what it cosigned, evidence.")
    ],
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    every: Annotated[
        float, typer.Option(help="Look again after so many seconds.", min=1, max=86_400)
    ] = 60.0,
    post: Annotated[
        bool, typer.Option("--post", help="Also give the cosignature back to the service.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Watch a log from outside: cosign what grows by appending alone, and nothing else.

    The first checkpoint is believed on its signature; every later one must extend it. Exit code 5:
    the log was rolled back, forked or is not signed by its key; the evidence is in the folder.
    """
    found = _witness(
        url=url,
        token=read_token(token_file),
        origin=origin,
        log_key=log_key,
        name=name,
        folder=folder,
    )
    with found.folder.held():
        key = found.public().vkey
        if as_json:
            emit_line({"witness": key})
        else:
            note(f"witness {key}")
        while True:
            _round(found, is_posted=post, is_last=once, as_json=as_json)
            if once:
                return
            time.sleep(every)


def _witness(
    *, url: str, token: str, origin: str, log_key: Path, name: str, folder: Path
) -> "Witness":
    from bot.witness.source import Rest
    from bot.witness.state import Folder
    from bot.witness.witness import Witness
    from governance.note_keys import NoteError, ed25519_key
    from governance.trust import read_keys

    try:
        keys = read_keys(log_key.read_text(encoding="utf-8"), origin=origin)
        ed25519_key(name, bytes(32))  # only its name is looked at
    except (NoteError, OSError, UnicodeDecodeError) as error:
        raise InvalidInput(Code.INVALID_FIELD, f"--log-key or --name: {error}") from error
    return Witness(
        name=name,
        origin=origin,
        keys=keys,
        folder=Folder(folder),
        source=Rest(url=url, token=token),
        now_s=lambda: int(time.time()),
    )


def _round(found: "Witness", *, is_posted: bool, is_last: bool, as_json: bool) -> None:
    from bot.witness.witness import InconsistentError

    try:
        done = found.round(is_posted=is_posted)
    except InconsistentError as error:
        message = f"NOT cosigned: {error}. Evidence: {error.evidence}"
        fail(CONTRADICTED, message, as_json=as_json)
        raise typer.Exit(Exit.CONTRADICTED) from error
    except Unavailable as error:
        if is_last:
            raise
        note(f"placet: {visible(error.message)} ({error.code}); looking again later")
        return
    if as_json:
        emit_line({"size": done.size, "before": done.before, "cosigned": str(done.cosigned)})
        return
    show(f"cosigned {done.size} events (seen before: {done.before}): {visible(str(done.cosigned))}")
