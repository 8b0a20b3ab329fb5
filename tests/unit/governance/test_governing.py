"""People lend their voice through the one door, and vote in another's name by it."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from governance.action import ActionKind, Dispatch
from governance.administration import Administration
from governance.delegation import Delegation, DelegationPolicy, Wish
from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.policy.active import ActiveBundle
from governance.policy.bundle import load
from governance.policy.model import Bundle
from governance.principal import PersonId
from governance.service import Service
from governance.tickets.binding import vote_message
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, Ticket, TicketState
from storage.memory.ledger import MemoryLedger
from tests.support.build import ANNA, BEN, OWNER, T0, TENANT, FixedClock
from tests.support.core import (
    ADMIN,
    CARA,
    DAN,
    OPERATOR,
    CountingIds,
    FakeDirectory,
    FakeSigner,
    agent,
    request,
)

EVE = PersonId("slack:T1/UEVE")
"""Somebody in the directory who holds no role."""
DAY = timedelta(days=1)


def bundle(**changes: object) -> Bundle:
    source: dict[str, object] = {
        "rules": [
            {"id": "jobs", "match": {"topics": ["job.*"]}, "decision": "require_approval"},
            {"id": "reads", "match": {"topics": ["read.*"]}, "decision": "allow"},
        ],
        "tiers": {
            "high": {
                "roles": {
                    OPERATOR: {"weight": 1, "min_required": 1},
                    ADMIN: {"weight": 3, "min_required": 1},
                },
                "threshold": 4,
            }
        },
        "default_tier": "high",
        "delegation": {"max_days": 7},
    }
    return load(source | changes)  # type: ignore[arg-type]  # plain data


@dataclass
class House:
    """A service in which EVE is known and holds nothing."""

    policy: Bundle = field(default_factory=bundle)
    clock: FixedClock = field(default_factory=FixedClock)
    directory: FakeDirectory = field(default_factory=FakeDirectory)
    signer: FakeSigner = field(default_factory=FakeSigner)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedger(self.clock)
        self.active = ActiveBundle(self.policy)
        self.directory.people[EVE] = frozenset()
        self.service = Service(
            ledger=self.ledger,
            reader=self.ledger,
            clock=self.clock,
            signer=self.signer,
            directory=self.directory,
            ids=CountingIds(),
            bundle=self.active,
            tenant=TENANT,
        )
        self.administration = Administration(
            ledger=self.ledger,
            reader=self.ledger,
            clock=self.clock,
            signer=self.signer,
            tenant=TENANT,
        )

    async def ready(self) -> "House":
        await self.administration.register_keys()
        await self.administration.activate(self.policy, actor="test")
        return self

    async def ask(self) -> Ticket:
        asked = request(tool="", capability="", dispatch=Dispatch.RELEASE)
        submitted = await self.service.submit(asked, agent())
        assert submitted.ticket is not None
        return submitted.ticket

    async def allowed(self) -> Ticket:
        asked = request(
            topic="read.logs",
            tool="",
            capability="",
            action=ActionKind.READ,
            dispatch=Dispatch.RELEASE,
            idempotency_key="key-read",
        )
        submitted = await self.service.submit(asked, agent())
        assert submitted.ticket is not None
        return submitted.ticket

    async def lend(self, whose: PersonId, to: PersonId, *roles: str) -> Delegation:
        wish = Wish(delegator=whose, delegate=to, roles=roles, ends_at=T0 + DAY, reason="on leave")
        return await self.service.delegate(wish)

    async def vote(self, ticket: Ticket, who: PersonId, **changes: object) -> Ticket:
        ballot = Ballot(tenant=TENANT, ticket_id=ticket.id, person_id=who, choice=Choice.APPROVE)
        return (await self.service.vote(replace(ballot, **changes))).ticket  # type: ignore[arg-type]

    async def refusal(self, ticket: Ticket, who: PersonId, **changes: object) -> Code:
        with pytest.raises(PlacetError) as caught:
            await self.vote(ticket, who, **changes)
        return caught.value.code


@pytest.fixture
async def house() -> House:
    return await House().ready()


async def test_who_holds_no_role_votes_in_the_name_of_who_lent_it(house: House):
    lent = await house.lend(ANNA, EVE)
    ticket = await house.vote(await house.ask(), EVE)
    (cast,) = ticket.votes
    assert (cast.person, cast.voice, cast.role) == (EVE, ANNA, OPERATOR)
    assert cast.delegation == lent.id
    purpose, message = house.signer.signed[-1]
    assert purpose == f"vote:{OPERATOR}"
    assert message == vote_message(
        binding=ticket.binding,
        choice=cast.choice,
        person=EVE,
        role=OPERATOR,
        weight=1,
        comment_digest="",
        at=cast.at,
        nonce=cast.nonce,
        delegator=ANNA,
        delegation=lent.id,
    )
    assert b"delegator" in message


async def test_without_a_delegation_nobody_votes_for_anybody(house: House):
    ticket = await house.ask()
    assert await house.refusal(ticket, EVE) is Code.WRONG_ROLE
    assert await house.refusal(ticket, DAN, delegator=ANNA) is Code.DELEGATION_VOID
    events = [record.type for record in await house.ledger.history(ticket.id)]
    assert events == ["TicketOpened", "VoteRefused", "VoteRefused"]


async def test_ones_own_vote_comes_first(house: House):
    await house.lend(BEN, DAN)
    ticket = await house.ask()
    assert (await house.vote(ticket, DAN)).votes[0].voice == DAN
    changed = await house.vote(ticket, DAN, delegator=BEN)
    assert [(one.person, one.voice, one.role) for one in changed.votes] == [(DAN, BEN, ADMIN)]
    again = await house.vote(ticket, DAN)
    assert again.votes == changed.votes


async def test_a_role_that_one_holds_not_oneself_is_voted_as_it_was_lent(house: House):
    await house.lend(BEN, DAN)
    cast = (await house.vote(await house.ask(), DAN, role=ADMIN)).votes[0]
    assert (cast.voice, cast.role) == (BEN, ADMIN)


async def test_a_role_that_was_lent_is_offered_beside_ones_own(house: House):
    await house.lend(BEN, DAN)
    ticket = await house.ask()
    offered = await house.service.role_choices(ticket.id, DAN)
    assert {item.role for item in offered} == {OPERATOR, ADMIN}
    own = await house.vote(ticket, DAN)
    assert own.votes[0].voice == DAN
    lent = await house.vote(ticket, DAN, role=ADMIN)
    assert [(one.voice, one.role) for one in lent.votes] == [(BEN, ADMIN)]
    back = await house.vote(ticket, DAN, role=OPERATOR)
    assert [(one.voice, one.role) for one in back.votes] == [(DAN, OPERATOR)]


async def test_a_voice_that_cannot_speak_is_not_offered(house: House):
    await house.lend(BEN, DAN)
    ticket = await house.ask()
    await house.vote(ticket, BEN)
    assert await house.service.role_choices(ticket.id, DAN) == ()


async def test_what_is_barred_or_asks_nobody_offers_nothing(house: House):
    await house.lend(BEN, DAN)
    ticket = await house.ask()
    barred = bundle(delegation={"max_days": 7, "forbidden_tiers": ["high"]})
    house.active.replace(barred)
    assert await house.service.role_choices(ticket.id, DAN) == ()
    house.active.replace(house.policy)
    await house.vote(ticket, BEN)
    await house.vote(ticket, DAN)
    assert await house.service.role_choices(ticket.id, DAN) == ()
    allowed = await house.allowed()
    assert await house.service.role_choices(allowed.id, DAN) == ()


async def test_of_what_was_lent_the_heaviest_role_speaks(house: House):
    await house.lend(ANNA, EVE)
    await house.lend(BEN, EVE)
    assert (await house.vote(await house.ask(), EVE)).votes[0].voice == BEN


async def test_what_the_delegator_lost_is_not_lent(house: House):
    await house.lend(BEN, EVE)
    await house.lend(ANNA, EVE)
    house.directory.failing[BEN] = Refused(Code.VOTER_DEACTIVATED, "gone")
    house.directory.people[ANNA] = frozenset()
    ticket = await house.ask()
    assert await house.refusal(ticket, EVE) is Code.WRONG_ROLE


async def test_only_the_roles_that_were_named_are_lent(house: House):
    await house.lend(CARA, EVE, OPERATOR)
    ticket = await house.ask()
    assert (await house.vote(ticket, EVE)).votes[0].role == OPERATOR
    assert await house.refusal(ticket, EVE, role=ADMIN) is Code.WRONG_ROLE


async def test_a_settled_ticket_asks_nobody_whose_voice_it_is(house: House):
    await house.lend(ANNA, EVE)
    ticket = await house.ask()
    await house.vote(ticket, ANNA)
    await house.vote(ticket, BEN)
    assert await house.refusal(ticket, EVE) is Code.ALREADY_RESOLVED


async def test_a_tier_that_forbids_it_counts_no_vote_by_delegation():
    barred = bundle(delegation={"max_days": 7, "forbidden_tiers": ["high"]})
    house = await House(policy=barred).ready()
    await house.lend(ANNA, EVE)
    assert await house.refusal(await house.ask(), EVE) is Code.DELEGATION_VOID


async def test_a_vote_by_delegation_is_judged_by_the_active_bundle_only(house: House):
    await house.lend(ANNA, EVE)
    ticket = await house.ask()
    await house.administration.activate(bundle(name="newer"), actor="test")
    assert await house.refusal(ticket, EVE) is Code.SNAPSHOT_CHANGED
    with pytest.raises(Unavailable) as caught:
        await house.lend(BEN, EVE)
    assert caught.value.code is Code.SNAPSHOT_CHANGED


async def test_before_the_run_the_delegation_is_judged_again(house: House):
    lent = await house.lend(ANNA, EVE)
    ticket = await house.ask()
    await house.vote(ticket, EVE)
    assert (await house.vote(ticket, BEN)).state is TicketState.APPROVED
    assert (await house.service.clear(ticket.id)).ticket.state is TicketState.APPROVED
    await house.service.end_delegation(lent.id, ANNA)
    cleared = (await house.service.clear(ticket.id)).ticket
    assert cleared.state is TicketState.PENDING
    assert [one.person for one in cleared.votes] == [BEN]


@pytest.mark.parametrize("who", [ANNA, EVE])
async def test_before_the_run_both_are_looked_up(house: House, who: PersonId):
    await house.lend(ANNA, EVE)
    ticket = await house.ask()
    await house.vote(ticket, EVE)
    await house.vote(ticket, BEN)
    house.directory.failing[who] = Refused(Code.VOTER_DEACTIVATED, "gone")
    assert (await house.service.clear(ticket.id)).ticket.state is TicketState.PENDING


async def test_a_bundle_that_forbids_it_since_takes_the_vote_back(house: House):
    await house.lend(ANNA, EVE)
    ticket = await house.ask()
    await house.vote(ticket, EVE)
    await house.vote(ticket, BEN)
    newer = bundle(delegation={"forbidden_tiers": ["high"]})
    await house.administration.activate(newer, actor="test")
    house.active.replace(newer)
    assert (await house.service.clear(ticket.id)).ticket.state is TicketState.PENDING


async def test_whoever_cannot_vote_here_is_lent_nothing(house: House):
    house.directory.failing[EVE] = Refused(Code.VOTER_IS_GUEST, "a guest")
    with pytest.raises(Refused) as caught:
        await house.lend(ANNA, EVE)
    assert caught.value.code is Code.DELEGATION_NOT_ALLOWED
    assert "a guest" in caught.value.message


async def test_delegations_are_told_to_both_until_they_end(house: House):
    lent = await house.lend(ANNA, EVE)
    for who in (ANNA, EVE):
        assert await house.service.delegations(who) == (lent,)
    assert await house.service.delegations(OWNER) == ()
    assert await house.service.end_delegation(lent.id, EVE) == lent
    assert await house.service.delegations(ANNA) == ()
    with pytest.raises(Refused) as caught:
        await house.service.end_delegation(lent.id, ANNA)
    assert caught.value.code is Code.NOT_FOUND


async def test_it_is_over_at_its_end(house: House):
    await house.lend(ANNA, EVE)
    house.clock.pass_(DAY.total_seconds())
    assert await house.service.delegations(ANNA) == ()
    assert await house.refusal(await house.ask(), EVE) is Code.WRONG_ROLE


async def test_the_log_says_who_lent_and_who_ended(house: House):
    lent = await house.lend(ANNA, EVE)
    await house.service.end_delegation(lent.id, EVE)
    told = [(one.type, one.header.actor) for one in await house.ledger.records(0, 99)][-2:]
    assert told == [
        ("DelegationGranted", f"person:{ANNA}"),
        ("DelegationRevoked", f"person:{EVE}"),
    ]


async def test_who_is_lent_a_voice_may_read_for_as_long_as_it_is_lent(house: House):
    ticket, eve = await house.ask(), await house.service.person(EVE)
    assert not (await house.service.readership(eve)).may_read(ticket)
    lent = await house.lend(ANNA, EVE)
    assert (await house.service.readership(eve)).may_read(ticket)
    await house.service.end_delegation(lent.id, EVE)
    assert not (await house.service.readership(eve)).may_read(ticket)


@pytest.mark.parametrize("gone", ["role", "lender", "policy"])
async def test_a_lent_voice_that_cannot_count_any_more_opens_nothing(house: House, gone: str):
    ticket, eve = await house.ask(), await house.service.person(EVE)
    await house.lend(ANNA, EVE)
    if gone == "role":
        house.directory.people[ANNA] = frozenset()
    elif gone == "lender":
        house.directory.failing[ANNA] = Refused(Code.VOTER_DEACTIVATED, "gone")
    else:
        house.active.replace(replace(bundle(), delegation=DelegationPolicy()))
    assert not (await house.service.readership(eve)).may_read(ticket)


async def test_who_reads_by_a_lent_voice_waits_for_the_directory(house: House):
    eve = await house.service.person(EVE)
    await house.lend(ANNA, EVE)
    house.directory.is_down = True
    with pytest.raises(Unavailable):
        await house.service.readership(eve)


async def test_who_lends_a_voice_may_read_by_their_role_alone(house: House):
    await house.lend(ANNA, EVE)
    anna = await house.service.person(ANNA)
    assert (await house.service.readership(anna)).is_whole
    assert not (await house.service.readership(replace(anna, roles=frozenset()))).is_whole


@pytest.mark.parametrize("roles", [frozenset(), None])
async def test_a_voice_of_whoever_has_none_any_more_opens_nothing(
    house: House, roles: frozenset[str] | None
):
    ticket, eve = await house.ask(), await house.service.person(EVE)
    await house.lend(ANNA, EVE)
    if roles is None:
        house.directory.failing[ANNA] = Refused(Code.VOTER_DEACTIVATED, "gone")
    else:
        house.directory.people[ANNA] = roles
    assert not (await house.service.readership(eve)).may_read(ticket)
    await house.lend(BEN, EVE)
    assert (await house.service.readership(eve)).may_read(ticket)


async def test_who_may_read_by_a_voice_alone_reads_nothing_while_nobody_can_be_asked(house: House):
    eve = await house.service.person(EVE)
    await house.lend(ANNA, EVE)
    house.directory.is_down = True
    with pytest.raises(Unavailable):
        await house.service.readership(eve)
