"""Refusals that come in floods: the first of a window in full, the rest as a number.

Lives here: the arithmetic of one window. Must not live here: where its counter is kept (the
ledger) or what a refusal looks like in the log (``steps``).
Law: no refusal is dropped in silence; each is in the log, or in a counter that one event tells
once its window is over. What a counter is kept under is chosen by the bundle, not by the agent.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from governance.canonical import digest
from governance.policy.decision import Effect
from governance.principal import AgentId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """The refusals of one agent, with one effect by one rule, within one window.

    ``recorded`` stand in the log one by one; ``count`` more came from ``first_at`` to ``last_at``.
    """

    tenant: TenantId
    agent: AgentId
    effect: Effect
    rule_id: str
    ends_at: datetime
    recorded: int = 0
    count: int = 0
    first_at: datetime
    last_at: datetime

    @property
    def key(self) -> str:
        """The name that its counter is kept under."""
        return flood_key(self.tenant, self.agent, self.effect, self.rule_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A refusal taken note of: the window after it, the one that it ended, and whether it is
    only counted."""

    flood: Flood
    ended: Flood | None
    is_counted: bool


def flood_key(tenant: TenantId, agent: AgentId, effect: Effect, rule_id: str) -> str:
    """One name for each tenant, agent, effect and rule."""
    return digest("flood", [tenant, agent, effect.value, rule_id])


def note(flood: Flood | None, fresh: Flood, at: datetime, *, in_full: int) -> Noted:
    """Take note of one more refusal at ``at``; ``fresh`` is the window that it would begin."""
    ended = flood if flood is not None and at >= flood.ends_at else None
    now = fresh if flood is None or ended is not None else flood
    if now.recorded < in_full:
        return Noted(flood=replace(now, recorded=now.recorded + 1), ended=ended, is_counted=False)
    first = at if now.count == 0 else now.first_at
    counted = replace(now, count=now.count + 1, first_at=first, last_at=at)
    return Noted(flood=counted, ended=ended, is_counted=True)


def begun(
    *,
    tenant: TenantId,
    agent: AgentId,
    effect: Effect,
    rule_id: str,
    at: datetime,
    window_s: int,
) -> Flood:
    """A window that begins at ``at``, with nothing in it."""
    return Flood(
        tenant=tenant,
        agent=agent,
        effect=effect,
        rule_id=rule_id,
        ends_at=at + timedelta(seconds=window_s),
        first_at=at,
        last_at=at,
    )
