"""A glance for secrets, without HTTP."""

from json import dumps

import pytest

from bot.api import leaks
from bot.api.schemas import JobForm
from bot.scan.scanner import MAX_SCANNED_CHARS, is_surely_clean, scan_for_secrets
from governance.canonical import Json
from governance.errors import InvalidInput

RAW = "ghp_" + "a1B2" * 9
HIDDEN = "gh\u200bp_" + "a1B2" * 9


@pytest.mark.parametrize(
    "body",
    [
        {"justification": RAW},
        {"arguments": {"a": [{"b": RAW}]}},
        {"arguments": {"a": {RAW: 1}}},
        {"context": [[RAW]]},
        {"meta": {"labels": {"a": RAW}}},
        {"labels": {RAW: "a"}},
        {"risk_tags": [RAW]},
        {"arguments": {"a": HIDDEN}},
        {"arguments": {"PASSWORD": "is: hunter2hunter2"}},
    ],
)
def test_a_glance_overlooks_no_secret(body: dict[str, Json]):
    for raw in (dumps(body), dumps(body, ensure_ascii=False), dumps(body, indent=1)):
        assert not leaks.is_surely_clean(raw.encode())


def test_a_glance_clears_what_holds_nothing_like_a_secret():
    body: dict[str, Json] = {
        "topic": "job.orders.search",
        "arguments": {"limit": 20, "sort": "newest", "is_open": False, "none": None, "in": ["a"]},
        "idempotency_key": "bench-1",
    }
    raw = dumps(body).encode()
    assert leaks.is_surely_clean(raw, "", "bench-1")
    assert not leaks.is_surely_clean(raw, RAW)
    assert not leaks.is_surely_clean(raw, HIDDEN)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"arguments": {"a": "\\u0067hp_%b"}}' % RAW[4:].encode(),
        b'{"arguments": {"pass\\u0077ord": "is: hunter2hunter2"}}',
        b'{"arguments": {"api_key": "hunter2hunter2"}}',
        b'{"justification": "\\"idempotency_key\\": hunter2hunter2"}',
    ],
)
def test_a_glance_does_not_pass_what_escapes_or_names_of_ours_would_hide(raw: bytes):
    assert not leaks.is_surely_clean(raw)


def test_one_key_of_a_body_alone_looks_like_the_name_of_a_secret():
    assert [name for name in JobForm.model_fields if not is_surely_clean(name)] == [
        "idempotency_key"
    ]


def test_a_glance_is_cast_on_no_more_than_is_read():
    assert is_surely_clean("x" * MAX_SCANNED_CHARS)
    assert not is_surely_clean("x" * (MAX_SCANNED_CHARS + 1))


def test_what_a_glance_clears_holds_no_secret():
    for text in (RAW, HIDDEN, "password: hunter2hunter2", "Authorization: Bearer abcdefghijkl"):
        assert scan_for_secrets(text)
        assert not is_surely_clean(text)


def test_a_secret_is_refused_by_its_place():
    with pytest.raises(InvalidInput) as refused:
        leaks.refuse({"arguments": {"a": [RAW]}})
    assert refused.value.pointer == "/arguments/a/0"
