"""A request as it is judged: what is vouched for, and what is only claimed.

Lives here: the request as the registry and the credential see it, and whose word holds about where
it acts. Must not live here: what any source says of it (``sources``, ``hearing``).
Law: claims loosen nothing. ``facts`` hold what credential and registry vouch for; ``claims`` add
what the agent says and can only make the answer stricter. A request that names no tool has no
registry behind it and is judged by its own words.
"""

from dataclasses import dataclass, replace

from governance.action import ActionRequest
from governance.making import quickly_made
from governance.policy.clearance import UNSTATED, highest
from governance.policy.facts import Facts
from governance.policy.matching import NOTHING, Subject, fold
from governance.policy.model import PROD, Bundle
from governance.policy.tools import WIDTH, Tool
from governance.principal import Agent

_WORDS = {action.value: action for action in WIDTH}


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A request as it is judged."""

    request: ActionRequest
    agent: Agent
    bundle: Bundle
    tool_name: str
    tool: Tool | None
    environment: str
    facts: Subject
    claims: Subject
    unsaid: Subject
    """``facts`` in every environment that is named: it only restricts. What is done where the agent
    says must meet the rules of that place, whatever else the agent claims."""

    @property
    def data_classes(self) -> tuple[str, ...]:
        """Every class and mark in play, sorted; what nobody states counts as internal."""
        return tuple(sorted(self.claims.data_classes))

    @property
    def data_class(self) -> str:
        """The highest ordered class in play."""
        return highest(self.claims.data_classes)


def judged(request: ActionRequest, agent: Agent, bundle: Bundle, facts: Facts) -> Judged:
    """Harden ``request`` by what credential and registry know."""
    tool_name = request.tool or request.labels.get("mcp.tool", "")
    tool = bundle.tools.get(tool_name)
    action = request.action if tool is None else tool.action(request.action)
    if "mcp.action" in request.labels:
        also = _WORDS.get(request.labels["mcp.action"], action)
        action = max(action, also, key=WIDTH.index)
    environment = environment_of(request, bundle)
    here = frozenset({environment})
    # Where it acts is what it says, word for word, and where that counts as.
    named = request.environment.strip().casefold()
    everywhere = here if named == environment or not request.environment else here | {named}
    known = UNSTATED if tool is None else tool.classification
    claimed = Subject(
        tenant=request.tenant,
        agent=request.agent,
        roles=frozenset(agent.roles),
        topic=request.topic,
        tool=tool_name,
        action=action,
        target=request.target or _target_in(request, tool),
        environments=everywhere,
        capabilities=fold([request.capability]) if request.capability else NOTHING,
        risk_tags=fold(request.risk_tags) if request.risk_tags else NOTHING,
        requires=fold(request.requires) if request.requires else NOTHING,
        labels=request.labels,
        data_classes=frozenset([known, *fold(request.data_classes)]),
        arguments=request.content.arguments,
        on_behalf_of=request.on_behalf_of,
        facts=facts,
        trace_id=request.trace_id,
    )
    vouched = _vouched(claimed, vouched_environment(environment, agent, tool), tool)
    unsaid = _everywhere(vouched, claimed.environments, tool)
    said = unsaid if tool is None else _beside(_with_registry(claimed, tool), unsaid)
    return Judged(
        request=request,
        agent=agent,
        bundle=bundle,
        tool_name=tool_name,
        tool=tool,
        environment=environment,
        facts=vouched,
        claims=said,
        unsaid=unsaid,
    )


def _target_in(request: ActionRequest, tool: Tool | None) -> str:
    """The argument that is the target by the tool's registration: silence must not hide it."""
    named = request.content.arguments.get(tool.target) if tool is not None and tool.target else None
    return "" if named is None else str(named)


def _beside(said: Subject, vouched: Subject) -> Subject:
    """What is vouched for holds beside whatever is said."""
    if said is vouched:
        return said
    return _but(
        said,
        environments=said.environments | vouched.environments,
        risk_tags=said.risk_tags | vouched.risk_tags,
    )


def named_environment(request: ActionRequest) -> str:
    """Where a request says that it acts; one that does not say so acts in prod."""
    return request.environment.strip().casefold() or PROD


def environment_of(request: ActionRequest, bundle: Bundle) -> str:
    """The environment whose gate holds; a missing one, or one without a gate, is prod."""
    name = named_environment(request)
    return name if name in bundle.environments else PROD


def vouched_environment(environment: str, agent: Agent, tool: Tool | None) -> str:
    """Where it acts as far as anybody but the agent says so; prod where nobody does.

    An environment is a claim unless the credential is bound to some, or the tool's registration to
    one: then naming another is a denial, and this one is vouched for. Of several that a tool may
    be used in by anybody, the agent would pick the mildest.
    """
    is_bound = bool(agent.environments) or (tool is not None and len(tool.environments) == 1)
    return environment if is_bound else PROD


def may_name_environment(request: ActionRequest, agent: Agent) -> bool:
    """Whether the credential lets the agent work where it says (or does not say) it does."""
    named = named_environment(request)
    bound = agent.environments
    return not bound or named in bound or named in fold(bound)


def _everywhere(vouched: Subject, named: frozenset[str], tool: Tool | None) -> Subject:
    wide = _but(vouched, environments=vouched.environments | named)
    if tool is None or wide is vouched:
        return wide
    return _but(wide, risk_tags=wide.risk_tags | tool.tags(wide, surely=False))


def _with_registry(claimed: Subject, tool: Tool) -> Subject:
    return _but(
        claimed,
        capabilities=claimed.capabilities | _capability(tool),
        risk_tags=claimed.risk_tags | tool.tags(claimed, surely=False),
    )


def _vouched(claimed: Subject, environment: str, tool: Tool | None) -> Subject:
    """What remains without the agent's word, where a registry knows better."""
    if tool is None:
        return _but(claimed, environments=frozenset({environment}))
    vouched = _but(
        claimed,
        environments=frozenset({environment}),
        capabilities=_capability(tool),
        risk_tags=tool.risk_tags,
        requires=NOTHING,
        data_classes=frozenset({tool.classification}),
    )
    tags = tool.tags(vouched, surely=True)
    return vouched if tags is tool.risk_tags else _but(vouched, risk_tags=tags)


def _but(subject: Subject, **words: frozenset[str]) -> Subject:
    """``subject`` with other words: itself where they are its own, since a copy costs most."""
    for kind, found in words.items():
        if getattr(subject, kind) != found:
            return replace(subject, **words)  # type: ignore[arg-type]  # only these fields
    return subject


def _capability(tool: Tool) -> frozenset[str]:
    return frozenset({tool.capability}) if tool.capability else NOTHING
