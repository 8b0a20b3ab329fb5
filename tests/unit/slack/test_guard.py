"""The guard: only whole, fresh, signed requests of our workspace come through."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.guard import MAX_BODY_BYTES, Allowed, Answered, Guard, Passed
from tests.support.build import T0, FixedClock
from tests.support.signed import FORM, SECRET, click, form, signed

NOW = int(T0.timestamp())


def guard(*, secret: str = SECRET, enterprise: str = "") -> Guard:
    allowed = Allowed(team_id="T1", app_id="A1", enterprise_id=enterprise)
    return Guard(signing_secret=secret, clock=FixedClock(), allowed=allowed)


def status_of(verdict: Passed | Answered) -> int:
    return verdict.status if isinstance(verdict, Answered) else 0


def test_a_whole_fresh_signed_click_of_ours_passes() -> None:
    body = form(click())
    verdict = guard().check(signed(body, at=NOW), body)
    assert isinstance(verdict, Passed)
    assert verdict.kind == "interaction"


@pytest.mark.parametrize("age", [-300, -1, 0, 1, 300])
def test_five_minutes_either_way_are_fresh(age: int) -> None:
    body = form(click())
    assert isinstance(guard().check(signed(body, at=NOW + age), body), Passed)


@pytest.mark.parametrize("age", [-10_000, -301, 301, 10_000])
def test_older_or_later_is_refused(age: int) -> None:
    body = form(click())
    assert status_of(guard().check(signed(body, at=NOW + age), body)) == 401


BAD_TIMESTAMPS = [
    "", "abc", "-1", " 1772355600", "1772355600 ", "+772355600", "1772355600.0", "177235560",
    "17723556000", "1e9", "0x69a40000", "\u0661" * 10,
    "1772355600\n", "nan", "\u00e9",
]  # fmt: skip
BAD_SIGNATURES = [
    "", "v0=", "v1=" + "0" * 64, "v0=" + "0" * 63, "v0=" + "0" * 65, "v0=" + "G" * 64,
    "v0=" + "A" * 64, "v0=" + "\u00e9" * 64, "0" * 64, "v0=" + "0" * 64 + "\n", "V0=" + "0" * 64,
]  # fmt: skip


@pytest.mark.parametrize("timestamp", BAD_TIMESTAMPS)
def test_a_bent_timestamp_is_401(timestamp: str) -> None:
    body = form(click())
    headers = {**signed(body, at=NOW), "x-slack-request-timestamp": (timestamp,)}
    assert status_of(guard().check(headers, body)) == 401


@pytest.mark.parametrize("signature", BAD_SIGNATURES)
def test_a_bent_signature_is_401(signature: str) -> None:
    body = form(click())
    headers = {**signed(body, at=NOW), "x-slack-signature": (signature,)}
    assert status_of(guard().check(headers, body)) == 401


@pytest.mark.parametrize("name", ["x-slack-request-timestamp", "x-slack-signature"])
@pytest.mark.parametrize("count", [0, 2])
def test_a_header_that_does_not_stand_once_is_401(name: str, count: int) -> None:
    body = form(click())
    headers: dict[str, Sequence[str]] = signed(body, at=NOW)
    headers[name] = tuple(headers[name]) * count
    assert status_of(guard().check(headers, body)) == 401


@pytest.mark.parametrize("secret", ["", " ", "another"])
def test_a_signature_by_another_or_an_empty_secret_is_401(secret: str) -> None:
    body = form(click())
    assert status_of(guard().check(signed(body, at=NOW, secret=secret), body)) == 401


@pytest.mark.parametrize("secret", ["", " "])
def test_without_a_secret_nothing_passes_even_when_signed_with_it(secret: str) -> None:
    body = form(click())
    headers = signed(body, at=NOW, secret=secret)
    assert status_of(guard(secret=secret).check(headers, body)) == 401


def test_one_changed_byte_is_401() -> None:
    body = form(click())
    headers = signed(body, at=NOW)
    for place in range(0, len(body), 7):
        bent = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert status_of(guard().check(headers, bent)) == 401


def test_the_same_bytes_again_are_a_quiet_200() -> None:
    checks = guard()
    body = form(click())
    assert isinstance(checks.check(signed(body, at=NOW), body), Passed)
    again = checks.check(signed(body, at=NOW), body)
    resigned = checks.check(signed(body, at=NOW + 5), body)
    assert again == resigned == Answered(status=200)


def test_an_event_is_a_replay_only_once_it_was_handled() -> None:
    checks = guard()
    body = json.dumps(
        {"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event": {"type": "x"}}
    ).encode()
    headers = signed(body, at=NOW, kind="application/json")
    first = checks.check(headers, body)
    second = checks.check(headers, body)
    assert isinstance(first, Passed)
    assert isinstance(second, Passed)
    checks.remember(first.key)
    assert checks.check(headers, body) == Answered(status=200)


@pytest.mark.parametrize(
    "changes",
    [
        {"team": {"id": "T2"}},
        {"team": {"id": ["T1"]}},
        {"team": None},
        {"api_app_id": "A2"},
        {"api_app_id": None},
        {"enterprise": {"id": "E1"}},
        {"enterprise": {"id": 7}},
    ],
)
def test_another_team_app_or_organisation_is_403(changes: dict[str, object]) -> None:
    body = form(click(**changes))
    assert status_of(guard().check(signed(body, at=NOW), body)) == 403


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"team": None, "enterprise": {"id": "E1"}, "is_enterprise_install": True}, True),
        ({"team": {"id": "T1"}, "enterprise": {"id": "E1"}, "is_enterprise_install": True}, True),
        ({"team": None, "enterprise": {"id": "E1"}, "is_enterprise_install": "true"}, True),
        ({"team": None, "enterprise": {"id": "E1"}}, False),
        ({"team": None, "enterprise": {"id": "E1"}, "is_enterprise_install": 1.5}, False),
        ({"team": None, "enterprise": {"id": "E2"}, "is_enterprise_install": True}, False),
        ({"team": None, "enterprise": None, "is_enterprise_install": True}, False),
        ({"team": {"id": "T2"}, "enterprise": {"id": "E1"}, "is_enterprise_install": True}, False),
    ],
)
def test_what_names_no_team_passes_only_from_our_organisations_own_installation(
    changes: dict[str, object], passes: bool
) -> None:
    body = form(click(**changes))
    org = Allowed(team_id="T1", app_id="A1", enterprise_id="E1", is_org_install=True)
    checks = Guard(signing_secret=SECRET, clock=FixedClock(), allowed=org)
    assert isinstance(checks.check(signed(body, at=NOW), body), Passed) is passes
    plain = isinstance(guard(enterprise="E1").check(signed(body, at=NOW), body), Passed)
    assert plain is (passes and changes["team"] is not None)


def test_our_own_organisation_passes() -> None:
    body = form(click(enterprise={"id": "E1"}))
    assert isinstance(guard(enterprise="E1").check(signed(body, at=NOW), body), Passed)


@pytest.mark.parametrize(
    "body",
    [
        b"payload=", b"payload={", b"payload=[]", b"payload=null", b"payload=7", b"payload=%22x%22",
        b"payload=%ff%fe", b"\xff", b"payload=" + b"%5B" * 100_000, b"a", b"", b"=",
        b"payload={}&payload={}", b"&".join(b"k%d=v" % n for n in range(60)),
        b'{"type":"block_actions"}', b"type=block_actions", b"payload=%7B%22type%22%3A7%7D",
        form({"type": "block_actions"}), form({"type": "event_callback"}), form({"type": "nope"}),
        form({"type": "url_verification"}), form({"type": "event_callback", "event": []}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "kind", [FORM, "application/json", "", "text/plain", "multipart/form-data"]
)
def test_signed_nonsense_is_4xx(body: bytes, kind: str) -> None:
    verdict = guard().check(signed(body, at=NOW, kind=kind), body)
    assert 400 <= status_of(verdict) < 500


def test_too_large_is_413_whoever_signed_it() -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    assert status_of(guard().check(signed(body, at=NOW), body)) == 413


def test_a_certificate_check_is_answered_and_not_dispatched() -> None:
    body = b"ssl_check=1&token=x"
    assert guard().check({"content-type": (FORM,)}, body) == Answered(status=200)
    smuggled = b"ssl_check=1&" + form(click())
    assert status_of(guard().check({"content-type": (FORM,)}, smuggled)) == 401


def test_a_handshake_passes_signed_only() -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c"}).encode()
    kind = "application/json"
    assert isinstance(guard().check(signed(body, at=NOW, kind=kind), body), Passed)
    assert status_of(guard().check({"content-type": (kind,)}, body)) == 401


def test_a_replay_is_forgotten_only_after_its_signature_is_stale() -> None:
    clock = FixedClock()
    checks = Guard(signing_secret=SECRET, clock=clock, allowed=Allowed(team_id="T1", app_id="A1"))
    body = form(click())
    headers = signed(body, at=NOW + 300)
    assert isinstance(checks.check(headers, body), Passed)
    clock.pass_(599)
    assert checks.check(headers, body) == Answered(status=200)
    clock.pass_(2)
    assert status_of(checks.check(headers, body)) == 401


@given(st.binary(max_size=300), st.dictionaries(st.text(max_size=20), st.lists(st.text())))
def test_whatever_comes_the_guard_answers_and_never_raises(
    body: bytes, headers: dict[str, list[str]]
) -> None:
    assert 400 <= status_of(guard().check(headers, body)) < 500


@given(st.binary(max_size=300), st.sampled_from([FORM, "application/json"]))
def test_whatever_is_signed_the_guard_answers_and_never_raises(body: bytes, kind: str) -> None:
    verdict = guard().check(signed(body, at=NOW, kind=kind), body)
    assert isinstance(verdict, Passed) or 200 <= verdict.status < 500


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": []},
        {"actions": None},
        {"actions": [{}]},
        {"actions": [{"action_id": "a"}, 5]},
        {"channel": 5},
        {"user": {"id": "U1"}, "authorizations": "x"},
        {"type": "view_submission", "view": None},
        {"type": "view_submission", "view": {"callback_id": "c", "state": {"values": []}}},
        {"type": "view_closed", "view": []},
    ],
)
def test_a_form_that_bolt_could_not_index_is_400(changes: dict[str, object]) -> None:
    body = form(click(**changes))
    assert status_of(guard().check(signed(body, at=NOW), body)) == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": None, "view": {"id": "V1", "state": {"values": {}}}},
        {"message": {"user": "U1", "team": "T1"}},
        {"type": "view_submission", "view": {"callback_id": "c", "state": {"values": {}}}},
        {"type": "view_closed", "view": {"callback_id": "c"}},
    ],
)
def test_what_slack_sends_has_that_form(changes: dict[str, object]) -> None:
    body = form(click(**changes))
    assert isinstance(guard().check(signed(body, at=NOW), body), Passed)


def test_what_was_left_to_somebody_else_is_taken_when_it_comes_again() -> None:
    one, body = guard(), form(click())
    first = one.check(signed(body, at=NOW), body)
    assert isinstance(first, Passed)
    assert one.check(signed(body, at=NOW), body) == Answered(status=200)
    one.forget(first.key)
    assert isinstance(one.check(signed(body, at=NOW), body), Passed)
    one.forget("never seen")
