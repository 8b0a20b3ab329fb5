"""Requests signed as Slack signs them, and mutants of their headers."""

# overrides are any field of the payload

import hmac
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

SECRET = "s3cret-of-a-test"
FORM = "application/x-www-form-urlencoded"


def click(**changes: Any) -> dict[str, Any]:
    """A block_actions payload of team T1 and app A1."""
    base: dict[str, Any] = {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": "U1", "team_id": "T1"},
        "api_app_id": "A1",
        "enterprise": None,
        "trigger_id": "1.2.3",
        "container": {"type": "message", "message_ts": "1.1", "channel_id": "C1"},
        "channel": {"id": "C1"},
        "actions": [{"action_id": "placet.approve", "block_id": "b", "value": "{}"}],
    }
    return {**base, **changes}


def form(payload: object) -> bytes:
    """An interaction's body."""
    return urlencode({"payload": json.dumps(payload)}).encode()


def signed(
    body: bytes, *, at: int, secret: str = SECRET, kind: str = FORM
) -> dict[str, Sequence[str]]:
    """Headers with a right signature."""
    base = f"v0:{at}:".encode() + body
    digest = hmac.new(secret.encode(), base, sha256).hexdigest()
    return {
        "content-type": (kind,),
        "x-slack-request-timestamp": (str(at),),
        "x-slack-signature": (f"v0={digest}",),
    }
