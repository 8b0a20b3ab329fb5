"""What surrounds every request: ids, security headers, and errors as JSON.

Lives here: the outermost handler. Must not live here: any knowledge of jobs or tickets.
Law: no stack trace and no body ever leaves; malformed input is refused before this safety net,
which answers ``internal_error`` for our own faults alone.
"""

import logging
import re
import traceback
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.api.leaks import issued
from bot.api.problems import (
    IDS,
    HttpRefused,
    Ids,
    Problem,
    answer_problem,
    problem_of,
)
from bot.http import INTERNAL_ERROR, METHOD_NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE
from bot.ids import RandomIds
from bot.replies import reply_for
from governance.errors import Code, InvalidInput, PlacetError

_LOG = logging.getLogger("placet.api")
_RANDOM = RandomIds()
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_HTTP_CODES = {405: METHOD_NOT_ALLOWED, 415: UNSUPPORTED_MEDIA_TYPE}
_ONCE = (
    *("Authorization", "X-API-Key", "X-Tenant-ID", "X-Cordum-Tenant"),
    *("Idempotency-Key", "X-Idempotency-Key"),
    *("webhook-agent", "webhook-id", "webhook-timestamp", "webhook-signature"),
)
"""By these somebody is known: of two, whoever stands before us may have looked at another."""
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def trace_id_of(headers: Mapping[str, str]) -> str:
    """The trace that a request belongs to: traceparent, else X-Trace-Id; empty where neither is
    well formed.

    Source: W3C Trace Context, section 3.2.
    """
    parent = headers.get("traceparent")
    found = _TRACEPARENT.fullmatch(parent) if parent else None
    if found and found[0][:2] != "ff" and int(found[1], 16) and int(found[2], 16):
        return found[1]
    named = headers.get("X-Trace-Id", "")
    return named if is_trace_id(named) else ""


def is_trace_id(text: str) -> bool:
    """Whether ``text`` may name a trace."""
    return _is_name(text)


def _is_name(text: str) -> bool:
    """Names are kept, logged and sent back: a token that strayed into one is none."""
    return _NAME.fullmatch(text) is not None and not issued(text)


@web.middleware
async def outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its ids, and make every failure an answer."""
    asked = request.headers.get("X-Request-Id", "")
    ids = Ids(
        trace_id=trace_id_of(request.headers) or _RANDOM.trace(),
        request_id=asked if _is_name(asked) else _RANDOM.short(),
    )
    IDS.set(ids)
    try:
        _check_once(request)
        return await handler(request)
    except PlacetError as error:
        return answer_problem(problem_of(error))
    except HttpRefused as refused:
        return answer_problem(refused.problem)
    except web.HTTPException as error:
        return _of_http(error)
    except Exception as error:  # noqa: BLE001  # the top handler: our own fault, said without detail
        _log_fault(request, ids, error)
        problem = Problem(
            code=INTERNAL_ERROR, message="the service failed; nothing is known of it", status=500
        )
        return answer_problem(problem)


def _check_once(request: web.Request) -> None:
    for name in _ONCE:
        if name in request.headers and len(request.headers.getall(name)) > 1:
            message = f"header {name} stands more than once"
            raise InvalidInput(Code.INVALID_FIELD, message, pointer=f"/{name}")


def _log_fault(request: web.Request, ids: Ids, error: Exception) -> None:
    """Where it failed, without the error's text, which may hold what a client sent."""
    resource = request.match_info.route.resource
    _LOG.error(
        "request failed: %s %s request_id=%s error=%s\n%s",
        request.method,
        resource.canonical if resource else "",
        ids.request_id,
        type(error).__name__,
        "".join(traceback.format_tb(error.__traceback__)),
    )


def _of_http(error: web.HTTPException) -> web.StreamResponse:
    if error.status < web.HTTPBadRequest.status_code:
        raise error
    by_status = {
        401: Code.UNAUTHENTICATED,
        403: Code.FORBIDDEN,
        404: Code.NOT_FOUND,
        413: Code.TOO_LARGE,
    }
    code = by_status.get(error.status)
    if code is not None:
        status, name = reply_for(code).status, code.value
    else:
        status, name = error.status, _HTTP_CODES.get(error.status, "http_error")
    response = answer_problem(Problem(code=name, message=error.reason, status=status))
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


async def seal(_request: web.Request, response: web.StreamResponse) -> None:
    """Put ids and security headers on every answer, whoever made it."""
    put_seal(response)


def put_seal(response: web.StreamResponse) -> None:
    """The same, where no request was understood."""
    for name, value in _SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "placet"
    response.headers.setdefault("X-Trace-Id", IDS.get().trace_id)
    response.headers["X-Request-Id"] = IDS.get().request_id
