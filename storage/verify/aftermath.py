"""The verifier's own reading of what people say of a run that ended in the dark, and of reminders.

Lives here: what such events presuppose of the ticket that they are on. Must not live here: states
(``tickets``). Law: shares no code with the lifecycle; what is resolved is what those whom
the record names had said, and two of them where the tier asks for two.
"""

from collections.abc import Iterable, Iterator, Mapping

from storage.verify import values
from storage.verify.chain import Json

Wrong = Iterator[tuple[str, str]]
"""A code and what is wrong."""


def resolved(told: Mapping[str, Json], body: Mapping[str, Json], requirement: Json) -> Wrong:
    """What is wrong with saying what became of a run."""
    if "people" not in told:
        return  # records of version 1 rest on one person's word
    said = [one for one in body["attested"] if one["took_effect"] is told["took_effect"]]
    named = {*told["people"]}
    if not {told["person"]} <= named <= {one["person"] for one in said}:
        yield "decision", "not what those whom it names said"
    if values.asks_for_two(requirement) and len(named) <= 1:
        yield "decision", "its tier asks for a second person's word"


def reminded(
    told: Mapping[str, Json], voters: Iterable[str], ask: Mapping[str, Json], *, is_over: bool
) -> Wrong:
    """What is wrong with a reminder."""
    if is_over:
        yield "expiry", "it reminds of what is over"
    if {*voters, *ask["owners"], ask["on_behalf_of"]} & {*told["people"]}:
        yield "vote", "it reminds somebody who voted or has no vote"


def told_of_lost(
    told: Mapping[str, Json], body: Mapping[str, Json], ask: Mapping[str, Json]
) -> Wrong:
    """What is wrong with telling people that nobody knows what became of a run."""
    is_disputed = len({one["took_effect"] for one in body["attested"]}) > 1
    said = set() if is_disputed else {one["person"] for one in body["attested"]}
    if {*said, *ask["owners"], ask["on_behalf_of"]} & {*told["people"]}:
        yield "vote", "it asks somebody who said it or whose word does not count"
    lost_at = (body["run"] or {"lease_until": ""})["lease_until"]
    had = [one for one in body["reminders"] if one["at"] >= lost_at]
    for one in had:
        if one["number"] >= told["number"] and {*one["people"]} & {*told["people"]}:
            yield "decision", "it tells somebody twice at one moment"


def escalated(told: Mapping[str, Json], body: Mapping[str, Json], *, is_over: bool) -> Wrong:
    """What is wrong with asking others as well."""
    if is_over:
        yield "expiry", "it escalates what is over"
    if any(one["step"] == told["step"] for one in body["escalated"]):
        yield "transition", "this step was taken before"
