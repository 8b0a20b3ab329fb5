"""A big lawful ledger for ``bench.verify``: tickets of two kinds, every vote really signed.

Lives here: the events of such tickets, and writing them through the real writer. Must not live
here: what is measured about verification. Law: nothing is written beside the ledger's own door, so
that what is verified is what the product writes.
"""

import asyncio
import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance import control as ctl
from governance.action import ActionRequest, Content, Dispatch
from governance.audit import Event
from governance.checkpoint_notes import checkpoint_body, note_key_hash, note_signature, signed_note
from governance.control import PublicKey
from governance.digests import action_digest, content_digest, request_digest
from governance.execution import OutputState, RunReport, RunStatus, SandboxTier
from governance.policy.decision import Constraints, Effect, Requirement, RoleRequirement
from governance.ports import IdempotencyKey, Keys, Ledger, Result, State
from governance.principal import AgentId, PersonId, TenantId
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.binding import binding_of, vote_message
from governance.tickets.ticket import (
    Ask,
    Basis,
    Choice,
    Claims,
    Ruling,
    Run,
    TicketId,
    TicketState,
    Vote,
)

TENANT = TenantId("acme")
ROLES = (("operator", 1, "slack:T1/UANNA"), ("security-admin", 3, "slack:T1/UBEN"))
_CONTENT = Content(arguments={"service": "web-1"})
BODY = _CONTENT.to_bytes()
BATCH = 256
_PEOPLE_EVERY = 4
"""One ticket in so many is decided by people; policy alone decides the others."""

_REQUEST = ActionRequest(
    tenant=TENANT,
    agent=AgentId("deployer"),
    topic="job.deploy",
    tool="deploy.service",
    environment="prod",
    target="web-1",
    risk_tags=("prod",),
    labels={"team": "core"},
    content=_CONTENT,
    dispatch=Dispatch.EXECUTE,
    trace_id="a" * 32,
    idempotency_key="",
)
_ASK = Ask(
    tenant=TENANT,
    agent=_REQUEST.agent,
    on_behalf_of=None,
    owners=(PersonId("slack:T1/UOWNER"),),
    topic=_REQUEST.topic,
    tool=_REQUEST.tool,
    action=_REQUEST.action,
    environment="prod",
    target="web-1",
    risk_tags=("prod",),
    labels=(("team", "core"),),
    dispatch=Dispatch.EXECUTE,
    trace_id="a" * 32,
    idempotency_key="",
    request_digest=request_digest(_REQUEST),
    content_digest=content_digest(BODY),
    action_digest=action_digest(_REQUEST),
    claims=Claims(environment="prod", risk_tags=("prod",)),
)
_REQUIREMENT = Requirement(
    tier="high",
    roles=tuple(RoleRequirement(role=r, weight=w, min_required=1) for r, w, _ in ROLES),
    threshold=4,
    ttl_s=3600,
    respond_within_s=900,
)
_BY_PEOPLE = Ruling(
    effect=Effect.REQUIRE_APPROVAL,
    reason="writes to prod",
    snapshot="5" * 64,
    rule_ids=("prod-writes",),
    constraints=Constraints(max_runtime_s=60),
    risk_tier="high",
    requirement=_REQUIREMENT,
    plan_digest="6" * 64,
)
_BY_POLICY = replace(
    _BY_PEOPLE, effect=Effect.ALLOW, reason="reads", requirement=None, rule_ids=("reads",)
)
_REPORT = RunReport(
    status=RunStatus.SUCCEEDED,
    exit_code=0,
    duration_ms=12,
    sandbox="A",
    output_state=OutputState.CLEAN,
    output_digest=content_digest(BODY),
    shown_digest=content_digest(BODY),
)


class Signing:
    """Keys of one run: one for each role and one for checkpoints."""

    def __init__(self) -> None:
        self.purposes = (*(f"vote:{role}" for role, _, _ in ROLES), "checkpoint")
        self._keys = {purpose: generate_private_key(SECP256R1()) for purpose in self.purposes}

    def registered(self, at: datetime) -> tuple[Event, ...]:
        """The log's word on these keys."""
        return tuple(
            ctl.KeyRegistered(
                tenant=TENANT,
                key=PublicKey(id=f"key:{name}", purpose=name, pem=_pem(key), valid_from=at),
            )
            for name, key in self._keys.items()
        )

    def sign(self, purpose: str, message: bytes) -> bytes:
        """r and s, 64 bytes."""
        r, s = decode_dss_signature(self._keys[purpose].sign(message, ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def note(self, size: int, root: bytes, head: str, at: datetime) -> str:
        """A signed checkpoint."""
        body = checkpoint_body(origin="bench/placet", size=size, root=root, head=head, at=at)
        return signed_note(
            body,
            key_name="bench/placet",
            key_hash=note_key_hash(_pem(self._keys["checkpoint"])),
            signature=note_signature(self.sign("checkpoint", body.encode())),
        )


def _pem(key: EllipticCurvePrivateKey) -> str:
    found = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found.decode()


def opened(number: int, expires_at: datetime) -> ev.TicketOpened:
    name = TicketId(f"t-{number:08d}")
    is_people = number % _PEOPLE_EVERY == 0
    ruling = _BY_PEOPLE if is_people else _BY_POLICY
    binding = binding_of(
        ticket_id=name,
        revision=1,
        action_digest=_ASK.action_digest,
        constraints=ruling.constraints,
        snapshot=ruling.snapshot,
        requirement=ruling.requirement,
        constraint_id=ruling.constraint_id,
        plan_digest=ruling.plan_digest,
        expires_at=expires_at,
    )
    return ev.TicketOpened(
        ticket_id=name,
        state=TicketState.PENDING if is_people else TicketState.APPROVED,
        basis=None if is_people else Basis.POLICY,
        ask=replace(_ASK, idempotency_key=f"key-{number}", trace_id=f"{number:032x}"),
        ruling=ruling,
        binding=binding,
        expires_at=expires_at,
    )


def _vote(signing: Signing, binding: str, place: int, at: datetime) -> Vote:
    role, weight, who = ROLES[place]
    person, nonce = PersonId(who), f"{place}" * 32
    message = vote_message(
        binding=binding,
        choice=Choice.APPROVE,
        person=person,
        role=role,
        weight=weight,
        comment_digest="",
        at=at,
        nonce=nonce,
    )
    return Vote(
        person=person,
        role=role,
        weight=weight,
        choice=Choice.APPROVE,
        at=at,
        nonce=nonce,
        key_id=f"key:vote:{role}",
        signature=base64.b64encode(signing.sign(f"vote:{role}", message)).decode(),
    )


def ticket(signing: Signing, number: int, at: datetime) -> tuple[Event, ...]:
    """Everything that happens to one ticket: born, perhaps voted on, run."""
    born = opened(number, at + timedelta(hours=24))
    name: Any = {"ticket_id": born.ticket_id, "revision": 1}
    events: list[Event] = [born]
    if born.state is TicketState.PENDING:
        votes = [_vote(signing, born.binding, place, at) for place in range(len(ROLES))]
        events += [ev.VoteCast(**name, vote=vote) for vote in votes]
        events.append(ev.TicketApproved(**name, weight=4, threshold=4))
    run = Run(
        id=f"run-{number}", executor="e-1", started_at=at, lease_until=at + timedelta(minutes=1)
    )
    events += [
        run_ev.ExecutionCleared(**name, people=tuple(PersonId(who) for _, _, who in ROLES)),
        run_ev.ExecutionStarted(
            **name,
            run=run,
            action_digest=_ASK.action_digest,
            plan_digest="6" * 64,
            sandbox=SandboxTier.A,
        ),
        run_ev.ExecutionSucceeded(**name, run_id=run.id, report=_REPORT),
    ]
    return tuple(events)


async def write(ledger: Ledger, signing: Signing, events: int) -> tuple[int, float]:
    """Append at least ``events`` records; how many, and the seconds that appending took.

    Making and signing the events is not counted: it is the load's work, not the ledger's.
    """
    now = datetime.now(UTC)
    bundle = ctl.BundleActivated(
        tenant=TENANT,
        actor="system:bench",
        snapshot="5" * 64,
        content_digest=content_digest(BODY),
        registry_digest="b" * 64,
    )
    await ledger.commit(
        Keys(), lambda state: Result(reply=None, events=signing.registered(state.at))
    )
    await _commit(ledger, (bundle,))
    count, taken, number = 4, 0.0, 0
    while count < events:
        told = [ticket(signing, number + more, now) for more in range(BATCH)]
        begun = time.perf_counter()
        await asyncio.gather(*(_commit(ledger, story) for story in told))
        taken += time.perf_counter() - begun
        number += len(told)
        count += sum(map(len, told))
    return count, taken


async def _commit(ledger: Ledger, events: tuple[Event, ...]) -> None:
    contents = {content_digest(BODY): BODY}

    def step(_: State) -> Result[None]:
        return Result(reply=None, events=events, contents=contents)

    keys = (_key_of(event) for event in events if isinstance(event, ev.TicketOpened))
    await ledger.commit(Keys(idempotency=tuple(keys)), step)


def _key_of(born: ev.TicketOpened) -> IdempotencyKey:
    """What the service looks up, too, before it opens a ticket."""
    return (born.ask.tenant, born.ask.agent, born.ask.idempotency_key)
