"""What the HTTP bench asks, without a server."""

from dataclasses import replace

import pytest

from bench.http import BUNDLE, JOB
from bot.api.asking import request_of
from bot.api.jobs import read_form
from bot.bundles import load_bundle
from governance.action import ActionKind, ActionRequest
from governance.policy.decision import Effect
from governance.policy.evaluate import evaluate
from tests.support.build import T0
from tests.support.core import agent


def _asked() -> ActionRequest:
    return request_of(read_form(JOB), agent(), load_bundle(BUNDLE), key="k", trace_id="t")


def test_it_asks_for_what_is_allowed_with_five_arguments():
    asked = _asked()
    decided = evaluate(asked, agent(), load_bundle(BUNDLE), at=T0)
    assert (decided.effect, len(asked.content.arguments)) == (Effect.ALLOW, 5)


@pytest.mark.parametrize(
    ("changed", "effect"),
    [
        ({"risk_tags": ("destructive",)}, Effect.DENY),
        ({"action": ActionKind.WRITE}, Effect.DENY),
        ({"tool": "", "action": ActionKind.WRITE}, Effect.REQUIRE_APPROVAL),
    ],
)
def test_its_schema_rule_and_constraint_all_count(changed: dict[str, object], effect: Effect):
    asked = replace(_asked(), **changed)  # type: ignore[arg-type]
    assert evaluate(asked, agent(), load_bundle(BUNDLE), at=T0).effect is effect
