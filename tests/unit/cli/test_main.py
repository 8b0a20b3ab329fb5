"""The tree of commands as a whole: help, examples, speed, exit codes, reference."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.cli import reference
from bot.cli.main import app
from bot.replies import Exit
from tests.unit.cli.conftest import Placet

COMMANDS = dict(reference.commands(app))
LEAVES = {words: item for words, item in COMMANDS.items() if not hasattr(item, "commands")}
ONLY_JSON = {("openapi",)}
HEAVY = ("sqlalchemy", "aiohttp", "slack_bolt", "slack_sdk", "pydantic", "yaml", "alembic", "cel")
REFERENCE = Path(__file__).parents[3] / "docs" / "commands.md"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_shows_an_example(
    words: tuple[str, ...], placet: Placet
) -> None:
    shown = placet(*words, "--help")
    assert shown.code == Exit.OK
    assert COMMANDS[words].help
    assert reference.examples(COMMANDS[words])
    assert "Example: " in shown.out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_can_be_typed_as_it_stands(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("log.jsonl", "published.txt", "keys.json", "receipt.json", "witness.vkey"):
        (tmp_path / name).touch()
    for example in reference.examples(COMMANDS[words]):
        typed = shlex.split(example.partition(" > ")[0])
        arguments = typed[typed.index("placet") + 1 :]
        assert tuple(arguments[: len(words)]) == words
        target, rest = _leaf(arguments)
        if "--help" not in rest:
            target.make_context("placet", rest).close()


def _leaf(arguments: list[str]) -> tuple[Any, list[str]]:
    for count in range(len(arguments), -1, -1):
        if (target := COMMANDS.get(tuple(arguments[:count]))) is not None:
            return target, arguments[count:]
    raise AssertionError(arguments)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_can_answer_in_json(words: tuple[str, ...]) -> None:
    names = {option for item in LEAVES[words].params for option in item.opts}
    assert "--json" in names or words in ONLY_JSON


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom bot.cli.main import app\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"sys.exit(' '.join(sorted({{*{HEAVY}}} & {{*sys.modules}})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stderr.strip() == ""


def test_the_reference_says_what_the_help_says() -> None:
    found = REFERENCE.read_text(encoding="utf-8")
    assert found == reference.document(app), "python -m bot.cli.reference > docs/commands.md"


def test_every_exit_code_is_in_the_reference() -> None:
    assert set(reference.EXITS) == set(Exit)


def test_what_is_not_a_command_is_a_usage_error(placet: Placet) -> None:
    assert placet("approve").code == Exit.USAGE
    assert placet("token", "create", "--nonsense").code == Exit.USAGE


def test_version_and_interface_need_no_settings(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_PORT", "not a port")
    assert placet("version").out.startswith("placet ")
    assert set(placet("version", "--json").json) == {"placet", "python"}
    assert placet("openapi").json["openapi"].startswith("3.")
