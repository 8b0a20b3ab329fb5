"""The digests by which an action is exactly this one, and known again.

Lives here: digests of an action, of a request and of contents. Must not live here: what they are
made of (``action``), and how bytes become a digest (``canonical``).
Law: whatever the card shows as the action is in ``action_digest``.
"""

from collections.abc import Mapping

from governance.action import ActionRequest, Digests, needs_full_view
from governance.canonical import (
    Json,
    canonical_bytes,
    canonical_bytes_of_stored,
    digest_bytes,
    is_plain,
)


def action_digest(request: ActionRequest) -> str:
    """The digest of everything that says what will happen and for whom."""
    content = request.content
    value: Mapping[str, Json] = {
        "tenant": request.tenant,
        "agent": request.agent,
        "on_behalf_of": request.on_behalf_of,
        "tool": request.tool,
        "topic": request.topic,
        "action": request.action.value,
        "environment": request.environment,
        "target": request.target,
        "arguments": content.arguments,
        "prompt": content.prompt,
        "context": content.context,
        "dispatch": request.dispatch.value,
    }
    # All else is text by its type; only what the agent wrote freely must be looked through.
    is_known = is_plain(content.arguments) and (content.context is None or is_plain(value))
    written = canonical_bytes_of_stored(value) if is_known else canonical_bytes(value)
    return digest_bytes("action", written)


def request_digest(request: ActionRequest, *, action: str = "") -> str:
    """The fingerprint by which a repeated idempotency key is the same request or a conflict.

    ``action`` is the request's action digest where it is known already.
    """
    value: Mapping[str, Json] = {
        "action": action or action_digest(request),
        "capability": request.capability,
        "risk_tags": sorted(request.risk_tags),
        "requires": sorted(request.requires),
        "labels": dict(request.labels),
        "data_classes": sorted(request.data_classes),
        "justification": request.content.justification,
        "ttl_s": request.ttl_s,
    }
    return digest_bytes("request", canonical_bytes_of_stored(value))


def digests_of(request: ActionRequest, content: bytes = b"") -> Digests:
    """What it will do, by what it is known again, and whether a card shows it whole.

    ``content`` are the bytes of the request's content where they were made already.
    """
    action = action_digest(request)
    return Digests(
        action=action,
        request=request_digest(request, action=action),
        needs_full_view=needs_full_view(
            request.content,
            *(request.target, request.tool, request.topic, request.environment),
            raw=content,
        ),
    )


def content_digest(raw: bytes) -> str:
    """The name under which content (or a comment, or an output) lies in the payload table."""
    return digest_bytes("content", raw)
