"""Released actions: the agent redeems an approval and says what came of it.

Lives here: consume and outcome. Must not live here: what runs in our own sandbox.
Law: an approval is redeemed once; a reported output is scanned like our own, and its full form
is never sent back.
"""

from aiohttp import web

from bot.api import answers as ans
from bot.api import history, wire
from bot.api.calls import Call, answer
from bot.api.schemas import ConsumeForm, OutcomeForm
from bot.scan.scanner import MAX_SCANNED_CHARS, redact, scan
from governance.digests import content_digest
from governance.execution import OutputState, RunReport, RunStatus
from governance.output_safety import OutputPolicy, verdict
from governance.tickets.commands import ReportOutcome


async def consume_job(call: Call) -> web.Response:
    """Redeem an approved job, once."""
    form = await call.body(ConsumeForm)
    ticket = await call.addressed()
    spent = await call.deps.service.redeem(ticket.id, call.agent, digest=form.action_digest or "")
    grant = await history.grant(call.deps.reader, spent)
    body = ans.ConsumedAnswer(**wire.state_fields(spent), grant=grant)
    return answer(body, trace_id=spent.ask.trace_id)


async def report_outcome(call: Call) -> web.Response:
    """Say what came of a redeemed job; the same report twice is one."""
    form = await call.body(OutcomeForm)
    ticket = await call.addressed()
    report, contents = _examined(form, quarantine=call.deps.service.bundle.output.quarantine)
    command = ReportOutcome(ticket_id=ticket.id, agent=call.agent.id, report=report)
    after = (await call.deps.service.handle(command, contents=contents)).ticket
    shown = await history.shown_output(call.deps.reader, after)
    body = ans.ReportedAnswer(
        **wire.state_fields(after), outcome=wire.outcome_of(after.report or report, shown)
    )
    return answer(body, trace_id=after.ask.trace_id)


def _examined(form: OutcomeForm, *, quarantine: bool) -> tuple[RunReport, dict[str, bytes]]:
    """The report with its output's verdict, and the texts that it refers to."""
    error = redact(form.error, scan(form.error))
    contents: dict[str, bytes] = {}
    full = shown = ""
    state, findings = OutputState.CLEAN, scan(form.output or "")
    if form.output is not None:
        state = verdict(
            findings,
            policy=OutputPolicy.QUARANTINE if quarantine else OutputPolicy.REDACT,
            is_truncated=len(form.output) > MAX_SCANNED_CHARS,
        )
        full = _keep(contents, form.output)
        if state in wire.SHOWABLE:
            shown = _keep(contents, redact(form.output, findings))
    report = RunReport(
        status=RunStatus(form.status),
        exit_code=form.exit_code,
        error=error,
        duration_ms=form.duration_ms,
        output_state=state,
        output_digest=full,
        shown_digest=shown,
        findings=findings,
    )
    return report, contents


def _keep(contents: dict[str, bytes], text: str) -> str:
    raw = text.encode("utf-8")
    name = content_digest(raw)
    contents[name] = raw
    return name
