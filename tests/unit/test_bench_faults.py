"""What the fault runs rest on: a disk that keeps what was synced, and shims that obey."""

import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bench.power_loss import Disk, Machine, Write
from bench.shim import Action, Control, How, Op, build, is_buildable

SCRIPT = """
import os, sys, time
began = time.monotonic()
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for number in range(10):
    os.pwrite(fd, bytes([65 + number]) * 8, number * 8)
    try:
        os.fsync(fd)
    except OSError as error:
        print(error.strerror, file=sys.stderr)
print(time.monotonic() - began)
"""


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # places, not secrets


def write(at: int, data: bytes, name: str = "ledger.db") -> Write:
    return Write(op=Op.WRITE, name=name, at=at, data=data)


def test_what_was_synced_is_there_and_what_was_not_may_be() -> None:
    seen = set()
    for seed in range(200):
        disk = Disk()
        disk.waiting.append(write(0, b"a" * 512))
        disk.sync()
        disk.waiting += [write(512, b"b" * 1024), write(4096, b"c")]
        found = disk.after_cut(dice(seed))
        assert found[:512] == b"a" * 512
        assert set(found[512:1536]) <= set(b"b\0")
        seen.add((len(found), found[512:513], found[1024:1025]))
    sizes = {size for size, _, _ in seen}
    assert sizes == {512, 1024, 1536, 4097}
    assert (4097, b"b", b"\0") in seen  # torn: one sector of a write without the next


def test_a_sync_saves_the_file_that_was_synced_and_no_other(tmp_path: Path) -> None:
    for name in ("ledger.db", "ledger.db-wal"):
        (tmp_path / name).write_bytes(b"")
    lost = False
    for seed in range(50):
        machine = Machine(tmp_path)
        for name in ("ledger.db", "ledger.db-wal"):
            machine.do(write(0, b"x", name))
        machine.do(Write(op=Op.SYNC, name="ledger.db", at=0, data=b""))
        after = tmp_path / f"after{seed}"
        after.mkdir()
        machine.cut(after, dice(seed))
        assert (after / "ledger.db").read_bytes() == b"x"
        lost |= (after / "ledger.db-wal").read_bytes() == b""
    assert lost


def test_a_new_file_has_its_name_for_certain_only_once_its_folder_is_synced(tmp_path: Path) -> None:
    there = {}
    for is_synced in (False, True):
        there[is_synced] = set()
        for seed in range(50):
            machine = Machine(tmp_path)
            machine.do(write(0, b"x", "ledger.db-wal"))
            machine.do(Write(op=Op.SYNC, name="ledger.db-wal", at=0, data=b""))
            if is_synced:
                machine.do(Write(op=Op.DIRSYNC, name=str(tmp_path), at=0, data=b""))
            after = tmp_path / f"after{is_synced}{seed}"
            after.mkdir()
            machine.cut(after, dice(seed))
            there[is_synced].add((after / "ledger.db-wal").exists())
    assert there == {False: {True, False}, True: {True}}


@pytest.fixture(scope="module")
def shims(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if not is_buildable():
        pytest.skip("needs gcc")
    folder = tmp_path_factory.mktemp("shims")
    return {name: build(name, folder) for name in ("fault_shim", "fsync_shim")}


def run(path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("how", "left"), [(How.BEFORE, 8), (How.HALF, 12), (How.AFTER, 16)], ids=str
)
def test_the_shim_kills_at_the_chosen_write(
    shims: dict[str, Path], tmp_path: Path, how: How, left: int
) -> None:
    path = tmp_path / "ledger.db"
    with Control(tmp_path / "control") as control:
        control.set(path, action=Action.KILL, how=how, when=3)  # write, sync, write
        done = run(path, **control.environment(shims["fault_shim"]))
        assert control.fired == 1
    assert done.returncode == -9
    assert path.stat().st_size == left


@pytest.mark.parametrize(("is_sticky", "failed"), [(False, 1), (True, 9)])
def test_the_shim_fails_one_operation_or_all_from_it_on(
    shims: dict[str, Path], tmp_path: Path, *, is_sticky: bool, failed: int
) -> None:
    path = tmp_path / "ledger.db"
    with Control(tmp_path / "control") as control:
        control.set(
            path,
            action=Action.FAIL,
            error=errno.ENOSPC,
            is_sticky=is_sticky,
            ops=Op.SYNC,
            when=2,
        )
        done = run(path, **control.environment(shims["fault_shim"]))
        assert control.fired == failed
    assert done.stderr.count("No space left on device") == failed
    assert path.stat().st_size == 80


def test_other_files_are_left_alone(shims: dict[str, Path], tmp_path: Path) -> None:
    with Control(tmp_path / "control") as control:
        control.set(tmp_path / "ledger.db", action=Action.KILL)
        done = run(tmp_path / "other", **control.environment(shims["fault_shim"]))
        assert (done.returncode, control.count) == (0, 0)


def test_the_slow_disk_is_slower_by_what_was_asked(shims: dict[str, Path], tmp_path: Path) -> None:
    done = run(tmp_path / "file", LD_PRELOAD=str(shims["fsync_shim"]), FSYNC_SHIM_US="5000")
    assert float(done.stdout) >= 0.05
