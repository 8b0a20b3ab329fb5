"""How a tool is shown: what a bundle may write, and the items of a registered command."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.executor.actions import ActionError, ActionRegistry
from bot.executor.tools import Python
from governance.canonical import Json, parse
from governance.errors import Code, InvalidInput
from governance.json_text import to_text
from governance.policy.bundle import load
from governance.policy.shows import ShownAs, Shows, command_items, filled_in, item_text

ARGUMENTS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: {} for name in ("path", "old", "new", "rows", "branch", "quiet")},
}
ARGV = ["/usr/bin/git", "push", "--quiet={quiet?}", "--", "{path}", "{branch?}"]
RUN = {"title": "Push a branch", "arguments": ARGUMENTS, "runner": {"argv": ARGV}}


def shows_of(shows: dict[str, Json] | None = None, **changes: Any) -> Shows:
    tool = {"actions": ["write"], "classification": "internal", **changes}
    if shows is not None:
        tool["shows"] = shows
    bundle = load({"version": "v1", "tools": {"t": tool}})
    found = bundle.tools.get("t")
    assert found is not None
    return found.shows


def test_a_tool_without_the_key_is_shown_as_fields() -> None:
    assert shows_of() == Shows()
    assert shows_of({"form": "fields"}).form is ShownAs.FIELDS


def test_a_registered_command_is_shown_as_the_command_that_runs() -> None:
    shows = shows_of(run=RUN)
    assert (shows.form, shows.argv, shows.title) == (ShownAs.COMMAND, tuple(ARGV), "Push a branch")
    assert shows.needs_plan
    builtin = shows_of(run={**RUN, "runner": {"builtin": "file.write"}, "title": 7})
    assert (builtin.form, builtin.title, builtin.needs_plan) == (ShownAs.FIELDS, "", False)
    assert shows_of(run={"runner": {"argv": "x"}}).form is ShownAs.FIELDS
    assert shows_of(run={"runner": "x"}).form is ShownAs.FIELDS


def test_what_the_bundle_writes_replaces_the_registered_commands_own_form() -> None:
    shows = shows_of({"form": "diff", "before": "old", "after": "new"}, run=RUN)
    assert (shows.form, shows.named, shows.argv) == (ShownAs.DIFF, ("old", "new"), ())
    again = shows_of({"form": "command"}, run={**RUN, "fixed": {"depth": 1}})
    assert (again.argv, again.fixed) == (tuple(ARGV), (("depth", 1),))
    named = shows_of({"form": "command", "argument": "path"}, run=RUN)
    assert (named.argv, named.argument, named.title) == ((), "path", "Push a branch")


@pytest.mark.parametrize(
    ("shows", "said"),
    [
        ({"form": "fields", "argument": "path"}, "fields takes no argument"),
        ({"form": "table"}, "a table needs the argument"),
        ({"form": "table", "argument": "rows", "after": "new"}, "table takes no after"),
        ({"form": "command", "argument": "path", "before": "old"}, "command takes no before"),
        ({"form": "command"}, "a command needs the argument"),
        ({"form": "diff"}, "a diff needs either after"),
        ({"form": "diff", "before": "old"}, "a diff needs either after"),
        ({"form": "diff", "argument": "path", "after": "new"}, "a diff needs either after"),
        ({"form": "diff", "argument": "path", "before": "old"}, "takes no before"),
        ({"form": "diff", "after": "newer"}, "the tool's arguments have no newer"),
        ({"form": "table", "argument": "row"}, "the tool's arguments have no row"),
    ],
)
def test_a_form_that_could_show_nothing_is_refused(shows: dict[str, Json], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        shows_of(shows, arguments=ARGUMENTS)
    assert (refused.value.code, refused.value.pointer) == (Code.INVALID_BUNDLE, "/tools/t/shows")


def test_a_form_is_taken_at_its_word_where_no_schema_names_the_arguments() -> None:
    assert shows_of({"form": "diff", "after": "text"}).after == "text"
    assert shows_of({"form": "table", "argument": "r"}, arguments={"type": "object"}).argument
    assert shows_of({"form": "table", "argument": "rows"}, run=RUN).argument == "rows"


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        shows_of({"form": "picture"})
    assert refused.value.pointer == "/tools/t/shows/form"


def test_a_command_is_filled_in_item_by_item() -> None:
    shows = shows_of(run=RUN)
    assert command_items(shows, {"path": "a b", "quiet": True}) == (
        "/usr/bin/git",
        "push",
        "--quiet=true",
        "--",
        "a b",
    )
    assert command_items(shows, {}) is None
    assert command_items(shows, {"path": ["x"]}) is None
    assert filled_in(shows) == {"path", "branch", "quiet"}
    fixed = shows_of(run={**RUN, "fixed": {"remote": "origin"}})
    assert command_items(fixed, {"path": "x", "remote": "evil"}) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (7, "7"), (Decimal("1.50"), "1.50"), ("x y", "x y"),
     (None, None), ([1], None), ({"a": 1}, None)],
)  # fmt: skip
def test_only_a_single_value_is_an_item(value: Json, text: str | None) -> None:
    assert item_text(value) == text


_VALUE = st.one_of(
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000),
    st.text(max_size=12),
    st.sampled_from(["-x", "", "--", "a\u202eb", "$(x)", "a\nb", None]),
)


@given(st.dictionaries(st.sampled_from(["path", "branch", "quiet"]), _VALUE))
def test_what_is_shown_is_what_the_executor_would_run(arguments: dict[str, Json]) -> None:
    raw = to_text(arguments).encode("utf-8", "surrogatepass")
    try:
        content = parse(raw)
    except InvalidInput:
        return  # no ticket holds it
    assert isinstance(content, dict)
    registry = ActionRegistry.load({"t": RUN}, {})
    try:
        plan = registry.plan("t", raw, python=Python(program="/usr/bin/python3"))
    except ActionError:
        return  # nothing runs
    assert command_items(shows_of(run=RUN), content) == plan.argv
