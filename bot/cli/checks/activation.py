"""Checks of what decides: the bundle's signature, and the active bundle beside the one on disk.

Lives here: findings about both. Must not live here: what the bundle says. Law: a bundle that a
service would refuse is a problem here; one that waits to be activated is told.
"""

from collections.abc import Iterator
from pathlib import Path

from bot import bundle_signature
from bot.cli.checks.bundle import Loaded
from bot.cli.checks.findings import Finding, Level
from bot.settings import Settings
from governance.errors import InvalidInput, PlacetError


def signature_findings(settings: Settings, loaded: Loaded) -> Iterator[Finding]:
    """Whether the bundle is vouched for as the settings demand."""
    from bot.compose.policy import keys_of

    try:
        keys = keys_of(settings)
    except InvalidInput as error:
        yield _problem("keys", error.message, "PLACET_BUNDLE_KEYS")
        return
    try:
        signature = bundle_signature.read_signature(loaded.path)
        vouched = keys.vouched(loaded.bundle, signature)
    except InvalidInput as error:
        yield _problem("bundle", error.message, str(bundle_signature.file_of(loaded.path)))
        return
    if vouched is not None:
        yield Finding(
            area="bundle",
            level=Level.NOTE,
            text=f"signed with {vouched.key_id}",
            place=str(bundle_signature.file_of(loaded.path)),
        )


def active_findings(settings: Settings, path: Path, snapshot: str | None) -> Iterator[Finding]:
    """Whether ``snapshot`` (None: the bundle on disk is refused) is the one that decides."""
    from bot.compose.tools import active_snapshot

    try:
        active = active_snapshot(settings.database)
    except InvalidInput:
        return  # no such kind of database: the ledger's own check says so
    except PlacetError as error:
        yield _problem("ledger", error.message, "PLACET_DATABASE")
        return
    if not active or active == snapshot:
        return
    text = (
        f"it is not the active one ({active}), which goes on deciding until this one is activated: "
        "placet policy activate"
    )
    if snapshot is None:
        text = f"it is refused; the active one ({active}) goes on deciding"
    yield Finding(area="bundle", level=Level.WARNING, text=text, place=str(path))


def _problem(area: str, text: str, place: str) -> Finding:
    return Finding(area=area, level=Level.PROBLEM, text=text, place=place)
