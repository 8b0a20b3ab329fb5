"""The core of every process: ledger, policy, keys, service.

Lives here: which implementation stands behind which port. Must not live here: logic. Law: only
``bot.compose`` imports storage; a process whose bundle is not the active one is not ready.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.compose import policy
from bot.ids import RandomIds
from bot.scheduler import WallClock
from bot.settings import Settings
from governance.administration import Administration
from governance.custody import Custody
from governance.errors import Code, Unavailable
from governance.idempotency import Repeats
from governance.policy.active import ActiveBundle
from governance.policy.model import Bundle
from governance.ports import Directory, Signer
from governance.principal import Eligible, Person, PersonId, TenantId
from governance.service import Service
from storage.ledger import SqlLedger
from storage.tree.proving import Prover


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every edge of one process is given."""

    settings: Settings
    ledger: SqlLedger
    """Ledger, Reader and Outbox in one."""
    clock: WallClock
    service: Service
    administration: Administration
    custody: Custody
    proofs: Prover
    """Proofs of the log, up to its newest checkpoint."""

    @property
    def bundle(self) -> Bundle:
        """The bundle that decides in this process now."""
        return self.service.bundle


class NoDirectory:
    """For processes that decide nothing about people."""

    async def person(self, person_id: PersonId, *, is_fresh: bool = False) -> Person:
        """Refuse.

        Raises:
            Unavailable: always.
        """
        raise Unavailable(Code.IDENTITY_UNAVAILABLE, f"{person_id} is not known here")

    async def eligible(self, roles: object) -> Eligible:
        """Refuse.

        Raises:
            Unavailable: always.
        """
        raise Unavailable(Code.IDENTITY_UNAVAILABLE, f"{roles} are not known here")


def bundle_of(settings: Settings) -> Bundle:
    """The bundle that the settings name, or the shipped default.

    Raises:
        InvalidInput: ``invalid_bundle``, with file, line and column.
    """
    return policy.from_disk(settings).bundle


@asynccontextmanager
async def open_core(
    settings: Settings, *, bundle: Bundle, directory: Directory, signer: Signer
) -> AsyncIterator[Core]:
    """Open the ledger (creating and migrating it) and build the core over it.

    Raises:
        InvalidInput: ``invalid_settings``: no such database.
        Unavailable: the ledger cannot be opened.
    """
    async with SqlLedger(settings.database, WallClock()) as ledger:
        yield core_over(
            ledger,
            settings,
            active=ActiveBundle(bundle),
            directory=directory,
            signer=signer,
        )


def core_over(
    ledger: SqlLedger,
    settings: Settings,
    *,
    active: ActiveBundle,
    directory: Directory,
    signer: Signer,
    repeats: Repeats | None = None,
) -> Core:
    """The core over a ledger that is open; it decides by what ``active`` holds."""
    clock, tenant = WallClock(), TenantId(settings.tenant)
    return Core(
        settings=settings,
        ledger=ledger,
        clock=clock,
        service=Service(
            ledger=ledger,
            reader=ledger,
            clock=clock,
            signer=signer,
            directory=directory,
            ids=RandomIds(),
            bundle=active,
            tenant=tenant,
            repeats=repeats,
        ),
        administration=Administration(
            ledger=ledger, reader=ledger, clock=clock, signer=signer, tenant=tenant
        ),
        custody=Custody(ledger=ledger, reader=ledger, tenant=tenant),
        proofs=Prover(ledger.tiles),
    )
