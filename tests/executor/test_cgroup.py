"""Groups on an imitated tree for both versions, and on the real one where there is one."""

import contextlib
from pathlib import Path

import pytest

from bot.executor import cgroup, cgroup_discovery
from bot.executor.cgroup import GroupLimits
from bot.executor.cgroup_discovery import discover
from bot.executor.cgroup_scope import ScopeBackend, ScopeGroup
from bot.executor.cgroup_v1 import V1Backend, V1Group
from bot.executor.cgroup_v2 import V2Backend, V2Group
from bot.executor.errors import SandboxSetupFailed
from tests.executor.conftest import give_up

LIMITS = GroupLimits(cpu=0.5, memory_bytes=256 * 1024 * 1024, pids=32)


@pytest.fixture
def v2(tmp_path: Path) -> V2Group:
    directory = tmp_path / "run"
    directory.mkdir()
    for name in ("memory.swap.max", "memory.oom.group", "cgroup.procs", "cgroup.kill"):
        (directory / name).write_text("")
    return V2Group(directory=directory)


@pytest.fixture
def v1(tmp_path: Path) -> V1Group:
    for name in ("cpu", "memory", "pids"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").write_text("")
    (tmp_path / "memory" / "memory.memsw.limit_in_bytes").write_text("")
    return V1Group(cpu=tmp_path / "cpu", memory=tmp_path / "memory", pids=tmp_path / "pids")


def test_version_2_limits_cpu_memory_swap_and_processes(v2: V2Group):
    v2.apply(LIMITS)
    values = {path.name: path.read_text() for path in v2.directory.iterdir()}
    assert values["cpu.max"] == "50000 100000"
    assert values["memory.max"] == str(256 * 1024 * 1024)
    assert values["memory.swap.max"] == "0"
    assert values["pids.max"] == "32"
    assert v2.limits() == LIMITS


def test_version_1_limits_cpu_memory_with_swap_and_processes(v1: V1Group):
    v1.apply(LIMITS)
    assert (v1.cpu / "cpu.cfs_quota_us").read_text() == "50000"
    assert (v1.memory / "memory.memsw.limit_in_bytes").read_text() == str(256 * 1024 * 1024)
    assert v1.limits() == LIMITS
    assert len(v1.procs_files) == 3


@pytest.mark.parametrize(
    ("file", "value"),
    [
        *(("cpu.max", "max 100000"), ("cpu.max", "60000 100000"), ("memory.max", "max")),
        *(("memory.max", "999999999"), ("memory.swap.max", "4096"), ("pids.max", "33")),
        ("pids.max", "max"),
    ],
)
def test_a_limit_that_reads_back_differently_is_refused(v2: V2Group, file: str, value: str):
    v2.apply(LIMITS)
    (v2.directory / file).write_text(value)
    with pytest.raises(SandboxSetupFailed):
        cgroup.check(LIMITS, v2)


def test_memory_rounded_down_to_pages_is_the_limit_that_was_asked_for():
    odd = GroupLimits(cpu=0.5, memory_bytes=256 * 1024 * 1024 + 100, pids=32)
    assert odd.covers(LIMITS)
    assert not LIMITS.covers(odd)


def test_what_was_used_is_read_in_both_versions(v1: V1Group, v2: V2Group):
    (v2.directory / "memory.peak").write_text("4096\n")
    (v2.directory / "memory.events").write_text("low 0\nhigh 0\noom 3\noom_kill 2\n")
    (v2.directory / "cpu.stat").write_text("usage_usec 9\nnr_throttled 7\n")
    (v1.memory / "memory.max_usage_in_bytes").write_text("8192\n")
    (v1.memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    (v1.cpu / "cpu.stat").write_text("nr_periods 3\nnr_throttled 1\n")
    two, one = v2.stats(), v1.stats()
    assert (two.peak_memory_bytes, two.oom_kills, two.throttled_periods) == (4096, 2, 7)
    assert (one.peak_memory_bytes, one.oom_kills, one.throttled_periods) == (8192, 1, 1)


def test_missing_statistics_are_unknown_and_not_zero_memory(v2: V2Group):
    assert v2.stats().peak_memory_bytes is None


def test_an_old_kernel_without_kill_file_is_emptied_one_by_one(v2: V2Group):
    (v2.directory / "cgroup.kill").unlink()
    v2.kill()
    assert not (v2.directory / "cgroup.kill").exists()


def test_a_group_that_cannot_be_limited_is_not_left_behind(tmp_path: Path):
    # An ordinary folder has no control files, so the read-back of `cpu.max` works but a folder
    # in the place of one refuses.
    parent = tmp_path / "tree"
    parent.mkdir()
    with pytest.raises(SandboxSetupFailed, match="cannot be made"):
        V2Backend(parent=tmp_path / "absent").create("x", LIMITS)
    with pytest.raises(SandboxSetupFailed, match="cannot be made"):
        V1Backend(cpu=parent, memory=tmp_path / "absent", pids=parent).create("x", LIMITS)
    assert list(parent.iterdir()) == []


def _proc(tmp_path: Path, mountinfo: str, cgroups: str) -> Path:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(mountinfo)
    (proc / "cgroup").write_text(cgroups)
    return proc


def test_a_machine_without_control_groups_says_why_for_each_way(tmp_path: Path):
    found = discover(_proc(tmp_path, "", "0::/\n"))
    assert found.backend is None
    assert len(found.reasons) == 3


def test_a_unified_tree_without_the_controllers_is_no_back_end(tmp_path: Path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "cgroup.controllers").write_text("hugetlb")
    mountinfo = f"41 31 0:38 / {tree} rw - cgroup2 cgroup2 rw\n"
    found = discover(_proc(tmp_path, mountinfo, "0::/\n"))
    assert found.backend is None
    assert "does not offer cpu, memory, pids" in found.reasons[0]


def test_a_shared_group_is_not_divided_and_nobody_is_moved(tmp_path: Path):
    tree = tmp_path / "tree"
    own = tree / "session"
    own.mkdir(parents=True)
    for name, value in {
        "cgroup.controllers": "cpu memory pids",
        "cgroup.subtree_control": "",
        "cgroup.type": "domain",
        "cgroup.procs": "10\n11\n",
    }.items():
        (own / name).write_text(value)
    mountinfo = f"41 31 0:38 / {tree} rw - cgroup2 cgroup2 rw\n"
    found = discover(_proc(tmp_path, mountinfo, "0::/session\n"), pid=10)
    assert "Delegate=yes" in found.reasons[0]
    assert sorted(path.name for path in own.iterdir()) == [
        *("cgroup.controllers", "cgroup.procs", "cgroup.subtree_control", "cgroup.type"),
    ]


def test_a_delegated_group_is_divided_with_the_executor_in_a_leaf(tmp_path: Path):
    own = tmp_path / "placet.service"
    own.mkdir()
    (own / "cgroup.procs").write_text("10\n")
    cgroup_discovery._divide(own, 10)
    assert (own / "placet-service" / "cgroup.procs").read_text() == "10"
    assert (own / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_an_executor_that_cannot_divide_its_group_moves_back(tmp_path: Path):
    own = tmp_path / "placet.service"
    (own / "cgroup.subtree_control").mkdir(parents=True)  # refuses to be written
    (own / "cgroup.procs").write_text("10\n")
    with pytest.raises(SandboxSetupFailed):
        cgroup_discovery._divide(own, 10)
    assert (own / "cgroup.procs").read_text() == "10"


def test_a_scope_clears_the_environment_that_systemd_needs():
    backend = ScopeBackend(
        systemd_run=Path("/usr/bin/systemd-run"),
        mount=Path("/sys/fs/cgroup"),
        environment=("XDG_RUNTIME_DIR=/run/user/1000",),
    )
    prefix = backend.create("placet-x", LIMITS).prefix
    assert prefix[-4:] == ("--", "/usr/bin/env", "-i", "PATH=/usr/bin:/bin")
    assert {"CPUQuota=50%", "MemoryMax=268435456", "MemorySwapMax=0", "TasksMax=32"} <= set(prefix)


@pytest.fixture
def scope(tmp_path: Path) -> ScopeGroup:
    proc = tmp_path / "proc" / "77"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text("0::/app.slice/placet-x.scope\n")
    directory = tmp_path / "app.slice" / "placet-x.scope"
    directory.mkdir(parents=True)
    (directory / "memory.swap.max").write_text("0")
    V2Group(directory=directory).apply(LIMITS)
    return ScopeGroup(
        unit="placet-x", prefix=(), asked=LIMITS, mount=tmp_path, proc=tmp_path / "proc"
    )


def test_a_scope_is_limited_only_once_it_was_read_back(scope: ScopeGroup):
    with pytest.raises(SandboxSetupFailed):
        scope.limits()
    scope.started(77)
    assert scope.limits() == LIMITS


def test_a_scope_with_other_limits_or_of_another_name_is_refused(scope: ScopeGroup, tmp_path: Path):
    (tmp_path / "app.slice" / "placet-x.scope" / "pids.max").write_text("max")
    with pytest.raises(SandboxSetupFailed):
        scope.started(77)
    (tmp_path / "proc" / "77" / "cgroup").write_text("0::/session.scope\n")
    with pytest.raises(SandboxSetupFailed, match="did not put"):
        scope.started(77)


def test_the_real_tree_takes_the_limits_and_is_left_clean():
    backend = discover().backend
    if backend is None:
        give_up("needs control groups that can be made")
    if isinstance(backend, ScopeBackend):
        give_up("needs control groups without systemd-run")
    group = backend.create("placet-test-real", LIMITS)
    try:
        assert LIMITS.covers(group.limits())
    finally:
        with contextlib.suppress(SandboxSetupFailed):
            group.kill()
        group.remove()
    assert not any(path.parent.exists() for path in group.procs_files)
    group.remove()  # twice is no error
