"""What the documentation says of races and faults is what is played."""

import re
from pathlib import Path

from tests.integration.slack import (
    test_faults_calls,
    test_faults_link,
    test_races_runs,
    test_races_votes,
)

RACES = (test_races_votes.RACES, test_races_runs.RACES)
FAULTS = (test_faults_calls.FAULTS, test_faults_link.FAULTS)
PAGE = Path(__file__).parents[3] / "docs" / "slack.md"


def test_the_page_says_how_many_races_and_faults_are_played():
    races, faults = (sum(len(table.scenarios) for table in kind) for kind in (RACES, FAULTS))
    played = sum(len(table.cases()) for table in (*RACES, *FAULTS))
    text = PAGE.read_text("utf-8")
    found = re.search(r"(\d+) races and (\d+) faults, (\d+) plays in all", text)
    assert found is not None
    assert [int(number) for number in found.groups()] == [races, faults, played]
    assert races + faults >= 60


def test_every_law_is_told_once():
    told = [said for table in (*RACES, *FAULTS) for said in table.scenarios]
    assert len({*told}) == len(told)
