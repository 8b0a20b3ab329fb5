"""Every error of Slack has its remedy: again, anew, or a person who is told what to do."""

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.sending.client import (
    GoneError,
    PermanentError,
    RateLimitedError,
    TransientError,
    failure_of,
)
from bot.slack.sending.remedies import MEANINGS, Remedy, meaning
from bot.slack.sending.troubles import troubles
from governance.outbox import Backlog, OwedKind

CLASSES = {
    Remedy.RETRY: (TransientError, RateLimitedError),
    Remedy.REPOST: (GoneError,),
    Remedy.MEND_APP: (PermanentError,),
    Remedy.MEND_CHANNEL: (PermanentError,),
    Remedy.MEND_MESSAGE: (PermanentError,),
}


def _error(code: str, status: int = 200, **headers: str) -> SlackApiError:
    response = AsyncSlackResponse(
        client=None,
        http_verb="POST",
        api_url="https://slack.com/api/x",
        req_args={},
        data={"ok": False, "error": code},
        headers=headers,
        status_code=status,
    )
    return SlackApiError("no text is looked at", response)


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_every_code_has_one_class_and_a_sentence(code: str) -> None:
    failure = failure_of("chat.postMessage", _error(code))
    assert isinstance(failure, CLASSES[meaning(code).remedy])
    assert meaning(code).fix.endswith((".", "@placet"))


def test_a_code_that_nobody_knows_is_tried_again_and_never_lost() -> None:
    failure = failure_of("chat.postMessage", _error("brand_new_error"))
    assert isinstance(failure, TransientError)
    assert not failure.is_uncertain
    assert meaning("brand_new_error").remedy is Remedy.RETRY


@pytest.mark.parametrize(("told", "waits"), [("7", 7), ("0", 1), ("soon", 1), ("", 1)])
def test_a_pause_is_as_long_as_slack_says_and_at_least_a_second(told: str, waits: int) -> None:
    failure = failure_of("chat.update", _error("ratelimited", 429, **{"Retry-After": told}))
    assert isinstance(failure, RateLimitedError)
    assert failure.retry_after_s == waits


def _backlog(error: str, *, is_dead: bool = False, count: int = 1) -> Backlog:
    return Backlog(kind=OwedKind.CARD, error=error, is_dead=is_dead, count=count)


def test_what_only_waits_its_turn_is_no_trouble() -> None:
    waiting = [_backlog(""), _backlog("chat.update: ratelimited"), _backlog("TimeoutError")]
    assert not troubles(waiting)


def test_what_waits_for_a_person_and_what_was_given_up_is_told_with_what_to_do() -> None:
    found = troubles(
        [
            _backlog("chat.postMessage: is_archived", count=4),
            _backlog("TypeError", is_dead=True),
            _backlog("conversations.info: shared_with_outsiders", count=2),
        ]
    )
    assert [(one.code, one.count, one.is_dead) for one in found] == [
        ("TypeError", 1, True),
        ("is_archived", 4, False),
        ("shared_with_outsiders", 2, False),
    ]
    assert (
        found[0].text
        == "1 card was given up (TypeError); it is tried again when the ticket changes."
    )
    assert found[1].text == "4 cards cannot be delivered (is_archived)."
    assert "Unarchive" in found[1].fix
    assert "shared_channels" in found[2].fix
