"""How far a command is: told to somebody who watches, and to nobody else."""

import io
import sys

import pytest

from bot.cli.progress import bar, count


class Terminal(io.StringIO):
    """Standard error where a person looks at it."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_told_where_nobody_watches(capsys: pytest.CaptureFixture[str]):
    with bar("verifying") as far, count("judging") as seen:
        assert (far, seen) == (None, None)
    assert capsys.readouterr() == ("", "")


def test_a_person_sees_how_far_it_is_on_standard_error_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, value in {"TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with bar("verifying") as far:
        assert far is not None
        far(0, 0)
        far(3, 4)
    with count("judging") as seen:
        assert seen is not None
        seen(7)
    told = sys.stderr.getvalue()
    assert "verifying" in told
    assert "3/4" in told
    assert "judging" in told
    assert capsys.readouterr().out == ""
