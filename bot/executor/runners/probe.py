"""Runs inside the sandbox at start: looks around and says what it finds, as JSON.

Here: facts only; what they should be is the executor's business. It imports nothing of ours.
"""

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable

CLONE_NEWUSER = 0x10000000


def _errno_of(attempt: Callable[[], object]) -> int:
    """The error number of an attempt, 0 when it worked."""
    try:
        attempt()
    except OSError as error:
        return error.errno or -1
    return 0


def _create(path: str) -> int:
    def attempt() -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(path)

    return _errno_of(attempt)


def _unshare_user() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return 0 if libc.unshare(CLONE_NEWUSER) == 0 else ctypes.get_errno()


def _chmod(path: str, mode: int) -> int:
    def attempt() -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
            os.unlink(path)

    return _errno_of(attempt)


def _status() -> dict[str, str]:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        pairs = (line.partition(":") for line in file)
        return {name: value.strip() for name, _, value in pairs}


def _environ(pid: int) -> list[str]:
    with open(f"/proc/{pid}/environ", "rb") as file:
        items = file.read().split(b"\0")
    return sorted(item.partition(b"=")[0].decode("ascii", "replace") for item in items if item)


def _descriptors() -> list[int]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError as error:
            if error.errno != errno.EBADF:  # the listing's own descriptor is closed again
                raise
        else:
            found.append(int(name))
    return sorted(found)


def look() -> dict[str, object]:
    """Every fact."""
    status = _status()
    vsock = getattr(socket, "AF_VSOCK", 40)
    return {
        "inet": _errno_of(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
        "inet6": _errno_of(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
        "vsock": _errno_of(lambda: socket.socket(vsock, socket.SOCK_STREAM)),
        "write": {
            place: _create(f"{place}/placet-probe")
            for place in ("/etc", "/usr", "/", "/dev", "/in", "/w", "/tmp")  # noqa: S108 - its own
        },
        "userns": _unshare_user(),
        "setuid_bit": _chmod("/w/placet-probe", 0o4755),
        "no_new_privs": status.get("NoNewPrivs"),
        "seccomp": status.get("Seccomp"),
        "capabilities": int(status.get("CapEff", "1"), 16) | int(status.get("CapPrm", "1"), 16),
        "uid": os.getuid(),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
        "environ": sorted(os.environ),
        "environ_of_1": _environ(1),
        "descriptors": _descriptors(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look()))
