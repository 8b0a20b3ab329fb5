"""What stands before Bolt: only whole, fresh, signed requests of our workspace come through.

Lives here: size, header syntax, age, signature, replays, form and JSON syntax, team and app.
Must not live here: HTTP servers, Bolt, what a request asks for. Law: whatever is not certainly
Slack's own is answered 4xx with a stable code and without a trace; nothing raises. Every request
carries an id of its own (trigger or event), so equal bytes are always a replay.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from urllib.parse import parse_qs

from bot.slack.payloads import is_shaped
from governance.errors import Code
from governance.ports import Clock

MAX_BODY_BYTES = 1_048_576
MAX_AGE_S = 300
REMEMBER = timedelta(seconds=2 * MAX_AGE_S)
"""A timestamp may lie 300 s ahead and is good for 300 s after that."""
MAX_REMEMBERED = 200_000
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{10}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_MAX_FIELDS = 50
_INTERACTIONS = frozenset(
    {
        "block_actions",
        "view_submission",
        "view_closed",
        "shortcut",
        "message_action",
        "block_suggestion",
    }
)

Headers = Mapping[str, Sequence[str]]
"""Header values by lower-case name, in the order in which they came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Whose requests are taken; ``enterprise_id`` empty: of no organisation."""

    team_id: str
    app_id: str
    enterprise_id: str = ""
    is_org_install: bool = False
    """Installed by the organisation: some payloads then name no workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A request that may be dispatched; ``key`` is its fingerprint."""

    key: str
    kind: Literal["event", "interaction", "command", "handshake"]
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The guard's own answer; ``code`` empty: a quiet 200."""

    status: int
    code: str = ""
    message: str = ""


Verdict = Passed | Answered
_QUIET = Answered(status=200)


def _bad(message: str, code: Code = Code.INVALID_FIELD, status: int = 400) -> Answered:
    return Answered(status=status, code=code.value, message=message)


def _unknown(message: str) -> Answered:
    return _bad(message, Code.UNAUTHENTICATED, 401)


class Guard:
    """The checks of one process; it remembers what it let through."""

    def __init__(self, *, signing_secret: str, clock: Clock, allowed: Allowed) -> None:
        self._secret = signing_secret.encode("utf-8")
        self._clock = clock
        self._allowed = allowed
        self._seen: dict[str, datetime] = {}

    def check(self, headers: Headers, body: bytes) -> Verdict:
        """Judge one HTTP request by its headers and raw body."""
        if len(body) > MAX_BODY_BYTES:
            return _bad(f"more than {MAX_BODY_BYTES} bytes", Code.TOO_LARGE, 413)
        if _is_ssl_check(headers, body):
            return _QUIET
        refusal = self._signature_problem(headers, body)
        if refusal is not None:
            return refusal
        parsed = _parse(headers, body)
        if isinstance(parsed, Answered):
            return parsed
        return self.check_payload(parsed, sha256(body).hexdigest())

    def check_payload(self, payload: Mapping[str, object], key: str) -> Verdict:
        """Judge a payload whose sender is known already (over a socket, or signed)."""
        kind = _kind(payload)
        if kind is None or not is_shaped(payload):
            return _bad("not a kind of request that Slack sends here")
        if not _is_text(payload):
            return _bad("a lone surrogate is not text", Code.INVALID_TEXT)
        if kind == "handshake":
            return Passed(key=key, kind=kind, payload=payload)
        if not self._is_ours(payload):
            return _bad("not of this workspace and app", Code.FOREIGN_TEAM, 403)
        if self._is_replay(key):
            return _QUIET
        if kind != "event":  # an event counts as seen once it was handled, so that a retry works
            self.remember(key)
        return Passed(key=key, kind=kind, payload=payload)

    def remember(self, key: str) -> None:
        """Take equal bytes for a replay from now on."""
        now = self._clock.now()
        if len(self._seen) >= MAX_REMEMBERED:
            self._seen = {old: at for old, at in self._seen.items() if now - at < REMEMBER}
        self._seen[key] = now

    def forget(self, key: str) -> None:
        """Take it once more if it comes again: nothing was done about it."""
        self._seen.pop(key, None)

    def _is_replay(self, key: str) -> bool:
        at = self._seen.get(key)
        return at is not None and self._clock.now() - at < REMEMBER

    def _signature_problem(self, headers: Headers, body: bytes) -> Answered | None:
        timestamp = _one(headers, "x-slack-request-timestamp")
        signature = _one(headers, "x-slack-signature")
        if timestamp is None or not _TIMESTAMP.fullmatch(timestamp):
            return _unknown("X-Slack-Request-Timestamp must be ten digits, once")
        if signature is None or not _SIGNATURE.fullmatch(signature):
            return _unknown("X-Slack-Signature must be v0= and 64 hex digits, once")
        age_s = self._clock.now().timestamp() - int(timestamp)
        if abs(age_s) > MAX_AGE_S:
            return _unknown(f"signed more than {MAX_AGE_S} seconds away from now")
        base = b"v0:" + timestamp.encode("ascii") + b":" + body
        expected = "v0=" + hmac.new(self._secret, base, sha256).hexdigest()
        if not self._secret.strip() or not hmac.compare_digest(expected, signature):
            return _unknown("the signature is not ours")
        return None

    def _is_ours(self, payload: Mapping[str, object]) -> bool:
        enterprise = _id_at(payload, "enterprise", "enterprise_id")
        if enterprise not in ("", self._allowed.enterprise_id):
            return False
        team = _id_at(payload, "team", "team_id")
        if team != self._allowed.team_id and not (not team and self._is_of_org(payload)):
            return False
        return payload.get("api_app_id") == self._allowed.app_id

    def _is_of_org(self, payload: Mapping[str, object]) -> bool:
        """Whether a payload without a workspace comes from our organisation's installation.

        That it names no other organisation is known already. Whose account acted is asked of Slack
        in any case.
        """
        allowed = self._allowed
        is_org = allowed.is_org_install and payload.get("is_enterprise_install") in (True, "true")
        return is_org and _id_at(payload, "enterprise", "enterprise_id") != ""


def _is_text(payload: Mapping[str, object]) -> bool:
    """Whether all of it can be written down: JSON can name halves of characters."""
    try:
        json.dumps(payload, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):  # UnicodeEncodeError is one
        return False
    return True


def _one(headers: Headers, name: str) -> str | None:
    found = headers.get(name, ())
    return found[0] if len(found) == 1 else None


def _content_type(headers: Headers) -> str:
    return (_one(headers, "content-type") or "").split(";", 1)[0].strip().lower()


def _is_ssl_check(headers: Headers, body: bytes) -> bool:
    """Slack looks at the certificate now and then, unsigned; it is answered and nothing more."""
    if _content_type(headers) != _FORM or len(body) > 500 or b"payload" in body:  # noqa: PLR2004
        return False
    return b"ssl_check=1" in body.split(b"&")


def _parse(headers: Headers, body: bytes) -> Mapping[str, object] | Answered:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return _bad("not UTF-8", Code.INVALID_TEXT)
    match _content_type(headers):
        case "application/json":
            return _object(text)
        case "application/x-www-form-urlencoded":
            return _form(text)
        case _:
            return _bad(f"Content-Type must be {_FORM} or {_JSON}")


def _form(text: str) -> Mapping[str, object] | Answered:
    # Bolt takes a form that looks like JSON for JSON; then it and we would read different things.
    if text.lstrip().startswith("{"):
        return _bad("this form is not a form")
    try:
        fields = parse_qs(
            text,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:  # UnicodeDecodeError is one
        return _bad("not a form")
    if any(len(values) > 1 for values in fields.values()):
        return _bad("a field stands twice")
    if "payload" in fields:
        return _object(fields["payload"][0])
    return {name: values[0] for name, values in fields.items()}


def _object(text: str) -> Mapping[str, object] | Answered:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return _bad("not JSON", Code.INVALID_JSON)
    if not isinstance(value, dict):
        return _bad("not a JSON object", Code.INVALID_JSON)
    return value


def _kind(
    payload: Mapping[str, object],
) -> Literal["event", "interaction", "command", "handshake"] | None:
    kind = payload.get("type")
    if kind == "url_verification":
        return "handshake" if isinstance(payload.get("challenge"), str) else None
    if kind == "event_callback":
        event = payload.get("event")
        known = isinstance(event, dict) and isinstance(event.get("type"), str)
        return "event" if known else None
    if isinstance(kind, str) and kind in _INTERACTIONS:
        return "interaction" if isinstance(payload.get("user"), dict) else None
    if kind is None and isinstance(payload.get("command"), str):
        return "command"
    return None


def _id_at(payload: Mapping[str, object], nested: str, flat: str) -> str:
    """An id as interactions (an object) or events and commands (a field) carry it."""
    value = payload.get(nested)
    if isinstance(value, dict):
        value = value.get("id")
    elif value is None:
        value = payload.get(flat)
    if value is None:
        return ""
    return value if isinstance(value, str) else "?"
