"""What drives the core in tests: requests, decisions, commands, and fakes of its ports.

The values beside them (asks, rulings, events) are in ``tests.support.build``.
"""

# overrides are any field of the value that is built

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.canonical import Json
from governance.control import PublicKey
from governance.errors import Code, PlacetError, Refused, Unavailable
from governance.execution import SandboxTier
from governance.policy.decision import Constraints, Decision, Effect
from governance.ports import Signature
from governance.principal import Agent, Eligible, Person, PersonId
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import lifecycle
from governance.tickets.decided import Decided
from governance.tickets.ticket import Choice, Ticket, TicketId
from tests.support.build import AGENT, ANNA, BEN, OWNER, T0, TENANT, requirement
from tests.support.world import pem_of

CARA = PersonId("slack:T1/UCARA")
DAN = PersonId("slack:T1/UDAN")
REQUESTER = PersonId("slack:T1/UREQ")
OPERATOR = "operator"
ADMIN = "security-admin"
TICKET = TicketId("t-1")

PEOPLE: Eligible = {
    ANNA: frozenset({OPERATOR}),
    BEN: frozenset({ADMIN}),
    CARA: frozenset({OPERATOR, ADMIN}),
    DAN: frozenset({OPERATOR}),
}
"""Enough people for ``requirement()``, and some to spare."""


def content(**changes: Any) -> Content:
    """A restart of one host, with every part filled."""
    arguments: Mapping[str, Json] = {"host": "web-1", "grace_s": 5}
    base = Content(
        arguments=arguments, prompt="restart it", context={"pod": "a"}, justification="it hangs"
    )
    return replace(base, **changes)


def request(**changes: Any) -> ActionRequest:
    """What the agent asks, with every part filled."""
    base = ActionRequest(
        tenant=TENANT,
        agent=AGENT,
        on_behalf_of=REQUESTER,
        topic="job.restart",
        tool="host.restart",
        action=ActionKind.EXECUTE,
        environment="prod",
        capability="restart",
        risk_tags=("prod",),
        requires=("change-window",),
        labels={"team": "core"},
        data_classes=("internal",),
        target="web-1",
        content=content(),
        dispatch=Dispatch.EXECUTE,
        trace_id="a" * 32,
        idempotency_key="key-1",
        ttl_s=None,
    )
    return replace(base, **changes)


def agent(**changes: Any) -> Agent:
    """The agent of ``request()``, owned by OWNER."""
    return replace(Agent(id=AGENT, tenant=TENANT, owners=(OWNER,)), **changes)


def decision(effect: Effect = Effect.REQUIRE_APPROVAL, **changes: Any) -> Decision:
    """What policy says; a requirement comes with REQUIRE_APPROVAL."""
    base = Decision(
        effect=effect,
        reason="writes to prod",
        snapshot="s-1",
        rule_ids=("prod-writes",),
        constraints=Constraints(max_runtime_s=60, network_allow=("a.example", "b.example")),
        risk_tier="high",
        requirement=requirement() if effect is Effect.REQUIRE_APPROVAL else None,
        plan_digest="6" * 64,
        sandbox=SandboxTier.A_MINUS,
    )
    return replace(base, **changes)


def person(who: str = ANNA, *roles: str, at: datetime = T0) -> Person:
    """A person with ``roles`` (those of PEOPLE where none are given)."""
    held = frozenset(roles) or PEOPLE.get(PersonId(who), frozenset())
    return Person(id=PersonId(who), tenant=TENANT, roles=held, resolved_at=at)


def opening(**changes: Any) -> cmd.OpenTicket:
    """Open the ticket of ``request()``; ``request`` and ``decision`` may be given."""
    base = cmd.OpenTicket(
        ticket_id=TICKET,
        request=request(),
        agent=agent(),
        decision=decision(),
        content_digest="2" * 64,
        eligible=PEOPLE,
    )
    return replace(base, **changes)


def born(**changes: Any) -> Ticket:
    """A ticket as it is born of ``opening(**changes)`` at T0."""
    decided = lifecycle.open_ticket(opening(**changes), T0, ())
    return after(None, decided.events, T0)


def after(ticket: Ticket | None, events: Sequence[ev.TicketEvent], at: datetime) -> Ticket:
    """The ticket once ``events`` have happened."""
    for event in events:
        ticket = lifecycle.evolve(ticket, event, at)
    assert ticket is not None
    return ticket


def decide(
    ticket: Ticket, command: cmd.Command, at: datetime = T0, *, is_frozen: bool = False
) -> Decided:
    """The lifecycle's answer, nothing frozen unless said."""
    return lifecycle.decide(ticket, command, at, is_frozen=is_frozen)


def played(ticket: Ticket, *commands: cmd.Command, at: datetime = T0) -> Ticket:
    """The ticket after commands, none of which may be refused."""
    for command in commands:
        decided = decide(ticket, command, at)
        assert decided.refusal is None, decided.refusal
        ticket = after(ticket, decided.events, at)
    return ticket


def kinds(decided: Decided) -> list[str]:
    """The names of the events, in order."""
    return [type(event).__name__ for event in decided.events]


def code(decided: Decided) -> Code | None:
    """The code of the refusal."""
    return decided.refusal.code if decided.refusal else None


def ballot(ticket: Ticket, who: str = ANNA, role: str = OPERATOR, **changes: Any) -> cmd.CastVote:
    """A vote as the service would sign it for what ``ticket`` is now."""
    wanted = ticket.ruling.requirement
    base = cmd.CastVote(
        ticket_id=ticket.id,
        revision=ticket.revision,
        person=person(who),
        choice=Choice.APPROVE,
        role=role,
        weight=(wanted.weight_of(role) if wanted else None) or 0,
        binding=ticket.binding,
        signed_at=T0,
        nonce="7" * 32,
        key_id=f"key:{role}",
        signature="c2ln",
        eligible=PEOPLE,
    )
    return replace(base, **changes)


def approved(**changes: Any) -> Ticket:
    """A ticket that ANNA and BEN approved."""
    ticket = born(**changes)
    ticket = played(ticket, ballot(ticket, ANNA))
    return played(ticket, ballot(ticket, BEN, ADMIN))


def clearing(ticket: Ticket, **changes: Any) -> cmd.ClearExecution:
    """Every voter confirmed in the role of PEOPLE."""
    standing = {vote.person: PEOPLE[vote.person] for vote in ticket.votes}
    base = cmd.ClearExecution(ticket_id=ticket.id, revision=ticket.revision, standing=standing)
    return replace(base, **changes)


def starting(ticket: Ticket, **changes: Any) -> cmd.StartExecution:
    """A start of exactly what is approved."""
    base = cmd.StartExecution(
        ticket_id=ticket.id,
        run_id="run-1",
        executor="exec-1",
        lease_s=30,
        action_digest=ticket.ask.action_digest,
        plan_digest=ticket.ruling.plan_digest,
        sandbox=SandboxTier.A,
    )
    return replace(base, **changes)


def executing(**changes: Any) -> Ticket:
    """A ticket whose action runs since T0 with a lease of 30 s."""
    ticket = approved(**changes)
    return played(ticket, clearing(ticket), starting(ticket))


def redeeming(ticket: Ticket, **changes: Any) -> cmd.RedeemGrant:
    """The agent consumes its approval."""
    base = cmd.RedeemGrant(ticket_id=ticket.id, agent=AGENT, grant_id="g-1")
    return replace(base, **changes)


@dataclass
class FakeDirectory:
    """People in a dictionary; ``failing`` are errors by person, ``is_down`` fails every look-up."""

    people: dict[PersonId, frozenset[str]] = field(default_factory=lambda: dict(PEOPLE))
    failing: dict[PersonId, PlacetError] = field(default_factory=dict)
    is_down: bool = False

    async def person(self, person_id: PersonId, *, is_fresh: bool = False) -> Person:
        """A person, or why not."""
        self._check()
        if person_id in self.failing:
            raise self.failing[person_id]
        if person_id not in self.people:
            raise Refused(Code.VOTER_IS_STRANGER, f"{person_id} is nobody here")
        return Person(id=person_id, tenant=TENANT, roles=self.people[person_id], resolved_at=T0)

    async def eligible(self, roles: Sequence[str]) -> Eligible:
        """Who holds any of ``roles``."""
        self._check()
        wanted = set(roles)
        return {who: held & wanted for who, held in self.people.items() if held & wanted}

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable(Code.IDENTITY_UNAVAILABLE, "the directory does not answer")


@dataclass
class FakeSigner:
    """Signs by hashing, so that a test can recompute; remembers what it was asked to sign."""

    signed: list[tuple[str, bytes]] = field(default_factory=list)

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """64 bytes that depend on purpose and message."""
        self.signed.append((purpose, message))
        return Signature(key_id=f"key:{purpose}", value=self.value(purpose, message))

    @staticmethod
    def value(purpose: str, message: bytes) -> str:
        """The signature that ``sign`` makes."""
        half = sha256(purpose.encode() + b"\0" + message).digest()
        return base64.b64encode(half * 2).decode()

    def public_keys(self) -> Sequence[PublicKey]:
        """A key for each role of the tests, and one for checkpoints."""
        return tuple(
            PublicKey(id=f"key:{purpose}", purpose=purpose, pem=pem_of(purpose), valid_from=T0)
            for purpose in (f"vote:{OPERATOR}", f"vote:{ADMIN}", "checkpoint")
        )


@dataclass
class CountingIds:
    """Ids that count upwards."""

    made: int = 0

    def ticket(self) -> TicketId:
        """t-1, t-2, ..."""
        self.made += 1
        return TicketId(f"t-{self.made}")

    def nonce(self) -> str:
        """A number in 32 hex digits."""
        self.made += 1
        return f"{self.made:032x}"
