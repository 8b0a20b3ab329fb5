"""What is generated is current, and nothing of the code is left out."""

import re
from typing import get_args

import pytest

from bot.api.openapi import document
from bot.settings import PREFIX, Settings
from governance.audit import Event
from governance.errors import Code
from governance.policy.forms.documented import BundleForm
from governance.tickets.lifecycle import TRANSITIONS
from tests.docs.reading import DOCS, script, text_of

generate = script("generate")


@pytest.mark.parametrize("file", sorted(generate.PARTS))
def test_generated_parts_say_what_the_code_says(file: str) -> None:
    text = (DOCS / file).read_text(encoding="utf-8")
    assert generate.renewed(file, text) == text, "run: python docs/generate.py"


def test_a_part_that_was_edited_is_noticed() -> None:
    text = text_of("docs/settings.md").replace("PLACET_TENANT", "PLACET_RENTED")
    assert generate.renewed("settings.md", text) != text


def test_a_page_without_its_marker_is_refused() -> None:
    with pytest.raises(ValueError, match="has no part settings"):
        generate.renewed("settings.md", "# Settings")


def test_every_setting_is_documented() -> None:
    text = text_of("docs/settings.md")
    missing = [name for name in Settings.model_fields if f"`{PREFIX}{name.upper()}`" not in text]
    assert not missing


def test_every_code_is_documented() -> None:
    text = text_of("docs/codes.md")
    assert not [code for code in Code if text.count(f"\n| `{code.value}` |") != 1]


def test_every_event_is_documented() -> None:
    text = text_of("docs/events.md")
    assert not [kind for kind in get_args(Event) if f"\n| `{kind.__name__}` | " not in text]


def test_every_key_of_a_bundle_is_documented() -> None:
    text = text_of("docs/policy.md")
    assert not [key for key in BundleForm.model_fields if f"\n| `{key}` |" not in text]


def test_every_route_is_documented() -> None:
    paths = document()["paths"]
    assert isinstance(paths, dict)
    text = text_of("docs/http.md")
    assert not [path for path in paths if f"{path}`" not in text]


def test_the_diagram_has_every_transition_and_no_other() -> None:
    drawn = set(re.findall(r"^    (\S+) --> (\S+)$", text_of("docs/concepts.md"), re.MULTILINE))
    wanted = {
        ("[*]" if state is None else state.value, after.value)
        for state, following in TRANSITIONS.items()
        for after in following
    } | {(state.value, "[*]") for state, after in TRANSITIONS.items() if state and not after}
    assert drawn == wanted
