"""The verifier's check of signed heads: what the service signed with each batch.

Lives here: rows of ``head_signatures`` beside the records that they are about. Must not live
here: reading them, or the keys (``keys``). Law: shares no code with the writer; a signed
head names a record of this log, by its hash and time, and is by the key that was active there.

A signature covers, in UTF-8: ``placet/v1/head``, a zero byte, then the canonical JSON object with
``at`` (the record's timestamp), ``hash`` (in hex), ``origin`` (the log's name) and ``seq``. It is
ES256: base64 of r and s. Since a hash covers every record before it, the newest good signature
covers all that stands before it; records after it are the uncovered tail. Not every batch is
signed: processes without a file key (the executor, commands) sign none.
"""

from collections.abc import Iterator

from storage.verify.chain import Problem
from storage.verify.claims import Claim, Doubt
from storage.verify.form import canonical
from storage.verify.keys import Ring

SQL = "SELECT seq, origin, key_id, value FROM db.head_signatures ORDER BY seq"
"""What ``Heads`` is given, from where the ledger's tables are attached as ``db``."""

Row = tuple[object, ...]


class Heads:
    """The rows, met one after the other while the records are walked.

    Call ``meet`` after each record was taken (so that ``ring`` stands as it does there), collect
    ``doubts``, and call ``left`` at the end.
    """

    def __init__(self, rows: Iterator[Row], ring: Ring) -> None:
        self._rows = rows
        self._ring = ring
        self._row: Row | None = next(rows, None)
        self.origin = ""
        """The log's name in the signatures so far."""
        self.doubts: list[Doubt] = []
        """Signatures that somebody has yet to verify."""
        self.covered = 0
        """The newest record whose head was signed in due form."""

    def meet(self, seq: int, hash_: str, at: str) -> Iterator[Problem]:
        """What is wrong with signatures of heads up to this record."""
        while self._row is not None:
            place = self._row[0]
            if not isinstance(place, int):
                yield _wrong(0, f"the signed head {place!r} names no record")
            elif place > seq:
                return
            elif place < seq:
                yield _wrong(place, f"a head is signed at {place}, where there is no record")
            else:
                yield from self._signed(seq, hash_, at, self._row)
            self._row = next(self._rows, None)

    def left(self) -> Iterator[Problem]:
        """Signed heads of records that are not there (any more)."""
        while self._row is not None:
            yield _wrong(
                0,
                f"a head was signed at {self._row[0]} and the log ends before it: records were "
                "removed",
            )
            self._row = next(self._rows, None)

    def _signed(self, seq: int, hash_: str, at: str, row: Row) -> Iterator[Problem]:
        _, origin, key_id, value = row
        if not (isinstance(origin, str) and isinstance(key_id, str) and isinstance(value, str)):
            yield _wrong(seq, "its signed head is malformed")
            return
        if self.origin not in ("", origin):
            yield _wrong(seq, f"its head was signed for {origin}, those before for {self.origin}")
        self.origin = origin
        void = self._ring.void(key_id, "head")
        if void:
            yield _wrong(seq, f"its head is signed, but {void}")
            return
        message = b"placet/v1/head\x00" + canonical(
            {"at": at, "hash": hash_, "origin": origin, "seq": seq}
        )
        detail = "the signature of its head does not hold: another log stood here when it was made"
        claim = Claim(self._ring.keys[key_id].pem, value, message)
        self.doubts.append(Doubt(claim, _wrong(seq, detail)))
        self.covered = seq


def _wrong(seq: int, detail: str) -> Problem:
    return Problem(seq=seq, what="head signature", detail=detail, table="head_signatures")
