"""The house rules that no linter sees, read from the sources themselves."""

import ast
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from governance.tickets.events import TicketEvent

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("governance", "storage", "bot", "policies")
MEASURED = (*PACKAGES, "bench")
FEWER_LINES_THAN = 300
"""Every line counts, blank ones and texts too."""

WITHOUT_A_TICKET = {"SubmissionThrottled", "DecisionEvaluated", "RefusalsCoalesced"}
EVENTS = {kind.__name__ for kind in get_args(TicketEvent)} | WITHOUT_A_TICKET
BUILD_RESULTS = (
    "governance/steps.py",
    "governance/control_steps.py",
    "governance/detaching.py",
    "governance/refusals.py",
    "governance/reassessment.py",
    "governance/retention.py",
)
MAY_BUILD_RESULTS = {
    *BUILD_RESULTS,
    "governance/service.py",
    "governance/administration.py",
    "governance/custody.py",
}
CLOCKS_AND_CHANCE = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "uuid.uuid1",
    "uuid.uuid4",
    "os.urandom",
}
MODULES_OF_CHANCE = {"time", "random", "uuid", "secrets"}
LISTS_OF_PACKAGES = re.compile(r"https?://[^\s\"')]*(?:pypi|pythonhosted|/simple\b)", re.IGNORECASE)
INDEX_OPTION = re.compile(r"(?:--|_)(?:extra-)?index[-_]url|find-links", re.IGNORECASE)
SOMEONES_MACHINE = re.compile(r"(?<![\w.}])/(?:home|Users|work|root)/\w")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


@cache
def _called(tree: ast.Module) -> tuple[str, ...]:
    """The dotted names that are called: ``ev.VoteCast(...)`` is ``ev.VoteCast``."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return tuple({ast.unparse(call) for call in calls})


def _last(dotted: str) -> str:
    return dotted.rsplit(".", maxsplit=1)[-1]


def _builds_ticket_events(name: str, tree: ast.Module) -> set[str]:
    """Events that a module builds and may not, imported by whatever name."""
    if name.startswith("governance/tickets/"):
        return set()
    aliases = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    plain = {call for call in _called(tree) if "(" not in call and "[" not in call}
    found = {aliases.get(call, _last(call)) for call in plain} & EVENTS
    return found - WITHOUT_A_TICKET if name in BUILD_RESULTS else found


def _reads_clock_or_chance(tree: ast.Module) -> set[str]:
    found = {call for call in _called(tree) if call in CLOCKS_AND_CHANCE}
    found |= {call for call in _called(tree) if ".".join(call.split(".")[-2:]) in CLOCKS_AND_CHANCE}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES_OF_CHANCE
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES_OF_CHANCE:
            found.add(node.module)
    return found


def _writes_to_slack(tree: ast.Module) -> set[str]:
    found = {_last(call) for call in _called(tree)}
    # The other way in is ``client.api_call("chat.postMessage")``.
    named = {"views_publish", "api_call"}
    return {name for name in found if name.startswith("chat_") or name in named}


def _violations(packages: Iterable[str], judge: Callable[[str, ast.Module], object]) -> object:
    """What ``judge`` finds in each module, by name; a house in order has none."""
    paths = _modules(*packages)
    assert paths
    found = {_name(path): judge(_name(path), _tree(path)) for path in paths}
    return {name: what for name, what in found.items() if what}


def test_only_the_tickets_package_builds_events_that_change_a_ticket():
    assert _violations(PACKAGES, _builds_ticket_events) == {}


def test_only_the_service_and_its_steps_build_results():
    def builds(name: str, tree: ast.Module) -> bool:
        return name not in MAY_BUILD_RESULTS and "Result" in {_last(c) for c in _called(tree)}

    assert _violations(PACKAGES, builds) == {}
    assert all("Result" in {_last(c) for c in _called(_tree(ROOT / n))} for n in BUILD_RESULTS)


def test_the_core_reads_no_clock_and_no_chance():
    assert _violations(["governance"], lambda _, tree: _reads_clock_or_chance(tree)) == {}


def test_only_the_publisher_writes_to_slack():
    found = _violations(PACKAGES, lambda _, tree: _writes_to_slack(tree))
    assert isinstance(found, dict)
    assert {*found} == {"bot/slack/sending/publisher.py"}


def test_a_module_stays_small():
    sizes = {_name(path): len(path.read_text("utf-8").splitlines()) for path in _modules(*MEASURED)}
    assert {name.partition("/")[0] for name in sizes} == {*MEASURED}
    assert {name: lines for name, lines in sizes.items() if lines >= FEWER_LINES_THAN} == {}


def test_a_module_says_what_it_is_for_and_a_package_file_is_empty():
    def silent(name: str, tree: ast.Module) -> bool:
        return bool(tree.body) if name.endswith("__init__.py") else not ast.get_docstring(tree)

    assert _violations(PACKAGES, silent) == {}


def _texts() -> list[Path]:
    """What is written by hand and shipped or read by people and machines."""
    kinds = {".py", ".toml", ".md", ".yml", ".yaml", ".txt", ".json", ".cfg", ".html", ".js", ""}
    folders = [*PACKAGES, "tests", "bench", "docs", ".ci"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files += list(ROOT.iterdir())
    return sorted(
        path
        for path in files
        if path.is_file()
        and path.suffix in kinds
        and "__pycache__" not in path.parts
        and path.resolve() != Path(__file__).resolve()
        and not path.name.startswith(".coverage")
    )


def test_no_file_names_a_package_index_or_somebodys_machine():
    paths = _texts()
    assert ROOT / "pyproject.toml" in paths
    found = {
        f"{_name(path)}: {match.group()}"
        for path in paths
        for pattern in (LISTS_OF_PACKAGES, INDEX_OPTION, SOMEONES_MACHINE)
        for match in pattern.finditer(path.read_text("utf-8", errors="replace"))
    }
    assert found == set()


# The rules themselves can fail


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("bot/x.py", "from governance.tickets import events as ev\nev.TicketApproved(a=1)", True),
        ("bot/x.py", "from governance.tickets.events import VoteCast as V\nV(a=1)", True),
        ("storage/x.py", "TicketExpired()", True),
        ("governance/steps.py", "ev.GrantRedeemed()", True),
        ("governance/steps.py", "ev.SubmissionThrottled()", False),
        ("governance/service.py", "ev.DecisionEvaluated()", True),
        ("governance/tickets/_voting.py", "ev.VoteCast()", False),
        ("bot/x.py", "isinstance(event, ev.VoteCast)", False),
    ],
)
def test_a_built_event_is_found(name: str, source: str, found: bool):
    assert bool(_builds_ticket_events(name, ast.parse(source))) is found


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "datetime.datetime.now()",
        "import time",
        "from random import choice",
        "import uuid",
        "os.urandom(3)",
    ],
)
def test_a_clock_or_chance_is_found(source: str):
    assert _reads_clock_or_chance(ast.parse(source))
    assert not _reads_clock_or_chance(ast.parse("clock.now()"))


@pytest.mark.parametrize(
    "source",
    [
        "async def f():\n    await c.chat_update(a=1)",
        "self._client.views_publish()",
        "c.api_call('x')",
    ],
)
def test_a_write_to_slack_is_found(source: str):
    assert _writes_to_slack(ast.parse(source))
    assert not _writes_to_slack(ast.parse("client.views_open(); client.users_info()"))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (LISTS_OF_PACKAGES, "https:/" + "/pypi.org/project/x"),
        (LISTS_OF_PACKAGES, "https:/" + "/mirror.example/simple/"),
        (INDEX_OPTION, "pip install --index" + "-url x"),
        (INDEX_OPTION, "PIP_INDEX" + "_URL=x"),
        (SOMEONES_MACHINE, '"/' + 'home/me/x"'),
        (SOMEONES_MACHINE, "see /" + "work/x"),
    ],
)
def test_a_host_or_a_machine_is_found(pattern: re.Pattern[str], text: str):
    assert pattern.search(text)
    assert not pattern.search("docs/home/index.md, /usr/bin/work, https://example.com/index")
