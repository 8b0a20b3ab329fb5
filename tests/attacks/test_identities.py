"""Threat: somebody votes who must not: a machine, a guest, an outsider, the wrong human.

Every attempt is a real, signed request over HTTP (some over the socket as well). It must end in its
own sentence and leave no vote in the log.
"""

import copy
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from bot.emulator.faults import FaultKind
from bot.emulator.values import UsergroupSeed, WorkspaceSeed
from bot.people.directories import Groups, LookupFailedError
from bot.replies import reply_for
from bot.slack import names
from governance.delegation import Wish
from governance.errors import Code, Refused
from governance.principal import PersonId
from tests.integration.slack.world import (
    AGENT,
    BUNDLE,
    SEED,
    TEAM,
    World,
    _user,
    code_of,
    open_world,
)
from tests.support.signed import FORM, signed

Raw = Mapping[str, Any]
BAD = "U0BAD"
MAIL = "boss@example.com"


class Company:
    """A company's directory of groups."""

    def __init__(self, members: Sequence[str] = (), failure: str = "") -> None:
        self.members, self.failure = members, failure

    async def addresses(self, group: str) -> Sequence[str]:
        if self.failure:
            raise LookupFailedError(self.failure)
        return self.members


@dataclass(frozen=True, kw_only=True)
class Case:
    """One who must not vote: their account, how they come by a role, and what they are told."""

    code: Code
    flags: Raw = field(default_factory=dict)
    role: Raw = field(default_factory=lambda: {"people": [f"slack:{TEAM}/{BAD}"]})
    groups: Sequence[UsergroupSeed] = ()
    company: Groups | None = None
    seed: Raw = field(default_factory=dict)
    before: Callable[[World], Awaitable[None]] | None = None
    """What happens after the person was looked up and before they click."""


def _group(*users: str, **more: Any) -> UsergroupSeed:
    return UsergroupSeed(id="S0EXTRA", handle="extra", name="Extra", users=users, **more)


IN_GROUP: Raw = {"slack_usergroups": ["S0EXTRA"]}
BY_MAIL: Raw = {"emails": [MAIL]}
BY_COMPANY: Raw = {"directory_groups": ["Bosses"]}
GRID: Raw = {"enterprise_id": "E0ORG"}


def _of_org(user_id: str, *teams: str, org: str = "E0ORG") -> Raw:
    return {"enterprise_user": {"id": user_id, "enterprise_id": org, "teams": list(teams)}}


async def _deactivate(world: World) -> None:
    await world.emu.set_user(BAD, deleted=True)


async def _become_guest(world: World) -> None:
    await world.emu.set_user(BAD, is_restricted=True)


async def _leave_group(world: World) -> None:
    await world.emu.set_usergroup("S0EXTRA")


async def _lose_address(world: World) -> None:
    await world.emu.set_user(BAD, email="other@example.com")


async def _fail_accounts(world: World) -> None:
    world.directory.forget(BAD)
    world.emu.faults.add(FaultKind.REFUSED, on="users.info", error="internal_error", times=9)


async def _fail_groups(world: World) -> None:
    world.directory.forget_groups()
    on = "usergroups.users.list"
    world.emu.faults.add(FaultKind.REFUSED, on=on, error="missing_scope", times=9)


async def _fail_company(world: World) -> None:
    world.directory.forget_groups()
    _DEAD.failure = "http_503"


_DEAD = Company([MAIL])

CASES: dict[str, Case] = {
    "a bot that was given a role": Case(code=Code.VOTER_IS_BOT, flags={"is_bot": True}),
    "an app's own account": Case(
        code=Code.VOTER_IS_APP, flags={"is_app_user": True, "is_bot": True}
    ),
    "a workflow": Case(
        code=Code.VOTER_IS_WORKFLOW, flags={"is_workflow_bot": True, "is_bot": True}
    ),
    "a connector": Case(code=Code.VOTER_IS_WORKFLOW, flags={"is_connector_bot": True}),
    "a bot in the right user group": Case(
        code=Code.VOTER_IS_BOT, flags={"is_bot": True}, role=IN_GROUP, groups=[_group(BAD)]
    ),
    "a guest": Case(code=Code.VOTER_IS_GUEST, flags={"is_restricted": True}),
    "a guest in the right user group": Case(
        code=Code.VOTER_IS_GUEST,
        flags={"is_restricted": True},
        role=IN_GROUP,
        groups=[_group(BAD)],
    ),
    "a guest with the right address": Case(
        code=Code.VOTER_IS_GUEST, flags={"is_restricted": True, "email": MAIL}, role=BY_MAIL
    ),
    "a guest of one channel": Case(
        code=Code.VOTER_IS_CHANNEL_GUEST, flags={"is_restricted": True, "is_ultra_restricted": True}
    ),
    "a guest bot": Case(code=Code.VOTER_IS_BOT, flags={"is_restricted": True, "is_bot": True}),
    "a stranger": Case(code=Code.VOTER_IS_STRANGER, flags={"is_stranger": True}),
    "a stranger of another workspace": Case(
        code=Code.VOTER_IS_STRANGER, flags={"is_stranger": True, "team_id": "T0ELSE"}
    ),
    "somebody of another organisation, by Slack Connect": Case(
        code=Code.VOTER_IS_CONNECTED, flags={"is_stranger": False, "team_id": "T0ELSE"}
    ),
    "Slack Connect, in the right user group": Case(
        code=Code.VOTER_IS_CONNECTED,
        flags={"is_stranger": False, "team_id": "T0ELSE"},
        role=IN_GROUP,
        groups=[_group(BAD)],
    ),
    "Slack Connect, with the right address": Case(
        code=Code.VOTER_IS_CONNECTED,
        flags={"is_stranger": False, "team_id": "T0ELSE", "email": MAIL},
        role=BY_MAIL,
    ),
    "somebody of another workspace": Case(code=Code.FOREIGN_TEAM, flags={"team_id": "T0ELSE"}),
    "another workspace of our organisation": Case(
        code=Code.FOREIGN_TEAM,
        flags={"team_id": "T0ELSE", **_of_org("W0BAD", "T0ELSE")},
        seed=GRID,
    ),
    "another organisation that names our workspace": Case(
        code=Code.FOREIGN_TEAM, flags=_of_org("W0BAD", TEAM, org="E0ELSE"), seed=GRID
    ),
    "an account that hides which human of the organisation it is": Case(
        code=Code.IDENTITY_UNAVAILABLE, seed=GRID
    ),
    "somebody who was only invited": Case(
        code=Code.VOTER_IS_INVITED, flags={"is_invited_user": True}
    ),
    "an unconfirmed address": Case(
        code=Code.VOTER_UNCONFIRMED, flags={"is_email_confirmed": False}
    ),
    "the right address, unconfirmed": Case(
        code=Code.VOTER_UNCONFIRMED,
        flags={"is_email_confirmed": False, "email": MAIL},
        role=BY_MAIL,
    ),
    "the right address, of which Slack does not say that it is confirmed": Case(
        code=Code.WRONG_ROLE, flags={"is_email_confirmed": None, "email": MAIL}, role=BY_MAIL
    ),
    "an address that looks like the right one": Case(
        code=Code.WRONG_ROLE, flags={"email": "b\u043ess@example.com"}, role=BY_MAIL
    ),
    "the right address as a name": Case(
        code=Code.WRONG_ROLE, flags={"real_name": MAIL, "title": MAIL}, role=BY_MAIL
    ),
    "a deactivated account": Case(code=Code.VOTER_DEACTIVATED, flags={"deleted": True}),
    "a deactivated guest": Case(
        code=Code.VOTER_DEACTIVATED, flags={"deleted": True, "is_restricted": True}
    ),
    "deactivated after they were looked up": Case(code=Code.VOTER_DEACTIVATED, before=_deactivate),
    "made a guest after they were looked up": Case(code=Code.VOTER_IS_GUEST, before=_become_guest),
    "out of the group since they were looked up": Case(
        code=Code.WRONG_ROLE, role=IN_GROUP, groups=[_group(BAD)], before=_leave_group
    ),
    "with another address since they were looked up": Case(
        code=Code.WRONG_ROLE, flags={"email": MAIL}, role=BY_MAIL, before=_lose_address
    ),
    "a member of a disabled group": Case(
        code=Code.WRONG_ROLE, role=IN_GROUP, groups=[_group(BAD, is_disabled=True)]
    ),
    "a member of a group that cannot be asked for": Case(
        code=Code.IDENTITY_UNAVAILABLE, role=IN_GROUP, groups=[_group(BAD)], before=_fail_groups
    ),
    "an account that cannot be looked up": Case(
        code=Code.IDENTITY_UNAVAILABLE, before=_fail_accounts
    ),
    "a directory group that cannot be asked": Case(
        code=Code.IDENTITY_UNAVAILABLE,
        flags={"email": MAIL},
        role=BY_COMPANY,
        company=_DEAD,
        before=_fail_company,
    ),
    "a directory group where none is set up": Case(
        code=Code.IDENTITY_UNAVAILABLE, flags={"email": MAIL}, role=BY_COMPANY
    ),
    "a directory group of others": Case(
        code=Code.WRONG_ROLE,
        flags={"email": MAIL},
        role=BY_COMPANY,
        company=Company(["somebody@example.com"]),
    ),
    "somebody with an approver's name": Case(
        code=Code.WRONG_ROLE, flags={"name": "olga.", "real_name": "Olga"}, role={"people": []}
    ),
    "whoever answers for the agent": Case(
        code=Code.SELF_APPROVAL_DENIED, seed={"owner": f"slack:{TEAM}/{BAD}"}
    ),
    "the human for whom the agent asks": Case(
        code=Code.SELF_APPROVAL_DENIED, seed={"asker": f"slack:{TEAM}/{BAD}"}
    ),
    "the owner, by the organisation's id": Case(
        code=Code.SELF_APPROVAL_DENIED,
        flags=_of_org("W0BAD", TEAM),
        seed={**GRID, "owner": "slack:E0ORG/W0BAD"},
    ),
    "the owner, who clicks by the organisation's id": Case(
        code=Code.SELF_APPROVAL_DENIED,
        flags={**_of_org("W0BAD", TEAM), "acts_as": "W0BAD"},
        seed={**GRID, "owner": f"slack:{TEAM}/{BAD}"},
    ),
}


def _world_of(case: Case) -> tuple[WorkspaceSeed, Raw]:
    flags = {"name": "bad", "real_name": "Bad", **case.flags}
    is_grid = "enterprise_id" in case.seed
    users = [
        replace(one, enterprise_user=_of_org(f"W{one.id[1:]}", TEAM)["enterprise_user"])
        if is_grid
        else one
        for one in SEED.users
    ]
    bad = replace(_user(BAD, "bad"), **flags)
    channel = replace(SEED.channels[0], members=(*SEED.channels[0].members, BAD))
    seed = replace(
        SEED,
        users=(*users, bad),
        channels=(channel,),
        usergroups=(*SEED.usergroups, *case.groups),
        enterprise_id=case.seed.get("enterprise_id", ""),
    )
    bundle = copy.deepcopy(BUNDLE)
    roles = bundle["directory"]["roles"]
    # Alone it would do: whoever is let in here decides everything.
    bundle["tiers"]["high"]["roles"] = {"operator": {"weight": 1, "min_required": 1}}
    bundle["tiers"]["high"]["threshold"] = 1
    roles["operator"] = {**case.role, "people": [*case.role.get("people", ()), *_SPARE]}
    return seed, bundle


_SPARE = [f"slack:{TEAM}/U0OTTO", f"slack:{TEAM}/U0OLGA"]
"""Others who could vote, so that the ticket can be asked at all."""


async def _refused(case: Case, *, socket_mode: bool, action: str) -> None:
    seed, bundle = _world_of(case)
    async with open_world(
        seed=seed, bundle=bundle, groups=case.company, socket_mode=socket_mode
    ) as world:
        owner, asker = case.seed.get("owner"), case.seed.get("asker")
        agent = replace(AGENT, owners=(PersonId(owner),)) if owner else AGENT
        more = {"on_behalf_of": PersonId(asker)} if asker else {}
        ticket = await world.ask(by=agent, **more)
        if case.before is not None:
            await world.service.person(PersonId(f"slack:{TEAM}/{BAD}"))
            await case.before(world)
        result = await world.click(BAD, action)
        form = world.emu.modal(BAD)
        if form is not None:  # the reason was asked for first; the refusal stands in the form
            result = await world.emu.submit(BAD, form.id, {names.REASON_BLOCK: "because"})
            told = json.dumps(result.errors)
        else:
            assert code_of(result) == case.code
            told = json.dumps([one.blocks for one in result.ephemerals], ensure_ascii=False)
        assert reply_for(case.code).slack.split("(")[0] in told
        await _nothing_counted(world, ticket.id)


async def _nothing_counted(world: World, ticket_id: Any) -> None:
    assert (await world.ticket(ticket_id)).votes == ()
    assert (await world.ticket(ticket_id)).state == "PENDING"
    written = {record.type for record in await world.ledger.history(ticket_id)}
    assert not written & {"VoteCast", "TicketApproved", "TicketRejected", "GrantRedeemed"}


@pytest.mark.parametrize("who", list(CASES))
async def test_who_must_not_vote_is_told_why_and_leaves_no_vote(who: str) -> None:
    await _refused(CASES[who], socket_mode=False, action=names.APPROVE)


OVER_THE_SOCKET = (
    "a bot that was given a role",
    "a guest in the right user group",
    "somebody of another workspace",
    "deactivated after they were looked up",
    "an account that cannot be looked up",
    "whoever answers for the agent",
)


@pytest.mark.parametrize("who", OVER_THE_SOCKET)
async def test_the_socket_lets_nobody_else_in(who: str) -> None:
    await _refused(CASES[who], socket_mode=True, action=names.APPROVE)


CANNOT_REJECT = (
    "a bot that was given a role",
    "a guest of one channel",
    "somebody of another organisation, by Slack Connect",
    "a deactivated account",
    "the right address, unconfirmed",
    "whoever answers for the agent",
)


@pytest.mark.parametrize("who", CANNOT_REJECT)
async def test_who_must_not_approve_cannot_veto_either(who: str) -> None:
    await _refused(CASES[who], socket_mode=False, action=names.REJECT)


def test_there_are_enough_of_them_and_each_code_has_its_own_sentence() -> None:
    assert len(CASES) + len(FORGED) >= 25
    codes = {case.code for case in CASES.values()}
    assert len({reply_for(code).slack for code in codes}) == len(codes)


# What only a forger sends: fields that contradict each other.

Forge = Callable[[dict[str, Any]], None]


def _user_is(**fields: str) -> Forge:
    return lambda payload: payload["user"].update(fields)


def _set(name: str, value: object) -> Forge:
    return lambda payload: payload.update({name: value})


FORGED: dict[str, tuple[Forge, Code | None]] = {
    "an approver's id under another workspace": (_user_is(team_id="T0ELSE"), Code.FOREIGN_TEAM),
    "an approver's names": (
        _user_is(id="U0NEWBIE", name="olga", username="olga"),
        Code.WRONG_ROLE,
    ),
    "Slackbot": (_user_is(id="USLACKBOT"), Code.VOTER_IS_BOT),
    "an id that nobody has": (_user_is(id="U0NOBODY"), Code.VOTER_UNKNOWN),
    "our own app": (_user_is(id="U0EMUBOT"), Code.VOTER_IS_BOT),
    "nobody's id of another workspace": (
        _user_is(id="U0NOBODY", team_id="T0ELSE"),
        Code.FOREIGN_TEAM,
    ),
    "another team": (_set("team", {"id": "T0ELSE", "domain": "x"}), None),
    "no team": (_set("team", None), None),
    "another organisation": (_set("enterprise", {"id": "E0ELSE"}), None),
    "no team, as if the organisation had installed it": (
        lambda payload: payload.update(team=None, is_enterprise_install=True),
        None,
    ),
    "another app": (_set("api_app_id", "A0ELSE"), None),
}


async def _send(world: World, payload: Raw, *, secret: str = "") -> int:
    body = urlencode({"payload": json.dumps(payload)}).encode()
    headers = signed(body, at=int(time()), secret=secret or world.emu.signing_secret, kind=FORM)
    sent = {name: values[0] for name, values in headers.items()}
    async with world.session.post(world.url, data=body, headers=sent) as answer:
        return answer.status


async def _olgas_click(world: World) -> dict[str, Any]:
    """What Slack sends for an approver's click; the original never arrives."""
    world.emu.faults.add(FaultKind.LOST, on="block_actions")
    await world.click("olga", names.APPROVE)
    body = world.emu.deliveries("block_actions")[-1].body
    payload: dict[str, Any] = json.loads(parse_qs(body.decode())["payload"][0])
    return {**payload, "trigger_id": "9.9.forged"}


@pytest.mark.parametrize("what", list(FORGED))
async def test_fields_that_contradict_each_other_count_for_nobody(what: str) -> None:
    forge, code = FORGED[what]
    async with open_world() as world:
        ticket = await world.ask()
        payload = await _olgas_click(world)
        forge(payload)
        status = await _send(world, payload)
        await world.emu.settle()
        assert status == (403 if code is None else 200)
        if code is not None:
            refusals = (await world.ticket(ticket.id)).refusals
            assert [one for _, one in refusals] == [code.value]
        await _nothing_counted(world, ticket.id)


async def test_an_approvers_click_signed_by_somebody_else_counts_for_nobody() -> None:
    async with open_world() as world:
        ticket = await world.ask()
        payload = await _olgas_click(world)
        assert await _send(world, payload, secret="not-" + world.emu.signing_secret) == 401
        await _nothing_counted(world, ticket.id)
        assert await _send(world, payload) == 200  # and it was a good one otherwise
        await world.emu.settle()
        assert [vote.person for vote in (await world.ticket(ticket.id)).votes] == [
            f"slack:{TEAM}/U0OLGA"
        ]


async def test_one_human_of_an_organisation_votes_once_by_two_ids() -> None:
    case = Case(code=Code.WRONG_ROLE, flags=_of_org("W0BAD", TEAM), seed=GRID)
    seed, bundle = _world_of(case)
    changed = copy.deepcopy(bundle)
    changed["tiers"]["high"]["roles"]["operator"] = {"weight": 1, "min_required": 2}
    changed["tiers"]["high"]["threshold"] = 2
    changed["directory"]["roles"]["operator"]["people"] += ["slack:E0ORG/W0BAD"]
    async with open_world(seed=seed, bundle=changed) as world:
        ticket = await world.ask()
        assert code_of(await world.click(BAD, names.APPROVE)) == ""
        world.emu.workspace.replace_user(replace(world.emu.workspace.users[BAD], acts_as="W0BAD"))
        await world.click(BAD, names.APPROVE)
        voted = await world.ticket(ticket.id)
        assert [vote.person for vote in voted.votes] == [f"slack:{TEAM}/W0BAD"]
        assert voted.state == "PENDING"
        await world.click("otto", names.APPROVE)
        assert (await world.ticket(ticket.id)).state == "APPROVED"


def _wish(whose: str, to: str) -> Wish:
    return Wish(
        delegator=PersonId(f"slack:{TEAM}/{whose}"),
        delegate=PersonId(f"slack:{TEAM}/{to}"),
        roles=(),
        ends_at=datetime.now(UTC) + timedelta(days=1),
        reason="on leave",
    )


async def _gone(world: World) -> None:
    await world.emu.set_user("olga", deleted=True)


async def _guest(world: World) -> None:
    await world.emu.set_user("newbie", is_restricted=True)


async def _ended(world: World) -> None:
    (lent,) = await world.service.delegations(PersonId(f"slack:{TEAM}/U0OLGA"))
    await world.service.end_delegation(lent.id, PersonId(f"slack:{TEAM}/U0OLGA"))


@pytest.mark.parametrize(
    ("then", "refused"),
    [
        (_gone, {"wrong_role", "voter_deactivated"}),
        (_guest, {"voter_is_guest"}),
        (_ended, {"wrong_role"}),
    ],
)
async def test_a_lent_voice_is_worth_what_both_people_are_now(
    then: Callable[[World], Awaitable[None]], refused: set[str]
) -> None:
    async with open_world(bundle={**BUNDLE, "delegation": {"max_days": 7}}) as world:
        ticket = await world.ask()
        await world.service.delegate(_wish("U0OLGA", "U0NEWBIE"))
        await then(world)
        assert code_of(await world.click("newbie", names.APPROVE)) in refused
        await _nothing_counted(world, ticket.id)


async def test_a_lent_voice_is_not_lent_on_and_makes_nobody_a_judge_of_their_own() -> None:
    async with open_world(bundle={**BUNDLE, "delegation": {"max_days": 7}}) as world:
        ticket = await world.ask()
        await world.service.delegate(_wish("U0OLGA", "U0NEWBIE"))
        with pytest.raises(Refused) as chained:
            await world.service.delegate(_wish("U0NEWBIE", "U0EMUBOT"))
        assert chained.value.code in (Code.WRONG_ROLE, Code.DELEGATION_NOT_ALLOWED)
        await world.service.delegate(_wish("U0RITA", "U0OWNER"))
        assert code_of(await world.click("owen", names.APPROVE)) == "self_approval_denied"
        await _nothing_counted(world, ticket.id)
        assert code_of(await world.click("newbie", names.APPROVE)) == ""  # as it was meant
        (vote,) = (await world.ticket(ticket.id)).votes
        assert (vote.person, vote.delegator) == (
            f"slack:{TEAM}/U0NEWBIE",
            f"slack:{TEAM}/U0OLGA",
        )
        assert code_of(await world.click("olga", names.APPROVE)) != ""  # one voice, one vote
        assert len((await world.ticket(ticket.id)).votes) == 1


@pytest.mark.parametrize("how", ["deactivated", "out of the group", "guest"])
async def test_a_voter_who_lost_it_since_no_longer_counts_before_it_runs(how: str) -> None:
    case = Case(code=Code.WRONG_ROLE, role=IN_GROUP, groups=[_group(BAD)])
    seed, bundle = _world_of(case)
    async with open_world(seed=seed, bundle=bundle) as world:
        ticket = await world.ask()
        await world.click(BAD, names.APPROVE)
        assert (await world.ticket(ticket.id)).state == "APPROVED"
        lost = {
            "deactivated": _deactivate,
            "out of the group": _leave_group,
            "guest": _become_guest,
        }
        await lost[how](world)
        assert (await world.service.clear(ticket.id)).ticket.state == "PENDING"
        assert (await world.ticket(ticket.id)).votes == ()


async def test_a_group_that_cannot_be_asked_confirms_nothing_and_takes_no_vote_away() -> None:
    company = Company([MAIL])
    case = Case(code=Code.WRONG_ROLE, flags={"email": MAIL}, role=BY_COMPANY, company=company)
    seed, bundle = _world_of(case)
    async with open_world(seed=seed, bundle=bundle, groups=company) as world:
        ticket = await world.ask()
        await world.click(BAD, names.APPROVE)
        company.failure = "http_503"
        world.directory.forget_groups()
        with pytest.raises(Exception, match="directory group Bosses") as raised:
            await world.service.clear(ticket.id)
        assert getattr(raised.value, "code", None) is Code.IDENTITY_UNAVAILABLE
        still = await world.ticket(ticket.id)
        assert (still.state, len(still.votes)) == ("APPROVED", 1)
