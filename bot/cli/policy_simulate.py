"""What another bundle would have answered.

Lives here: ``placet policy simulate``: the ledger's decisions against a candidate, as tables.
Must not live here: judging and comparing (``governance.simulation``).
Law: it reads the ledger and changes nothing; whatever gets looser is said in words, not in colour.
Memory does not grow with the ledger.
"""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit, facts, note, run, show, table
from bot.cli.progress import bar
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from bot.replay import Choice, Progress
    from bot.settings import Settings
    from governance.differences import Answer, Difference
    from governance.policy.model import Bundle
    from governance.simulation import Report

_MOST = 10_000_000
_LOUD = "LOOSER"


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        "simulate",
        epilog="Example: placet policy simulate --policies ./candidate --limit 5000\n\n"
        "Example: placet policy simulate --policies ./candidate --since 2026-03-01 --json",
    )(simulate)


@answered
def simulate(
    *,
    policies: Annotated[Path, typer.Option(help="Folder or file of the candidate bundle.")],
    limit: Annotated[
        int, typer.Option(help="At most this many decisions, the newest.", min=1, max=_MOST)
    ] = 1_000,
    since: Annotated[
        str, typer.Option(help="Only decisions since this date or time (RFC 3339; UTC).")
    ] = "",
    trace: Annotated[str, typer.Option(help="Only decisions of this trace.")] = "",
    agent: Annotated[str, typer.Option(help="Only decisions about this agent.")] = "",
    as_json: AsJson = False,
) -> None:
    """Judge the ledger's recorded decisions by another bundle, and show what would differ.

    Nothing is recorded. Buckets are not charged, so a rate is shown as "may throttle". Each
    decision is judged by the bundle of its time as well: where that answers otherwise than is on
    record, it is listed as drift.
    """
    from bot.bundles import load_bundle
    from bot.replay import Choice
    from governance.principal import AgentId, TenantId

    settings = settings_now()
    candidate = load_bundle(policies)
    choice = Choice(
        tenant=TenantId(settings.tenant),
        limit=limit,
        since=_moment(since) if since else None,
        agent=AgentId(agent) if agent else None,
        trace_id=trace,
    )
    with bar("judging") as progress:
        report = run(_report(settings, candidate, choice, progress))
    if as_json:
        emit(report.to_json())
    else:
        _tell(report, candidate)


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        message = "--since is a date or time such as 2026-03-01T09:00:00Z"
        raise InvalidInput(Code.INVALID_FIELD, message, pointer="/since") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


async def _report(
    settings: "Settings", candidate: "Bundle", choice: "Choice", progress: "Progress | None"
) -> "Report":
    from bot import replay
    from bot.cli import known
    from bot.compose import tools
    from governance.simulation import Simulation

    async with tools.open_tools(settings) as opened:
        if choice.agent:
            await known.check_agent(opened.reader, choice.tenant, choice.agent)
        if choice.trace_id:
            await known.check_trace(opened.reader, choice.tenant, choice.trace_id)
        window = await replay.find(opened.reader, choice, most_read=sys.maxsize)
        simulation = Simulation(candidate, await replay.bundles(opened.reader, window))
        done = 0
        async for record, content in replay.records(opened.reader, choice, window):
            simulation.judge(replay.case_of(record, content))
            done += 1
            if progress is not None:
                progress(done, window.cases)
    return simulation.report()


def _tell(report: "Report", candidate: "Bundle") -> None:
    show(
        facts(
            [
                ("candidate", f"{candidate.name} ({report.snapshot})"),
                ("judged", f"{report.judged} decisions"),
                ("differ", report.differing_total),
                (_LOUD, report.looser),
                ("newly allowed", report.newly_allowed),
                ("newly denied", report.newly_denied),
                ("approvals needed", f"{report.people_old} before, {report.people_new} now"),
                ("may throttle", report.may_throttle),
            ]
        )
    )
    if report.matrix:
        rows = (
            (old.value, new.value, count, _mark(old is not new, new.rank < old.rank))
            for (old, new), count in report.matrix.items()
        )
        show(table("\nEffects", ("before", "now", "decisions", ""), rows))
    if report.differing:
        show(table("\nWhat differs", _COLUMNS, _rows(report.differing)))
    _rest(len(report.differing), report.differing_total, "differences")
    if report.drift:
        title = "\nDrift: the bundle of that time answers otherwise now than is on record"
        show(table(title, _COLUMNS, _rows(report.drift)))
    _rest(len(report.drift), report.drift_total, "drifts")
    for reason, count in report.not_judged.items():
        show(f"{count} could not be judged: {reason}.")
    if report.not_rederived:
        show(f"{report.not_rederived} were decided by a bundle whose text is not at hand.")
    if report.asks_about_past:
        show("Rules about what was done before see only the decisions of this simulation.")
    if report.never_fire and report.judged:
        show(f"Rules that never fire here: {', '.join(report.never_fire)}.")
    if not report.differing_total:
        show("Nothing would differ.")
    elif report.looser:
        show(f"{_LOUD}: {report.looser} of these are not surely as strict as before.")


_COLUMNS = ("event", "agent", "topic", "tool", "before", "now", "why now", "")


def _rows(found: "Iterable[Difference]") -> Iterator[tuple[object, ...]]:
    for item in found:
        yield (
            item.seq,
            item.agent,
            item.topic,
            item.tool,
            _answer(item.old),
            _answer(item.new),
            f"{', '.join(item.new.rule_ids) or 'no rule'}: {item.new.reason}",
            _mark(True, item.is_looser),
        )


def _answer(answer: "Answer") -> str:
    tier = f" ({answer.requirement.tier})" if answer.requirement is not None else ""
    slow = f"\nmay throttle: {', '.join(answer.may_throttle)}" if answer.may_throttle else ""
    return f"{answer.effect.value}{tier}{slow}"


def _mark(is_other: bool, is_looser: bool) -> str:  # two words of one cell
    return (_LOUD if is_looser else "stricter") if is_other else ""


def _rest(shown: int, total: int, what: str) -> None:
    if total > shown:
        note(f"{total - shown} more {what} are not listed.")
