"""The examples of docs/policy.md load, and its tutorial does what it says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest
import yaml
from typer.testing import CliRunner, Result

from bot.bundles import load_bundle
from bot.cli.main import app
from bot.policy_cases import folder_of, read_cases
from bot.settings import PREFIX, Settings
from governance.errors import InvalidInput
from governance.policy.cases import coverage, run
from governance.policy.lint.linter import lint
from governance.tickets.quorum import is_reachable
from tests.docs.reading import DOCS, fences, text_of

_FILE = re.compile(r"```yaml\n# (policies/\S+)\n(.*?)```", re.DOTALL)
_SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_TIER = {"roles": {"reviewer": {"weight": 1, "min_required": 2}}}
_AROUND = {
    "tiers": dict.fromkeys(("careful", "deploys", "incident"), _TIER),
    "constraints": [
        {"id": "change-freeze", "description": "No changes", "violationAction": "BLOCK"}
    ],
}
"""What examples of one section take for granted."""

Placet = Callable[[str], Result]


def _tutorial() -> str:
    return text_of("docs/policy.md").split("\n## A rule in ten minutes\n")[1].split("\n## ")[0]


def _write(folder: Path) -> Path:
    """The files of the tutorial as its reader would write them."""
    written = _FILE.findall(_tutorial())
    assert [name for name, _ in written] == ["policies/bundle.yaml", "policies/cases/deploys.yaml"]
    for name, text in written:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder / "policies"


def _commands() -> list[str]:
    """What the tutorial tells its reader to type, continued lines joined."""
    lines = "\n".join(_SHELL.findall(_tutorial())).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].removeprefix("placet ") for line in lines if line]


@pytest.fixture
def placet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Placet:
    """Runs the command beside the tutorial's files, with no settings but a ledger's place."""
    _write(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.setenv(f"{PREFIX}DATABASE", f"sqlite:///{tmp_path}/ledger/placet.db")
    return lambda line: CliRunner().invoke(app, line.split(), input="y\n")


def test_the_tutorials_bundle_loads_and_answers_as_its_cases_say(tmp_path: Path) -> None:
    policies = _write(tmp_path)
    bundle = load_bundle(policies)
    outcomes = [run(item.case, bundle) for item in read_cases(folder_of(policies), bundle)]
    assert len(outcomes) == 3
    assert [outcome.differences for outcome in outcomes if not outcome.passed] == []
    assert coverage(outcomes, bundle).unreached == ()
    report = lint(bundle, reaches=lambda tier, people: is_reachable(tier, (), people))
    assert report.findings == ()


def test_the_tutorials_commands_lead_from_a_folder_to_the_active_bundle(placet: Placet) -> None:
    commands = _commands()
    names = [" ".join(line.split()[:2]) for line in commands]
    assert names == [
        "check --policies",
        "policy test",
        "policy lint",
        "policy explain",
        "policy activate",
    ]
    answers = [placet(line) for line in commands]
    assert [answer.exit_code for answer in answers] == [0] * len(commands)
    assert "REQUIRE_APPROVAL" in answers[3].stdout
    assert '"is_active": true' in placet("policy show --policies policies --json").stdout


@pytest.mark.parametrize(
    ("before", "after", "failed"),
    [
        ("agents: [deployer]", "agents: [deployer, somebody-else]", 1),
        ("threshold: 4", "threshold: 6", 1),
        ("decision: require_approval", "decision: deny", 2),
    ],
)
def test_the_tutorials_cases_fail_where_its_rule_is_another(
    placet: Placet, tmp_path: Path, before: str, after: str, failed: int
) -> None:
    file = tmp_path / "policies" / "bundle.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, after), encoding="utf-8")
    told = placet("policy test --policies policies --json")
    assert (told.exit_code, json.loads(told.stdout)["failed"]) == (1, failed)


def test_every_example_of_the_policy_page_loads(tmp_path: Path) -> None:
    examples = [text for text in fences(DOCS / "policy.md", "yaml") if "# policies/" not in text]
    assert len(examples) > 8
    for number, text in enumerate(examples):
        keys = set(yaml.safe_load(text))
        whole = text
        if keys == {"match"}:
            whole = f"rules:\n- id: example\n  decision: deny\n{indent(text, '  ')}"
        around = {key: value for key, value in _AROUND.items() if key not in keys}
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in around.items())
        file = tmp_path / f"{number}.yaml"
        file.write_text(whole + lines, encoding="utf-8")
        try:
            load_bundle(file)
        except InvalidInput as error:
            pytest.fail(f"{error}\n{text}")


def test_every_form_that_a_table_of_keys_refers_to_has_its_own_table() -> None:
    text = text_of("docs/policy.md")
    named = set(re.findall(r"\bsee ([a-z ]+?) \|", text))
    titles = {title.lower() for title in re.findall(r"^### (.+)$", text, re.MULTILINE)}
    assert {"threshold", "match", "level role"} <= named
    assert named - titles == set()
