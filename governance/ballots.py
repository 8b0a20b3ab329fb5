"""From a person's wish to vote to the signed vote.

Lives here: choosing the role, its weight, and the bytes that are signed. Must not live here:
whether the vote counts (``tickets.lifecycle``). Law: a role that the person does not hold is never
attested; what was shown to the person is part of what is signed.
"""

from governance.digests import content_digest
from governance.errors import Code, Refused, Unavailable
from governance.policy.decision import Requirement, RoleRequirement
from governance.ports import Clock, Directory, Ids, Signer
from governance.principal import Eligible, Person
from governance.tickets import commands as cmd
from governance.tickets import quorum
from governance.tickets.binding import SHOWN_DIGITS, vote_message
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Ticket, TicketState
from governance.voices import Voice, own

RoleChoices = tuple[RoleRequirement, ...]
"""Roles with their weights; empty where there is nothing to choose."""


async def signed(
    ballot: Ballot,
    ticket: Ticket,
    person: Person,
    *,
    directory: Directory,
    signer: Signer,
    ids: Ids,
    clock: Clock,
    voice: Voice | None = None,
) -> cmd.CastVote:
    """The vote that ``person`` casts by ``ballot`` on ``ticket`` as it stands.

    ``voice`` says in whose name; None: in their own.

    Raises:
        Unavailable: ``identity_unavailable`` (also where roles could not be asked for and none
            that votes here is held), or the key cannot be used now.
    """
    requirement, speaks = ticket.ruling.requirement, voice or own(person)
    eligible: Eligible = {}
    role, weight, key_id, signature = "", 0, "", ""
    nonce, at = ids.nonce(), clock.now()
    comment = content_digest(ballot.comment.encode("utf-8")) if ballot.comment else ""
    if requirement is not None and ticket.state is TicketState.PENDING:
        eligible = await directory.eligible([item.role for item in requirement.roles])
        fair = _fair(eligible, ticket)
        chosen = quorum.choose_role(requirement, ticket.votes, fair, speaks.id, speaks.roles)
        role = ballot.role or chosen or ""
        if speaks.delegator is None:
            _check_asked(requirement, ballot, person)
        weight = requirement.weight_of(role) or 0
    if weight and role in speaks.roles:  # a role that one does not hold is never attested
        message = vote_message(
            binding=ticket.binding,
            choice=ballot.choice,
            person=person.id,
            role=role,
            weight=weight,
            comment_digest=comment,
            at=at,
            nonce=nonce,
            delegator=speaks.delegator,
            delegation=speaks.delegation,
        )
        made = await signer.sign(f"vote:{role}", message)
        key_id, signature = made.key_id, made.value
    return cmd.CastVote(
        ticket_id=ticket.id,
        revision=ticket.revision if ballot.revision is None else ballot.revision,
        person=person,
        choice=ballot.choice,
        role=role,
        weight=weight,
        binding=_shown(ballot.binding, ticket.binding),
        signed_at=at,
        nonce=nonce,
        key_id=key_id,
        signature=signature,
        comment_digest=comment,
        eligible=eligible,
        is_role_chosen=ballot.role is not None,
        delegator=speaks.delegator,
        delegation=speaks.delegation,
        lent=frozenset() if speaks.delegator is None else speaks.roles,
        lent_names=frozenset() if speaks.delegator is None else speaks.names,
        is_admitted=speaks.is_admitted,
        snapshot=speaks.snapshot,
    )


async def role_choices(ticket: Ticket, person: Person, directory: Directory) -> RoleChoices:
    """The roles among which ``person`` has a choice that matters, the default one first.

    Raises:
        Unavailable: ``identity_unavailable``.
    """
    requirement = ticket.ruling.requirement
    if requirement is None or ticket.state is not TicketState.PENDING:
        return ()
    names = [item.role for item in requirement.roles]
    if person.names & ticket.ask.excluded or len(person.roles & {*names}) <= 1:
        return ()
    fair = _fair(await directory.eligible(names), ticket)
    return quorum.role_choices(requirement, ticket.votes, fair, person.id, person.roles)


def _fair(eligible: Eligible, ticket: Ticket) -> Eligible:
    return {who: held for who, held in eligible.items() if who not in ticket.ask.excluded}


def _check_asked(requirement: Requirement, ballot: Ballot, person: Person) -> None:
    """A role that may only be missing because nobody could be asked is not called a wrong one.

    Raises:
        Unavailable: ``identity_unavailable``, with what could not be asked.
    """
    wanted = {ballot.role} if ballot.role else {item.role for item in requirement.roles}
    if person.unasked and not wanted & person.roles:
        raise Unavailable(Code.IDENTITY_UNAVAILABLE, person.unasked)


def attempt(ballot: Ballot, refusal: Refused) -> cmd.RecordRefusal:
    """The record of a person who may not vote and tried to."""
    return cmd.RecordRefusal(
        ticket_id=ballot.ticket_id,
        person=ballot.person_id,
        choice=ballot.choice,
        code=refusal.code,
        reason=refusal.message,
    )


def _shown(claimed: str | None, binding: str) -> str:
    """The binding a person was shown: a long enough prefix of the current one stands for it."""
    if claimed is None or (len(claimed) >= SHOWN_DIGITS and binding.startswith(claimed)):
        return binding
    return claimed
