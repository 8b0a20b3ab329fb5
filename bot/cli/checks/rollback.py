"""Check of the log against the checkpoints outside it.

Lives here: a finding where the log is older than what was published. Must not live here: the
comparison. Law: what ``placet serve`` would refuse is a problem here.
"""

from collections.abc import Iterator

from bot.cli.checks.findings import Finding, Level
from bot.settings import Settings
from governance.errors import Unavailable


def rollback_findings(settings: Settings) -> Iterator[Finding]:
    """Whether the log has everything that its newest checkpoint saw."""
    from bot.compose.rollback import behind_at_rest

    place = str(settings.checkpoints)
    try:
        found = behind_at_rest(settings)
    except Unavailable as error:
        yield Finding(area="checkpoints", level=Level.PROBLEM, text=error.message, place=place)
        return
    if found is not None:
        text = (
            f"{found.sentence}. placet serve refuses to start: restore a newer copy, or start it "
            "once with --accept-rollback, which is recorded"
        )
        yield Finding(area="ledger", level=Level.PROBLEM, text=text, place=place)
