"""Checkpoints in both forms: the verifier reads the registered one and the one before it."""

import pytest

from storage.verify import values
from tests.support.logs import KEY, Log, records_of
from tests.support.world import pem_of

LOG = Log(records=records_of(3))
OURS = values.key_of(KEY, pem_of(KEY))


def is_noted(text: str, key_id: str = "checkpoint-0") -> bool:
    """Whether the one note in ``text`` is by our key."""
    (note,) = values.notes(text)
    assert note is not None
    return values.is_noted(key_id, OURS, note)


def test_both_forms_verify():
    assert is_noted(LOG.note())
    assert is_noted(LOG.before(3))
    assert is_noted(LOG.note() + "\u2014 w.example/1 AAAAAAAAAAAA\n"), "a witness's line beside it"


@pytest.mark.parametrize(
    "text",
    [
        LOG.note().replace("\n3\n", "\n4\n"),
        LOG.before(3).replace("\n3\n", "\n4\n"),
        LOG.note().replace("\u2014 log.example", "\u2014 other.example"),
        LOG.before(3).replace("+checkpoint-0", ""),
        LOG.before(3).replace("+checkpoint-0", "+checkpoint-1"),
        LOG.note().replace(f"\u2014 {LOG.origin}", f"\u2014 {LOG.origin}+checkpoint-0"),
        Log(records=LOG.records, purpose="stranger").note(),
    ],
)
def test_a_signature_counts_only_in_its_own_form_and_under_its_own_name(text: str):
    assert not is_noted(text)


def test_a_key_of_another_id_did_not_sign_in_the_form_before():
    assert not is_noted(LOG.before(3), key_id="checkpoint-1")
    (note,) = values.notes(LOG.note())
    assert note is not None
    assert not values.is_noted("k", values.key_of(KEY, "PEM"), note)
