"""Sealing and detaching logs of the tests: the product's files and steps, the tests' own keys.

Lives here: checkpoints, seals and detachments at chosen places. Must not live here: what must hold
of them.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from governance.administration import Administration
from governance.control import PublicKey
from governance.ports import Signature
from governance.retention import Retention
from governance.segments import SegmentSealed
from governance.transparency import Published
from storage.engine import database
from storage.ledger import SqlLedger
from storage.retention.detachable import choose
from storage.retention.segments import alone, make_ready
from storage.tree.proving import Prover
from tests.support import world
from tests.support.build import T0, TENANT, FixedClock

LATE = T0 + timedelta(days=10_000)
RETENTION = Retention(days=365, by_class={"financial": 2_555})


class WorldSigner:
    """The checkpoint key of the tests' world."""

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """See ``governance.ports.Signer``."""
        value = base64.b64encode(world.sign(purpose, message)).decode()
        return Signature(key_id=f"key:{purpose}", value=value)

    def public_keys(self) -> Sequence[PublicKey]:
        """See ``governance.ports.Signer``."""
        pem = world.pem_of(world.CHECKPOINT)
        return (PublicKey(id="key:checkpoint", purpose="checkpoint", pem=pem, valid_from=T0),)


def administration(ledger: SqlLedger) -> Administration:
    """Governing commands with the checkpoint key of the tests."""
    return Administration(
        ledger=ledger, reader=ledger, clock=FixedClock(), signer=WorldSigner(), tenant=TENANT
    )


async def checkpoint(ledger: SqlLedger) -> int:
    """Sign the log as it is, as the service does; its size."""
    size, root, head = await ledger.tree_head()
    proofs = Prover(ledger.tiles)
    await proofs.catch_up(size, root)
    note = await world.checkpointed(ledger, (size, root, head))
    await proofs.publish(Published(size=size, root=root, note=note))
    await proofs.close()
    return size


async def seal(
    ledger: SqlLedger, url: str, folder: Path, *, until: datetime = LATE
) -> SegmentSealed | None:
    """Seal up to the newest checkpoint."""
    with alone(folder):
        sealed = (await ledger.control()).sealed
        segment = make_ready(database(url), folder, sealed, RETENTION, until=until)
        if segment is None:
            return None
        return await administration(ledger).seal(segment, actor="operator:root", origin="log")


async def chosen(
    ledger: SqlLedger, url: str, folder: Path, *, until: datetime = LATE, now: datetime = LATE
) -> Mapping[int, SegmentSealed]:
    """The seals of what may leave by its age."""
    detached = (await ledger.control()).detached
    return choose(database(url), folder, detached, RETENTION, until=until, now=now)


async def detach(ledger: SqlLedger, url: str, folder: Path, *, until: datetime = LATE) -> int:
    """Detach what may go; where the newest segment that went ends."""
    seals = await chosen(ledger, url, folder, until=until)
    if seals:
        await administration(ledger).detach(seals, actor="operator:root")
    return max((seal.last for seal in seals.values()), default=0)
