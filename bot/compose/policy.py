"""Which bundle decides: the ledger's word, and the folder that an operator edits.

Lives here: loading the active bundle from the ledger and a candidate from disk, each vouched for,
and which of them a process starts with. Must not live here: activating one, or judging tickets.
Law: the ledger's active bundle is the truth. A folder that is broken or differs never replaces or
stops it; only where none was ever activated does the folder decide, and then it must load.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from bot import bundle_signature
from bot.bundle_signature import BundleKeys, BundleSignature
from bot.bundles import load_bundle, shipped
from bot.settings import Settings
from governance.administration import Administration
from governance.canonical import parse
from governance.control import Activation, Control
from governance.errors import Code, InvalidInput, PlacetError, Unavailable
from governance.policy.bundle import MAX_BYTES, load
from governance.policy.model import Bundle
from governance.ports import Reader

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """A bundle, and the signature that holds for it (None: nobody had to sign)."""

    bundle: Bundle
    signature: BundleSignature | None


def keys_of(settings: Settings) -> BundleKeys:
    """The keys that may vouch for a bundle.

    Raises:
        InvalidInput: ``invalid_settings``.
    """
    return bundle_signature.trusted(
        settings.bundle_keys, is_required=settings.require_signed_bundle
    )


def from_disk(settings: Settings) -> Vouched:
    """The bundle that the settings name, or the shipped default.

    Raises:
        InvalidInput: ``invalid_bundle``, with file, line and column where it has them.
    """
    keys, path = keys_of(settings), settings.policies or shipped("default")
    bundle = load_bundle(path)
    signature = keys.vouched(bundle, bundle_signature.read_signature(path))
    return Vouched(bundle=bundle, signature=signature)


async def from_ledger(settings: Settings, reader: Reader, control: Control) -> Bundle:
    """The active bundle, from the bytes that the ledger keeps.

    Raises:
        InvalidInput: ``invalid_bundle``: it is not vouched for, or this version refuses it.
        Unavailable: ``not_ready``: its bytes are gone or are not the active bundle's;
            ``ledger_unavailable``.
    """
    active = control.activation
    if active is None:
        raise Unavailable(
            Code.NOT_READY, "an earlier version recorded the active bundle: activate it once more"
        )
    raw = await reader.content(active.content_digest)
    if raw is None:
        raise Unavailable(
            Code.NOT_READY, "the bytes of the active bundle were erased or altered in the ledger"
        )
    return await asyncio.to_thread(_loaded, settings, raw, control.snapshot, active)


def _loaded(settings: Settings, raw: bytes, snapshot: str, active: Activation) -> Bundle:
    source = parse(raw, max_bytes=MAX_BYTES)
    if not isinstance(source, Mapping):
        raise Unavailable(Code.NOT_READY, "the ledger's bytes are no bundle")
    bundle = load(source)
    if (bundle.snapshot, bundle.registry_digest) != (snapshot, active.registry_digest):
        raise Unavailable(
            Code.NOT_READY, "the ledger's bytes are not the bundle that was activated"
        )
    signature = None
    if active.signature:
        signature = BundleSignature(key_id=active.key_id, value=active.signature)
    keys_of(settings).vouched(bundle, signature)
    return bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a process begins with; ``first`` is to be activated where nothing ever was."""

    bundle: Bundle
    first: Vouched | None = None
    disk: str = ""
    """What is unusual about the folder, in a sentence; empty: it holds the active bundle."""


async def at_start(settings: Settings, reader: Reader) -> Start:
    """The active bundle; the one on disk where there is none yet, or no other way to load it.

    Raises:
        InvalidInput: ``invalid_bundle`` or ``invalid_settings``.
        Unavailable: the active bundle cannot be loaded; ``ledger_unavailable``.
    """
    control = await reader.control()
    if not control.snapshot:
        first = await asyncio.to_thread(from_disk, settings)
        return Start(bundle=first.bundle, first=first)
    keys_of(settings)
    found = await asyncio.to_thread(_on_disk, settings)
    try:
        bundle = await from_ledger(settings, reader, control)
    except PlacetError as error:
        if not isinstance(found, Bundle) or found.snapshot != control.snapshot:
            raise
        _log.warning("the active bundle was taken from disk, where it is the same: %s", error.code)
        return Start(bundle=found)
    return Start(bundle=bundle, disk=_told(found, control.snapshot))


async def activate_first(administration: Administration, start: Start) -> None:
    """Make the bundle that a process began with the first active one.

    Another process may have been quicker with another: then the follower goes after that.

    Raises:
        Unavailable: ``ledger_*``.
    """
    if start.first is None:
        return
    signature = start.first.signature
    await administration.activate(
        start.first.bundle,
        actor="system:start",
        only_first=True,
        key_id=signature.key_id if signature else "",
        signature=signature.value if signature else "",
    )


async def on_disk(settings: Settings, snapshot: str) -> str:
    """What is unusual about the folder beside the active ``snapshot``; empty: it is the same."""
    return _told(await asyncio.to_thread(_on_disk, settings), snapshot)


def _on_disk(settings: Settings) -> Bundle | InvalidInput:
    try:
        return from_disk(settings).bundle
    except InvalidInput as error:
        return error


def _told(found: Bundle | InvalidInput, snapshot: str) -> str:
    if isinstance(found, InvalidInput):
        _log.error("the bundle on disk is refused; the active one stays: %s", found.message)
        return "the bundle on disk is refused; the active one stays"
    if found.snapshot == snapshot:
        return ""
    _log.warning(
        "the bundle on disk (%s, %s) is not the active one, which stays: %s",
        found.name,
        found.snapshot,
        snapshot,
    )
    return f"the bundle on disk ({found.snapshot}) is not the active one, which stays"
