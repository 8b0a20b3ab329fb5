"""One authenticated call.

Lives here: the call as a value, its ticket, and answers as JSON. Must not live here: routes and
their meaning, what a caller may see (``sight``). Law: what a caller may not see does not exist for
it: 404, never 403.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel

from bot.api import bodies
from bot.api.deps import ApiDeps
from bot.api.sight import Sight, confined_to, shown, sight_of
from governance.canonical import Json
from governance.errors import Code, Refused
from governance.json_text import to_text
from governance.ports import Logged
from governance.principal import Agent, AgentId, Credential, PersonId
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
        """The agent whose tickets alone this caller sees; None: it is no agent alone."""
        return confined_to(self.credential)

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

    async def sight(self) -> Sight:
        """What this caller may see now.

        Raises:
            Refused, Unavailable: the person's account may see nothing, or could not be looked up.
        """
        return await sight_of(self.credential, self.deps.service)

    async def ticket(self) -> Ticket:
        """The ticket that the path names, to be told of.

        Raises:
            Refused: ``not_found``, also for a ticket that this caller may not see.
            Refused, Unavailable: as ``sight``, whatever ticket was named.
        """
        return await self.visible(TicketId(bodies.path_id(self.request)))

    async def visible(self, ticket_id: TicketId) -> Ticket:
        """A ticket, where this caller may see it.

        Raises:
            Refused, Unavailable: as ``ticket``.
        """
        sight = await self.sight()  # before it is known whether there is such a ticket
        ticket = await self._named(ticket_id)
        if not sight.covers(ticket):
            raise _no_such(ticket_id)
        return ticket

    async def seen(self, records: Iterable[Logged]) -> list[Logged]:
        """Those of ``records`` that this caller may see; of another tenant none.

        Raises:
            Refused, Unavailable: as ``sight``.
        """
        own = (one for one in records if one.header.tenant == self.deps.service.tenant)
        return await shown(await self.sight(), own, self.deps.reader)

    async def addressed(self) -> Ticket:
        """The ticket that the path names, to be acted on by whom it is shown to or not.

        A person's act has an answer and a record of its own where it does not count (``wrong_role``
        and its like); an agent is still told of none but its own.

        Raises:
            Refused: ``not_found``.
        """
        ticket = await self._named(TicketId(bodies.path_id(self.request)))
        if self.confined_to not in (None, ticket.ask.agent):
            raise _no_such(ticket.id)
        return ticket

    async def _named(self, ticket_id: TicketId) -> Ticket:
        if not ticket_id:
            raise Refused(Code.NOT_FOUND, "no ticket by that name")
        return await self.deps.service.ticket(ticket_id)


def _no_such(ticket_id: TicketId) -> Refused:
    return Refused(Code.NOT_FOUND, f"no ticket {ticket_id}")


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
