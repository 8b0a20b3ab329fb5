"""The verifier's digests of an ask are those of governance, whatever was asked for."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.canonical import canonical_bytes, parse
from governance.digests import action_digest, content_digest, request_digest
from governance.json_text import to_text
from governance.principal import PersonId
from governance.tickets.ticket import Ask, Claims
from storage import codec
from storage.verify import actions as verify_actions
from tests.support import build
from tests.unit.policy.test_evaluate_properties import requests

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["é", "e\u0301", "\ud7ff", "\ue000", "\U0001f600", '"\\/\b\x1f\x7f\u2028', "مرحبا", "名前"]
)
WRITTEN = st.sampled_from(
    [
        *("1.0", "1e3", "-0", "-0.0", "0.000001", "1e-7", "12E+20", "1e21"),
        *("9" * 21, "9" * 22, "1" + "0" * 99, "123456789.125e-20", "1e308", "5e-300", "0e5"),
        *("100000000000000000000.5", "0.1", "1200.0", "999999999999999999999e1"),
    ]
).map(parse)
NUMBERS = (
    st.integers()
    | st.integers(-(10**40), 10**40)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | WRITTEN
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
CONTENTS = st.builds(
    Content,
    arguments=st.dictionaries(TEXT, VALUES, max_size=4),
    prompt=TEXT,
    context=VALUES,
    justification=TEXT,
)


@st.composite
def wide(draw: st.DrawFn) -> ActionRequest:
    """A request as policy's own tests draw them, with anything in every free field."""
    return replace(
        draw(requests()),
        on_behalf_of=draw(st.none() | TEXT.map(PersonId)),
        action=draw(st.sampled_from(ActionKind)),
        dispatch=draw(st.sampled_from(Dispatch)),
        tool=draw(st.just("") | TEXT),
        target=draw(TEXT),
        capability=draw(TEXT),
        requires=tuple(draw(st.lists(TEXT, max_size=3))),
        risk_tags=tuple(draw(st.lists(TEXT, max_size=3))),
        labels=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        content=draw(CONTENTS),
        ttl_s=draw(st.none() | st.integers(1, 10**6)),
    )


def logged(request: ActionRequest, environment: str) -> Ask:
    """What the log keeps of a request that policy took to be in ``environment``."""
    return Ask(
        tenant=request.tenant,
        agent=request.agent,
        on_behalf_of=request.on_behalf_of,
        topic=request.topic,
        tool=request.tool,
        action=request.action,
        environment=environment,
        target=request.target,
        capability=request.capability,
        labels=tuple(sorted(request.labels.items())),
        dispatch=request.dispatch,
        trace_id=request.trace_id,
        idempotency_key=request.idempotency_key,
        request_digest=request_digest(request),
        content_digest=content_digest(request.content.to_bytes()),
        action_digest=action_digest(replace(request, environment=environment)),
        claims=Claims(
            environment=request.environment,
            risk_tags=request.risk_tags,
            requires=request.requires,
            data_classes=request.data_classes,
            ttl_s=request.ttl_s,
        ),
    )


def found(ask: Ask, content: bytes) -> list[str]:
    """What the verifier says of an ask as it stands in the log."""
    told = codec.payload(build.opened("t", ask=ask))["ask"]
    wordless = verify_actions.wordless(1, "TicketOpened", told)
    named = [field for problem in wordless for field in problem.field.split(", ")]
    return named + verify_actions.wrong_in_ask(told, ask.content_digest, content)


@given(wide(), st.sampled_from(["prod", "dev"]))
def test_an_honest_ask_is_made_of_its_content(request: ActionRequest, environment: str):
    ask = logged(request, environment)
    assert found(ask, request.content.to_bytes()) == []
    # Earlier versions kept no claims.
    assert found(replace(ask, claims=None), request.content.to_bytes()) == []


@given(wide(), wide())
def test_the_digests_of_another_request_are_found(one: ActionRequest, other: ActionRequest):
    ask, lie = logged(one, "prod"), logged(other, "prod")
    told = replace(ask, action_digest=lie.action_digest, request_digest=lie.request_digest)
    wrong = [
        name
        for name in ("action_digest", "request_digest")
        if getattr(ask, name) != getattr(lie, name)
    ]
    assert found(told, one.content.to_bytes()) == wrong


@given(VALUES)
@example({"\ue000": 1, "\U0001f600": 2})
@example([Decimal("1.0"), Decimal("1E+3"), 10**21, 10**21 - 1, Decimal("-0.0")])
def test_the_canonical_form_is_that_of_governance(value: object):
    text = to_text(value)  # type: ignore[arg-type]
    read = verify_actions.read(text)
    wanted = canonical_bytes(value)  # type: ignore[arg-type]
    assert verify_actions.canonical_text(read).encode() == wanted
