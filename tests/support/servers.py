"""Real key stores for tests: a SoftHSM2 token, OpenBao and moto, on loopback, ended by their id.

Each is started once for a test session; a tool that is not there skips by name.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

TOKEN = "root-token-of-a-test"
PIN = "1234-of-a-test"
LABEL = "placet-test"
_PATIENCE_S = 60.0
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A software token."""

    module: Path
    label: str = LABEL
    pin: str = PIN


def tool(name: str) -> str:
    """Where a tool is, beside this Python or on the path; without it the test is skipped."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def softhsm(folder: Path) -> Token:
    """A token in a folder of its own; the module reads where from the environment, once."""
    util = tool("softhsm2-util")
    module = next((Path(name) for name in _MODULES if Path(name).is_file()), None)
    if module is None:
        pytest.skip("libsofthsm2.so is not installed")
    (folder / "tokens").mkdir()
    config = folder / "softhsm2.conf"
    config.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(config)
    made = ("--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "so-" + PIN)
    subprocess.run([util, *made], check=True, capture_output=True)
    return Token(module=module)


@contextmanager
def openbao(folder: Path) -> Iterator[str]:
    """A development server with a transit engine; its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        *(tool("bao"), "server", "-dev", "-dev-no-store-token"),
        *(f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={TOKEN}"),
    ]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    with _running(command, environment, folder / "bao.log", f"{url}/v1/sys/health"):
        asked = urllib.request.Request(  # noqa: S310  # our own address
            f"{url}/v1/sys/mounts/transit",
            data=b'{"type":"transit"}',
            headers={"X-Vault-Token": TOKEN},
            method="POST",
        )
        urllib.request.urlopen(asked, timeout=10).close()  # noqa: S310
        yield url


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """A stand-in for AWS; its address."""
    port = free_port()
    command = [tool("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    url = f"http://127.0.0.1:{port}"
    with _running(command, environment, folder / "moto.log", f"{url}/moto-api/"):
        yield url


@contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str], log: Path, ready: str
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=dict(environment), stdout=output, stderr=output, cwd=log.parent
        )
        try:
            _await(process, ready, log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310
        except (urllib.error.URLError, OSError):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                raise AssertionError(f"it ended at once: {log.read_text()[-2000:]}") from None
        else:
            return
    raise AssertionError(f"it does not answer: {log.read_text()[-2000:]}")
