"""What a reader of a bundle should know before it decides anything.

Lives here: ``placet policy lint`` and its table. Must not live here: any finding
(``governance.policy.lint.linter``).
Law: exit code 0 means that no error was found; with ``--strict`` also that no warning was.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.bundle_place import Policies, place_of
from bot.cli.output import AsJson, answered, emit, note, show, table
from bot.replies import Exit

if TYPE_CHECKING:
    from bot.bundles import Source
    from governance.policy.decision import Requirement
    from governance.policy.lint.findings import LintReport
    from governance.principal import Eligible


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        epilog="Exit code 0: no error; 1: an error (with --strict: or a warning), or the bundle "
        "does not load.\n\n"
        "Example: placet policy lint --policies ./policies --strict"
    )(lint)


@answered
def lint(
    *,
    policies: Policies = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which rules have no effect, what is left open, and what to do about it.

    An error is certain; a warning is a choice that should have been made on purpose.
    """
    from bot.bundles import load_bundle, read
    from governance.policy.lint import linter as law
    from governance.policy.lint.findings import Severity

    place = place_of(policies)
    bundle = load_bundle(place)
    source = read(place)
    report = law.lint(bundle, reaches=could_meet)
    errors = len(report.of(Severity.ERROR))
    is_ok = not (report.findings if strict else errors)
    if as_json:
        emit(_described(report, source, is_ok=is_ok))
    else:
        _tell(report, source)
        warnings = len(report.findings) - errors
        show(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}.")
    if not is_ok:
        raise typer.Exit(Exit.PROBLEM)


def could_meet(tier: "Requirement", people: "Eligible") -> bool:
    """Whether ``people``, all of them, could approve a ticket of ``tier``."""
    from governance.tickets.quorum import is_reachable

    return is_reachable(tier, (), people)


def _described(report: "LintReport", source: "Source", *, is_ok: bool) -> dict[str, object]:
    return {
        "ok": is_ok,
        "findings": [
            {
                "severity": item.severity.value,
                "code": item.code.value,
                "place": str(source.mark(item.pointer)),
                "pointer": item.pointer,
                "text": item.text,
                "fix": item.fix,
            }
            for item in report.findings
        ],
        "unclear": [
            {"place": str(source.mark(item.pointer)), "pointer": item.pointer, "text": item.text}
            for item in report.unclear
        ],
    }


def _tell(report: "LintReport", source: "Source") -> None:
    if report.findings:
        rows = (
            (
                item.severity.value,
                f"{source.mark(item.pointer)}\n{item.code.value}",
                f"{item.text}\n{item.fix}",
            )
            for item in report.findings
        )
        show(table("Findings", ("", "where", "what, and what to do"), rows))
    for unclear in report.unclear:
        note(f"{source.mark(unclear.pointer)}: cannot tell: {unclear.text}")
