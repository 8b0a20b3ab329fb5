"""A recorded request, as policy can judge it again.

Lives here: the way from an ``Ask`` and its content back to the request and its agent.
Must not live here: what policy says to it (``policy.evaluate``), nor reading the log.
Law: nothing is guessed. Either the request is the very one whose digest is on record, or there is
a reason why it cannot be had.
"""

from dataclasses import dataclass

from governance.action import ActionRequest, Content, parse_content
from governance.digests import content_digest, request_digest
from governance.errors import InvalidInput
from governance.principal import Agent
from governance.tickets.ticket import Ask

UNKEPT_CLAIMS = "it was recorded before claims were kept"
UNKEPT_CONTENT = "its arguments and words were erased or never kept"
ALTERED = "what is on record is not what its digest was made of"
_WORDLESS = Content()
_WORDLESS_DIGEST = content_digest(_WORDLESS.to_bytes())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A request and its agent as they were when it was judged; ``why_not`` where it is lost."""

    request: ActionRequest | None = None
    agent: Agent | None = None
    why_not: str = ""


def recall(ask: Ask, content: bytes | None) -> Recalled:
    """The request behind ``ask``; ``content`` are its bytes as they were kept, if they were.

    A request without arguments and words needs no bytes: its digest says that there were none.
    """
    if ask.claims is None:
        return Recalled(why_not=UNKEPT_CLAIMS)
    kept = _content(ask, content)
    if isinstance(kept, str):
        return Recalled(why_not=kept)
    request = ActionRequest(
        tenant=ask.tenant,
        agent=ask.agent,
        on_behalf_of=ask.on_behalf_of,
        topic=ask.topic,
        tool=ask.tool,
        action=ask.action,
        environment=ask.claims.environment,
        capability=ask.capability,
        risk_tags=ask.claims.risk_tags,
        requires=ask.claims.requires,
        labels=dict(ask.labels),
        data_classes=ask.claims.data_classes,
        target=ask.target,
        content=kept,
        dispatch=ask.dispatch,
        trace_id=ask.trace_id,
        idempotency_key=ask.idempotency_key,
        ttl_s=ask.claims.ttl_s,
    )
    if request_digest(request) != ask.request_digest:
        return Recalled(why_not=ALTERED)
    agent = Agent(
        id=ask.agent,
        tenant=ask.tenant,
        owners=ask.owners,
        roles=ask.claims.agent_roles,
        environments=ask.claims.agent_environments,
    )
    return Recalled(request=request, agent=agent)


def _content(ask: Ask, content: bytes | None) -> Content | str:
    """The content, or why there is none."""
    if content is None:
        return _WORDLESS if ask.content_digest == _WORDLESS_DIGEST else UNKEPT_CONTENT
    if content_digest(content) != ask.content_digest:
        return ALTERED
    try:
        return parse_content(content)
    except InvalidInput:
        return ALTERED
