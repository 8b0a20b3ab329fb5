"""How votes count.

Lives here: the deciders for votes, their withdrawal, the full view and an approver's stop.
Must not live here: arithmetic (``quorum``), identity (``bot.people``). Law: one person, one vote
per revision, in one role, never on one's own request; every refusal has its own code.
"""

from dataclasses import replace
from datetime import datetime

from governance.delegation import Delegations
from governance.errors import Code
from governance.policy.decision import RejectPolicy, Requirement
from governance.principal import Eligible
from governance.sentences import Sentence
from governance.tickets import commands as cmd
from governance.tickets import delegated
from governance.tickets import events as ev
from governance.tickets._opening import without
from governance.tickets.decided import NOTHING, Decided, is_now, refused
from governance.tickets.quorum import choose_role, is_reachable, tally
from governance.tickets.ticket import Choice, Ticket, TicketState, Vote

MAX_RECORDED_REFUSALS = 100
STOPPED = "stopped"


def cast_vote(
    ticket: Ticket,
    command: cmd.CastVote,
    at: datetime,
    *,
    is_frozen: bool,
    delegations: Delegations,
) -> Decided:
    """Count a vote, and settle the ticket if it is the one that settles it.

    A vote whose delegation has ended goes when the next one comes.
    """
    swept = delegated.swept(ticket, delegations, at)
    decided = _cast(swept, command, at, is_frozen=is_frozen, delegations=delegations)
    if not any(isinstance(event, ev.VoteCast) for event in decided.events):
        return decided
    return replace(decided, events=(*delegated.dropped(ticket, swept), *decided.events))


def _cast(
    ticket: Ticket,
    command: cmd.CastVote,
    at: datetime,
    *,
    is_frozen: bool,
    delegations: Delegations,
) -> Decided:
    earlier = ticket.vote_of(command.person.id)
    if earlier and _is_repeat(earlier, command) and command.revision == ticket.revision:
        return NOTHING  # already counted
    if ticket.state is not TicketState.PENDING:
        return _resolved(ticket, command)
    if at >= ticket.expires_at:
        expired = ev.TicketExpired(ticket_id=ticket.id, revision=ticket.revision)
        return refused(Code.EXPIRED, f"ticket {ticket.id} has expired", expired)
    requirement = ticket.ruling.requirement
    if requirement is None:
        return refused(
            Code.WRONG_STATE, Sentence("ticket {ticket} asks for no votes", ticket=ticket.id)
        )
    problem = (
        _identity_problem(ticket, requirement, command)
        or delegated.voice_problem(ticket, requirement, command, delegations, at)
        or _form_problem(ticket, requirement, command, is_frozen=is_frozen)
    )
    if problem is not None:
        code, reason = problem
        return record_refusal(
            ticket,
            cmd.RecordRefusal(
                ticket_id=ticket.id,
                person=command.person.id,
                choice=command.choice,
                code=code,
                reason=reason,
            ),
        )
    return _count(ticket, requirement, command)


def _is_repeat(earlier: Vote, command: cmd.CastVote) -> bool:
    """Whether ``command`` only says again what counts already; another role is a change."""
    is_same_role = earlier.role == command.role or not command.is_role_chosen
    is_same_voice = earlier.delegator == command.delegator
    return earlier.choice is command.choice and is_same_role and is_same_voice


def _resolved(ticket: Ticket, command: cmd.CastVote) -> Decided:
    code = Code.EXPIRED if ticket.state is TicketState.EXPIRED else Code.ALREADY_RESOLVED
    return refused(code, is_now(ticket))


def _identity_problem(
    ticket: Ticket, requirement: Requirement, command: cmd.CastVote
) -> tuple[Code, str] | None:
    """Why this person's vote cannot count on this ticket."""
    person = command.person
    if command.revision != ticket.revision:
        return (
            Code.SUPERSEDED_REVISION,
            f"you saw revision {command.revision}, ticket {ticket.id} is at {ticket.revision}",
        )
    if command.binding != ticket.binding:
        return Code.BINDING_MISMATCH, f"what was shown is not what ticket {ticket.id} now binds"
    # The human that an agent names is its claim: it may not take a veto away from anybody.
    barred = ticket.ask.excluded if command.choice is Choice.APPROVE else {*ticket.ask.owners}
    if (person.names | command.voice_names) & barred:
        return (
            Code.SELF_APPROVAL_DENIED,
            "you asked for this, or answer for the agent that did: somebody else decides",
        )
    roles = ", ".join(item.role for item in requirement.roles)
    if not any(item.role in command.held for item in requirement.roles):
        return Code.WRONG_ROLE, Sentence(
            "tier {tier} is decided by: {roles}", tier=requirement.tier, roles=roles
        )
    if command.role not in command.held or requirement.weight_of(command.role) is None:
        return Code.WRONG_ROLE, Sentence(
            "you do not hold role {role}; it takes one of: {roles}", role=command.role, roles=roles
        )
    if requirement.weight_of(command.role) != command.weight:
        return Code.ROLE_NO_LONGER_FITS, Sentence(
            "a vote of role {role} has another weight", role=command.role
        )
    return None


def _form_problem(
    ticket: Ticket, requirement: Requirement, command: cmd.CastVote, *, is_frozen: bool
) -> tuple[Code, str] | None:
    """What this vote lacks."""
    if requirement.comment_required and not command.comment_digest:
        return Code.COMMENT_REQUIRED, f"tier {requirement.tier} asks for a comment with each vote"
    if command.choice is Choice.REJECT:
        return None
    if is_frozen:
        return Code.FROZEN, f"{ticket.ask.agent} is frozen: unfreeze it before approving"
    if requirement.step_up:
        return Code.STEP_UP_REQUIRED, f"tier {requirement.tier} needs your passkey"
    if not any(ticket.has_seen_all(name) for name in command.person.names):
        return Code.FULL_VIEW_REQUIRED, "the card shows only a part: open Details to its end first"
    return None


def _count(ticket: Ticket, requirement: Requirement, command: cmd.CastVote) -> Decided:
    eligible = without(command.eligible, ticket.ask)
    others = tuple(vote for vote in ticket.votes if vote.person != command.person.id)
    vote = Vote(
        person=command.person.id,
        role=command.role,
        weight=command.weight,
        choice=command.choice,
        at=command.signed_at,
        nonce=command.nonce,
        key_id=command.key_id,
        signature=command.signature,
        comment_digest=command.comment_digest,
        delegator=command.delegator,
        delegation=command.delegation,
    )
    votes = (*others, vote)
    cast = ev.VoteCast(ticket_id=ticket.id, revision=ticket.revision, vote=vote)
    if command.choice is Choice.REJECT:
        return _rejected(requirement, cast, votes, eligible)
    counted = tally(requirement, votes)
    if counted.is_met:
        approved = ev.TicketApproved(
            ticket_id=ticket.id,
            revision=ticket.revision,
            weight=counted.weight,
            threshold=counted.threshold,
        )
        return Decided(events=(cast, approved))
    if not is_reachable(requirement, votes, eligible):
        better = choose_role(requirement, others, eligible, command.voice, command.held)
        if better not in (None, command.role):
            return refused(
                Code.ROLE_NO_LONGER_FITS,
                Sentence(
                    "vote as {better}: {role} is filled already",
                    better=better or "",
                    role=command.role,
                ),
            )
    return Decided(events=(cast,))


def _rejected(
    requirement: Requirement, cast: ev.VoteCast, votes: tuple[Vote, ...], eligible: Eligible
) -> Decided:
    """A veto ends it; by weight it ends once approval is out of reach."""
    if requirement.reject_policy is RejectPolicy.VETO:
        cause = "veto"
    elif not is_reachable(requirement, votes, eligible):
        cause = "unreachable"
    else:
        return Decided(events=(cast,))
    rejected = ev.TicketRejected(
        ticket_id=cast.ticket_id,
        revision=cast.revision,
        person=cast.vote.person,
        cause=cause,
        comment_digest=cast.vote.comment_digest,
    )
    return Decided(events=(cast, rejected))


def withdraw_vote(ticket: Ticket, command: cmd.WithdrawVote, at: datetime) -> Decided:
    """Take a vote back while nothing is settled."""
    if ticket.state is not TicketState.PENDING:
        return refused(
            Code.ALREADY_RESOLVED,
            Sentence("ticket {ticket} is no longer open to votes", ticket=ticket.id),
        )
    if at >= ticket.expires_at:
        expired = ev.TicketExpired(ticket_id=ticket.id, revision=ticket.revision)
        return refused(Code.EXPIRED, f"ticket {ticket.id} has expired", expired)
    if command.revision != ticket.revision:
        return refused(Code.SUPERSEDED_REVISION, f"ticket {ticket.id} has a newer revision")
    if ticket.vote_of(command.person.id) is None:
        return refused(Code.NO_VOTE, f"you have no vote on ticket {ticket.id}")
    event = ev.VoteWithdrawn(
        ticket_id=ticket.id, revision=ticket.revision, person=command.person.id
    )
    return Decided(events=(event,))


def record_refusal(ticket: Ticket, command: cmd.RecordRefusal) -> Decided:
    """Refuse, leaving one event per person, ticket and code."""
    known = (command.person, command.code.value) in ticket.refusals
    if known or len(ticket.refusals) >= MAX_RECORDED_REFUSALS:
        return refused(command.code, command.reason)
    event = ev.VoteRefused(
        ticket_id=ticket.id,
        revision=ticket.revision,
        person=command.person,
        choice=command.choice,
        code=command.code,
    )
    return refused(command.code, command.reason, event)


def open_full_view(ticket: Ticket, command: cmd.OpenFullView) -> Decided:
    """Note that a person has the whole action before them."""
    if command.revision != ticket.revision:
        return refused(Code.SUPERSEDED_REVISION, f"ticket {ticket.id} has a newer revision")
    already = any(
        view.person == command.person and view.revision == command.revision
        for view in ticket.full_views
    )
    if already or ticket.state is not TicketState.PENDING:
        return NOTHING
    event = ev.FullViewOpened(
        ticket_id=ticket.id,
        revision=ticket.revision,
        person=command.person,
        file_digest=command.file_digest,
    )
    return Decided(events=(event,))


def stop_ticket(ticket: Ticket, command: cmd.StopTicket) -> Decided:
    """An approver takes an approved action back before it starts."""
    requirement = ticket.ruling.requirement
    names = {item.role for item in requirement.roles} if requirement else command.person.roles
    if not names & command.person.roles:
        return refused(Code.WRONG_ROLE, Sentence("only an approver of this ticket may stop it"))
    if ticket.state is TicketState.REJECTED and ticket.note == STOPPED:
        return NOTHING
    if ticket.state is not TicketState.APPROVED:
        return refused(
            Code.WRONG_STATE,
            Sentence("{ticket_is}: there is nothing to stop", ticket_is=is_now(ticket)),
        )
    event = ev.TicketRejected(
        ticket_id=ticket.id,
        revision=ticket.revision,
        person=command.person.id,
        cause=STOPPED,
        comment_digest=command.comment_digest,
    )
    return Decided(events=(event,))
