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
from bot.executor.syscalls import ARCHITECTURES, LAST_KNOWN_CALL, REFUSED, Architecture

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
    # Both architectures are little-endian: the low word comes first. The kernel reads only the
    # low word of every argument that is looked at here.
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
    """The filter as instructions.

    Raises:
        SandboxUnavailable: the architecture is unknown.
    """
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
