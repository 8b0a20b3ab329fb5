"""What would have to be otherwise for another effect.

Lives here: the changes that are tried, one at a time, and the effect that each would give.
Must not live here: the decision (``evaluate`` makes every one of them).
Law: every effect told is what ``evaluate`` answers to the changed request, agent or bundle. At
most ``MOST_TRIED`` changes are tried, and fewer of a long request, each of which is read anew, or
where many rules have to be judged for each.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, islice, takewhile
from types import MappingProxyType

from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.canonical import Json
from governance.policy.clearance import UNSTATED
from governance.policy.compare import short
from governance.policy.decision import Decision, Effect
from governance.policy.evaluate import evaluate
from governance.policy.hearing import cost
from governance.policy.index import Rule
from governance.policy.matching import fold
from governance.policy.model import PROD, Bundle
from governance.policy.tools import WIDTH, Tool, ToolRegistry
from governance.policy.vouching import Judged, named_environment
from governance.principal import Agent, PersonId

MOST_TRIED = 80
MOST_READ_BYTES = 262_144
"""Of the request's content over all changes that are tried."""
MOST_JUDGED = 40_000
"""Rules over all changes that are tried, as ``hearing.cost`` counts them."""
MOST_TOLD = 20
_MOST_OF_A_KIND = 10
_SOMEONE = PersonId("slack:T0/U0")
_GIVEN = "given"


class Kind(StrEnum):
    """What is changed, the most telling first."""

    WITHOUT_TAG = "without risk tag"
    WITHOUT_CLASS = "without data class"
    WITHOUT_SIGNAL = "without"
    GIVING = "with a"
    ACTION = "as action"
    ENVIRONMENT = "in environment"
    DISPATCH = "with dispatch"
    LABEL = "with label"
    WITHOUT_LABEL = "without label"
    WITHOUT_REQUIREMENT = "without requirement"
    WITHOUT_CAPABILITY = "without capability"
    TOOL = "with tool"
    REGISTERED = "if registered: tool"
    ENVIRONMENT_BOUND = "if the credential were bound to environment"
    ROLE = "if the credential had role"


OPERATORS = frozenset({Kind.REGISTERED, Kind.ENVIRONMENT_BOUND, Kind.ROLE})
"""What only an operator can change, and no agent by asking otherwise."""
NAMED_BY_BUNDLE = frozenset({Kind.ENVIRONMENT, Kind.LABEL, Kind.TOOL})
"""What the request need not have named: who asks is told of what helps, not of what others have."""
_ORDER = tuple(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """One change and the effect that it alone would give."""

    kind: Kind
    value: str
    effect: Effect
    reason: str
    rule_ids: tuple[str, ...]
    is_looser: bool
    by: str = ""
    """The first rule that says so; empty where another source does."""

    @property
    def sentence(self) -> str:
        """``without risk tag destructive: REQUIRE_APPROVAL by rule writes``."""
        by = f" by rule {self.by}" if self.by else f" ({self.reason})"
        return f"{self.kind.value} {self.value}: {self.effect.value}{by}"

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {
            "change": self.kind.value,
            "value": self.value,
            "effect": self.effect.value,
            "reason": self.reason,
            "rule_ids": list(self.rule_ids),
            "is_looser": self.is_looser,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing changed, everything else as it is."""

    kind: Kind
    value: str
    request: ActionRequest
    agent: Agent
    bundle: Bundle


def counterfactuals(
    asked: Judged, decision: Decision, near: Sequence[Rule], *, for_asker: bool
) -> tuple[Counterfactual, ...]:
    """The changes that alone change the effect: what loosens it first, then by ``Kind``."""
    found: list[Counterfactual] = []
    size = len(asked.request.content.to_bytes())
    tried = min(MOST_TRIED, max(1, MOST_READ_BYTES // size), max(1, MOST_JUDGED // cost(asked)))
    for change in islice(_changes(asked, decision, near, for_asker=for_asker), tried):
        answer = evaluate(
            change.request,
            change.agent,
            change.bundle,
            at=asked.claims.facts.at,
            past=asked.claims.facts.past,
        )
        if answer.effect is not decision.effect:
            found.append(_counterfactual(change, answer, decision))
    if for_asker:
        found = [item for item in found if item.is_looser or item.kind not in NAMED_BY_BUNDLE]
    found.sort(key=lambda item: (not item.is_looser, _ORDER.index(item.kind)))
    return tuple(found[:MOST_TOLD])


def _counterfactual(change: Change, answer: Decision, decision: Decision) -> Counterfactual:
    said = {line.id for line in answer.trace if line.verdict == answer.effect.value}
    return Counterfactual(
        kind=change.kind,
        value=short(change.value),
        effect=answer.effect,
        reason=answer.reason,
        rule_ids=answer.rule_ids,
        is_looser=answer.effect.rank < decision.effect.rank,
        by=next((name for name in answer.rule_ids if name in said), ""),
    )


def _changes(
    asked: Judged, decision: Decision, near: Sequence[Rule], *, for_asker: bool
) -> Iterator[Change]:
    requests = chain(
        _without(asked.request),
        _without_signals(asked.request, decision),
        _giving(asked.request, decision),
        _otherwise(asked),
        _labels(asked, near),
        _tools(asked),
    )
    for kind, value, request in requests:
        if request != asked.request and _is_counted(request, asked):
            yield Change(
                kind=kind, value=value, request=request, agent=asked.agent, bundle=asked.bundle
            )
    if not for_asker:
        yield from _by_operators(asked)


def _is_counted(request: ActionRequest, asked: Judged) -> bool:
    """Whether the past that was looked up says as much about ``request``: nothing is guessed."""
    counts = asked.claims.facts.past.counts
    return counts is None or set(asked.bundle.lookback.tallies_of(request)) <= set(counts)


_Asked = tuple[Kind, str, ActionRequest]


def _few(words: Iterable[str]) -> Iterator[str]:
    return islice(dict.fromkeys(words), _MOST_OF_A_KIND)


def _without(request: ActionRequest) -> Iterator[_Asked]:
    """Less of what it claims; a word counts in every spelling."""
    for tag in _few(request.risk_tags):
        yield Kind.WITHOUT_TAG, tag, replace(request, risk_tags=_less(request.risk_tags, tag))
    for name in _few(request.data_classes):
        less = _less(request.data_classes, name)
        yield Kind.WITHOUT_CLASS, name, replace(request, data_classes=less)
    for name in _few(request.requires):
        less = _less(request.requires, name)
        yield Kind.WITHOUT_REQUIREMENT, name, replace(request, requires=less)
    for key in _few(request.labels):
        less_labels = {name: value for name, value in request.labels.items() if name != key}
        yield Kind.WITHOUT_LABEL, key, replace(request, labels=less_labels)
    if request.capability:
        yield Kind.WITHOUT_CAPABILITY, request.capability, replace(request, capability="")


def _less(words: Iterable[str], dropped: str) -> tuple[str, ...]:
    gone = fold([dropped])
    return tuple(word for word in words if fold([word]) != gone)


def _without_signals(request: ActionRequest, decision: Decision) -> Iterator[_Asked]:
    """Where a signal spoke: without each text that it may have been about; never the text."""
    if not any(line.source == "signal" for line in decision.trace):
        return
    content = request.content
    bare: tuple[tuple[str, Content], ...] = (
        ("its prompt", replace(content, prompt="")),
        ("its context", replace(content, context=None)),
        ("its justification", replace(content, justification="")),
        ("its arguments", replace(content, arguments={})),
    )
    for name, less in bare:
        yield Kind.WITHOUT_SIGNAL, name, replace(request, content=less)


def _giving(request: ActionRequest, decision: Decision) -> Iterator[_Asked]:
    """What a ticket needs and the request does not give."""
    if not any(line.source == "ticket" for line in decision.trace):
        return
    justified = replace(request.content, justification=_GIVEN)
    yield Kind.GIVING, "justification", replace(request, content=justified)
    yield Kind.GIVING, "target", replace(request, target=request.target.strip() or _GIVEN)
    person = request.on_behalf_of or _SOMEONE
    yield Kind.GIVING, "person it acts for", replace(request, on_behalf_of=person)


def _otherwise(asked: Judged) -> Iterator[_Asked]:
    request, bundle = asked.request, asked.bundle
    for action in ActionKind:
        yield Kind.ACTION, action.value, replace(request, action=action)
    names = (name for name in sorted({*bundle.environments, PROD}) if name != asked.environment)
    for name in _few(names):
        yield Kind.ENVIRONMENT, name, replace(request, environment=name)
    for dispatch in Dispatch if asked.tool is not None else ():
        yield Kind.DISPATCH, dispatch.value, replace(request, dispatch=dispatch)


def _labels(asked: Judged, near: Sequence[Rule]) -> Iterator[_Asked]:
    """With one label that a rule asks for which otherwise fits, or could not be judged."""
    request = asked.request
    candidates = asked.bundle.rules.candidates(asked.claims)
    pairs = (
        (key, value)
        for rule in chain(near, candidates)
        for key, value in rule.match.labels.items()
        if request.labels.get(key) != value
    )
    for key, value in islice(dict.fromkeys(pairs), _MOST_OF_A_KIND):
        labels = {**request.labels, key: value}
        yield Kind.LABEL, f"{short(key)}={short(value)}", replace(request, labels=labels)


def _tools(asked: Judged) -> Iterator[_Asked]:
    """With a registered tool, where none or an unknown one is named; the nearest names first."""
    if asked.tool is not None:
        return
    wanted = asked.tool_name
    names = sorted(
        (tool.name for tool in asked.bundle.tools), key=lambda name: (-_shared(name, wanted), name)
    )
    for name in _few(names):
        yield Kind.TOOL, name, replace(asked.request, tool=name)


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _by_operators(asked: Judged) -> Iterator[Change]:
    request, agent, bundle = asked.request, asked.agent, asked.bundle
    name = asked.tool_name
    if name and asked.tool is None:
        known = {**{tool.name: tool for tool in bundle.tools}, name: _plain_tool(asked)}
        new = replace(bundle, tools=ToolRegistry(tools=MappingProxyType(known)))
        yield Change(kind=Kind.REGISTERED, value=name, request=request, agent=agent, bundle=new)
    named = named_environment(request)
    if named not in fold(agent.environments):
        bound = replace(agent, environments=(*agent.environments, named))
        yield Change(
            kind=Kind.ENVIRONMENT_BOUND, value=named, request=request, agent=bound, bundle=bundle
        )
    clearing = (
        role
        for data_class in bundle.clearance.missing(asked.claims.data_classes, asked.facts.roles)
        for role in sorted(bundle.clearance.clearing(data_class))
    )
    for role in _few(clearing):
        cleared = replace(agent, roles=(*agent.roles, role))
        yield Change(kind=Kind.ROLE, value=role, request=request, agent=cleared, bundle=bundle)


def _plain_tool(asked: Judged) -> Tool:
    """The least that an operator could register: this action alone, no scope, no run."""
    action = max(asked.claims.action, asked.request.action, key=WIDTH.index)
    actions = tuple(dict.fromkeys((asked.request.action, action)))
    return Tool(name=asked.tool_name, actions=actions, classification=UNSTATED)
