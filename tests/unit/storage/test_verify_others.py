"""Processes that look at parts of a log: asked, answered, lost and ended."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.verify import others as verify_others
from storage.verify.crew import usual_jobs
from storage.verify.others import Lost, Others
from storage.verify.verifier import verify_database
from tests.attacks.tampering import Lab, written

ROOT = Path(__file__).parents[3]
CALLS = "tests.support.other_calls"


@pytest.fixture
def others() -> Iterator[Others]:
    found = Others(2, CALLS)
    yield found
    found.close()


def pids(others: Others) -> list[int]:
    return [other._process.pid for other in others._others]


def test_what_is_asked_is_answered_by_another_process(others: Others) -> None:
    asked = [other.ask("pid", ()) for other in others._others]
    told = [others.answer(one) for one in asked if one is not None]
    assert sorted(map(str, told)) == sorted(map(str, pids(others)))
    assert os.getpid() not in told


def test_values_come_back_as_they_went(others: Others) -> None:
    given = (1, "ä\u2028", b"\x00\xff", None, (True, 1.5), ["", {"a": [0]}], "\ud800")
    asked = others.ask("same", given)
    assert asked is not None
    assert others.answer(asked) == given


def test_answers_wait_for_whoever_asked_in_whatever_order(others: Others) -> None:
    asked = [others.ask("same", (number,)) for number in range(4)]
    for number, one in reversed(list(enumerate(asked))):
        assert one is not None
        assert others.answer(one) == (number,)


def test_nobody_is_asked_more_than_fits(others: Others) -> None:
    assert others.ask("same", (b"x" * verify_others._PART_BYTES,)) is None
    assert others.ask("same", (b"x" * (verify_others._PART_BYTES - 100),)) is not None
    assert others.ask("same", (object(),)) is None


def test_whoever_has_enough_to_do_is_not_asked() -> None:
    others = Others(1, CALLS)
    try:
        assert others.ask("stop", ()) is not None
        assert others.is_any_free()
        assert others.ask("same", (1,)) is not None
        assert not others.is_any_free()
        assert others.ask("same", (2,)) is None
        (pid,) = pids(others)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        os.kill(pid, signal.SIGCONT)
    finally:
        others.close()


@pytest.mark.parametrize("how", ["die", "fail", "line ends", "no plain value"])
def test_an_answer_that_is_lost_is_told_and_its_process_asked_no_more(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    others = Others(1, CALLS)
    try:
        first, after = others.ask(how, ()), others.ask("same", (1,))
        assert first is not None
        with pytest.raises(Lost):
            others.answer(first)
        if after is not None:  # it was asked before it was gone
            with pytest.raises(Lost):
                others.answer(after)
        assert others.ask("same", (2,)) is None
        assert not others.is_any_free()
        (told,) = [record for record in caplog.records if record.name == "placet.ledger"]
        assert told.levelname == "WARNING"
        assert told.pid in pids(others)
    finally:
        others.close()


def test_what_was_answered_before_the_end_counts() -> None:
    others = Others(1, CALLS)
    try:
        first, last = others.ask("same", (1,)), others.ask("die", ())
        assert first is not None
        assert last is not None
        with pytest.raises(Lost):
            others.answer(last)
        assert others.answer(first) == (1,)
    finally:
        others.close()


def test_when_they_are_ended_none_is_left(others: Others) -> None:
    processes = [other._process for other in others._others]
    others.close()
    assert [process.returncode for process in processes] == [0, 0]
    assert others.ask("pid", ()) is None


def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_others, "_TO_END_S", 0.01)
    others = Others(1, CALLS)
    (process,) = [other._process for other in others._others]
    asked = others.ask("stop", ())
    assert asked is not None
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    others.close()
    assert process.returncode == -signal.SIGKILL


BEGINS_SOME = f"""
import os, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from storage.verify.others import Others
print("begun", flush=True)
threading.Thread(target=sys.stdin.read, daemon=True).start()
others = Others(2, {CALLS!r})
asked = [other.ask("pid", ()) for other in others._others]
print(*[others.answer(one) for one in asked], flush=True)
threading.Event().wait()
"""


@pytest.fixture
def beginner(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program with threads that has begun two others, and no guard around its main part."""
    script = tmp_path / "main.py"
    script.write_text(BEGINS_SOME)
    command = [sys.executable, str(script)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        yield process
        process.kill()


def lines(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(2)]


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="nothing to wait for an end with")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_they_end_with_whoever_began_them_however_that_ends(
    beginner: "subprocess.Popen[str]", how: signal.Signals
) -> None:
    _, told = lines(beginner)
    ends = [os.pidfd_open(int(pid)) for pid in told.split()]
    assert len(ends) == 2
    beginner.send_signal(how)
    for end in ends:
        assert select.select([end], [], [], 30)[0] == [end]
        os.close(end)


def test_the_main_module_is_not_run_again(beginner: "subprocess.Popen[str]") -> None:
    """Nor is a process with threads forked: both others answer."""
    begun, told = lines(beginner)
    assert (begun, len(set(told.split()))) == ("begun", 2)
    beginner.kill()
    assert beginner.stdout is not None
    assert "begun" not in beginner.stdout.read()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return asyncio.run(written(tmp_path_factory.mktemp("lab")))


@pytest.fixture
def few_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes, however short the log."""
    monkeypatch.setattr("storage.verify.verifier._FOR_JOBS", 0)
    monkeypatch.setattr("storage.verify.crew._STRETCH", 7)


@pytest.mark.parametrize(("cores", "jobs"), [(1, 0), (2, 1), (5, 4), (64, 4)])
def test_one_looks_on_each_core_that_is_left(
    monkeypatch: pytest.MonkeyPatch, cores: int, jobs: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert usual_jobs() == jobs
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert usual_jobs() == jobs


@pytest.mark.usefixtures("few_records")
def test_an_interrupt_ends_them(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    begin = verify_others._Other.__init__

    def noted(self: verify_others._Other, module: str) -> None:
        begin(self, module)
        begun.append(self._process)

    def interrupted(done: int, _: int) -> None:
        if done:
            raise KeyboardInterrupt

    monkeypatch.setattr(verify_others._Other, "__init__", noted)
    with pytest.raises(KeyboardInterrupt):
        verify_database(lab.database, jobs=2, progress=interrupted)
    assert [process.returncode for process in begun] == [0, 0]


@pytest.mark.usefixtures("few_records")
def test_where_none_can_be_had_everything_is_looked_at_here(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = verify_database(lab.database, jobs=0)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert verify_database(lab.database, jobs=2) == wanted
