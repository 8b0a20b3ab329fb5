"""Directories: who may vote, from accounts, user groups, addresses, groups and the bundle."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bot.people.account import Workspace, account_problem, confirmed_address
from bot.people.directories import LookupFailedError
from bot.people.identity import SlackDirectory
from bot.people.static_directory import StaticDirectory
from governance.errors import Code, Refused, Unavailable
from governance.policy.model import Members
from governance.principal import PersonId, TenantId
from tests.support.build import FixedClock

TENANT = TenantId("acme")
HOME = Workspace(team_id="T1")
GRID = Workspace(team_id="T1", enterprise_id="E1")
GOOD = {"id": "U1", "team_id": "T1", "is_email_confirmed": True}
OF_ORG = {"id": "W1", "enterprise_id": "E1", "teams": ["T1", "T3"]}


class Accounts:
    """Accounts of a small workspace; counts what it was asked."""

    def __init__(self) -> None:
        self.users: dict[str, Mapping[str, object]] = {
            name: {**GOOD, "id": name} for name in ("U1", "U2", "U3")
        }
        self.groups: dict[str, Sequence[str]] = {"S1": ["U2"]}
        self.asked: list[str] = []
        self.failure = ""
        self.group_failure = ""

    async def account(self, user_id: str) -> Mapping[str, object]:
        self.asked.append(user_id)
        failure, found = self.failure, self.users.get(user_id)
        for _ in range(5):  # the answer is on its way; what changes now is not in it
            await asyncio.sleep(0)
        if failure or found is None:
            raise LookupFailedError(failure or "user_not_found")
        return found

    async def account_by_address(self, address: str) -> Mapping[str, object]:
        self.asked.append(address)
        for user in self.users.values():
            profile = user.get("profile")
            if isinstance(profile, Mapping) and str(profile["email"]).lower() == address:
                return user
        raise LookupFailedError(self.failure or "users_not_found")

    async def group_members(self, group_id: str) -> Sequence[str]:
        self.asked.append(group_id)
        if self.failure or self.group_failure:
            raise LookupFailedError(self.failure or self.group_failure)
        return self.groups[group_id]


class Company:
    """A company's directory of groups."""

    def __init__(self) -> None:
        self.groups: dict[str, Sequence[str]] = {"Payments": ["una@example.com"]}
        self.failure = ""

    async def addresses(self, group: str) -> Sequence[str]:
        if self.failure:
            raise LookupFailedError(self.failure)
        return self.groups[group]


MEMBERS = {
    "operator": Members(people=(PersonId("slack:T1/U1"),)),
    "reviewer": Members(people=(PersonId("slack:T1/U3"),), slack_usergroups=("S1",)),
}


def directory(
    accounts: Accounts,
    clock: FixedClock | None = None,
    *,
    workspace: Workspace = HOME,
    members: Mapping[str, Members] | None = None,
    company: Company | None = None,
) -> SlackDirectory:
    return SlackDirectory(
        accounts=accounts,
        workspace=workspace,
        members=lambda: MEMBERS if members is None else members,
        tenant=TENANT,
        clock=clock or FixedClock(),
        groups=company,
    )


def mailed(user_id: str, address: str, **more: Any) -> dict[str, object]:
    return {**GOOD, "id": user_id, "profile": {"email": address}, **more}


async def roles_of(people: SlackDirectory, person: str) -> frozenset[str]:
    return (await people.person(PersonId(person))).roles


async def code_of(people: SlackDirectory, person: str) -> Code:
    with pytest.raises((Refused, Unavailable)) as refusal:
        await people.person(PersonId(person))
    return refusal.value.code


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ({"id": "USLACKBOT"}, Code.VOTER_IS_BOT),
        ({"is_bot": True}, Code.VOTER_IS_BOT),
        ({"is_app_user": True, "is_bot": True}, Code.VOTER_IS_APP),
        ({"is_workflow_bot": True, "is_bot": True}, Code.VOTER_IS_WORKFLOW),
        ({"is_connector_bot": True}, Code.VOTER_IS_WORKFLOW),
        ({"deleted": True}, Code.VOTER_DEACTIVATED),
        ({"is_stranger": True}, Code.VOTER_IS_STRANGER),
        ({"team_id": "T2", "is_stranger": True}, Code.VOTER_IS_STRANGER),
        ({"team_id": "T2", "is_stranger": False}, Code.VOTER_IS_CONNECTED),
        ({"team_id": "T2"}, Code.FOREIGN_TEAM),
        ({"team_id": None}, Code.FOREIGN_TEAM),
        ({"is_restricted": True}, Code.VOTER_IS_GUEST),
        ({"is_ultra_restricted": True}, Code.VOTER_IS_CHANNEL_GUEST),
        ({"is_restricted": True, "is_ultra_restricted": True}, Code.VOTER_IS_CHANNEL_GUEST),
        ({"is_invited_user": True}, Code.VOTER_IS_INVITED),
        ({"is_email_confirmed": False}, Code.VOTER_UNCONFIRMED),
        ({"id": None}, Code.IDENTITY_UNAVAILABLE),
    ],
)
def test_an_account_that_is_not_a_full_member_of_ours_is_refused_by_its_own_code(
    flags: dict[str, Any], code: Code
) -> None:
    refusal = account_problem({**GOOD, **flags}, HOME)
    assert refusal is not None
    assert refusal.code is code


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ({"team_id": "T2", "enterprise_user": {**OF_ORG, "enterprise_id": "E2"}}, "foreign_team"),
        ({"team_id": "T2", "enterprise_user": {**OF_ORG, "teams": ["T2"]}}, "foreign_team"),
        ({"team_id": "T1", "enterprise_user": {**OF_ORG, "teams": ["T2"]}}, "foreign_team"),
        ({"team_id": "T1", "enterprise_user": {**OF_ORG, "teams": "T1"}}, None),
        ({"team_id": "T2", "enterprise_user": {**OF_ORG, "teams": "T1"}}, "foreign_team"),
        ({"team_id": "T1"}, "identity_unavailable"),
        ({"team_id": "T1", "enterprise_user": {**OF_ORG, "id": ""}}, "identity_unavailable"),
    ],
)
def test_in_an_organisation_an_account_must_be_of_it_of_our_workspace_and_say_who_it_is(
    account: dict[str, Any], code: str | None
) -> None:
    problem = account_problem({**GOOD, **account}, GRID)
    assert (problem.code.value if problem else None) == code


@pytest.mark.parametrize(
    ("account", "workspace"),
    [
        (GOOD, HOME),
        ({"id": "U1", "team_id": "T1"}, HOME),
        ({"id": "U1", "team_id": "T3", "enterprise_user": OF_ORG}, GRID),
        ({"id": "W1", "team_id": "E1", "enterprise_user": OF_ORG}, GRID),
    ],
)
def test_a_full_member_may_vote_even_where_slack_leaves_flags_out(
    account: dict[str, Any], workspace: Workspace
) -> None:
    assert account_problem(account, workspace) is None


@pytest.mark.parametrize(
    ("person", "code"),
    [
        ("slack:T1/USLACKBOT", Code.VOTER_IS_BOT),
        ("slack:T2/U1", Code.FOREIGN_TEAM),  # the same user id, of another workspace
        ("slack:T2/UELSE", Code.FOREIGN_TEAM),
        ("slack:NONE/U1", Code.FOREIGN_TEAM),
        ("slack:T1/UNOBODY", Code.VOTER_UNKNOWN),
        ("oidc:U1", Code.VOTER_UNKNOWN),
        ("slack:T1", Code.VOTER_UNKNOWN),
        ("slack:T1/", Code.VOTER_UNKNOWN),
        ("", Code.VOTER_UNKNOWN),
    ],
)
async def test_an_id_that_is_no_account_of_ours_is_refused(person: str, code: Code) -> None:
    assert await code_of(directory(Accounts()), person) is code


async def test_roles_come_from_the_bundle_and_its_groups() -> None:
    people = directory(Accounts())
    assert await roles_of(people, "slack:T1/U1") == {"operator"}
    assert await roles_of(people, "slack:T1/U2") == {"reviewer"}


@pytest.mark.parametrize("asked", ["slack:T1/U2", "slack:T1/W2", "slack:E1/W2", "slack:T3/U2"])
async def test_one_human_of_an_organisation_is_one_person_by_whichever_id(asked: str) -> None:
    accounts = Accounts()
    enterprise = {**OF_ORG, "id": "W2"}
    accounts.users["U2"] = {**GOOD, "id": "U2", "enterprise_user": enterprise}
    accounts.users["W2"] = {**GOOD, "id": "W2", "team_id": "E1", "enterprise_user": enterprise}
    accounts.groups["S1"] = ["W2"]
    found = await directory(accounts, workspace=GRID).person(PersonId(asked))
    assert found.id == "slack:T1/W2"
    assert found.roles == {"reviewer"}
    assert {"slack:E1/W2", asked} <= found.names


async def test_a_bundle_may_name_somebody_by_any_of_their_ids() -> None:
    accounts = Accounts()
    accounts.users["U2"] = {**GOOD, "id": "U2", "enterprise_user": {**OF_ORG, "id": "W2"}}
    accounts.users["W2"] = accounts.users["U2"]
    for named in ("slack:T1/U2", "slack:T1/W2", "slack:E1/W2"):
        members = {"reviewer": Members(people=(PersonId(named),))}
        people = directory(accounts, workspace=GRID, members=members)
        assert await roles_of(people, "slack:T1/U2") == {"reviewer"}
    both = Members(people=(PersonId("slack:T1/U2"), PersonId("slack:E1/W2")))
    people = directory(accounts, workspace=GRID, members={"reviewer": both})
    assert await people.eligible(["reviewer"]) == {"slack:T1/W2": frozenset({"reviewer"})}


async def test_the_organisation_is_learnt_when_the_service_starts() -> None:
    accounts = Accounts()
    accounts.users["U1"] = {**GOOD, "team_id": "T3", "enterprise_user": OF_ORG}
    people = directory(accounts)
    assert await code_of(people, "slack:T1/U1") is Code.FOREIGN_TEAM
    people.belong_to("E1")
    assert (await people.person(PersonId("slack:T3/U1"))).id == "slack:T1/W1"


async def test_a_confirmed_address_has_its_role_whatever_its_case() -> None:
    accounts = Accounts()
    accounts.users["U1"] = mailed("U1", "Una@Example.com")
    members = {"auditor": Members(emails=("una@example.com",))}
    people = directory(accounts, members=members)
    assert await roles_of(people, "slack:T1/U1") == {"auditor"}
    assert await people.eligible(["auditor"]) == {"slack:T1/U1": frozenset({"auditor"})}


@pytest.mark.parametrize(
    "account",
    [
        mailed("U1", "una@example.com", is_email_confirmed=None),
        mailed("U1", "una@example.com", is_email_confirmed="true"),
        mailed("U1", "una@example.com.evil.test"),
        mailed("U1", "\u212ana@example.com"),  # the Kelvin sign, whose lower case is k
        {**GOOD, "profile": {"email": ["una@example.com"]}},
        {**GOOD, "profile": "una@example.com"},
        {**GOOD, "name": "una@example.com", "real_name": "una@example.com"},
    ],
)
async def test_an_address_that_is_not_certainly_theirs_has_no_role(account: dict[str, Any]) -> None:
    accounts = Accounts()
    accounts.users["U1"] = account
    members = {"auditor": Members(emails=("una@example.com", "kna@example.com"))}
    assert await roles_of(directory(accounts, members=members), "slack:T1/U1") == frozenset()


def test_an_unconfirmed_address_is_no_address() -> None:
    assert confirmed_address({"profile": {"email": "a@b.test"}}) == ""
    assert confirmed_address(mailed("U1", "A@b.test")) == "a@b.test"


GROUPED = {"payer": Members(directory_groups=("Payments",))}


async def test_a_member_of_a_directory_group_has_its_role_by_their_confirmed_address() -> None:
    accounts, company = Accounts(), Company()
    accounts.users["U1"] = mailed("U1", "una@example.com")
    accounts.users["U2"] = mailed("U2", "ugo@example.com")
    people = directory(accounts, members=GROUPED, company=company)
    assert await roles_of(people, "slack:T1/U1") == {"payer"}
    assert await roles_of(people, "slack:T1/U2") == frozenset()
    assert await people.eligible(["payer"]) == {"slack:T1/U1": frozenset({"payer"})}


async def test_a_group_of_a_directory_that_is_not_set_up_gives_no_role_and_is_said() -> None:
    accounts = Accounts()
    accounts.users["U1"] = mailed("U1", "una@example.com")
    person = await directory(accounts, members=GROUPED).person(PersonId("slack:T1/U1"))
    assert person.roles == frozenset()
    assert "directory group Payments could not be asked (not_set_up)" in person.unasked


async def test_a_source_that_cannot_be_asked_costs_its_roles_and_no_others() -> None:
    accounts, company = Accounts(), Company()
    accounts.users["U1"] = mailed("U1", "una@example.com")
    company.failure, accounts.group_failure = "http_500", "ratelimited"
    members = {**MEMBERS, **GROUPED}
    person = await directory(accounts, members=members, company=company).person(
        PersonId("slack:T1/U1")
    )
    assert person.roles == {"operator"}
    assert "role payer: directory group Payments could not be asked (http_500)" in person.unasked
    assert "role reviewer: user group S1 could not be asked (ratelimited)" in person.unasked


async def test_who_holds_a_role_anyway_waits_for_no_group() -> None:
    accounts = Accounts()
    accounts.group_failure = "ratelimited"
    person = await directory(accounts).person(PersonId("slack:T1/U3"))
    assert person.roles == {"reviewer"}
    assert person.unasked == ""


@pytest.mark.parametrize("code", ["no_such_subteam", "subteam_not_found"])
async def test_a_disabled_or_deleted_group_gives_nobody_a_role(code: str) -> None:
    accounts = Accounts()
    accounts.group_failure = code
    person = await directory(accounts).person(PersonId("slack:T1/U2"))
    assert (person.roles, person.unasked) == (frozenset(), "")
    company = Company()
    company.failure = "no_such_group"
    accounts.users["U1"] = mailed("U1", "una@example.com")
    people = directory(accounts, members=GROUPED, company=company)
    assert await people.eligible(["payer"]) == {}
    assert (await people.person(PersonId("slack:T1/U1"))).unasked == ""


async def test_eligible_leaves_out_who_may_not_vote() -> None:
    accounts = Accounts()
    accounts.users["U3"] = {**GOOD, "id": "U3", "deleted": True}
    found = await directory(accounts).eligible(["operator", "reviewer", "unknown"])
    assert found == {
        "slack:T1/U1": frozenset({"operator"}),
        "slack:T1/U2": frozenset({"reviewer"}),
    }


async def test_eligible_leaves_out_whose_address_is_somebody_elses_by_now() -> None:
    accounts, clock = Accounts(), FixedClock()
    accounts.users["U1"] = mailed("U1", "una@example.com")
    people = directory(accounts, clock, members={"auditor": Members(emails=("una@example.com",))})
    assert await people.eligible(["auditor"]) == {"slack:T1/U1": frozenset({"auditor"})}
    accounts.users["U1"] = mailed("U1", "other@example.com")
    people.forget("slack:T1/U1")
    assert await people.eligible(["auditor"]) == {}


async def test_an_account_that_hides_whose_it_is_keeps_nobody_else_from_being_asked() -> None:
    accounts = Accounts()
    accounts.users["U1"] = {**GOOD, "enterprise_user": OF_ORG}
    people = directory(accounts, workspace=GRID)
    assert await people.eligible(["operator", "reviewer"]) == {
        "slack:T1/W1": frozenset({"operator"})
    }


async def test_counting_who_could_vote_makes_do_with_an_old_answer_and_voting_does_not() -> None:
    accounts, clock, company = Accounts(), FixedClock(), Company()
    accounts.users["U1"] = mailed("U1", "una@example.com")
    people = directory(accounts, clock, members={**MEMBERS, **GROUPED}, company=company)
    before = await people.eligible(["payer", "reviewer"])
    assert before["slack:T1/U1"] == frozenset({"payer"})
    company.failure, accounts.group_failure = "http_500", "ratelimited"
    clock.pass_(3_599)
    assert await people.eligible(["payer", "reviewer"]) == before
    assert await roles_of(people, "slack:T1/U1") == {"operator"}
    people.forget_groups()
    with pytest.raises(Unavailable):
        await people.eligible(["payer"])


async def test_where_no_directory_is_set_up_its_groups_hinder_nobody() -> None:
    members = {"payer": Members(people=(PersonId("slack:T1/U3"),), directory_groups=("Payments",))}
    found = await directory(Accounts(), members=members).eligible(["payer"])
    assert found == {"slack:T1/U3": frozenset({"payer"})}


async def test_what_cannot_be_looked_up_is_unavailable_and_never_assumed() -> None:
    accounts = Accounts()
    accounts.failure = "internal_error"
    addressed = directory(accounts, members={"auditor": Members(emails=("una@example.com",))})
    for lookup in (
        directory(accounts).person(PersonId("slack:T1/U1")),
        directory(accounts).eligible(["reviewer"]),
        directory(accounts).eligible(["operator"]),
        addressed.eligible(["auditor"]),
    ):
        with pytest.raises(Unavailable) as failure:
            await lookup
        assert failure.value.code is Code.IDENTITY_UNAVAILABLE


async def test_a_failure_is_not_kept() -> None:
    accounts = Accounts()
    people = directory(accounts)
    accounts.failure = "internal_error"
    assert await code_of(people, "slack:T1/U1") is Code.IDENTITY_UNAVAILABLE
    accounts.failure = ""
    assert await roles_of(people, "slack:T1/U1") == {"operator"}


async def test_an_account_is_looked_up_once_for_many_at_once_and_anew_when_it_is_old() -> None:
    accounts, clock = Accounts(), FixedClock()
    people = directory(accounts, clock)
    await asyncio.gather(*(people.person(PersonId("slack:T1/U1")) for _ in range(50)))
    assert accounts.asked.count("U1") == 1
    clock.pass_(11)
    await people.person(PersonId("slack:T1/U1"))
    assert accounts.asked.count("U1") == 2


async def test_whoever_is_confirmed_is_looked_up_anew_though_it_was_done_just_now() -> None:
    accounts, clock = Accounts(), FixedClock()
    people = directory(accounts, clock)
    await people.person(PersonId("slack:T1/U2"))
    clock.pass_(3)
    accounts.users["U2"] = {**GOOD, "id": "U2", "deleted": True}
    assert await roles_of(people, "slack:T1/U2") == {"reviewer"}  # still believed for a click
    with pytest.raises(Refused):
        await people.person(PersonId("slack:T1/U2"), is_fresh=True)
    accounts.users["U2"] = {**GOOD, "id": "U2"}
    accounts.groups["S1"] = []
    clock.pass_(11)
    assert (await people.person(PersonId("slack:T1/U2"), is_fresh=True)).roles == frozenset()


async def test_a_change_is_believed_at_once_even_while_a_lookup_is_under_way() -> None:
    accounts = Accounts()
    people = directory(accounts)
    early = asyncio.ensure_future(people.person(PersonId("slack:T1/U1")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    accounts.users["U1"] = {**GOOD, "deleted": True}
    people.forget("slack:T1/U1")
    await asyncio.gather(early, return_exceptions=True)
    assert await code_of(people, "slack:T1/U1") is Code.VOTER_DEACTIVATED


async def test_a_change_told_by_one_id_is_believed_of_the_other() -> None:
    accounts = Accounts()
    standing = {**GOOD, "id": "U1", "enterprise_user": OF_ORG}
    accounts.users["U1"], accounts.users["W1"] = standing, standing
    people = directory(accounts, workspace=GRID)
    await people.person(PersonId("slack:T1/W1"))
    accounts.users["W1"] = {**standing, "deleted": True}
    people.forget("U1")
    assert await code_of(people, "slack:T1/W1") is Code.VOTER_DEACTIVATED


async def test_a_static_directory_believes_the_bundle_and_nobody_else() -> None:
    members = {"operator": Members(people=(PersonId("slack:T1/U1"),))}
    people = StaticDirectory(lambda: members, tenant=TENANT, clock=FixedClock())
    assert (await people.person(PersonId("slack:T1/U1"))).roles == {"operator"}
    assert await people.eligible(["operator"]) == {"slack:T1/U1": frozenset({"operator"})}
    assert await people.eligible(["reviewer"]) == {}
    with pytest.raises(Refused) as refusal:
        await people.person(PersonId("slack:T1/U2"))
    assert refusal.value.code is Code.VOTER_IS_STRANGER
