"""Reading what a request carries.

Lives here: bodies, queries and path names from bytes to typed values. Must not live here: what
they mean. Law: numbers stay exact, ambiguous JSON is refused, and whatever is malformed is
answered 4xx with a code and a pointer before anything is decided.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import TypeVar

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from bot.api.deps import Limits
from bot.api.problems import HttpRefused, Problem
from bot.http import BODY_TIMEOUT, UNSUPPORTED_MEDIA_TYPE, is_encoded
from governance.canonical import Json, parse
from governance.errors import Code, InvalidInput

M = TypeVar("M", bound=BaseModel)

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json")
_DURATION = re.compile(r"([0-9]{1,6})(ms|s|m)?")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0}
_TICKET_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_WHOLE = re.compile(r"[0-9]{1,6}")
_NUMBER = re.compile(r"[0-9]{1,18}")


async def read_bytes(request: web.Request, limits: Limits) -> bytes:
    """The body, bounded in size and time.

    Raises:
        InvalidInput: ``too_large``, ``invalid_json`` for a body that broke off.
        HttpRefused: 408, or 415 for a compressed body.
    """
    if is_encoded(request):
        raise _unsupported("a compressed body is not read")
    if (request.content_length or 0) > limits.max_body_bytes:
        raise _too_large(limits)
    try:
        if request.content.is_eof():  # it came with its head, as most do: nothing is waited for
            return _bounded(request.content.read_nowait(), limits)
        async with asyncio.timeout(limits.body_timeout_s):
            return await request.read()
    except TimeoutError as error:
        problem = Problem(code=BODY_TIMEOUT, message="the body did not arrive in time", status=408)
        raise HttpRefused(problem) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large(limits) from error
    except (ClientError, HttpProcessingError, web.PayloadAccessError, EOFError) as error:
        raise InvalidInput(Code.INVALID_JSON, "the body broke off") from error


def _bounded(body: bytes, limits: Limits) -> bytes:
    if len(body) > limits.max_body_bytes:
        raise _too_large(limits)
    return body


async def read_object(request: web.Request, limits: Limits) -> Mapping[str, Json]:
    """The body as a JSON object; an empty body is an empty object.

    Raises:
        InvalidInput: what ``canonical.parse`` refuses, or another kind of value.
        HttpRefused: 408 or 415.
    """
    return as_object(await read_json(request, limits), limits)


async def read_json(request: web.Request, limits: Limits) -> bytes:
    """The bytes of a body that says that it is JSON; those of an empty object where it is empty.

    Raises:
        InvalidInput, HttpRefused: see ``read_bytes``; 415.
    """
    raw = await read_bytes(request, limits)
    if not raw.strip():
        return b"{}"
    check_media_type(request)
    return raw


def check_media_type(request: web.Request) -> None:
    """A body must say that it is JSON: no browser form can, so none can forge a call.

    Raises:
        HttpRefused: 415.
    """
    if request.headers.get("Content-Type") == "application/json":
        return
    charset = (request.charset or "utf-8").lower()
    if not _JSON_TYPE.fullmatch(request.content_type.lower()) or charset not in ("utf-8", "utf8"):
        raise _unsupported("a body is application/json in UTF-8")


def as_object(raw: bytes, limits: Limits) -> Mapping[str, Json]:
    """Strict JSON whose top is an object.

    Raises:
        InvalidInput: see ``read_object``.
    """
    value = parse(raw, max_bytes=limits.max_body_bytes)
    if not isinstance(value, Mapping):
        raise InvalidInput(Code.INVALID_FIELD, "the body is a JSON object")
    return value


def _unsupported(message: str) -> HttpRefused:
    return HttpRefused(Problem(code=UNSUPPORTED_MEDIA_TYPE, message=message, status=415))


def _too_large(limits: Limits) -> InvalidInput:
    return InvalidInput(
        Code.TOO_LARGE,
        f"at most {limits.max_body_bytes} bytes are read: send a reference to more",
    )


def present(value: Mapping[str, Json]) -> Mapping[str, Json]:
    """``value`` without the keys whose value is null: they count as absent."""
    if None not in value.values():
        return value
    return {key: item for key, item in value.items() if item is not None}


def validate(model: type[M], value: Mapping[str, Json]) -> M:
    """``value`` as ``model``; a key whose value is null counts as absent.

    Raises:
        InvalidInput: ``invalid_field`` with a pointer to the first that does not fit.
    """
    try:
        return model.model_validate(present(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "".join("/" + _escape(str(part)) for part in first["loc"])
        message = _SENTENCES.get(first["type"], first["msg"])
        raise InvalidInput(Code.INVALID_FIELD, message, pointer=place) from None


_SENTENCES = {
    "extra_forbidden": "this key is not known here",
    "missing": "this key is missing",
    "string_pattern_mismatch": "this text has characters or a length that are not allowed here",
}


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def path_id(request: web.Request) -> str:
    """The id in the path; empty where it can name nothing."""
    name = request.match_info.get("id", "")
    return name if _TICKET_ID.fullmatch(name) else ""


def query_text(request: web.Request, name: str, *, max_chars: int = 256) -> str:
    """A text of the query; empty where it is absent.

    Raises:
        InvalidInput: given twice, too long, or not printable.
    """
    values = request.query.getall(name, [])
    if len(values) > 1 or any(len(v) > max_chars or not v.isprintable() for v in values):
        raise _bad_query(name, "give it once, printable and short")
    return values[0] if values else ""


def query_whole(request: web.Request, name: str, *, default: int, most: int) -> int:
    """A whole number of the query, from 1 to ``most`` (more is cut to that).

    Raises:
        InvalidInput: it is no such number.
    """
    text = query_text(request, name)
    if not text:
        return default
    if not _WHOLE.fullmatch(text) or not int(text):
        raise _bad_query(name, "a whole number from 1")
    return min(int(text), most)


def query_number(request: web.Request, name: str, *, default: int | None = None) -> int:
    """A number of the query, from 0, such as a place in the log.

    Raises:
        InvalidInput: it is no such number, or is absent and has no ``default``.
    """
    text = query_text(request, name)
    if not text and default is not None:
        return default
    if not _NUMBER.fullmatch(text):
        raise _bad_query(name, "a number from 0")
    return int(text)


def query_flag(request: web.Request, name: str, *, default: bool) -> bool:
    """true or false.

    Raises:
        InvalidInput: another word.
    """
    words = {"": default, "true": True, "1": True, "false": False, "0": False}
    text = query_text(request, name).lower()
    if text not in words:
        raise _bad_query(name, "true or false")
    return words[text]


def query_wait_s(request: web.Request, *, most: float) -> float:
    """``wait`` in seconds: 30s, 500ms, 1m, or a bare number of seconds; at most ``most``.

    Raises:
        InvalidInput: another form.
    """
    text = query_text(request, "wait")
    if not text:
        return 0.0
    found = _DURATION.fullmatch(text)
    if found is None:
        raise _bad_query("wait", "a duration such as 30s")
    return min(int(found[1]) * _UNIT_S[found[2] or "s"], most)


def _bad_query(name: str, wanted: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_FIELD, f"query {name}: {wanted}", pointer=f"/query/{name}")
