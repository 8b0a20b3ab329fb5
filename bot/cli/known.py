"""Whether what a command line names is on record.

Lives here: agents, traces and tenants that a ledger has seen, environments of its bundle. Must not
live here: tickets (``ticket_of``), what a name may look like. Law: a name that nothing on record
bears is refused with the nearest one that is known, before anything is done or told; a slip of the
finger is never an empty answer, and never a hold that covers nothing.
"""

from difflib import get_close_matches
from typing import TYPE_CHECKING

from governance.errors import Code, InvalidInput, Refused
from governance.policy.matching import fold
from governance.ports import TicketQuery
from governance.principal import BREAK_GLASS, AgentId, Credential, TenantId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from governance.policy.model import Bundle
    from governance.ports import Reader

_FIRST = 100
"""Of the log's first records, which register keys and activate a bundle, so many are asked."""


async def check_agent(reader: "Reader", tenant: TenantId, name: str, *, hint: str = "") -> None:
    """Go on only where a credential or a ticket of ``tenant`` is of this agent.

    Raises:
        Refused: ``not_found``.
    """
    credentials = [one for one in await reader.credentials() if one.tenant == tenant]
    known = {one.agent.id for one in credentials if one.agent is not None} | {BREAK_GLASS}
    if name in known:
        return
    query = TicketQuery(tenant=tenant, agent=AgentId(name), limit=1)
    if not await reader.tickets(query):
        text = f"no credential and no ticket of tenant {tenant} is of an agent {name}"
        raise Refused(Code.NOT_FOUND, text + _nearest(name, known) + hint, pointer="/agent")


async def check_trace(reader: "Reader", tenant: TenantId, name: str, *, hint: str = "") -> None:
    """Go on only where a record of ``tenant`` is of this trace.

    Raises:
        Refused: ``not_found``.
    """
    if any(one.header.tenant == tenant for one in await reader.timeline(name)):
        return
    upto = (await reader.control()).detached_upto
    where = f" after {upto}, up to which records are detached" if upto else ""
    text = f"no record of tenant {tenant}{where} is of a trace {name}"
    raise Refused(Code.NOT_FOUND, text + hint, pointer="/trace")


async def check_tenant(reader: "Reader", tenant: TenantId, *, hint: str = "") -> None:
    """Go on only where the ledger has seen ``tenant``, which ``PLACET_TENANT`` names.

    Raises:
        Refused: ``not_found``.
    """
    known: set[str] = {one.tenant for one in await reader.credentials()}
    known |= {one.header.tenant for one in await reader.records(0, _FIRST)}
    if tenant in known or await reader.tickets(TicketQuery(tenant=tenant, limit=1)):
        return
    text = f"nothing on record is of tenant {tenant}, which PLACET_TENANT names"
    raise Refused(Code.NOT_FOUND, text + _nearest(tenant, known) + hint, pointer="/tenant")


async def oddities(reader: "Reader", credential: Credential) -> list[str]:
    """What a new credential names that nothing bears yet; it may be meant so."""
    found = []
    if (await reader.head())[0]:
        try:
            await check_tenant(reader, credential.tenant)
        except Refused as refusal:
            found.append(f"Careful: {refusal.message}")
    bundle = await _active(reader)
    if bundle is not None and credential.agent is not None:
        gates = bundle.environments.keys()
        for name in credential.agent.environments:
            if not fold([name]) <= gates:
                text = f"Careful: the active bundle has no environment {name}, so it counts as prod"
                found.append(text + _nearest(name, gates))
    return found


async def _active(reader: "Reader") -> "Bundle | None":
    from bot.replay import load_text

    activation = (await reader.control()).activation
    raw = await reader.content(activation.content_digest) if activation else None
    try:
        return None if raw is None else load_text(raw)
    except InvalidInput:
        return None  # a text of another version: there is nothing to compare with


def _nearest(name: str, known: "Iterable[str]") -> str:
    found = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
