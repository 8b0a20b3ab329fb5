"""The check before anything is started.

Lives here: ``placet check``: which checks are made, and how their answer is shown. Must not live
here: the checks. Law: it changes nothing; exit code 1 means that something is a problem, and every
problem says where it is and what to do.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import account, settings_now
from bot.cli.output import AsJson, answered, emit, facts, run, show, table
from bot.replies import Exit
from governance.errors import InvalidInput

if TYPE_CHECKING:
    from bot.cli.checks.bundle import Loaded
    from bot.cli.checks.findings import Finding
    from bot.settings import Settings


@dataclass(slots=True, kw_only=True)
class _Report:
    """What is known so far."""

    production: bool
    findings: "list[Finding]" = field(default_factory=list)
    loaded: "Loaded | None" = None
    sandbox: str = ""


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        epilog="Example: placet check --policies ./policies --production\n\n"
        "Example: placet check --sandbox --json"
    )(check)


@answered
def check(
    *,
    policies: Annotated[
        Path | None,
        typer.Option(help="Folder or file of the bundle to check; else PLACET_POLICIES."),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Your copy of the Slack app's manifest.")
    ] = None,
    production: Annotated[
        bool,
        typer.Option(
            "--production",
            help="This deployment serves production: a bundle that this account can change, a "
            "tier that nobody can approve, no Slack, and checkpoints beside the ledger are "
            "problems, not warnings.",
        ),
    ] = False,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Also prove the sandbox on this machine (seconds).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check settings, bundle, manifest, keys and machine; say what is missing, and where.

    Run it as the account that runs the service. Exit code 0: no problem; 1: at least one.
    """
    from bot.cli.checks.findings import Level

    report = _Report(production=production)
    settings = _settings(report, policies)
    _bundle(report, settings, policies)
    _surroundings(report, settings, manifest)
    if sandbox and report.loaded is not None:
        from bot.cli.checks.machine import sandbox_findings

        report.sandbox, found = run(sandbox_findings(report.loaded.bundle))
        report.findings += found
    is_ok = not any(item.level is Level.PROBLEM for item in report.findings)
    if as_json:
        emit(_described(report, is_ok=is_ok))
    else:
        _tell(report, is_ok=is_ok)
    if not is_ok:
        raise typer.Exit(Exit.PROBLEM)


def _settings(report: _Report, policies: Path | None) -> "Settings":
    """The settings; where they do not load, that is a finding and the defaults stand in."""
    from bot.cli.checks.findings import Finding, Level
    from bot.settings import Settings

    try:
        settings = settings_now()
    except InvalidInput as error:
        for text in error.message.split("; "):
            place, _, sentence = text.partition(": ")
            report.findings.append(
                Finding(area="settings", level=Level.PROBLEM, text=sentence or text, place=place)
            )
        settings = Settings.model_validate({})
    return settings.model_copy(update={"policies": policies}) if policies else settings


def _bundle(report: _Report, settings: "Settings", policies: Path | None) -> None:
    from bot.bundles import shipped
    from bot.cli.checks import activation, bundle, machine, people

    path = policies or settings.policies or shipped("default")
    try:
        report.loaded = bundle.load(path)
    except InvalidInput as error:
        report.findings.append(bundle.not_loading(error))
        report.findings += activation.active_findings(settings, path, None)
        return
    report.findings += activation.signature_findings(settings, report.loaded)
    snapshot = report.loaded.bundle.snapshot
    report.findings += activation.active_findings(settings, path, snapshot)
    report.findings += bundle.findings(
        report.loaded, account=account(), production=report.production
    )
    report.findings += people.people_findings(settings, report.loaded)
    report.findings += machine.action_findings(settings, report.loaded)
    report.findings += machine.store_findings(settings, report.loaded)


def _surroundings(report: _Report, settings: "Settings", manifest: Path | None) -> None:
    from bot.cli.checks import machine
    from bot.cli.checks import manifest as manifest_checks
    from bot.cli.checks.findings import Finding, Level
    from bot.cli.checks.rollback import rollback_findings
    from bot.cli.checks.server import server_findings
    from bot.compose.databases import server as ask
    from bot.compose.tools import ledger_file

    report.findings += manifest_checks.findings(manifest or manifest_checks.packaged(), settings)
    report.findings += machine.settings_findings(settings, production=report.production)
    report.findings += machine.key_findings(settings)
    try:
        file, server = ledger_file(settings.database), ask(settings.database)
    except InvalidInput as error:
        report.findings.append(
            Finding(area="ledger", level=Level.PROBLEM, text=error.message, place="PLACET_DATABASE")
        )
        return
    if server is not None:
        report.findings += server_findings(
            server, production=report.production, detaches=bool(settings.detach_days)
        )
    report.findings += machine.ledger_findings(settings, file, production=report.production)
    report.findings += rollback_findings(settings)


def _described(report: _Report, *, is_ok: bool) -> dict[str, object]:
    from bot.cli.checks import bundle

    shown: dict[str, object] = {
        "ok": is_ok,
        "account": account(),
        "production": report.production,
        "findings": [item.to_json() for item in report.findings],
    }
    if report.loaded is not None:
        loaded = report.loaded.bundle
        shown |= {
            "bundle": {
                "name": loaded.name,
                "path": str(report.loaded.path),
                "snapshot": loaded.snapshot,
                "tools": sorted(tool.name for tool in loaded.tools),
            },
            "environments": list(bundle.environments(loaded)),
            "tiers": [row.to_json() for row in bundle.tiers(loaded)],
            "not_enforced": [item.pointer for item in loaded.not_enforced],
        }
    if report.sandbox:
        shown["sandbox"] = report.sandbox
    return shown


def _tell(report: _Report, *, is_ok: bool) -> None:
    from bot.cli.checks import bundle
    from bot.cli.checks.findings import Level

    if report.loaded is not None:
        loaded = report.loaded.bundle
        show(
            facts(
                [
                    ("bundle", f"{loaded.name} ({report.loaded.path})"),
                    ("snapshot", loaded.snapshot),
                    ("sandbox", report.sandbox),
                ]
            ),
            table(
                "\nEnvironments; one that is not listed counts as prod",
                bundle.ENVIRONMENT_COLUMNS,
                map(bundle.environment_cells, bundle.environments(loaded)),
            ),
            table(
                "\nTiers, and whether the people of the bundle could approve them",
                bundle.TIER_COLUMNS,
                (row.cells() for row in bundle.tiers(loaded)),
            ),
        )
    ranked = sorted(report.findings, key=lambda item: list(Level).index(item.level), reverse=True)
    if ranked:
        rows = ((item.level.value, item.area, item.text, item.place) for item in ranked)
        show(table("\nFindings", ("level", "area", "what", "where"), rows))
    count = sum(item.level is Level.PROBLEM for item in report.findings)
    show("No problem was found." if is_ok else f"{count} problem{'s' * (count > 1)} to solve.")
