"""The HTTP server under the application.

Lives here: what aiohttp itself answers, before any handler of ours is reached. Must not live here:
routes, middleware. Law: bytes that are no HTTP get a bare 400 that repeats nothing of them, and no
answer names a version of what we run on.
"""

import logging
import secrets
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bot.api.middleware import put_seal
from bot.api.problems import IDS, Ids, Problem, answer_problem
from bot.http import INTERNAL_ERROR

_LOG = logging.getLogger("placet.api")
IDLE_S = 75.0
"""How long a connection is kept that asks nothing, or not to the end: longer than proxies keep
theirs, and no hour, in which whoever proves nothing could take every one."""
_LINGER_S = 1.0
"""How long an unread rest of a body is awaited before its connection is closed."""


class _Handler(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # holds what was sent: never used
    ) -> web.StreamResponse:
        """Answer what never reached the application; the connection is closed."""
        is_ours = status >= web.HTTPInternalServerError.status_code
        level = logging.ERROR if is_ours else logging.INFO
        _LOG.log(level, "no request: status=%d error=%s", status, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer is sent already")
        IDS.set(Ids(request_id=secrets.token_hex(8)))
        problem = Problem(
            code=INTERNAL_ERROR if is_ours else "http_error",
            message="the service failed" if is_ours else "this is not HTTP as it is read here",
            status=status,
        )
        response = answer_problem(problem)
        put_seal(response)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    __slots__ = ()

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        made.__class__ = _Server  # aiohttp has no option for the class of its connections
        inner = made.request_handler

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await inner(request)
            except web.HTTPExpectationFailed:  # raised before any middleware, and it echoes
                raise web.HTTPExpectationFailed(text="") from None

        made.request_handler = handle
        return made


def runner(app: web.Application, **more: Any) -> web.AppRunner:  # noqa: ANN401  # aiohttp's own
    """Serve ``app`` without access log, decompression, echoes or versions."""
    options = {
        "access_log": None,
        "auto_decompress": False,
        "keepalive_timeout": IDLE_S,
        "lingering_time": _LINGER_S,
    }
    return _Runner(app, **{**options, **more})
