"""Who people are: Slack accounts and a bundle's directory, resolved to persons with roles.

Lives here: ``SlackDirectory`` behind the core's ``Directory`` port.
Must not live here: votes, weights, what an account's fields mean (``account``).
Law: it fails closed: an account that is not certainly a full member of our own workspace has no
vote; one human is one person, whichever of their ids was used; a role whose source cannot be asked
is not had, and that it could not be asked is said. User groups are only as trustworthy as the
workspace's setting for who may edit them; pin people in the bundle where that is not enough.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.people.account import (
    SLACKBOT,
    Workspace,
    account_problem,
    confirmed_address,
    human_of,
    ids_of,
    is_known_in,
    of_workspace,
)
from bot.people.directories import (
    Accounts,
    Groups,
    LookupFailedError,
    NoGroups,
    members_in,
    not_asked,
)
from bot.people.lookups import Lookups
from governance.errors import Code, Refused, Unavailable
from governance.policy.model import Members
from governance.ports import Clock
from governance.principal import Eligible, Person, PersonId, TenantId
from governance.sentences import SEVERAL, Sentence, joined

PERSON_TTL_S = 10
"""Age up to which an account is believed when its owner acts; ``user_change`` ends it early."""
FRESH_TTL_S = 2
"""The same when voters are confirmed, which many tickets may ask for at once."""
ELIGIBLE_TTL_S = 300
"""The same for counting who could vote, which decides nothing by itself."""
GROUP_TTL_S = 60
FRESH_GROUP_TTL_S = 10
"""Slack answers twenty questions about user groups a minute."""
ADDRESS_TTL_S = 3_600
"""Whose account an address is; that it is still theirs is checked on the account."""
_AT_ONCE = 8
_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A full member of our workspace."""

    id: PersonId
    ids: frozenset[str]
    address: str


class _NamelessError(Unavailable):
    """An account that was looked up, and Slack did not say whose it is."""


class SlackDirectory:
    """People of one Slack workspace, with the roles that a bundle gives them."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        workspace: Workspace,
        members: Callable[[], Mapping[str, Members]],
        tenant: TenantId,
        clock: Clock,
        person_ttl_s: int = PERSON_TTL_S,
        groups: Groups | None = None,
    ) -> None:
        self._workspace = workspace
        self._members = members
        self._tenant = tenant
        self._clock = clock
        self._person_ttl_s = person_ttl_s
        self._accounts = Lookups(clock, accounts.account)
        self._addresses = Lookups(clock, accounts.account_by_address)
        self._user_groups = Lookups(clock, accounts.group_members)
        self._groups = Lookups(clock, (groups or NoGroups()).addresses)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def belong_to(self, enterprise_id: str) -> None:
        """Take it from Slack which organisation our workspace is part of (empty: of none)."""
        self._workspace = Workspace(team_id=self._workspace.team_id, enterprise_id=enterprise_id)
        self._accounts.clear()

    def forget(self, *ids: str) -> None:
        """Look the account that has any of these ids up anew next time."""
        gone = frozenset(one.rpartition("/")[2] for one in ids)
        for user_id in gone:
            self._accounts.forget(user_id)
        self._accounts.forget_where(lambda account: not gone.isdisjoint(ids_of(account)))
        self._addresses.forget_where(lambda account: not gone.isdisjoint(ids_of(account)))

    async def locale(self, user_id: str) -> str:
        """The locale of an account, however old the account is; empty where Slack does not say.

        Raises:
            Refused, Unavailable: as ``person``.
        """
        account = self._accounts.last(user_id)
        if account is None:
            account = await self._account(user_id, self._workspace.team_id, self._person_ttl_s)
        found = account.get("locale")
        return found if isinstance(found, str) else ""

    def forget_groups(self) -> None:
        """Look every group up anew next time."""
        self._user_groups.clear()
        self._groups.clear()

    async def person(self, person_id: PersonId, *, is_fresh: bool = False) -> Person:
        """A person who may act, with their roles.

        Raises:
            Refused: the account may not vote, and why, by code.
            Unavailable: ``identity_unavailable``.
        """
        ttl_s = FRESH_TTL_S if is_fresh else self._person_ttl_s
        member = await self._member(person_id, ttl_s=ttl_s)
        group_ttl_s = FRESH_GROUP_TTL_S if is_fresh else GROUP_TTL_S
        roles: set[str] = set()
        unasked: list[str] = []
        for role, held in self._members().items():
            try:
                if await self._holds(member, held, ttl_s=group_ttl_s):
                    roles.add(role)
            except Unavailable as error:
                unasked.append(Sentence("role {role}: {why}", role=role, why=error.message))
        return Person(
            id=member.id,
            tenant=self._tenant,
            roles=frozenset(roles),
            resolved_at=self._clock.now(),
            also=frozenset(self._names(member, person_id)),
            unasked=joined(unasked, SEVERAL) if unasked else "",
        )

    async def eligible(self, roles: Sequence[str]) -> Eligible:
        """The people who hold any of ``roles`` and may vote.

        Raises:
            Unavailable: ``identity_unavailable``.
        """
        members = self._members()
        wanted = {role: members[role] for role in roles if role in members}
        named = await asyncio.gather(*(self._candidates(held) for held in wanted.values()))
        candidates = sorted(set().union(*named))
        old = (one for one in candidates if not self._is_known(one))
        await asyncio.gather(*(self._fit(one) for one in old))  # these together, the rest at once
        eligible: dict[PersonId, frozenset[str]] = {}
        for person_id in candidates:
            member = await self._fit(person_id)
            if member is not None and member.id not in eligible:
                held_roles = [
                    role
                    for role, held in wanted.items()
                    if await self._holds(member, held, ttl_s=ELIGIBLE_TTL_S, is_count=True)
                ]
                if held_roles:
                    eligible[member.id] = frozenset(held_roles)
        return eligible

    async def _candidates(self, held: Members) -> set[PersonId]:
        """Everybody who might hold a role by ``held``, each by one of their ids."""
        found = set(held.people)
        for group in held.slack_usergroups:
            members = await self._user_group(group, GROUP_TTL_S, is_count=True)
            found |= {self._id(user_id) for user_id in members}
        addresses = {*held.emails}
        for name in held.directory_groups:
            addresses |= await self._group(name, GROUP_TTL_S, is_count=True)
        by_address = await asyncio.gather(*(self._owner(address) for address in sorted(addresses)))
        return found | {self._id(user_id) for user_id in by_address if user_id}

    async def _holds(
        self, member: _Member, held: Members, *, ttl_s: int, is_count: bool = False
    ) -> bool:
        """Whether ``member`` is among ``held``; what suffices is not asked beyond.

        Raises:
            Unavailable: ``identity_unavailable``: a source could not be asked and no other says so.
        """
        if not member.ids.isdisjoint(_pinned(held.people, self._places)) or (
            member.address and member.address in held.emails
        ):
            return True
        unasked: list[str] = []
        for group_id in held.slack_usergroups:
            try:
                if member.ids & await self._user_group(group_id, ttl_s, is_count=is_count):
                    return True
            except Unavailable as error:
                unasked.append(error.message)
        for name in held.directory_groups if member.address else ():
            try:
                if member.address in await self._group(name, ttl_s, is_count=is_count):
                    return True
            except Unavailable as error:
                unasked.append(error.message)
        if unasked:
            raise Unavailable(Code.IDENTITY_UNAVAILABLE, joined(unasked, SEVERAL))
        return False

    def _id(self, user_id: str) -> PersonId:
        return PersonId(f"slack:{self._workspace.team_id}/{user_id}")

    def _names(self, member: _Member, asked: PersonId) -> Iterable[PersonId]:
        """Every way in which a bundle or a credential may have written this person's id."""
        names = {PersonId(f"slack:{place}/{own}") for place in self._places for own in member.ids}
        return (names | {asked}) - {member.id}

    @property
    def _places(self) -> frozenset[str]:
        """Whose ids are ours: the workspace's and the organisation's."""
        return frozenset({self._workspace.team_id, self._workspace.enterprise_id} - {""})

    async def _user_group(
        self, group_id: str, ttl_s: int, *, is_count: bool = False
    ) -> frozenset[str]:
        what = Sentence("user group {name}", name=group_id)
        return await members_in(self._user_groups, group_id, what, ttl_s=ttl_s, is_count=is_count)

    async def _group(self, name: str, ttl_s: int, *, is_count: bool = False) -> frozenset[str]:
        what = Sentence("directory group {name}", name=name)
        return await members_in(self._groups, name, what, ttl_s=ttl_s, is_count=is_count)

    async def _owner(self, address: str) -> str:
        """The id of the account with this address; empty: there is none."""
        try:
            async with self._slots:
                account = await self._addresses.get(address, ttl_s=ADDRESS_TTL_S)
        except LookupFailedError as error:
            if error.code in _NOBODY:
                return ""
            raise not_asked(Sentence("address {name}", name=address), error) from error
        return human_of(account)

    def _is_known(self, person_id: PersonId) -> bool:
        user_id = person_id.rpartition("/")[2]
        return self._accounts.is_fresh(user_id, ttl_s=ELIGIBLE_TTL_S)

    async def _fit(self, person_id: PersonId) -> _Member | None:
        try:
            async with self._slots:
                return await self._member(person_id, ttl_s=ELIGIBLE_TTL_S)
        except (Refused, _NamelessError):
            return None

    async def _member(self, person_id: PersonId, *, ttl_s: int) -> _Member:
        kind, _, place = person_id.partition(":")
        team, _, user_id = place.partition("/")
        if kind != "slack" or not user_id:
            raise Refused(Code.VOTER_UNKNOWN, Sentence("this is no Slack account"))
        if user_id == SLACKBOT:
            raise Refused(Code.VOTER_IS_BOT, Sentence("Slackbot has no vote"))
        account = await self._account(user_id, team, ttl_s)
        problem = account_problem(account, self._workspace)
        if isinstance(problem, Unavailable):
            raise _NamelessError(problem.code, problem.message)
        if problem is not None:
            raise problem
        if not is_known_in(account, team):
            raise of_workspace(team)
        return _Member(
            id=self._id(human_of(account)),
            ids=ids_of(account) | {user_id},
            address=confirmed_address(account),
        )

    async def _account(self, user_id: str, team: str, ttl_s: int) -> Mapping[str, object]:
        try:
            return await self._accounts.get(user_id, ttl_s=ttl_s)
        except LookupFailedError as error:
            if error.code in _NOBODY:
                if team in self._places:
                    raise Refused(Code.VOTER_UNKNOWN, Sentence("no such account here")) from error
                raise of_workspace(team) from error
            message = Sentence("the account could not be looked up: {code}", code=error.code)
            raise Unavailable(Code.IDENTITY_UNAVAILABLE, message) from error


@lru_cache(256)
def _pinned(people: tuple[PersonId, ...], places: frozenset[str]) -> frozenset[str]:
    """User ids of those who are named by an id of these places: the same lists again and again."""
    split = (person_id.removeprefix("slack:").partition("/") for person_id in people)
    return frozenset(user_id for place, _, user_id in split if place in places)
