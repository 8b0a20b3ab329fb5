"""The filter, read by an interpreter of its own: what each call gets, on both architectures."""

import errno
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.executor import seccomp
from bot.executor.errors import SandboxUnavailable
from bot.executor.syscalls import ARCHITECTURES, LAST_KNOWN_CALL
from tests.executor.conftest import give_up

MACHINES = sorted(ARCHITECTURES)
KILL, ALLOW = "kill", 0


def evaluate(machine: str, nr: int, *arguments: int, arch: int | None = None) -> int | str:
    """What the packed filter answers: 0 to allow, an error number, or kill."""
    program = list(struct.iter_unpack("=HBBI", seccomp.build(machine)))
    audit = ARCHITECTURES[machine].audit_arch if arch is None else arch
    padded = [*arguments, *([0] * (6 - len(arguments)))]
    data = struct.pack("=IIQ6Q", nr & 0xFFFFFFFF, audit, 0, *(a & (2**64 - 1) for a in padded))
    at, accumulator = 0, 0
    while True:
        code, jt, jf, k = program[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, k)
            case 0x15:
                at += jt if accumulator == k else jf
            case 0x35:
                at += jt if accumulator >= k else jf
            case 0x45:
                at += jt if accumulator & k else jf
            case 0x06:
                action = k & 0xFFFF0000
                if action == 0x7FFF0000:
                    return ALLOW
                return KILL if action == 0x80000000 else k & 0xFFFF
            case _:
                raise AssertionError(f"unknown opcode {code:#x}")


def number(machine: str, name: str) -> int:
    return ARCHITECTURES[machine].numbers[name]


def having(name: str) -> list[str]:
    return [machine for machine in MACHINES if name in ARCHITECTURES[machine].numbers]


def test_an_unknown_architecture_has_no_filter():
    with pytest.raises(SandboxUnavailable, match="not riscv64"):
        seccomp.build("riscv64")


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_fits_the_kernel_and_every_path_ends_in_an_answer(machine: str):
    program = seccomp.program(machine)
    assert len(program) <= 4096
    assert len(seccomp.build(machine)) == 8 * len(program)
    for at, instruction in enumerate(program):
        assert at + 1 + max(instruction.jt, instruction.jf) < len(program) or (
            instruction.code == seccomp.RET
        )
    assert program[-1].code == seccomp.RET


@pytest.mark.parametrize("machine", MACHINES)
def test_a_foreign_architecture_kills(machine: str):
    for arch in (0x40000003, 0x40000028, 0, *(a.audit_arch for a in ARCHITECTURES.values())):
        if arch != ARCHITECTURES[machine].audit_arch:
            assert evaluate(machine, 0, arch=arch) == KILL


def test_an_x32_call_kills():
    assert evaluate("x86_64", 0x40000000 | 39) == KILL
    assert evaluate("x86_64", 0xFFFFFFFF) == KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", seccomp.REFUSED)
def test_a_refused_call_gets_eperm_whatever_its_arguments(machine: str, name: str):
    if machine in having(name):
        assert evaluate(machine, number(machine, name)) == errno.EPERM
        assert evaluate(machine, number(machine, name), *([2**64 - 1] * 6)) == errno.EPERM


def test_only_calls_of_one_architecture_are_missing_from_the_other():
    missing = {name for name in seccomp.REFUSED if "aarch64" not in having(name)}
    assert missing == {
        *("create_module", "query_module", "get_kernel_syms", "iopl", "ioperm", "modify_ldt"),
        *("uselib", "ustat", "sysfs", "_sysctl"),
    }
    assert all("x86_64" in having(name) for name in seccomp.REFUSED)


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_with_hidden_arguments_and_newer_calls_do_not_exist(machine: str):
    for name in ("clone3", "openat2"):
        assert evaluate(machine, number(machine, name)) == errno.ENOSYS
    assert evaluate(machine, LAST_KNOWN_CALL) == ALLOW
    assert evaluate(machine, LAST_KNOWN_CALL + 1) == errno.ENOSYS
    assert evaluate(machine, 9999) == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("bit", [17, 25, 26, 27, 28, 29, 30])
def test_clone_makes_processes_and_threads_but_no_name_space(machine: str, bit: int):
    nr = number(machine, "clone")
    assert evaluate(machine, nr, 17) == ALLOW
    assert evaluate(machine, nr, 0x3D0F00) == ALLOW
    assert evaluate(machine, nr, 17 | 1 << bit) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_terminals_cannot_be_typed_into(machine: str):
    nr = number(machine, "ioctl")
    for request in (0x5412, 0x541C, 0x5412 | 1 << 40):
        assert evaluate(machine, nr, 0, request) == errno.EPERM
    assert evaluate(machine, nr, 0, 0x5401) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", ["socket", "socketpair"])
def test_only_unix_sockets_exist(machine: str, name: str):
    nr = number(machine, name)
    assert evaluate(machine, nr, 1, 1) == ALLOW
    for family in (0, 2, 10, 16, 17, 38, 40, 45, 2**32 - 1):
        assert evaluate(machine, nr, family, 1) == errno.EAFNOSUPPORT


@pytest.mark.parametrize(
    ("name", "at"),
    [
        *(("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2), ("creat", 1)),
        *(("mkdir", 1), ("mkdirat", 2), ("mknod", 1), ("mknodat", 2)),
    ],
)
def test_no_mode_carries_set_id_bits(name: str, at: int):
    for machine in having(name):
        nr = number(machine, name)
        assert evaluate(machine, nr, *([0] * at), 0o1777) == ALLOW
        for bits in (0o4000, 0o2000, 0o6755):
            assert evaluate(machine, nr, *([0] * at), bits) == errno.EPERM


@pytest.mark.parametrize(("name", "at"), [("open", 1), ("openat", 2)])
def test_a_mode_counts_only_where_a_file_is_made(name: str, at: int):
    for machine in having(name):
        nr, lead = number(machine, name), [0] * at
        for creating in (0o100, 0o101, 0o20200000):
            assert evaluate(machine, nr, *lead, creating, 0o644) == ALLOW
            assert evaluate(machine, nr, *lead, creating, 0o4644) == errno.EPERM
        assert evaluate(machine, nr, *lead, 0, 0o7777) == ALLOW


@given(
    nr=st.integers(0, LAST_KNOWN_CALL), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6)
)
def test_what_no_rule_names_is_allowed(nr: int, arguments: list[int]):
    for machine in MACHINES:
        if nr not in ARCHITECTURES[machine].numbers.values():
            assert evaluate(machine, nr, *arguments) == ALLOW


@pytest.mark.parametrize(
    ("machine", "header", "pattern"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+)\s+(\d+)"),
        ("aarch64", "/usr/include/asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
    ],
)
def test_the_numbers_are_those_of_the_kernels_headers(machine: str, header: str, pattern: str):
    if not Path(header).exists():
        give_up("needs linux-libc-dev")
    known = {name: int(nr) for name, nr in re.findall(pattern, Path(header).read_text())}
    table = ARCHITECTURES[machine].numbers
    assert {name: nr for name, nr in table.items() if known.get(name, nr) != nr} == {}
    newer = {name for name in table if name not in known}
    assert newer <= {"fchmodat2", "statmount", "listmount", "lsm_set_self_attr"}
