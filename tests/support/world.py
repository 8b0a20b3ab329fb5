"""A small ledger with a bit of everything, every vote and checkpoint really signed.

Lives here: keys, signatures and the story that verification tests tamper with.
"""

import base64
from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance import control as ctl
from governance.action import Content, Dispatch
from governance.audit import Event
from governance.checkpoint_notes import checkpoint_body, note_key_hash, note_signature, signed_note
from governance.control import PublicKey
from governance.digests import content_digest
from governance.ports import Keys, Ledger, Result
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.binding import vote_message
from governance.tickets.ticket import Vote
from tests.support import build
from tests.support.build import ANNA, BEN, T0, TENANT
from tests.support.commits import append

CHECKPOINT = "checkpoint"
ORIGIN = "acme.example/placet"
PURPOSES = ("vote:operator", "vote:security-admin", CHECKPOINT)
BODY = Content(arguments={"service": "web-1"}).to_bytes()


def private_key(purpose: str) -> EllipticCurvePrivateKey:
    """A fixed key for each purpose."""
    return derive_private_key(int.from_bytes(sha256(purpose.encode()).digest()) >> 1, SECP256R1())


def pem_of(purpose: str) -> str:
    """Its public half."""
    public = private_key(purpose).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(purpose: str, message: bytes) -> bytes:
    """r and s, 64 bytes."""
    r, s = decode_dss_signature(private_key(purpose).sign(message, ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def signed_vote(binding: str, **changes: object) -> Vote:
    """A vote whose signature holds."""
    vote = build.vote(**changes)
    message = vote_message(
        binding=binding,
        choice=vote.choice,
        person=vote.person,
        role=vote.role,
        weight=vote.weight,
        comment_digest=vote.comment_digest,
        at=vote.at,
        nonce=vote.nonce,
        delegator=vote.delegator,
        delegation=vote.delegation,
    )
    purpose = f"vote:{vote.role}"
    value = base64.b64encode(sign(purpose, message)).decode()
    return replace(vote, key_id=f"key:{purpose}", signature=value)


def cast(ticket_id: str, binding: str, **changes: object) -> ev.VoteCast:
    """The event of such a vote."""
    event = build.cast(ticket_id)
    return replace(event, vote=signed_vote(binding, **changes))


def both(ticket_id: str, binding: str) -> tuple[Event, Event, Event]:
    """The two votes that meet the requirement, and the approval."""
    return (
        cast(ticket_id, binding),
        cast(ticket_id, binding, person=BEN, role="security-admin", weight=3, nonce="8" * 32),
        build.on(ticket_id, ev.TicketApproved, weight=4, threshold=4),
    )


def note_of(size: int, root: bytes, head: str, purpose: str = CHECKPOINT) -> str:
    """A signed checkpoint."""
    body = checkpoint_body(origin=ORIGIN, size=size, root=root, head=head, at=T0)
    signature = note_signature(sign(purpose, body.encode()))
    key_hash = note_key_hash(pem_of(purpose))
    return signed_note(body, key_name=ORIGIN, key_hash=key_hash, signature=signature)


async def tell(ledger: Ledger) -> None:
    """Commit the story."""
    for purpose in PURPOSES:
        key = PublicKey(id=f"key:{purpose}", purpose=purpose, pem=pem_of(purpose), valid_from=T0)
        await append(ledger, ctl.KeyRegistered(tenant=TENANT, key=key))
    samples = build.samples()
    await append(ledger, samples["BundleActivated"][0], samples["CredentialIssued"][0])
    digest = content_digest(BODY)
    asked = build.known_by(build.ask(idempotency_key="key-run"), BODY)
    run = build.opened("t-run", ask=asked, counters=(("agent:deployer", 4_000, T0),))
    await ledger.commit(
        Keys(), lambda _: Result(reply=None, events=(run,), contents={digest: BODY})
    )
    await append(ledger, *both("t-run", run.binding))
    await append(
        ledger,
        build.on("t-run", run_ev.ExecutionCleared, people=(ANNA, BEN)),
        build.started("t-run", action_digest=asked.action_digest),
        build.on("t-run", run_ev.ExecutionSucceeded, run_id="run-1", report=build.report()),
    )
    released = build.ask(idempotency_key="key-release", dispatch=Dispatch.RELEASE)
    redeemed = build.samples()["GrantRedeemed"][0]
    assert isinstance(redeemed, run_ev.GrantRedeemed)
    await append(
        ledger,
        build.allowed("t-release", ask=released),
        replace(redeemed, ticket_id=build.TicketId("t-release")),
        build.on("t-release", run_ev.OutcomeReported, report=build.report()),
    )
    await _tell_the_rest(ledger)


async def _tell_the_rest(ledger: Ledger) -> None:
    waiting = build.opened("t-wait")
    await append(
        ledger,
        waiting,
        cast("t-wait", waiting.binding),
        build.on("t-wait", ev.VoteWithdrawn, person=ANNA),
        cast("t-wait", waiting.binding, person=BEN, nonce="9" * 32),
    )
    again = build.opened("t-again")
    await append(ledger, again, *both("t-again", again.binding))
    await append(ledger, build.started("t-again", run=build.run("run-2")))
    await append(
        ledger,
        build.on("t-again", run_ev.ExecutionLost, run_id="run-2"),
        *(build.attested("t-again", who, took_effect=False) for who in (ANNA, BEN)),
        build.resolved("t-again", ANNA, BEN, took_effect=False),
        build.revised("t-again", ask=again.ask),
    )
    frozen = ctl.AgentFrozen(tenant=TENANT, target="other", person=ANNA)
    await append(ledger, frozen, build.samples()["CredentialRevoked"][0])


async def checkpointed(ledger: Ledger, tree_head: tuple[int, bytes, str]) -> str:
    """Sign ``tree_head``, log it, and publish it."""
    size, root, head = tree_head
    note = note_of(size, root, head)
    await append(
        ledger,
        ctl.CheckpointSigned(
            tenant=TENANT, size=size, head=head, note=note, key_id=f"key:{CHECKPOINT}"
        ),
    )
    return note
