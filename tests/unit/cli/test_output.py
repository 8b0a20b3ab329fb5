"""How commands speak."""

import io
import os
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from bot.cli import output
from bot.cli.output import AsJson, answered, facts, span, table, visible
from bot.replies import Exit
from governance.errors import Code, InvalidInput, PlacetError, Refused, Unavailable
from tests.unit.cli.conftest import Placet

SECRET = "hunter2"


def _app(error: Exception) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @answered
    def act(*, as_json: AsJson = False) -> None:
        assert as_json in (True, False)
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput(Code.INVALID_BUNDLE, "a.yaml:1:2: no"), Exit.PROBLEM),
        (InvalidInput(Code.INVALID_FIELD, "no"), Exit.USAGE),
        (Refused(Code.NOT_FOUND, "no"), Exit.REFUSED),
        (Unavailable(Code.LEDGER_BUSY, "no"), Exit.UNAVAILABLE),
    ],
)
def test_an_error_is_one_sentence_with_its_code(error: PlacetError, code: Exit) -> None:
    found = CliRunner().invoke(_app(error))
    assert found.exit_code == code
    assert found.stderr == f"placet: {error.message} ({error.code})\n"
    assert found.stdout == ""


def test_an_error_in_json_is_one_document() -> None:
    error = Refused(Code.NOT_FOUND, "no", pointer="/id", details={"n": 1})
    found = CliRunner().invoke(_app(error), ["--json"])
    assert output.json.loads(found.stdout) == {
        "error": {"code": "not_found", "message": "no", "pointer": "/id", "details": {"n": 1}}
    }


def test_our_own_fault_shows_its_place_and_neither_trace_nor_text() -> None:
    found = CliRunner().invoke(_app(KeyError(SECRET)))
    assert found.exit_code == Exit.UNAVAILABLE
    assert "KeyError" in found.stderr
    assert "internal_error" in found.stderr
    assert SECRET not in found.output
    assert "Traceback" not in found.output


@pytest.mark.parametrize("error", [typer.Exit(7), BrokenPipeError()])
def test_what_ends_a_command_on_purpose_is_not_an_error(error: Exception) -> None:
    assert CliRunner().invoke(_app(error)).exit_code in (7, 1)


def test_text_of_others_cannot_steer_the_terminal() -> None:
    assert visible("a\x1b[2Jb\u202ec\n") == r"a\u{1b}[2Jb\u{202e}c\u{a}"
    assert visible("a\nb", is_multiline=True) == "a\nb"


def test_tables_and_facts_keep_markup_as_text() -> None:
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=80)
    console.print(table("", ("a",), [("[red]x[/red]\x1b",)]))
    console.print(facts([("b", "[bold]y"), ("empty", ""), ("none", None)]))
    assert r"[red]x[/red]\u{1b}" in out.getvalue()
    assert "[bold]y" in out.getvalue()
    assert "empty" not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (59, "59s"), (60, "1m"), (3_660, "1h 1m"), (90_000, "1d 1h")],
)
def test_spans_are_short(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_json_carries_times_and_sets(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    output.emit_line({"at": at, "set": frozenset({"b", "a"}), "other": Exit})
    assert '"at": "2026-03-01T09:00:00Z", "set": ["a", "b"]' in capsys.readouterr().out


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    "command",
    [
        ("ticket", "list", "--agent"),
        ("ticket", "show"),
        ("token", "revoke"),
        ("audit", "hold", "add", "--all", "--reason"),
        ("audit", "hold", "add", "--unseen", "--reason", "case 1", "--agent"),
        ("audit", "hold", "add", "--reason", "case 1", "--trace"),
    ],
)
def test_bytes_of_a_command_line_that_are_no_text_are_refused(
    placet: Placet, command: tuple[str, ...]
):
    found = placet(*command, os.fsdecode(b"x\xffy"))
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert found.err.endswith("(invalid_text)\n")
    assert "UTF-8" in found.err
