"""The life of keys as the verifier finds it: six ways to go wrong, each named with its place."""

import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
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
from governance.audit import Event
from governance.control import PublicKey
from governance.keys import rotation_message
from governance.tickets.binding import vote_message
from storage.ledger import SqlLedger
from storage.verify.verifier import Problem, verify_database
from tests.support import build
from tests.support.build import T0, TENANT, FixedClock
from tests.support.commits import append

VOTE = "vote:operator"


def private(name: str) -> EllipticCurvePrivateKey:
    """A fixed key for each name."""
    return derive_private_key(int.from_bytes(sha256(name.encode()).digest()) >> 1, SECP256R1())


def pem(name: str) -> str:
    """Its public half."""
    public = private(name).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(name: str, message: bytes) -> str:
    """base64 of r and s."""
    r, s = decode_dss_signature(private(name).sign(message, ECDSA(SHA256())))
    return base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()


def key(name: str, purpose: str = VOTE) -> PublicKey:
    """A key as it is registered."""
    return PublicKey(id=name, purpose=purpose, pem=pem(name), valid_from=T0)


def registered(name: str, purpose: str = VOTE) -> ctl.KeyRegistered:
    return ctl.KeyRegistered(tenant=TENANT, key=key(name, purpose))


def rotated(old: str, new: str, **changes: object) -> ctl.KeyRotated:
    """A rotation that both signed."""
    message = rotation_message(tenant=TENANT, old_key_id=old, key=key(new))
    event = ctl.KeyRotated(
        tenant=TENANT,
        actor="operator:root",
        old_key_id=old,
        key=key(new),
        signed_by_old=sign(old, message),
        signed_by_new=sign(new, message),
    )
    return replace(event, **changes)


def revoked(name: str) -> ctl.KeyRevoked:
    return ctl.KeyRevoked(tenant=TENANT, actor="operator:root", key_id=name, reason="stolen")


def voted(ticket: str, name: str, by: str = "") -> tuple[Event, Event]:
    """A ticket and a vote on it in the name of key ``name``, signed ``by`` another's if given."""
    opened = build.opened(ticket)
    vote = build.vote(key_id=name)
    message = vote_message(
        binding=opened.binding,
        choice=vote.choice,
        person=vote.person,
        role=vote.role,
        weight=vote.weight,
        comment_digest=vote.comment_digest,
        at=vote.at,
        nonce=vote.nonce,
    )
    cast = build.cast(ticket)
    return opened, replace(cast, vote=replace(vote, signature=sign(by or name, message)))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    async with SqlLedger(f"sqlite:///{tmp_path}/placet.db", FixedClock()) as opened:
        yield opened


async def found(ledger: SqlLedger, *events: Event, **given: object) -> list[tuple[int, str, str]]:
    """What is wrong with a log of these events, each of which the writer was made to write."""
    await append(ledger, *events)
    path = Path(ledger._url.removeprefix("sqlite:///"))
    report = verify_database(path, **given)  # type: ignore[arg-type]
    # The contents that the sample tickets name are not kept here.
    return [(p.seq, p.what, p.detail) for p in report.problems if p.what != "contents"]


async def test_keys_that_live_lawfully_are_no_problem(ledger: SqlLedger):
    story = (
        *(registered("k1"), *voted("t-1", "k1"), rotated("k1", "k2"), *voted("t-2", "k2")),
        *(revoked("k2"), registered("k3"), *voted("t-3", "k3")),
    )
    assert await found(ledger, *story) == []


# 1. A rotation in the middle of the chain


async def test_an_old_key_that_signs_after_the_rotation_is_named_with_its_place(
    ledger: SqlLedger,
):
    problems = await found(ledger, registered("k1"), rotated("k1", "k2"), *voted("t-1", "k1"))
    ((seq, what, says),) = problems
    assert (seq, what) == (4, "key")
    assert "key k1 was rotated out by event 2 (for k2) and signs nothing after that" in says


@pytest.mark.parametrize("which", ["old", "new"])
async def test_a_rotation_that_one_of_the_two_keys_did_not_sign_is_named(
    ledger: SqlLedger, which: str
):
    forged = rotated("k1", "k2", **{f"signed_by_{which}": sign("thief", b"x")})
    name = {"old": "k1", "new": "k2"}[which]
    assert await found(ledger, registered("k1"), forged) == [
        (2, "key", f"{name} did not sign the rotation from k1 to k2")
    ]


async def test_a_rotation_by_a_key_that_is_not_active_is_named(ledger: SqlLedger):
    story = (registered("k1"), rotated("k1", "k2"), rotated("k1", "k3"))
    problems = [item for item in await found(ledger, *story) if item[1] == "key"]
    assert [seq for seq, *_ in problems] == [3, 3]
    assert "it rotates to k3, but key k1 was rotated out by event 2" in problems[0][2]


# 2. A revoked key signs


async def test_a_revoked_key_that_signs_is_named_with_the_reason(ledger: SqlLedger):
    ((seq, what, says),) = await found(
        ledger, registered("k1"), *voted("t-1", "k1"), revoked("k1"), *voted("t-2", "k1")
    )
    assert (seq, what) == (6, "key"), "the vote before the revocation stays valid"
    assert "key k1 was revoked by event 4 (stolen) and signs nothing after that" in says


async def test_what_counts_is_the_place_in_the_log_not_the_time_that_a_vote_claims(
    ledger: SqlLedger,
):
    """The vote says that it was signed before the revocation; it stands after it."""
    opened, cast = voted("t-1", "k1")
    assert cast.vote.at == T0  # type: ignore[union-attr]
    problems = await found(ledger, registered("k1"), opened, revoked("k1"), cast)
    assert [(seq, what) for seq, what, _ in problems] == [(4, "key")]


# 3. An old key after its end is rotated or revoked once more


@pytest.mark.parametrize("end", [revoked("k1"), revoked("k9")], ids=["ended", "unknown"])
async def test_a_key_that_is_not_active_cannot_be_ended_again(
    ledger: SqlLedger, end: ctl.KeyRevoked
):
    problems = await found(ledger, registered("k1"), rotated("k1", "k2"), end)
    ((seq, what, says),) = [item for item in problems if item[1] == "key"]
    assert (seq, what) == (3, "key")
    assert says.startswith(f"it ends {end.key_id}, which was ")


# 4. A swapped public key


async def test_a_public_key_that_was_swapped_in_the_log_fails_its_votes(ledger: SqlLedger):
    swapped = ctl.KeyRegistered(tenant=TENANT, key=replace(key("k1"), pem=pem("thief")))
    problems = await found(ledger, swapped, *voted("t-1", "k1"))
    assert [(seq, what) for seq, what, _ in problems] == [(3, "signature")]


async def test_a_public_key_that_is_not_the_one_that_was_kept_outside_is_named(
    ledger: SqlLedger,
):
    outside = {"k1": {"purpose": VOTE, "pem": pem("k1")}}
    swapped = ctl.KeyRegistered(tenant=TENANT, key=replace(key("k1"), pem=pem("thief")))
    problems = await found(ledger, swapped, *voted("t-1", "k1", by="thief"), keys=outside)
    assert problems == [(1, "key", "k1 is not the key that you were given")]


async def test_a_key_with_another_public_half_than_its_name_says_is_named(ledger: SqlLedger):
    name = f"vote-operator-{sha256(pem('k1').encode()).hexdigest()[:16]}"
    honest = replace(key("k1"), id=name)
    event = ctl.KeyRegistered(tenant=TENANT, key=replace(honest, pem=pem("thief")))
    assert await found(ledger, event) == [
        (1, "key", f"{name} has another public key than the one it is named after")
    ]


async def test_a_key_is_registered_once(ledger: SqlLedger):
    again = ctl.KeyRegistered(tenant=TENANT, key=replace(key("k1"), pem=pem("thief")))
    problems = await found(ledger, registered("k1"), again)
    assert (2, "key", "k1 is registered again; event 1 did it first") in problems


# 5. A missing key


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ((), "no key k1 is registered before it"),
        ((registered("k1", "checkpoint"),), "key k1 is for checkpoint, not for vote:operator"),
    ],
    ids=["never registered", "for another purpose"],
)
async def test_a_vote_without_its_key_is_named(
    ledger: SqlLedger, before: tuple[Event, ...], says: str
):
    ((seq, what, told),) = await found(ledger, *before, *voted("t-1", "k1"))
    assert (seq, what) == (2 + len(before), "key")
    assert says in told


async def test_a_key_kept_outside_alone_makes_no_vote_count(ledger: SqlLedger):
    outside = {"k1": {"purpose": VOTE, "pem": pem("k1")}}
    (seq, what, _), (_, other, says) = await found(ledger, *voted("t-1", "k1"), keys=outside)
    assert (other, says) == ("key", "none of the keys that you were given is of this log")
    assert (seq, what) == (2, "key")


async def test_a_key_that_is_registered_after_the_vote_comes_too_late(ledger: SqlLedger):
    problems = await found(ledger, *voted("t-1", "k1"), registered("k1"))
    assert [(seq, what) for seq, what, _ in problems] == [(2, "key")]


# 6. Two active keys


async def test_two_active_keys_of_one_purpose_are_named(ledger: SqlLedger):
    assert await found(ledger, registered("k1"), registered("k2")) == [
        (
            2,
            "key",
            "k2 is registered for vote:operator while k1, of event 1, is active: two active keys",
        )
    ]


# The projection


def _edit(ended: dict[str, dict[str, object]], name: str) -> None:
    ended[name]["reason"] = "retired"


@pytest.mark.parametrize(
    "change",
    [
        lambda ended: ended.clear(),
        lambda ended: ended.update(k9=ended["k1"]),
        lambda ended: _edit(ended, "k1"),
    ],
    ids=["brought back", "another ended", "another reason"],
)
async def test_an_end_that_was_altered_in_the_governing_state_is_found(
    ledger: SqlLedger, change: Callable[[dict[str, dict[str, object]]], None]
):
    await append(ledger, registered("k1"), revoked("k1"))
    path = Path(ledger._url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection, connection:
        body = json.loads(connection.execute("SELECT body FROM control").fetchone()[0])
        change(body["ended"])
        connection.execute("UPDATE control SET body = ?", (json.dumps(body).encode(),))
    problems: tuple[Problem, ...] = verify_database(path).problems
    assert [problem.what for problem in problems] == ["control"]
