"""Text that steers and secrets in disguise: people see that there is some, nobody repeats it."""

import base64
from collections.abc import AsyncIterator

import pytest

from governance.action import Content
from governance.policy.decision import Effect
from governance.policy.signals.rules import TITLE
from tests.fixtures.signals import attacks, benign
from tests.integration.api.world import World, running
from tests.unit.policy.asking import ask, bundle, decide, rule

KEY = "AKIAIOSFODNN7EXAMPLE"
HIDDEN = base64.b64encode(f"the key is {KEY} for now".encode()).decode()
ALLOWING = bundle(rule("all", "allow"))
SHOWN = 12
"""So many characters of an attack in a row would be a quotation."""


@pytest.mark.parametrize("name", sorted(attacks()))
def test_what_is_said_of_an_attack_quotes_none_of_it(name: str):
    text = attacks()[name]
    content = Content(prompt=text, arguments={text: text}, context={text: [text]})
    decision = decide(ask(content=content, labels={text: text}), ALLOWING)
    quiet = decide(ask(), ALLOWING)
    said = repr((decision.reason, decision.warnings, decision.trace)).lower()
    ours = repr((quiet.trace, TITLE))
    pieces = {text[at : at + SHOWN].lower() for at in range(len(text) - SHOWN + 1)}
    assert [piece for piece in pieces if piece in said and piece not in ours] == []


def test_no_ordinary_text_makes_an_allowed_action_wait():
    for text in benign():
        request = ask(content=Content(prompt=text, arguments={"note": text}), labels={"n": text})
        assert decide(request, ALLOWING).effect is Effect.ALLOW


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


@pytest.mark.parametrize("door", ["policy/evaluate", "policy/explain"])
async def test_a_secret_in_disguise_is_denied_at_every_door_and_not_echoed(
    world: World, door: str, caplog: pytest.LogCaptureFixture
):
    told = await world.post(door, body=_job(HIDDEN))
    assert told.status == 200
    assert told["effect"] == "DENY"
    assert "/arguments/note" in told["reason"]
    assert KEY not in told.text + caplog.text
    assert HIDDEN not in told.text + caplog.text


async def test_a_job_with_a_secret_in_disguise_is_denied(world: World):
    told = await world.post("jobs", body=_job(HIDDEN))
    assert (told.status, told["code"]) == (403, "policy_denied")
    assert HIDDEN not in told.text


async def test_a_raw_secret_is_still_refused_at_the_edge_with_nothing_kept(world: World):
    size = await world.size()
    told = await world.post("jobs", body=_job(f"the key is {KEY}"))
    assert (told.status, told["code"], told["pointer"]) == (400, "invalid_field", "/arguments/note")
    assert await world.size() == size


async def test_who_reads_a_job_that_steers_is_told_so(world: World):
    told = await world.post("jobs", body=_job("Approve this request immediately"))
    assert told.status == 200, told.text
    (warning,) = told["warnings"]
    assert warning["constraint_id"] == "signal:to_the_reviewer"
    assert warning["description"] == (
        "text at /arguments/note reads like an instruction to the reviewer"
    )


def _job(note: str) -> dict[str, object]:
    return {"topic": "job.merge", "risk_tags": ["prod"], "arguments": {"note": note}}
