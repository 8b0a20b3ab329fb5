"""One authenticated call.

Lives here: the call as a value, what its caller may see, and answers as JSON. Must not live here:
routes and their meaning. Law: what a caller may not see does not exist for it: 404, never 403.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel

from bot.api import bodies
from bot.api.deps import ApiDeps
from governance.canonical import Json
from governance.errors import Code, Refused
from governance.json_text import to_text
from governance.principal import Agent, AgentId, Credential, PersonId, Scope
from governance.tickets.ticket import Ticket, TicketId

M = TypeVar("M", bound=BaseModel)

JSON_TYPE = "application/json; charset=utf-8"
_GENERATED = "cordum-sdk-python/"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """A call that proves no identity by a bearer token."""

    request: web.Request
    deps: ApiDeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(OpenCall):
    """A call of the holder of ``credential``."""

    credential: Credential

    @property
    def agent(self) -> Agent:
        """The agent that calls.

        Raises:
            Refused: ``forbidden``: the credential is no agent's.
        """
        if self.credential.agent is None:
            raise Refused(Code.FORBIDDEN, "this needs the credential of an agent")
        return self.credential.agent

    @property
    def person(self) -> PersonId:
        """The person who calls.

        Raises:
            Refused: ``forbidden``: the credential is no person's.
        """
        if self.credential.person is None:
            raise Refused(Code.FORBIDDEN, "this needs the credential of a person")
        return self.credential.person

    @property
    def confined_to(self) -> AgentId | None:
        """The agent whose tickets alone this caller sees; None: it sees its whole tenant."""
        who = self.credential
        if who.person is not None or who.agent is None or Scope.ADMIN in who.scopes:
            return None
        return who.agent.id

    @property
    def is_generated(self) -> bool:
        """Whether a published generated client asks, which parses some answers more narrowly."""
        return self.request.headers.get("User-Agent", "").startswith(_GENERATED)

    @property
    def is_stock(self) -> bool:
        """Whether a client may ask that knows no constraints: all published ones send X-API-Key."""
        return self.is_generated or "Authorization" not in self.request.headers

    async def body(self, model: type[M]) -> M:
        """The body as ``model``; no body at all is an empty object.

        Raises:
            InvalidInput, HttpRefused: see ``bodies``.
        """
        value = await bodies.read_object(self.request, self.deps.limits)
        return bodies.validate(model, value)

    async def ticket(self) -> Ticket:
        """The ticket that the path names.

        Raises:
            Refused: ``not_found``, also for a ticket that this caller may not see.
        """
        name = bodies.path_id(self.request)
        if not name:
            raise Refused(Code.NOT_FOUND, "no ticket by that name")
        return self.visible(await self.deps.service.ticket(TicketId(name)))

    def visible(self, ticket: Ticket) -> Ticket:
        """``ticket``, where this caller may see it.

        Raises:
            Refused: ``not_found``.
        """
        if self.confined_to not in (None, ticket.ask.agent):
            raise Refused(Code.NOT_FOUND, f"no ticket {ticket.id}")
        return ticket


def answer(
    body: BaseModel | Mapping[str, Json] | list[Json],
    *,
    status: int = 200,
    trace_id: str = "",
) -> web.Response:
    """``body`` as JSON, numbers as they were written."""
    value = body.model_dump() if isinstance(body, BaseModel) else body
    headers = {"Content-Type": JSON_TYPE}
    if trace_id:
        headers["X-Trace-Id"] = trace_id
    return web.Response(body=_json(value), status=status, headers=headers)


def _json(value: Json) -> bytes:
    """Quickly where every number is a plain one, else digit for digit as it was written."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return to_text(value).encode("utf-8")
