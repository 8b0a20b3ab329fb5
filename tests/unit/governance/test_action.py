"""What an agent asks: the digest covers what will happen, and nothing else."""

from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.action import (
    MAX_CONTENT_BYTES,
    SHOWN_CHARS,
    SHOWN_LINES,
    SHOWN_NAME_CHARS,
    ActionKind,
    ActionRequest,
    Content,
    Dispatch,
    check_one_target,
    needs_full_view,
    parse_content,
)
from governance.canonical import Json, parse
from governance.digests import action_digest, content_digest, digests_of, request_digest
from governance.errors import Code, InvalidInput
from governance.principal import AgentId, PersonId, TenantId
from tests.support.core import content, request

Change = Callable[[ActionRequest], ActionRequest]


def _with(**changes: object) -> Change:
    return lambda asked: replace(asked, **changes)


def _saying(**changes: object) -> Change:
    return lambda asked: replace(asked, content=replace(asked.content, **changes))


BOUND: dict[str, Change] = {
    "tenant": _with(tenant=TenantId("other")),
    "agent": _with(agent=AgentId("other")),
    "on_behalf_of": _with(on_behalf_of=PersonId("other")),
    "nobody": _with(on_behalf_of=None),
    "topic": _with(topic="other"),
    "tool": _with(tool="other"),
    "action": _with(action=ActionKind.READ),
    "environment": _with(environment="other"),
    "target": _with(target="other"),
    "dispatch": _with(dispatch=Dispatch.RELEASE),
    "arguments": _saying(arguments={"host": "web-2", "grace_s": 5}),
    "prompt": _saying(prompt="other"),
    "context": _saying(context={"pod": "b"}),
    "no context": _saying(context=None),
}
CLAIMED: dict[str, Change] = {
    "capability": _with(capability="other"),
    "risk_tags": _with(risk_tags=("other",)),
    "requires": _with(requires=()),
    "labels": _with(labels={"team": "other"}),
    "data_classes": _with(data_classes=("public",)),
    "ttl_s": _with(ttl_s=5),
    "justification": _saying(justification="other"),
}
NAMES: dict[str, Change] = {
    "trace_id": _with(trace_id="b" * 32),
    "idempotency_key": _with(idempotency_key="other"),
}


def test_every_field_of_a_request_is_known_to_these_tests():
    here = {*BOUND, *CLAIMED, *NAMES} - {"nobody", "no context"}
    asked = {spec.name for spec in fields(ActionRequest)} - {"content"}
    assert here == asked | {spec.name for spec in fields(Content)}


@pytest.mark.parametrize("name", BOUND)
def test_what_will_happen_and_for_whom_is_in_the_action_digest(name: str):
    changed = BOUND[name](request())
    assert action_digest(changed) != action_digest(request())
    assert request_digest(changed) != request_digest(request())


@pytest.mark.parametrize("name", CLAIMED)
def test_a_claim_is_no_part_of_the_action_but_of_the_request(name: str):
    changed = CLAIMED[name](request())
    assert action_digest(changed) == action_digest(request())
    assert request_digest(changed) != request_digest(request())


@pytest.mark.parametrize("name", NAMES)
def test_a_repeat_under_another_name_is_the_same_request(name: str):
    changed = NAMES[name](request())
    assert action_digest(changed) == action_digest(request())
    assert request_digest(changed) == request_digest(request())


def test_the_order_of_claims_and_keys_makes_no_other_request():
    one = replace(request(), risk_tags=("a", "b"), labels={"x": "1", "y": "2"})
    two = replace(request(), risk_tags=("b", "a"), labels={"y": "2", "x": "1"})
    assert request_digest(one) == request_digest(two)


def test_content_reads_back_as_it_was_written():
    arguments = parse('{"n": 12345678901234567890, "x": 1.50, "deep": [null, true, {"a": ""}]}')
    given = content(arguments=arguments)
    again = parse_content(given.to_bytes())
    assert again == given
    assert again.to_bytes() == given.to_bytes()
    assert b'"x": 1.50' in given.to_bytes()


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'{"arguments":{},"prompt":"","context":null}',
        b'{"arguments":[],"prompt":"","context":null,"justification":""}',
        b'{"arguments":{},"prompt":1,"context":null,"justification":""}',
        b'{"arguments":{},"prompt":"","context":null,"justification":null}',
    ],
)
def test_bytes_that_are_no_content_are_refused(raw: bytes):
    with pytest.raises(InvalidInput) as caught:
        parse_content(raw)
    assert caught.value.code is Code.INVALID_FIELD


def test_content_is_named_by_its_bytes():
    assert content_digest(b"a") == content_digest(b"a") != content_digest(b"b")


# What a card shows whole


def test_a_short_action_is_shown_whole():
    assert not needs_full_view(content())


@pytest.mark.parametrize("part", ["arguments", "prompt", "context"])
def test_a_long_part_needs_the_full_view(part: str):
    empty = Content()
    words = "x" * SHOWN_CHARS
    given = {"arguments": {"a": words}, "prompt": words + "x", "context": words}[part]
    assert needs_full_view(replace(empty, **{part: given}))
    short = {"arguments": {"a": "x"}, "prompt": words[:-2], "context": "x"}[part]
    assert not needs_full_view(replace(empty, **{part: short}))


def test_many_lines_need_the_full_view():
    assert not needs_full_view(Content(prompt="\n" * SHOWN_LINES))
    assert needs_full_view(Content(prompt="\n" * (SHOWN_LINES + 1)))


def test_an_invisible_character_costs_what_its_escape_takes():
    at_most = (SHOWN_CHARS - len("{}")) // 10
    assert not needs_full_view(Content(prompt="\u200b" * at_most))
    assert needs_full_view(Content(prompt="\u200b" * (at_most + 1)))


def test_a_justification_is_no_part_of_what_is_approved():
    assert not needs_full_view(Content(justification="x" * 10_000))


# One ticket, one action

BROAD = ["*", "**", "all", "ALL", " any ", "everything", "Everyone"]


@pytest.mark.parametrize("word", BROAD)
def test_a_category_word_as_target_is_refused(word: str):
    with pytest.raises(InvalidInput) as caught:
        check_one_target(request(target=word))
    assert (caught.value.code, caught.value.pointer) == (Code.TARGET_TOO_BROAD, "/target")


@pytest.mark.parametrize("key", ["target", "resource", "resources"])
def test_a_category_word_in_the_arguments_is_refused_with_its_place(key: str):
    for value, place in [
        ("*", ""),
        (["web-1", 5, "all"], "/2"),
        (("*",), "/0"),
        ({"one": "web-1", "two": [{"name": "any"}]}, "/two/0/name"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            check_one_target(request(content=content(arguments={key: value})))
        error = caught.value
        assert (error.code, error.pointer) == (Code.TARGET_TOO_BROAD, f"/arguments/{key}{place}")


def test_a_named_target_passes():
    check_one_target(request(content=content(arguments={"target": {"name": "web-1", "n": 5}})))
    check_one_target(request(target="all-hands-db"))
    check_one_target(
        request(content=content(arguments={"resources": ["a", 1, None], "target": 5, "note": "*"}))
    )


@pytest.mark.parametrize("part", ["prompt", "justification", "context", "arguments"])
def test_content_beyond_the_cap_is_refused_whatever_part_it_is_in(part: str):
    room = MAX_CONTENT_BYTES - len(Content().to_bytes())
    fits: object = "x" * (room + (2 if part == "context" else 0))
    if part == "context":
        fits = "x" * (room + len("null") - len('""'))
    if part == "arguments":
        fits = {"a": "x" * (room - len('"a": ""'))}
    check_one_target(request(content=replace(Content(), **{part: fits})))
    more = {"a": fits["a"] + "x"} if isinstance(fits, dict) else f"{fits}x"
    with pytest.raises(InvalidInput) as caught:
        check_one_target(request(content=replace(Content(), **{part: more})))
    assert caught.value.code is Code.TOO_LARGE


@pytest.mark.parametrize("char", ["\x01", "😀", '"'])
def test_whatever_passes_the_cap_can_be_read_back(char: str):
    given = Content(prompt=char * MAX_CONTENT_BYTES)
    with pytest.raises(InvalidInput):
        check_one_target(request(content=given))
    fits = Content(prompt=char * (MAX_CONTENT_BYTES // 7))
    check_one_target(request(content=fits))
    assert parse_content(fits.to_bytes()) == fits


def test_a_long_name_of_what_is_acted_on_needs_the_full_view() -> None:
    assert not needs_full_view(Content(), "x" * SHOWN_NAME_CHARS, "tool")
    assert needs_full_view(Content(), "tool", "x" * (SHOWN_NAME_CHARS + 1))


def test_a_blank_that_counts_as_printable_costs_what_its_escape_shows() -> None:
    for blank in "\u115f\u1160\u2800\u3164\uffa0":
        assert blank.isprintable()
        assert needs_full_view(Content(prompt=blank * (SHOWN_CHARS // 10 + 1)))


@pytest.mark.parametrize(
    "word",
    ["all hosts", "prod/*", "\uff0a", '"all"', "*.*", " ALL ", "everyone in sales", "(any)"],
)
def test_a_category_word_in_any_dress_is_no_target(word: str):
    with pytest.raises(InvalidInput) as refused:
        check_one_target(request(target=word))
    assert (refused.value.code, refused.value.pointer) == (Code.TARGET_TOO_BROAD, "/target")


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"targets": ["a", "*"]}, "/arguments/targets/1"),
        ({"hosts": "all"}, "/arguments/hosts"),
        ({"target": {"name": "*"}}, "/arguments/target/name"),
        ({"Resource": [["everything"]]}, "/arguments/Resource/0/0"),
    ],
)
def test_a_category_word_inside_the_arguments_is_found(arguments: dict[str, object], pointer: str):
    with pytest.raises(InvalidInput) as refused:
        check_one_target(request(content=content(arguments=arguments)))
    assert refused.value.pointer == pointer


def test_ordinary_targets_and_values_pass():
    for target in ("allspark", "web-1", "call-centre", "wall", ""):
        check_one_target(request(target=target, content=content(arguments={"note": "all good"})))


def test_marks_that_pile_up_cost_what_their_escapes_show():
    assert needs_full_view(Content(prompt="a" + "\u0301\u0302" * (SHOWN_CHARS // 20)))


_TEXTS = st.text(st.sampled_from('ab,{[]}"\\\n\x7f\u200b\u00e9 '), max_size=60)
_VALUES = st.recursive(
    st.none() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(_TEXTS, _VALUES, max_size=5),
    _TEXTS,
    _VALUES,
    st.sampled_from((0, 40, 400, SHOWN_CHARS)),
)
def test_a_glance_at_its_bytes_never_hides_what_needs_the_full_view(
    arguments: dict[str, Json], prompt: str, context: Json, more: int
):
    asked = Content(arguments=arguments, prompt=prompt + "x" * more, context=context)
    assert needs_full_view(asked, raw=asked.to_bytes()) is needs_full_view(asked)


@pytest.mark.parametrize(
    "arguments",
    [
        {"a": [[[[0]]]] * 6},
        {"a": [[[[[["x" * 1_600, *range(10)]]]]]]},
        {"a": ["x" * 100] * 17},
        {"a": {"b": "x" * (SHOWN_CHARS - 25)}},
        dict.fromkeys(map(str, range(SHOWN_LINES)), 0),
        {"a": "\x7f" * (SHOWN_CHARS // 10)},
    ],
)
def test_what_is_broken_into_many_lines_or_escapes_is_not_shown_whole(arguments: dict[str, Json]):
    long = Content(arguments=arguments)
    assert needs_full_view(long, raw=long.to_bytes())


def test_an_action_has_one_digest_however_its_content_is_written():
    told = request(content=content(arguments={"n": 1, "f": Decimal("1.0")}, context={"c": [1]}))
    same = request(content=content(arguments={"f": 1, "n": Decimal(1)}, context={"c": (1,)}))
    other = request(content=content(arguments={"n": 1, "f": Decimal("1.1")}, context={"c": [1]}))
    assert action_digest(told) == action_digest(same) != action_digest(other)
    written = request(content=content(context={"c": Decimal("1.5")}))
    assert action_digest(written) != action_digest(request(content=content(context={"c": 1})))


def test_what_is_made_of_a_request_once_is_what_it_says():
    asked = request(content=content(arguments={"a": "x" * SHOWN_CHARS}))
    made = digests_of(asked, asked.content.to_bytes())
    assert made == digests_of(asked)
    assert (made.action, made.request) == (action_digest(asked), request_digest(asked))
    assert made.needs_full_view
    assert not digests_of(request(content=Content())).needs_full_view
