"""Whether a checkpoint may be cosigned.

Lives here: that judgement, from texts alone. Must not live here: files and networks. Law: only
what is signed by a kept key and extends what was seen last is cosigned; whatever contradicts it is
said with both notes, which is evidence that somebody else can verify.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from governance.errors import InvalidInput
from governance.note_keys import NoteError
from governance.notes import Checkpoint, parse_checkpoint
from governance.proofs import EMPTY, extends
from governance.trust import KeptKey, vouching

Consistency = Callable[[int, int], Sequence[bytes]]
"""Fetches the proof from an older size to a newer one."""


class SuspectError(Exception):
    """What a log shows is not signed by it, or no checkpoint at all; nothing is cosigned."""


class ContradictionError(Exception):
    """A log contradicts what it showed before; ``evidence`` has both notes."""

    def __init__(self, message: str, evidence: Mapping[str, object]) -> None:
        super().__init__(message)
        self.evidence = dict(evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A checkpoint that may be cosigned; ``before`` is the size that was seen last, 0 at first."""

    checkpoint: Checkpoint
    before: int


def judge(
    text: str,
    *,
    seen: str,
    origin: str,
    keys: Sequence[KeptKey],
    consistency: Consistency,
) -> Growth:
    """Hold the checkpoint ``text`` against what was ``seen`` last.

    Raises:
        SuspectError: it is not signed by ``origin``, or what was seen cannot be read.
        ContradictionError: a rollback, a fork, or growth that is not proven.
    """
    now = _signed(text, origin=origin, keys=keys)
    if not seen:
        if now.size == 0 and now.root != EMPTY:
            raise ContradictionError("an empty log with a root", _evidence(text, "", ()))
        return Growth(checkpoint=now, before=0)
    try:
        last = parse_checkpoint(seen)
    except NoteError as error:
        raise SuspectError(f"what this witness saw last cannot be read: {error}") from error
    if last.origin != origin:
        raise SuspectError(f"this folder is the witness of {last.origin}, not of {origin}")
    _check_growth(now, last, text=text, seen=seen, consistency=consistency)
    return Growth(checkpoint=now, before=last.size)


def _signed(text: str, *, origin: str, keys: Sequence[KeptKey]) -> Checkpoint:
    try:
        found = parse_checkpoint(text)
        is_signed = bool(vouching(found, keys))
    except NoteError as error:
        raise SuspectError(f"the checkpoint is not to be believed: {error}") from error
    if found.origin != origin:
        raise SuspectError(f"the checkpoint is of {found.origin}, not of {origin}")
    if not is_signed:
        raise SuspectError(f"no kept key of {origin} signed the checkpoint")
    return found


def _check_growth(
    now: Checkpoint, last: Checkpoint, *, text: str, seen: str, consistency: Consistency
) -> None:
    if now.size < last.size:
        raise ContradictionError(
            f"rolled back: the log had {last.size} events and now shows {now.size}",
            _evidence(text, seen, ()),
        )
    if now.size == last.size:
        if now.root != last.root:
            raise ContradictionError(
                f"forked: two logs of {now.size} events were signed", _evidence(text, seen, ())
            )
        return
    try:
        hashes = tuple(consistency(last.size, now.size))
    except InvalidInput as error:
        raise ContradictionError(
            f"it signed {now.size} events and refuses to show that they begin with the "
            f"{last.size} seen before: {error.message}",
            _evidence(text, seen, ()),
        ) from error
    if not extends(
        old_size=last.size,
        old_root=last.root,
        new_size=now.size,
        new_root=now.root,
        hashes=hashes,
    ):
        raise ContradictionError(
            f"not shown to have grown from {last.size} to {now.size} events by appending alone",
            _evidence(text, seen, hashes),
        )


def _evidence(text: str, seen: str, hashes: Sequence[bytes]) -> Mapping[str, object]:
    return {
        "seen": seen,
        "shown": text,
        "consistency": [base64.b64encode(item).decode() for item in hashes],
    }
