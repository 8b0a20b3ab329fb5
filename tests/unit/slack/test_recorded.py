"""What the log keeps as text is told in German where it is ours, and in no other case."""

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

from bot.executor.launcher import RunResult
from bot.executor.report import _why
from bot.slack import recorded as table
from bot.slack.cards.card import approval_card
from bot.slack.kit.language import gettext, speaking
from bot.slack.recorded import each_recorded, note_of, recorded
from governance.action import ActionKind, Dispatch
from governance.execution import RunStatus
from governance.policy.decision import RoleRequirement
from governance.policy.signals.rules import TITLE
from governance.policy.signals.scan import UNREAD, Signal, SignalKind
from governance.policy.signals.secrets import REFERENCE
from governance.tickets.quorum import tally
from governance.tickets.ticket import TicketState
from tests.docs.reading import ROOT
from tests.support import build
from tests.support.card_samples import ticket, view
from tests.support.wordless import seen

TEMPLATES = (*table.NOTES, *table.RUNS, *table.SIGNALS, *table.REASONS)
WRITERS: dict[str, tuple[str, ...]] = {
    "governance/policy/sources.py": ("_credential", "_registry", "_clearance", "_gate_of"),
    "governance/policy/tools.py": ("__post_init__", "refusals"),
    "governance/policy/scopes.py": ("refusal",),
    "governance/policy/argument_schema.py": ("refusal",),
    "governance/policy/emergency.py": ("misfit", "called"),
    "governance/policy/evaluate.py": ("_default", "_refuse_ticket"),
    "governance/policy/hearing.py": ("hear", "_line"),
    "governance/policy/required.py": ("required",),
    "governance/tickets/_changes.py": ("after", "_after_run", "_resolved", "_quorum_lost"),
    "governance/tickets/_aftermath.py": ("_again",),
    "governance/tickets/_running.py": ("clear_execution",),
    "governance/tickets/_opening.py": ("reassess",),
    "governance/reassessment.py": ("_lost",),
    "bot/executor/report.py": ("of_failure", "_why"),
    "bot/executor/worker.py": ("_prepare",),
}
"""Where whatever is written as a text is one of these."""
ELSEWHERE = (
    "governance/policy/decision.py",
    "governance/policy/evaluate.py",
    "governance/policy/index.py",
    "governance/policy/said.py",
    "governance/policy/signals/rules.py",
    "governance/policy/sources.py",
    "governance/preparation.py",
    "governance/recorded.py",
    "governance/steps.py",
    "governance/tickets/_changes.py",
    "governance/tickets/_opening.py",
    "governance/tickets/_running.py",
    "governance/tickets/escalation.py",
)
"""Where others are written, among texts that are no sentences for people."""
PUT_TOGETHER = {
    "a raw secret ({rule}) stands at {place} (and {count} more): refer to it as {form}",
    "a raw secret ({rule}) stands at {place}: refer to it as {form}",
    "text at {place} (and {count} more) {what}",
    "text at {place} {what}",
    "the request has more than {count} characters, too many to look for secrets",
    "tier {tier} needs {needs}, and too few could vote",
    "EMERGENCY {template}: exception to constraint {constraint}: {description}",
    "policy_unavailable: {why}",
}
"""Made from parts: what makes them is run below."""


def shape(template: str) -> str:
    return "".join(
        text + ("{}" if name is not None else "")
        for text, name, _, _ in Formatter().parse(template)
    )


KNOWN = {shape(template) for template in TEMPLATES}


def texts_in(node: ast.AST) -> Iterator[str]:
    """The shapes of the sentences that a piece of code holds; names and docstrings are none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Call) and _is_said_otherwise(child):
            continue
        if isinstance(child, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in child.values
            )
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value
        else:
            yield from texts_in(child)


def _is_said_otherwise(call: ast.Call) -> bool:
    """A refusal that nobody keeps, or an exception that nobody reads in Slack."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name in {"Sentence", "refused", "ValueError", "getattr"}


def all_texts_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Constant):
            yield from texts_in(ast.Expression(body=node))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{" in node.value:
            with suppress(ValueError):
                yield shape(node.value)


def code(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", list(WRITERS))
def test_whatever_the_service_writes_there_is_told_in_german(path: str) -> None:
    tree = code(path)
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in WRITERS[path]
    ]
    assert {node.name for node in found} == set(WRITERS[path])
    written = {text for node in found for text in texts_in(node) if " " in text.strip()}
    written -= {"not counted"}  # a verdict, which has a word of its own
    assert written
    assert written <= KNOWN


def test_every_sentence_of_the_table_is_written_somewhere() -> None:
    written = {text for path in (*WRITERS, *ELSEWHERE) for text in all_texts_in(code(path))}
    never = {one for one in TEMPLATES if shape(one) not in written}
    assert never == PUT_TOGETHER


def test_each_sentence_is_found_and_its_values_are_kept() -> None:
    values = {"action": "write", "why": "the run failed", "what": next(iter(TITLE.values()))}
    for template in TEMPLATES:
        names = [name for _, name, _, _ in Formatter().parse(template) if name]
        given = {name: values.get(name, "7") for name in names}
        with speaking("de"):
            inner = {name: recorded(value) for name, value in given.items()}
            assert recorded(template.format(**given)) == gettext(template, **inner), template
        assert recorded(template.format(**given)) == template.format(**given)


def test_every_signal_is_told_in_german() -> None:
    rules = [(SignalKind.INJECTION, rule) for rule in TITLE]
    rules += [(SignalKind.SECRET, "named_argument"), (SignalKind.SECRET, UNREAD)]
    for kind, rule in rules:
        for others in (0, 3):
            said = Signal(kind=kind, rule=rule, pointer="/arguments/[removed]", others=others)
            with speaking("de"):
                told = recorded(said.sentence)
            assert told != said.sentence
            if rule != UNREAD:
                assert "/arguments/[removed]" in told
                assert ("an 3 weiteren" in told) is bool(others)
                assert (f"{REFERENCE}name" in told) is (kind is SignalKind.SECRET)


def test_what_a_tier_needs_is_told_in_german() -> None:
    role = RoleRequirement(role="operator", weight=1, min_required=2)
    asked = build.requirement(tier="high", roles=(role,), threshold=5, reviewer=build.BEN)
    why = f"tier high {tally(asked, ()).sentence()}, and too few could vote"
    reason = f"no rule matches (escalated to tier board: {why})"
    with speaking("de"):
        assert recorded(reason) == (
            "keine Regel trifft zu (eskaliert an Stufe board: Stufe high braucht 2 operators, "
            "Gewicht 3 mehr und die benannte Person, und zu wenige könnten abstimmen)"
        )


def test_an_emergency_is_told_in_german_around_the_bundles_words() -> None:
    with speaking("de"):
        told = recorded("EMERGENCY fire: exception to constraint pause: the run failed")
    assert told == "NOTFALL fire: Ausnahme von der Beschränkung pause: the run failed"


@pytest.mark.parametrize(
    "result",
    [
        {"timed_out": True},
        {"oom_killed": True},
        {"scratch_full": True},
        {"stdout_truncated": True},
        {"exit_code": 3},
    ],
)
def test_why_a_run_failed_is_told_in_german(result: dict[str, object]) -> None:
    blank = RunResult.__dataclass_fields__
    plain: dict[str, object] = {"exit_code": 1, "stdout": b"", "stderr": b"", "duration_s": 1.5}
    given = {name: value for name, value in {**plain, **result}.items() if name in blank}
    for name in blank:
        given.setdefault(name, False)
    said = _why(RunResult(**given))  # type: ignore[arg-type]
    with speaking("de"):
        assert recorded(said) != said


# Nothing else


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The run failed",
        "the run failed.",
        " the run failed",
        "the run failed\n",
        "tool x: send it to prod",
        "text at /arguments/x is fine",
        "Pushing with a tool requires approval",
        "tool a b requires approval",
        "tool  requires approval",
        "the run failed many times; ask again for another",
        "no rule matches " + "x" * 5_000,
        "{reason} (escalated to tier {tier}",
        "Running now.",
        "Approve",
    ],
)
def test_a_text_that_is_not_wholly_ours_stands_as_it_is(text: str) -> None:
    with speaking("de"):
        assert recorded(text) == text


def test_a_value_is_never_looked_up_nor_read_as_a_template() -> None:
    with speaking("de"):
        assert recorded("tool {tool} requires approval") == "Werkzeug {tool} erfordert Zustimmung"
        assert recorded("constraint Approve: Running now.") == (
            "Beschränkung Approve: Running now."
        )
        told = recorded("exception to constraint {0}: the run failed; {why} %s")
        assert told == "Ausnahme von der Beschränkung {0}: the run failed; {why} %s"


@pytest.mark.parametrize(
    "hostile",
    [
        "tool " + ": tool " * 280,
        "tool a: " * 240 + "the run failed",
        "tool a: tool a: x (escalated to tier t: " * 48,
        "tool a: tool a: x (escalated to tier t: " * 30 + ")" * 30,
    ],
)
def test_sentences_in_sentences_without_end_cost_a_few_passes(hostile: str) -> None:
    assert len(hostile) < table._LONGEST
    with speaking("de"):
        assert recorded(hostile) == hostile


def test_notes_of_a_rule_are_told_one_by_one() -> None:
    with speaking("de"):
        told = each_recorded("writes to prod; matches by claims alone, which loosen nothing")
    assert told == "writes to prod; trifft nur nach Angaben des Agenten zu, und die lockern nichts"


def test_notes_beyond_any_length_of_ours_stand_as_they_are() -> None:
    long = "; ".join(["no rule matches"] * 200)
    with speaking("de"):
        assert each_recorded(long) == long
        assert each_recorded(long[:1_000]) != long[:1_000]


def test_who_took_a_request_back_is_quoted() -> None:
    ours = ticket(state=TicketState.CANCELLED, decided_by=table.SYSTEM, note="the run failed")
    theirs = replace(ours, decided_by="agent:deployer")
    with speaking("de"):
        assert note_of(ours) == "der Lauf ist gescheitert"
        assert note_of(theirs) == "the run failed"


@pytest.mark.parametrize("dispatch", list(Dispatch))
def test_what_an_agent_reports_of_its_own_run_is_quoted(dispatch: Dispatch) -> None:
    report = build.report(RunStatus.FAILED, exit_code=2, error="it ended with status 2")
    done = ticket(state=TicketState.RELEASED, ask=build.ask(dispatch=dispatch), report=report)
    with speaking("de"):
        shown = " ".join(seen(list(approval_card(view(done)).blocks)))
    assert ("beendet mit Status 2" in shown) is (dispatch is Dispatch.EXECUTE)
    assert ("it ended with status 2" in shown) is (dispatch is Dispatch.RELEASE)


def test_the_words_of_an_action_are_those_of_policy() -> None:
    with speaking("de"):
        for action in ActionKind:
            assert recorded(f"{action.value} with a tool requires approval").startswith(action)


def test_who_cancels_by_itself_is_the_service() -> None:
    written = "".join(
        Path(ROOT / path).read_text(encoding="utf-8")
        for path in WRITERS
        if path.startswith("governance/tickets/")
    )
    assert written.count(f'actor="{table.SYSTEM}"') == 3
