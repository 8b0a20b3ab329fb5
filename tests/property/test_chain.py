"""Hash links: whatever is changed, moved, dropped or added, verification says so."""

import json
from dataclasses import dataclass
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.audit import GENESIS, Record, describe, encode
from governance.canonical import canonical_bytes, parse
from storage import codec
from tests.support.build import T0, samples


@dataclass(frozen=True)
class Row:
    """A stored record: its bytes and the hash written beside them."""

    encoded: bytes
    hash: str


def _hash(encoded: bytes) -> str:
    """By the documentation, not by the code: SHA-256 over domain, NUL and bytes."""
    return sha256(b"placet/v1/event\0" + encoded).hexdigest()


def _chain() -> tuple[Row, ...]:
    rows: list[Row] = []
    for event, after in samples().values():
        record = Record(
            seq=len(rows) + 1,
            previous=rows[-1].hash if rows else GENESIS,
            type=type(event).__name__,
            version=event.version,
            at=T0,
            header=describe(event, after),
            payload=codec.payload(event),
        )
        encoded = encode(record)
        rows.append(Row(encoded, _hash(encoded)))
    return tuple(rows)


CHAIN = _chain()
HEAD = (len(CHAIN), CHAIN[-1].hash)
NAMES = json.loads(CHAIN[0].encoded).keys()


def _verified(rows: tuple[Row, ...], head: tuple[int, str] = HEAD) -> bool:
    """Links, numbers, canonical form and the head that a checkpoint signed."""
    previous = GENESIS
    for number, row in enumerate(rows, start=1):
        if _hash(row.encoded) != row.hash:
            return False
        try:
            fields = json.loads(row.encoded)
            if canonical_bytes(parse(row.encoded, max_bytes=1 << 24)) != row.encoded:
                return False
        except Exception:  # noqa: BLE001  # whatever does not read is not a record
            return False
        if not isinstance(fields, dict) or fields.keys() != NAMES:
            return False
        if (fields["seq"], fields["previous"]) != (number, previous):
            return False
        previous = row.hash
    return (len(rows), previous) == head


def _with(index: int, encoded: bytes, *, rehash: bool) -> tuple[Row, ...]:
    hash_ = _hash(encoded) if rehash else CHAIN[index].hash
    return (*CHAIN[:index], Row(encoded, hash_), *CHAIN[index + 1 :])


_INDEX = st.integers(0, len(CHAIN) - 1)


def test_an_untouched_chain_verifies():
    assert _verified(CHAIN)


@given(_INDEX, st.data(), st.booleans())
def test_a_changed_byte_breaks_it_even_when_its_own_hash_is_made_to_fit(
    index: int, data: st.DataObject, rehash: bool
):
    encoded = CHAIN[index].encoded
    place = data.draw(st.integers(0, len(encoded) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = encoded[:place] + bytes([encoded[place] ^ flip]) + encoded[place + 1 :]
    assert not _verified(_with(index, changed, rehash=rehash))


@given(_INDEX, st.data(), st.booleans())
def test_a_changed_field_breaks_it(index: int, data: st.DataObject, rehash: bool):
    fields = dict(parse(CHAIN[index].encoded))  # type: ignore[arg-type]
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = data.draw(
        st.one_of(st.none(), st.integers(0, 99), st.text(max_size=9)).filter(
            lambda new: canonical_bytes(new) != canonical_bytes(fields[name])
        )
    )
    assert not _verified(_with(index, canonical_bytes(fields), rehash=rehash))


@given(_INDEX, st.booleans())
def test_a_field_more_or_less_breaks_it(index: int, more: bool):
    fields = dict(parse(CHAIN[index].encoded))  # type: ignore[arg-type]
    if more:
        fields["extra"] = ""
    else:
        del fields["outcome"]
    assert not _verified(_with(index, canonical_bytes(fields), rehash=True))


@given(st.permutations(range(len(CHAIN))).filter(lambda order: order != sorted(order)))
def test_another_order_breaks_it(order: list[int]):
    assert not _verified(tuple(CHAIN[index] for index in order))


@given(_INDEX)
def test_a_record_less_breaks_it_wherever_it_was(index: int):
    assert not _verified(CHAIN[:index] + CHAIN[index + 1 :])


@given(_INDEX, _INDEX)
def test_a_record_more_breaks_it(index: int, copied: int):
    assert not _verified((*CHAIN[:index], CHAIN[copied], *CHAIN[index:]))


@given(st.integers(0, len(CHAIN) - 1))
def test_a_log_that_lost_its_newest_records_does_not_reach_the_signed_head(size: int):
    assert not _verified(CHAIN[:size])


@given(_INDEX)
def test_a_rewritten_history_does_not_reach_the_signed_head(index: int):
    rows = list(CHAIN[:index])
    for row in CHAIN[index:]:
        fields = dict(parse(row.encoded))  # type: ignore[arg-type]
        fields["previous"] = rows[-1].hash if rows else GENESIS
        if len(rows) == index:
            fields["actor"] = "somebody:else"
        encoded = canonical_bytes(fields)
        rows.append(Row(encoded, _hash(encoded)))
    assert _verified(tuple(rows), (len(rows), rows[-1].hash))  # linked well ...
    assert not _verified(tuple(rows))  # ... to another head


@pytest.mark.parametrize("name", samples())
def test_every_event_is_linked_with_its_own_bytes(name: str):
    row = CHAIN[list(samples()).index(name)]
    assert json.loads(row.encoded)["type"] == name
