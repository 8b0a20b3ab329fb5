"""The append-only law: the stored bytes of every event type and version stay what they were.

``python -m tests.golden.events.test_events`` writes the files that are missing and never touches
one that is there: a changed shape is a new version with a file of its own.
"""

from pathlib import Path

import pytest

from governance.audit import GENESIS, Record, describe, encode
from governance.tickets import events as ev
from storage import codec
from tests.support import build

FOLDER = Path(__file__).parent
SAMPLES = build.samples()
NAMES = [
    f"{name}.v{version}"
    for name, versions in sorted(codec.REGISTRY.items())
    for version in versions
]


def record_bytes(name: str) -> bytes:
    """The canonical record of the sample of type ``name``."""
    event, ticket = SAMPLES[name]
    record = Record(
        seq=1,
        previous=GENESIS,
        type=name,
        version=event.version,
        at=build.T0,
        header=describe(event, ticket),
        payload=codec.payload(event),
    )
    return encode(record)


def test_every_event_type_has_a_sample():
    assert sorted(SAMPLES) == sorted(codec.REGISTRY)


@pytest.mark.parametrize("name", NAMES)
def test_every_type_and_version_has_its_golden_bytes(name: str):
    assert (FOLDER / f"{name}.json").is_file()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_an_event_is_written_as_ever(name: str):
    event, _ = SAMPLES[name]
    assert record_bytes(name) == (FOLDER / f"{name}.v{event.version}.json").read_bytes()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_whatever_was_ever_written_is_read(path: Path):
    stored = codec.record(path.read_bytes())
    version = int(path.stem.rpartition(".v")[2])
    assert (stored["type"], stored["version"]) == (path.stem.rpartition(".v")[0], version)
    event = codec.event(str(stored["type"]), version, stored["payload"])
    if version == event.version:
        assert codec.payload(event) == stored["payload"]
    ticket = SAMPLES[str(stored["type"])][1]
    assert codec.header(stored) == describe(event, ticket)
    assert (ticket is not None) == isinstance(event, ev.TicketEvent)


def write_missing() -> None:
    for name, (event, _) in SAMPLES.items():
        path = FOLDER / f"{name}.v{event.version}.json"
        if not path.exists():
            path.write_bytes(record_bytes(name))


if __name__ == "__main__":
    write_missing()
