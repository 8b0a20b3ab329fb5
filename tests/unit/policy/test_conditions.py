from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.policy.conditions import LabelThreshold, Times, number_of
from governance.policy.decision import Decision, Effect
from governance.policy.evaluate import evaluate
from governance.policy.facts import Facts
from governance.policy.matching import Condition, Match, Outcome, Subject
from governance.policy.vouching import judged
from tests.unit.policy.asking import AGENT, AT, READ, ask, bundle, decide, refused, rule, tool

EMPTY = bundle()


def subject(labels: Mapping[str, str] | None = None, at: datetime = AT) -> Subject:
    request = ask("job.x", action=READ, labels=dict(labels or {}))
    return judged(request, AGENT, EMPTY, Facts(at=at)).claims


def match_of(**match: object) -> Match:
    return bundle(rule("r", "deny", **match)).rules.rules[0].match


def condition_of(**match: object) -> Condition:
    (condition,) = match_of(**match).conditions
    return condition


def threshold(**bounds: object) -> Condition:
    return condition_of(label_threshold={"amount": bounds})


@pytest.mark.parametrize(
    ("bounds", "fits", "fails"),
    [
        ({"more_than": 1000}, ["1000.01", "1e4", "99999999999999999999"], ["1000", "999", "-1e9"]),
        ({"at_least": 1000}, ["1000", "1000.0", "1e3"], ["999.99999999999999999999"]),
        ({"less_than": 1000}, ["999.9", "-5", "0"], ["1000", "1000.0"]),
        ({"at_most": Decimal("0.1")}, ["0.1", "0.10"], ["0.1000000000000000055511151231257827"]),
        ({"more_than": 1, "at_most": 3}, ["1.1", "3"], ["1", "3.1"]),
    ],
)
def test_a_threshold_compares_numbers_exactly(
    bounds: dict[str, object], fits: list[str], fails: list[str]
):
    condition = threshold(**bounds)
    for text in fits:
        assert condition.judge(subject({"amount": text})) is Outcome.MATCHED, text
    for text in fails:
        assert condition.judge(subject({"amount": text})) is Outcome.NOT_MATCHED, text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 5",
        "5 ",
        "5\n",
        "+5",
        "05",
        "5.",
        ".5",
        "1,000",
        "1_000",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "true",
        "null",
        '"5"',
        "five",
        "٥",
        "５",
        "1e309",
        "1e99999999999999999999",
        "9" * 101,
        "1" + "0" * 100_000,
    ],
)
def test_a_label_that_is_no_number_cannot_be_judged(text: str):
    for bounds in ({"more_than": 0}, {"less_than": 0}):
        assert threshold(**bounds).judge(subject({"amount": text})) is Outcome.ERROR


def test_a_label_that_is_missing_cannot_be_judged():
    assert threshold(more_than=0).judge(subject()) is Outcome.ERROR
    assert condition_of(label_in={"region": ["eu"]}).judge(subject()) is Outcome.ERROR
    assert condition_of(label_not_in={"region": ["eu"]}).judge(subject()) is Outcome.ERROR


NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12),
    st.sampled_from([0, 1, Decimal("0.1"), 2**53, 2**53 + 1, Decimal("1e300"), Decimal("1e-300")]),
)


def _json(value: int | Decimal) -> str:
    return str(value).replace("E", "e")


@given(NUMBERS, NUMBERS)
def test_a_threshold_agrees_with_the_comparison_of_decimals(value: int | Decimal, bound: int):
    text = _json(value)
    found = {
        name: LabelThreshold(label="n", **{name: bound}).judge(subject({"n": text}))
        for name in ("more_than", "at_least", "less_than", "at_most")
    }
    left, right = Decimal(text), Decimal(bound)
    expected = {
        "more_than": left > right,
        "at_least": left >= right,
        "less_than": left < right,
        "at_most": left <= right,
    }
    assert {name: outcome is Outcome.MATCHED for name, outcome in found.items()} == expected
    assert Outcome.ERROR not in found.values()


@given(st.text())
def test_a_text_is_the_number_that_json_says_or_none(text: str):
    value = number_of(text)
    assert value is None or Decimal(text) == value


def test_an_allow_list_fires_when_the_value_is_not_on_it():
    beyond = condition_of(label_not_in={"region": ["eu", "us"]})
    within = condition_of(label_in={"region": ["eu", "us"]})
    assert beyond.judge(subject({"region": "cn"})) is Outcome.MATCHED
    assert beyond.judge(subject({"region": "EU"})) is Outcome.MATCHED  # labels have case
    assert beyond.judge(subject({"region": "eu"})) is Outcome.NOT_MATCHED
    assert within.judge(subject({"region": "us"})) is Outcome.MATCHED
    assert within.judge(subject({"region": "cn"})) is Outcome.NOT_MATCHED


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"label_threshold": {"amount": {"more_than": 1, "at_most": Decimal("2.5")}}},
         "label amount more than 1 and at most 2.5"),
        ({"label_in": {"r": ["b", "a"]}}, "label r one of a, b"),
        ({"label_not_in": {"r": ["b", "a"]}}, "label r none of a, b"),
        ({"times": [{"zone": "UTC"}]}, "time every day 00:00 to 24:00 UTC"),
        (
            {"times": [
                {"days": ["tue", "mon"], "from": "09:00", "to": "17:00", "zone": "Europe/Berlin"},
                {"days": ["sat"], "to": "08:30", "zone": "UTC"},
            ]},
            "time mon, tue 09:00 to 17:00 Europe/Berlin or sat 00:00 to 08:30 UTC",
        ),
    ],
)  # fmt: skip
def test_a_condition_says_in_words_what_it_compares(match: dict[str, object], words: str):
    assert condition_of(**match).describe() == words


@pytest.mark.parametrize(
    ("match", "place", "words"),
    [
        ({"label_threshold": {"a/b": {}}}, "/label_threshold/a~1b", "needs more_than"),
        ({"label_threshold": {"n": {"above": 1}}}, "/label_threshold/n/above", "not a key"),
        ({"label_threshold": {"n": {"more_than": 5, "less_than": 5}}},
         "/label_threshold/n", "no number lies"),
        ({"label_threshold": {"n": {"more_than": 5, "at_most": 5}}},
         "/label_threshold/n", "no number lies"),
        ({"label_threshold": {"n": {"at_least": 6, "at_most": 5}}},
         "/label_threshold/n", "no number lies"),
        ({"label_not_in": {"r": []}}, "/label_not_in/r", "at least 1"),
        ({"times": [{}]}, "/times/0/zone", "missing"),
        ({"times": [{"zone": "Mars/Olympus"}]}, "/times/0/zone", "no time zone"),
        ({"times": [{"zone": "Europe"}]}, "/times/0/zone", "no time zone"),
        ({"times": [{"zone": "zones"}]}, "/times/0/zone", "no time zone"),
        ({"times": [{"zone": "../../etc/localtime"}]}, "/times/0/zone", "a time zone such as"),
        ({"times": [{"zone": "UTC", "from": "9:00"}]}, "/times/0/from", "a time of day such as"),
        ({"times": [{"zone": "UTC", "from": "24:00"}]}, "/times/0/from", "a time of day such as"),
        ({"times": [{"zone": "UTC", "to": "24:01"}]}, "/times/0/to", "24:00"),
        ({"times": [{"zone": "UTC", "from": "09:00", "to": "09:00"}]},
         "/times/0/to", "whole day"),
        ({"times": [{"zone": "UTC", "days": ["monday"]}]}, "/times/0/days/0", "'mon'"),
    ],
)  # fmt: skip
def test_what_cannot_hold_or_is_not_understood_is_refused_with_its_place(
    match: dict[str, object], place: str, words: str
):
    mapping = {"version": "v1", "rules": [rule("r", "deny", **match)]}
    refused(mapping, f"/rules/0/match{place}", words)
    constraint = {"id": "c", "description": "d", "violation_action": "BLOCK", "match": match}
    refused({"constraints": [constraint]}, f"/constraints/0/match{place}", words)


def test_bounds_may_meet_where_both_include_them():
    condition = threshold(at_least=5, at_most=5)
    assert condition.judge(subject({"amount": "5.0"})) is Outcome.MATCHED


def window(**fields: object) -> Times:
    condition = condition_of(times=[fields])
    assert isinstance(condition, Times)
    return condition


def is_open(times: Times, at: datetime) -> bool:
    return times.judge(replace(subject(), facts=Facts(at=at))) is Outcome.MATCHED


def test_a_window_holds_from_its_first_moment_up_to_but_without_its_end():
    times = window(**{"days": ["mon"], "from": "09:00", "to": "17:00", "zone": "UTC"})
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    assert is_open(times, monday.replace(hour=9))
    assert is_open(times, monday.replace(hour=16, minute=59, second=59, microsecond=999_999))
    assert not is_open(times, monday.replace(hour=17))
    assert not is_open(times, monday.replace(hour=8, minute=59, second=59))
    assert not is_open(times, monday.replace(day=3, hour=9))


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_begins():
    times = window(**{"days": ["sun"], "from": "22:00", "to": "06:00", "zone": "UTC"})
    sunday, monday = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    assert is_open(times, sunday.replace(hour=22))
    assert is_open(times, monday.replace(hour=5, minute=59))
    assert not is_open(times, monday.replace(hour=6))
    assert not is_open(times, monday.replace(hour=22))
    assert not is_open(times, sunday.replace(hour=5))


def test_any_of_several_windows_is_enough():
    condition = condition_of(
        times=[
            {"to": "01:00", "zone": "UTC"},
            {"from": "08:00", "to": "10:00", "zone": "UTC"},
        ]
    )
    assert condition.judge(subject(at=AT.replace(hour=9))) is Outcome.MATCHED
    assert condition.judge(subject(at=AT.replace(hour=0))) is Outcome.MATCHED
    assert condition.judge(subject(at=AT.replace(hour=5))) is Outcome.NOT_MATCHED


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def _berlin(at: datetime) -> datetime:
    """Berlin's clocks from the law (EU 2000/84/EC), without a time zone database."""
    begins, ends = _last_sunday(at.year, 3), _last_sunday(at.year, 10)
    summer = (
        datetime(at.year, 3, begins.day, 1, tzinfo=UTC)
        <= at
        < datetime(at.year, 10, ends.day, 1, tzinfo=UTC)
    )
    return (at + timedelta(hours=2 if summer else 1)).replace(tzinfo=None)


def _clock(*parts: int) -> datetime:
    """What a clock shows, of no zone."""
    year, month, day, *rest = parts
    return datetime(year, month, day, *rest, tzinfo=UTC).replace(tzinfo=None)


def _naive(days: list[str], begin: int, end: int, local: datetime) -> bool:
    """Walk the minutes of every day's window and look for this one."""
    minute = local.replace(second=0, microsecond=0)
    for back in (0, 1):
        day = minute.date() - timedelta(days=back)
        name = day.strftime("%a").lower()
        if days and name not in days:
            continue
        length = (end - begin) % 1_440 or 1_440
        first = _clock(day.year, day.month, day.day) + timedelta(minutes=begin)
        if any(first + timedelta(minutes=number) == minute for number in range(length)):
            return True
    return False


CLOCKS = st.integers(0, 1_439)
MOMENTS = st.one_of(
    st.datetimes(_clock(2024, 1, 1), _clock(2028, 1, 1)),
    st.datetimes(_clock(2026, 3, 28, 20), _clock(2026, 3, 30, 4)),
    st.datetimes(_clock(2026, 10, 24, 20), _clock(2026, 10, 26, 4)),
)


@given(
    st.lists(st.sampled_from(["mon", "tue", "sat", "sun"]), max_size=3, unique=True),
    CLOCKS,
    CLOCKS,
    MOMENTS,
)
def test_a_window_agrees_with_a_walk_over_the_minutes(
    days: list[str], begin: int, end: int, moment: datetime
):
    if begin == end:
        return
    text = {"from": f"{begin // 60:02}:{begin % 60:02}", "to": f"{end // 60:02}:{end % 60:02}"}
    times = window(days=days, zone="Europe/Berlin", **text)
    at = moment.replace(tzinfo=UTC)
    assert is_open(times, at) is _naive(days, begin, end, _berlin(at))


@pytest.mark.parametrize(("month", "day"), [(3, 29), (10, 25)])
def test_every_minute_of_the_days_on_which_clocks_change_is_judged_as_clocks_show_it(
    month: int, day: int
):
    times = window(**{"days": ["sun"], "from": "01:30", "to": "02:30", "zone": "Europe/Berlin"})
    start = datetime(2026, month, day - 1, 22, tzinfo=UTC)
    opened = [
        minute
        for minute in range(1_700)
        if is_open(times, start + timedelta(minutes=minute))
        is not _naive(["sun"], 90, 150, _berlin(start + timedelta(minutes=minute)))
    ]
    assert opened == []


def test_a_repeated_hour_counts_twice_and_one_left_out_never_comes():
    times = window(**{"from": "02:00", "to": "03:00", "zone": "Europe/Berlin"})
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    minutes = [timedelta(minutes=number) for number in range(360)]
    assert sum(is_open(times, spring + minute) for minute in minutes) == 0
    assert sum(is_open(times, autumn + minute) for minute in minutes) == 120


NIGHT = rule("night", "deny", times=[{"from": "18:00", "to": "08:00", "zone": "Europe/Berlin"}])


@pytest.mark.parametrize(("hour", "effect"), [(10, Effect.ALLOW), (20, Effect.DENY)])
def test_the_moment_of_the_decision_decides(hour: int, effect: Effect):
    policy = bundle(rule("reads", "allow", topics=["job.*"]), NIGHT)
    decision = evaluate(ask(action=READ), AGENT, policy, at=AT.replace(hour=hour))
    assert decision.effect is effect


BIG = rule("big", "deny", label_threshold={"amount": {"more_than": 1000}})
SMALL = rule("small", "allow", label_threshold={"amount": {"at_most": 1000}})


@pytest.mark.parametrize(
    ("labels", "effect"),
    [
        ({"amount": "5"}, Effect.ALLOW),
        ({"amount": "1000.5"}, Effect.DENY),
        ({"amount": "5 "}, Effect.DENY),
        ({}, Effect.DENY),
    ],
)
def test_what_cannot_be_judged_restricts_and_does_not_loosen(
    labels: dict[str, str], effect: Effect
):
    assert decide(ask(action=READ, labels=labels), bundle(BIG, SMALL)).effect is effect


def _notes(decision: Decision) -> list[str]:
    return [line.note for line in decision.trace if line.source == "rule"]


def test_the_trace_names_the_condition_that_could_not_be_judged():
    decision = decide(ask(action=READ, labels={"amount": "many"}), bundle(BIG))
    assert "cannot be judged: label amount more than 1000" in _notes(decision)


@pytest.mark.parametrize(
    "match",
    [
        {"label_threshold": {"amount": {"at_most": 1000}}},
        {"label_in": {"region": ["eu"]}},
        {"label_not_in": {"region": ["cn"]}},
    ],
)
def test_no_condition_on_a_label_loosens_for_a_registered_tool(match: dict[str, object]):
    policy = bundle(
        rule("pays", "allow", **match),
        rule("ask", "require_approval"),
        strategy="first_match",
        tools={"pay": tool()},
    )
    labels = {"amount": "5", "region": "eu"}
    registered = decide(ask(tool="pay", action=READ, labels=labels), policy)
    assert registered.effect is Effect.REQUIRE_APPROVAL
    assert decide(ask(action=READ, labels=labels), policy).effect is Effect.ALLOW
