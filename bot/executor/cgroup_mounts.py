"""Where control group hierarchies are mounted, and where a process is in them.

Here: reading /proc/PID/mountinfo and /proc/PID/cgroup. Not here: what is done with the places.
Law kept: this only reads.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mounted control group hierarchy."""

    root: str
    point: Path
    kind: str
    options: frozenset[str]


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def mounts(proc: Path) -> list[Mount]:
    """The hierarchies that are mounted here."""
    found = []
    for line in (proc / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, rest = right.partition(" ")
        if kind in {"cgroup", "cgroup2"}:
            parts = left.split(" ")
            options = frozenset(rest.split(" ")[-1].split(","))
            point = Path(_unescape(parts[4]))
            found.append(Mount(root=_unescape(parts[3]), point=point, kind=kind, options=options))
    return found


def own_paths(proc: Path) -> dict[str, str]:
    """Controller name -> this process's path in its hierarchy; the unified tree's key is empty."""
    paths = {}
    for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths
