"""The one door into the core.

Lives here: what every edge calls: submit, evaluate, vote, handle, clear, redeem, freeze, activate.
Must not live here: a rule of any kind (``steps`` and ``lifecycle`` keep them), nor how anything is
stored, signed or looked up (ports do). Law: Slack, REST, the command line, the clock and the
executor all come in here; no state changes anywhere else.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from governance import ballots, confirmation, reassessment, refusals, steps
from governance.action import ActionRequest, Digests, check_one_target
from governance.digests import digests_of
from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.governing import Governing
from governance.idempotency import Repeats, repeated
from governance.policy.active import ActiveBundle
from governance.policy.explain import Explanation, explain
from governance.policy.facts import Past
from governance.policy.model import Bundle
from governance.ports import Clock, Directory, Ids, Keys, Ledger, Reader, Signer
from governance.preparation import prepare
from governance.principal import Agent, PersonId, TenantId
from governance.sentences import Sentence
from governance.submission import Submission
from governance.tickets import commands as cmd
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Ticket, TicketId, TicketState
from governance.voices import lent_roles, voice_of


class Service(Governing):
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
        bundle: Bundle | ActiveBundle,
        tenant: TenantId,
        repeats: Repeats | None = None,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._clock = clock
        self._signer = signer
        self._directory = directory
        self._ids = ids
        self._active = bundle if isinstance(bundle, ActiveBundle) else ActiveBundle(bundle)
        self._repeats = repeats
        self.tenant = tenant

    @property
    def bundle(self) -> Bundle:
        """The bundle that decides in this process now; take it once for one decision."""
        return self._active.current

    # Deciding

    async def explain(
        self, request: ActionRequest, agent: Agent, *, for_asker: bool = False
    ) -> Explanation:
        """What would be decided now and why, recording nothing and charging nothing.

        Raises:
            Unavailable: ``ledger_unavailable``: the rules look at the past and it cannot be read.
        """
        at, bundle = self._clock.now(), self.bundle
        past = await self.past(request, bundle, at=at)
        return explain(request, agent, bundle, at=at, past=past, for_asker=for_asker)

    async def past(self, request: ActionRequest, bundle: Bundle, *, at: datetime) -> Past:
        """What the rules of ``bundle`` would look at for ``request``, as committed now."""
        if bundle.lookback.is_empty:
            return Past()
        return await self._reader.past(bundle.lookback.wanted_for(request), at)

    async def submit(self, request: ActionRequest, agent: Agent) -> steps.Submitted:
        """Decide a request and open its ticket; a repeated idempotency key finds the first one.

        Raises:
            InvalidInput: ``target_too_broad``, ``too_large``.
            Refused: ``idempotency_conflict``, ``frozen``, ``queue_full``, ``ttl_out_of_range``,
                ``quorum_unreachable``.
            Unavailable: ``ledger_*``, ``snapshot_changed``, ``identity_unavailable``.
        """
        content = request.content.to_bytes()
        check_one_target(request, content)
        digests = digests_of(request, content)
        key = (request.tenant, agent.id, request.idempotency_key)
        digest = digests.request
        if self._repeats is not None:
            known = await repeated(self._repeats, self._reader, key, digest, self._clock.now())
            if known is not None:
                return steps.repeat_of(known)
        given = await self._prepared(request, agent, content, digests)
        may_ask = given.bundle is not None or given.decision.requirement is not None
        keys = Keys(
            idempotency=(given.idempotency,),
            buckets=tuple(demand.key for demand in given.decision.demands),
            pending_of=(given.asker,) if may_ask else (),
            past=given.wanted,
        )
        step = partial(steps.submit, given=given, request_digest=digest)
        submitted = (await self._ledger.commit(keys, step)).reply
        if self._repeats is not None and submitted.ticket_id is not None:
            await self._repeats.tell(key, submitted.ticket_id)
        if submitted.ticket is None and submitted.ticket_id is not None:
            return steps.repeat_of(await self.ticket(submitted.ticket_id))
        return submitted

    async def evaluate(self, request: ActionRequest, agent: Agent) -> steps.Settled:
        """Decide and record without a job.

        Raises:
            Refused: ``frozen``.
            Unavailable: as ``submit``.
        """
        given = await self._prepared(request, agent)
        keys = Keys(
            buckets=tuple(demand.key for demand in given.decision.demands), past=given.wanted
        )
        return (await self._ledger.commit(keys, partial(steps.evaluate, given=given))).reply

    async def _prepared(
        self, request: ActionRequest, agent: Agent, kept: bytes = b"", of: Digests | None = None
    ) -> Submission:
        return await prepare(
            request,
            agent,
            bundle=self.bundle,
            clock=self._clock,
            directory=self._directory,
            ids=self._ids,
            content=kept,
            digests=of,
        )

    async def close_floods(self, keys: tuple[str, ...]) -> int:
        """Record what windows of refusals held that are over; how many were."""
        step = partial(refusals.close_floods, keys=keys)
        return (await self._ledger.commit(Keys(floods=keys), step)).reply

    # Tickets

    async def ticket(self, ticket_id: TicketId) -> Ticket:
        """One ticket of this tenant.

        Raises:
            Refused: ``not_found``.
        """
        ticket = await self._reader.ticket(ticket_id)
        if ticket is None or ticket.ask.tenant != self.tenant:
            raise Refused(Code.NOT_FOUND, Sentence("no ticket {ticket}", ticket=ticket_id))
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
        handled = (await self._ledger.commit(Keys(tickets=(command.ticket_id,)), step)).reply
        is_late = reassessment.is_due(handled.ticket, self.bundle.snapshot)
        if is_late and isinstance(command, _REOPENS):
            # What ran was not judged by a bundle that was activated meanwhile; best done at once.
            with suppress(Unavailable):
                again = await self.reassess(handled.ticket.id)
                return replace(handled, ticket=again.ticket)
        return handled

    async def handle_all(
        self, commands: Sequence[cmd.Command]
    ) -> Sequence[steps.Handled | PlacetError]:
        """Run the clock's commands at once, each on its ticket and by itself; what each came to."""
        step = partial(steps.handle, tenant=self.tenant, contents={})
        items = [(Keys(tickets=(one.ticket_id,)), partial(step, command=one)) for one in commands]
        found = await self._ledger.commit_all(items)
        return [one if isinstance(one, PlacetError) else one.reply for one in found]

    async def reassess(self, ticket_id: TicketId) -> steps.Handled:
        """Judge an open ticket by the active bundle, unless that has judged it already.

        Raises:
            Refused: ``not_found``.
            Unavailable: ``snapshot_changed``: another bundle is active than is loaded here;
                ``policy_unavailable``, ``ledger_*``. Until it is judged it cannot start.
        """
        ticket, bundle = await self.ticket(ticket_id), self.bundle
        if not reassessment.is_due(ticket, bundle.snapshot):
            return steps.Handled(ticket=ticket, is_changed=False)
        content = await self._reader.content(ticket.ask.content_digest)
        given = reassessment.prepare(ticket, content, bundle, self._clock)
        past = None if given.looks_back is None else given.looks_back.wanted
        keys = Keys(tickets=(ticket_id,), past=past)
        return (await self._ledger.commit(keys, partial(reassessment.reassess, given=given))).reply

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
            lending = await self._lending()
            voice = await voice_of(
                ballot, ticket, person, directory=self._directory, lending=lending
            )
        except Refused as refusal:
            # Answered by this very refusal, once it is on record.
            return await self.handle(ballots.attempt(ballot, refusal))
        command = await ballots.signed(
            ballot,
            ticket,
            person,
            directory=self._directory,
            signer=self._signer,
            ids=self._ids,
            clock=self._clock,
            voice=voice,
        )
        comment = ballot.comment.encode("utf-8")
        contents = {command.comment_digest: comment} if comment else {}
        return await self.handle(command, contents=contents)

    async def role_choices(self, ticket_id: TicketId, voter: PersonId) -> ballots.RoleChoices:
        """The roles among which a person has a choice that matters; recorded nowhere.

        Raises:
            Refused, Unavailable: as ``vote``.
        """
        ticket, person = await self.ticket(ticket_id), await self.person(voter)
        lending = await self._lending()
        lent = await lent_roles(ticket, person, directory=self._directory, lending=lending)
        either = replace(person, roles=person.roles | lent)
        return await ballots.role_choices(ticket, either, self._directory)

    async def clear(self, ticket_id: TicketId) -> steps.Handled:
        """Confirm the voters and whoever answers for the request, just before it may start.

        Raises:
            Unavailable: ``identity_unavailable``, or as ``reassess``: it stays approved and
                unconfirmed.
        """
        ticket = (await self.reassess(ticket_id)).ticket
        requirement = ticket.ruling.requirement
        admits = requirement is None or self.bundle.delegation.admits(requirement.tier)
        return await self.handle(
            await confirmation.asked(ticket, self._directory, is_admitted=admits)
        )

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


_REOPENS = (cmd.RecordOutcome, cmd.ResolveUnknown)
"""Commands after which a ticket may be open again that was not while a bundle was activated."""
