"""Directories: who may vote, from accounts, user groups and the bundle."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bot.identity import (
    LookupFailedError,
    SlackDirectory,
    StaticDirectory,
    Workspace,
    account_problem,
)
from governance.errors import Code, Refused, Unavailable
from governance.policy.model import Members
from governance.principal import PersonId, TenantId
from tests.support.build import FixedClock

TENANT = TenantId("acme")
HOME = Workspace(team_id="T1", enterprise_id="E1")
GOOD = {"id": "U1", "team_id": "T1", "is_email_confirmed": True}


class Accounts:
    """Accounts of a small workspace; counts what it was asked."""

    def __init__(self) -> None:
        self.users: dict[str, Mapping[str, object]] = {
            name: {**GOOD, "id": name} for name in ("U1", "U2", "U3")
        }
        self.groups: dict[str, Sequence[str]] = {"S1": ["U2"]}
        self.asked: list[str] = []
        self.failure = ""

    async def account(self, user_id: str) -> Mapping[str, object]:
        self.asked.append(user_id)
        failure, found = self.failure, self.users.get(user_id)
        for _ in range(5):  # the answer is on its way; what changes now is not in it
            await asyncio.sleep(0)
        if failure or found is None:
            raise LookupFailedError(failure or "user_not_found")
        return found

    async def group_members(self, group_id: str) -> Sequence[str]:
        self.asked.append(group_id)
        if self.failure:
            raise LookupFailedError(self.failure)
        return self.groups[group_id]


def directory(accounts: Accounts, clock: FixedClock | None = None) -> SlackDirectory:
    members = {
        "operator": Members(people=(PersonId("slack:T1/U1"),)),
        "reviewer": Members(people=(PersonId("slack:T1/U3"),), slack_usergroups=("S1",)),
    }
    return SlackDirectory(
        accounts=accounts,
        workspace=HOME,
        members=lambda: members,
        tenant=TENANT,
        clock=clock or FixedClock(),
    )


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"id": "USLACKBOT"}, Code.VOTER_IS_BOT),
        ({"is_bot": True}, Code.VOTER_IS_BOT),
        ({"is_app_user": True}, Code.VOTER_IS_BOT),
        ({"is_workflow_bot": True}, Code.VOTER_IS_BOT),
        ({"is_connector_bot": True}, Code.VOTER_IS_BOT),
        ({"deleted": True}, Code.VOTER_DEACTIVATED),
        ({"is_stranger": True}, Code.VOTER_IS_STRANGER),
        ({"team_id": "T2"}, Code.FOREIGN_TEAM),
        ({"team_id": None}, Code.FOREIGN_TEAM),
        ({"is_restricted": True}, Code.VOTER_IS_GUEST),
        ({"is_ultra_restricted": True}, Code.VOTER_IS_GUEST),
        ({"is_invited_user": True}, Code.VOTER_IS_STRANGER),
        ({"is_email_confirmed": False}, Code.VOTER_IS_STRANGER),
        (
            {"team_id": "T2", "enterprise_user": {"enterprise_id": "E2", "teams": ["T1"]}},
            Code.FOREIGN_TEAM,
        ),
        (
            {"team_id": "T2", "enterprise_user": {"enterprise_id": "E1", "teams": ["T2"]}},
            Code.FOREIGN_TEAM,
        ),
    ],
)
def test_an_account_that_is_not_a_full_member_of_ours_is_refused(
    flags: dict[str, Any], code: Code
) -> None:
    refusal = account_problem({**GOOD, **flags}, HOME)
    assert refusal is not None
    assert refusal.code is code


@pytest.mark.parametrize(
    "account",
    [
        GOOD,
        {"id": "U1", "team_id": "T1"},
        {"id": "W1", "team_id": "T2", "enterprise_user": {"enterprise_id": "E1", "teams": ["T1"]}},
    ],
)
def test_a_full_member_may_vote_even_where_slack_leaves_flags_out(account: dict[str, Any]) -> None:
    assert account_problem(account, HOME) is None


@pytest.mark.parametrize(
    ("person", "code"),
    [
        ("slack:T1/USLACKBOT", Code.VOTER_IS_BOT),
        ("slack:T2/U1", Code.FOREIGN_TEAM),
        ("slack:NONE/U1", Code.FOREIGN_TEAM),
        ("slack:T1/UNOBODY", Code.VOTER_IS_STRANGER),
        ("oidc:U1", Code.VOTER_IS_STRANGER),
        ("slack:T1", Code.VOTER_IS_STRANGER),
        ("slack:T1/", Code.VOTER_IS_STRANGER),
        ("", Code.VOTER_IS_STRANGER),
    ],
)
async def test_an_id_that_is_no_account_of_ours_is_refused(person: str, code: Code) -> None:
    with pytest.raises(Refused) as refusal:
        await directory(Accounts()).person(PersonId(person))
    assert refusal.value.code is code


async def test_roles_come_from_the_bundle_and_its_groups() -> None:
    people = directory(Accounts())
    assert (await people.person(PersonId("slack:T1/U1"))).roles == {"operator"}
    assert (await people.person(PersonId("slack:T1/U2"))).roles == {"reviewer"}


async def test_an_organisation_id_in_a_group_counts_for_its_account() -> None:
    accounts = Accounts()
    accounts.users["U2"] = {**GOOD, "id": "U2", "enterprise_user": {"id": "W2"}}
    accounts.groups["S1"] = ["W2"]
    assert (await directory(accounts).person(PersonId("slack:T1/U2"))).roles == {"reviewer"}


async def test_eligible_leaves_out_who_may_not_vote() -> None:
    accounts = Accounts()
    accounts.users["U3"] = {**GOOD, "id": "U3", "deleted": True}
    found = await directory(accounts).eligible(["operator", "reviewer", "unknown"])
    assert found == {
        "slack:T1/U1": frozenset({"operator"}),
        "slack:T1/U2": frozenset({"reviewer"}),
    }


async def test_what_cannot_be_looked_up_is_unavailable_and_never_assumed() -> None:
    accounts = Accounts()
    accounts.failure = "internal_error"
    for lookup in (
        directory(accounts).person(PersonId("slack:T1/U1")),
        directory(accounts).eligible(["reviewer"]),
        directory(accounts).eligible(["operator"]),
    ):
        with pytest.raises(Unavailable) as failure:
            await lookup
        assert failure.value.code is Code.IDENTITY_UNAVAILABLE


async def test_a_failure_is_not_kept() -> None:
    accounts = Accounts()
    people = directory(accounts)
    accounts.failure = "internal_error"
    with pytest.raises(Unavailable):
        await people.person(PersonId("slack:T1/U1"))
    accounts.failure = ""
    assert (await people.person(PersonId("slack:T1/U1"))).roles == {"operator"}


async def test_an_account_is_looked_up_once_for_many_at_once_and_anew_when_it_is_old() -> None:
    accounts, clock = Accounts(), FixedClock()
    people = directory(accounts, clock)
    await asyncio.gather(*(people.person(PersonId("slack:T1/U1")) for _ in range(50)))
    assert accounts.asked.count("U1") == 1
    clock.pass_(11)
    await people.person(PersonId("slack:T1/U1"))
    assert accounts.asked.count("U1") == 2


async def test_a_change_is_believed_at_once_even_while_a_lookup_is_under_way() -> None:
    accounts = Accounts()
    people = directory(accounts)
    early = asyncio.ensure_future(people.person(PersonId("slack:T1/U1")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    accounts.users["U1"] = {**GOOD, "deleted": True}
    people.forget(PersonId("slack:T1/U1"))
    await asyncio.gather(early, return_exceptions=True)
    with pytest.raises(Refused) as refusal:
        await people.person(PersonId("slack:T1/U1"))
    assert refusal.value.code is Code.VOTER_DEACTIVATED


async def test_a_static_directory_believes_the_bundle_and_nobody_else() -> None:
    members = {"operator": Members(people=(PersonId("slack:T1/U1"),))}
    people = StaticDirectory(lambda: members, tenant=TENANT, clock=FixedClock())
    assert (await people.person(PersonId("slack:T1/U1"))).roles == {"operator"}
    assert await people.eligible(["operator"]) == {"slack:T1/U1": frozenset({"operator"})}
    assert await people.eligible(["reviewer"]) == {}
    with pytest.raises(Refused) as refusal:
        await people.person(PersonId("slack:T1/U2"))
    assert refusal.value.code is Code.VOTER_IS_STRANGER
