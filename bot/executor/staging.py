"""Sources that the sandbox's user cannot reach, shown to bubblewrap at a path that it can.

Here: the mount points and the command prefix that mounts on them, in a mount name space of the
run's own, while the executor is still root. Not here: when the run starts and ends (`launcher`).
Law kept: staging changes where a folder is reached, never who may read or write what is in it;
an executor that is not root stages nothing.
"""

import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.executor.errors import SandboxSetupFailed
from bot.executor.processes import is_gone
from bot.executor.tools import Tools, reachable

_PREFIX: Final = "placet-stage-"
# Arguments: a count of pairs, the pairs source and target, the command. No text is interpreted.
_SCRIPT: Final = """
n=$1; shift
while [ "$n" -gt 0 ]; do
  "$0" --bind -- "$1" "$2" || exit 98
  shift 2; n=$((n-1))
done
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Mount points on disk, empty outside the run's own mount name space."""

    base: Path | None = None
    places: Mapping[Path, Path] = field(default_factory=dict)

    def prefix(self, tools: Tools) -> tuple[str, ...]:
        """The command that mounts every source and goes on with what follows it."""
        if not self.places or tools.drop is None:
            return ()
        pairs = [str(path) for pair in self.places.items() for path in pair]
        return (
            *(str(tools.drop.unshare), "--mount", "--propagation", "private", "--"),
            *(str(tools.shell), "-c", _SCRIPT, str(tools.drop.mount)),
            *(str(len(self.places)), *pairs),
        )

    def remove(self) -> None:
        """Remove the mount points; they are empty here, so nothing of a source can be lost."""
        if self.base is not None:
            _remove(self.base)


def _remove(base: Path) -> None:
    with contextlib.suppress(OSError):
        for place in base.iterdir():
            if place.is_dir():
                place.rmdir()
            elif place.stat().st_size == 0:
                place.unlink()
        base.rmdir()


def sweep(tools: Tools) -> None:
    """Remove the empty mount points of executors that died; only this user's own folders."""
    if tools.drop is None:
        return
    for base in _base(tools).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = base.lstat()
            is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            if is_own and is_gone(base.name.removeprefix(_PREFIX).partition("-")[0]):
                _remove(base)


def prepare(tools: Tools, sources: tuple[Path, ...]) -> Staging:
    """Mount points for those of `sources` that the sandbox's user cannot reach.

    Raises:
        SandboxSetupFailed: a source is missing, or no mount point can be made.
    """
    for source in sources:
        if not os.path.lexists(source):
            raise SandboxSetupFailed(f"folder {source} does not exist")
    hidden = [path for path in dict.fromkeys(sources) if not reachable(path.parent, tools.run_as)]
    if not hidden:
        return Staging()
    places: dict[Path, Path] = {}
    try:
        base = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_base(tools)))
        base.chmod(0o755)
        for index, source in enumerate(hidden):
            place = base / str(index)
            if source.is_dir():
                place.mkdir(mode=0o755)
            else:
                place.touch(mode=0o644)
            places[source] = place
    except OSError as error:
        raise SandboxSetupFailed(f"no mount points: {error.strerror}") from error
    return Staging(base=base, places=places)


def _base(tools: Tools) -> Path:
    for candidate in (Path(tempfile.gettempdir()), Path("/run"), Path("/var/tmp")):  # noqa: S108 - only empty mount points, in a fresh folder
        if reachable(candidate, tools.run_as):
            return candidate
    raise SandboxSetupFailed("no folder for mount points that the sandbox's user can reach")
