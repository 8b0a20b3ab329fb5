"""The system call filter of the sandbox, assembled here without a library.

Here: which calls are refused, with which error, and the BPF bytes that say so. Not here: how the
filter is installed (bubblewrap does that) and the numbers (`syscalls`). Law kept: fails closed;
an architecture without a table has no filter, a foreign or x32 call kills the process, and a
call newer than the table does not exist.
"""

import errno
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.executor.errors import SandboxUnavailable
from bot.executor.syscalls import ARCHITECTURES, LAST_KNOWN_CALL, Architecture

# Opcodes: load a word, jump if equal / greater-or-equal / any bit set, and, return.
LD_WORD: Final = 0x20
JEQ: Final = 0x15
JGE: Final = 0x35
JSET: Final = 0x45
RET: Final = 0x06

ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
ERRNO: Final = 0x00050000

X32_BIT: Final = 0x40000000
CLONE_NEW: Final = 0x7E020000
SET_ID_BITS: Final = 0o6000
CREATES: Final = 0o100 | 0o20000000  # O_CREAT, and the bit of its own that O_TMPFILE has
TIOCSTI: Final = 0x5412
TIOCLINUX: Final = 0x541C
AF_UNIX: Final = 1

_OFFSET_NR: Final = 0
_OFFSET_ARCH: Final = 4
_OFFSET_ARGS: Final = 16
_MAX_JUMP: Final = 255

REFUSED: Final = (
    # other processes
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "kcmp",
    "pidfd_getfd",
    # wide kernel interfaces
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "bpf",
    "userfaultfd",
    "perf_event_open",
    "memfd_secret",
    "add_key",
    "request_key",
    "keyctl",
    "fanotify_init",
    "fanotify_mark",
    "lsm_set_self_attr",
    # the file tree and name spaces
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "statmount",
    "listmount",
    "unshare",
    "setns",
    "name_to_handle_at",
    "open_by_handle_at",
    # shared memory and queues outside the file system
    "shmget",
    "shmat",
    "shmctl",
    "shmdt",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "semget",
    "semop",
    "semctl",
    "semtimedop",
    "mq_open",
    "mq_unlink",
    "mq_timedsend",
    "mq_timedreceive",
    "mq_notify",
    "mq_getsetattr",
    # the machine
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "query_module",
    "get_kernel_syms",
    "swapon",
    "swapoff",
    "reboot",
    "syslog",
    "acct",
    "quotactl",
    "quotactl_fd",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "modify_ldt",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    "lookup_dcookie",
    "nfsservctl",
    "vhangup",
    "migrate_pages",
    "move_pages",
    "mbind",
    "set_mempolicy",
    "get_mempolicy",
    "set_mempolicy_home_node",
    "remap_file_pages",
    "personality",
)

# Calls whose mode argument may not carry set-id bits: name -> index of that argument.
_MODE_ARGUMENT: Final = {
    "chmod": 1,
    "fchmod": 1,
    "fchmodat": 2,
    "fchmodat2": 2,
    "creat": 1,
    "mkdir": 1,
    "mkdirat": 2,
    "mknod": 1,
    "mknodat": 2,
}
# Calls whose mode counts only with a creating flag: name -> (flags argument, mode argument).
_OPEN_ARGUMENTS: Final = {"open": (1, 2), "openat": (2, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One BPF instruction."""

    code: int
    k: int
    jt: int = 0
    jf: int = 0

    def packed(self) -> bytes:
        """The instruction as the kernel's sock_filter, native byte order."""
        return struct.pack("=HBBI", self.code, self.jt, self.jf, self.k)


def _load_nr() -> Instruction:
    return Instruction(code=LD_WORD, k=_OFFSET_NR)


def _load_argument(index: int) -> Instruction:
    # Little-endian both: the low word is first, and of these arguments the kernel reads no more.
    return Instruction(code=LD_WORD, k=_OFFSET_ARGS + 8 * index)


def _ret(value: int) -> Instruction:
    return Instruction(code=RET, k=value)


def _refuse(number: int) -> Instruction:
    return _ret(ERRNO | number)


def _only_for(nr: int, body: list[Instruction]) -> Iterator[Instruction]:
    """`body` runs when the call is `nr`; it must end in a return on every path."""
    if len(body) > _MAX_JUMP:  # pragma: no cover - no body is near this
        raise AssertionError("the body of a filter rule is too long for a jump")
    yield Instruction(code=JEQ, k=nr, jt=0, jf=len(body))
    yield from body


def _refuse_bits(argument: int, bits: int, error: int) -> list[Instruction]:
    return [
        _load_argument(argument),
        Instruction(code=JSET, k=bits, jt=0, jf=1),
        _refuse(error),
        _ret(ALLOW),
    ]


def _refuse_values(argument: int, values: tuple[int, ...], error: int) -> list[Instruction]:
    body = [_load_argument(argument)]
    for value in values:
        body += [Instruction(code=JEQ, k=value, jt=0, jf=1), _refuse(error)]
    return [*body, _ret(ALLOW)]


def _refuse_modes_on_create(flags: int, mode: int) -> list[Instruction]:
    return [
        _load_argument(flags),
        Instruction(code=JSET, k=CREATES, jt=1, jf=0),
        _ret(ALLOW),
        *_refuse_bits(mode, SET_ID_BITS, errno.EPERM),
    ]


def _only_unix_sockets() -> list[Instruction]:
    return [
        _load_argument(0),
        Instruction(code=JEQ, k=AF_UNIX, jt=0, jf=1),
        _ret(ALLOW),
        _refuse(errno.EAFNOSUPPORT),
    ]


def _argument_rules() -> Iterator[tuple[str, list[Instruction]]]:
    yield "clone", _refuse_bits(0, CLONE_NEW, errno.EPERM)
    yield "ioctl", _refuse_values(1, (TIOCSTI, TIOCLINUX), errno.EPERM)
    yield "socket", _only_unix_sockets()
    yield "socketpair", _only_unix_sockets()
    for name, mode in _MODE_ARGUMENT.items():
        yield name, _refuse_bits(mode, SET_ID_BITS, errno.EPERM)
    for name, (flags, mode) in _OPEN_ARGUMENTS.items():
        yield name, _refuse_modes_on_create(flags, mode)


def _head(arch: Architecture) -> Iterator[Instruction]:
    yield Instruction(code=LD_WORD, k=_OFFSET_ARCH)
    yield Instruction(code=JEQ, k=arch.audit_arch, jt=1, jf=0)
    yield _ret(KILL)
    yield _load_nr()
    if arch.has_x32:
        yield Instruction(code=JGE, k=X32_BIT, jt=0, jf=1)
        yield _ret(KILL)
    yield Instruction(code=JGE, k=LAST_KNOWN_CALL + 1, jt=0, jf=1)
    yield _refuse(errno.ENOSYS)


def architecture(machine: str | None = None) -> Architecture:
    """The table of `machine`, by default this one.

    Raises:
        SandboxUnavailable: no table is known for it.
    """
    name = platform.machine() if machine is None else machine
    found = ARCHITECTURES.get(name)
    if found is None:
        known = ", ".join(sorted(ARCHITECTURES))
        raise SandboxUnavailable(
            f"the system call filter knows {known}, not {name or 'this machine'}"
        )
    return found


def program(machine: str | None = None) -> tuple[Instruction, ...]:
    """The filter as instructions; raises as `architecture` does."""
    arch = architecture(machine)
    out = list(_head(arch))
    # Two pointers to structures cannot be read from here, so these calls do not exist: the C
    # library falls back to clone and openat, whose arguments are looked at.
    for name in ("clone3", "openat2"):
        out += _only_for(arch.numbers[name], [_refuse(errno.ENOSYS)])
    for name, body in _argument_rules():
        if name in arch.numbers:
            out += _only_for(arch.numbers[name], body)
    for name in REFUSED:
        if name in arch.numbers:
            out += _only_for(arch.numbers[name], [_refuse(errno.EPERM)])
    return (*out, _ret(ALLOW))


def build(machine: str | None = None) -> bytes:
    """The filter as bubblewrap's `--seccomp` reads it.

    Raises:
        SandboxUnavailable: the architecture is unknown.
    """
    return b"".join(instruction.packed() for instruction in program(machine))
