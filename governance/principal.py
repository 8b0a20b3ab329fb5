"""Who acts: agents, people, parts of the system, and what each may do.

Lives here: identities as values. Must not live here: how an identity is proven (``bot.people``,
``bot.api.auth``). Law: a person is a directory id, never a display name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

TenantId = NewType("TenantId", str)
AgentId = NewType("AgentId", str)
PersonId = NewType("PersonId", str)
"""``slack:TEAM/USER`` for a Slack account."""


BREAK_GLASS = AgentId("break-glass")
"""In whose name people themselves ask for emergencies; no credential may bear it."""


class Scope(StrEnum):
    """What a credential may be used for."""

    SUBMIT = "submit"
    READ = "read"
    APPROVE = "approve"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent as its credential describes it; nothing here is the agent's own claim."""

    id: AgentId
    tenant: TenantId
    owners: tuple[PersonId, ...] = ()
    """The people who answer for it; none of them may approve what it asks."""
    environments: tuple[str, ...] = ()
    """Environments it may name; another is a denial.

    Empty = any, and then none is vouched for: what holds in prod holds too.
    """
    roles: tuple[str, ...] = ()
    """Roles of the requester for data clearance."""
    redeem_on_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person as the directory described them at ``resolved_at``."""

    id: PersonId
    tenant: TenantId
    roles: frozenset[str]
    resolved_at: datetime
    also: frozenset[PersonId] = frozenset()
    """Other ids of the same human: an organisation knows one person by several."""
    unasked: str = ""
    """Why roles may be missing here: what could not be asked. A role from it is not had."""

    @property
    def names(self) -> frozenset[PersonId]:
        """Every id by which a ticket may know this human."""
        return self.also | {self.id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A bearer credential: only the digest of its secret is ever kept."""

    id: str
    tenant: TenantId
    secret_digest: str
    scopes: frozenset[Scope]
    agent: Agent | None
    person: PersonId | None
    issued_at: datetime
    revoked_at: datetime | None = None


Eligible = Mapping[PersonId, frozenset[str]]
"""People who could vote now, each with the roles that they hold."""


def actor_agent(agent: AgentId) -> str:
    """How an agent is written in the ``actor`` field of an event."""
    return f"agent:{agent}"


def actor_person(person: PersonId) -> str:
    """How a person is written in the ``actor`` field of an event."""
    return f"person:{person}"
