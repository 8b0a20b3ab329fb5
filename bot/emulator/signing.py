"""Slack's request signature, made by the emulator itself, well or badly on order.

Lives here: the headers of a signed request. Not here: any verification.
Law: what is signed is exactly what is sent; a fault changes only what it names.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from bot.emulator.faults import FaultKind

SIGNATURE, TIMESTAMP = "X-Slack-Signature", "X-Slack-Request-Timestamp"
_SKEW_S = 3_600


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Compute the v0 signature of a body at a timestamp."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def signed_headers(
    secret: str, body: bytes, *, at: datetime, fault: FaultKind | None = None
) -> dict[str, str]:
    """Build the two headers Slack sends, or what a fault makes of them."""
    seconds = int(at.timestamp())
    match fault:
        case FaultKind.OLD_TIMESTAMP:
            seconds -= _SKEW_S
        case FaultKind.FUTURE_TIMESTAMP:
            seconds += _SKEW_S
        case _:
            pass
    stamp = "abc" if fault is FaultKind.NON_NUMERIC_TIMESTAMP else str(seconds)
    key = secret[::-1] + "x" if fault is FaultKind.WRONG_SIGNATURE else secret
    headers = {TIMESTAMP: stamp, SIGNATURE: sign(key, stamp, body)}
    if fault is FaultKind.MISSING_TIMESTAMP:
        del headers[TIMESTAMP]
    if fault is FaultKind.MISSING_SIGNATURE:
        del headers[SIGNATURE]
    return headers
