"""Steps for refusals that come in floods.

Lives here: what a refusal leaves in the log, one by one or as a number, and closing a window.
Must not live here: the arithmetic of a window (``policy.floods``), or who is refused (``steps``).
Law: no refusal is dropped in silence; the one who asked always gets the answer with its code.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from governance.errors import PlacetError
from governance.policy import floods
from governance.policy.decision import Decision
from governance.policy.floods import Flood
from governance.ports import Result, State
from governance.principal import AgentId, TenantId
from governance.tickets import events as ev

T = TypeVar("T")
_MOST_WINDOWS = 32
_NO_WINDOW = frozenset({"default", "fail_mode"})
"""They speak where nothing else does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Whose refusals are counted together, and how many of a window are recorded one by one."""

    tenant: TenantId
    agent: AgentId
    in_full: int
    window_s: int


def rule_of(decision: Decision) -> str:
    """The rule or constraint that a decision is told by; empty where none spoke."""
    return next(iter((*decision.rule_ids, *decision.constraint_ids)), "")


def one_of_many(
    state: State,
    limit: Limit,
    decision: Decision,
    recorded: Result[T],
    counted: T | PlacetError,
    *,
    code: str = "",
) -> Result[T]:
    """A refusal as ``recorded`` has it, or, when its window holds many, ``counted`` and no event.

    ``code`` stands for the rule where it was refused by no rule.
    """
    windows = [
        floods.begun(
            tenant=limit.tenant,
            agent=limit.agent,
            effect=decision.effect,
            rule_id=name,
            at=state.at,
            window_s=limit.window_s,
        )
        for name in _counted_under(decision, code)
    ]
    noted = [
        floods.note(state.floods.get(fresh.key), fresh, state.at, in_full=limit.in_full)
        for fresh in windows
    ]
    first = noted[0]
    if all(each.is_counted for each in noted):
        # in_full is 1 at least: a window that has only just begun is never here.
        return Result(reply=counted, floods={first.flood.key: first.flood})
    ended = tuple(event for each in noted for event in _told(each.ended))
    counters = {each.flood.key: each.flood for each in noted if not each.is_counted}
    return replace(recorded, events=(*ended, *recorded.events), floods=counters)


def _counted_under(decision: Decision, code: str) -> tuple[str, ...]:
    """Whatever refuses, each with a window of its own; the first is what counts are told by.

    A refusal is recorded while any of them has seen few: otherwise an agent could hide one that
    matters behind many that do not, by breaking a small rule as well.
    """
    names = [code or rule_of(decision)]
    for line in decision.trace:
        if line.verdict == decision.effect.value and line.source not in _NO_WINDOW:
            # An id may be the agent's own word, unless it is that of a rule or constraint.
            is_ours = line.source in ("rule", "constraint")
            names.append(line.id if is_ours else f"{line.source} {decision.data_class}")
    return tuple(dict.fromkeys(names))[:_MOST_WINDOWS]


def close_floods(state: State, keys: tuple[str, ...]) -> Result[int]:
    """Tell the windows of refusals that are over; how many were."""
    over = [
        flood
        for key in keys
        if (flood := state.floods.get(key)) is not None and state.at >= flood.ends_at
    ]
    return Result(
        reply=len(over),
        events=tuple(event for flood in over for event in _told(flood)),
        floods=dict.fromkeys((flood.key for flood in over), None),
    )


def _told(flood: Flood | None) -> tuple[ev.RefusalsCoalesced, ...]:
    """What a window that is over leaves in the log."""
    if flood is None or not flood.count:
        return ()
    return (
        ev.RefusalsCoalesced(
            tenant=flood.tenant,
            agent=flood.agent,
            effect=flood.effect,
            rule_id=flood.rule_id,
            count=flood.count,
            first_at=flood.first_at,
            last_at=flood.last_at,
        ),
    )
