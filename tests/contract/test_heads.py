"""Signed heads on each database: one for each batch, append-only, by the key the log names."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bot.signing.signer import encoded, raw_of
from governance import control as ctl
from governance.control import PublicKey
from governance.errors import Unavailable
from governance.keys import head_message, is_signed
from governance.ports import Keys, Result
from storage.ledger import SqlLedger
from tests.support import build, world
from tests.support.build import T0, TENANT, FixedClock
from tests.support.commits import append

ORIGIN = "placet.example/log"
ON_DISK = pytest.mark.parametrize("ledger", ["sqlite", "postgres"], indirect=True)


class Heads:
    """Signs with fixed keys, and remembers what."""

    origin = ORIGIN

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked: list[str] = []

    def sign_head(self, key_id: str, message: bytes) -> str | None:
        """base64 of r and s."""
        self.asked.append(key_id)
        if key_id not in self.names:
            return None
        from cryptography.hazmat.primitives.hashes import SHA256

        return encoded(raw_of(world.private_key(key_id).sign(message, ec.ECDSA(SHA256()))))


def head_key(name: str) -> PublicKey:
    """A key for heads."""
    return PublicKey(id=name, purpose=ctl.HEAD, pem=world.pem_of(name), valid_from=T0)


def registered(name: str) -> ctl.KeyRegistered:
    return ctl.KeyRegistered(tenant=TENANT, key=head_key(name))


async def rows(ledger: SqlLedger) -> list[tuple[Any, ...]]:
    """Every signed head."""
    async with ledger._pool.engine.connect() as connection:
        sql = "SELECT seq, origin, key_id, value FROM head_signatures ORDER BY seq"
        return [tuple(row) for row in await connection.exec_driver_sql(sql)]


async def holds(ledger: SqlLedger, row: tuple[Any, ...]) -> bool:
    """Whether a row is a signature of the record that it names."""
    seq, origin, key_id, value = row
    (logged,) = await ledger.records(seq - 1, 1)
    message = head_message(origin=origin, seq=seq, hash_=logged.hash, at=logged.at)
    return is_signed(head_key(key_id), value, message)


@ON_DISK
async def test_every_batch_that_grows_the_log_signs_where_it_ends(ledger: SqlLedger):
    ledger.sign_heads(Heads("h1"))
    await append(ledger, registered("h1"))
    await append(ledger, build.evaluated(), build.evaluated(), build.evaluated())
    await ledger.commit(Keys(), lambda _: Result(reply=None))
    found = await rows(ledger)
    assert [(row[0], row[1], row[2]) for row in found] == [(1, ORIGIN, "h1"), (4, ORIGIN, "h1")]
    assert [await holds(ledger, row) for row in found] == [True, True]


@ON_DISK
async def test_steps_that_are_committed_together_are_signed_once(ledger: SqlLedger):
    ledger.sign_heads(Heads("h1"))
    await append(ledger, registered("h1"))
    await asyncio.gather(*(append(ledger, build.evaluated()) for _ in range(50)))
    found = await rows(ledger)
    assert (found[-1][0], len(found) < 51) == (51, True)
    assert all([await holds(ledger, row) for row in found])


@ON_DISK
async def test_only_the_key_that_the_log_says_is_active_signs(ledger: SqlLedger):
    heads = Heads("h1", "h2")
    ledger.sign_heads(heads)
    await append(ledger, build.evaluated())
    assert heads.asked == [], "no key is registered yet"
    await append(ledger, registered("h1"))
    rotation = ctl.KeyRotated(
        tenant=TENANT,
        actor="operator:root",
        old_key_id="h1",
        key=head_key("h2"),
        signed_by_old="",
        signed_by_new="",
    )
    await append(ledger, rotation)
    await append(ledger, build.evaluated())
    revocation = ctl.KeyRevoked(tenant=TENANT, actor="operator:root", key_id="h2", reason="r")
    await append(ledger, revocation)
    await append(ledger, build.evaluated())
    assert [(row[0], row[2]) for row in await rows(ledger)] == [(2, "h1"), (3, "h2"), (4, "h2")]


@ON_DISK
async def test_a_head_whose_key_is_elsewhere_stays_unsigned_and_the_batch_is_committed(
    ledger: SqlLedger,
):
    ledger.sign_heads(Heads("another"))
    await append(ledger, registered("h1"), build.evaluated())
    assert (await rows(ledger), (await ledger.head())[0]) == ([], 2)


@ON_DISK
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE head_signatures SET value = 'x'",
        "DELETE FROM head_signatures",
        "INSERT INTO head_signatures VALUES (1, 'o', 'k', 'v')",
        "INSERT INTO head_signatures VALUES (2, 'o', 'k', 'v')",
    ],
)
async def test_signed_heads_are_append_only(ledger: SqlLedger, change: str):
    ledger.sign_heads(Heads("h1"))
    await append(ledger, registered("h1"), build.evaluated())
    before = await rows(ledger)
    with pytest.raises(Unavailable, match=r"CONSTRAINT|IntegrityConstraint"):
        await ledger._upkeep(lambda connection: connection.execute(change))
    assert await rows(ledger) == before


async def test_two_processes_on_one_file_sign_in_the_order_of_the_log(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/placet.db"
    async with SqlLedger(url, FixedClock()) as one, SqlLedger(url, FixedClock()) as two:
        for ledger in (one, two):
            ledger.sign_heads(Heads("h1"))
        await append(one, registered("h1"))
        await asyncio.gather(
            *(append(ledger, build.evaluated()) for _ in range(25) for ledger in (one, two))
        )
        found = await rows(one)
        assert found[-1][0] == 51
        assert all([await holds(one, row) for row in found])
