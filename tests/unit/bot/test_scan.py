"""Scanning: what is found is named and placed, and redaction leaves nothing of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.scan.scanner import redact, scan

SECRETS = {
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "aws_access_key": "AKIAIOSFODNN7EXAMPLE",
    "github_token": "ghp_" + "a1B2" * 9,
    "gitlab_token": "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
    "slack_token": "xoxb-123456789012-abcdefABCDEF",
    "slack_app_token": "xapp-1-A111-222-abcdef",
    "slack_webhook": "https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXXXX",
    "stripe_key": "sk_live_" + "4eC39HqLyjWDarjt",
    "google_api_key": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "model_api_key": "sk-ant-" + "a" * 24,
    "placet_token": "plt_0123456789abcdef_" + "A" * 43,
    "webhook_secret": "whsec_" + "MfKQ9r8GKYqrTwjU",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "url_password": "postgres://app:hunter22@db.internal/orders",
    "bearer": "Authorization: Bearer abcdefgh12345678",
    "named_secret": 'db_password = "correct-horse"',
    "email": "mail ada@example.com now",
    "card_number": "card 4111 1111 1111 1111 ok",
    "iban": "pay DE89 3704 0044 0532 0130 00 today",
    "us_ssn": "ssn 123-45-6789.",
}
CLEAN = [
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "max_connections = 250",
    "the token bucket is empty",
    "order 1234567890123 shipped",
    "2026-11-21T10:00:00Z 200 GET /healthz 12 ms",
    "uuid 123e4567-e89b-12d3-a456-426614174000",
]


@pytest.mark.parametrize("rule", sorted(SECRETS))
def test_each_kind_is_found_and_nothing_of_it_is_left(rule: str) -> None:
    text = f"before {SECRETS[rule]} after"
    findings = scan(text)
    assert rule in {item.rule for item in findings}
    shown = redact(text, findings)
    start, end = next(item.place for item in findings if item.rule == rule).split("-")
    assert text[int(start) : int(end)] not in shown
    assert shown.startswith("before ")


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_lines_raise_no_alarm(text: str) -> None:
    assert scan(text) == ()
    assert redact(text, ()) == text


def test_a_finding_says_where_and_never_what() -> None:
    (finding,) = scan("key AKIAIOSFODNN7EXAMPLE")
    assert (finding.scanner, finding.rule, finding.place) == ("secrets", "aws_access_key", "4-24")


@given(st.lists(st.sampled_from(sorted(SECRETS.values())), max_size=5))
def test_what_was_redacted_is_clean_of_every_find(parts: list[str]) -> None:
    text = "\n".join(parts)
    shown = redact(text, scan(text))
    for part in parts:
        for finding in scan(part):
            start, end = (int(at) for at in finding.place.split("-"))
            assert part[start:end] not in shown


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff", "\ufe0f", "\u3164"]
)
@pytest.mark.parametrize("rule", ["github_token", "aws_access_key", "named_secret", "jwt"])
def test_an_invisible_character_hides_nothing(rule: str, hidden: str):
    text = "say " + hidden.join(SECRETS[rule]) + " now"
    findings = scan(text)
    assert rule in {finding.rule for finding in findings}
    shown = redact(text, findings).replace(hidden, "")
    assert SECRETS[rule][-8:] not in shown
    assert shown.startswith("say ")
    assert shown.endswith(" now")
