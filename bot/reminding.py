"""Looks at tickets that wait for people, and asks for reminders and steps when their time has come.

Lives here: whom a reminder helps, quiet hours, and when to look again. Must not live here: the
moments (``governance.policy.reminders``), whether one was taken (the lifecycle decides), messages.
Law: it only builds commands; it may look twice or late and nothing is wrong: what it asks for is
a fact once, and nothing is asked for a ticket that is settled.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from bot.delivery import RetryLater
from governance.control import Control
from governance.delegation import in_force
from governance.errors import Unavailable
from governance.policy.decision import Requirement
from governance.policy.reminders import QuietHours, Timing
from governance.ports import Clock, Directory, Reader
from governance.principal import Eligible, PersonId
from governance.service import Service
from governance.tickets import lost
from governance.tickets import nudge_commands as cmd
from governance.tickets.quorum import tally
from governance.tickets.ticket import Ticket, TicketId, TicketState

_LOOK_S = 3_600
"""A ticket that waits is looked at this often at least: a new bundle may say something else."""
_UNKNOWN_S = 60
"""Where people cannot be looked up now."""
_SOONEST = timedelta(seconds=1)


class Zones(Protocol):
    """In which zone people's days are."""

    async def zone(self, person_id: PersonId) -> tzinfo:
        """The zone of one person."""
        ...


class Watch:
    """The worker of ``OwedKind.WATCH``."""

    def __init__(
        self, *, service: Service, reader: Reader, directory: Directory, zones: Zones, clock: Clock
    ) -> None:
        self._service = service
        self._reader = reader
        self._directory = directory
        self._zones = zones
        self._clock = clock

    async def work(self, key: str) -> None:
        """Look at one ticket.

        Raises:
            RetryLater: it still waits, and is to be looked at again.
        """
        ticket = await self._service.ticket(TicketId(key))
        requirement = ticket.ruling.requirement
        now = self._clock.now()
        next_lost_at = lost.following(ticket, now)
        if next_lost_at is not None:
            raise _again(now, min(next_lost_at, await self._told_of_lost(ticket, now)))
        if ticket.state is not TicketState.PENDING or requirement is None:
            return
        if now >= ticket.expires_at:
            return
        reminders = self._service.bundle.reminders
        timing = reminders.of(requirement.tier)
        next_at = timing.following(ticket.created_at, ticket.expires_at, now)
        try:
            ticket = await self._escalated(ticket, timing, now)
            awake_at = await self._reminded(ticket, requirement, timing, now)
        except Unavailable as error:
            raise RetryLater(error.code, after_s=_UNKNOWN_S) from error
        raise _again(now, next_at if awake_at is None else min(next_at, awake_at))

    async def _told_of_lost(self, ticket: Ticket, now: datetime) -> datetime:
        """Tell whoever is awake that nobody knows what became of it; when to look again.

        The moment is a record where people cannot be looked up as well: the channel is told.
        """
        bundle, requirement = self._service.bundle, ticket.ruling.requirement
        timing = bundle.reminders.of("" if requirement is None else requirement.tier)
        roles = [*bundle.directory] if requirement is None else [r.role for r in requirement.roles]
        awake: tuple[PersonId, ...] = ()
        look_at = now + timedelta(seconds=_UNKNOWN_S)
        with contextlib.suppress(Unavailable):
            may_say = sorted(await self._directory.eligible(roles))
            awake, awake_at = await self._awake(may_say, timing, now)
            look_at = awake_at or now + timedelta(seconds=_LOOK_S)
        command = cmd.RemindResolvers(
            ticket_id=ticket.id,
            revision=ticket.revision,
            people=awake,
            most_a_day=timing.most_a_day,
        )
        await self._service.handle(command)
        return look_at

    async def _escalated(self, ticket: Ticket, timing: Timing, now: datetime) -> Ticket:
        for number in range(1, timing.step(ticket.created_at, now) + 1):
            if any(one.step == number for one in ticket.escalated):
                continue
            step = timing.steps[number - 1]
            holders = await self._directory.eligible(step.roles) if step.roles else {}
            command = cmd.EscalateTicket(
                ticket_id=ticket.id,
                revision=ticket.revision,
                step=number,
                channel=step.channel,
                roles=step.roles,
                people=(*step.people, *holders),
            )
            ticket = (await self._service.handle(command)).ticket
        return ticket

    async def _reminded(
        self, ticket: Ticket, requirement: Requirement, timing: Timing, now: datetime
    ) -> datetime | None:
        """Remind who is awake; when the first of the others is, None where there are none."""
        number = timing.reminder(ticket.created_at, ticket.expires_at, now)
        if not number:
            return None
        had = {p for one in ticket.reminders if one.number >= number for p in one.people}
        people = [
            person
            for person in await self._helpful(ticket, requirement, now)
            if person not in had and person not in ticket.ask.excluded
            if ticket.vote_of(person) is None
        ]
        awake, next_at = await self._awake(people, timing, now)
        if awake:
            command = cmd.RemindVoters(
                ticket_id=ticket.id,
                revision=ticket.revision,
                number=number,
                people=awake,
                most_a_day=timing.most_a_day,
            )
            await self._service.handle(command)
        return next_at

    async def _awake(
        self, people: Sequence[PersonId], timing: Timing, now: datetime
    ) -> tuple[tuple[PersonId, ...], datetime | None]:
        """Who of them has no quiet hours now, and when the first of the others has none."""
        quiet = None if timing.is_urgent else self._service.bundle.reminders.quiet
        awake_at = await asyncio.gather(*(self._awake_at(one, quiet, now) for one in people))
        awake = tuple(one for one, at in zip(people, awake_at, strict=True) if at <= now)
        return awake, min((at for at in awake_at if at > now), default=None)

    async def _helpful(
        self, ticket: Ticket, requirement: Requirement, now: datetime
    ) -> Sequence[PersonId]:
        """Whose voice would bring something that is missing, and in whose hands it is."""
        stands = tally(requirement, ticket.votes)
        lacking = tuple(role.role for role in stands.roles if role.missing)
        roles = lacking or tuple(role.role for role in requirement.roles)
        eligible = dict(await self._directory.eligible(roles))
        if stands.awaits_reviewer and requirement.reviewer is not None:
            eligible.setdefault(requirement.reviewer, frozenset(roles))
        spent = ticket.ask.excluded | {vote.voice for vote in ticket.votes}
        voices = {one: held & {*roles} for one, held in eligible.items() if one not in spent}
        if not self._service.bundle.delegation.admits(requirement.tier):
            return sorted(voices)
        lendable = {one: held for one, held in voices.items() if one != requirement.reviewer}
        return sorted({*voices, *_lent(await self._reader.control(), lendable, now)})

    async def _awake_at(
        self, person: PersonId, quiet: QuietHours | None, now: datetime
    ) -> datetime:
        if quiet is None:
            return now
        local = now.astimezone(await self._zones.zone(person))
        left = quiet.minutes_left(local.hour * 60 + local.minute)
        return now if not left else now + timedelta(minutes=left) - timedelta(seconds=local.second)


def _again(now: datetime, at: datetime) -> RetryLater:
    """To look at it again at ``at``, and within an hour."""
    wait = max(at - now, _SOONEST)
    return RetryLater("", after_s=min(wait.total_seconds(), _LOOK_S))


def _lent(control: Control, voices: Eligible, now: datetime) -> set[PersonId]:
    """In whose hands any of these voices is, with a role that would help."""
    return {
        one.delegate
        for one in in_force(control.delegations, now)
        if any(one.lends(role) for role in voices.get(one.delegator, ()))
    }
