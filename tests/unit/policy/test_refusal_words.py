"""What a form refuses is told in words of whoever wrote it, with the key that was meant."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from governance.policy.forms.documented import BundleForm
from governance.policy.forms.refusals import MAX_SUGGESTED, first_of, form_of, suggestion
from tests.unit.policy.asking import LIGHT, rule


@pytest.mark.parametrize(
    ("mapping", "place", "words"),
    [
        # A key that was misspelt, at every depth, required or not.
        ({"rulez": []}, ("rulez",), "not a key that is known here: rules is one"),
        ({"decision": "deny"}, ("decision",), ": it stands in rules"),
        ({"rules": [{**rule("a", "deny"), "mach": {}}]}, ("rules", 0, "mach"), "match is one"),
        ({"rules": [{**rule("a", "deny"), "topics": []}]}, ("rules", 0, "topics"), "in match"),
        (
            {"rules": [rule("a", "deny", label_threshold={"x": {"mor_than": 1}})]},
            ("rules", 0, "match", "label_threshold", "x", "mor_than"),
            "more_than is one",
        ),
        (
            {"rules": [rule("a", "deny", after=[{"withn": "1h"}])]},
            ("rules", 0, "match", "after", 0, "withn"),
            "within is one",
        ),
        (
            {"rules": [rule("a", "deny", times=[{"form": "09:00", "zone": "UTC"}])]},
            ("rules", 0, "match", "times", 0, "form"),
            "from is one",
        ),
        (
            {"tiers": {"t": {"roles": {"o": {"wieght": 1}}}}},
            ("tiers", "t", "roles", "o", "wieght"),
            "weight is one",
        ),
        ({"policy_engine": {"enviroment_gates": {}}}, None, "environment_gates is one"),
        ({"zz": 1}, ("zz",), "known here"),
        # What is meant is told without the words of this language.
        ({"name": 50}, ("name",), "quotes"),
        ({"name": "a b"}, ("name",), "a name: a letter or digit"),
        ({"tools": {"a b": {}}}, ("tools", "a b"), "'a b': it should be a name"),
        ({"tiers": {"t": {**LIGHT, "ttl": "5"}}}, ("tiers", "t", "ttl"), "a duration such as"),
        (
            {"directory": {"roles": {"o": {"people": ["slack:T0/U0A", "me"]}}}},
            ("directory", "roles", "o", "people", 1),
            "item 2 of 'people': it should be a person",
        ),
        (
            {"rules": [rule("a", "deny", label_threshold={"x": {"more_than": "y"}})]},
            ("rules", 0, "match", "label_threshold", "x", "more_than"),
            "'more_than': it should be a number",
        ),
        (
            {"rules": [rule("a", "deny", times=[{"from": "9", "zone": "UTC"}])]},
            ("rules", 0, "match", "times", 0, "from"),
            "a time of day such as 09:00",
        ),
        ({"rules": {}}, ("rules",), "a valid list: in [ ]"),
        ({"limits": []}, ("limits",), "a mapping of keys"),
        ({"limits": {"max_pending": 0}}, ("limits", "max_pending"), "greater than or equal to 1"),
        ({"rules": [{"decision": "deny"}]}, ("rules", 0, "id"), "'id' is missing"),
        ([], (), "'the whole': it should be a mapping of keys"),
    ],
)
def test_the_sentence_names_the_place_and_what_to_write(
    mapping: Any, place: tuple[int | str, ...] | None, words: str
):
    with pytest.raises(ValidationError) as caught:
        BundleForm.model_validate(mapping)
    at, sentence = first_of(caught.value, BundleForm, mapping)
    assert at == place or place is None
    assert words in sentence
    assert "Form" not in sentence
    assert "dictionary" not in sentence


def test_nothing_is_suggested_for_what_nobody_could_have_meant():
    assert suggestion(BundleForm, ("tiers", "t", 0)) == ""
    assert suggestion(BundleForm, ("r" * MAX_SUGGESTED + "s",)) == ""
    assert suggestion(BundleForm, ("nowhere", "rules")) == ""


def _patterns(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for item in schema.values():
            yield from _patterns(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from _patterns(item)


def test_no_author_is_told_a_pattern():
    patterns = set(_patterns(BundleForm.model_json_schema()))
    assert len(patterns) > 5
    assert [one for one in patterns if one in form_of(one)] == []
    assert "^x$" in form_of("^x$")
