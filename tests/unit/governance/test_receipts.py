"""The form of a receipt; what false ones are made of is in tests/attacks/test_lying_logs.py."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.witness.witness import cosign
from governance import control as ctl
from governance.note_keys import NoteError, ed25519_key
from governance.notes import parse_published
from governance.receipts import MOST_BYTES, Outside, parse_receipt, verify
from governance.transparency import key_facts
from governance.trust import KeptKey
from tests.support.build import T0, public_key
from tests.support.logs import Log, records_of
from tests.support.world import pem_of

LOG = Log(records=records_of(6))
TRUSTED = Outside(keys=(KeptKey(key=LOG.key),))
ENTRY = LOG.receipt(2)["entries"][0]  # type: ignore[index]


def test_a_receipt_is_read_and_written_alike():
    told = {**LOG.receipt(2, 3), "keys": [{"id": "k", "pem": "PEM"}]}
    found = parse_receipt(json.dumps(told))
    assert found.to_json() == told
    assert verify(found, TRUSTED).is_verified


@pytest.mark.parametrize(
    "changes",
    [
        {"receipt": "other"},
        {"more": 1},
        {"entries": []},
        {"entries": {}},
        {"entries": [1]},
        {"entries": [{"seq": 1, "event": "{}"}]},
        {"entries": [{**ENTRY, "event": 1}]},
        {"entries": [{**ENTRY, "event": "\ud800"}]},
        {"entries": [{**ENTRY, "proof": "AA"}]},
        {"entries": [{**ENTRY, "proof": [1]}]},
        {"entries": [{**ENTRY, "seq": 1.0}]},
        {"checkpoint": 1},
        {"keys": 1},
        {"keys": [{"id": 1}]},
    ],
)
def test_what_has_another_form_is_no_receipt(changes: dict[str, object]):
    with pytest.raises(NoteError):
        parse_receipt(json.dumps({**LOG.receipt(2), **changes}))


@pytest.mark.parametrize(
    "text", ["", "1", "[]", '{"receipt": 1, "receipt": 2}', "[" * 100_000, " " * (MOST_BYTES + 1)]
)
def test_what_is_no_object_is_no_receipt(text: str):
    with pytest.raises(NoteError):
        parse_receipt(text)


@pytest.mark.parametrize("event", [b"nonsense", b"[1]", b"{}", b"[" * 100_000])
def test_bytes_that_say_no_number_are_of_no_event(event: bytes):
    log = Log(records=[event])
    found = verify(parse_receipt(json.dumps(log.receipt(1))), Outside())
    assert found.problems == ("event 1: its bytes do not say that number",)


def test_what_was_kept_vouches_or_contradicts():
    own = Ed25519PrivateKey.from_private_bytes(b"\3" * 32)
    witness = ed25519_key("w.example/1", own.public_key().public_bytes_raw())
    cosigned = cosign(LOG.note(), name="w.example/1", key=own, time_s=9)
    here = parse_published(LOG.note())
    elsewhere = parse_published(replace(LOG, origin="other").note())
    fork = parse_published(Log(records=records_of(6, word="forged")).note())
    stranger = (KeptKey(key=replace(LOG, purpose="stranger").key),)

    def told(outside: Outside, note: str = cosigned) -> tuple[int, int]:
        found = verify(parse_receipt(json.dumps(LOG.receipt(2, note=note))), outside)
        assert found.is_verified is (not found.problems and bool(found.vouchers))
        return len(found.problems), len(found.vouchers)

    assert told(replace(TRUSTED, checkpoints=here, witnesses=(witness,))) == (0, 3)
    assert told(Outside(checkpoints=elsewhere)) == (1, 0)
    assert told(Outside(checkpoints=fork)) == (2, 0)
    assert told(Outside(keys=stranger)) == (1, 0)
    assert told(Outside(witnesses=(witness,)), LOG.note()) == (1, 0)
    assert told(TRUSTED, LOG.note()[:-9] + "AAAAAAA=\n") == (1, 0)
    assert told(TRUSTED, "no checkpoint") == (1, 0)
    wrong = {**LOG.receipt(2), "entries": [{**ENTRY, "proof": []}]}
    assert verify(parse_receipt(json.dumps(wrong)), TRUSTED).problems == (
        "event 2: the proof does not lead to the checkpoint's root",
    )


def test_the_facts_of_keys_say_when_they_ended():
    old, new = (public_key(name, purpose="checkpoint", pem=pem_of(name)) for name in "ab")
    control = ctl.Control(
        keys={"a": old, "b": new}, ended={"a": ctl.KeyEnd(at=T0, reason="rotated", successor="b")}
    )
    first, second = key_facts(control)
    assert (first["id"], first["reason"], first["successor"]) == ("a", "rotated", "b")
    assert first["ended_at"].startswith("2026-03-01")
    assert (second["ended_at"], second["reason"], second["successor"]) == ("", "", "")
    assert second["pem"] == pem_of("b")
