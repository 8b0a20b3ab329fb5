"""What is stored comes back as it was, and what never was stored is refused."""

from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import pytest

from governance.audit import Event
from governance.control import Control, Frozen
from governance.errors import Code, Unavailable
from governance.principal import Credential
from governance.tickets.ticket import Ticket
from storage import codec, encoding
from tests.support import build

SAMPLES = build.samples()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_event_comes_back(name: str):
    event, _ = SAMPLES[name]
    assert codec.event(name, event.version, codec.payload(event)) == event


def test_projections_come_back():
    ticket = build.sample_ticket(cleared_at=build.T0, full_views=())
    control = Control(
        snapshot="5" * 64,
        frozen={"all": Frozen(target="all", by=build.ANNA, at=build.T0)},
        keys={"k": build.public_key()},
    )
    credential = build.credential(revoked_at=build.T0)
    assert codec.load(Ticket, encoding.dump(ticket)) == ticket
    assert codec.load(Control, encoding.dump(control)) == control
    assert codec.load(Credential, encoding.dump(credential)) == credential


def test_instants_have_one_form_whatever_their_zone():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    abroad = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert encoding.plain(noon) == encoding.plain(abroad) == "2026-03-01T12:00:00.000000Z"


def test_sets_are_stored_in_one_order():
    assert encoding.plain(frozenset({"b", "a", "c"})) == ["a", "b", "c"]


def test_an_unknown_type_or_version_is_refused():
    stored = codec.payload(build.evaluated())
    for name, version in (("TicketBlessed", 1), ("DecisionEvaluated", 99)):
        with pytest.raises(Unavailable) as caught:
            codec.event(name, version, stored)
        assert caught.value.code is Code.LEDGER_UNAVAILABLE


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "1"},
        {"revision": True},
        {"person": None},
        {"extra": 1},
        {"ticket_id": []},
    ],
)
def test_a_shape_that_was_never_written_is_refused(change: dict[str, object]):
    stored = codec.payload(SAMPLES["FullViewOpened"][0])
    assert isinstance(stored, dict)
    with pytest.raises(Unavailable):
        codec.event("FullViewOpened", 1, {**stored, **change})


def test_a_foreign_type_is_not_stored():
    for foreign in (object(), b"raw", 1j, 2**64):
        with pytest.raises(TypeError):
            encoding.plain(foreign)


def _types_in(hint: Any, seen: set[Any]) -> set[Any]:
    """Every type that a field of ``hint`` could hold, dataclasses looked into."""
    if hint in seen:
        return seen
    seen.add(hint)
    inner = [*get_args(hint), *([hint.__value__] if hasattr(hint, "__value__") else [])]
    if is_dataclass(hint):
        inner += get_type_hints(hint).values()
    for one in inner:
        _types_in(one, seen)
    return seen


def test_no_stored_class_has_a_field_that_could_hold_a_float():
    stored: set[Any] = set()
    for kind in (Event, Ticket, Control, Credential):
        _types_in(kind, stored)
    assert {str, int, datetime} < stored
    assert stored.isdisjoint({float, complex, Decimal, Any, object})


@pytest.mark.parametrize("raw", [b"", b"[]", b"7", b"\xff", b'{"a":1,"a":2}'])
def test_bytes_that_are_no_record_are_refused(raw: bytes):
    with pytest.raises(Unavailable):
        codec.record(raw)
