"""The verifier's own reading of what people say of a run that ended in the dark, and of reminders.

Lives here: what such events presuppose of the ticket that they are on. Must not live here: states
(``tickets``). Law: shares no code with the lifecycle; what is resolved is what those whom
the record names had said, and two of them where the tier asks for two.
"""

from collections.abc import Iterator, Mapping

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


def reminded(told: Mapping[str, Json], spared: set[str], *, is_over: bool) -> Wrong:
    """What is wrong with a reminder; ``spared``: who voted, or has no vote."""
    if is_over:
        yield "expiry", "it reminds of what is over"
    if spared & {*told["people"]}:
        yield "vote", "it reminds somebody who voted or has no vote"


def escalated(told: Mapping[str, Json], body: Mapping[str, Json], *, is_over: bool) -> Wrong:
    """What is wrong with asking others as well."""
    if is_over:
        yield "expiry", "it escalates what is over"
    if any(one["step"] == told["step"] for one in body["escalated"]):
        yield "transition", "this step was taken before"
