"""Processes on one ledger, and bundles to activate among them."""

from dataclasses import dataclass, field
from typing import Any

from governance.action import ActionKind, Dispatch
from governance.administration import Administration
from governance.policy.active import ActiveBundle
from governance.policy.bundle import load
from governance.policy.model import Bundle
from governance.ports import Clock
from governance.service import Service
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, Ticket, TicketId
from storage.ledger import SqliteLedger
from storage.memory.ledger import MemoryLedger
from tests.support.build import ANNA, BEN, TENANT
from tests.support.core import (
    ADMIN,
    OPERATOR,
    CountingIds,
    FakeDirectory,
    FakeSigner,
    agent,
    content,
    request,
)

AnyLedger = MemoryLedger | SqliteLedger


def bundle(decision: str = "require_approval", *, name: str = "base", **high: Any) -> Bundle:
    """A bundle with one rule for every job, and one tier; ``high`` changes the tier."""
    tier = {
        "roles": {
            OPERATOR: {"weight": 1, "min_required": 1},
            ADMIN: {"weight": 3, "min_required": 1},
        },
        "threshold": 4,
    }
    return load(
        {
            "version": "v1",
            "name": name,
            "rules": [{"id": "jobs", "match": {"topics": ["job.*"]}, "decision": decision}],
            "tiers": {"high": tier | high},
            "default_tier": "high",
            "limits": {"max_pending_per_agent": 50},
            "tools": {
                "host.restart": {
                    "actions": ["execute"],
                    "classification": "public",
                    "run": {"argv": ["/bin/true"]},
                }
            },
        }
    )


BASE = bundle()
SAME = bundle(name="same")
STRICTER = bundle(name="stricter", comment="required")
DENIES = bundle("deny", name="denies")
ALLOWS = bundle("allow", name="allows")


@dataclass
class Process:
    """One process: a service with the bundle that it loaded."""

    ledger: AnyLedger
    clock: Clock
    active: ActiveBundle
    service: Service
    administration: Administration
    asked: int = 0
    tickets: list[TicketId] = field(default_factory=list)

    async def ask(self, **changes: Any) -> Ticket:
        """A job that an agent releases itself."""
        self.asked += 1
        own: dict[str, Any] = {
            "tool": "",
            "action": ActionKind.WRITE,
            "dispatch": Dispatch.RELEASE,
            "idempotency_key": f"key-{id(self)}-{self.asked}",
            "content": content(),
        }
        done = await self.service.submit(request(**(own | changes)), agent())
        assert done.ticket is not None
        return done.ticket

    async def approve(self, ticket: Ticket) -> Ticket:
        """ANNA and BEN approve."""
        for person in (ANNA, BEN):
            ticket = await self.vote(ticket.id, person)
        return ticket

    async def vote(self, ticket_id: TicketId, person: Any) -> Ticket:
        """One person approves."""
        await self.administration.register_keys()
        ballot = Ballot(tenant=TENANT, ticket_id=ticket_id, person_id=person, choice=Choice.APPROVE)
        return (await self.service.vote(ballot)).ticket

    async def activate(self, new: Bundle) -> None:
        """Record an activation, as another process sees it: nothing is loaded here."""
        assert await self.administration.activate(new, actor="operator:x")

    async def load(self, new: Bundle) -> None:
        """Take over what was activated."""
        self.active.replace(new)


def process(ledger: AnyLedger, clock: Clock, loaded: Bundle) -> Process:
    """One more process on ``ledger``."""
    active, signer = ActiveBundle(loaded), FakeSigner()
    return Process(
        ledger=ledger,
        clock=clock,
        active=active,
        service=Service(
            ledger=ledger,
            reader=ledger,
            clock=clock,
            signer=signer,
            directory=FakeDirectory(),
            ids=CountingIds(made=id(active)),
            bundle=active,
            tenant=TENANT,
        ),
        administration=Administration(
            ledger=ledger, reader=ledger, clock=clock, signer=signer, tenant=TENANT
        ),
    )
