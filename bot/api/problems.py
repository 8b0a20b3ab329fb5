"""Refusals as JSON answers.

Lives here: the one form of an error answer. Must not live here: which code has which status
(``bot.replies``). Law: an answer names a stable code and a place, never what stood there.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from aiohttp import web

from bot.api.leaks import safe_pointer
from bot.replies import reply_for
from governance.canonical import Json
from governance.errors import Code, PlacetError
from governance.json_text import to_text

MAX_POINTER_CHARS = 200
_RETRY_AFTER_S = 1
_BACKLOG_RETRY_S = 30
_CAN_PASS = (429, 503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """What a request is called: the trace it belongs to, and its own id."""

    trace_id: str = ""
    request_id: str = ""


IDS: ContextVar[Ids] = ContextVar("placet_request_ids", default=Ids())  # noqa: B039  # immutable
"""The ids of the request that this task answers; the middleware sets them before all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error answer; ``code`` is a ``Code`` or one of HTTP's own refusals below."""

    code: str
    message: str
    status: int
    pointer: str = ""
    details: Mapping[str, Json] | None = None
    retry_after_s: int = 0
    extra: Mapping[str, Json] | None = None


class HttpRefused(Exception):
    """A refusal that only HTTP knows: 405, 408, 415, and 429 for a credential's pace."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def problem_of(error: PlacetError) -> Problem:
    """The answer to a refusal of the core."""
    status = reply_for(error.code).status
    wait = 0
    if status in _CAN_PASS:
        wait = _BACKLOG_RETRY_S if error.code is Code.QUEUE_FULL else _RETRY_AFTER_S
        asked = error.details.get("retry_after_s")
        wait = asked if isinstance(asked, int) else wait
    return Problem(
        code=error.code.value,
        message=error.message,
        status=status,
        pointer=error.pointer,
        details=error.details or None,
        retry_after_s=wait,
    )


def answer_problem(problem: Problem) -> web.Response:
    """``problem`` as a response."""
    body: dict[str, Json] = {
        "error": problem.message,
        "code": problem.code,
        "status": problem.status,
        "request_id": IDS.get().request_id,
    }
    if problem.pointer:
        body["pointer"] = safe_pointer(problem.pointer)[:MAX_POINTER_CHARS]
    if problem.details:
        body["details"] = dict(problem.details)
    body |= dict(problem.extra or {})
    response = web.Response(
        text=to_text(body), status=problem.status, content_type="application/json"
    )
    if problem.retry_after_s:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = 'Bearer realm="placet"'
    return response
