"""The walls: what a sandboxed run may see and use, and the bubblewrap arguments that say so.

Here: tiers, limits, the description of one run, and its argument list. Not here: starting it
(`launcher`), finding the programs (`tools`), the call filter (`seccomp`). Law kept: everything is
denied that is not named in the description; only /tmp, /w and declared folders can be written,
and no network exists.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bot.executor.errors import SpecRefused
from governance.execution import SandboxTier as Tier

if TYPE_CHECKING:
    from bot.executor.tools import Tools

RECIPE: Final = 1
INSIDE_ID: Final = 65534
WORK: Final = "/w"
INPUTS: Final = "/in"
FOLDERS: Final = "/data"
ENTRY_PATH: Final = "/usr/bin:/bin"

KIB: Final = 1024
MIB: Final = 1024 * KIB

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_ENV_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
# Names that change how a program is loaded or interpreted are never passed on.
_ENV_REFUSED: Final = ("LD_", "PYTHON", "BASH", "GLIBC", "MALLOC", "GCONV", "PERL", "NODE", "RUBY")
_ENV_FIXED: Final = ("HOME", "LANG", "PATH", "PWD", "IFS", "ENV", "SHELL")
_MAX_ARGUMENTS: Final = 256
_MAX_ARGUMENT_BYTES: Final = 128 * KIB
_MAX_INPUT_BYTES: Final = 16 * MIB
_OPEN_FILES: Final = 256
_MERGED: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_READABLE_ETC: Final = ("/etc/ld.so.cache", "/etc/alternatives")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use.

    `cpu` is in cores and holds in tier A only. `memory_bytes` is the run's total in tier A and
    each process's address space in A-. `output_bytes` caps stdout and stderr each, `tmp_bytes`
    /tmp and an undeclared /w each, `file_bytes` any one file, `scratch_bytes` a declared scratch.
    """

    cpu: float = 0.5
    memory_bytes: int = 256 * MIB
    wall_s: float = 30.0
    output_bytes: int = MIB
    pids: int = 32
    tmp_bytes: int = 16 * MIB
    file_bytes: int = 64 * MIB
    scratch_bytes: int = 128 * MIB

    def __post_init__(self) -> None:
        """Refuse limits under which not even the walls can be put up, or that are no limits."""
        ranges: tuple[tuple[str, float, float, float], ...] = (
            ("cpu", self.cpu, 0.01, 64),
            ("memory_bytes", self.memory_bytes, 16 * MIB, 64 * KIB * MIB),
            ("wall_s", self.wall_s, 0.05, 3600),
            ("output_bytes", self.output_bytes, 1, 64 * MIB),
            ("pids", self.pids, 4, 4096),
            ("tmp_bytes", self.tmp_bytes, 4 * KIB, 4 * KIB * MIB),
            ("file_bytes", self.file_bytes, 4 * KIB, 64 * KIB * MIB),
            ("scratch_bytes", self.scratch_bytes, 4 * KIB, 64 * KIB * MIB),
        )
        for name, value, low, high in ranges:
            if not low <= value <= high:  # also refuses NaN
                raise SpecRefused(f"limit {name}: got {value}, expected {low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of this machine, seen inside as /data/NAME."""

    name: str
    source: Path

    def __post_init__(self) -> None:
        """Refuse a name that is not one plain component and a source that is not absolute."""
        if not _NAME.fullmatch(self.name):
            raise SpecRefused(f"folder name {self.name!r}: expected {_NAME.pattern}")
        if not self.source.is_absolute() or ".." in self.source.parts or self.source == Path("/"):
            raise SpecRefused(f"folder {self.name}: expected an absolute path below the root")

    @property
    def target(self) -> str:
        """The path inside."""
        return f"{FOLDERS}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """Bytes that the program can read as /in/NAME."""

    name: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a name that is not one plain component."""
        if not _NAME.fullmatch(self.name):
            raise SpecRefused(f"input name {self.name!r}: expected {_NAME.pattern}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """One run: what is started, what it sees and what it may use. Without a network, always.

    `scratch` is a folder bound writable at /w; without it /w is memory and vanishes with the run.
    """

    argv: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)
    writable: tuple[Folder, ...] = ()
    readable: tuple[Folder, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    scratch: Path | None = None
    stdin: bytes | None = field(default=None, repr=False)
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no tier gives: bad argv, double names, loader variables, oversize inputs."""
        if not self.argv or not self.argv[0].startswith("/"):
            raise SpecRefused("argv: expected an absolute program path first")
        sizes = [len(item.encode("utf-8", "surrogateescape")) for item in self.argv]
        if len(sizes) > _MAX_ARGUMENTS or sum(sizes) > _MAX_ARGUMENT_BYTES:
            raise SpecRefused("argv: too many or too long items")
        if any("\0" in item for item in (*self.argv, *self.env.values())):
            raise SpecRefused("argv or env: a NUL character")
        for name in self.env:
            reserved = name in _ENV_FIXED or name.startswith(_ENV_REFUSED)
            if reserved or not _ENV_NAME.fullmatch(name):
                raise SpecRefused(f"env {name!r}: this name is not passed into the sandbox")
        folders = [folder.name for folder in (*self.writable, *self.readable)]
        inputs = [item.name for item in self.inputs]
        if len(set(folders)) != len(folders) or len(set(inputs)) != len(inputs):
            raise SpecRefused("two folders or two inputs have the same name")
        if sum(len(item.content) for item in self.inputs) > _MAX_INPUT_BYTES:
            raise SpecRefused("inputs: too large together")
        if self.scratch is not None and not self.scratch.is_absolute():
            raise SpecRefused("scratch: expected an absolute path")

    def sources(self) -> tuple[Path, ...]:
        """Every path of this machine that is bound."""
        folders = tuple(folder.source for folder in (*self.writable, *self.readable))
        return folders if self.scratch is None else (*folders, self.scratch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """File descriptors that bubblewrap is given, and closes; `inputs` by name."""

    seccomp: int
    status: int
    gate: int
    inputs: Mapping[str, int]

    def all(self) -> tuple[int, ...]:
        """Each of them."""
        return (self.seccomp, self.status, self.gate, *self.inputs.values())


def _name_spaces(tools: "Tools") -> Iterator[str]:
    yield from ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net")
    yield from ("--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session")
    if tools.can_disable_userns:
        yield "--disable-userns"
    yield from ("--uid", str(INSIDE_ID), "--gid", str(INSIDE_ID), "--hostname", "sandbox")
    yield from ("--cap-drop", "ALL")


def environment(tools: "Tools", spec: SandboxSpec) -> dict[str, str]:
    """The whole environment of the program, but for PWD, which bubblewrap adds."""
    return {
        "PATH": ENTRY_PATH,
        "LANG": "C.UTF-8",
        "HOME": WORK,
        **tools.python.environment,
        **spec.env,
    }


def _system(root: Path = Path("/")) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _MERGED:
        path = root / name
        if path.is_symlink():
            yield from ("--symlink", f"usr/{name}", f"/{name}")
        elif path.is_dir():
            yield from ("--ro-bind", f"/{name}", f"/{name}")
    for name in _READABLE_ETC:
        yield from ("--ro-bind-try", name, name)


def _python(tools: "Tools", staged: Mapping[Path, Path]) -> Iterator[str]:
    for source, target in tools.python.binds:
        yield from ("--ro-bind", str(staged.get(source, source)), target)
    for target in tools.python.hidden:
        yield from ("--size", str(4 * KIB), "--tmpfs", target, "--remount-ro", target)


def _folders(spec: SandboxSpec, staged: Mapping[Path, Path]) -> Iterator[str]:
    size = str(spec.limits.tmp_bytes)
    yield from ("--size", size, "--tmpfs", "/tmp")  # noqa: S108 - the sandbox's own
    if spec.scratch is None:
        yield from ("--size", size, "--tmpfs", WORK)
    else:
        yield from ("--bind", str(staged.get(spec.scratch, spec.scratch)), WORK)
    for folder in spec.readable:
        source = staged.get(folder.source, folder.source)
        yield from ("--ro-bind", str(source), folder.target)
    for folder in spec.writable:
        source = staged.get(folder.source, folder.source)
        yield from ("--bind", str(source), folder.target)


def bwrap_arguments(
    tools: "Tools",
    spec: SandboxSpec,
    tier: Tier,
    descriptors: Descriptors,
    staged: Mapping[Path, Path],
) -> list[str]:
    """The argument list of bubblewrap for one run.

    `staged` says where a source that the sandbox's user cannot reach was mounted instead.
    """
    out = [str(tools.bwrap), *_name_spaces(tools), "--clearenv"]
    for name, value in environment(tools, spec).items():
        out += ("--setenv", name, value)
    out += [*_system(), *_python(tools, staged), "--proc", "/proc", "--dev", "/dev"]
    out += _folders(spec, staged)
    for name, descriptor in descriptors.inputs.items():
        out += ("--perms", "0444", "--ro-bind-data", str(descriptor), f"{INPUTS}/{name}")
    # The last mounts: without them the root and /dev, both memory, could be written.
    out += ("--chdir", WORK, "--remount-ro", "/dev", "--remount-ro", "/")
    out += ("--seccomp", str(descriptors.seccomp))
    out += ("--json-status-fd", str(descriptors.status), "--block-fd", str(descriptors.gate), "--")
    if tier is Tier.A_MINUS:
        # Set inside, so that it counts this sandbox's processes and not all of the user's.
        out += (str(tools.prlimit), f"--nproc={spec.limits.pids}", "--")
    return [*out, *spec.argv]


def rlimit_arguments(tools: "Tools", spec: SandboxSpec, tier: Tier) -> list[str]:
    """The rlimits that everything in the run inherits, as a command prefix."""
    limits = spec.limits
    out = [
        str(tools.prlimit),
        "--core=0",
        f"--nofile={_OPEN_FILES}",
        f"--fsize={limits.file_bytes}",
    ]
    if tier is Tier.A_MINUS:
        out += (f"--as={limits.memory_bytes}", f"--cpu={int(limits.wall_s) + 1}")
    return [*out, "--"]
