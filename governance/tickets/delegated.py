"""Whether a vote in somebody else's name counts.

Lives here: what such a vote needs when it is cast, when a quorum is counted, and before a run.
Must not live here: who lends what (``governance.delegation``), arithmetic (``quorum``).
Law: one human, one voice on a revision: a person's own vote and the votes in their name are one;
a voice that may not speak on a ticket may not be lent to it; a vote by a delegation that has ended
counts no more.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from governance.delegation import Delegations
from governance.errors import Code
from governance.policy.decision import Requirement
from governance.sentences import Sentence
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets.quorum import tally
from governance.tickets.ticket import Ticket, TicketState, Vote


def stands(vote: Vote, delegations: Delegations, at: datetime) -> bool:
    """Whether what entitled to ``vote`` is still in force; always so for one's own voice."""
    if vote.delegator is None:
        return True
    found = delegations.get(vote.delegation)
    return (
        found is not None
        and at < found.ends_at
        and (found.delegator, found.delegate) == (vote.delegator, vote.person)
        and found.lends(vote.role)
    )


def standing(votes: Iterable[Vote], delegations: Delegations, at: datetime) -> tuple[Vote, ...]:
    """The votes that count at ``at``."""
    return tuple(vote for vote in votes if stands(vote, delegations, at))


def is_met(ticket: Ticket, delegations: Delegations, at: datetime) -> bool:
    """Whether the votes that count at ``at`` meet what the ticket requires."""
    requirement = ticket.ruling.requirement
    counted = standing(ticket.votes, delegations, at)
    return requirement is not None and tally(requirement, counted).is_met


def swept(ticket: Ticket, delegations: Delegations, at: datetime) -> Ticket:
    """``ticket`` without the votes whose delegation has ended, while it is open to votes."""
    kept = standing(ticket.votes, delegations, at)
    if ticket.state is not TicketState.PENDING or len(kept) == len(ticket.votes):
        return ticket
    return replace(ticket, votes=kept)


def dropped(before: Ticket, after: Ticket) -> tuple[ev.QuorumLost, ...]:
    """The event that says which votes ``swept`` took away; none where it took none."""
    gone = tuple(vote.person for vote in before.votes if vote not in after.votes)
    if not gone:
        return ()
    return (ev.QuorumLost(ticket_id=before.id, revision=before.revision, dropped=gone),)


def voice_problem(
    ticket: Ticket,
    requirement: Requirement,
    command: cmd.CastVote,
    delegations: Delegations,
    at: datetime,
) -> tuple[Code, str] | None:
    """Why this voice does not count here: it spoke already, or nobody lent it."""
    if _has_spoken(ticket, command):
        if command.delegator is None:
            return Code.VOICE_USED, Sentence(
                "you voted on ticket {ticket} already, by another hand", ticket=ticket.id
            )
        return Code.VOICE_USED, Sentence(
            "whoever lent you their voice voted on ticket {ticket} already, by another hand",
            ticket=ticket.id,
        )
    if command.delegator is None:
        return None
    if not command.is_admitted:
        return Code.DELEGATION_VOID, Sentence(
            "tier {tier} takes no vote by delegation", tier=requirement.tier
        )
    if requirement.reviewer in command.voice_names | command.person.names:
        return Code.DELEGATION_VOID, Sentence(
            "the named reviewer votes in person and for nobody else"
        )
    found = delegations.get(command.delegation)
    if found is None or at >= found.ends_at:
        return Code.DELEGATION_VOID, Sentence("the delegation is over")
    if (found.delegator, found.delegate) != (command.delegator, command.person.id):
        return Code.DELEGATION_VOID, Sentence("this delegation is not from them to you")
    if not found.lends(command.role):
        return Code.DELEGATION_VOID, Sentence(
            "role {role} is not among what was lent to you", role=command.role
        )
    return None


def _has_spoken(ticket: Ticket, command: cmd.CastVote) -> bool:
    """Whether this voice was heard by another hand than the one that votes now."""
    others = (vote for vote in ticket.votes if vote.person != command.person.id)
    return any(vote.voice in command.voice_names for vote in others)
