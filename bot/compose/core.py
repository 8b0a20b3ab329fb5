"""The core of every process: ledger, policy, keys, service.

Lives here: which implementation stands behind which port. Must not live here: logic. Law: only
``bot.compose`` imports storage; a process whose bundle is not the active one is not ready.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.bundles import load_bundle, shipped
from bot.ids import RandomIds
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing import FileSigner, NoSigner
from governance.administration import CHECKPOINT, Administration
from governance.policy.model import Bundle
from governance.ports import Directory, Signer
from governance.principal import TenantId
from governance.service import Service
from storage.ledger import SqliteLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every edge of one process is given."""

    settings: Settings
    bundle: Bundle
    ledger: SqliteLedger
    """Ledger, Reader and Outbox in one."""
    clock: WallClock
    service: Service
    administration: Administration


def bundle_of(settings: Settings) -> Bundle:
    """The bundle that the settings name, or the shipped default.

    Raises:
        InvalidInput: ``invalid_bundle``, with file, line and column.
    """
    return load_bundle(settings.policies or shipped("default"))


def signer_of(settings: Settings, bundle: Bundle) -> FileSigner:
    """The keys of this deployment: one per role that votes, and one for checkpoints.

    Raises:
        Unavailable: a key file that others can read.
    """
    roles = {item.role for tier in bundle.tiers.values() for item in tier.roles}
    return FileSigner(settings.keys, (CHECKPOINT, *(f"vote:{role}" for role in sorted(roles))))


@asynccontextmanager
async def open_core(
    settings: Settings, *, bundle: Bundle, directory: Directory, signer: Signer
) -> AsyncIterator[Core]:
    """Open the ledger (creating and migrating it) and build the core over it.

    Raises:
        InvalidInput: ``invalid_settings``: no such database.
        Unavailable: the ledger cannot be opened.
    """
    clock = WallClock()
    async with SqliteLedger(settings.database, clock) as ledger:
        tenant = TenantId(settings.tenant)
        yield Core(
            settings=settings,
            bundle=bundle,
            ledger=ledger,
            clock=clock,
            service=Service(
                ledger=ledger,
                reader=ledger,
                clock=clock,
                signer=signer,
                directory=directory,
                ids=RandomIds(),
                bundle=bundle,
                tenant=tenant,
            ),
            administration=Administration(
                ledger=ledger, reader=ledger, clock=clock, signer=signer, tenant=tenant
            ),
        )


@asynccontextmanager
async def open_for_tools(settings: Settings, directory: Directory) -> AsyncIterator[Core]:
    """The core for one command of the command line: no key but what signs nothing."""
    bundle = bundle_of(settings)
    async with open_core(settings, bundle=bundle, directory=directory, signer=NoSigner()) as core:
        yield core
