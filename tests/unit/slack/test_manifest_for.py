"""The manifest for an address and a mode is the shipped one with just these changed."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.cli.checks.manifest import SCOPES
from bot.manifest import PLACEHOLDER, for_address, manifest, request_url, to_yaml
from governance.errors import InvalidInput

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads(
    (ROOT / "tests/fixtures/slack/schemas_manifest.schema.1.0.0.json").read_text(encoding="utf-8")
)


def _addresses(made: dict[str, Any]) -> set[str]:
    return {word for word in json.dumps(made).replace('"', " ").split() if "://" in word}


def test_manifest_yml_is_what_is_printed_for_its_placeholder() -> None:
    printed = yaml.safe_load(to_yaml(for_address(PLACEHOLDER, is_socket=False)))
    assert printed == manifest() == yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    assert for_address("", is_socket=False) == manifest()


@pytest.mark.parametrize(
    "url",
    [
        "https://approve.example.org",
        "https://approve.example.org/",
        "https://approve.example.org/slack/events",
        " https://approve.example.org ",
    ],
)
def test_every_address_in_it_becomes_ones_own(url: str) -> None:
    made = for_address(url, is_socket=False)
    assert _addresses(made) == {"https://approve.example.org/slack/events"}
    jsonschema.validate(made, SCHEMA)


def test_for_a_socket_it_has_no_address_and_says_so() -> None:
    made = for_address("", is_socket=True)
    assert _addresses(made) == set()
    assert made["settings"]["socket_mode_enabled"] is True
    jsonschema.validate(made, SCHEMA)


@pytest.mark.parametrize(
    "url", ["http://approve.example.org", "approve.example.org", "https://", "https://[", "ftp://x"]
)
def test_an_address_that_slack_would_not_call_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        for_address(url, is_socket=False)
    assert (refusal.value.code, refusal.value.pointer) == ("invalid_field", "/url")


def test_making_one_leaves_the_shipped_one_as_it_is() -> None:
    before = manifest()
    for_address("https://x.example", is_socket=True)
    assert manifest() == before


def test_ones_own_copy_says_where_slack_calls(tmp_path: Path) -> None:
    own = tmp_path / "m.yml"
    own.write_text(to_yaml(for_address("https://x.example", is_socket=False)), encoding="utf-8")
    assert request_url(own) == "https://x.example/slack/events"
    own.write_text(to_yaml(for_address("", is_socket=False)), encoding="utf-8")
    assert request_url(own) == ""
    own.write_text(to_yaml(for_address("", is_socket=True)), encoding="utf-8")
    assert request_url(own) == ""
    with pytest.raises(InvalidInput):
        request_url(tmp_path / "none.yml")


def test_the_scopes_that_are_checked_are_those_that_it_asks_for() -> None:
    assert set(manifest()["oauth_config"]["scopes"]["bot"]) == SCOPES
