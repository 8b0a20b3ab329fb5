"""Who decides where a tier's own people cannot.

Lives here: the choice among the requirements that a decision offers, by the people there are.
Must not live here: which tier stands in for which (``policy.required``).
Law: a ticket opens with the first requirement whose quorum can be reached, and says so; where none
can be, it is refused with what the first one misses.
"""

from dataclasses import replace

from governance.policy.decision import Decision, Requirement, TraceLine
from governance.principal import Eligible
from governance.tickets.quorum import is_reachable, tally


def escalated(decision: Decision, eligible: Eligible) -> Decision:
    """``decision`` with the first requirement that ``eligible`` can meet, itself where none.

    ``eligible`` has no requester, owner or delegator in it.
    """
    asked = decision.requirement
    if asked is None or is_reachable(asked, (), eligible):
        return decision
    for requirement in decision.instead:
        if is_reachable(requirement, (), eligible):
            return _instead_of(decision, asked, requirement)
    return decision


def _instead_of(decision: Decision, asked: Requirement, chosen: Requirement) -> Decision:
    """``decision`` with ``chosen`` in the place of ``asked``, in its reason and trace."""
    why = f"tier {asked.tier} {tally(asked, ()).sentence()}, and too few could vote"
    line = TraceLine(source="tier", id=chosen.tier, verdict="escalated", note=why)
    return replace(
        decision,
        requirement=chosen,
        risk_tier=chosen.tier,
        sandbox=chosen.sandbox,
        reason=f"{decision.reason} (escalated to tier {chosen.tier}: {why})",
        trace=(*decision.trace, line),
    )


def kept(decision: Decision, before: Requirement | None) -> Decision:
    """``decision`` with the escalation that a ticket was opened with, where it still stands."""
    asked = decision.requirement
    if asked is None or before is None or before.tier == asked.tier:
        return decision
    still = (one for one in decision.instead if one.tier == before.tier)
    chosen = next(still, None)
    return decision if chosen is None else _instead_of(decision, asked, chosen)
