"""What is said about a run.

Lives here: a sandbox result -> a report with the output checked, scanned and redacted.
Must not live here: the patterns (``bot.scan``) or the verdict (``governance.output_safety``).
Law: what is shown is the redacted form plus the digest of the full one; a message for people never
quotes output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.executor.actions import ActionError, ActionRegistry
from bot.executor.errors import SandboxError
from bot.executor.launcher import RunResult
from bot.scan.scanner import MAX_SCANNED_CHARS, redact, scan
from governance.digests import content_digest
from governance.execution import OutputState, RunReport, RunStatus, SandboxTier
from governance.output_safety import OutputPolicy, verdict
from governance.policy.model import Bundle

MAX_FINDINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report and the texts that it names by digest."""

    report: RunReport
    contents: Mapping[str, bytes] = field(default_factory=dict)


def of_failure(error: SandboxError, *, tier: SandboxTier) -> Reported:
    """The report of a run whose program never began."""
    return Reported(
        report=RunReport(
            status=RunStatus.FAILED,
            error=f"nothing ran: the sandbox could not be set up ({error.code})",
            sandbox=tier.value,
        )
    )


def of_result(
    result: RunResult, *, tier: SandboxTier, actions: ActionRegistry, tool: str, bundle: Bundle
) -> Reported:
    """The report of a run that ended."""
    full = result.stdout if result.is_success else result.stdout + result.stderr
    text = full.decode("utf-8", "replace")
    findings = scan(text)
    cut = result.stdout_truncated or result.stderr_truncated
    too_long = len(full) > bundle.output.max_bytes or len(text) > MAX_SCANNED_CHARS
    state = verdict(
        findings,
        policy=OutputPolicy.QUARANTINE if bundle.output.quarantine else OutputPolicy.REDACT,
        is_truncated=cut or too_long,
        matches_schema=not result.is_success or _matches(actions, tool, result.stdout),
    )
    shown = b"" if state is OutputState.QUARANTINED else redact(text, findings).encode("utf-8")
    report = RunReport(
        status=RunStatus.SUCCEEDED if result.is_success else RunStatus.FAILED,
        exit_code=result.exit_code,
        error="" if result.is_success else _why(result),
        duration_ms=round(result.duration_s * 1000),
        sandbox=tier.value,
        output_state=state,
        output_digest=content_digest(full),
        shown_digest=content_digest(shown) if shown else "",
        findings=findings[:MAX_FINDINGS],
    )
    contents = {report.output_digest: full}
    if shown:
        contents[report.shown_digest] = shown
    return Reported(report=report, contents=contents)


def _matches(actions: ActionRegistry, tool: str, stdout: bytes) -> bool:
    try:
        actions.output(tool, stdout)
    except ActionError:
        return False
    return True


def _why(result: RunResult) -> str:
    if result.timed_out:
        return f"stopped: it ran longer than allowed ({result.duration_s:.1f} s)"
    if result.oom_killed:
        return "stopped: it used more memory than allowed"
    if result.scratch_full:
        return "stopped: it wrote more than allowed"
    if result.stdout_truncated or result.stderr_truncated:
        return "stopped: it printed more than allowed"
    return f"it ended with status {result.exit_code}"
