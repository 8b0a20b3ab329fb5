"""The API over real HTTP on loopback: memory ledger, a real bundle, people in a dictionary."""

# what aiohttp and the builders take as keywords

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from secrets import token_bytes
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from bot.api import server
from bot.api.app import build_api
from bot.api.auth import make_token
from bot.api.deps import ApiDeps, Limits, Writing
from bot.compose.serve import writing_of
from bot.ids import RandomIds
from governance.administration import Administration, TreeHead
from governance.canonical import Json, parse
from governance.errors import Code, Refused
from governance.note_keys import NoteKey
from governance.policy.bundle import load
from governance.ports import Signer
from governance.principal import (
    Agent,
    AgentId,
    Credential,
    Eligible,
    Person,
    PersonId,
    Scope,
    TenantId,
)
from governance.service import Service
from governance.tickets.ticket import Ticket, TicketId
from governance.transparency import Published
from storage.ledger import SqlLedger
from storage.memory.ledger import MemoryLedger
from storage.tree.proving import Prover
from tests.support.build import T0, FixedClock
from tests.support.core import FakeSigner
from tests.support.logs import ORIGIN

TENANT = TenantId("default")
OWNER = PersonId("slack:T1/UOWNER")
OLGA = PersonId("slack:T1/UOLGA")
OTTO = PersonId("slack:T1/UOTTO")
SARA = PersonId("slack:T1/USARA")
NOBODY = PersonId("slack:T1/UNOBODY")
ROLES: Eligible = {
    OLGA: frozenset({"operator"}),
    OTTO: frozenset({"operator"}),
    SARA: frozenset({"security-admin"}),
    OWNER: frozenset({"operator"}),
    NOBODY: frozenset(),
}
MERGE = {"topic": "job.merge", "prompt": "merge it", "risk_tags": ["prod"]}
"""A job that needs one operator (1) and one security admin (3)."""

BUNDLE: dict[str, Any] = {
    "version": "v1",
    "name": "api-tests",
    "default_decision": "deny",
    "default_tier": "high",
    "rules": [
        {
            "id": "allow-low-risk-read",
            "match": {"topics": ["job.mcp-bridge.read.*"]},
            "decision": "allow",
        },
        {
            "id": "require-approval-prod-write",
            "match": {"topics": ["job.mcp-bridge.write.*", "job.merge"], "risk_tags": ["prod"]},
            "decision": "require_approval",
            "reason": "Production writes require human review",
        },
        {
            "id": "guarded",
            "match": {"topics": ["job.guard"]},
            "decision": "require_approval",
            "reason": "A person looks at it",
            "tier": "light",
        },
        {
            "id": "careful",
            "match": {"topics": ["job.careful"]},
            "decision": "require_approval",
            "tier": "careful",
        },
        {
            "id": "constrain-medium-risk",
            "match": {"topics": ["job.agent.exec.*"]},
            "decision": "allow_with_constraints",
            "constraints": {"max_runtime_sec": 45, "max_retries": 1},
        },
        {"id": "notify", "match": {"topics": ["job.notify"]}, "decision": "allow"},
        {
            "id": "slow-down",
            "match": {"topics": ["job.notify"]},
            "decision": "throttle",
            "reason": "At most one a minute",
            "rate": {"per": "agent", "count": 1, "window_s": 60},
        },
        {"id": "deny-destructive", "match": {"risk_tags": ["destructive"]}, "decision": "deny"},
    ],
    "tiers": {
        "high": {
            "roles": {
                "operator": {"weight": 1, "min_required": 1},
                "security-admin": {"weight": 3, "min_required": 1},
            },
            "threshold": 4,
            "ttl": "1h",
        },
        "light": {"roles": {"operator": {"weight": 1, "min_required": 1}}, "ttl": "1h"},
        "careful": {
            "roles": {"operator": {"weight": 1, "min_required": 1}},
            "ttl": "1h",
            "comment": "required",
        },
    },
    "tools": {
        "site.read": {
            "actions": ["read"],
            "classification": "public",
            "run": {"title": "Read", "runner": {"builtin": "text.report"}},
        },
    },
    "environments": {"staging": {}},
}


@dataclass
class People:
    """A directory in a dictionary; ``gone`` are deactivated."""

    roles: dict[PersonId, frozenset[str]] = field(default_factory=lambda: dict(ROLES))
    gone: set[PersonId] = field(default_factory=set)

    async def person(self, person_id: PersonId, *, is_fresh: bool = False) -> Person:
        if person_id in self.gone:
            raise Refused(Code.VOTER_DEACTIVATED, f"{person_id} is deactivated")
        if person_id not in self.roles:
            raise Refused(Code.VOTER_IS_STRANGER, f"{person_id} is nobody here")
        return Person(id=person_id, tenant=TENANT, roles=self.roles[person_id], resolved_at=T0)

    async def eligible(self, roles: Sequence[str]) -> Eligible:
        wanted = set(roles)
        return {who: held & wanted for who, held in self.roles.items() if held & wanted}


class _Served(TestServer):
    """Served as ``placet serve`` does."""

    async def _make_runner(self, **kwargs: Any) -> web.AppRunner:
        return server.runner(self.app, **kwargs)


class Secrets:
    """Webhook secrets in a dictionary."""

    def __init__(self) -> None:
        self.by_id: dict[str, bytes] = {}

    def lookup(self, credential_id: str) -> bytes | None:
        return self.by_id.get(credential_id)


@dataclass(kw_only=True)
class World:
    """Everything a test acts on."""

    client: TestClient[web.Request, web.Application]
    ledger: MemoryLedger
    service: Service
    administration: Administration
    clock: FixedClock
    people: People
    secrets: Secrets
    unready: list[str]
    proofs: Prover
    tokens: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)

    async def issue(self, name: str, *scopes: Scope, **who: Any) -> str:
        """A credential on record; its token."""
        tenant = who.pop("tenant", TENANT)
        credential, token = make_token(tenant=tenant, scopes=scopes, at=T0, **who)
        await self.administration.issue(credential, actor="test")
        self.tokens[name], self.credentials[name] = token, credential
        return token

    async def webhook_secret(self, name: str) -> bytes:
        """A signing secret for the credential of that name."""
        raw = token_bytes(32)
        self.secrets.by_id[self.credentials[name].id] = raw
        return raw

    def headers(self, name: str) -> dict[str, str]:
        """What the credential of that name sends; none for an empty name."""
        return {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}

    async def send(
        self, method: str, path: str, name: str = "agent", body: object = None, **more: Any
    ) -> "Got":
        """One request; a relative path is under /api/v1."""
        url = path if path.startswith("/") else f"/api/v1/{path}"
        headers = {**self.headers(name), **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        async with self.client.request(method, url, headers=headers, **more) as response:
            return await got(response)

    async def get(self, path: str, name: str = "agent", **more: Any) -> "Got":
        """GET."""
        return await self.send("GET", path, name, **more)

    async def post(self, path: str, name: str = "agent", body: object = None, **more: Any) -> "Got":
        """POST."""
        return await self.send("POST", path, name, body, **more)

    async def job(self, name: str = "agent", **fields: object) -> str:
        """A pending job of ``MERGE``'s kind; its id."""
        told = await self.post("jobs", name, {**MERGE, **fields})
        assert told.status == 200, told
        return str(told["job_id"])

    async def approved(self, **fields: object) -> str:
        """A job that OLGA and SARA approved."""
        name = await self.job(**fields)
        for who in ("olga", "sara"):
            told = await self.post(f"approvals/{name}/approve", who)
            assert told.status == 200, told
        return name

    async def ticket(self, name: str) -> Ticket:
        """A ticket as it stands."""
        found = await self.ledger.ticket(TicketId(name))
        assert found is not None
        return found

    async def checkpoint(self) -> str:
        """Sign the log as it is, and let proofs lead there; the note."""
        size, root, head = await self.ledger.tree_head()
        await self.proofs.catch_up(size, root)
        tree = TreeHead(size=size, root=root, head=head)
        note = await self.administration.checkpoint(tree, origin=ORIGIN)
        await self.proofs.publish(Published(size=size, root=root, note=note))
        return note

    async def size(self) -> int:
        """How many records the log holds."""
        return (await self.ledger.head())[0]


@dataclass(kw_only=True)
class Got:
    """An answer: status, headers, exact JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Json

    def __getitem__(self, key: str) -> Any:
        assert isinstance(self.body, Mapping), self.text
        return self.body[key]


async def got(response: ClientResponse) -> Got:
    """The whole of an answer."""
    raw = await response.read()
    text = raw.decode("utf-8")
    is_json = response.content_type == "application/json"
    body = parse(raw, max_bytes=4_194_304) if is_json else None
    return Got(status=response.status, headers=response.headers, text=text, body=body)


def agent(name: str = "merge-bot", **more: Any) -> Agent:
    """An agent that OWNER answers for."""
    return replace(Agent(id=AgentId(name), tenant=TENANT, owners=(OWNER,)), **more)


@asynccontextmanager
async def running(
    *,
    max_pending: int = 250,
    limits: Limits | None = None,
    routes: Sequence[web.AbstractRouteDef] = (),
    signer: Signer | None = None,
    witnesses: Sequence[NoteKey] = (),
    over: Callable[[FixedClock], MemoryLedger] = MemoryLedger,
    **bundle: Any,
) -> AsyncIterator[World]:
    """A served API with an agent, another agent, and people's credentials; ``over`` a ledger."""
    clock, people, secrets = FixedClock(), People(), Secrets()
    ledger, signer = await over(clock).start(), signer or FakeSigner()
    proofs = Prover(ledger.tiles)
    policy = load({**BUNDLE, "limits": {"max_pending": max_pending}, **bundle})
    service = Service(
        ledger=ledger,
        reader=ledger,
        clock=clock,
        signer=signer,
        directory=people,
        ids=RandomIds(),
        bundle=policy,
        tenant=TENANT,
    )
    administration = Administration(
        ledger=ledger, reader=ledger, clock=clock, signer=signer, tenant=TENANT
    )
    await administration.register_keys()
    await administration.activate(policy, actor="test")
    unready: list[str] = []

    async def readiness() -> Sequence[str]:
        return unready

    app = build_api(
        ApiDeps(
            writing=lambda: writing_of(ledger) if isinstance(ledger, SqlLedger) else Writing(),
            service=service,
            reader=ledger,
            clock=clock,
            readiness=readiness,
            webhook_secrets=secrets,
            transparency=proofs,
            origin=ORIGIN,
            witnesses=witnesses,
            routes=routes,
            limits=limits or Limits(),
        )
    )
    async with TestClient(_Served(app)) as client:
        world = World(
            client=client,
            ledger=ledger,
            service=service,
            administration=administration,
            clock=clock,
            people=people,
            secrets=secrets,
            unready=unready,
            proofs=proofs,
        )
        await world.issue("agent", Scope.SUBMIT, Scope.READ, agent=agent())
        await world.issue("other", Scope.SUBMIT, Scope.READ, agent=agent("other-bot"))
        await world.issue(
            "redeemer", Scope.SUBMIT, Scope.READ, agent=agent("old-bot", redeem_on_read=True)
        )
        await world.issue("reader", Scope.READ)
        await world.issue("admin", Scope.ADMIN)
        for name, person in (("olga", OLGA), ("otto", OTTO), ("sara", SARA), ("owner", OWNER)):
            await world.issue(name, Scope.APPROVE, Scope.READ, person=person)
        await world.issue("nobody", Scope.APPROVE, Scope.READ, person=NOBODY)
        yield world
