"""One run from start to end: what it reports, and that it always ends."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from bot.executor import run as run_module
from bot.executor import scratch
from bot.executor.errors import OutputRefused, SandboxSetupFailed, SandboxUnavailable
from bot.executor.launcher import Launcher
from bot.executor.sandbox import Folder, InputFile, Limits, SandboxSpec
from bot.executor.selftest import Config, establish
from governance.execution import SandboxTier as Tier
from tests.executor.conftest import Proven, groups_of, processes_with

pytestmark = pytest.mark.sandbox


def _open_descriptors() -> set[str]:
    return {name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")}


async def test_a_run_reports_its_streams_status_tier_and_recipe(proven: Proven):
    result = await proven.run(
        SandboxSpec(
            argv=("/bin/sh", "-c", "cat; cat /in/a >&2; echo $TRACEPARENT; exit 7"),
            stdin=b"from stdin\n",
            inputs=(InputFile(name="a", content=b"from a file"),),
            env={"TRACEPARENT": "00-1-2-01"},
        )
    )
    assert (result.exit_code, result.stderr) == (7, b"from a file")
    assert result.stdout == b"from stdin\n00-1-2-01\n"
    assert result.tier is proven.tier
    assert result.sandbox_version.startswith("recipe 1; bubblewrap ")
    assert not result.is_success
    assert 0 < result.duration_s < 5


async def test_input_and_stdin_cannot_be_written(proven: Proven):
    result = await proven.python(
        "for path in ('/in/script.py', '/proc/self/fd/0'):\n"
        "    try:\n"
        "        with open(path, 'r+b', buffering=0) as f: f.write(b'x')\n"
        "    except OSError: print('refused')\n",
        stdin=b"fixed",
    )
    assert result.stdout == b"refused\nrefused\n"


async def test_a_signals_death_is_128_and_the_signal(proven: Proven):
    result = await proven.run(SandboxSpec(argv=("/bin/sh", "-c", "kill -TERM $$")))
    assert result.exit_code == 143


async def test_declared_folders_are_written_and_others_are_only_read(proven: Proven, site: Path):
    spec = SandboxSpec(
        argv=(
            "/bin/sh",
            "-c",
            "echo hello > /data/site/new; cat /data/again/new; : > /data/again/x",
        ),
        writable=(Folder(name="site", source=site),),
        readable=(Folder(name="again", source=site),),
    )
    result = await proven.run(spec)
    assert result.stdout == b"hello\n"
    assert b"Read-only" in result.stderr
    run_as = proven.launcher.tools.run_as
    assert (site / "new").stat().st_uid == (os.getuid() if run_as is None else run_as.uid)


async def test_a_folder_that_does_not_exist_is_proven_not_to_have_started(
    proven: Proven, tmp_path: Path
):
    folder = Folder(name="site", source=tmp_path / "absent")
    with pytest.raises(SandboxSetupFailed) as caught:
        await proven.run(SandboxSpec(argv=("/usr/bin/true",), writable=(folder,)))
    assert not caught.value.started


async def test_a_wall_that_fails_is_proven_not_to_have_started(minus: Proven, tmp_path: Path):
    link = tmp_path / "site"
    link.symlink_to(tmp_path / "nowhere")
    folder = Folder(name="site", source=link)
    with pytest.raises(SandboxSetupFailed) as caught:
        await minus.run(SandboxSpec(argv=("/usr/bin/true",), writable=(folder,)))
    assert not caught.value.started


async def test_a_program_that_cannot_be_executed_is_proven_not_to_have_started(full: Proven):
    with pytest.raises(SandboxSetupFailed, match="No such file") as caught:
        await full.run(SandboxSpec(argv=("/usr/bin/no-such-program",)))
    assert not caught.value.started


async def test_a_tier_that_was_not_proven_is_refused(minus: Proven):
    for tier in (Tier.A, Tier.B, Tier.C):
        with pytest.raises(SandboxUnavailable):
            await minus.launcher.run(SandboxSpec(argv=("/usr/bin/true",)), tier)
    bare = Launcher(tools=minus.launcher.tools, backend=None)
    with pytest.raises(SandboxUnavailable):
        await bare.run(SandboxSpec(argv=("/usr/bin/true",)), Tier.A_MINUS)


async def test_nothing_runs_before_the_gate_is_opened(
    proven: Proven, site: Path, monkeypatch: pytest.MonkeyPatch
):
    async def refuse(self: run_module.Run, ended: asyncio.Task[None]) -> None:
        # Long enough for a program that did not wait: its own start-up is the clock.
        await proven.run(SandboxSpec(argv=("/bin/sleep", "0.2")))
        raise SandboxSetupFailed("the limits are not what was asked for")

    real = run_module.Run.watch
    spec = SandboxSpec(argv=("/bin/sh", "-c", ": > /w/begun"), scratch=site)
    calls = 0

    async def first_refused(self: run_module.Run, ended: asyncio.Task[None]) -> None:
        nonlocal calls
        calls += 1
        await (refuse if calls == 1 else real)(self, ended)

    monkeypatch.setattr(run_module.Run, "watch", first_refused)
    with pytest.raises(SandboxSetupFailed):
        await proven.run(spec)
    assert os.listdir(site) == []
    assert (await proven.run(spec)).exit_code == 0
    assert (site / "begun").exists()


async def test_a_cancelled_run_is_dead_and_leaves_nothing(proven: Proven, site: Path):
    before = _open_descriptors()
    spec = SandboxSpec(
        argv=("/bin/sh", "-c", ": > /w/up; exec sleep 60"), scratch=site, limits=Limits(wall_s=50)
    )
    task = asyncio.create_task(proven.run(spec))
    async with asyncio.timeout(10):
        while not (site / "up").exists():
            await asyncio.to_thread(os.sched_yield)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _descendants() == []
    assert groups_of(os.getpid()) == []
    assert _open_descriptors() <= before


async def test_a_run_cancelled_at_any_moment_leaves_nothing(proven: Proven):
    marker = f"9{os.getpid()}"
    for turns in range(0, 60, 3):
        task = asyncio.create_task(proven.run(SandboxSpec(argv=("/bin/sleep", marker))))
        for _ in range(turns):
            await asyncio.to_thread(os.sched_yield)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert _descendants() == []
    assert groups_of(os.getpid()) == []
    assert processes_with(marker) == []


async def test_a_run_cancelled_twice_is_still_ended(proven: Proven):
    marker = f"8{os.getpid()}"
    for turns in range(0, 30, 3):
        task = asyncio.create_task(proven.run(SandboxSpec(argv=("/bin/sleep", marker))))
        for _ in range(2):
            for _ in range(turns):
                await asyncio.to_thread(os.sched_yield)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(20):
        while run_module._closing:
            await asyncio.wait(set(run_module._closing))
    assert groups_of(os.getpid()) == []
    assert processes_with(marker) == []


def _descendants() -> list[str]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        found += (task / "children").read_text().split()
    return [pid for pid in found if "bwrap" in Path(f"/proc/{pid}/cmdline").read_text()]


async def test_runs_beside_each_other_do_not_disturb(proven: Proven):
    specs = [SandboxSpec(argv=("/bin/echo", str(n)), limits=Limits(cpu=1)) for n in range(12)]
    results = await asyncio.gather(*(proven.run(spec) for spec in specs))
    assert [int(result.stdout) for result in results] == list(range(12))
    assert groups_of(os.getpid()) == []


async def test_the_loop_is_free_while_a_run_goes_on(proven: Proven):
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(proven.run(SandboxSpec(argv=("/bin/sleep", "0.3"))))
    longest, last = 0.0, loop.time()
    while not task.done():
        await asyncio.to_thread(os.sched_yield)
        longest, last = max(longest, loop.time() - last), loop.time()
    assert longest < 0.2


def test_the_walls_hold_under_uvloop_too(proven: Proven):
    """Its own way to start processes leaves descriptors open; the self-test would find them."""

    async def work() -> None:
        found = await establish(Config(tiers=(proven.tier,)))
        assert found.launcher is not None, found.availability
        result = await found.launcher.run(SandboxSpec(argv=("/bin/echo", "hi")), proven.tier)
        assert (result.stdout, result.is_success) == (b"hi\n", True)
        task = asyncio.create_task(
            found.launcher.run(SandboxSpec(argv=("/bin/sleep", "60")), proven.tier)
        )
        for _ in range(20):
            await asyncio.to_thread(os.sched_yield)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
    assert _descendants() == []


async def test_the_running_python_works_inside_wherever_it_lives(require_sandbox: None):
    found = await establish(Config(prefer_own_python=True))
    assert found.launcher is not None, found.availability
    assert found.availability.tier is not None
    python = found.launcher.tools.python
    source = "import hashlib, json, os, sys; print(sys.prefix, os.path.isdir('/root'))"
    result = await found.launcher.run(
        SandboxSpec(argv=python.argv("-c", source)), found.availability.tier
    )
    assert result.is_success, result.stderr
    assert b"False" in result.stdout


# -- collecting what a hostile program left -------------------------------------------------
async def test_only_a_plain_file_of_its_own_is_collected(proven: Proven, site: Path):
    script = (
        "cd /w; echo fine > good; mkdir d; echo deep > d/good; ln -s /etc/passwd link; ln -s d ld; "
        "mkfifo fifo; echo x > one; ln one two; head -c 5000 /dev/zero > big"
    )
    result = await proven.run(SandboxSpec(argv=("/bin/sh", "-c", script), scratch=site))
    assert result.is_success, result.stderr
    assert scratch.collect(site, "good", max_bytes=100) == b"fine\n"
    assert scratch.collect(site, "d/good", max_bytes=100) == b"deep\n"
    for name in (
        *("link", "ld/good", "fifo", "one", "two", "big", "d", "absent"),
        *("../x", "/etc/passwd", "d/../good", "", ".", "./good", "d//good", "a\0b"),
    ):
        with pytest.raises(OutputRefused):
            scratch.collect(site, name, max_bytes=4096)


async def test_a_scratch_folder_is_the_sandboxs_own_and_is_removed(proven: Proven, tmp_path: Path):
    folder = scratch.make(proven.launcher.tools.run_as, tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    spec = SandboxSpec(argv=("/bin/sh", "-c", "mkdir /w/d; echo x > /w/d/f"), scratch=folder)
    assert (await proven.run(spec)).is_success
    assert scratch.usage(folder).entries == 2
    scratch.remove(folder)
    assert not folder.exists()
    assert scratch.usage(folder).entries == 0
