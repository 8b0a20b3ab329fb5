"""Who people are: Slack accounts and a bundle's directory, resolved to persons with roles.

Lives here: ``SlackDirectory`` and ``StaticDirectory`` behind the core's ``Directory`` port.
Must not live here: votes, weights. Law: it fails closed: an account that is not certainly a full
member of our own workspace has no vote, and what cannot be looked up is refused, never assumed.
User groups are only as trustworthy as the workspace's setting for who may edit them; pin people in
the bundle where that is not enough.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.lookups import Lookups
from governance.errors import Code, Refused, Unavailable
from governance.policy.model import Members
from governance.ports import Clock
from governance.principal import Eligible, Person, PersonId, TenantId

PERSON_TTL_S = 10
"""Age up to which an account is believed when its owner acts; ``user_change`` ends it early."""
ELIGIBLE_TTL_S = 300
"""The same for counting who could vote, which decides nothing by itself."""
GROUP_TTL_S = 60
_AT_ONCE = 8
_SLACKBOT = "USLACKBOT"
_BOT_FLAGS = ("is_bot", "is_app_user", "is_workflow_bot", "is_connector_bot")
_GUEST_FLAGS = ("is_restricted", "is_ultra_restricted")
_NOBODY = frozenset({"user_not_found", "user_not_visible", "users_not_found"})


class LookupFailedError(Exception):
    """A lookup did not succeed; ``code`` is Slack's word for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Accounts(Protocol):
    """What a directory asks of a workspace."""

    async def account(self, user_id: str) -> Mapping[str, object]:
        """One account as ``users.info`` describes it.

        Raises:
            LookupFailedError: there is none, or Slack did not answer.
        """
        ...

    async def group_members(self, group_id: str) -> Sequence[str]:
        """User ids of a user group.

        Raises:
            LookupFailedError: Slack did not answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Whose accounts are ours: the team, and its Enterprise Grid organisation if it has one."""

    team_id: str
    enterprise_id: str = ""


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
    ) -> None:
        self._workspace = workspace
        self._members = members
        self._tenant = tenant
        self._clock = clock
        self._person_ttl_s = person_ttl_s
        self._accounts = Lookups(clock, accounts.account)
        self._groups = Lookups(clock, accounts.group_members)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def forget(self, person_id: PersonId) -> None:
        """Look this person up anew next time."""
        self._accounts.forget(person_id.rpartition("/")[2])

    def forget_groups(self) -> None:
        """Look every user group up anew next time."""
        self._groups.clear()

    async def person(self, person_id: PersonId) -> Person:
        """A person who may act, with their roles.

        Raises:
            Refused: the account may not vote, and why, by code.
            Unavailable: ``identity_unavailable``.
        """
        account = await self._checked(person_id, ttl_s=self._person_ttl_s)
        ids = _ids_of(account)
        roles: set[str] = set()
        for role, held in self._members().items():
            named = {other.rpartition("/")[2] for other in held.people if self._is_ours(other)}
            if person_id in held.people or named & ids or await self._is_in(held, ids):
                roles.add(role)
        return Person(
            id=person_id,
            tenant=self._tenant,
            roles=frozenset(roles),
            resolved_at=self._clock.now(),
        )

    async def eligible(self, roles: Sequence[str]) -> Eligible:
        """The people who hold any of ``roles`` and may vote.

        Raises:
            Unavailable: ``identity_unavailable``.
        """
        held: dict[PersonId, set[str]] = {}
        for role in roles:
            for person_id in await self._holders(role):
                held.setdefault(person_id, set()).add(role)
        people = sorted(held)
        may = await asyncio.gather(*(self._may_vote(person_id) for person_id in people))
        return {
            person_id: frozenset(held[person_id])
            for person_id, is_fit in zip(people, may, strict=True)
            if is_fit
        }

    async def _holders(self, role: str) -> set[PersonId]:
        listed = self._members().get(role)
        if listed is None:
            return set()
        found = set(listed.people)
        for group in listed.slack_usergroups:
            found |= {self._id(user_id) for user_id in await self._group(group)}
        return found

    def _id(self, user_id: str) -> PersonId:
        return PersonId(f"slack:{self._workspace.team_id}/{user_id}")

    def _is_ours(self, person_id: PersonId) -> bool:
        return person_id.startswith(f"slack:{self._workspace.team_id}/")

    async def _is_in(self, held: Members, ids: frozenset[str]) -> bool:
        for group in held.slack_usergroups:
            if ids & set(await self._group(group)):
                return True
        return False

    async def _group(self, group_id: str) -> Sequence[str]:
        try:
            return await self._groups.get(group_id, ttl_s=GROUP_TTL_S)
        except LookupFailedError as error:
            message = f"user group {group_id} could not be looked up: {error.code}"
            raise Unavailable(Code.IDENTITY_UNAVAILABLE, message) from error

    async def _may_vote(self, person_id: PersonId) -> bool:
        try:
            async with self._slots:
                await self._checked(person_id, ttl_s=ELIGIBLE_TTL_S)
        except Refused:
            return False
        return True

    async def _checked(self, person_id: PersonId, *, ttl_s: int) -> Mapping[str, object]:
        kind, _, place = person_id.partition(":")
        team, _, user_id = place.partition("/")
        if kind != "slack" or not user_id:
            raise Refused(Code.VOTER_IS_STRANGER, "this is no Slack account")
        if user_id == _SLACKBOT:
            raise Refused(Code.VOTER_IS_BOT, "Slackbot has no vote")
        if team != self._workspace.team_id:
            raise Refused(Code.FOREIGN_TEAM, f"the account is of workspace {team}")
        try:
            account = await self._accounts.get(user_id, ttl_s=ttl_s)
        except LookupFailedError as error:
            if error.code in _NOBODY:
                raise Refused(Code.VOTER_IS_STRANGER, "no such account here") from error
            message = f"the account could not be looked up: {error.code}"
            raise Unavailable(Code.IDENTITY_UNAVAILABLE, message) from error
        refusal = account_problem(account, self._workspace)
        if refusal is not None:
            raise refusal
        return account


def account_problem(account: Mapping[str, object], workspace: Workspace) -> Refused | None:
    """Why an account may not vote; None for a full, active member of ours.

    The absence of a flag is not held against anybody: Slack leaves several of them out.
    """
    if account.get("id") == _SLACKBOT or any(account.get(flag) for flag in _BOT_FLAGS):
        return Refused(Code.VOTER_IS_BOT, "this account is an app, a bot or a workflow")
    if account.get("deleted"):
        return Refused(Code.VOTER_DEACTIVATED, "this account was deactivated")
    if account.get("is_stranger"):
        return Refused(Code.VOTER_IS_STRANGER, "this account belongs to another organisation")
    if not _is_of(account, workspace):
        return Refused(Code.FOREIGN_TEAM, "this account belongs to another workspace")
    if any(account.get(flag) for flag in _GUEST_FLAGS):
        return Refused(Code.VOTER_IS_GUEST, "this is a guest account")
    if account.get("is_invited_user"):
        return Refused(Code.VOTER_IS_STRANGER, "this account has not accepted its invitation")
    if account.get("is_email_confirmed") is False:
        return Refused(Code.VOTER_IS_STRANGER, "the e-mail address of this account is unconfirmed")
    return None


def _is_of(account: Mapping[str, object], workspace: Workspace) -> bool:
    if account.get("team_id") == workspace.team_id:
        return True
    if not workspace.enterprise_id:
        return False
    enterprise = account.get("enterprise_user")
    if not isinstance(enterprise, Mapping):
        return False
    teams = enterprise.get("teams")
    is_member = isinstance(teams, Sequence) and workspace.team_id in teams
    return enterprise.get("enterprise_id") == workspace.enterprise_id and is_member


def _ids_of(account: Mapping[str, object]) -> frozenset[str]:
    """Every id of one account: Grid has one for the workspace and one for the organisation."""
    enterprise = account.get("enterprise_user")
    other = enterprise.get("id") if isinstance(enterprise, Mapping) else None
    return frozenset(found for found in (account.get("id"), other) if isinstance(found, str))


class StaticDirectory:
    """The people whom a bundle lists, believed as they stand: for a service without Slack."""

    def __init__(
        self, members: Callable[[], Mapping[str, Members]], *, tenant: TenantId, clock: Clock
    ) -> None:
        """``members`` of the bundle that decides when somebody asks."""
        self._tenant = tenant
        self._clock = clock
        self._members = members

    async def person(self, person_id: PersonId) -> Person:
        """A person of the bundle.

        Raises:
            Refused: ``voter_is_stranger``: the bundle does not list this person.
        """
        roles = {role for role, held in self._members().items() if person_id in held.people}
        if not roles:
            raise Refused(Code.VOTER_IS_STRANGER, "the bundle's directory does not list you")
        return Person(
            id=person_id,
            tenant=self._tenant,
            roles=frozenset(roles),
            resolved_at=self._clock.now(),
        )

    async def eligible(self, roles: Sequence[str]) -> Eligible:
        """The people of the bundle who hold any of ``roles``."""
        members = self._members()
        found: dict[PersonId, set[str]] = {}
        for role in set(roles) & members.keys():
            for person_id in members[role].people:
                found.setdefault(person_id, set()).add(role)
        return {person_id: frozenset(held) for person_id, held in found.items()}
