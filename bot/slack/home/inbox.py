"""What concerns one person: what waits for them, what they decided, what their agents asked.

Lives here: those facts as values, and the few reads that yield them. Must not live here: how they
look (``home.view``, ``lists``), when they are shown. Law: everything comes from committed state;
one scan serves everybody whose tab is made at that moment; the most urgent is found however many
wait for others; what a list leaves out, it says.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.slack import names
from bot.slack.cards.offers import offered
from governance.control import Control
from governance.delegation import Delegation
from governance.errors import Refused
from governance.ports import Reader, TicketQuery
from governance.principal import Person, PersonId, TenantId
from governance.service import Service
from governance.tickets import lost
from governance.tickets.quorum import tally_with
from governance.tickets.ticket import Ticket, TicketState

LISTED = 1_000
"""So many of what waits for one person are listed, those with the least time left."""
LOOKED_AT = 10_000
"""Waiting tickets that are looked at to find them, the least time left first."""
PAGE = 100
"""Read at once: others have their turn in between."""
RECENT = 300
"""Tickets that needed people and are looked at for what somebody decided or asked."""
_WORDS = frozenset({names.TOOK_EFFECT, names.NO_EFFECT, names.RELEASE_OUTPUT, names.DISCARD_OUTPUT})
"""What is left to people once something ran."""
Key = tuple[int | str, ...]
"""Where an entry stands in its list: pages go on behind one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """A voice in somebody's hands, with the roles that it has now."""

    delegation: Delegation
    roles: frozenset[str]
    barred: frozenset[str] = frozenset()
    """Tiers in which it does not count."""


class Scan:
    """The tickets that a moment's lists are made of; what waits is read as far as it is needed."""

    def __init__(
        self,
        reader: Reader,
        tenant: TenantId,
        *,
        recent: Sequence[Ticket],
        vanished: Sequence[Ticket],
        control: Control,
    ) -> None:
        self._reader = reader
        self._tenant = tenant
        self.recent = recent
        self.vanished = vanished
        self.control = control
        self._seen: list[Ticket] = []
        self._is_whole = False

    async def waiting(self, concerns: Callable[[Ticket], bool]) -> tuple[Sequence[Ticket], bool]:
        """What waits and ``concerns``, the least time left first, and whether there may be more."""
        found: list[Ticket] = []
        start = 0
        while await self._reaches(start):
            page = self._seen[start : start + PAGE]
            found += filter(concerns, page)
            start += len(page)
            if len(found) > LISTED:
                return found[:LISTED], True
        return found, not self._is_whole

    async def _reaches(self, start: int) -> bool:
        """Whether anything waits at that place of the queue, as far as it is looked at."""
        if start < len(self._seen):
            return True
        if self._is_whole or start >= LOOKED_AT:
            return False
        query = TicketQuery(
            tenant=self._tenant,
            states=(TicketState.PENDING,),
            needed_people=True,
            limit=PAGE,
            soonest=True,
            before=self._seen[-1].id if self._seen else None,
        )
        page = await self._reader.tickets(query)
        self._seen += page
        self._is_whole = len(page) < PAGE
        return bool(page)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What concerns ``person`` at one moment."""

    person: Person
    waiting: tuple[Ticket, ...]
    decided: tuple[Ticket, ...]
    asked: tuple[Ticket, ...]
    given: tuple[Delegation, ...]
    taken: tuple[Lent, ...]
    left: tuple[Ticket, ...] = ()
    """What ran and waits for their word: what became of it, or whether its output may be seen."""
    is_cut: bool = False
    """Whether more may wait for this person than are listed."""
    control: Control = field(default_factory=Control)
    """What is frozen."""
    may_delegate: bool = False
    troubles: tuple[str, ...] = ()
    """What is wrong with delivery, each with what helps."""


async def scan(reader: Reader, tenant: TenantId) -> Scan:
    """Everything that waits, what was lately asked of people, and what nobody knows the end of."""
    lately = TicketQuery(tenant=tenant, needed_people=True, limit=RECENT)
    unknown = TicketQuery(tenant=tenant, states=(TicketState.UNKNOWN,), limit=RECENT)
    recent, vanished = await reader.tickets(lately), await reader.tickets(unknown)
    return Scan(reader, tenant, recent=recent, vanished=vanished, control=await reader.control())


async def inbox_of(service: Service, person: Person, seen: Scan) -> Inbox:
    """The part of ``seen`` that concerns ``person``.

    Raises:
        Unavailable: ``identity_unavailable``: whoever lent them a voice cannot be looked up.
    """
    known = await service.delegations(person.id)
    taken = await lent_to(service, person)
    waiting, is_cut = await seen.waiting(lambda one: waits_for(one, person, taken))
    ran = {one.id: one for one in (*seen.vanished, *seen.recent)}.values()
    return Inbox(
        person=person,
        waiting=tuple(sorted(waiting, key=lambda one: urgency(one, person, taken))),
        decided=tuple(one for one in seen.recent if has_decided(one, person)),
        asked=tuple(one for one in seen.recent if person.names & one.ask.excluded),
        given=tuple(one for one in known if one.delegator == person.id),
        taken=taken,
        left=tuple(one for one in ran if awaits_word(one, person)),
        is_cut=is_cut,
        control=seen.control,
        may_delegate=bool(person.roles) and service.bundle.delegation.max_days > 0,
    )


async def lent_to(service: Service, person: Person) -> tuple[Lent, ...]:
    """The voices in this person's hands; one whose own person may not vote has no role.

    Raises:
        Unavailable: ``identity_unavailable``.
    """
    known = await service.delegations(person.id)
    return tuple(
        [
            Lent(
                delegation=one,
                roles=await _roles(service, one),
                barred=service.bundle.delegation.barred,
            )
            for one in known
            if one.delegate == person.id
        ]
    )


async def _roles(service: Service, lent: Delegation) -> frozenset[str]:
    try:
        delegator = await service.person(lent.delegator)
    except Refused:
        return frozenset()
    return frozenset(role for role in delegator.roles if lent.lends(role))


def waits_for(ticket: Ticket, person: Person, taken: Iterable[Lent] = ()) -> bool:
    """Whether this person could vote on it, in their own name or another's, and has not."""
    if ticket.state is not TicketState.PENDING or person.names & ticket.ask.excluded:
        return False
    return ticket.vote_of(person.id) is None and bool(_votes(ticket, person, taken))


def awaits_word(ticket: Ticket, person: Person) -> bool:
    """Whether this person may say what became of its run or its output, and has not."""
    if not _WORDS & {*offered(ticket)} or person.names & ticket.ask.excluded:
        return False
    requirement = ticket.ruling.requirement
    if ticket.state is TicketState.UNKNOWN and lost.has_spoken(ticket, person.names):
        return False
    judges = person.roles if requirement is None else {item.role for item in requirement.roles}
    return bool(person.roles & judges)


def urgency(ticket: Ticket, person: Person, taken: Iterable[Lent] = ()) -> Key:
    """The least time left first, then what lacks nothing but this person's vote."""
    minute = int(ticket.expires_at.timestamp() // 60)
    lacks_more = int(not lacks_only(ticket, person, taken))
    return (minute, lacks_more, _micros(ticket.expires_at), ticket.id)


def lacks_only(ticket: Ticket, person: Person, taken: Iterable[Lent] = ()) -> bool:
    """Whether one vote of this person meets all that is required."""
    requirement = ticket.ruling.requirement
    return requirement is not None and any(
        tally_with(requirement, ticket.votes, voice, role).is_met
        for voice, role in _votes(ticket, person, taken)
    )


def recency(ticket: Ticket) -> Key:
    """The newest first."""
    return (-_micros(ticket.created_at), ticket.id)


def _votes(ticket: Ticket, person: Person, taken: Iterable[Lent]) -> list[tuple[PersonId, str]]:
    """The votes that this person could cast: whose voice, and in which role."""
    requirement = ticket.ruling.requirement
    if requirement is None:
        return []
    voices = [(person.id, person.roles)]
    if requirement.reviewer not in person.names:
        voices += [
            (one.delegation.delegator, one.roles)
            for one in taken
            if requirement.tier not in one.barred
            and requirement.reviewer != one.delegation.delegator
        ]
    heard = {vote.voice for vote in ticket.votes}
    return [
        (voice, item.role)
        for voice, roles in voices
        for item in requirement.roles
        if item.role in roles and voice not in heard and voice not in ticket.ask.excluded
    ]


def has_decided(ticket: Ticket, person: Person) -> bool:
    """Whether this person's vote is on it, or its end was their word."""
    return ticket.vote_of(person.id) is not None or ticket.decided_by in person.names


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
