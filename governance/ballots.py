"""From a person's wish to vote to the signed vote.

Lives here: choosing the role, its weight, and the bytes that are signed. Must not live here:
whether the vote counts (``tickets.lifecycle``). Law: a role that the person does not hold is never
attested; what was shown to the person is part of what is signed.
"""

from governance.action import content_digest
from governance.errors import Refused
from governance.ports import Clock, Directory, Ids, Signer
from governance.principal import Eligible, Person
from governance.tickets import commands as cmd
from governance.tickets.binding import SHOWN_DIGITS, vote_message
from governance.tickets.commands import Ballot
from governance.tickets.quorum import choose_role
from governance.tickets.ticket import Ticket, TicketState


async def signed(
    ballot: Ballot,
    ticket: Ticket,
    person: Person,
    *,
    directory: Directory,
    signer: Signer,
    ids: Ids,
    clock: Clock,
) -> cmd.CastVote:
    """The vote that ``person`` casts by ``ballot`` on ``ticket`` as it stands.

    Raises:
        Unavailable: ``identity_unavailable``, or the key cannot be used now.
    """
    requirement = ticket.ruling.requirement
    eligible: Eligible = {}
    role, weight, key_id, signature = "", 0, "", ""
    nonce, at = ids.nonce(), clock.now()
    comment = content_digest(ballot.comment.encode("utf-8")) if ballot.comment else ""
    if requirement is not None and ticket.state is TicketState.PENDING:
        eligible = await directory.eligible([item.role for item in requirement.roles])
        fair = {who: held for who, held in eligible.items() if who not in ticket.ask.excluded}
        chosen = choose_role(requirement, ticket.votes, fair, person.id, person.roles)
        role = ballot.role or chosen or ""
        weight = requirement.weight_of(role) or 0
    if weight and role in person.roles:  # a role that one does not hold is never attested
        message = vote_message(
            binding=ticket.binding,
            choice=ballot.choice,
            person=person.id,
            role=role,
            weight=weight,
            comment_digest=comment,
            at=at,
            nonce=nonce,
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
    )


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
