"""Keys that somebody kept, in every form in which they are handed out."""

import json

import pytest

from governance.note_keys import NoteError, ecdsa_key, ed25519_key, key_before
from governance.notes import parse_checkpoint
from governance.trust import KeptKey, read_keys, read_vkeys, vouching
from tests.support.logs import ORIGIN, Log, records_of
from tests.support.world import pem_of

LOG = Log(records=records_of(4))
PEM = pem_of("checkpoint")
ENTRY = {"purpose": "checkpoint", "pem": PEM}
VOTE = {"purpose": "vote:operator", "pem": pem_of("vote:operator")}
WITNESS = ed25519_key("w.example/1", bytes(32))
BOTH = (ecdsa_key(ORIGIN, PEM), key_before(ORIGIN, "k", PEM))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"k": ENTRY, "v": VOTE}),
        json.dumps({"origin": ORIGIN, "keys": [{"id": "k", **ENTRY}, {"id": "v", **VOTE}]}),
    ],
)
def test_keys_are_read_as_the_command_and_the_api_print_them(text: str):
    assert tuple(kept.key for kept in read_keys(text, origin=ORIGIN)) == BOTH


def test_keys_are_read_from_pem_and_from_verifier_keys():
    kept = (KeptKey(key=LOG.key),)
    assert read_keys(f"\n{PEM}", origin=ORIGIN) == kept
    assert read_keys(f"# ours\n{LOG.key.vkey}\n\n{WITNESS.vkey}\n", origin=ORIGIN) == kept
    assert read_vkeys(f"# a witness\n{WITNESS.vkey}\n") == (WITNESS,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "[]",
        '{"keys": []}',
        '{"keys": [1]}',
        '{"keys": [{"id": "k", "purpose": "checkpoint"}]}',
        '{"k": "PEM"}',
        json.dumps({"v": VOTE}),
        WITNESS.vkey,
        "-----BEGIN NONSENSE-----",
        "[" * 100_000,
        "{" + '"a":{' * 100_000,
    ],
)
def test_what_holds_no_key_of_checkpoints_is_refused(text: str):
    with pytest.raises(NoteError):
        read_keys(text, origin=ORIGIN)


@pytest.mark.parametrize(
    ("ended_at", "successor", "counts"),
    [
        ("", "", True),
        ("2026-03-01T09:00:01.000000Z", "next", True),
        ("2026-03-01T08:59:59.000000Z", "next", False),
        ("2027-01-01T00:00:00.000000Z", "", False),
    ],
)
def test_a_rotated_key_counts_until_its_end_and_a_revoked_one_never(
    ended_at: str, successor: str, *, counts: bool
):
    entry = {**ENTRY, "ended_at": ended_at, "successor": successor}
    kept = read_keys(json.dumps({"k": entry}), origin=ORIGIN)
    checkpoint = parse_checkpoint(LOG.note())
    assert bool(vouching(checkpoint, kept)) is counts
    before = parse_checkpoint(LOG.before(4, key_id="k"))
    assert bool(vouching(before, kept)) is counts


def test_a_rotated_key_does_not_count_for_a_note_without_a_time():
    timeless = LOG.signed("\n".join(LOG.body(3).split("\n")[:3]) + "\n")
    kept = KeptKey(key=LOG.key, ended_at="2027-01-01T00:00:00.000000Z")
    assert vouching(parse_checkpoint(timeless), [kept]) == ()
