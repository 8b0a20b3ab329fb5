"""Figures of hand-made logs, each worked out on paper."""

from datetime import timedelta

import pytest

from governance.statistics import (
    Asked,
    End,
    Fact,
    Figures,
    Load,
    Tally,
    percent,
)
from governance.tickets.ticket import Choice
from tests.support.build import T0

DAY = timedelta(days=1)
ASK = "REQUIRE_APPROVAL"


def fact(kind: str, minute: float = 0, ticket: str = "", **more: object) -> Fact:
    at = T0 + timedelta(minutes=minute)
    return Fact(seq=1, at=at, type=kind, ticket_id=ticket, **more)  # type: ignore[arg-type]


def opened(
    minute: float, ticket: str, tier: str = "high", *rules: str, state: str = "PENDING"
) -> Fact:
    named = rules or ("deploys",)
    return fact(
        "TicketOpened", minute, ticket, word=ASK, who=state, tier=tier, rules=named, fired=named
    )


def counted(*facts: Fact, days: int = 1, samples: int = 4) -> Figures:
    tally = Tally(since=T0, until=T0 + days * DAY, samples=samples)
    tally.add(facts)
    return tally.figures()


def test_a_ticket_counts_once_by_its_first_end() -> None:
    found = counted(
        opened(0, "a"),
        opened(1, "b", "high", "deploys", "writes", "deploys"),
        opened(2, "c", "low"),
        opened(3, "d"),
        opened(4, "e"),
        fact("TicketApproved", 10, "a"),
        fact("TicketExpired", 11, "a"),  # approved and never run: people had answered
        fact("TicketRejected", 12, "b"),
        fact("TicketExpired", 13, "c"),
        fact("TicketCancelled", 14, "d"),
        fact("TicketDenied", 15, "unknown"),
    )
    assert found.all.asked == 5
    assert found.all.ended == {
        End.APPROVED: 1,
        End.REJECTED: 1,
        End.EXPIRED: 1,
        End.TAKEN_BACK: 1,
    }
    assert (found.all.waiting, found.all.decided) == (1, 3)
    assert found.tiers["low"].ended == {End.EXPIRED: 1}
    assert found.rules["deploys"].asked == 5
    assert found.rules["writes"].ended == {End.REJECTED: 1}
    assert found.all.waits_s == {600: 1, 660: 1}


def test_what_waits_again_is_in_the_queue_and_not_asked_twice() -> None:
    found = counted(
        opened(0, "a"),
        fact("TicketApproved", 10, "a"),
        fact("TicketRevised", 30, "a"),
        fact("TicketRejected", 60 * 13, "a"),
        opened(60 * 13, "b"),
        fact("QuorumLost", 60 * 14, "b"),  # it waits already
        samples=2,
    )
    assert found.all.asked == 2
    assert found.all.ended == {End.APPROVED: 1}
    assert [(one.waiting, one.oldest_s) for one in found.queue] == [
        (1, 12 * 3600 - 30 * 60),
        (1, 11 * 3600),
    ]


def test_only_what_people_are_asked_about_waits() -> None:
    found = counted(
        opened(0, "a", state="APPROVED"),
        opened(0, "b", state="DENIED"),
        fact("TicketExpired", 5, "a"),
    )
    assert found.all == Asked()
    assert found.effects == {ASK: 2}


def test_decisions_and_rules_that_fired_are_counted_floods_included() -> None:
    found = counted(
        fact("DecisionEvaluated", word="ALLOW", fired=("reads", "all", "all")),
        fact("SubmissionThrottled", word="THROTTLE", fired=("slow",)),
        fact("RefusalsCoalesced", word="THROTTLE", fired=("slow",), count=41),
    )
    assert found.effects == {"ALLOW": 1, "THROTTLE": 42}
    assert found.decisions == 43
    assert found.fired == {"reads": 1, "all": 1, "slow": 42}


def test_runs_and_votes_are_counted_by_outcome_and_person() -> None:
    found = counted(
        fact("ExecutionSucceeded"),
        fact("ExecutionSucceeded"),
        fact("ExecutionFailed"),
        fact("ExecutionLost"),
        fact("VoteCast", who="ben", word=Choice.APPROVE.value),
        fact("VoteCast", who="anna", word=Choice.REJECT.value),
        fact("VoteCast", who="cara", word=Choice.APPROVE.value),
        fact("VoteCast", who="cara", word=Choice.REJECT.value),
    )
    assert found.runs == {"succeeded": 2, "failed": 1, "unknown": 1}
    assert found.loads == (
        Load(person="cara", approvals=1, rejections=1),
        Load(person="anna", approvals=0, rejections=1),
        Load(person="ben", approvals=1, rejections=0),
    )
    assert [load.votes for load in found.loads] == [2, 1, 1]


def test_what_happened_before_the_window_only_says_what_waited() -> None:
    found = counted(
        opened(-60, "a"),
        fact("VoteCast", -30, "a", who="anna", word=Choice.APPROVE.value),
        fact("ExecutionFailed", -20),
        fact("TicketApproved", 60 * 13, "a"),
        fact("ExecutionSucceeded", 60 * 25),  # after it
        samples=2,
    )
    assert (found.all, found.effects, found.runs, found.loads) == (Asked(), {}, {}, ())
    assert [(one.waiting, one.oldest_s) for one in found.queue] == [(1, 13 * 3600), (0, 0)]


def test_the_queue_is_looked_at_at_even_instants_though_nothing_happens() -> None:
    found = counted(opened(0, "a"), days=4)
    assert [one.at for one in found.queue] == [T0 + n * DAY for n in (1, 2, 3, 4)]
    assert [one.oldest_s for one in found.queue] == [n * 86_400 for n in (1, 2, 3, 4)]
    assert [one.waiting for one in found.queue] == [1, 1, 1, 1]


def test_what_happens_at_the_very_instant_is_in_the_sample() -> None:
    found = counted(opened(60 * 6, "a"), fact("TicketApproved", 60 * 12, "a"), samples=4)
    assert [one.waiting for one in found.queue] == [1, 0, 0, 0]


def test_facts_may_come_in_pages() -> None:
    facts = [opened(0, "a"), fact("TicketApproved", 9, "a"), opened(60 * 20, "b")]
    tally = Tally(since=T0, until=T0 + DAY, samples=4)
    for one in facts:
        tally.add([one])
    assert tally.figures() == counted(*facts)


@pytest.mark.parametrize(
    ("waits", "median", "ninety", "all_of_them"),
    [
        ({}, None, None, None),
        ({7: 1}, 7, 7, 7),
        ({1: 1, 2: 1}, 1, 2, 2),
        ({10: 9, 100: 1}, 10, 10, 100),
        ({10: 8, 100: 2}, 10, 100, 100),
        (dict.fromkeys(range(1, 101), 1), 50, 90, 100),
    ],
)
def test_a_percentile_is_the_nearest_rank(
    waits: dict[int, int], median: int | None, ninety: int | None, all_of_them: int | None
) -> None:
    asked = Asked(waits_s=waits)
    assert (asked.wait_s(50), asked.wait_s(90), asked.wait_s(100)) == (median, ninety, all_of_them)
    assert asked.wait_s(0) == (min(waits) if waits else None)


@pytest.mark.parametrize(
    ("part", "whole", "rounded"),
    [(0, 0, 0), (0, 3, 0), (1, 3, 33), (2, 3, 67), (1, 200, 1), (1, 201, 0), (3, 3, 100)],
)
def test_percents_are_rounded_half_up(part: int, whole: int, rounded: int) -> None:
    assert percent(part, whole) == rounded
