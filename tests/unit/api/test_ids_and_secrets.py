"""Traces, durations and webhook secrets, without HTTP."""

import base64
import hmac

import pytest
from aiohttp.test_utils import make_mocked_request

from bot.api.bodies import query_wait_s
from bot.api.middleware import trace_id_of
from bot.api.schemas import VoteForm, is_unused
from bot.api.webhooks import Seen, signature_of

A, B = "a" * 32, "b" * 16


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"00-{A}-{B}-01", A),
        (f"01-{A}-{B}-01-later", A),
        (f"ff-{A}-{B}-01", ""),
        (f"00-{'0' * 32}-{B}-01", ""),
        (f"00-{A}-{'0' * 16}-01", ""),
        (f"00-{A.upper()}-{B}-01", ""),
        (f"00-{A}-{B}", ""),
        ("", ""),
    ],
)
def test_a_traceparent_is_read_as_its_standard_says(value: str, wanted: str):
    assert trace_id_of({"traceparent": value}) == wanted


@pytest.mark.parametrize("value", ["", "a b", "-a", "a" * 129, "a\n", "<script>", "\u202e"])
def test_a_trace_name_that_is_none_is_not_taken(value: str):
    assert trace_id_of({"X-Trace-Id": value}) == ""


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("2m", 60), ("500ms", 0.5), ("7", 7)])
def test_a_wait_has_a_unit_and_a_bound(text: str, seconds: float):
    assert query_wait_s(make_mocked_request("GET", f"/?wait={text}"), most=60) == seconds


def test_a_delivery_is_signed_as_the_standard_says():
    raw = bytes(range(32))
    made = signature_of(raw, webhook_id="m", timestamp="1", body=b"{}")
    assert made == "v1," + base64.b64encode(hmac.digest(raw, b"m.1.{}", "sha256")).decode()


def test_a_delivery_is_remembered_for_as_long_as_its_timestamp_could_pass():
    seen = Seen()
    seen.add(b"a", 1_000.0)
    assert seen.has(b"a", 1_599.0)
    assert not seen.has(b"a", 1_600.0)
    seen.add(b"b", 1_700.0)
    assert not seen.has(b"a", 0.0)


def test_the_comment_of_a_vote_is_every_field_once():
    assert VoteForm(note="a", reason=" a ", comment="b").words == "a\nb"
    assert VoteForm().words == ""


@pytest.mark.parametrize("key", ["priority", "org_id", "max_input_tokens", "max_total_tokens"])
def test_keys_of_stock_clients_that_play_no_part_are_dropped(key: str):
    assert is_unused(key)


@pytest.mark.parametrize("key", ["enviroment", "max_tokens", "agent", "owners", "approved"])
def test_no_other_key_is_dropped(key: str):
    assert not is_unused(key)
