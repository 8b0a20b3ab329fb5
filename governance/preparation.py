"""What is looked up about a request before its transaction begins.

Lives here: the first decision and how long it may take, the people who could be asked, and the
request's digests. Must not live here: anything that is decided on committed state (``steps``).
Law: an answer that took too long is a denial; where the bundle's rules look at the past, nothing
that was decided here counts but as a guess of what the step will need.
"""

from datetime import datetime

from governance.action import ActionRequest, Digests
from governance.digests import content_digest
from governance.errors import PlacetError
from governance.policy.evaluate import evaluate, unavailable
from governance.policy.model import Bundle
from governance.ports import Clock, Directory, Ids
from governance.principal import Agent, Eligible
from governance.submission import Submission

DECISION_DEADLINE_S = 2


async def prepare(
    request: ActionRequest,
    agent: Agent,
    *,
    bundle: Bundle,
    clock: Clock,
    directory: Directory,
    ids: Ids,
    content: bytes = b"",
    digests: Digests | None = None,
) -> Submission:
    """Everything that the step of a request is given; ``content`` are the bytes of its
    content where they were made already.

    Raises:
        Unavailable: ``identity_unavailable``: people must be asked and nobody knows whom.
    """
    asked_at = clock.now()
    decision = evaluate(request, agent, bundle, at=asked_at)
    looks_back = not bundle.lookback.is_empty
    if is_overdue_answer(asked_at, clock.now(), DECISION_DEADLINE_S):
        late = f"no decision within {DECISION_DEADLINE_S} s"
        fallback = unavailable(request, agent, bundle, late)
        # What is known too late is known: an open environment must not answer more mildly, or a
        # request that is slow to judge would talk itself past every rule.
        if not fallback.safety_bypassed:
            decision, looks_back = fallback, False
    eligible: Eligible = {}
    unresolved: PlacetError | None = None
    if looks_back:
        eligible, unresolved = await _anybody(bundle, directory)
    elif decision.requirement is not None:
        asked = (decision.requirement, *decision.instead)
        roles = dict.fromkeys(item.role for one in asked for item in one.roles)
        eligible = await directory.eligible([*roles])
    kept = content or request.content.to_bytes()
    return Submission(
        ticket_id=ids.ticket(),
        request=request,
        agent=agent,
        decision=decision,
        content=kept,
        content_digest=content_digest(kept),
        eligible=eligible,
        max_pending=bundle.max_pending,
        max_pending_per_agent=bundle.max_pending_per_agent,
        bundle=bundle if looks_back else None,
        unresolved=unresolved,
        refusals_in_full=bundle.refusals_in_full,
        refusal_window_s=bundle.refusal_window_s,
        digests=digests,
    )


async def _anybody(bundle: Bundle, directory: Directory) -> tuple[Eligible, PlacetError | None]:
    """The people of every tier: which one is asked for shows only inside the transaction.

    What could not be looked up refuses nothing until people are asked for.
    """
    roles = {item.role for tier in bundle.tiers.values() for item in tier.roles}
    try:
        return await directory.eligible(sorted(roles)), None
    except PlacetError as error:
        return {}, error


def is_overdue_answer(asked_at: datetime, answered_at: datetime, deadline_s: int) -> bool:
    """Whether a decision took longer than may be waited for."""
    return (answered_at - asked_at).total_seconds() > deadline_s
