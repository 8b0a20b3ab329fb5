"""Waking the other processes on one database file.

Lives here: a datagram socket for each process beside the database. Must not live here: what
a wake means; it is a hint, and a poll (``POLL_S``) finds what a lost hint did not say.
Law: nothing here ever fails a commit; whoever cannot be reached is forgotten.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

POLL_S = 0.25
_log = logging.getLogger("placet.ledger")


class SocketWakes:
    """This process's socket, and the others beside it; the folder is private to the owner."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + ".wake")
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket: socket.socket | None = None
        self._folder_fd: int | None = None

    def start(self, on_wake: Callable[[], None]) -> None:
        """Listen on the running loop; where no socket can be had, the poll alone must do."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            self._socket.bind(self._address(self._name))
        except OSError as error:
            _log.warning("no wake-up socket: polling only", extra={"why": error.strerror})
            self._close()
            return
        mine = self._socket
        asyncio.get_running_loop().add_reader(mine, _drain, mine, on_wake)

    async def close(self) -> None:
        """Stop listening."""
        self._close()

    def _close(self) -> None:
        """Stop listening and take the socket's name away."""
        if self._socket is not None:
            with contextlib.suppress(RuntimeError):  # no loop is left to listen on
                asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._folder_fd is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder_fd)
            os.close(self._folder_fd)
            self._folder_fd = None

    def wake_others(self) -> None:
        """Tell every other process that the log has grown; from any thread, never blocking."""
        folder, mine = self._folder_fd, self._socket
        if folder is None or mine is None:
            return
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                if name != self._name:
                    self._wake(mine, folder, name)

    def _wake(self, mine: socket.socket, folder: int, name: str) -> None:
        try:
            mine.sendto(b"\n", self._address(name))
        except ConnectionRefusedError:  # its process is gone and left the name behind
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
        except OSError:
            return  # a full buffer has a wake in it already; anything else, the poll finds

    def _address(self, name: str) -> str:
        # A socket's path has at most 107 bytes; through the folder's descriptor it is short.
        return f"/proc/self/fd/{self._folder_fd}/{name}"


def _drain(mine: socket.socket, on_wake: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        while mine.recv(64):
            pass
    on_wake()
