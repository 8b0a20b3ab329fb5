"""When people are reminded and who else is told: what a bundle may say, and what it means."""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest

from governance.errors import InvalidInput
from governance.policy.bundle import load
from governance.policy.reminders import QuietHours, Reminders, Step, Timing
from tests.support.build import T0

HOUR = timedelta(hours=1)
BUNDLE: dict[str, Any] = {
    "version": "v1",
    "tiers": {
        "high": {
            "roles": {"operator": {"weight": 1, "min_required": 1}},
            "severity": {"grave": {"ttl": "1h"}},
        }
    },
    "directory": {"roles": {"operator": {}, "manager": {}}},
}
STEP = {"after": "30m", "channel": "C0MANAGERS", "roles": ["manager"], "people": ["slack:T1/U1"]}


def _reminders(section: dict[str, Any]) -> Reminders:
    return load({**deepcopy(BUNDLE), "reminders": section}).reminders


def _pointer(section: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as refusal:
        _reminders(section)
    assert refusal.value.code == "invalid_bundle"
    return refusal.value.pointer


def test_a_bundle_that_says_nothing_reminds_twice_and_escalates_to_nobody() -> None:
    found = load(BUNDLE).reminders
    assert (found.quiet, found.of("high"), found.of("any")) == (None, Timing(), Timing())


def test_a_tier_says_when_how_often_and_whom_else() -> None:
    written = {"before": ["1h", "5m"], "most_a_day": 2, "urgent": True, "steps": [STEP]}
    found = _reminders(
        {"quiet_hours": {"start": "22:00", "end": "07:30"}, "tiers": {"high": written}}
    )
    assert found.quiet == QuietHours(start=1_320, end=450)
    step = Step(after_s=1_800, channel="C0MANAGERS", roles=("manager",), people=("slack:T1/U1",))  # type: ignore[arg-type]
    expected = Timing(before_s=(3_600, 300), most_a_day=2, is_urgent=True, steps=(step,))
    assert found.of("high") == expected


def test_a_level_of_severity_does_as_its_tier_unless_it_is_written() -> None:
    both = {"high": {"before": ["1h"]}, "high/grave": {"before": ["2m"]}}
    assert _reminders({"tiers": {"high": both["high"]}}).of("high/grave").before_s == (3_600,)
    assert _reminders({"tiers": both}).of("high/grave").before_s == (120,)


@pytest.mark.parametrize(
    ("section", "pointer"),
    [
        ({"tiers": {"low": {}}}, "/reminders/tiers/low"),
        ({"tiers": {"built-in": {}}}, "/reminders/tiers/built-in"),
        ({"tiers": {"high": {"before": ["5m", "1h"]}}}, "/reminders/tiers/high/before"),
        ({"tiers": {"high": {"before": ["60m", "1h"]}}}, "/reminders/tiers/high/before"),
        ({"tiers": {"high": {"steps": [{"after": "1m"}]}}}, "/reminders/tiers/high/steps/0"),
        (
            {"tiers": {"high": {"steps": [{"after": "1m", "roles": ["nobody"]}]}}},
            "/reminders/tiers/high/steps/0/roles",
        ),
        ({"tiers": {"high": {"steps": [STEP, STEP]}}}, "/reminders/tiers/high/steps/1/after"),
        (
            {"quiet_hours": {"start": "22:00", "end": "22:00"}},
            "/reminders/quiet_hours/end",
        ),
        ({"quiet_hours": {"start": "24:00", "end": "7:00"}}, "/reminders/quiet_hours/start"),
        ({"tiers": {"high": {"before": []}}, "nagging": True}, "/reminders/nagging"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    section: dict[str, Any], pointer: str
) -> None:
    assert _pointer(section) == pointer


def test_only_the_last_moment_that_has_passed_counts() -> None:
    timing = Timing(before_s=(3_600, 600))
    until = T0 + 4 * HOUR
    told = [
        timing.reminder(T0, until, until - timedelta(seconds=seconds))
        for seconds in (3_601, 3_600, 601, 600, 1)
    ]
    assert told == [0, 1, 1, 2, 2]


def test_nobody_is_reminded_in_the_first_quarter_of_a_life() -> None:
    timing = Timing(before_s=(3_600, 600))
    until = T0 + HOUR
    assert timing.reminder(T0, until, T0) == 0
    assert timing.reminder(T0, until, until - timedelta(seconds=600)) == 2


def test_steps_come_in_turn() -> None:
    timing = Timing(steps=(Step(after_s=60, channel="C1"), Step(after_s=120, channel="C2")))
    assert [timing.step(T0, T0 + timedelta(seconds=s)) for s in (59, 60, 119, 120)] == [0, 1, 1, 2]


def test_it_is_looked_at_again_at_the_next_moment_and_at_the_end() -> None:
    timing = Timing(before_s=(600,), steps=(Step(after_s=60, channel="C1"),))
    until = T0 + HOUR
    looks: list[datetime] = [T0]
    while looks[-1] < until:
        looks.append(timing.following(T0, until, looks[-1]))
    assert looks[1:] == [T0 + timedelta(seconds=60), until - timedelta(seconds=600), until]


@pytest.mark.parametrize(
    ("quiet", "left"),
    [
        (QuietHours(start=1_320, end=420), {1_319: 0, 1_320: 540, 0: 420, 419: 1, 420: 0}),
        (QuietHours(start=60, end=120), {59: 0, 60: 60, 119: 1, 120: 0, 1_439: 0}),
    ],
)
def test_quiet_hours_begin_and_end_to_the_minute_also_over_midnight(
    quiet: QuietHours, left: dict[int, int]
) -> None:
    assert {minute: quiet.minutes_left(minute) for minute in left} == left
