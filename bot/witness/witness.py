"""A witness: somebody else's eye on a log.

Lives here: one round of looking, judging, remembering and cosigning. Must not live here: how often
(``bot.cli.witness``). Law: it remembers before it signs and signs before it tells, so that it never
cosigns two logs; what it refuses it keeps as evidence.
Source: C2SP tlog-cosignature, cosignature/v1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.witness.judge import ContradictionError, SuspectError, judge
from bot.witness.source import Source
from bot.witness.state import COSIGNED, Folder, replace_file
from governance.note_keys import NoteKey, ed25519_key
from governance.notes import Line, Note, cosigned_message, only_by, parse_checkpoint, render
from governance.trust import KeptKey

_TIME_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did."""

    size: int
    before: int
    cosigned: Path


class InconsistentError(Exception):
    """A round ended with a refusal; ``evidence`` is the file where it is kept."""

    def __init__(self, message: str, evidence: Path) -> None:
        super().__init__(message)
        self.evidence = evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One witness of one log, in a folder of its own."""

    name: str
    origin: str
    keys: Sequence[KeptKey]
    folder: Folder
    source: Source
    now_s: Callable[[], int]

    def public(self) -> NoteKey:
        """Its key, for those who will trust it.

        Raises:
            NoteError: its name cannot stand in a note.
            Unavailable: its key cannot be used.
        """
        return public_of(self.name, self.folder.key())

    def round(self, *, is_posted: bool) -> Round:
        """Look once; the folder must be held.

        Raises:
            InconsistentError: the log contradicts what it showed before, or is not what it says.
            Unavailable, InvalidInput: it could not be asked.
        """
        text, seen = self.source.checkpoint(), self.folder.seen()
        try:
            growth = judge(
                text,
                seen=seen,
                origin=self.origin,
                keys=self.keys,
                consistency=self.source.consistency,
            )
        except ContradictionError as error:
            raise self._kept(str(error), error.evidence) from error
        except SuspectError as error:
            raise self._kept(str(error), {"seen": seen, "shown": text}) from error
        known = [kept.key for kept in self.keys]
        signed = render(only_by(growth.checkpoint.note, known))  # others' lines prove nothing here
        self.folder.keep_seen(signed)
        note = cosign(signed, name=self.name, key=self.folder.key(), time_s=self.now_s())
        path = self.folder.path / COSIGNED
        replace_file(path, note.encode("utf-8"))
        if is_posted:
            self.source.publish(note)
        return Round(size=growth.checkpoint.size, before=growth.before, cosigned=path)

    def _kept(self, message: str, evidence: dict[str, object]) -> InconsistentError:
        whole = {"why": message, "origin": self.origin, "at": self.now_s(), **evidence}
        return InconsistentError(message, self.folder.keep_evidence(whole))


def public_of(name: str, key: Ed25519PrivateKey) -> NoteKey:
    """The public half of a witness's key.

    Raises:
        NoteError: the name cannot stand in a note.
    """
    return ed25519_key(name, key.public_key().public_bytes_raw())


def cosign(text: str, *, name: str, key: Ed25519PrivateKey, time_s: int) -> str:
    """The checkpoint with a witness's line under those of the log.

    Raises:
        NoteError: ``text`` is no checkpoint.
    """
    note = parse_checkpoint(text).note
    made = key.sign(cosigned_message(note.text, time_s))
    blob = time_s.to_bytes(_TIME_BYTES, "big") + made
    line = Line(name=name, key_id=public_of(name, key).id, signature=blob)
    return render(Note(text=note.text, lines=(*note.lines, line)))
