"""The first rule of docs/policy.md is a bundle that loads, and its cases hold."""

import re
from pathlib import Path

from bot.bundles import load_bundle
from bot.policy_cases import folder_of, read_cases
from governance.policy.cases import coverage, run
from governance.policy.lint import lint
from governance.tickets.quorum import is_reachable
from tests.docs.reading import text_of

_FILE = re.compile(r"```yaml\n# (policies/\S+)\n(.*?)```", re.DOTALL)


def test_the_tutorials_bundle_loads_and_answers_as_its_cases_say(tmp_path: Path) -> None:
    written = _FILE.findall(text_of("docs/policy.md"))
    assert [name for name, _ in written] == ["policies/bundle.yaml", "policies/cases/deploys.yaml"]
    for name, text in written:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    policies = tmp_path / "policies"
    bundle = load_bundle(policies)
    outcomes = [run(item.case, bundle) for item in read_cases(folder_of(policies), bundle)]
    assert len(outcomes) == 3
    assert [outcome.differences for outcome in outcomes if not outcome.passed] == []
    assert coverage(outcomes, bundle).unreached == ()
    report = lint(bundle, reaches=lambda tier, people: is_reachable(tier, (), people))
    assert report.findings == ()
