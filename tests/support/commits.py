"""Steps for ledger tests: commit given events, and read a log back whole."""

from governance.audit import Event
from governance.ports import Committed, Keys, Ledger, Logged, Reader, Result, State, Step
from governance.principal import TenantId
from governance.retention_events import ContentErased
from governance.tickets.ticket import TicketId


def appending(*events: Event, reply: str = "ok") -> Step[str]:
    """A step that commits these events whatever the state."""

    def step(_: State) -> Result[str]:
        return Result(reply=reply, events=events)

    return step


async def append(ledger: Ledger, *events: Event) -> Committed[str]:
    """Commit these events in one step."""
    return await ledger.commit(Keys(), appending(*events))


async def erase(ledger: Ledger, digest: str) -> None:
    """Erase a content as its event does, whatever law would say."""
    event = ContentErased(tenant=TenantId("acme"), actor="a", digest=digest, reason="a test")
    await append(ledger, event)


async def whole(reader: Reader) -> list[Logged]:
    """Every record."""
    found: list[Logged] = []
    while more := await reader.records(found[-1].seq if found else 0, 500):
        found += more
    return found


def naming(*tickets: str) -> Keys:
    """Keys for these tickets."""
    return Keys(tickets=tuple(TicketId(name) for name in tickets))
