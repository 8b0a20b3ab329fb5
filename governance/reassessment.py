"""Open tickets, judged again by a newly activated bundle.

Lives here: what is decided about a ticket before the transaction, and the step inside it.
Must not live here: what follows from the decision (``tickets.lifecycle``), or finding the tickets.
Law: a ticket is judged as if it were asked now, less its own deed; buckets and counts of requests
were charged when it was asked and are not charged again. What cannot be judged again because its
request is not whole on record is denied.
"""

from dataclasses import dataclass

from governance.action import ActionRequest
from governance.errors import Code, Unavailable
from governance.policy.decision import Decision, Effect, TraceLine
from governance.policy.evaluate import evaluate
from governance.policy.facts import Past, Wanted
from governance.policy.model import Bundle
from governance.ports import Clock, Result, State
from governance.preparation import DECISION_DEADLINE_S, is_overdue_answer
from governance.principal import Agent
from governance.recorded import recall
from governance.sentences import Sentence
from governance.steps import Handled, handle
from governance.tickets.commands import ReassessTicket
from governance.tickets.lifecycle import OPEN
from governance.tickets.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class LooksBack:
    """What the decision is made on anew, inside the transaction."""

    request: ActionRequest
    agent: Agent
    wanted: Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassessment:
    """What was decided about a ticket before the transaction."""

    ticket: Ticket
    bundle: Bundle
    decision: Decision
    looks_back: LooksBack | None = None
    """None: no rule of the bundle asks about the past."""


def is_due(ticket: Ticket, snapshot: str) -> bool:
    """Whether the bundle ``snapshot`` has yet to judge ``ticket``."""
    return ticket.state in OPEN and ticket.judged_by != snapshot


def prepare(ticket: Ticket, content: bytes | None, bundle: Bundle, clock: Clock) -> Reassessment:
    """Judge ``ticket`` by ``bundle``; ``content`` are the bytes kept for it, if they still are.

    Raises:
        Unavailable: ``policy_unavailable``: it took too long; until it is judged it cannot start.
    """
    asked_at = clock.now()
    recalled = recall(ticket.ask, content)
    request, agent = recalled.request, recalled.agent
    if request is None or agent is None:
        decision = _lost(bundle, recalled.why_not)
        return Reassessment(ticket=ticket, bundle=bundle, decision=decision)
    decision = evaluate(request, agent, bundle, at=asked_at)
    if is_overdue_answer(asked_at, clock.now(), DECISION_DEADLINE_S):
        late = f"ticket {ticket.id}: no decision within {DECISION_DEADLINE_S} s"
        raise Unavailable(Code.POLICY_UNAVAILABLE, late)
    back = None
    if not bundle.lookback.is_empty:
        wanted = bundle.lookback.wanted_for(request)
        back = LooksBack(request=request, agent=agent, wanted=wanted)
    return Reassessment(ticket=ticket, bundle=bundle, decision=decision, looks_back=back)


def _lost(bundle: Bundle, why: str) -> Decision:
    reason = f"the active policy changed and this cannot be judged again: {why}"
    return Decision(
        effect=Effect.DENY,
        reason=reason,
        snapshot=bundle.snapshot,
        trace=(
            TraceLine(source="fail_mode", id="content", verdict=Effect.DENY.value, note=reason),
        ),
    )


def reassess(state: State, given: Reassessment) -> Result[Handled]:
    """Hold the ticket to what the active bundle says about it."""
    if given.bundle.snapshot != state.control.snapshot:
        message = Sentence("this process's bundle is not the active one; try again")
        return Result(reply=Unavailable(Code.SNAPSHOT_CHANGED, message))
    command = ReassessTicket(ticket_id=given.ticket.id, decision=_decided(state, given))
    return handle(state, command, given.ticket.ask.tenant, {})


def _decided(state: State, given: Reassessment) -> Decision:
    back = given.looks_back
    if back is None:
        return given.decision
    past = Past(
        deeds=tuple(deed for deed in state.past.deeds if deed.ticket_id != given.ticket.id),
        cut=state.past.cut,
        counts=dict.fromkeys(back.wanted.tallies, 0),
    )
    return evaluate(back.request, back.agent, given.bundle, at=state.at, past=past)
