"""The one table of answers is complete."""

import pytest

from bot.replies import REPLIES, Exit, exit_code_for, reply_for
from governance.errors import Code, Refused


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_row_that_says_something(code: Code) -> None:
    reply = reply_for(code)
    assert 400 <= reply.status < 600
    assert reply.status != 500
    assert reply.exit_code is not Exit.OK
    assert len(reply.slack) > 20
    assert reply.slack.endswith(".")


def test_the_table_has_no_row_beyond_the_codes() -> None:
    assert set(REPLIES) == set(Code)


def test_a_refusal_and_its_exit_code_come_from_the_same_row() -> None:
    assert exit_code_for(Refused(Code.FROZEN, "x")) is Exit.REFUSED
    assert exit_code_for(Refused(Code.LEDGER_BUSY, "x")) is Exit.UNAVAILABLE


def test_no_two_codes_share_a_sentence() -> None:
    sentences = [reply.slack for reply in REPLIES.values()]
    assert len(set(sentences)) == len(sentences)
