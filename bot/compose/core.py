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
from bot.signing import FileSigner
from governance.administration import CHECKPOINT, Administration
from governance.errors import Code, Unavailable
from governance.policy.active import ActiveBundle
from governance.policy.model import Bundle
from governance.ports import Directory, Signer
from governance.principal import Eligible, Person, PersonId, TenantId
from governance.service import Service
from storage.ledger import SqliteLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every edge of one process is given."""

    settings: Settings
    ledger: SqliteLedger
    """Ledger, Reader and Outbox in one."""
    clock: WallClock
    service: Service
    administration: Administration

    @property
    def bundle(self) -> Bundle:
        """The bundle that decides in this process now."""
        return self.service.bundle


class NoDirectory:
    """For processes that decide nothing about people."""

    async def person(self, person_id: PersonId) -> Person:
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


def signer_of(settings: Settings, bundle: Bundle) -> FileSigner:
    """The keys of this deployment: one per role that votes, and one for checkpoints.

    Raises:
        Unavailable: a key file that others can read.
    """
    return FileSigner(settings.keys, (CHECKPOINT, *vote_purposes(bundle)))


def vote_purposes(bundle: Bundle) -> tuple[str, ...]:
    """The purposes of the keys by which the roles of ``bundle`` vote."""
    roles = {item.role for tier in bundle.tiers.values() for item in tier.roles}
    return tuple(f"vote:{role}" for role in sorted(roles))


@asynccontextmanager
async def open_core(
    settings: Settings, *, bundle: Bundle, directory: Directory, signer: Signer
) -> AsyncIterator[Core]:
    """Open the ledger (creating and migrating it) and build the core over it.

    Raises:
        InvalidInput: ``invalid_settings``: no such database.
        Unavailable: the ledger cannot be opened.
    """
    async with SqliteLedger(settings.database, WallClock()) as ledger:
        yield core_over(
            ledger,
            settings,
            active=ActiveBundle(bundle),
            directory=directory,
            signer=signer,
        )


def core_over(
    ledger: SqliteLedger,
    settings: Settings,
    *,
    active: ActiveBundle,
    directory: Directory,
    signer: Signer,
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
        ),
        administration=Administration(
            ledger=ledger, reader=ledger, clock=clock, signer=signer, tenant=tenant
        ),
    )
