"""What a route is.

Lives here: a route as a value, and what each query parameter means. Must not live here: the routes
(``routes``), handlers. Law: whatever the published document says of a route is in that value.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from bot.api.calls import Call, OpenCall
from governance.principal import Scope

BASE = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the published document says of a route."""

    method: str
    path: str
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    is_list: bool = False
    query: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Described):
    """A route for the holder of a credential with one of ``scopes``."""

    handler: Callable[[Call], Awaitable[web.Response]]
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoute(Described):
    """A route that asks for no bearer token."""

    handler: Callable[[OpenCall], Awaitable[web.Response]]


QUERY = {
    "agent": "only this agent's",
    "cursor": "next_cursor of the page before",
    "from": "size of the older tree",
    "include_resolved": "true: also what is decided already; default false",
    "limit": "how many at most",
    "seq": "number of the event, from 1",
    "size": "size of the tree; the newest checkpoint's when left out",
    "state": "only jobs in this state of the wire",
    "tenant": "only this tenant's; another than the credential's finds nothing",
    "to": "size of the newer tree; the newest checkpoint's when left out",
    "topic": "only this topic, exactly",
    "trace_id": "only this trace",
    "wait": "wait until there is something to do, at most so long: 30s, 500ms, 1m",
}
"""What each query parameter means."""
