"""Descriptions of runs: the order of tiers, what is refused, what bubblewrap is told."""

import os
from pathlib import Path

import pytest

from bot.executor.descriptors import OpenDescriptors, sealed
from bot.executor.errors import SandboxUnavailable, SpecRefused
from bot.executor.sandbox import (
    Descriptors,
    Folder,
    InputFile,
    Limits,
    SandboxSpec,
    bwrap_arguments,
    environment,
    rlimit_arguments,
)
from bot.executor.tools import Python, RunAs, Tools, own_python, reachable
from governance.execution import SandboxTier as Tier

TOOLS = Tools(
    bwrap=Path("/usr/bin/bwrap"),
    bwrap_version="0.11.0",
    can_disable_userns=True,
    prlimit=Path("/usr/bin/prlimit"),
    shell=Path("/bin/sh"),
    python=Python(program="/usr/bin/python3"),
    drop=None,
)
FDS = Descriptors(seccomp=5, status=6, gate=7, inputs={"a": 8})


def arguments(spec: SandboxSpec, tier: Tier = Tier.A) -> list[str]:
    return bwrap_arguments(TOOLS, spec, tier, FDS, {})


def test_a_rule_accepts_its_tier_and_every_stronger_one():
    order = [Tier.A, Tier.A_MINUS, Tier.B, Tier.C]
    for lowest in order:
        accepted = [offered for offered in order if lowest.accepts(offered)]
        assert accepted == order[: order.index(lowest) + 1]


@pytest.mark.parametrize(
    "limits",
    [
        *({"cpu": 0}, {"cpu": float("nan")}, {"memory_bytes": 1024}, {"wall_s": 0}, {"pids": 1}),
        *({"wall_s": float("inf")}, {"output_bytes": 0}, {"tmp_bytes": 0}, {"file_bytes": -1}),
    ],
)
def test_a_limit_that_limits_nothing_is_refused(limits: dict[str, float]):
    with pytest.raises(SpecRefused):
        Limits(**limits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "env",
    [
        *({"LD_PRELOAD": "/x"}, {"PYTHONPATH": "/x"}, {"PATH": "/x"}, {"BASH_ENV": "/x"}),
        *({"lower": "x"}, {"A=B": "x"}, {"TRACE": "a\0b"}, {"HOME": "/"}, {"ENV": "/x"}),
    ],
)
def test_no_variable_that_changes_how_programs_load_is_passed(env: dict[str, str]):
    with pytest.raises(SpecRefused):
        SandboxSpec(argv=("/bin/true",), env=env)


@pytest.mark.parametrize(
    "argv", [(), ("true",), ("/bin/true", "a\0b"), ("/bin/echo", *("x",) * 300)]
)
def test_a_command_is_absolute_and_of_a_sane_size(argv: tuple[str, ...]):
    with pytest.raises(SpecRefused):
        SandboxSpec(argv=argv)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", ".x", "x" * 65, "a\n"])
def test_a_folders_or_inputs_name_is_one_plain_component(name: str):
    with pytest.raises(SpecRefused):
        Folder(name=name, source=Path("/srv"))
    with pytest.raises(SpecRefused):
        InputFile(name=name, content=b"")


@pytest.mark.parametrize("source", ["srv", "/", "/srv/../etc"])
def test_a_folder_is_absolute_and_not_the_root(source: str):
    with pytest.raises(SpecRefused):
        Folder(name="site", source=Path(source))


def test_two_folders_of_one_name_are_refused():
    folder = Folder(name="site", source=Path("/srv"))
    with pytest.raises(SpecRefused):
        SandboxSpec(argv=("/bin/true",), writable=(folder,), readable=(folder,))


def test_every_name_space_is_left_and_the_root_closed_last():
    out = arguments(SandboxSpec(argv=("/bin/true", "--bind", "/", "/")))
    for flag in ("user", "ipc", "pid", "net", "uts"):
        assert f"--unshare-{flag}" in out
    assert {"--die-with-parent", "--new-session", "--clearenv", "--disable-userns"} <= set(out)
    assert out[out.index("--cap-drop") + 1] == "ALL"
    own = out[: out.index("--")]
    assert own[own.index("--remount-ro") : own.index("--seccomp")] == [
        *("--remount-ro", "/dev", "--remount-ro", "/"),
    ]
    assert not set(own[own.index("--seccomp") :]) & {"--bind", "--ro-bind", "--tmpfs"}
    assert out[out.index("--") + 1 :] == ["/bin/true", "--bind", "/", "/"]


def test_only_declared_folders_are_bound_writable():
    spec = SandboxSpec(
        argv=("/bin/true",),
        writable=(Folder(name="site", source=Path("/srv/site")),),
        readable=(Folder(name="docs", source=Path("/srv/docs")),),
    )
    out = arguments(spec)
    binds = [out[at + 1 : at + 3] for at, item in enumerate(out) if item == "--bind"]
    assert binds == [["/srv/site", "/data/site"]]
    assert ["--ro-bind", "/srv/docs", "/data/docs"] in [out[at : at + 3] for at in range(len(out))]


def test_tier_a_minus_has_rlimits_in_the_groups_place():
    spec = SandboxSpec(argv=("/bin/true",), limits=Limits(pids=9, memory_bytes=32 << 20, wall_s=3))
    minus = rlimit_arguments(TOOLS, spec, Tier.A_MINUS)
    assert {"--as=33554432", "--cpu=4", "--core=0"} <= set(minus)
    assert not [item for item in rlimit_arguments(TOOLS, spec, Tier.A) if "--as" in item]
    out = arguments(spec, Tier.A_MINUS)
    assert out[out.index("--") + 1 :][:2] == ["/usr/bin/prlimit", "--nproc=9"]


def test_the_environment_is_exactly_what_is_declared():
    spec = SandboxSpec(argv=("/bin/true",), env={"TRACEPARENT": "x"})
    assert set(environment(TOOLS, spec)) == {"PATH", "LANG", "HOME", "TRACEPARENT"}


def test_a_description_never_shows_contents():
    spec = SandboxSpec(
        argv=("/bin/true",), stdin=b"secret", inputs=(InputFile(name="a", content=b"secret"),)
    )
    assert "secret" not in repr(spec)


def test_root_is_nobody_to_drop_to():
    with pytest.raises(SandboxUnavailable):
        RunAs(uid=0)


def test_a_closed_folder_on_the_way_is_unreachable(tmp_path: Path):
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    assert reachable(inner, None)
    assert not reachable(inner, RunAs())
    assert reachable(Path("/usr/bin"), RunAs())
    assert not reachable(tmp_path / "absent", RunAs())


def test_the_running_python_is_shown_without_its_packages_or_its_home():
    python = own_python()
    if python is None or not python.binds:
        return  # it lives under /usr, which is there anyway
    targets = [target for _, target in python.binds]
    assert all(target.startswith("/opt/python/") for target in targets)
    assert all("site-packages" in hidden for hidden in python.hidden)
    assert {source.name for source, _ in python.binds if source.is_dir()} == {
        f"python{__import__('sys').version_info.major}.{__import__('sys').version_info.minor}"
    }


def test_the_gate_stays_shut_when_whoever_could_open_it_is_gone():
    descriptors = OpenDescriptors()
    descriptors.open(b"", SandboxSpec(argv=("/bin/true",)))
    gate = os.dup(descriptors.given().gate)
    descriptors.close()
    try:
        os.set_blocking(gate, False)
        with pytest.raises(BlockingIOError):
            os.read(gate, 1)
    finally:
        os.close(gate)


def test_sealed_bytes_can_be_read_and_not_written():
    descriptor = sealed("x", b"content")
    try:
        assert os.read(descriptor, 99) == b"content"
        for change in (lambda: os.pwrite(descriptor, b"x", 0), lambda: os.ftruncate(descriptor, 0)):
            with pytest.raises(PermissionError):
                change()
    finally:
        os.close(descriptor)
