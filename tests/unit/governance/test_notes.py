"""Notes, checkpoints and their keys: the registered forms, by vectors of others where there are."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.witness.witness import cosign
from governance.note_keys import (
    Kind,
    NoteError,
    NoteKey,
    ecdsa_key,
    ed25519_key,
    key_before,
    parse_vkey,
    unbase64,
)
from governance.notes import (
    Line,
    Note,
    cosigned_at,
    cosigned_message,
    only_by,
    parse_checkpoint,
    parse_note,
    parse_published,
    render,
    signers,
)
from tests.support.logs import ORIGIN, Log, records_of
from tests.support.world import pem_of

LOG = Log(records=records_of(5))
GO = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngo"
    "tpRZb6KE6RyyBwJnAM=\n"
)
"""The example of Go's golang.org/x/mod/sumdb/note, which the registered form is taken from."""
REKOR = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8\n"
    "Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==\n-----END PUBLIC KEY-----\n"
)
WITNESS = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
WITNESS_KEY = ed25519_key("w.example/1", WITNESS.public_key().public_bytes_raw())


def test_a_note_signed_by_gos_own_tool_verifies():
    note = parse_note(GO_NOTE)
    assert signers(note, [parse_vkey(GO)]) == (parse_vkey(GO),)
    with pytest.raises(NoteError, match="does not hold"):
        signers(parse_note(GO_NOTE.replace("problem is", "solution is")), [parse_vkey(GO)])


@pytest.mark.parametrize(
    "text", [GO, "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"]
)
def test_a_verifier_key_is_read_and_written_alike(text: str):
    key = parse_vkey(f" {text}\n")
    assert (key.vkey, key.kind) == (text, Kind.ED25519)


def test_the_id_of_an_ecdsa_key_is_the_one_that_rekor_is_known_by():
    key = ecdsa_key("rekor.sigstore.dev", REKOR)
    assert key.id.hex() == "c0d23d6a"
    assert parse_vkey(key.vkey) == key


def test_a_witness_key_has_another_id_than_the_same_key_for_notes():
    raw = WITNESS.public_key().public_bytes_raw()
    other = ed25519_key("w.example/1", raw, Kind.ED25519)
    assert other.id != WITNESS_KEY.id
    assert parse_vkey(WITNESS_KEY.vkey) == WITNESS_KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+c74f20a3",
        GO.replace("c74f20a3", "c74f20a4"),
        GO.replace("+ARpc", "+Bxpc"),
        GO.replace("0TW", "0T"),
        "a b+00000000+" + base64.b64encode(b"\1" + bytes(32)).decode(),
        "name+00000000+" + base64.b64encode(b"\1" + bytes(31)).decode(),
        "name+00000000+" + base64.b64encode(b"\2" + bytes(90)).decode(),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str):
    with pytest.raises(NoteError):
        parse_vkey(text)


def test_only_p256_keys_sign_checkpoints():
    other = generate_private_key(SECP384R1()).public_key()
    for public in (other, WITNESS.public_key()):
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        with pytest.raises(NoteError, match="no P-256"):
            ecdsa_key(ORIGIN, pem)
    with pytest.raises(NoteError, match="PEM"):
        ecdsa_key(ORIGIN, "PEM")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\x00b", "a\u2003b"])
def test_a_name_has_neither_spaces_nor_plus_signs(name: str):
    with pytest.raises(NoteError):
        ecdsa_key(name, pem_of("checkpoint"))


def test_base64_has_one_form():
    assert unbase64("AAE=") == b"\0\1"
    assert [unbase64(text) for text in ("AAE", "AAF=", "AA E=", "\u00e4", "AAE=\n")] == [b""] * 5


def test_a_checkpoint_says_origin_size_root_and_ours():
    found = parse_checkpoint(LOG.note(3))
    assert (found.origin, found.size, found.head) == (ORIGIN, 3, "ab")
    assert found.at.startswith("2026-03-01T09:00:00")
    assert signers(found.note, [LOG.key]) == (LOG.key,)
    bare = parse_checkpoint(LOG.signed("\n".join(LOG.body(3).split("\n")[:3]) + "\nalone\n"))
    assert (bare.head, bare.at) == ("", "")


def test_a_checkpoint_as_they_were_signed_at_first_verifies():
    before = key_before(ORIGIN, "checkpoint-0", pem_of("checkpoint"))
    note = parse_checkpoint(LOG.before(3)).note
    assert signers(note, [before, LOG.key]) == (before,)
    line = note.lines[0]
    for raw in (line.signature[:-1], bytes(64)):
        bent = Note(
            text=note.text, lines=(Line(name=line.name, key_id=line.key_id, signature=raw),)
        )
        with pytest.raises(NoteError):
            signers(bent, [before])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        "\n\n\u2014 a AAAAAAAA\n",
        "text\n\n\u2014 a AAAAAAAA",
        "text\n\n- a AAAAAAAA\n",
        "text\n\n\u2014 a\n",
        "text\n\n\u2014 a b AAAAAAAA\n",
        "text\n\n\u2014 a AAAAAA==\n",
        "text\n\n\u2014 a AAAAAAB=\n",
        "text\t\n\n\u2014 a AAAAAAAA\n",
        "text\r\n\n\u2014 a AAAAAAAA\n",
        "x" * 70_000 + "\n\n\u2014 a AAAAAAAA\n",
        "text\n\n" + "\u2014 a AAAAAAAA\n" * 65,
    ],
)
def test_what_is_no_note_is_refused(text: str):
    with pytest.raises(NoteError):
        parse_note(text)


def test_a_note_is_read_and_written_alike():
    note = "a\n\nb\n\n\u2014 a AAAAAAAA\n\u2014 b AAAABBBB\n"
    found = parse_note(note)
    assert (found.text, [line.name for line in found.lines]) == ("a\n\nb\n", ["a", "b"])
    assert render(found) == note


@pytest.mark.parametrize(
    ("line", "text"), [(0, ""), (1, "03"), (1, "-1"), (1, "x"), (2, "AAAA"), (2, ""), (3, "")]
)
def test_what_is_no_checkpoint_is_refused(line: int, text: str):
    lines = LOG.body(3).split("\n")
    lines[line] = text
    with pytest.raises(NoteError):
        parse_checkpoint(LOG.signed("\n".join(lines)))
    with pytest.raises(NoteError):
        parse_checkpoint(LOG.signed("a\n1\n"))


def test_a_cosignature_covers_its_time_and_the_note():
    text = cosign(LOG.note(), name="w.example/1", key=WITNESS, time_s=1_679_315_147)
    note = parse_note(text)
    assert cosigned_at(note, WITNESS_KEY) == 1_679_315_147
    assert cosigned_at(parse_note(LOG.note()), WITNESS_KEY) == 0
    assert cosigned_at(note, LOG.key) == 0
    assert signers(note, [LOG.key, WITNESS_KEY]) == (LOG.key, WITNESS_KEY)
    assert only_by(note, [WITNESS_KEY]).lines == note.lines[1:]
    assert cosigned_message("a\n", 5) == b"cosignature/v1\ntime 5\na\n"
    for time_s in (1_679_315_148, 2**63):
        blob = time_s.to_bytes(8, "big") + note.lines[1].signature[8:]
        line = Line(name="w.example/1", key_id=WITNESS_KEY.id, signature=blob)
        with pytest.raises(NoteError, match="does not hold"):
            cosigned_at(Note(text=note.text, lines=(line,)), WITNESS_KEY)


def test_lines_of_unknown_keys_are_passed_over_and_of_known_ones_never():
    stranger = "\u2014 stranger AAAAAAAA\n"
    note = parse_note(LOG.note() + stranger)
    assert signers(note, [LOG.key]) == (LOG.key,)
    assert signers(note, []) == ()
    same_name = NoteKey(name=LOG.key.name, kind=Kind.ECDSA, public=LOG.key.public, id=b"\0" * 4)
    assert signers(note, [same_name]) == ()
    mine = base64.b64encode(LOG.key.id + b"\0" * 70).decode()
    with pytest.raises(NoteError, match="does not hold"):
        signers(parse_note(LOG.note() + f"\u2014 {ORIGIN} {mine}\n"), [LOG.key])


def test_a_file_of_checkpoints_is_read_and_a_torn_one_passed_over():
    text = LOG.note(2) + "\n" + LOG.note(3) + "\n"
    assert [item.size for item in parse_published(text)] == [2, 3]
    assert [item.size for item in parse_published(text + LOG.note(4)[:60])] == [2, 3]
    assert parse_published("nonsense") == ()
