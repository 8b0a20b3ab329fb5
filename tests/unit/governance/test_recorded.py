"""The law of a recorded request: it is the very one, or there is a reason why not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from governance.action import ActionRequest, Content
from governance.digests import content_digest
from governance.policy.evaluate import evaluate
from governance.recorded import ALTERED, UNKEPT_CLAIMS, UNKEPT_CONTENT, recall
from governance.tickets._opening import ask_of
from governance.tickets.ticket import Ask
from tests.support.core import agent, request
from tests.unit.policy.asking import AGENT, AT, ask, bundle
from tests.unit.policy.test_evaluate_properties import requests


def kept(asked: ActionRequest, **changes: object) -> tuple[Ask, bytes]:
    raw = asked.content.to_bytes()
    decision = evaluate(asked, agent(), bundle(), at=AT)
    who = agent(roles=("engineer",), environments=("prod",))
    return replace(ask_of(asked, who, decision, content=content_digest(raw)), **changes), raw


@settings(max_examples=60, deadline=None)
@given(requests())
def test_a_request_is_recalled_as_it_was_asked(asked: ActionRequest):
    record, raw = kept(asked)
    assert recall(record, raw).request == asked


def test_every_part_of_request_and_agent_is_recalled():
    asked = request(ttl_s=60, environment="Lab", risk_tags=(" Odd",))
    recalled = recall(*kept(asked))
    assert recalled.request == asked
    assert recalled.agent == agent(roles=("engineer",), environments=("prod",))
    assert recalled.why_not == ""


def test_a_request_without_words_needs_no_bytes():
    asked = ask("job.x")
    record, _ = kept(asked)
    assert recall(record, None).request == asked
    assert asked.agent == AGENT.id


def test_erased_words_are_not_guessed():
    record, _ = kept(request())
    recalled = recall(record, None)
    assert (recalled.request, recalled.agent, recalled.why_not) == (None, None, UNKEPT_CONTENT)


def test_a_record_of_an_earlier_version_is_not_guessed():
    record, raw = kept(request(), claims=None)
    assert recall(record, raw).why_not == UNKEPT_CLAIMS


@pytest.mark.parametrize(
    "changes", [{"target": "web-2"}, {"labels": ()}, {"request_digest": "0" * 64}]
)
def test_what_does_not_add_up_is_refused(changes: dict[str, object]):
    record, raw = kept(request(), **changes)
    assert recall(record, raw).why_not == ALTERED


def test_other_bytes_are_refused_and_so_is_what_is_no_content():
    record, _ = kept(request())
    assert recall(record, Content(prompt="another").to_bytes()).why_not == ALTERED
    odd = b'{"no": "content"}'
    assert recall(replace(record, content_digest=content_digest(odd)), odd).why_not == ALTERED
