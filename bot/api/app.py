"""The HTTP application.

Lives here: the one place where routes, middleware and limits meet. Must not live here: handlers,
or anything of Slack (its route is handed in). Law: no route of ours is mounted but from the table,
and each that is not open checks its credential and scope before its handler is entered.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.api import auth
from bot.api.calls import Call, OpenCall, answer
from bot.api.deps import ApiDeps
from bot.api.described import OpenRoute, Route
from bot.api.explaining import SIMULATIONS
from bot.api.jobs import WAITING, Waiting
from bot.api.middleware import outermost, seal
from bot.api.openapi import document
from bot.api.pace import PACE, Pace
from bot.api.routes import OPEN_ROUTES, OPENAPI, ROUTES
from bot.api.webhooks import SEEN, Seen
from bot.candidate import Simulations


def build_api(deps: ApiDeps) -> web.Application:
    """The application, ready to be served; it owns nothing that must be closed."""
    app = web.Application(middlewares=[outermost], client_max_size=deps.limits.max_body_bytes)
    app[WAITING] = waiting = Waiting()
    app[SEEN] = Seen()
    app[SIMULATIONS] = Simulations()
    app[PACE] = pace = Pace(deps.limits.requests_per_s)
    known = auth.Credentials(deps.reader)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _guarded(route, deps, known, pace))
    for open_route in OPEN_ROUTES:
        app.router.add_route(open_route.method, open_route.path, _open(open_route, deps))
    app.router.add_route("GET", OPENAPI, _document)
    app.router.add_routes(deps.routes)
    app.on_response_prepare.append(seal)
    app.on_shutdown.append(waiting.close)
    return app


def _guarded(route: Route, deps: ApiDeps, known: auth.Credentials, pace: Pace) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        who = await auth.authenticate(request.headers, known, deps.service.tenant)
        pace.take(who.id)
        auth.check_scope(who, route.scopes)
        return await route.handler(Call(request=request, deps=deps, credential=who))

    return handle


def _open(route: OpenRoute, deps: ApiDeps) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await route.handler(OpenCall(request=request, deps=deps))

    return handle


async def _document(_request: web.Request) -> web.Response:
    return answer(document())
