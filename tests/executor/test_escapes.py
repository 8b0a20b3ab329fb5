"""The walls, tried by a hostile program: nothing gets out; without walls the same program does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.executor.sandbox import Folder, InputFile, Limits, SandboxSpec
from bot.executor.selftest import Established
from governance.execution import SandboxTier as Tier
from tests.executor.conftest import Host, Proven, hand_over

pytestmark = pytest.mark.sandbox

_SCRIPT = Path(__file__).with_name("escape_probes.py")
_LEAST_PROBES = 60
_LEAST_ESCAPES = 25


@pytest.fixture
def read_only(tmp_path: Path, established: dict[Tier, Established]) -> Path:
    folder = tmp_path / "ro"
    folder.mkdir()
    hand_over(folder, established)
    return folder


async def test_no_probe_gets_out(proven: Proven, host: Host, site: Path, read_only: Path):
    targets = {**host.targets, "site": "/data/site", "ro": "/data/ro"}
    result = await proven.run(
        SandboxSpec(
            argv=proven.launcher.tools.python.argv("/in/probes.py", "/in/targets.json"),
            inputs=(
                InputFile(name="probes.py", content=_SCRIPT.read_bytes()),
                InputFile(name="targets.json", content=json.dumps(targets).encode()),
            ),
            writable=(Folder(name="site", source=site),),
            readable=(Folder(name="ro", source=read_only),),
            limits=Limits(wall_s=20, cpu=1.0),
        )
    )
    assert result.is_success, result.stderr
    found = json.loads(result.stdout)
    assert len(found) >= _LEAST_PROBES
    assert [name for name, escaped in found.items() if escaped] == []
    with pytest.raises(BlockingIOError):
        host.datagrams.recv(16)
    assert os.listdir(site) == []


def test_the_same_probes_get_out_without_walls(host: Host, tmp_path: Path, site: Path):
    folder = tmp_path / "ro"
    folder.mkdir()
    targets = tmp_path / "targets.json"
    targets.write_text(json.dumps({**host.targets, "site": str(site), "ro": str(folder)}))
    result = subprocess.run(
        [sys.executable, "-I", "-S", str(_SCRIPT), str(targets)],
        capture_output=True,
        check=True,
        close_fds=False,
        timeout=60,
    )
    found = json.loads(result.stdout)
    escaped = {name for name, out in found.items() if out}
    assert len(escaped) >= _LEAST_ESCAPES, sorted(escaped)
    assert {
        *("read_db", "read_key", "tcp4", "udp", "abstract_socket", "path_socket"),
        *("environ_of_the_service", "signal_the_service", "setuid_by_chmod", "vsock"),
        *("see_host_processes", "the_services_own_descriptor", "own_environ"),
    } <= escaped | ({"vsock"} - set(found))
    assert host.datagrams.recv(16) == b"out"
