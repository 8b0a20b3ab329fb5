"""Proving, on this machine and now, that the walls hold before anything is run inside them.

Here: the probe's expected answers, the tiers tried in order, and the sentence for whoever has to
repair the machine. Not here: the walls (`sandbox`) and the tools (`tools`). Law kept: a tier is
proven only when every answer is the expected one; a missing tool or any difference makes it
unavailable, and nothing is ever raised or run without walls because of it.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from errno import EACCES, EAFNOSUPPORT, EPERM, EROFS
from importlib.resources import files
from pathlib import Path
from typing import Final

from bot.executor import staging
from bot.executor.cgroup import Backend
from bot.executor.cgroup_discovery import Found, discover
from bot.executor.errors import SandboxError, SandboxUnavailable
from bot.executor.launcher import Launcher, RunResult
from bot.executor.sandbox import INPUTS, MIB, InputFile, Limits, SandboxSpec, environment
from bot.executor.tools import RunAs, Tools, find
from governance.execution import SandboxTier as Tier

_LIMITS: Final = Limits(wall_s=15.0, memory_bytes=128 * MIB, cpu=1.0, pids=16)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_READ_ONLY: Final = ("/etc", "/usr", "/", "/dev", "/in")
_WRITABLE: Final = ("/w", "/tmp")  # noqa: S108 - the sandbox's own
# Settings of the kernel that keep ordinary users from making name spaces, and the bad value.
_SWITCHES: Final = (
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "give bubblewrap an AppArmor profile that allows userns",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the operator may choose about the sandbox; the defaults suit almost everybody."""

    tiers: tuple[Tier, ...] = (Tier.A, Tier.A_MINUS)
    run_as: RunAs | None = None
    bwrap: Path | None = None
    prefer_own_python: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Which tier this machine gives now, and in one sentence why not a better one.

    `boot_id` says for which boot of the machine that was found out.
    """

    tier: Tier | None
    reason: str
    details: tuple[str, ...] = ()
    boot_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """The launcher for the proven tier (None when there is none) and the finding."""

    launcher: Launcher | None
    availability: Availability


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """One fact of the probe and what it has to be."""

    fact: str
    allowed: tuple[object, ...]
    got: object = field(default=None)


def runner_source(name: str) -> bytes:
    """A script of the `runners` folder, as it goes into the sandbox."""
    return files("bot.executor.runners").joinpath(f"{name}.py").read_bytes()


def boot_id() -> str:
    """The kernel's id of this boot, empty where it gives none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _expectations(
    facts: Mapping[str, object], names: list[str], processes: int
) -> Iterator[_Expected]:
    def expect(fact: str, *allowed: object) -> _Expected:
        return _Expected(fact=fact, allowed=allowed, got=facts.get(fact))

    yield expect("inet", EAFNOSUPPORT)
    yield expect("inet6", EAFNOSUPPORT)
    yield expect("vsock", EAFNOSUPPORT)
    yield expect("userns", EPERM)
    yield expect("setuid_bit", EPERM)
    yield expect("no_new_privs", "1")
    yield expect("seccomp", "2")
    yield expect("capabilities", 0)
    yield expect("uid", 65534)
    yield expect("processes", processes)
    yield expect("environ", sorted([*names, "PWD"]))
    yield expect("environ_of_1", ["PATH"], ["PATH", "PWD"])
    yield expect("descriptors", [0, 1, 2])
    written = facts.get("write")
    writes = written if isinstance(written, dict) else {}
    for place in _READ_ONLY:
        # Not EROFS alone: an older kernel may look at the modes first.
        yield _Expected(fact=f"write {place}", allowed=(EROFS, EACCES), got=writes.get(place))
    for place in _WRITABLE:
        yield _Expected(fact=f"write {place}", allowed=(0,), got=writes.get(place))


def differences(result: RunResult, tools: Tools, spec: SandboxSpec) -> tuple[str, ...]:
    """Every way in which a run of the probe is not what it has to be; empty means proven."""
    if not result.is_success:
        tail = result.stderr[-200:].decode("utf-8", "replace").strip()
        return (f"the probe ended with status {result.exit_code}: {tail}",)
    try:
        facts = json.loads(result.stdout)
    except ValueError:
        return ("the probe's answer is not JSON",)
    if not isinstance(facts, dict):
        return ("the probe's answer is not an object",)
    expected = _expectations(facts, list(environment(tools, spec)), processes=2)
    return tuple(
        f"{item.fact}: got {item.got!r}, expected {' or '.join(map(repr, item.allowed))}"
        for item in expected
        if item.got is None or not any(item.got == allowed for allowed in item.allowed)
    )


def probe_spec(tools: Tools) -> SandboxSpec:
    """The run of the probe."""
    return SandboxSpec(
        argv=tools.python.argv(f"{INPUTS}/probe.py"),
        inputs=(InputFile(name="probe.py", content=runner_source("probe")),),
        limits=_LIMITS,
    )


async def _prove(
    tools: Tools, backend: Backend | None, tier: Tier, reasons: tuple[str, ...]
) -> Launcher:
    """A launcher for the tier, after its probe.

    Raises:
        SandboxError: the probe could not be run, or found a difference.
    """
    if tier is Tier.A and backend is None:
        raise SandboxUnavailable(f"no control groups can be made ({'; '.join(reasons)})")
    if tier not in {Tier.A, Tier.A_MINUS}:
        raise SandboxUnavailable(f"tier {tier} is not built yet")
    # The control group's limits were read back by the group itself before the probe began.
    launcher = Launcher(
        tools=tools,
        backend=backend if tier is Tier.A else None,
        proven=frozenset({tier}),
    )
    spec = probe_spec(tools)
    found = differences(await launcher.run(spec, tier), tools, spec)
    if found:
        raise SandboxUnavailable("; ".join(found))
    return launcher


def _kernel_hint() -> str:
    for path, bad, repair in _SWITCHES:
        try:
            value = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == bad:
            return f" User namespaces are switched off by {Path(path).name}: {repair}."
    if not Path("/proc/self/ns/user").exists():
        return " This kernel has no user namespaces."
    return ""


def _none(reason: str, details: tuple[str, ...]) -> Established:
    sentence = f"No sandbox: {reason}. Nothing will be executed.{_kernel_hint()}"
    availability = Availability(tier=None, reason=sentence, details=details, boot_id=boot_id())
    return Established(launcher=None, availability=availability)


async def establish(config: Config | None = None) -> Established:
    """The strongest tier of `config.tiers` that is proven here and now. Never raises for a lack."""
    chosen = Config() if config is None else config
    try:
        tools = await asyncio.to_thread(
            lambda: find(
                run_as=chosen.run_as,
                bwrap=chosen.bwrap,
                prefer_own_python=chosen.prefer_own_python,
            )
        )
        await asyncio.to_thread(staging.sweep, tools)
    except (SandboxError, OSError) as error:
        return _none(str(error), (str(error),))
    details: list[str] = []
    groups = await asyncio.to_thread(discover) if Tier.A in chosen.tiers else Found(backend=None)
    for tier in sorted(chosen.tiers, key=lambda tier: tier.rank):
        try:
            launcher = await _prove(tools, groups.backend, tier, groups.reasons)
        except (SandboxError, OSError) as error:
            details.append(f"tier {tier}: {error}")
        else:
            return Established(
                launcher=launcher, availability=_proven(tier, launcher, tuple(details))
            )
    return _none(details[-1] if details else "no tier was asked for", tuple(details))


def _proven(tier: Tier, launcher: Launcher, details: tuple[str, ...]) -> Availability:
    reason = f"Tier {tier}: {launcher.version}."
    if tier is Tier.A_MINUS and details:
        reason += f" Not tier A: {details[-1].removeprefix('tier A: ')}."
    return Availability(tier=tier, reason=reason, details=details, boot_id=boot_id())
