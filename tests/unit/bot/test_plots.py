"""Pictures and sentences of figures."""

import io
from datetime import timedelta
from typing import Any

import pytest
from PIL import Image

from bot.figures import plots, words
from governance.policy.bundle import load
from governance.statistics import Asked, End, Fact, Figures, Tally
from governance.tickets.ticket import Choice
from tests.support.build import T0

BUNDLE = load(
    {
        "version": "v1",
        "name": "drawn",
        "rules": [
            {"id": "deploys", "match": {"topics": ["a"]}, "decision": "allow"},
            {"id": "old-crm", "match": {"topics": ["b"]}, "decision": "allow"},
        ],
    }
)
WEEK = timedelta(days=7)
HOSTILE = (
    "$\\frac{1}{0}$",
    "\\$unclosed $",
    "a\nb\tc\x00",
    "\u202egnp.exe",
    "\U0001f600 \u4e2d\u6587",
    "x" * 5_000,
    "",
    "<script>",
)


def figures(people: tuple[str, ...] = ("slack:T1/UANNA",)) -> Figures:
    tally = Tally(since=T0, until=T0 + WEEK)
    facts: list[Fact] = []

    def told(minutes: float, kind: str, ticket: str = "", **more: Any) -> None:
        at = T0 + timedelta(minutes=minutes)
        facts.append(Fact(seq=1, at=at, type=kind, ticket_id=ticket, **more))

    ask = {"word": "REQUIRE_APPROVAL", "who": "PENDING", "tier": "high", "fired": ("deploys",)}
    for number, person in enumerate(people):
        told(number, "TicketOpened", f"t{number}", rules=("deploys",), **ask)
        told(number + 0.1, "VoteCast", who=person, word=Choice.APPROVE.value)
        told(number + 0.5, "TicketApproved", f"t{number}")
        told(number + 0.6, "ExecutionSucceeded")
    told(500, "TicketOpened", "x", rules=("deploys",), **ask)
    told(560, "VoteCast", who=people[0], word=Choice.REJECT.value)
    told(560, "TicketRejected", "x")
    told(600, "DecisionEvaluated", word="DENY")
    tally.add(facts)
    return tally.figures()


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image.size


def test_every_picture_is_one_a_phone_can_show_and_tells_its_numbers_in_words() -> None:
    drawn = plots.draw(figures(), BUNDLE)
    names = ["decisions", "outcomes", "waits", "queue", "approvers", "rules"]
    assert [one.name for one in drawn] == [f"{name}.png" for name in names]
    for one in drawn:
        width, height = size_of(one.png)
        assert (width, height < 2 * width) == (1080, True)
        assert 40 < len(one.alt) < 1_000
        assert one.alt.endswith(".")
    alt = {one.name.removesuffix(".png"): one.alt for one in drawn}
    assert "3 decisions: 2 (67 %) REQUIRE_APPROVAL, 1 (33 %) DENY" in alt["decisions"]
    assert "2 asked: 1 (50 %) approved, 1 (50 %) rejected. Runs: 1 (100 %) succ" in alt["outcomes"]
    assert "half within 30 s, 90 % within 1 h, the longest 1 h" in alt["waits"]
    assert "2 votes of 1 person" in alt["approvers"]
    assert "deploys 1 of 2. Rules that never fired: old-crm." in alt["rules"]


def test_the_same_figures_make_the_same_picture() -> None:
    first, second = plots.draw(figures(), BUNDLE), plots.draw(figures(), BUNDLE)
    assert [one.png for one in first] == [one.png for one in second]


def test_nothing_in_a_name_is_a_formula_or_breaks_the_picture() -> None:
    people = tuple(str(number) for number in range(len(HOSTILE)))
    plain = plots.draw(figures(people), BUNDLE, lambda _: "Anna")[4]
    drawn = plots.draw(figures(people), BUNDLE, lambda person: HOSTILE[int(person)])[4]
    assert size_of(drawn.png) == size_of(plain.png)
    assert drawn.png != plain.png


def test_more_people_than_fit_are_told_together() -> None:
    many = figures(tuple(f"slack:T1/U{number}" for number in range(30)))
    few = figures(tuple(f"slack:T1/U{number}" for number in range(11)))
    drawn, others = plots.draw(many, BUNDLE)[4], plots.draw(few, BUNDLE)[4]
    assert size_of(drawn.png) == size_of(others.png)
    assert "31 votes of 30 people" in drawn.alt


def test_a_log_without_anything_makes_pictures_that_say_so() -> None:
    empty = Tally(since=T0, until=T0 + WEEK).figures()
    drawn = plots.draw(empty, BUNDLE)
    assert all(size_of(one.png)[0] == 1080 for one in drawn)
    assert drawn[0].alt == "0 decisions: none."
    told = dict(words.rows(empty, BUNDLE))
    assert told["decisions"] == words.NOTHING
    assert told["they took"] == words.NO_ANSWERS
    assert told["votes"] == "nobody voted"
    assert told["rules that never fired"] == "deploys, old-crm"
    assert told["window"] == "2026-03-01 to 2026-03-08 (UTC)"


def test_a_figure_without_samples_has_an_empty_queue() -> None:
    assert words.queue(Tally(since=T0, until=T0, samples=1).figures()).startswith("at most 0")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (5_000, "1 h 23 min"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: int | None, said: str) -> None:
    assert words.span(seconds) == said


def test_what_waits_is_said_and_names_beyond_a_few_are_counted() -> None:
    asked = Asked(asked=5, ended={End.APPROVED: 2, End.TAKEN_BACK: 1})
    assert words.answers(asked) == "5 asked: 2 (40 %) approved, 1 (20 %) taken back, 2 waiting"
    assert words.names(tuple("abcdefghij")) == "a, b, c, d, e, f, g, h and 2 more"
