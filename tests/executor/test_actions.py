"""Typed actions: strict loading, arguments that stay arguments, the very bytes, and real runs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.executor.actions import ActionError, ActionRegistry, Builtin, Command
from bot.executor.sandbox import MIB, SandboxSpec
from bot.executor.tools import Python
from tests.executor.conftest import Proven

PYTHON = Python(program="/usr/bin/python3")

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"key": {"type": "string"}, "value": {"type": ["string", "number", "boolean"]}},
    "required": ["key", "value"],
    "additionalProperties": False,
}
SET_SETTING: dict[str, object] = {
    "title": "Change one setting",
    "description": "Writes one key of the site's settings.",
    "arguments": SCHEMA,
    "fixed": {"path": "settings.ini", "section": "site"},
    "runner": {"builtin": "file.write"},
    "writable": ["site"],
    "limits": {"cpu": 0.5, "memory_bytes": "64Mi", "wall_s": 10},
    "output_schema": {
        "type": "object",
        "properties": {"changed": {"type": "boolean"}},
        "required": ["changed", "before", "after"],
    },
    "idempotent": True,
    "inverse": "site.set",
}
ECHO: dict[str, object] = {
    "title": "Echo",
    "arguments": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "more": {}, "n": {"type": "integer"}},
        "additionalProperties": False,
    },
    "runner": {"argv": ["/usr/bin/printf", "%s|", "{text}", "--more={more?}", "{n?}"]},
}


def load(**changes: object) -> ActionRegistry:
    return ActionRegistry.load({"site.set": {**SET_SETTING, **changes}}, {"site": Path("/srv")})


def echo(**changes: object) -> ActionRegistry:
    return ActionRegistry.load({"echo": {**ECHO, **changes}}, {})


def plan(registry: ActionRegistry, name: str, arguments: object) -> SandboxSpec:
    return registry.plan(name, json.dumps(arguments).encode(), python=PYTHON)


@contextmanager
def refusal(code: str) -> Iterator[None]:
    with pytest.raises(ActionError) as caught:
        yield
    assert caught.value.code == code


def test_an_action_is_read_with_its_limits_runner_and_folders():
    spec = load().get("site.set")
    assert spec.runner == Builtin(name="file.write")
    assert spec.limits.memory_bytes == 64 * MIB
    assert spec.writable == ("site",)
    assert spec.idempotent
    assert spec.inverse == "site.set"
    assert isinstance(echo().get("echo").runner, Command)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"shell": True}, "/site.set/shell"),
        ({"title": ""}, "/site.set/title"),
        ({"title": 3}, "/site.set/title"),
        ({"arguments": {"type": "object"}}, "/site.set/arguments"),
        ({"arguments": {"type": "array"}}, "/site.set/arguments"),
        ({"arguments": {**SCHEMA, "properties": {"a-b": {}}}}, "/site.set/arguments/properties"),
        ({"arguments": {**SCHEMA, "required": "x"}}, "/site.set/arguments"),
        ({"output_schema": {"type": "nonsense"}}, "/site.set/output_schema"),
        ({"runner": {"builtin": "http.get"}}, "/site.set/runner/builtin"),
        ({"runner": {"builtin": "file.write", "argv": ["/bin/true"]}}, "/site.set/runner"),
        ({"runner": {"argv": ["true"]}}, "/site.set/runner/argv/0"),
        ({"runner": {"argv": ["/data/site/own"]}}, "/site.set/runner/argv/0"),
        ({"runner": {"argv": ["/bin/../data/x"]}}, "/site.set/runner/argv/0"),
        ({"runner": {"argv": ["{key}"]}}, "/site.set/runner/argv/0"),
        ({"runner": {"argv": ["/bin/echo", "a{key}"]}}, "/site.set/runner/argv/1"),
        ({"runner": {"argv": ["/bin/echo", "{other}"]}}, "/site.set/runner/argv/1"),
        ({"runner": {"argv": "/bin/echo"}}, "/site.set/runner/argv"),
        ({"fixed": {"key": "x"}}, "/site.set/fixed/key"),
        ({"fixed": {"path": ["x"]}}, "/site.set/fixed/path"),
        ({"writable": []}, "/site.set/runner"),
        ({"writable": ["site"], "readable": ["site"]}, "/site.set/writable"),
        ({"writable": ["elsewhere"]}, "/site.set"),
        ({"limits": {"network": 1}}, "/site.set/limits/network"),
        ({"limits": {"memory_bytes": "lots"}}, "/site.set/limits/memory_bytes"),
        ({"limits": {"cpu": 0}}, "/site.set/limits"),
        ({"limits": {"cpu": True}}, "/site.set/limits/cpu"),
        ({"idempotent": "yes"}, "/site.set/idempotent"),
        ({"inverse": "nowhere"}, "/site.set/inverse"),
    ],
)
def test_a_mapping_that_is_not_strictly_right_is_refused_at_its_place(
    changes: dict[str, object], pointer: str
):
    with pytest.raises(ActionError) as caught:
        load(**changes)
    assert caught.value.pointer == pointer
    assert caught.value.code.startswith("action_")


@pytest.mark.parametrize("missing", ["title", "arguments", "runner"])
def test_a_required_key_that_is_missing_is_named(missing: str):
    mapping = {key: value for key, value in SET_SETTING.items() if key != missing}
    with pytest.raises(ActionError, match=f"missing {missing}"):
        ActionRegistry.load({"site.set": mapping}, {"site": Path("/srv")})


@pytest.mark.parametrize("name", ["", "Site", "a b", "../x", "a..b"])
def test_an_actions_name_is_plain(name: str):
    with refusal("action_invalid"):
        ActionRegistry.load({name: SET_SETTING}, {"site": Path("/srv")})


def test_an_unknown_action_is_an_error():
    with refusal("action_unknown"):
        load().plan("site.drop", b"{}", python=PYTHON)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"null", b"{", b'{"key": "a"}', b'{"key": "a", "value": NaN}', b"\xff"),
        *(b'{"key": "a", "key": "b", "value": 1}', b'{"key": "a", "value": 1, "x": 2}'),
        *(b'{"key": 1, "value": 1}', b'{"key": "a", "value": [1]}', b'{"value": ' + b"[" * 9999),
        b'{"key": "a", "value": "b", "path": "elsewhere.ini"}',
    ],
)
def test_arguments_that_are_not_strict_json_of_the_schema_are_refused(content: bytes):
    with refusal("action_arguments_invalid"):
        load().plan("site.set", content, python=PYTHON)


def test_a_refusal_shows_the_place_and_never_the_value():
    with pytest.raises(ActionError) as caught:
        plan(load(), "site.set", {"key": {"hunter2": 1}, "value": 1})
    assert caught.value.pointer == "/key"
    assert "hunter2" not in str(caught.value)


def test_too_many_bytes_of_arguments_are_refused():
    with refusal("action_arguments_too_large"):
        load().plan("site.set", b" " * 300_000, python=PYTHON)


def test_the_program_reads_the_very_bytes_that_were_given():
    content = b'{ "value": 1.10,\n  "key": "a" }'
    spec = load().plan("site.set", content, python=PYTHON, trace_id="abc")
    inputs = {item.name: item.content for item in spec.inputs}
    assert inputs["arguments.json"] == content
    assert json.loads(inputs["fixed.json"]) == {"path": "settings.ini", "section": "site"}
    assert spec.env == {"PLACET_TRACE_ID": "abc"}
    assert [folder.target for folder in spec.writable] == ["/data/site"]


@given(st.text().filter(lambda text: "\0" not in text))
def test_an_argument_is_one_item_or_refused_whatever_it_holds(text: str):
    registry = echo()
    try:
        argv = plan(registry, "echo", {"text": text}).argv
    except ActionError:
        assert not text or text.startswith("-") or len(text) > 8000 or not text.isprintable()
    else:
        assert argv == ("/usr/bin/printf", "%s|", text)


@pytest.mark.parametrize("text", ["-rf", "--", "-", "", "a\0b", "x" * 9000])
def test_a_value_that_could_be_an_option_is_refused(text: str):
    with refusal("action_arguments_invalid"):
        plan(echo(), "echo", {"text": text})


def test_after_a_double_dash_or_an_equals_sign_a_dash_is_harmless():
    argv = plan(echo(), "echo", {"text": "t", "more": "-x", "n": 5}).argv
    assert argv[2:] == ("t", "--more=-x", "5")
    registry = echo(runner={"argv": ["/bin/echo", "--", "{text}"]})
    assert plan(registry, "echo", {"text": "-n"}).argv == ("/bin/echo", "--", "-n")


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_only_single_values_become_items(value: object):
    with refusal("action_arguments_invalid"):
        plan(echo(), "echo", {"text": "t", "more": value})


def test_an_argument_the_command_needs_is_not_left_out():
    with refusal("action_arguments_invalid"):
        plan(echo(), "echo", {})
    assert plan(echo(), "echo", {"text": "t", "more": True}).argv[3] == "--more=true"


def test_an_answer_is_checked_against_its_schema_without_showing_it():
    registry = load()
    good = b'{"changed": true, "before": null, "after": "x"}'
    assert registry.output("site.set", good) == json.loads(good)
    for bad in (b"", b"secret-word", b'{"changed": "secret-word"}', good + b"secret-word"):
        with pytest.raises(ActionError) as caught:
            registry.output("site.set", bad)
        assert caught.value.code == "action_output_invalid"
        assert "secret-word" not in str(caught.value)
    assert echo().output("echo", b"plain \xff") == "plain \ufffd"


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """A loopback server that remembers who asked."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1], paths
        server.shutdown()
        thread.join()


def test_a_schema_never_fetches_anything(asked: tuple[int, list[str]], tmp_path: Path):
    port, paths = asked
    (tmp_path / "s.json").write_text("{}")
    for reference in (f"http://127.0.0.1:{port}/s.json", f"file://{tmp_path}/s.json"):
        with refusal("action_schema_invalid"):
            load(arguments={**SCHEMA, "properties": {"key": {"$ref": reference}}})
        with refusal("action_schema_invalid"):
            load(output_schema={"$ref": reference})
    assert paths == []


def test_a_pattern_of_a_schema_is_linear():
    with refusal("action_schema_invalid"):
        load(arguments={**SCHEMA, "properties": {"key": {"pattern": r"(a)\1"}}})
    registry = load(
        arguments={**SCHEMA, "properties": {"key": {"pattern": "^(a+)+$"}, "value": {}}}
    )
    with refusal("action_arguments_invalid"):
        plan(registry, "site.set", {"key": "a" * 50_000 + "!", "value": 1})


# -- real runs ------------------------------------------------------------------------------
@pytest.mark.sandbox
async def test_a_setting_is_changed_once_and_read_back(proven: Proven, site: Path):
    reading = {
        "title": "Read",
        "arguments": {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "additionalProperties": False,
        },
        "runner": {"builtin": "file.read"},
        "readable": ["site"],
    }
    registry = ActionRegistry.load(
        {
            "site.set": {**SET_SETTING, "fixed": {"path": "settings.ini", "create": True}},
            "site.read": reading,
            "site.report": {**reading, "runner": {"builtin": "text.report"}},
        },
        {"site": site},
    )

    async def run(name: str, arguments: object) -> tuple[int, str]:
        content = json.dumps(arguments).encode()
        spec = registry.plan(name, content, python=proven.launcher.tools.python)
        result = await proven.run(spec)
        return result.exit_code, (result.stdout or result.stderr).decode()

    code, answer = await run("site.set", {"key": "color", "value": "blue"})
    assert (code, json.loads(answer)) == (0, {"changed": True, "before": None, "after": "blue"})
    code, answer = await run("site.set", {"key": "color", "value": "blue"})
    assert not json.loads(answer)["changed"]
    code, answer = await run("site.set", {"key": "color", "value": "red"})
    assert registry.output("site.set", answer.encode()) == {
        "changed": True,
        "before": "blue",
        "after": "red",
    }
    code, answer = await run("site.read", {"path": "settings.ini"})
    assert json.loads(answer)["text"] == "color = red\n"
    code, answer = await run("site.report", {"path": "settings.ini"})
    assert json.loads(answer)["words"] == 3
    for path in ("../x", "/etc/passwd", "absent", "."):
        code, answer = await run("site.read", {"path": path})
        assert code == 3
        assert answer.startswith("refused: ")


@pytest.mark.sandbox
async def test_shell_signs_in_an_argument_reach_the_program_as_they_are(minus: Proven):
    text = "$(id); `id` | & > /tmp/x \n 'q' \"d\" * \\"
    result = await minus.run(plan(echo(), "echo", {"text": text}))
    assert result.stdout.decode() == text + "|"
