"""What the verifier takes for a record: exactly the one spelling, by whatever road it is read."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.audit import GENESIS, Record, describe, encode
from storage import codec
from storage.verify.form import Forms, Json, record_of
from tests.support.build import T0, samples

Edit = Callable[[str], str]


def _bodies() -> list[bytes]:
    return [
        encode(
            Record(
                seq=seq,
                previous=GENESIS,
                type=type(event).__name__,
                version=event.version,
                at=T0,
                header=describe(event, after),
                payload=codec.payload(event),
            )
        )
        for seq, (event, after) in enumerate(samples().values(), start=1)
    ]


BODIES = _bodies()
SAMPLE = BODIES[0].decode()
TIMES = 40
"""So often a shape is met that texts are compared with its expression."""


def _seen(times: int) -> Forms:
    """One that has met every shape so often."""
    found = Forms()
    for _ in range(times):
        for seq, body in enumerate(BODIES, start=1):
            assert found.read(seq, body)[0] is not None
    return found


OFTEN = _seen(TIMES)

OTHERWISE: dict[str, Edit] = {
    "space": lambda text: text.replace('":', '": ', 1),
    "line end": lambda text: text + "\n",
    "keys in another order": lambda text: json.dumps(
        dict(reversed(json.loads(text).items())), separators=(",", ":")
    ),
    "a key twice": lambda text: text.replace('{"action"', '{"action":"","action"', 1),
    "a key more": lambda text: text.replace('"version":', '"veil":0,"version":', 1),
    "a needless escape": lambda text: text.replace("acme", "\\u0061cme", 1),
    "a raw control character": lambda text: text.replace("acme", "ac\x01me", 1),
    "an escaped lone surrogate": lambda text: text.replace("acme", "\\ud800cme", 1),
    "a zero before a number": lambda text: text.replace('"seq":1', '"seq":01'),
    "minus zero": lambda text: text.replace('"seq":1', '"seq":-0'),
    "a fraction": lambda text: text.replace('"seq":1', '"seq":1.0'),
    "an exponent": lambda text: text.replace('"seq":1', '"seq":1e0'),
    "a number that has an exponent": lambda text: text.replace('"seq":1', '"seq":1' + "0" * 21),
    "digits of another script": lambda text: text.replace('"seq":1', '"seq":\u0661'),
    "not a number": lambda text: text.replace('"seq":1', '"seq":NaN'),
    "cut": lambda text: text[:-1],
    "a byte order mark": lambda text: "\ufeff" + text,
    "nothing": lambda _: "",
    "a list": lambda _: "[]",
}


@pytest.fixture(params=[1, TIMES], ids=["known", "often"])
def forms(request: pytest.FixtureRequest) -> Forms:
    """One that has seen every shape, once or often."""
    return _seen(request.param)


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_spelling_is_no_record_whether_its_shape_is_known_or_not(forms: Forms, name: str):
    body = OTHERWISE[name](SAMPLE).encode()
    assert body != BODIES[0]
    for reader in (forms, Forms()):
        assert reader.read(1, body)[0] is None


def test_bytes_that_are_no_text_are_no_record(forms: Forms):
    assert forms.read(1, BODIES[0].replace(b"acme", b"ac\xff\xfe"))[0] is None


def test_what_is_read_is_what_the_record_says(forms: Forms):
    for seq, body in enumerate(BODIES, start=1):
        told = json.loads(body)
        for reader in (forms, Forms()):
            top, _ = reader.read(seq, body)
            assert top is not None
            number, previous, beside = top
            assert (number, previous) == (told["seq"], told["previous"])
            assert beside == tuple(
                told[name]
                for name in (
                    *("timestamp", "type", "version", "tenant"),
                    *("traceId", "ticketId", "agentId"),
                )
            )


def test_where_it_was_found_decides_nothing(forms: Forms):
    huge = SAMPLE.replace('"seq":1', '"seq":1' + "0" * 25).encode()
    for seq in (0, 1, -1, 10**25):
        assert forms.read(seq, BODIES[0])[0] is not None
        assert forms.read(seq, huge)[0] is None


@given(st.integers(0, len(BODIES) - 1), st.data())
def test_both_roads_agree_on_any_changed_byte(index: int, data: st.DataObject):
    body = BODIES[index]
    place = data.draw(st.integers(0, len(body) - 1))
    changed = body[:place] + bytes([data.draw(st.integers(0, 255))]) + body[place + 1 :]
    forms = Forms()
    for seq, known in enumerate(BODIES, start=1):
        forms.read(seq, known)
    for reader in (forms, OFTEN):
        top, _ = reader.read(index + 1, changed)
        found = _by_hand(changed)
        assert (top is None) == (found is None)
        assert top is None or top[:2] == (found["seq"], found["previous"])


def test_a_shape_met_often_is_read_by_its_expression(monkeypatch: pytest.MonkeyPatch):
    """Else the tests above would look at one road twice."""
    met = _seen(TIMES)
    monkeypatch.delattr(Forms, "_by_shape")
    assert met.read(1, BODIES[0])[0] is not None


def _by_hand(body: bytes) -> Json:
    try:
        return record_of(body.decode())[0]
    except UnicodeDecodeError:
        return None
