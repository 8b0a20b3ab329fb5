"""A log that lies: whatever it shows, a witness and the holder of a receipt are not taken in."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.witness.state import COSIGNED, SEEN, Folder
from bot.witness.witness import InconsistentError, Witness, cosign
from governance.errors import Code, InvalidInput, Unavailable
from governance.note_keys import NoteError, NoteKey, ed25519_key
from governance.notes import cosigned_at, parse_checkpoint, parse_published, signers
from governance.receipts import Outside, Verdict, parse_receipt, verify
from governance.trust import KeptKey
from tests.support.logs import KEY, ORIGIN, Log, records_of

HONEST = Log(records=records_of(20))
FORK = Log(records=[*records_of(9), *records_of(20, word="forged")[9:]])
ROGUE = replace(HONEST, purpose="rogue")
WITNESS = "witness.example/w1"
KEPT = (KeptKey(key=HONEST.key),)


@dataclass
class Server:
    """What is shown; a test replaces what it lies about."""

    note: str
    proof: Sequence[bytes] | Exception = ()
    told: list[str] = field(default_factory=list)

    def checkpoint(self) -> str:
        return self.note

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        if isinstance(self.proof, Exception):
            raise self.proof
        return self.proof

    def publish(self, note: str) -> None:
        self.told.append(note)


@dataclass
class Eye:
    """A witness that saw the honest log at 12 events."""

    folder: Path
    now: int = 1_700_000_000

    def look(self, server: Server, *, origin: str = ORIGIN) -> int:
        """One round; the size that it cosigned."""
        watcher = Witness(
            name=WITNESS,
            origin=origin,
            keys=KEPT,
            folder=Folder(self.folder),
            source=server,
            now_s=lambda: self.now,
        )
        with watcher.folder.held():
            return watcher.round(is_posted=True).size

    @property
    def seen(self) -> str:
        return (self.folder / SEEN).read_text()

    @property
    def key(self) -> NoteKey:
        private = Folder(self.folder).key()
        return ed25519_key(WITNESS, private.public_key().public_bytes_raw())


@pytest.fixture
def eye(tmp_path: Path) -> Eye:
    found = Eye(folder=tmp_path / "witness")
    assert found.look(Server(note=HONEST.note(12))) == 12
    return found


def grown(log: Log = HONEST, size: int = 20, old: int = 12, **changes: Any) -> Server:
    """A server that shows honest growth but for ``changes``."""
    proof = changes.pop("proof", log.consistency(old, size))
    return Server(note=changes.pop("note", log.note(size)), proof=proof)


def swap(note: str, by: str) -> str:
    """The text of one note under the signatures of another."""
    return note.partition("\n\n")[0] + "\n\n" + by.partition("\n\n")[2]


def said(note: str, *, line: int, text: str) -> str:
    """The note with one line of its text replaced."""
    lines = note.split("\n")
    lines[line] = text
    return "\n".join(lines)


BENT = [HONEST.consistency(12, 20)[0][::-1], *HONEST.consistency(12, 20)[1:]]
OTHER = base64.b64encode(b"\1" * 32).decode()

LIES: dict[str, Callable[[], Server]] = {
    "rolled back": lambda: grown(size=11),
    "rolled back to nothing": lambda: Server(note=HONEST.note(0)),
    "an old checkpoint replayed": lambda: Server(note=HONEST.note(1)),
    "forked at the same size": lambda: Server(note=FORK.note(12)),
    "forked and grown, with the fork's own proof": lambda: grown(FORK),
    "forked and grown, with the honest proof": lambda: grown(FORK, proof=grown().proof),
    "no proof": lambda: grown(proof=()),
    "a proof cut short": lambda: grown(proof=HONEST.consistency(12, 20)[:-1]),
    "a proof with one hash more": lambda: grown(proof=[*HONEST.consistency(12, 20), b"\0" * 32]),
    "a proof with a bent hash": lambda: grown(proof=BENT),
    "a proof with a short hash": lambda: grown(proof=[BENT[0][:-1], *BENT[1:]]),
    "a proof of ten thousand hashes": lambda: grown(proof=[b"\0" * 32] * 10_000),
    "the proof of another growth": lambda: grown(proof=HONEST.consistency(11, 20)),
    "the proof of another end": lambda: grown(proof=HONEST.consistency(12, 19)),
    "a proof refused": lambda: grown(proof=InvalidInput(Code.INVALID_FIELD, "no such size")),
    "signed by another key": lambda: grown(ROGUE),
    "signed by another key under the log's id": lambda: Server(
        note=swap(HONEST.note(20), HONEST.note(20)[:-30] + "A" * 27 + "==\n")
    ),
    "not signed at all": lambda: Server(note=HONEST.note(20).partition("\n\n")[0] + "\n"),
    "the signature of another checkpoint": lambda: grown(
        note=swap(HONEST.note(20), HONEST.note(12))
    ),
    "the size made larger": lambda: grown(note=said(HONEST.note(12), line=1, text="20")),
    "the root replaced": lambda: grown(note=said(HONEST.note(20), line=2, text=OTHER)),
    "another log's checkpoint": lambda: grown(replace(HONEST, origin="other.example/log")),
    "another origin under this signature": lambda: grown(
        note=said(HONEST.note(20), line=0, text="other.example/log")
    ),
    "a size with a zero before it": lambda: grown(
        note=HONEST.signed(HONEST.body(20).replace("\n20\n", "\n020\n"))
    ),
    "a root of 31 bytes": lambda: grown(
        note=HONEST.signed(said(HONEST.body(20), line=2, text=base64.b64encode(b"1" * 31).decode()))
    ),
    "an empty line within": lambda: grown(
        note=HONEST.signed(HONEST.body(20).replace("head ab\n", "\nhead ab\n"))
    ),
    "nonsense": lambda: Server(note="hello\n"),
    "nothing": lambda: Server(note=""),
    "a note of a megabyte": lambda: Server(note="x" * 1_000_000),
    "control characters": lambda: Server(note=HONEST.note(20).replace("ab", "a\tb")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_witness_cosigns_no_lie_and_keeps_the_evidence(eye: Eye, lie: str):
    before, cosigned = eye.seen, (eye.folder / COSIGNED).read_text()
    server = LIES[lie]()
    with pytest.raises(InconsistentError) as caught:
        eye.look(server)
    assert server.told == []
    assert (eye.seen, (eye.folder / COSIGNED).read_text()) == (before, cosigned)
    evidence = json.loads(caught.value.evidence.read_text())
    assert (evidence["seen"], evidence["shown"]) == (before, server.note)
    assert evidence["why"] == str(caught.value)
    word = lie.partition(" ")[0] if lie.startswith(("rolled", "forked at")) else ""
    assert word in evidence["why"]
    assert eye.look(grown()) == 20, "the honest log goes on"


def test_a_witness_cosigns_honest_growth_and_the_same_again(eye: Eye):
    server = grown()
    assert eye.look(server) == 20
    eye.now += 60
    assert eye.look(Server(note=HONEST.note(20))) == 20
    (told,) = server.told
    note = parse_checkpoint(told).note
    assert cosigned_at(note, eye.key) == 1_700_000_000
    assert signers(note, (HONEST.key, eye.key)) == (HONEST.key, eye.key)
    again = parse_checkpoint((eye.folder / COSIGNED).read_text()).note
    assert cosigned_at(again, eye.key) == eye.now


def test_a_witness_hands_on_nothing_that_it_cannot_vouch_for(eye: Eye):
    other = cosign(HONEST.note(20), name="w.example/x", key=Ed25519PrivateKey.generate(), time_s=1)
    forged = other + f"\u2014 {WITNESS} {base64.b64encode(eye.key.id + bytes(72)).decode()}\n"
    server = grown(note=forged)
    eye.look(server)
    lines = parse_checkpoint(server.told[0]).note.lines
    assert [line.name for line in lines] == [ORIGIN, WITNESS]


def test_an_empty_log_may_be_the_first_that_is_seen(tmp_path: Path):
    eye = Eye(folder=tmp_path / "w")
    empty = Log(records=[])
    assert eye.look(Server(note=empty.note())) == 0
    assert eye.look(Server(note=HONEST.note(3))) == 3


def test_a_first_checkpoint_of_nothing_with_a_root_is_refused(tmp_path: Path):
    note = HONEST.signed(HONEST.body(20).replace("\n20\n", "\n0\n"))
    with pytest.raises(InconsistentError, match="empty log"):
        Eye(folder=tmp_path / "w").look(Server(note=note))


def test_a_witness_that_cannot_ask_says_so_and_keeps_no_evidence(eye: Eye):
    with pytest.raises(Unavailable):
        eye.look(grown(proof=Unavailable(Code.NOT_READY, "down")))
    assert not list(eye.folder.glob("evidence*"))


@pytest.mark.parametrize("content", ["", "torn"])
def test_a_witness_whose_memory_is_damaged_cosigns_nothing(eye: Eye, content: str):
    (eye.folder / SEEN).write_text(content)
    with pytest.raises((InconsistentError, InvalidInput)):
        eye.look(grown())


def test_a_folder_is_of_one_log_and_of_one_witness_at_a_time(eye: Eye):
    other = replace(HONEST, origin="other.example/log")
    watcher = replace_origin(eye, other)
    with pytest.raises(InconsistentError, match="witness of"):
        watcher()
    with Folder(eye.folder).held(), pytest.raises(Unavailable, match="another witness"):
        eye.look(grown())


def replace_origin(eye: Eye, log: Log) -> Callable[[], int]:
    """The same folder, asked to watch another log."""

    def look() -> int:
        watcher = Witness(
            name=WITNESS,
            origin=log.origin,
            keys=(KeptKey(key=log.key),),
            folder=Folder(eye.folder),
            source=grown(log),
            now_s=lambda: 1,
        )
        with watcher.folder.held():
            return watcher.round(is_posted=False).size

    return look


def test_a_witness_key_that_others_can_read_is_not_used(eye: Eye):
    (eye.folder / "witness.pem").chmod(0o644)
    with pytest.raises(Unavailable, match="read by others"):
        eye.look(grown())


# Receipts.

PUBLISHED = parse_published(HONEST.note(12) + "\n" + HONEST.note(20) + "\n")
OWN = Ed25519PrivateKey.from_private_bytes(b"\5" * 32)
OWN_KEY = ed25519_key(WITNESS, OWN.public_key().public_bytes_raw())


def outside(**changes: Any) -> Outside:
    """The log's key, kept since before."""
    return replace(Outside(keys=KEPT), **changes)


def held(receipt: dict[str, Any], given: Outside | None = None) -> Verdict:
    """What is made of a receipt."""
    try:
        return verify(parse_receipt(json.dumps(receipt)), given or outside())
    except NoteError as error:
        return Verdict(problems=(str(error),), vouchers=())


def entry(log: Log, seq: int, size: int | None = None) -> dict[str, Any]:
    return log.receipt(seq, size=size)["entries"][0]  # type: ignore[index,no-any-return]


def bent(**changes: Any) -> dict[str, Any]:
    """An honest receipt of event 5, of which some of the entry is replaced."""
    found = HONEST.receipt(5)
    return {**found, "entries": [{**entry(HONEST, 5), **changes}]}


PROOF = entry(HONEST, 5)["proof"]

FALSE: dict[str, Callable[[], dict[str, Any]]] = {
    "another event's bytes": lambda: bent(event=HONEST.records[5].decode()),
    "bytes with a space more": lambda: bent(event=HONEST.records[4].decode() + " "),
    "a forged event with its own tree": lambda: FORK.receipt(15, note=HONEST.note()),
    "another number": lambda: bent(seq=6),
    "another event under another number": lambda: bent(seq=6, event=HONEST.records[5].decode()),
    "number nought": lambda: bent(seq=0),
    "a number below nought": lambda: bent(seq=-15),
    "a number beyond the tree": lambda: bent(seq=21),
    "a number as text": lambda: bent(seq="5"),
    "a number that is a truth": lambda: bent(seq=True),
    "the proof of another leaf": lambda: bent(proof=entry(HONEST, 6)["proof"]),
    "the proof of a smaller tree": lambda: bent(proof=entry(HONEST, 5, 12)["proof"]),
    "no proof": lambda: bent(proof=[]),
    "a proof cut short": lambda: bent(proof=PROOF[:-1]),
    "a proof with one hash more": lambda: bent(proof=[*PROOF, OTHER]),
    "a proof in another order": lambda: bent(proof=PROOF[::-1]),
    "a hash that is no base64": lambda: bent(proof=["%%%", *PROOF[1:]]),
    "a hash in another encoding of the same": lambda: bent(proof=[PROOF[0] + "\n", *PROOF[1:]]),
    "a checkpoint of a fork": lambda: HONEST.receipt(5, note=FORK.note()),
    "a fork, whole": lambda: {**FORK.receipt(15), "checkpoint": swap(FORK.note(), HONEST.note())},
    "signed by another key": lambda: ROGUE.receipt(5),
    "signed by another key, which it carries": lambda: {
        **ROGUE.receipt(5),
        "keys": [{"id": "k", "purpose": KEY, "pem": "PEM"}],
    },
    "the signature of another checkpoint": lambda: HONEST.receipt(
        5, note=swap(HONEST.note(20), HONEST.note(12))
    ),
    "an older checkpoint": lambda: HONEST.receipt(5, note=HONEST.note(12)),
    "another log's": lambda: replace(HONEST, origin="other.example/log").receipt(5),
    "no checkpoint": lambda: HONEST.receipt(5, note="x"),
    "no entries": HONEST.receipt,
    "one entry of two is false": lambda: {
        **HONEST.receipt(5),
        "entries": [entry(HONEST, 5), entry(FORK, 15)],
    },
    "another form": lambda: {**HONEST.receipt(5), "receipt": "placet-receipt/v9"},
    "something more": lambda: {**HONEST.receipt(5), "trust": "me"},
    "a key that is no object": lambda: {**HONEST.receipt(5), "keys": ["k"]},
}


@pytest.mark.parametrize("lie", FALSE)
def test_no_false_receipt_verifies(lie: str):
    given = outside(checkpoints=()) if "older" not in lie else outside(checkpoints=PUBLISHED)
    found = held(FALSE[lie](), given)
    assert not found.is_verified
    assert found.problems


EVERYTHING = (
    outside(),
    Outside(checkpoints=PUBLISHED),
    Outside(witnesses=(OWN_KEY,)),
    Outside(keys=KEPT, checkpoints=PUBLISHED, witnesses=(OWN_KEY,)),
)
"""Each thing from outside that can vouch, alone, and all of them."""


@pytest.mark.parametrize("given", EVERYTHING, ids=["key", "published", "witness", "all"])
def test_an_honest_receipt_verifies_by_whatever_was_kept(given: Outside):
    note = cosign(HONEST.note(), name=WITNESS, key=OWN, time_s=5)
    found = held(HONEST.receipt(1, 5, 20, note=note), given)
    assert (found.is_verified, found.problems) == (True, ())
    assert len(found.vouchers) == sum(map(bool, (given.keys, given.checkpoints, given.witnesses)))


def test_a_receipt_vouches_for_nothing_by_itself():
    found = held(HONEST.receipt(5), Outside())
    assert (found.problems, found.vouchers, found.is_verified) == ((), (), False)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (Outside(checkpoints=parse_published(HONEST.note(12) + "\n")), "none of 20 events"),
        (Outside(checkpoints=parse_published(FORK.note(20) + "\n")), "a fork"),
        (
            Outside(checkpoints=parse_published(replace(HONEST, origin="o").note() + "\n")),
            "is not o, which published",
        ),
        (Outside(witnesses=(OWN_KEY,)), "none of the witnesses"),
        (outside(keys=(KeptKey(key=HONEST.key, ended_at="2027", is_revoked=True),)), "none of the"),
        (outside(keys=(KeptKey(key=HONEST.key, ended_at="2025-01-01"),)), "none of the kept keys"),
        (outside(keys=(KeptKey(key=ROGUE.key),)), "none of the kept keys"),
    ],
)
def test_what_was_kept_elsewhere_contradicts_a_receipt(given: Outside, why: str):
    found = held(HONEST.receipt(5), given)
    assert any(why in problem for problem in found.problems), found
    assert not found.is_verified


def test_a_key_that_was_rotated_vouches_for_what_it_signed_before():
    rotated = KeptKey(key=HONEST.key, ended_at="2027-01-01T00:00:00.000000Z")
    assert held(HONEST.receipt(5), outside(keys=(rotated,))).is_verified
