"""What the pages say exists, exists."""

import re
from pathlib import Path

import pytest
import yaml

from bot.api.openapi import document
from bot.bundles import load_bundle
from bot.cli.main import app
from bot.cli.reference import commands
from bot.executor.action_parsing import parse_action
from bot.settings import PREFIX, Settings
from bot.slack.commands.commands import _USAGE
from governance.policy.bundle import load
from governance.policy.decision import Effect
from tests.docs.reading import (
    DOCS,
    ROOT,
    anchors,
    curls,
    fences,
    links,
    ours,
    pages,
    script,
    shell_lines,
    spans,
    text_of,
)

IDS = [str(page.relative_to(ROOT)) for page in pages()]
_FOREIGN = (f"/{'root'}/", "/home/", "file://")
_OTHER_ROUTES = {"/slack/events", "/api/v1/openapi.json"}
_MAX_PICTURE_BYTES = 200_000
_NO_SETTING = {"PLACET_REQUIRE_ALL"}


@pytest.mark.parametrize("page", pages(), ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", pages(), ids=IDS)
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not [word for word in _FOREIGN if word in text]


def test_every_page_is_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        found = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        waiting += [item for item in found if item.suffix == ".md" and item.exists()]
    assert not [page.name for page in ours() if page not in seen]


@pytest.mark.parametrize("page", pages(), ids=IDS)
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    roots = ("bot/", "governance/", "storage/", "policies/", "tests/", "docs/", "bench/")
    named = [span for span in spans(page) if span.startswith(roots) and "*" not in span]
    missing = [
        name for name in named if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()
    ]
    assert not missing


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^(\w+):", text_of("Makefile"), re.MULTILINE))
    for page in pages():
        said = {line.split()[1] for line in shell_lines(page) if line.startswith("make ")} | {
            span.split()[1] for span in spans(page) if span.startswith("make ")
        }
        assert said <= targets, page.name


def _known_commands() -> dict[tuple[str, ...], set[str]]:
    return {
        words: {
            option
            for item in command.params
            for option in (*item.opts, *item.secondary_opts)
            if option.startswith("-")
        }
        for words, command in commands(app)
    }


def test_every_placet_command_and_option_that_is_named_exists() -> None:
    known = _known_commands()
    wrong = []
    for page in pages():
        said = [*shell_lines(page), *(s for s in spans(page) if s.startswith("placet "))]
        for line in said:
            match = re.search(r"(?:^|[\s/])placet\s+([^|>&]*)", line)
            if match is None:
                continue
            words = match.group(1).split()
            depth = max((n for n in range(len(words) + 1) if tuple(words[:n]) in known), default=0)
            options = {word.partition("=")[0] for word in words[depth:] if word.startswith("--")}
            if not depth or not options <= known[tuple(words[:depth])] | {"--help"}:
                wrong.append(f"{page.name}: {line}")
    assert not wrong


def test_every_curl_uses_a_route_that_is_served() -> None:
    paths = document()["paths"]
    assert isinstance(paths, dict)
    seen = 0
    for page in pages():
        for method, path in curls(page):
            operations = paths.get(path, {})
            assert isinstance(operations, dict)
            assert method.lower() in operations, f"{page.name}: {method} {path}"
            seen += 1
    assert seen > 10


def test_every_path_that_is_named_is_served() -> None:
    paths = document()["paths"]
    assert isinstance(paths, dict)
    known = set(paths) | _OTHER_ROUTES
    for page in ours():
        said = {
            match.group(1)
            for span in spans(page)
            if (match := re.match(r"(?:[A-Z]+ )?(/(?:api/v1|webhooks|slack)/[^\s?]+)$", span))
        }
        assert said <= known, page.name


def test_every_setting_that_is_named_exists() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | _NO_SETTING
    for page in pages():
        said = set(re.findall(r"PLACET_[A-Z][A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
        assert said <= known, page.name


def test_every_slash_command_that_is_named_exists() -> None:
    known = {word.split()[0] for word, _ in _USAGE}
    for page in pages():
        said = {span.split()[1] for span in spans(page) if span.startswith("/placet ")}
        assert said <= known, page.name


def test_the_readme_and_the_makefile_install_alike() -> None:
    readme = text_of("README.md")
    for line in ("make demo", "make test", "placet demo --script"):
        assert line in readme
    assert "--constraint constraints.txt --editable ." in readme
    assert "'.[dev]'" in text_of("Makefile")


def test_the_figures_have_their_place() -> None:
    text = text_of("README.md")
    assert text.index("<!-- figures:begin -->") < text.index("<!-- figures:end -->")


def test_the_bundle_of_the_policy_page_loads_and_says_what_was_wished(tmp_path: Path) -> None:
    found = [text for text in fences(DOCS / "policy.md", "yaml") if "name: deploys" in text]
    assert len(found) == 1
    (tmp_path / "bundle.yaml").write_text(found[0], encoding="utf-8")
    bundle = load_bundle(tmp_path)
    tier = bundle.tiers["deploys"]
    assert {(role.role, role.weight, role.min_required) for role in tier.roles} == {
        ("operator", 2, 1),
        ("reviewer", 1, 2),
    }
    assert (tier.threshold, tier.ttl_s) == (4, 4 * 3600)
    assert [rule.effect for rule in bundle.rules.rules] == [Effect.REQUIRE_APPROVAL]
    assert not bundle.not_enforced


def test_the_action_of_the_policy_page_can_be_registered() -> None:
    found = [text for text in fences(DOCS / "policy.md", "yaml") if "runner:" in text]
    assert len(found) == 1
    tools = yaml.safe_load(found[0])["tools"]
    assert [parse_action(name, tool["run"]).writable for name, tool in tools.items()] == [("site",)]


def test_the_sections_of_the_policy_page_load_together() -> None:
    starts = ("tools:\n  repository.read", "tiers:\n  deploys", "emergency:")
    written = list(fences(DOCS / "policy.md", "yaml"))
    found = [text for start in starts for text in written if text.startswith(start)]
    assert len(found) == len(starts)
    sections = {key: value for text in found for key, value in yaml.safe_load(text).items()}
    sections["tiers"]["incident"] = {"roles": {"commander": {"weight": 3, "min_required": 2}}}
    freeze = {"id": "change-freeze", "description": "No changes", "violationAction": "BLOCK"}
    bundle = load({**sections, "constraints": [freeze]})
    assert set(bundle.tiers) == {
        "board",
        "deploys",
        "deploys/high",
        "deploys/low",
        "emergency/failover",
        "incident",
    }
    assert not bundle.not_enforced


def test_every_picture_is_shown_made_and_small() -> None:
    made = {*script("screenshots").NAMES, *script("figures").NAMES}
    files = {path.stem: path.stat().st_size for path in (DOCS / "images").glob("*.png")}
    shown = {Path(link).stem for page in pages() for link in links(page) if link.endswith(".png")}
    assert made == set(files) == shown
    assert not [name for name, size in files.items() if size > _MAX_PICTURE_BYTES]
