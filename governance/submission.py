"""A request on its way into the ledger.

Lives here: what was known of it before the transaction. Must not live here: how that was found out
(``preparation``), what becomes of it (``steps``). Law: it is a value; the step judges it anew
wherever the state that the transaction sees could say otherwise.
"""

from dataclasses import dataclass

from governance.action import ActionRequest, Digests
from governance.errors import PlacetError
from governance.making import quickly_made
from governance.policy.decision import Decision
from governance.policy.facts import Wanted
from governance.policy.model import Bundle
from governance.ports import AgentKey, IdempotencyKey
from governance.principal import Agent, Eligible
from governance.refusals import Limit
from governance.tickets._opening import ask_of
from governance.tickets.ticket import Ask, TicketId


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Everything about a request that was known before the transaction.

    With a ``bundle`` the decision is made anew on what the transaction sees of the past, and
    ``eligible`` are the people of every tier that could be asked for (or ``unresolved`` says why
    nobody knows them).
    """

    ticket_id: TicketId
    request: ActionRequest
    agent: Agent
    decision: Decision
    content: bytes
    content_digest: str
    eligible: Eligible
    max_pending: int
    max_pending_per_agent: int = 20
    bundle: Bundle | None = None
    unresolved: PlacetError | None = None
    refusals_in_full: int = 5
    refusal_window_s: int = 60
    digests: Digests | None = None

    @property
    def limit(self) -> Limit:
        """Whose refusals are counted together, and how many are recorded."""
        return Limit(
            tenant=self.request.tenant,
            agent=self.agent.id,
            in_full=self.refusals_in_full,
            window_s=self.refusal_window_s,
        )

    @property
    def wanted(self) -> Wanted | None:
        """What of the past must be looked up."""
        return None if self.bundle is None else self.bundle.lookback.wanted_for(self.request)

    @property
    def idempotency(self) -> IdempotencyKey:
        """The key under which a repeat is recognised."""
        return (self.request.tenant, self.agent.id, self.request.idempotency_key)

    @property
    def asker(self) -> AgentKey:
        """Whose pending tickets are counted."""
        return (self.request.tenant, self.agent.id)

    def ask(self, decision: Decision) -> Ask:
        """What the log keeps of the request, as ``decision`` took it."""
        content, digests = self.content_digest, self.digests
        return ask_of(self.request, self.agent, decision, content=content, digests=digests)
