"""The installed command in processes of its own."""

import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.bundles import shipped
from bot.replies import Exit

_INSTALLED = Path(sys.executable).with_name("placet")
PLACET = [str(_INSTALLED)] if _INSTALLED.exists() else [sys.executable, "-m", "bot.cli"]
_PATIENCE_S = 60


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PLACET_")},
        "PLACET_DATABASE": f"sqlite:///{tmp_path}/placet.db",
        "PLACET_KEYS": str(tmp_path / "keys"),
        "PLACET_CHECKPOINTS": str(tmp_path / "checkpoints.txt"),
        "PLACET_POLICIES": str(shipped("demo")),
        "PLACET_FOLDERS": f"site={tmp_path}",
        "PLACET_PORT": "0",
    }


def _run(
    environment: dict[str, str], *arguments: str, file_bytes: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; no file of it grows beyond ``file_bytes``."""
    limit = [] if file_bytes is None else ["prlimit", f"--fsize={file_bytes}"]
    return subprocess.run(
        [*limit, *PLACET, *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
    )


@contextmanager
def _running(
    environment: dict[str, str], *arguments: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A command that runs until it is stopped, and the JSON line with which it said it is ready."""
    process = subprocess.Popen(
        [*PLACET, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE_S)
        assert ready, f"{arguments} said nothing"
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_the_service_says_where_it_listens_answers_and_ends_gracefully(
    environment: dict[str, str],
) -> None:
    with _running(environment, "serve", "--json") as (process, ready):
        assert ready["ready"] == "serve"
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", ready["base_url"])
        made = json.loads(_run(environment, "token", "create", "--agent", "bot", "--json").stdout)
        request = urllib.request.Request(  # noqa: S310  # our own service on loopback
            f"{ready['base_url']}/api/v1/approvals",
            headers={"Authorization": f"Bearer {made['token']}"},
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            assert answer.status == 200
        verdict = _run(environment, "audit", "verify", "--json")
        assert json.loads(verdict.stdout)["verified"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE_S) == Exit.OK


@pytest.mark.sandbox
def test_the_executor_says_its_sandbox_and_ends_gracefully(environment: dict[str, str]) -> None:
    with _running(environment, "executor", "--json") as (process, ready):
        assert ready["ready"] == "executor"
        assert ready["sandbox"] in {"A", "A-", "none"}
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE_S) == Exit.OK


def test_a_port_that_is_taken_is_one_sentence(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _run({**environment, "PLACET_PORT": port}, "serve")
    assert done.returncode == Exit.UNAVAILABLE
    assert "not_ready" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_cannot_write_the_log_is_one_sentence_and_no_line_for_operators(
    environment: dict[str, str], tmp_path: Path
) -> None:
    token = ("token", "create", "--agent", "bot")
    assert _run(environment, *token).returncode == Exit.OK
    with closing(sqlite3.connect(tmp_path / "placet.db")) as other:
        other.execute("SELECT count(*) FROM events").fetchone()  # whoever is first opens it
        told = _run(environment, *token, file_bytes=0)
    assert told.returncode == Exit.UNAVAILABLE
    assert told.stdout == ""
    (sentence,) = told.stderr.splitlines()
    assert "could not be written" in sentence
    assert sentence.endswith("(ledger_unavailable)")


def test_the_tail_follows_what_others_write_until_ctrl_c(environment: dict[str, str]) -> None:
    _run(environment, "token", "create", "--agent", "one")
    with _running(environment, "audit", "tail", "--follow", "--json") as (process, first):
        assert first["event"]["payload"]["credential"]["agent"]["id"] == "one"
        _run(environment, "token", "create", "--agent", "two")
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE_S)
        assert ready
        second = json.loads(process.stdout.readline())
        assert second["event"]["payload"]["credential"]["agent"]["id"] == "two"
        process.send_signal(signal.SIGINT)
        assert process.wait(_PATIENCE_S) == Exit.OK


@pytest.mark.parametrize("arguments", [["nonsense"], ["token", "create", "--agent"], ["--nope"]])
def test_usage_errors_end_with_2_and_no_trace(
    environment: dict[str, str], arguments: list[str]
) -> None:
    done = _run(environment, *arguments)
    assert done.returncode == Exit.USAGE
    assert "Traceback" not in done.stderr
