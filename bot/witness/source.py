"""Where a witness and the holder of a receipt get what a log shows: its REST door, or files.

Lives here: asking, with bounds on size, time and form. Must not live here: believing any of it.
Law: what comes is text of bounded size; a redirect is not followed, so that a token goes only where
it was meant to go; a token goes over TLS or stays on this machine.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import IO, Protocol
from urllib.parse import quote, urlsplit

from governance.errors import Code, InvalidInput, Unavailable
from governance.note_keys import unbase64

MOST_BYTES = 16_777_216
_TIMEOUT_S = 30.0
_LATER = (429, 500, 502, 503, 504)
_HERE = ("127.0.0.1", "::1", "localhost")


class Source(Protocol):
    """What a log shows of itself."""

    def checkpoint(self) -> str:
        """Its newest checkpoint."""
        ...

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """A proof that it grew from ``old`` to ``new`` events."""
        ...

    def publish(self, note: str) -> None:
        """Give it a cosigned checkpoint."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The REST door of a ``placet serve``."""

    url: str
    token: str

    def __post_init__(self) -> None:
        """Refuse an address to which a token must not go."""
        parts = urlsplit(self.url)
        is_here = parts.scheme == "http" and parts.hostname in _HERE
        if not parts.hostname or not (parts.scheme == "https" or is_here):
            raise InvalidInput(
                Code.INVALID_FIELD, "the address is https://..., or http:// on this machine"
            )
        if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise InvalidInput(Code.INVALID_FIELD, "the token is one printable word")

    def checkpoint(self) -> str:
        """See ``Source``; so are the other methods."""
        return _text(self.get("audit/checkpoint").get("note"))

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        told = self.get(f"audit/proof/consistency?from={old}&to={new}").get("hashes")
        if not isinstance(told, list):
            raise _nonsense("no list of hashes")
        return tuple(unbase64(_text(item)) for item in told)

    def publish(self, note: str) -> None:
        self._ask("audit/cosignatures", json.dumps({"checkpoint": note}).encode())

    def receipt(self, name: str) -> str:
        """A receipt: of an event by its number, or of a job by its id."""
        is_number = name.isascii() and name.isdecimal()
        path = f"audit/receipts/{name}" if is_number else f"jobs/{quote(name, '')}/receipt"
        return json.dumps(self.get(path), indent=1, ensure_ascii=False) + "\n"

    def get(self, path: str) -> Mapping[str, object]:
        """An answer as a JSON object.

        Raises:
            InvalidInput: it refused, with its own words.
            Unavailable: it could not be asked, or answered nonsense.
        """
        return self._ask(path, None)

    def _ask(self, path: str, body: bytes | None) -> Mapping[str, object]:
        request = urllib.request.Request(  # noqa: S310  # https, or this machine: checked above
            f"{self.url.rstrip('/')}/api/v1/{path}",
            data=body,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
                raw = _bounded(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error.code, error.read(65_536)) from error
        except (OSError, HTTPException, ValueError) as error:
            why = type(error).__name__
            raise Unavailable(Code.NOT_READY, f"{self.url} cannot be asked ({why})") from error
        return _object(raw)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nothing: the answer is then the refusal that it is."""


_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def _bounded(answer: IO[bytes]) -> bytes:
    raw = answer.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise _nonsense(f"more than {MOST_BYTES} bytes")
    return raw


def _object(raw: bytes) -> Mapping[str, object]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _nonsense("no JSON") from error
    if not isinstance(told, dict):
        raise _nonsense("no JSON object")
    return told


def _refused(status: int, raw: bytes) -> InvalidInput | Unavailable:
    try:
        told = _object(raw)
    except Unavailable:
        told = {}
    code, message = str(told.get("code", "")), str(told.get("error", ""))[:500]
    said = f"HTTP {status} {code}: {message}"
    if status in _LATER or not code:
        return Unavailable(Code.NOT_READY, f"it answered {said}")
    return InvalidInput(
        Code(code) if code in tuple(Code) else Code.INVALID_FIELD, f"it answered {said}"
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _nonsense("no text")
    return value


def _nonsense(what: str) -> Unavailable:
    return Unavailable(Code.NOT_READY, f"it answered {what} where something else was expected")
