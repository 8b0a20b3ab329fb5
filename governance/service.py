"""The one door into the core.

Lives here: what every edge calls: submit, evaluate, vote, handle, clear, redeem, freeze, activate.
Must not live here: a rule of any kind (``steps`` and ``lifecycle`` keep them), nor how anything is
stored, signed or looked up (ports do). Law: Slack, REST, the command line, the clock and the
executor all come in here; no state changes anywhere else.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from governance import steps
from governance.action import ActionRequest, check_one_target, content_digest, request_digest
from governance.errors import Code, Refused
from governance.policy.decision import Decision
from governance.policy.evaluate import evaluate, unavailable
from governance.policy.model import Bundle
from governance.ports import (
    Clock,
    Directory,
    Ids,
    Keys,
    Ledger,
    Reader,
    Signer,
)
from governance.principal import Agent, Eligible, Person, PersonId, TenantId
from governance.tickets import commands as cmd
from governance.tickets.binding import SHOWN_DIGITS, vote_message
from governance.tickets.commands import Ballot
from governance.tickets.quorum import choose_role
from governance.tickets.ticket import Ticket, TicketId, TicketState

DECISION_DEADLINE_S = 2


class Service:
    """The governance core behind one ledger."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        reader: Reader,
        clock: Clock,
        signer: Signer,
        directory: Directory,
        ids: Ids,
        bundle: Bundle,
        tenant: TenantId,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._clock = clock
        self._signer = signer
        self._directory = directory
        self._ids = ids
        self.bundle = bundle
        self.tenant = tenant

    # Deciding

    def explain(self, request: ActionRequest, agent: Agent) -> Decision:
        """What would be decided now, recording nothing."""
        return evaluate(request, agent, self.bundle, at=self._clock.now())

    async def submit(self, request: ActionRequest, agent: Agent) -> steps.Submitted:
        """Decide a request and open its ticket; a repeated idempotency key finds the first one.

        Raises:
            InvalidInput: ``target_too_broad``, ``too_large``.
            Refused: ``idempotency_conflict``, ``frozen``, ``queue_full``, ``ttl_out_of_range``,
                ``quorum_unreachable``.
            Unavailable: ``ledger_*``, ``snapshot_changed``, ``identity_unavailable``.
        """
        check_one_target(request)
        given = await self._prepare(request, agent)
        keys = Keys(
            idempotency=(given.idempotency,),
            buckets=tuple(demand.key for demand in given.decision.demands),
            pending_of=(given.asker,) if given.decision.requirement is not None else (),
        )
        step = partial(steps.submit, given=given, request_digest=request_digest(request))
        submitted = (await self._ledger.commit(keys, step)).reply
        if submitted.ticket is None and submitted.ticket_id is not None:
            ticket = await self.ticket(submitted.ticket_id)
            return replace(submitted, ticket=ticket, effect=ticket.ruling.effect)
        return submitted

    async def evaluate(self, request: ActionRequest, agent: Agent) -> steps.Settled:
        """Decide and record without a job.

        Raises:
            Refused: ``frozen``.
            Unavailable: as ``submit``.
        """
        given = await self._prepare(request, agent)
        keys = Keys(buckets=tuple(demand.key for demand in given.decision.demands))
        return (await self._ledger.commit(keys, partial(steps.evaluate, given=given))).reply

    async def _prepare(self, request: ActionRequest, agent: Agent) -> steps.Submission:
        asked_at = self._clock.now()
        decision = evaluate(request, agent, self.bundle, at=asked_at)
        if steps.is_overdue_answer(asked_at, self._clock.now(), DECISION_DEADLINE_S):
            late = f"no decision within {DECISION_DEADLINE_S} s"
            decision = unavailable(request, agent, self.bundle, late)
        eligible: Eligible = {}
        if decision.requirement is not None:
            roles = [item.role for item in decision.requirement.roles]
            eligible = await self._directory.eligible(roles)
        content = request.content.to_bytes()
        return steps.Submission(
            ticket_id=self._ids.ticket(),
            request=request,
            agent=agent,
            decision=decision,
            content=content,
            content_digest=content_digest(content),
            eligible=eligible,
            max_pending=self.bundle.max_pending,
            max_pending_per_agent=self.bundle.max_pending_per_agent,
        )

    # Tickets

    async def ticket(self, ticket_id: TicketId) -> Ticket:
        """One ticket of this tenant.

        Raises:
            Refused: ``not_found``.
        """
        ticket = await self._reader.ticket(ticket_id)
        if ticket is None or ticket.ask.tenant != self.tenant:
            raise Refused(Code.NOT_FOUND, f"no ticket {ticket_id}")
        return ticket

    async def handle(
        self, command: cmd.Command, *, contents: Mapping[str, bytes] | None = None
    ) -> steps.Handled:
        """Run one command on its ticket; ``contents`` are texts it refers to by digest.

        Raises:
            Refused: what the laws say, by code, after its events (if any) are durable.
            Unavailable: the log could not be written; nothing happened.
        """
        step = partial(steps.handle, command=command, tenant=self.tenant, contents=contents or {})
        return (await self._ledger.commit(Keys(tickets=(command.ticket_id,)), step)).reply

    async def vote(self, ballot: Ballot) -> steps.Handled:
        """Resolve the person, choose and sign a role, and count the vote.

        Raises:
            Refused: every code under "a vote that does not count"; most are recorded.
            Unavailable: ``identity_unavailable``, ``ledger_*``.
        """
        try:
            return await self._vote_once(ballot)
        except Refused as refusal:
            if refusal.code is not Code.ROLE_NO_LONGER_FITS or ballot.role is not None:
                raise
        return await self._vote_once(ballot)  # once more: another vote took the role meanwhile

    async def _vote_once(self, ballot: Ballot) -> steps.Handled:
        ticket = await self.ticket(ballot.ticket_id)
        try:
            person = await self._directory.person(ballot.person_id)
        except Refused as refusal:
            # Answered by this very refusal, once it is on record.
            return await self.handle(_attempt(ballot, refusal))
        command = await self._signed(ballot, ticket, person)
        comment = ballot.comment.encode("utf-8")
        contents = {command.comment_digest: comment} if comment else {}
        return await self.handle(command, contents=contents)

    async def _signed(self, ballot: Ballot, ticket: Ticket, person: Person) -> cmd.CastVote:
        requirement = ticket.ruling.requirement
        eligible: Eligible = {}
        role, weight, key_id, signature = "", 0, "", ""
        nonce, at = self._ids.nonce(), self._clock.now()
        comment = content_digest(ballot.comment.encode("utf-8")) if ballot.comment else ""
        if requirement is not None and ticket.state is TicketState.PENDING:
            eligible = await self._directory.eligible([item.role for item in requirement.roles])
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
            made = await self._signer.sign(f"vote:{role}", message)
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

    async def clear(self, ticket_id: TicketId) -> steps.Handled:
        """Confirm the voters and whoever answers for the request, just before it may start.

        Raises:
            Unavailable: ``identity_unavailable``: it stays approved and unconfirmed.
        """
        ticket = await self.ticket(ticket_id)
        standing: dict[PersonId, frozenset[str]] = {}
        for vote in ticket.votes:
            roles = await self._roles_of(vote.person)
            if roles is not None:
                standing[vote.person] = roles
        withdrawn = None
        for person in sorted(ticket.ask.excluded):
            if await self._is_gone(person):
                withdrawn = person
        return await self.handle(
            cmd.ClearExecution(
                ticket_id=ticket_id,
                revision=ticket.revision,
                standing=standing,
                withdrawn=withdrawn,
            )
        )

    async def _roles_of(self, person_id: PersonId) -> frozenset[str] | None:
        try:
            return (await self._directory.person(person_id)).roles
        except Refused:
            return None

    async def _is_gone(self, person_id: PersonId) -> bool:
        try:
            await self._directory.person(person_id)
        except Refused as refusal:
            return refusal.code is Code.VOTER_DEACTIVATED
        return False

    async def redeem(self, ticket_id: TicketId, agent: Agent, *, digest: str = "") -> Ticket:
        """Hand an approved release to its agent, once, on a fresh clearance.

        Raises:
            Refused: ``not_approved``, ``already_consumed``, ``expired``, ``frozen``, ...
        """
        ticket = await self.ticket(ticket_id)
        if ticket.state is TicketState.APPROVED and ticket.ask.agent == agent.id:
            await self.clear(ticket_id)
        command = cmd.RedeemGrant(
            ticket_id=ticket_id, agent=agent.id, grant_id=self._ids.nonce(), action_digest=digest
        )
        return (await self.handle(command)).ticket

    # Governing

    async def person(self, person_id: PersonId) -> Person:
        """A person as the directory knows them now.

        Raises:
            Refused, Unavailable: as ``Directory.person``.
        """
        return await self._directory.person(person_id)

    async def freeze(self, target: str, person_id: PersonId, reason: str = "") -> bool:
        """Stop an agent or ``all`` at once; False: it was stopped already.

        Raises:
            Refused: an identity code, or ``wrong_role``.
        """
        person = await self._directory.person(person_id)
        step = partial(
            steps.freeze, tenant=self.tenant, target=target, person=person, reason=reason
        )
        return (await self._ledger.commit(Keys(), step)).reply

    async def unfreeze(self, target: str, person_id: PersonId) -> bool:
        """Ask to lift a freeze, or agree as the second person; True: it is lifted.

        Raises:
            Refused: an identity code, ``wrong_role``, or ``not_found``.
        """
        person = await self._directory.person(person_id)
        step = partial(steps.unfreeze, tenant=self.tenant, target=target, person=person)
        return (await self._ledger.commit(Keys(), step)).reply


def _attempt(ballot: Ballot, refusal: Refused) -> cmd.RecordRefusal:
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
