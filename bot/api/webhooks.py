"""Jobs that arrive as signed webhooks.

Lives here: checking a Standard Webhooks signature, its time window and its id. Must not live here:
what a job is (``jobs``), or where secrets are kept (a port). Law: nothing of a body is read before
its signature holds; a delivery is one job however often it comes, and each agent signs with a
secret of its own. What proves nobody spends nothing of whom it names, and asks the ledger nothing.
Source: Standard Webhooks specification 1.0 (webhook-id, webhook-timestamp, webhook-signature).
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from aiohttp import web

from bot.api import bodies, jobs
from bot.api.asking import without_unused
from bot.api.auth import check_scope
from bot.api.calls import Call, OpenCall
from bot.api.pace import PACE
from bot.api.schemas import JobForm
from governance.errors import Code, Refused
from governance.principal import Credential, Scope

WINDOW_S = 300
AGENT = "webhook-agent"
"""The header that names the credential whose secret signed: the middle part of its token."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_STAMP = re.compile(r"[0-9]{1,12}")
_CREDENTIAL = re.compile(r"[a-z0-9]{1,64}")
_MAX_SIGNATURES = 8
_MAX_SEEN = 100_000
_SETTLED = (200, 403)
"""Answers after which a job exists: only then is an identical delivery a replay."""


def signature_of(secret: bytes, *, webhook_id: str, timestamp: str, body: bytes) -> str:
    """The value of the webhook-signature header."""
    return "v1," + base64.b64encode(_mac(secret, webhook_id, timestamp, body)).decode("ascii")


def _mac(secret: bytes, webhook_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.digest(secret, f"{webhook_id}.{timestamp}.".encode("ascii") + body, sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery's headers, well formed but not yet believed."""

    webhook_id: str
    timestamp: str
    signatures: tuple[bytes, ...]
    credential_id: str


class Seen:
    """Deliveries that became a job within the window, in this process.

    It only saves work and names replays: across processes the idempotency key made of the
    webhook's id lets no second job arise.
    """

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def has(self, key: bytes, now_s: float) -> bool:
        """Whether ``key`` was added and is still within the window."""
        return self._until.get(key, 0.0) > now_s

    def add(self, key: bytes, now_s: float) -> None:
        """Remember ``key`` for as long as its timestamp could pass; the oldest make room."""
        while self._until and (
            next(iter(self._until.values())) <= now_s or len(self._until) >= _MAX_SEEN
        ):
            del self._until[next(iter(self._until))]
        self._until[key] = now_s + 2 * WINDOW_S


SEEN = web.AppKey("seen_webhooks", Seen)


async def submit_webhook(call: OpenCall) -> web.Response:
    """A job as a signed webhook; a re-signed delivery of the same id finds its job."""
    now_s = call.deps.clock.now().timestamp()
    delivery = _delivery(call.request.headers, now_s)
    body = await bodies.read_bytes(call.request, call.deps.limits)
    credential = await _proven(call, delivery, body)
    parts = (delivery.credential_id, delivery.webhook_id, delivery.timestamp)
    key = sha256("\0".join(parts).encode("ascii") + b"\0" + body).digest()
    seen = call.request.app[SEEN]
    if seen.has(key, now_s):
        raise Refused(Code.REPLAYED, f"delivery {delivery.webhook_id} arrived before")
    call.request.app[PACE].take(credential.id)  # no replay by others is counted
    check_scope(credential, frozenset({Scope.SUBMIT}))
    bodies.check_media_type(call.request)
    value = without_unused(bodies.as_object(body, call.deps.limits))
    form = bodies.validate(JobForm, value)
    signed = Call(request=call.request, deps=call.deps, credential=credential)
    response = await jobs.accept(signed, form, key=f"webhook:{delivery.webhook_id}", raw=body)
    if response.status in _SETTLED:
        seen.add(key, now_s)
    return response


def _delivery(headers: Mapping[str, str], now_s: float) -> Delivery:
    """What the headers say, where a secret could have signed it now: before any body is awaited.

    Raises:
        Refused: ``unauthenticated`` for every failure alike.
    """
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    credential_id = headers.get(AGENT, "")
    given = headers.get("webhook-signature", "").split(" ")
    is_formed = (
        _ID.fullmatch(webhook_id)
        and _STAMP.fullmatch(timestamp)
        and _CREDENTIAL.fullmatch(credential_id)
        and len(given) <= _MAX_SIGNATURES
        and abs(now_s - int(timestamp)) <= WINDOW_S
    )
    signatures = tuple(filter(_is_mac, map(_decoded, given))) if is_formed else ()
    if not signatures:
        raise _unsigned()
    return Delivery(
        webhook_id=webhook_id,
        timestamp=timestamp,
        signatures=signatures,
        credential_id=credential_id,
    )


def _is_mac(signature: bytes) -> bool:
    return len(signature) == sha256().digest_size


def _decoded(signature: str) -> bytes:
    """The bytes of a v1 signature; nothing for another version or a text that is none."""
    version, _, value = signature.partition(",")
    if version != "v1" or not value.isascii():
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b""


async def _proven(call: OpenCall, delivery: Delivery, body: bytes) -> Credential:
    """The credential whose secret signed this delivery; the ledger is asked only where one did.

    Raises:
        Refused: ``unauthenticated`` for every failure alike.
    """
    store = call.deps.webhook_secrets
    secret = store.lookup(delivery.credential_id) if store else None
    wanted = _mac(secret or b"", delivery.webhook_id, delivery.timestamp, body)
    is_signed = any(hmac.compare_digest(given, wanted) for given in delivery.signatures)
    if not (secret and is_signed):
        raise _unsigned()
    credential = await call.deps.reader.credential(delivery.credential_id)
    if credential is None or credential.revoked_at is not None:
        raise _unsigned()
    if credential.tenant != call.deps.service.tenant:
        raise _unsigned()
    return credential


def _unsigned() -> Refused:
    return Refused(
        Code.UNAUTHENTICATED,
        "webhook-id, webhook-timestamp, webhook-signature and webhook-agent do not prove a sender",
    )
