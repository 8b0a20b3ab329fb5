"""Checks of settings and of this machine: keys, ledger, checkpoints, folders, sandbox.

Lives here: findings about what surrounds the service. Must not live here: the bundle. Law: nothing
is made or changed by looking; a key that others could read is a problem always.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from bot.cli.checks.bundle import Loaded
from bot.cli.checks.findings import Finding, Level, problem_or_warning
from bot.settings import Settings, SlackMode
from bot.webhook_secrets import FOLDER
from governance.errors import InvalidInput
from governance.execution import SandboxTier
from governance.policy.model import Bundle

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_OTHERS = 0o077
_MIB = 1024 * 1024
_NO_ROOM_MIB = 16
"""With less than this on its disk a ledger soon refuses everything, if it does not yet."""
_LITTLE_ROOM_MIB = 512


def settings_findings(settings: Settings, *, production: bool) -> Iterator[Finding]:
    """What the settings lack or leave open."""
    if settings.slack_mode is SlackMode.OFF:
        yield Finding(
            area="settings",
            level=problem_or_warning(is_problem=production),
            text="no Slack: there are no cards, and people can vote only over REST; set "
            "PLACET_SLACK_MODE to http or socket, with the tokens of your app",
            place="PLACET_SLACK_MODE",
        )
    if settings.host not in _LOOPBACK:
        yield Finding(
            area="settings",
            level=Level.WARNING,
            text=f"the service listens on {settings.host} without TLS: put a proxy that speaks "
            "TLS before it, or set 127.0.0.1",
            place="PLACET_HOST",
        )
    if settings.policies is None:
        yield Finding(
            area="settings",
            level=problem_or_warning(is_problem=production),
            text="the shipped default bundle is used, in which nobody may approve: copy it and "
            "name the copy",
            place="PLACET_POLICIES",
        )


def key_findings(settings: Settings) -> Iterator[Finding]:
    """Who could read the keys and secrets."""
    folder = settings.keys
    if not folder.is_dir():
        yield Finding(
            area="keys",
            level=Level.NOTE,
            text="there are no keys yet; the first placet serve makes them",
            place=str(folder),
        )
        return
    secrets = folder / FOLDER
    for place in (folder, secrets):
        if place.is_dir():
            yield from _private(place, "0700")
    for file in sorted((*folder.glob("*.pem"), *secrets.glob("*"))):
        if file.is_file():
            yield from _private(file, "0600")


def _private(place: Path, mode: str) -> Iterator[Finding]:
    found = stat.S_IMODE(place.stat().st_mode)
    if found & _OTHERS:
        yield Finding(
            area="keys",
            level=Level.PROBLEM,
            text=f"mode {found:04o} lets other accounts in: chmod {mode}, and replace what they "
            "could have read",
            place=str(place),
        )


def ledger_findings(
    settings: Settings, file: Path | None, *, production: bool
) -> Iterator[Finding]:
    """Whether ledger and checkpoints can be kept, and kept apart; ``file`` is the ledger's.

    None: it is on a server, which is asked elsewhere.
    """
    checkpoints = settings.checkpoints.absolute()
    kept = {"checkpoints": checkpoints} | ({"ledger": file} if file is not None else {})
    if file is not None and not file.exists():
        yield Finding(
            area="ledger",
            level=Level.NOTE,
            text="there is no ledger yet; the first placet serve makes it",
            place=str(file),
        )
    for name, path in sorted(kept.items(), reverse=True):
        if not _may_be_written(path):
            yield Finding(
                area=name,
                level=Level.PROBLEM,
                text="it cannot be written by this account: nothing would be decided",
                place=str(path),
            )
    if file is not None:
        yield from room_findings(file, shutil.disk_usage(_nearest(file)).free)
    if file is not None and file.parent == checkpoints.parent:
        yield Finding(
            area="checkpoints",
            level=problem_or_warning(is_problem=production),
            text="the checkpoints lie beside the ledger: whoever cuts one off can cut the other; "
            "set PLACET_CHECKPOINTS to another disk or machine",
            place=str(settings.checkpoints),
        )


def room_findings(file: Path, free_bytes: int) -> Iterator[Finding]:
    """Whether the ledger in ``file`` can still grow, where its disk has ``free_bytes`` left."""
    free_mib = free_bytes // _MIB
    if free_mib < _LITTLE_ROOM_MIB:
        yield Finding(
            area="ledger",
            level=problem_or_warning(is_problem=free_mib < _NO_ROOM_MIB),
            text=f"its disk has room for {free_mib} MiB more: once it is full every request is "
            "refused until there is room; make some, or move the ledger",
            place=str(file),
        )


def _may_be_written(path: Path) -> bool:
    """Whether the file can be written, or made in the nearest folder above it that is there."""
    if path.exists():
        return path.is_file() and os.access(path, os.W_OK)
    above = _nearest(path)
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)


def _nearest(path: Path) -> Path:
    """What is there of ``path``: itself, or else the nearest above it."""
    return next(place for place in (path, *path.parents) if place.exists())


def action_findings(settings: Settings, loaded: Loaded) -> Iterator[Finding]:
    """Whether the registered actions can be read, and their folders are there."""
    from bot.compose.executor import actions_of

    try:
        actions_of(loaded.bundle, settings)
    except InvalidInput as error:
        yield Finding(
            area="actions",
            level=Level.WARNING,
            text=f"{error.message}; the executor does not start like this (PLACET_FOLDERS names "
            "the folders that actions may use)",
            place=str(loaded.source.mark(error.pointer)),
        )
    for name, folder in sorted(settings.folders.items()):
        if not folder.is_dir():
            yield Finding(
                area="actions",
                level=Level.PROBLEM,
                text=f"the folder {name} is not there: actions that use it fail",
                place=str(folder),
            )


def store_findings(settings: Settings, loaded: Loaded) -> Iterator[Finding]:
    """Whether the store of idempotency keys that the bundle asks for is named."""
    from bot.compose.repeats import check_store

    try:
        check_store(settings, loaded.bundle)
    except InvalidInput as error:
        yield Finding(
            area="settings",
            level=Level.PROBLEM,
            text=error.message,
            place=str(loaded.source.mark(error.pointer)),
        )


async def sandbox_findings(bundle: Bundle) -> tuple[str, list[Finding]]:
    """The sandbox's own sentence about this machine, and what it means for the bundle's tiers."""
    from bot.executor.selftest import establish

    availability = (await establish()).availability
    tier = SandboxTier(availability.tier.value) if availability.tier else None
    found: list[Finding] = []
    runs = sorted(tool.name for tool in bundle.tools if tool.run is not None)
    if not runs:
        return availability.reason, found
    for name, requirement in sorted(bundle.tiers.items()):
        if tier is None or not requirement.sandbox.accepts(tier):
            found.append(
                Finding(
                    area="sandbox",
                    level=Level.PROBLEM,
                    text=f"tier {name} demands sandbox {requirement.sandbox.value}, and this "
                    f"machine gives {tier.value if tier else 'none'}: what is approved under it "
                    f"stays approved and does not run ({', '.join(runs)})",
                )
            )
    return availability.reason, found
