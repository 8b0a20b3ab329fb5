"""Figures, what does not arrive, what the log kept and why something is refused, in German."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from bot import language
from bot.figures import plots
from bot.figures import words as figure_words
from bot.replies import REPLIES
from bot.slack.cards.card import approval_card
from bot.slack.commands import stats
from bot.slack.kit.language import gettext, speaking
from bot.slack.recorded import NOTES, REASONS, RUNS, SIGNALS, recorded
from bot.slack.said import _SAID_BY_THE_TABLE
from bot.slack.sending.remedies import MEANINGS, UNKNOWN
from bot.slack.sending.troubles import troubles
from governance.advice import Advice, Kind
from governance.execution import RunStatus
from governance.outbox import Backlog, OwedKind
from governance.policy.bundle import load
from governance.policy.decision import SIGNAL_PREFIX, Warned
from governance.sentences import Sentence, joined
from governance.statistics import Fact, Figures, Tally
from governance.tickets.ticket import Choice
from tests.docs.reading import ROOT, script
from tests.support import build
from tests.support.build import T0
from tests.support.card_samples import ticket, view
from tests.support.wordless import Wordless, left_over

KNOWN = frozenset(
    form
    for one in script("texts").template()
    for form in ([one.id] if isinstance(one.id, str) else one.id)
    if form
)
BUNDLE = load(
    {
        "version": "v1",
        "rules": [
            {"id": "rr", "match": {"topics": ["a"]}, "decision": "allow"},
            {"id": "ss", "match": {"topics": ["b"]}, "decision": "allow"},
        ],
    }
)
NAMES = {"rr", "ss", "tt", "UTC", "Anna", "Bert", "min"}


@pytest.fixture
def _wordless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(language, "_catalogue", lambda _name: Wordless(KNOWN))
    with speaking("de"):
        yield


def figures(*, people: int = 2) -> Figures:
    """Something of everything that is counted."""
    tally = Tally(since=T0, until=T0 + timedelta(days=7))
    facts: list[Fact] = []

    def told(minutes: float, kind: str, name: str = "", **more: Any) -> None:
        at = T0 + timedelta(minutes=minutes)
        facts.append(Fact(seq=1, at=at, type=kind, ticket_id=name, **more))

    ask = {"word": "REQUIRE_APPROVAL", "who": "PENDING", "tier": "tt", "fired": ("rr",)}
    ends = (
        ("TicketApproved", "ExecutionSucceeded"),
        ("TicketApproved", "ExecutionFailed"),
        ("TicketApproved", "ExecutionLost"),
        ("TicketRejected", ""),
        ("TicketExpired", ""),
        ("TicketCancelled", ""),
        ("", ""),
    )
    for number, (end, run) in enumerate(ends * max(1, people // 4)):
        name, begun = f"t{number}", number * 100.0
        told(begun, "TicketOpened", name, rules=("rr",), **ask)
        who = f"slack:T1/U{number % people}"
        if end:
            told(begun + 3 * number, "VoteCast", who=who, word=Choice.APPROVE.value)
            told(begun + 3 * number, end, name)
        if run:
            told(begun + 5 * number, run, name)
    for effect in ("ALLOW", "ALLOW_WITH_CONSTRAINTS", "THROTTLE", "DENY"):
        told(5_000, "DecisionEvaluated", word=effect)
    tally.add(sorted(facts, key=lambda fact: fact.at))
    return tally.figures()


EMPTY = Tally(since=T0, until=T0 + timedelta(days=7)).figures()


# Figures


@pytest.mark.usefixtures("_wordless")
@pytest.mark.parametrize("of", [figures(), figures(people=1), EMPTY])
def test_no_word_of_the_figures_goes_past_the_catalogue(of: Figures) -> None:
    said = [{"text": text} for row in figure_words.rows(of, BUNDLE) for text in row]
    assert len(said) == 24
    assert not left_over(said, NAMES)
    note = Sentence(figure_words.NO_PICTURES)
    assert not left_over(stats._blocks(of, BUNDLE, note, unknown=3), NAMES)


def test_one_vote_is_told_as_one_and_one_person_as_all_of_them() -> None:
    tally = Tally(since=T0, until=T0 + timedelta(days=7))
    vote = Fact(seq=1, at=T0, type="VoteCast", ticket_id="t", who="slack:T1/U1", word="approve")
    tally.add([vote])
    assert figure_words.load(tally.figures()) == "1 vote of 1 person"
    with speaking("de"):
        assert figure_words.load(tally.figures()) == "1 Stimme von 1 Person"
    tally.add([vote])
    assert figure_words.load(tally.figures()) == "2 votes of 1 person"


@pytest.mark.usefixtures("_wordless")
def test_no_word_of_a_suggestion_goes_past_the_catalogue() -> None:
    made = Advice(
        kind=Kind.ALLOW,
        subject="rr",
        evidence=Sentence("people approved {count} of {whole}", count=20, whole=20),
        change=Sentence("leave rule {rule} out", rule="rr"),
        candidate={},
    )
    assert not left_over({"text": figure_words.suggestion(made)}, NAMES)


def drawn(monkeypatch: pytest.MonkeyPatch, of: Figures) -> list[str]:
    """Every text that is put on a picture, with the alternative texts and the titles."""
    from matplotlib.text import Text

    found: list[str] = []
    setter = Text.set_text

    def noted(self: Text, s: object) -> None:
        found.append(str(s))
        setter(self, s)

    monkeypatch.setattr(Text, "set_text", noted)
    people = {"slack:T1/U0": "Anna", "slack:T1/U1": "Bert"}
    made = plots.draw(of, BUNDLE, lambda person: people.get(person, "Anna"))
    return [*found, *(one.alt for one in made), *(one.title for one in made)]


@pytest.mark.usefixtures("_wordless")
@pytest.mark.parametrize("of", [figures(), figures(people=12), EMPTY])
def test_no_word_of_a_picture_goes_past_the_catalogue(
    of: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = drawn(monkeypatch, of)
    assert len(said) > 60
    assert not left_over([{"text": text} for text in said], NAMES)


def test_pictures_are_drawn_in_the_language_that_is_spoken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with speaking("de"):
        german = drawn(monkeypatch, figures())
    assert {"Die Warteschlange", "wartende Tickets", "Zustimmung nötig", "bis 1 min"} <= {*german}
    assert any(text.endswith(".03.") for text in german)
    assert "Die Warteschlange" not in drawn(monkeypatch, figures())


@pytest.mark.parametrize("of", [figures(), figures(people=12), EMPTY])
def test_a_german_label_is_not_cut_and_leaves_its_picture_as_large(of: Figures) -> None:
    english = plots.draw(of, BUNDLE)
    with speaking("de"):
        german = plots.draw(of, BUNDLE)
        labels = [gettext(label) for _, label in plots._BUCKETS]
        labels += [gettext("run {how}", how=figure_words.run(how)) for how in figure_words.RUNS]
        labels += [gettext(label) for label in ("allow with constraints", "require approval")]
    assert all(len(label) <= 24 for label in labels)
    for one, other in zip(english, german, strict=True):
        assert (one.name, one.png[16:24]) == (other.name, other.png[16:24])  # width and height
        assert 40 < len(other.alt) < 1_000 or of is EMPTY


@pytest.mark.parametrize("name", language.LANGUAGES)
def test_no_text_leaves_its_picture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure as Canvas
    from matplotlib.text import Text

    outside: list[str] = []
    save = Canvas.savefig

    def measured(self: Canvas, *args: Any, **more: Any) -> None:
        save(self, *args, **more)
        width = self.bbox.width
        for one in self.findobj(Text):
            if isinstance(one, Text) and one.get_visible() and one.get_text():
                box = one.get_window_extent()
                if box.x0 < 0 or box.x1 > width:
                    outside.append(one.get_text())

    monkeypatch.setattr(Canvas, "savefig", measured)
    with speaking(name):
        plots.draw(busy(), BUNDLE, lambda _: "Anna Beispielmann")
    assert not outside


def busy() -> Figures:
    """Numbers of two digits beside the longest bars, and waits that are long to tell."""
    tally = Tally(since=T0, until=T0 + timedelta(days=7))
    facts: list[Fact] = []
    for number in range(90):
        opened = T0 + timedelta(minutes=number)
        ended = opened + timedelta(days=2, hours=23, minutes=number)
        is_for = number % 2
        for at, kind, more in (
            (
                opened,
                "TicketOpened",
                {"word": "REQUIRE_APPROVAL", "who": "PENDING", "rules": ("rr",)},
            ),
            (
                ended,
                "VoteCast",
                {
                    "who": "slack:T1/U0",
                    "word": (Choice.APPROVE if is_for else Choice.REJECT).value,
                },
            ),
            (ended, "TicketApproved" if is_for else "TicketRejected", {}),
        ):
            given: Any = more
            facts.append(Fact(seq=1, at=at, type=kind, ticket_id=f"t{number}", **given))
    tally.add(sorted(facts, key=lambda fact: fact.at))
    return tally.figures()


# Troubles


@pytest.mark.usefixtures("_wordless")
@pytest.mark.parametrize("kind", list(OwedKind))
@pytest.mark.parametrize("count", [1, 4])
def test_no_word_of_a_trouble_goes_past_the_catalogue(kind: OwedKind, count: int) -> None:
    found = troubles(
        [
            Backlog(kind=kind, error=f"chat.update: {code}", count=count, is_dead=True)
            for code in (*MEANINGS, "never_heard_of")
        ]
    )
    assert len(found) == len(MEANINGS) + 1
    same = {*MEANINGS, "never_heard_of", "placet", "manifest", "invite", "xoxb"}
    same |= {"PLACET_SLACK_BOT_TOKEN", "PLACET_SLACK_TEAM", "PLACET_SLACK_API_URL"}
    for one in found:
        assert not left_over([{"text": one.text}, {"text": one.fix}], list(same))


def test_every_remedy_has_its_own_german() -> None:
    fixes = {one.fix for one in (*MEANINGS.values(), UNKNOWN)}
    with speaking("de"):
        assert not [fix for fix in fixes if gettext(fix) == fix]


# What the log kept


def filled(template: str) -> str:
    values = {
        "action": "write",
        "why": "the run failed",
        "what": "asks for hidden instructions",
        "reason": "no rule matches",
        "needs": "2 more weight and the named reviewer",
    }
    names = {name for _, name, _, _ in Formatter().parse(template) if name}
    return template.format(**{name: values.get(name, "7") for name in names})


@pytest.mark.usefixtures("_wordless")
@pytest.mark.parametrize("template", [*NOTES, *RUNS, *SIGNALS, *REASONS])
def test_no_word_that_the_log_kept_of_ours_goes_past_the_catalogue(template: str) -> None:
    text = filled(template)
    assert not left_over({"text": recorded(text)}, "write")
    signal = Warned(constraint_id=f"{SIGNAL_PREFIX}x", description=text)
    plain = ticket()
    of = replace(
        plain,
        note=text,
        report=build.report(RunStatus.FAILED, error=text),
        ruling=replace(plain.ruling, reason=text, warnings=(signal,)),
    )
    bare = replace(
        of,
        note="write",
        report=build.report(RunStatus.FAILED, error=""),
        ruling=replace(plain.ruling, reason="", warnings=()),
    )
    limits = plain.ruling.constraints.to_json()
    left = left_over(list(approval_card(view(of)).blocks), view(bare), limits)
    assert left <= {"true", "false", "ms", "slack"}


# Refusals

MET = (
    *sorted((ROOT / "governance" / "tickets").glob("*.py")),
    *(
        ROOT / "governance" / f"{name}.py"
        for name in (
            "action",
            "canonical",
            "delegation",
            "freezing",
            "governing",
            "json_decoding",
            "reassessment",
            "service",
            "steps",
            "voices",
        )
    ),
    ROOT / "bot" / "deeds.py",
    *(
        ROOT / "bot" / "people" / f"{name}.py"
        for name in ("account", "directories", "identity", "static_directory")
    ),
    *sorted((ROOT / "bot" / "slack").rglob("*.py")),
)
"""Where that is refused which a person can ask for in Slack."""
NOT_MET = {
    "ticket {} is not executing run {}": "an executor's",
    "ticket {} is released, not executed": "an executor's",
    "the bytes to run are not what ticket {} approves": "an executor's, a note then",
    "ticket {} needs sandbox {}, offered {}": "an executor's, a note then",
    "ticket {} approves another action": "an agent's: a person names no action",
    "ticket {} was not released": "an agent's",
    "the outcome of {} was reported already": "an agent's",
    "ticket {} is {}": "of a cancellation, which has no button",
    "Slack could not be asked: {}": "of a start",
    "Slack: {}": "of a start",
    "Slack: the bot token is of {} {}, expected {}": "of a start",
    "these bytes are not an action's content": "what is kept, read back",
}
BY_THE_TABLE = {code.name for code in _SAID_BY_THE_TABLE}
_RAISED = {"Refused", "InvalidInput", "Unavailable", "refused", "Bad"}


def plain_refusals(path: Path) -> Iterator[str]:
    """The facts of refusals in ``path`` that are no sentences and are not left to the table."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = node.args if node.func.id in _RAISED else []
        elif isinstance(node, ast.Tuple):
            given = node.elts
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "message":
            yield from plain(node.value)
        code = given[0] if len(given) > 1 else None
        if isinstance(code, ast.Attribute) and code.attr not in BY_THE_TABLE:
            yield from plain(given[1])


def plain(node: ast.expr) -> Iterator[str]:
    """A text that is no sentence, its values as ``{}``."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value


def test_whatever_a_person_in_slack_is_refused_with_is_a_sentence_of_ours() -> None:
    assert {text for path in MET for text in plain_refusals(path)} == {*NOT_MET}


def test_a_table_of_replies_leaves_no_sentence_in_english() -> None:
    with speaking("de"):
        assert not [one.slack for one in REPLIES.values() if gettext(one.slack) == one.slack]


def test_several_facts_are_told_one_after_the_other() -> None:
    one = Sentence("role {role}: {why}", role="operator", why=Sentence("no such account here"))
    both = joined([one, "as it stands", one], "{first}; {more}")
    assert both == (
        "role operator: no such account here; as it stands; role operator: no such account here"
    )
    with speaking("de"):
        assert language.told(both) == (
            "Rolle operator: hier gibt es kein solches Konto; as it stands; "
            "Rolle operator: hier gibt es kein solches Konto"
        )
