"""Receipts: taking events away, and verifying them anywhere.

Lives here: ``placet receipt``. Must not live here: the verification (``governance.receipts``).
Law: verifying needs no database, no network and no setting; a receipt for which nothing from
outside vouches is not verified, and the exit code says so.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.output import AsJson, answered, emit, facts, note, show, visible
from bot.replies import Exit
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from governance.receipts import Outside, Receipt

app = typer.Typer(
    name="receipt",
    help="Proof that an event is in the log, to be kept and verified by anybody.",
    no_args_is_help=True,
    epilog="Example: placet receipt verify receipt.json --key keys.json",
)

Keys = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="Keys of the log, kept since before: audit keys --json, a PEM, or verifier keys.",
        exists=True,
        dir_okay=False,
    ),
]


@app.command(
    epilog="Example: placet receipt get 01h2xcejqtf2nbrexx3vqj --url https://placet.example "
    "--token-file token --out receipt.json"
)
@answered
def get(
    name: Annotated[str, typer.Argument(help="Id of a ticket, or number of an event.")],
    *,
    url: Annotated[str, typer.Option(help="Base address of the service.")],
    token_file: Annotated[
        Path,
        typer.Option(help="File with your credential's token; - reads it from standard input."),
    ],
    out: Annotated[Path | None, typer.Option(help="New file; else standard output.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a receipt with your own credential: of a ticket's events, or of one event."""
    from bot.witness.source import Rest

    text = Rest(url=url, token=read_token(token_file)).receipt(name)
    if out is None:
        typer.echo(text, nl=False)
        return
    _write(out, text)
    if as_json:
        emit({"file": str(out)})
        return
    shown = visible(str(out))
    show(f"{shown} holds the receipt; verify it: placet receipt verify {shown} --key keys.json")


def read_token(path: Path) -> str:
    """The token in a file, or on standard input; never from the command line.

    Raises:
        InvalidInput: ``invalid_field``: it cannot be read.
    """
    try:
        return (sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(Code.INVALID_FIELD, f"{path} cannot be read as a token") from error


def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{path} cannot be made: {error.strerror}"
        ) from error


@app.command(
    epilog="Example: placet receipt verify receipt.json --key keys.json\n\n"
    "Example: placet receipt verify receipt.json --checkpoint published.txt --witness witness.vkey"
)
@answered
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt.", exists=True, dir_okay=False)],
    *,
    key: Keys = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoints that were published (channel, file); the receipt's must be there.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    witness: Annotated[
        Path | None,
        typer.Option(
            help="Verifier keys of witnesses, of which one must have cosigned it.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a receipt offline: its events, their proofs, the checkpoint, and who vouches for it.

    Exit code 0: it verifies. 1: something is wrong, or nothing from outside vouches for it (give
    --key, --checkpoint or --witness: what the receipt itself carries proves nothing).
    """
    from governance import receipts
    from governance.note_keys import NoteError

    try:
        receipt = receipts.parse_receipt(_read(file))
        verdict = receipts.verify(receipt, _outside(receipt, key, checkpoint, witness))
    except NoteError as error:
        verdict = receipts.Verdict(problems=(str(error),), vouchers=())
        receipt = None
    seqs = [entry.seq for entry in receipt.entries] if receipt else []
    if as_json:
        emit(
            {
                "verified": verdict.is_verified,
                "events": seqs,
                "vouched_for_by": list(verdict.vouchers),
                "problems": list(verdict.problems),
            }
        )
    else:
        _tell(verdict.is_verified, seqs, verdict.vouchers, verdict.problems)
    if not verdict.is_verified:
        raise typer.Exit(Exit.PROBLEM)


def _outside(
    receipt: "Receipt", key: Path | None, checkpoint: Path | None, witness: Path | None
) -> "Outside":
    from governance.note_keys import NoteError
    from governance.notes import parse_checkpoint, parse_published
    from governance.receipts import Outside
    from governance.trust import read_keys, read_vkeys

    origin = parse_checkpoint(receipt.checkpoint).origin
    try:
        keys = read_keys(_read(key), origin=origin) if key else ()
        published = parse_published(_read(checkpoint)) if checkpoint else ()
        witnesses = read_vkeys(_read(witness)) if witness else ()
    except NoteError as error:
        raise InvalidInput(Code.INVALID_FIELD, str(error)) from error
    if checkpoint and not published:
        raise InvalidInput(Code.INVALID_FIELD, f"{checkpoint} holds no checkpoint")
    if witness and not witnesses:
        raise InvalidInput(Code.INVALID_FIELD, f"{witness} holds no key")
    return Outside(keys=keys, checkpoints=published, witnesses=witnesses)


def _tell(
    is_verified: bool, seqs: list[int], vouchers: tuple[str, ...], problems: tuple[str, ...]
) -> None:
    show(facts([("events", " ".join(map(str, seqs))), ("vouched for by", ", ".join(vouchers))]))
    for problem in problems:
        show(visible(problem))
    if is_verified:
        show("\nverified")
        return
    if not problems:
        note("Nothing from outside vouches for it: give --key, --checkpoint or --witness.")
    show("\nNOT verified")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{path} cannot be read ({type(error).__name__})"
        ) from error
