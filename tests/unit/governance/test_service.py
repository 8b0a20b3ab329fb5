"""The one door: what every edge calls, over a ledger in memory."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from governance import control as ctl
from governance.action import ActionKind, ActionRequest, Dispatch
from governance.administration import Administration
from governance.canonical import canonical_bytes
from governance.digests import content_digest
from governance.errors import Code, InvalidInput, Refused, Unavailable
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.principal import AgentId, PersonId
from governance.service import Service
from governance.steps import Handled
from governance.tickets import commands as cmd
from governance.tickets.binding import vote_message
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, Ticket, TicketId, TicketState
from storage.memory.ledger import MemoryLedger
from tests.support.build import AGENT, ANNA, BEN, OWNER, T0, TENANT, FixedClock
from tests.support.core import (
    ADMIN,
    CARA,
    DAN,
    OPERATOR,
    REQUESTER,
    CountingIds,
    FakeDirectory,
    FakeSigner,
    agent,
    content,
    request,
)

S = TicketState
BUNDLE = load(
    {
        "version": "v1",
        "rules": [
            {"id": "reads", "match": {"topics": ["read.*"]}, "decision": "allow"},
            {
                "id": "slow-reads",
                "match": {"topics": ["read.slow"]},
                "decision": "throttle",
                "rate": {"per": "agent", "count": 1, "window_s": 60},
            },
            {"id": "jobs", "match": {"topics": ["job.*"]}, "decision": "require_approval"},
            {"id": "never", "match": {"topics": ["never.*"]}, "decision": "deny"},
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
        "limits": {"max_pending": 2},
    }
)


READY = 4
"""Events before a house is asked anything: its three keys and its bundle."""


@dataclass
class SlowClock:
    """A clock by which every look takes three seconds, once ``is_slow``."""

    at: datetime = T0
    is_slow: bool = False

    def now(self) -> datetime:
        """This instant."""
        self.at += timedelta(seconds=3 * self.is_slow)
        return self.at


class Racing(MemoryLedger):
    """A ledger in which somebody else is quicker: ``meanwhile`` runs once before a commit."""

    meanwhile: object = None

    async def commit(self, keys, step):  # noqa: ANN001
        first, self.meanwhile = self.meanwhile, None
        if first is not None:
            await first()  # type: ignore[operator]
        return await super().commit(keys, step)


@dataclass
class House:
    """A service with everything that it stands on."""

    clock: FixedClock = field(default_factory=FixedClock)
    directory: FakeDirectory = field(default_factory=FakeDirectory)
    signer: FakeSigner = field(default_factory=FakeSigner)

    def __post_init__(self) -> None:
        self.ledger = Racing(self.clock)
        self.service = Service(
            ledger=self.ledger,
            reader=self.ledger,
            clock=self.clock,
            signer=self.signer,
            directory=self.directory,
            ids=CountingIds(),
            bundle=BUNDLE,
            tenant=TENANT,
        )

    async def ready(self) -> "House":
        admin = Administration(
            ledger=self.ledger,
            reader=self.ledger,
            clock=self.clock,
            signer=self.signer,
            tenant=TENANT,
        )
        await admin.register_keys()
        await admin.activate(BUNDLE, actor="operator:x")
        return self

    async def ask(self, **changes: object) -> Ticket:
        plain = {"tool": "", "capability": "", "dispatch": Dispatch.RELEASE}
        asked = request(**{**plain, **changes})
        submitted = await self.service.submit(asked, agent())
        assert submitted.ticket
        return submitted.ticket

    async def vote(self, ticket: Ticket, who: PersonId, **changes: object) -> Ticket:
        return (await self.service.vote(_ballot(ticket, who, **changes))).ticket

    async def names(self) -> list[str]:
        return [logged.type for logged in await self.ledger.records(READY, 1000)]


def _ballot(ticket: Ticket, who: PersonId, **changes: object) -> Ballot:
    base = Ballot(tenant=TENANT, ticket_id=ticket.id, person_id=who, choice=Choice.APPROVE)
    return replace(base, **changes)


def _read(topic: str = "read.logs", **changes: object) -> ActionRequest:
    return request(
        topic=topic, tool="", action=ActionKind.READ, dispatch=Dispatch.RELEASE, **changes
    )


@pytest.fixture
async def house() -> House:
    return await House().ready()


# Submitting


async def test_a_request_that_asks_people_waits_with_its_content_kept(house: House):
    submitted = await house.service.submit(request(tool="", dispatch=Dispatch.RELEASE), agent())
    assert submitted.effect is Effect.REQUIRE_APPROVAL
    assert submitted.ticket
    assert submitted.ticket == await house.service.ticket(submitted.ticket.id)
    assert submitted.ticket.state is S.PENDING
    kept = await house.ledger.content(submitted.ticket.ask.content_digest)
    assert kept == content().to_bytes()


async def test_an_allowed_request_is_approved_by_policy(house: House):
    submitted = await house.service.submit(_read(), agent())
    assert submitted.effect is Effect.ALLOW
    assert submitted.ticket
    assert submitted.ticket.state is S.APPROVED


async def test_a_denied_request_is_on_record(house: House):
    submitted = await house.service.submit(_read("never.this"), agent())
    assert submitted.effect is Effect.DENY
    assert await house.names() == ["TicketOpened"]


async def test_a_repeat_finds_the_ticket_as_it_stands_now(house: House):
    ticket = await house.ask()
    await house.vote(ticket, ANNA)
    asked = request(tool="", capability="", dispatch=Dispatch.RELEASE, trace_id="b" * 32)
    again = await house.service.submit(asked, agent())
    assert (again.ticket_id, again.is_repeat) == (ticket.id, True)
    assert again.effect is Effect.REQUIRE_APPROVAL
    assert again.ticket
    assert [vote.person for vote in again.ticket.votes] == [ANNA]
    assert await house.names() == ["TicketOpened", "VoteCast"]


async def test_the_same_key_for_another_request_is_a_conflict(house: House):
    await house.ask()
    with pytest.raises(Refused) as caught:
        await house.ask(target="web-2")
    assert caught.value.code is Code.IDEMPOTENCY_CONFLICT


async def test_the_second_of_two_reads_in_a_minute_is_throttled(house: House):
    assert (await house.service.submit(_read("read.slow"), agent())).ticket_id
    second = await house.service.submit(_read("read.slow", idempotency_key="key-2"), agent())
    assert (second.effect, second.ticket_id) == (Effect.THROTTLE, None)
    assert 0 < second.retry_after_s <= 60
    house.clock.pass_(second.retry_after_s)
    third = await house.service.submit(_read("read.slow", idempotency_key="key-2"), agent())
    assert third.effect is Effect.ALLOW


async def test_a_category_word_is_refused_before_anything_is_recorded(house: House):
    with pytest.raises(InvalidInput) as caught:
        await house.ask(target="*")
    assert caught.value.code is Code.TARGET_TOO_BROAD
    assert await house.names() == []


async def test_the_queue_holds_so_many_and_no_more(house: House):
    for number in range(2):
        await house.ask(idempotency_key=f"key-{number}")
    with pytest.raises(Refused) as caught:
        await house.ask(idempotency_key="key-9")
    assert caught.value.code is Code.QUEUE_FULL


async def test_what_nobody_could_approve_is_refused_and_on_record(house: House):
    house.directory.people = {ANNA: frozenset({OPERATOR})}
    with pytest.raises(Refused) as caught:
        await house.ask()
    assert caught.value.code is Code.QUORUM_UNREACHABLE
    assert await house.names() == ["TicketOpened"]


async def test_an_answer_that_took_too_long_is_a_denial():
    clock = SlowClock()
    house = await House(clock=clock).ready()  # type: ignore[arg-type]
    clock.is_slow = True
    submitted = await house.service.submit(_read(), agent())
    assert submitted.effect is Effect.DENY
    assert "policy_unavailable" in submitted.reason


async def test_without_a_directory_nothing_that_asks_people_is_opened(house: House):
    house.directory.is_down = True
    with pytest.raises(Unavailable) as caught:
        await house.ask()
    assert caught.value.code is Code.IDENTITY_UNAVAILABLE
    assert await house.names() == []
    assert (await house.service.submit(_read(), agent())).effect is Effect.ALLOW


async def test_an_evaluation_is_recorded_and_an_explanation_is_not(house: House):
    assert (await house.service.explain(_read(), agent())).decision.effect is Effect.ALLOW
    assert await house.names() == []
    settled = await house.service.evaluate(_read(), agent())
    assert settled.decision == (await house.service.explain(_read(), agent())).decision
    assert await house.names() == ["DecisionEvaluated"]


async def test_another_tenants_ticket_does_not_exist(house: House):
    ticket = await house.ask()
    house.service.tenant = "other"  # type: ignore[assignment]
    for read in (house.service.ticket(ticket.id), house.vote(ticket, ANNA)):
        with pytest.raises(Refused) as caught:
            await read
        assert caught.value.code is Code.NOT_FOUND
    with pytest.raises(Refused):
        await house.service.ticket(TicketId("none"))


# Voting


async def test_votes_add_up_to_an_approval(house: House):
    ticket = await house.ask()
    assert (await house.vote(ticket, ANNA)).state is S.PENDING
    assert (await house.vote(ticket, BEN)).state is S.APPROVED


async def test_a_vote_signs_what_is_counted(house: House):
    ticket = await house.ask()
    (vote,) = (await house.vote(ticket, ANNA, comment="looks right")).votes
    comment = content_digest(b"looks right")
    message = vote_message(
        binding=ticket.binding,
        choice=Choice.APPROVE,
        person=ANNA,
        role=OPERATOR,
        weight=1,
        comment_digest=comment,
        at=T0,
        nonce=vote.nonce,
    )
    assert house.signer.signed == [("vote:operator", message)]
    assert vote.signature == FakeSigner.value("vote:operator", message)
    assert (vote.key_id, vote.comment_digest) == ("key:vote:operator", comment)
    assert await house.ledger.content(comment) == b"looks right"


async def test_a_vote_without_a_comment_keeps_none(house: House):
    ticket = await house.ask()
    (vote,) = (await house.vote(ticket, ANNA)).votes
    assert vote.comment_digest == ""


async def test_a_person_of_two_roles_votes_in_the_heavier_or_in_the_one_they_choose(house: House):
    ticket = await house.ask()
    (vote,) = (await house.vote(ticket, CARA)).votes
    assert (vote.role, vote.weight) == (ADMIN, 3)
    other = await house.ask(idempotency_key="key-2")
    (vote,) = (await house.vote(other, CARA, role=OPERATOR)).votes
    assert (vote.role, vote.weight) == (OPERATOR, 1)


async def test_a_person_is_told_the_roles_among_which_they_choose(house: House):
    ticket = await house.ask()
    size = len(await house.names())
    choices = await house.service.role_choices(ticket.id, CARA)
    assert [(item.role, item.weight) for item in choices] == [(ADMIN, 3), (OPERATOR, 1)]
    assert await house.service.role_choices(ticket.id, ANNA) == ()
    house.directory.people[OWNER] = frozenset({ADMIN, OPERATOR})
    assert await house.service.role_choices(ticket.id, OWNER) == ()
    assert len(await house.names()) == size
    allowed = await house.service.submit(_read(idempotency_key="other"), agent())
    assert allowed.ticket_id
    assert await house.service.role_choices(allowed.ticket_id, CARA) == ()


async def test_a_role_that_one_does_not_hold_is_never_attested(house: House):
    ticket = await house.ask()
    with pytest.raises(Refused) as caught:
        await house.vote(ticket, ANNA, role=ADMIN)
    assert caught.value.code is Code.WRONG_ROLE
    assert house.signer.signed == []
    assert await house.names() == ["TicketOpened", "VoteRefused"]


async def test_a_person_without_a_role_of_the_tier_signs_nothing(house: House):
    ticket = await house.ask()
    house.directory.people[DAN] = frozenset({"visitor"})
    with pytest.raises(Refused) as caught:
        await house.vote(ticket, DAN)
    assert caught.value.code is Code.WRONG_ROLE
    assert house.signer.signed == []


async def test_a_stranger_is_refused_and_on_record(house: House):
    ticket = await house.ask()
    with pytest.raises(Refused) as caught:
        await house.vote(ticket, PersonId("slack:T9/UX"))
    assert caught.value.code is Code.VOTER_IS_STRANGER
    assert await house.names() == ["TicketOpened", "VoteRefused"]


async def test_nobody_approves_what_they_asked_for(house: House):
    ticket = await house.ask()
    for who in (OWNER, REQUESTER):
        house.directory.people[who] = frozenset({OPERATOR, ADMIN})
        with pytest.raises(Refused) as caught:
            await house.vote(ticket, who)
        assert caught.value.code is Code.SELF_APPROVAL_DENIED
    assert (await house.service.ticket(ticket.id)).votes == ()


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (lambda ticket: ticket.binding, None),
        (lambda ticket: ticket.binding[:12], None),
        (lambda ticket: ticket.binding[:11], Code.BINDING_MISMATCH),
        (lambda _: "", Code.BINDING_MISMATCH),
        (lambda _: "0" * 64, Code.BINDING_MISMATCH),
        (lambda ticket: ticket.binding[:12] + "x", Code.BINDING_MISMATCH),
    ],
)
async def test_what_was_shown_must_be_what_is_bound(house: House, shown, expected: Code | None):  # noqa: ANN001
    ticket = await house.ask()
    if expected is None:
        assert (await house.vote(ticket, ANNA, binding=shown(ticket))).votes
        return
    with pytest.raises(Refused) as caught:
        await house.vote(ticket, ANNA, binding=shown(ticket))
    assert caught.value.code is expected


async def test_a_vote_on_another_revision_is_refused(house: House):
    ticket = await house.ask()
    with pytest.raises(Refused) as caught:
        await house.vote(ticket, ANNA, revision=2)
    assert caught.value.code is Code.SUPERSEDED_REVISION
    assert (await house.vote(ticket, ANNA, revision=1)).votes


async def test_a_vote_on_a_decided_ticket_signs_nothing(house: House):
    ticket = await house.ask()
    await house.vote(ticket, ANNA, choice=Choice.REJECT)
    house.signer.signed.clear()
    with pytest.raises(Refused) as caught:
        await house.vote(ticket, BEN)
    assert caught.value.code is Code.ALREADY_RESOLVED
    assert house.signer.signed == []


async def test_a_role_that_was_taken_meanwhile_is_chosen_anew_once(house: House):
    house.directory.people = {CARA: frozenset({OPERATOR, ADMIN}), DAN: frozenset({OPERATOR, ADMIN})}
    ticket = await house.ask()

    async def dan_takes_admin() -> None:
        await house.vote(ticket, DAN)

    house.ledger.meanwhile = dan_takes_admin
    after = await house.vote(ticket, CARA)
    assert {(vote.person, vote.role) for vote in after.votes} == {(DAN, ADMIN), (CARA, OPERATOR)}
    assert after.state is S.APPROVED
    assert len({vote.nonce for vote in after.votes}) == 2


async def test_a_role_that_one_chose_is_not_exchanged_for_another(house: House):
    house.directory.people = {CARA: frozenset({OPERATOR, ADMIN}), DAN: frozenset({OPERATOR, ADMIN})}
    ticket = await house.ask()
    await house.vote(ticket, DAN)
    with pytest.raises(Refused) as caught:
        await house.vote(ticket, CARA, role=ADMIN)
    assert caught.value.code is Code.ROLE_NO_LONGER_FITS
    assert len(house.signer.signed) == 2  # each signed once: a wish is not tried again


# Clearing and redeeming


async def _approved(house: House) -> Ticket:
    ticket = await house.ask()
    await house.vote(ticket, ANNA)
    return await house.vote(ticket, BEN)


async def test_an_approval_is_redeemed_once_on_a_fresh_clearance(house: House):
    ticket = await _approved(house)
    done = await house.service.redeem(ticket.id, agent())
    assert done.state is S.RELEASED
    assert (await house.names())[-2:] == ["ExecutionCleared", "GrantRedeemed"]
    with pytest.raises(Refused) as caught:
        await house.service.redeem(ticket.id, agent())
    assert caught.value.code is Code.ALREADY_CONSUMED
    assert (await house.names())[-2:] == ["ExecutionCleared", "GrantRedeemed"]


async def test_another_agent_redeems_nothing_and_clears_nothing(house: House):
    ticket = await _approved(house)
    before = await house.names()
    with pytest.raises(Refused) as caught:
        await house.service.redeem(ticket.id, agent(id=AgentId("other")))
    assert caught.value.code is Code.NOT_FOUND
    assert await house.names() == before


async def test_a_grant_for_other_bytes_is_refused(house: House):
    ticket = await _approved(house)
    with pytest.raises(Refused) as caught:
        await house.service.redeem(ticket.id, agent(), digest="0" * 64)
    assert caught.value.code is Code.DIGEST_MISMATCH


@pytest.mark.parametrize("loss", ["role", "account"])
async def test_a_voter_who_left_takes_the_approval_along(house: House, loss: str):
    ticket = await _approved(house)
    if loss == "role":
        house.directory.people[BEN] = frozenset({"visitor"})
    else:
        house.directory.failing[BEN] = Refused(Code.VOTER_DEACTIVATED, "gone")
    with pytest.raises(Refused) as caught:
        await house.service.redeem(ticket.id, agent())
    assert caught.value.code is Code.NOT_APPROVED
    now = await house.service.ticket(ticket.id)
    assert (now.state, [vote.person for vote in now.votes]) == (S.PENDING, [ANNA])


@pytest.mark.parametrize("who", [OWNER, REQUESTER])
async def test_a_deactivated_owner_or_requester_cancels_it(house: House, who: PersonId):
    ticket = await _approved(house)
    house.directory.failing[who] = Refused(Code.VOTER_DEACTIVATED, "gone")
    assert (await house.service.clear(ticket.id)).ticket.state is S.CANCELLED


async def test_an_owner_who_is_not_in_the_directory_cancels_nothing(house: House):
    ticket = await _approved(house)
    assert OWNER not in house.directory.people
    assert (await house.service.clear(ticket.id)).ticket.state is S.APPROVED
    house.directory.people[OWNER] = frozenset()
    assert (await house.service.clear(ticket.id)).ticket.state is S.APPROVED


async def test_without_a_directory_an_approval_stays_unconfirmed(house: House):
    ticket = await _approved(house)
    house.directory.is_down = True
    with pytest.raises(Unavailable):
        await house.service.redeem(ticket.id, agent())
    now = await house.service.ticket(ticket.id)
    assert (now.state, now.cleared_at) == (S.APPROVED, None)


# Governing


async def test_a_freeze_stops_new_requests_votes_and_grants_until_two_people_lift_it(
    house: House,
):
    ticket = await _approved(house)
    assert await house.service.freeze(AGENT, ANNA, "odd") is True
    assert await house.service.freeze(AGENT, BEN) is False
    waiting = (house.ask(idempotency_key="k2"), house.service.redeem(ticket.id, agent()))
    for attempt in waiting:
        with pytest.raises(Refused) as caught:
            await attempt
        assert caught.value.code is Code.FROZEN
    assert await house.service.unfreeze(AGENT, ANNA) is False
    assert await house.service.unfreeze(AGENT, ANNA) is False
    assert await house.service.unfreeze(AGENT, BEN) is True
    assert (await house.service.redeem(ticket.id, agent())).state is S.RELEASED


async def test_a_person_is_who_the_directory_says(house: House):
    assert (await house.service.person(CARA)).roles == {OPERATOR, ADMIN}
    with pytest.raises(Refused):
        await house.service.person(PersonId("slack:T9/UX"))


async def test_a_command_reaches_its_ticket(house: House):
    ticket = await house.ask()
    cancel = cmd.CancelTicket(ticket_id=ticket.id, actor="agent:deployer", agent=AGENT)
    handled = await house.service.handle(cancel)
    assert (handled.ticket.state, handled.is_changed) == (S.CANCELLED, True)
    assert (await house.service.handle(cancel)).is_changed is False


async def test_a_bundle_that_is_not_the_active_one_decides_nothing(house: House):
    other = load({"version": "v1", "name": "other", "rules": []})
    event = ctl.BundleActivated(
        tenant=TENANT,
        actor="operator:x",
        snapshot=other.snapshot,
        content_digest=content_digest(canonical_bytes(other.source)),
        registry_digest=other.registry_digest,
    )
    admin = Administration(
        ledger=house.ledger,
        reader=house.ledger,
        clock=house.clock,
        signer=house.signer,
        tenant=TENANT,
    )
    assert await admin.activate(other, actor=event.actor)
    with pytest.raises(Unavailable) as caught:
        await house.ask()
    assert caught.value.code is Code.SNAPSHOT_CHANGED


async def test_the_clocks_commands_are_run_together_and_each_by_itself():
    house = await House().ready()
    first, second = await house.ask(), await house.ask(idempotency_key="other")
    house.clock.pass_((second.expires_at - house.clock.now()).total_seconds())
    names = (first.id, TicketId("t-none"), second.id)
    gone, none, also = await house.service.handle_all(
        [cmd.ExpireTicket(ticket_id=name) for name in names]
    )
    assert isinstance(none, Refused)
    assert none.code is Code.NOT_FOUND
    for one in (gone, also):
        assert isinstance(one, Handled)
        assert (one.is_changed, one.ticket.state) == (True, TicketState.EXPIRED)
    assert (await house.service.ticket(second.id)).state is TicketState.EXPIRED
