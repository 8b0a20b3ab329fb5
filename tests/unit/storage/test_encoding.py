"""The quick bytes of a value are the canonical ones."""

from dataclasses import fields, replace

import pytest

from governance.audit import GENESIS, Header, encode_fields
from governance.canonical import canonical_bytes, parse
from governance.tickets.lifecycle import evolve
from governance.tickets.ticket import Ticket
from storage import codec, encoding
from tests.support import build

SAMPLES = build.samples()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_an_events_bytes_are_canonical(name: str):
    event, _ = SAMPLES[name]
    assert encoding.canonical(event) == canonical_bytes(codec.payload(event))


@pytest.mark.parametrize("text", ["caf\u00e9", "\U0001f600 \ufb33", 'a "quoted" \\ \x01\n', "\x7f"])
def test_so_are_those_of_any_text(text: str):
    event = build.opened()
    ask = replace(event.ask, target=text, labels=((text, text),))
    told = replace(event, ask=ask, ruling=replace(event.ruling, reason=text))
    assert encoding.canonical(told) == canonical_bytes(codec.payload(told))
    assert codec.event("TicketOpened", told.version, codec.payload(told)) == told


def test_a_record_is_canonical_around_any_payload():
    names = [field.name for field in fields(Header) if field.name != "revision"]
    header = Header(**{name: f"{name} \u00e9 \U0001f600" for name in names}, revision=2)  # type: ignore[arg-type]
    payload = canonical_bytes({"z": "\ufb33", "a": [1, None, {"b": "\u00e9"}]})
    encoded = encode_fields(
        seq=7,
        previous=GENESIS,
        type_="Odd\u00e9",
        version=3,
        at=build.T0,
        head=header,
        payload=payload,
    )
    told = parse(encoded)
    assert canonical_bytes(told) == encoded
    assert codec.header(codec.record(encoded)) == header


def test_an_ask_that_was_written_in_an_event_is_written_in_its_ticket_alike():
    event = build.opened()
    ticket = evolve(None, event, build.T0)
    encoding.canonical(event)
    assert codec.load(Ticket, encoding.dump(ticket)) == ticket
    other = replace(ticket, ask=replace(ticket.ask, topic="job.other"))
    assert codec.load(Ticket, encoding.dump(other)) == other


def test_nothing_of_a_former_value_is_written_for_one_in_its_place():
    for number in range(3_000):  # more than are remembered; most take the place of one that is gone
        ask = replace(build.sample_ticket().ask, topic=f"job.{number}")
        told = encoding.plain(ask)
        assert isinstance(told, dict)
        assert told["topic"] == f"job.{number}"
