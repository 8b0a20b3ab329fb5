"""What a hostile program may use, tried in every tier that this machine has."""

import asyncio
import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bot.executor import scratch
from bot.executor.sandbox import MIB, Limits, SandboxSpec
from bot.executor.selftest import Config, establish
from governance.execution import SandboxTier as Tier
from tests.executor.conftest import Proven, groups_of, processes_with

pytestmark = pytest.mark.sandbox


async def test_memory_is_bounded(proven: Proven):
    result = await proven.python(
        "x = [bytearray(16 << 20) for _ in range(64)]\nprint('got it')",
        limits=Limits(memory_bytes=128 * MIB, cpu=1, wall_s=20),
    )
    assert not result.is_success
    assert b"got it" not in result.stdout
    if proven.tier is Tier.A:
        assert result.oom_killed
        assert result.peak_memory_bytes is not None
        assert result.peak_memory_bytes <= 128 * MIB


async def test_memory_of_all_processes_together_is_bounded_in_tier_a(full: Proven):
    result = await full.python(
        "import os\n"
        "for _ in range(8):\n"
        "    if os.fork() == 0:\n"
        "        x = bytearray(64 << 20); os.read(0, 1); os._exit(0)\n"
        "for _ in range(8): os.wait()\n",
        limits=Limits(memory_bytes=128 * MIB, cpu=2, wall_s=20),
    )
    assert result.oom_killed
    assert (result.peak_memory_bytes or 0) <= 128 * MIB


async def test_a_fork_bomb_stops_at_the_limit_and_leaves_nobody(proven: Proven):
    result = await proven.python(
        "import os, signal\n"
        "made = 0\n"
        "while True:\n"
        "    try:\n"
        "        if os.fork() == 0: signal.pause()\n"
        "        made += 1\n"
        "    except OSError:\n"
        "        print(made, flush=True)\n"
        "        break\n",
        limits=Limits(pids=16, wall_s=10),
    )
    assert result.exit_code == 0
    assert 8 <= int(result.stdout) <= 16


async def test_an_endless_fork_bomb_is_ended_by_the_wall_clock(proven: Proven):
    result = await proven.python(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
        limits=Limits(pids=16, wall_s=0.5),
    )
    assert result.timed_out
    assert result.duration_s < 3


@pytest.mark.parametrize("stream", [1, 2])
async def test_a_flood_of_output_is_cut_at_the_cap(proven: Proven, stream: int):
    result = await proven.python(
        f"import os\nwhile True: os.write({stream}, b'x' * 65536)",
        limits=Limits(output_bytes=100_000, wall_s=10),
    )
    content = result.stdout if stream == 1 else result.stderr
    assert len(content) == 100_000
    assert (result.stdout_truncated, result.stderr_truncated) == (stream == 1, stream == 2)
    assert not result.timed_out
    assert not result.is_success


async def test_a_program_that_ignores_signals_and_hangs_is_killed(proven: Proven):
    result = await proven.python(
        "import os, signal\n"
        "for n in range(1, 65):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "os.close(1); os.close(2)\n"
        "while True: signal.pause()\n",
        limits=Limits(wall_s=0.4),
    )
    assert result.timed_out
    assert result.exit_code == 137
    assert result.duration_s < 3


async def test_a_daemon_does_not_outlive_its_run(proven: Proven, site: Path):
    marker = f"placet-daemon-{os.getpid()}"
    result = await proven.run(
        SandboxSpec(
            argv=proven.launcher.tools.python.argv(
                "-c",
                "import os\n"
                "ready, go = os.pipe()\n"
                "if os.fork():\n"
                "    os.read(ready, 1); os._exit(0)\n"
                "os.setsid()\n"
                "if os.fork(): os._exit(0)\n"
                "open('/w/beat', 'w').close(); os.write(go, b'x')\n"
                "while True: open('/w/beat', 'a').write('x')\n",
                marker,
            ),
            scratch=site,
            limits=Limits(wall_s=5),
        )
    )
    assert result.exit_code == 0
    assert (site / "beat").exists()
    assert processes_with(marker) == []


async def test_memory_folders_are_bounded(proven: Proven):
    result = await proven.python(
        "import errno, json\n"
        "out = {}\n"
        "for place in ('/tmp', '/w'):\n"
        "    written = 0\n"
        "    try:\n"
        "        with open(place + '/fill', 'wb') as f:\n"
        "            while written < 64 << 20: written += f.write(b'x' * 65536); f.flush()\n"
        "    except OSError as e: out[place] = [e.errno, written]\n"
        "    else: out[place] = [0, written]\n"
        "print(json.dumps(out))",
        limits=Limits(tmp_bytes=MIB, wall_s=10),
    )
    for error, written in json.loads(result.stdout).values():
        assert error == 28
        assert written <= MIB


async def test_one_file_is_bounded(proven: Proven, site: Path):
    result = await proven.run(
        SandboxSpec(
            argv=proven.launcher.tools.python.argv(
                "-c",
                "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                "open('/w/big', 'wb').write(b'x' * (2 << 20))",
            ),
            scratch=site,
            limits=Limits(file_bytes=MIB, wall_s=5),
        )
    )
    assert b"File too large" in result.stderr
    assert (site / "big").stat().st_size <= MIB


async def test_many_files_in_the_scratch_end_the_run(proven: Proven, site: Path):
    result = await proven.run(
        SandboxSpec(
            argv=proven.launcher.tools.python.argv(
                "-c",
                "import itertools\n"
                "for n in itertools.count():\n"
                "    with open(f'/w/{n}', 'wb') as f: f.write(b'x' * 65536)\n",
            ),
            scratch=site,
            limits=Limits(scratch_bytes=2 * MIB, wall_s=20),
        )
    )
    assert result.scratch_full
    assert not result.timed_out
    assert scratch.usage(site).size_bytes > 2 * MIB


async def test_cpu_is_a_share_of_the_machine_in_tier_a(full: Proven):
    result = await full.python(
        "import os, time\n"
        "end = time.monotonic() + 1.0\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0: break\n"
        "while time.monotonic() < end: pass\n"
        "t = os.times()\n"
        "print(t.user + t.system, flush=True)\n",
        limits=Limits(cpu=0.25, wall_s=10),
    )
    used = sum(float(line) for line in result.stdout.split())
    assert used < 0.25 * result.duration_s + 0.3


_PARENT = """
import asyncio, sys
from bot.executor.selftest import Config, establish
from bot.executor.sandbox import Folder, Limits, SandboxSpec
from governance.execution import SandboxTier as Tier
async def main():
    tier = Tier(sys.argv[1])
    found = await establish(Config(tiers=(tier,)))
    spec = SandboxSpec(
        argv=found.launcher.tools.python.argv("-c",
            "import os, signal; open('/data/site/up', 'w').close(); signal.pause()"),
        writable=(Folder(
            name="site", source=__import__('pathlib').Path(sys.argv[2])),),
        limits=Limits(wall_s=60))
    task = asyncio.create_task(found.launcher.run(spec, tier))
    up = __import__('pathlib').Path(sys.argv[2], "up")
    while not up.exists() and not task.done():
        await asyncio.sleep(0.01)
    print("up", flush=True)
    await task
asyncio.run(main())
"""


def _descendants(pid: int) -> set[int]:
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found |= {int(child)} | _descendants(int(child))
    return found


def test_the_executors_death_is_the_sandboxs_death(proven: Proven, site: Path):
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(proven.tier), str(site)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        inside = {pid: os.pidfd_open(pid) for pid in _descendants(parent.pid)}
        assert len(inside) >= 3
        parent.kill()
        for pidfd in inside.values():
            assert select.select([pidfd], [], [], 10)[0] == [pidfd]
            os.close(pidfd)
    # The next start clears away what nobody was left to remove.
    asyncio.run(establish(Config(tiers=(Tier.A, Tier.A_MINUS))))
    assert groups_of(parent.pid) == []
    assert list(Path(tempfile.gettempdir()).glob(f"placet-stage-{parent.pid}-*")) == []
