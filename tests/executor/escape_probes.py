"""Attempts to get out of the sandbox; a script that imports only the standard library.

Each probe returns True when it got something that the sandbox must not give. Calls that would do
harm outside are made with nonsense arguments: reaching the kernel's own checks counts as getting
out, so that the control run can be made on a real machine.
"""

import contextlib
import ctypes
import errno
import json
import mmap
import os
import platform
import signal
import socket
import struct
import sys
from collections.abc import Callable

X86 = platform.machine() == "x86_64"
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EROFS}

PROBES: dict[str, Callable[[], bool]] = {}
T: dict[str, object] = {}


def probe(function: Callable[[], bool]) -> Callable[[], bool]:
    PROBES[function.__name__] = function
    return function


def call(x86: int, arm: int, *arguments: object) -> int:
    """A raw call: its result, or minus the error number."""
    ctypes.set_errno(0)
    words = [a if isinstance(a, ctypes.Array) else ctypes.c_void_p(a) for a in arguments]  # type: ignore[arg-type]
    result = int(LIBC.syscall(ctypes.c_long(x86 if X86 else arm), *words))
    return result if result >= 0 else -ctypes.get_errno()


def reached(x86: int, arm: int, *arguments: object) -> bool:
    return -call(x86, arm, *arguments) not in REFUSALS


def readable(path: object) -> bool:
    with open(str(path), "rb") as file:
        return len(file.read(16)) > 0


def writable(path: str) -> bool:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)
    return True


def connects(family: int, address: object) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        client.connect(address)
    return True


def in_child(attempt: Callable[[], bool]) -> bool:
    """Where an attempt changes the process for good."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os._exit(0 if attempt() else 1)
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# -- what lies on the host's disk -----------------------------------------------------------
for _name, _path in {
    "shadow": "/etc/shadow",
    "passwd": "/etc/passwd",
    "machine_id": "/etc/hostname",
    "root_home": os.path.join(os.sep, "root", ".bashrc"),
    "root_home_of_process_1": os.path.join("/proc/1", "root", "etc/passwd"),
    "cwd_of_process_1": "/proc/1/cwd/etc/passwd",
    "kernel_symbols_in_sys": "/sys/kernel/notes",
    "cgroup_tree": "/sys/fs/cgroup/unified/cgroup.procs",
    "kernel_log": "/dev/kmsg",
    "disk": "/dev/vda",
    "memory_device": "/dev/mem",
    "kvm": "/dev/kvm",
    "fuse": "/dev/fuse",
}.items():

    def _read_one(path: str = _path) -> bool:
        if path.startswith("/dev/"):
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            return True
        return readable(path)

    PROBES[f"read_{_name}"] = _read_one

for _name in ("db", "key", "shm"):
    PROBES[f"read_{_name}"] = lambda name=_name: readable(T[name])  # type: ignore[misc]
PROBES["read_db_through_dots"] = lambda: readable(f"{T['site']}/../../../../../..{T['db']}")
PROBES["list_host_root"] = lambda: os.path.isdir("/root") or os.path.isdir("/home")
PROBES["list_host_tmp"] = lambda: bool(os.listdir(os.path.dirname(str(T["db"]))))

for _place in (
    "/",
    "/etc",
    "/usr",
    "/usr/bin",
    "/dev",
    "/dev/shm",  # noqa: S108 - tried, not used
    "/proc",
    "/run",
    "/var",
    "/in",
):
    PROBES[f"write_{_place}"] = lambda place=_place: writable(f"{place}/placet-probe")  # type: ignore[misc]


@probe
def write_sysctl() -> bool:
    with open("/proc/sys/kernel/hostname", "r+b"):
        return True


@probe
def write_sysrq() -> bool:
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return True


@probe
def write_read_only_folder() -> bool:
    return writable(f"{T['ro']}/x")


@probe
def symlink_out_of_the_folder() -> bool:
    link = f"{T['site']}/link"
    with contextlib.suppress(FileExistsError):
        os.symlink(str(T["db"]), link)
    try:
        return readable(link)
    finally:
        os.unlink(link)


@probe
def hardlink_a_system_file() -> bool:
    link = f"{T['site']}/hard"
    os.link(os.path.realpath("/usr/bin/true"), link)
    os.unlink(link)
    return True


@probe
def device_node() -> bool:
    path = f"{T['site']}/null"
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
    try:
        os.close(os.open(path, os.O_RDONLY))
        return True
    finally:
        os.unlink(path)


# -- other processes ------------------------------------------------------------------------
@probe
def environ_of_the_service() -> bool:
    with open(f"/proc/{T['pid']}/environ", "rb") as file:
        return b"PLACET_TEST_TOKEN" in file.read()


@probe
def environ_of_process_1() -> bool:
    with open("/proc/1/environ", "rb") as file:
        names = {item.partition(b"=")[0] for item in file.read().split(b"\0") if item}
    return bool(names - {b"PATH", b"PWD"})


@probe
def own_environ() -> bool:
    return bool(set(os.environ) - {"HOME", "LANG", "PATH", "PWD", "LD_LIBRARY_PATH"})


@probe
def signal_the_service() -> bool:
    os.kill(int(str(T["pid"])), 0)
    return True


@probe
def signal_the_parent_of_all() -> bool:
    with open("/proc/1/cmdline", "rb") as file:
        if b"bwrap" in file.read():
            return False
    os.kill(1, 0)
    return True


@probe
def see_host_processes() -> bool:
    return len([name for name in os.listdir("/proc") if name.isdigit()]) > 4


@probe
def ptrace_the_service() -> bool:
    return reached(101, 117, 0x4206, int(str(T["pid"])), 0, 0)


@probe
def ptrace_at_all() -> bool:
    return in_child(lambda: call(101, 117, 0, 0, 0, 0) == 0)


@probe
def read_memory_of_others() -> bool:
    return reached(310, 270, os.getpid(), 0, 0, 0, 0, 0)


@probe
def steal_a_descriptor() -> bool:
    return reached(438, 438, -1, 0, 0)


@probe
def leaked_descriptors() -> bool:
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            if int(name) > 2:
                return True
    return False


@probe
def the_services_own_descriptor() -> bool:
    return len(os.pread(int(str(T["leaked"])), 16, 0)) > 0


@probe
def descriptors_of_process_1() -> bool:
    for name in os.listdir("/proc/1/fd"):
        target = os.readlink(f"/proc/1/fd/{name}")
        if int(name) > 2 and not target.startswith("anon_inode:[event"):
            return True
    return False


@probe
def raise_priority() -> bool:
    return os.nice(-5) < 0


# -- the network ----------------------------------------------------------------------------
PROBES["tcp4"] = lambda: connects(socket.AF_INET, ("127.0.0.1", T["tcp4"]))
PROBES["tcp6"] = lambda: connects(socket.AF_INET6, ("::1", T["tcp6"]))
PROBES["abstract_socket"] = lambda: connects(socket.AF_UNIX, f"\0{T['abstract']}")
PROBES["path_socket"] = lambda: connects(socket.AF_UNIX, T["path_socket"])


@probe
def udp() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        return client.sendto(b"out", ("127.0.0.1", int(str(T["udp"])))) == 3


@probe
def listen_on_loopback() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
    return True


def _opens(family: int, kind: int = socket.SOCK_DGRAM, protocol: int = 0) -> Callable[[], bool]:
    def attempt() -> bool:
        socket.socket(family, kind, protocol).close()
        return True

    return attempt


PROBES["vsock"] = _opens(40, socket.SOCK_STREAM)
PROBES["netlink"] = _opens(16, socket.SOCK_RAW)
PROBES["packet_socket"] = _opens(17, socket.SOCK_RAW, 0)
PROBES["raw_socket"] = _opens(2, socket.SOCK_RAW, 1)
PROBES["kernel_crypto_socket"] = _opens(38, socket.SOCK_SEQPACKET)
PROBES["bluetooth_socket"] = _opens(31, socket.SOCK_RAW, 1)
PROBES["can_socket"] = _opens(29, socket.SOCK_RAW, 1)
PROBES["host_interfaces"] = lambda: len(open("/proc/net/dev").readlines()) > 3  # noqa: SIM115


# -- more privileges ------------------------------------------------------------------------
def _unshares(flags: int) -> Callable[[], bool]:
    return lambda: in_child(lambda: LIBC.unshare(flags) == 0)


PROBES["user_namespace"] = _unshares(0x10000000)
PROBES["mount_namespace"] = _unshares(0x00020000)
PROBES["net_namespace"] = _unshares(0x40000000)
PROBES["user_and_mount_namespace"] = _unshares(0x10020000)


@probe
def user_namespace_by_clone() -> bool:
    result = call(56, 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if result == 0:
        os._exit(0)
    if result > 0:
        os.waitpid(result, 0)
    return result > 0


@probe
def user_namespace_by_clone3() -> bool:
    arguments = ctypes.create_string_buffer(struct.pack("=8Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0))
    result = call(435, 435, arguments, 64)
    if result == 0:
        os._exit(0)
    if result > 0:
        os.waitpid(result, 0)
    return result > 0


@probe
def become_root() -> bool:
    return in_child(lambda: os.setuid(0) is None and os.getuid() == 0)


@probe
def capabilities() -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        lines = dict(line.split(":", 1) for line in file)
    return any(int(lines[name], 16) for name in ("CapEff", "CapPrm", "CapAmb", "CapInh"))


@probe
def new_privileges_allowed() -> bool:
    return int(LIBC.prctl(39, 0, 0, 0, 0)) == 0


def _set_id(make: Callable[[str], None], mode: int) -> Callable[[], bool]:
    def attempt() -> bool:
        path = f"{T['site']}/setid"
        make(path)
        try:
            return bool(os.stat(path).st_mode & mode)
        finally:
            os.unlink(path)

    return attempt


def _chmod_after(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755))
    try:
        os.chmod(path, 0o4755)  # noqa: S103 - the point
    except OSError:
        os.unlink(path)
        raise


PROBES["setuid_by_chmod"] = _set_id(_chmod_after, 0o4000)
PROBES["setuid_by_open"] = _set_id(
    lambda path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o4755)), 0o4000
)
PROBES["setgid_by_mknod"] = _set_id(lambda path: os.mknod(path, 0o2755 | 0o100000), 0o2000)


@probe
def setuid_by_openat2() -> bool:
    how = ctypes.create_string_buffer(struct.pack("=3Q", os.O_WRONLY | os.O_CREAT, 0o4755, 0))
    path = ctypes.create_string_buffer(f"{T['site']}/setid2".encode())
    result = call(437, 437, -100, path, how, 24)
    if result >= 0:
        os.close(result)
        os.unlink(f"{T['site']}/setid2")
    return result >= 0


@probe
def setuid_by_fchmodat2() -> bool:
    path = ctypes.create_string_buffer(b"/nonexistent")
    return reached(452, 452, -100, path, 0o4755, 0)


# -- wide kernel interfaces, called with nonsense -------------------------------------------
for _name, _x86, _arm, _arguments in (
    ("mount", 165, 40, (0, 0, 0, 0, 0)),
    ("umount", 166, 39, (0, 0)),
    ("pivot_root", 155, 41, (0, 0)),
    ("chroot", 161, 51, (0,)),
    ("new_mount_api", 430, 430, (0, 0)),
    ("open_tree", 428, 428, (-1, 0, 0)),
    ("io_uring", 425, 425, (0, 0)),
    ("bpf", 321, 280, (-1, 0, 0)),
    ("userfaultfd", 323, 282, (-1,)),
    ("perf", 298, 241, (0, 0, 0, 0, 0)),
    ("keyctl", 250, 219, (0, -3, 0)),
    ("add_key", 248, 217, (0, 0, 0, 0, 0)),
    ("load_module", 313, 273, (-1, 0, 0)),
    ("kexec", 246, 104, (0, 17, 0, 0)),
    ("reboot", 169, 142, (0, 0, 0, 0)),
    ("swapon", 167, 224, (0, 0)),
    ("set_time", 227, 112, (99, 0)),
    ("set_hostname", 170, 161, (0, -1)),
    ("open_by_handle", 304, 265, (-1, 0, 0)),
    ("name_to_handle", 303, 264, (-1, 0, 0, 0, 0)),
    ("setns", 308, 268, (-1, 0)),
    ("fanotify", 300, 262, (-1, 0)),
    ("syslog", 103, 116, (3, 0, 0)),
    ("quotactl", 179, 60, (0, 0, 0, 0)),
    ("sysv_shared_memory", 29, 194, (0, 4096, 0o1600)),
    ("sysv_messages", 68, 186, (0, 0o1600)),
    ("posix_queue", 240, 180, (0, 0, 0, 0)),
    ("secret_memory", 447, 447, (-1,)),
    ("newer_call", 463, 463, (-1, 0, 0, 0, 0)),
):
    PROBES[f"call_{_name}"] = lambda x=_x86, a=_arm, rest=_arguments: reached(x, a, *rest)  # type: ignore[misc]


@probe
def terminal_injection() -> bool:
    read, write = os.openpty()
    try:
        ctypes.set_errno(0)
        return int(LIBC.ioctl(read, 0x5412, b"x")) == 0 or ctypes.get_errno() != errno.EPERM
    finally:
        os.close(read)
        os.close(write)


@probe
def thirty_two_bit_calls() -> bool:
    """`int 0x80` reaches the 32-bit table, past a filter that forgets the architecture."""
    if not X86:
        return False

    def attempt() -> bool:
        code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20 (getpid); int 0x80; ret
        area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        area.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)()) > 0

    return in_child(attempt)


@probe
def x32_calls() -> bool:
    return X86 and in_child(lambda: reached(0x40000000 | 39, 0))


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        T.update(json.load(file))
    results = {}
    for name, attempt in PROBES.items():
        try:
            results[name] = bool(attempt())
        except (OSError, ValueError, OverflowError):
            results[name] = False
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
