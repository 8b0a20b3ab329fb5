"""What the other sections of a bundle leave open: people, tools, environments.

Lives here: tiers that one person or nobody can meet, tools without scope, groups, fail modes.
Must not live here: rules (``rules``, ``reach``).
Law: whether people can meet a tier is asked of the quorum's own arithmetic; where a user group
could hold more of them, the answer is "cannot tell".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from governance.canonical import Json
from governance.policy.compiling.tiers import BUILT_IN, EXCEPTION_ROUTING
from governance.policy.decision import Requirement
from governance.policy.forms.documented import BundleForm, pointer
from governance.policy.forms.sections import ConstraintForm, EnvironmentForm, RuleForm
from governance.policy.lint.findings import LintCode, LintFinding, Unclear
from governance.policy.model import Bundle
from governance.policy.tiers import people_needed
from governance.principal import Eligible, PersonId

Reaches = Callable[[Requirement, Eligible], bool]
"""Whether the people could meet the requirement (``tickets.quorum`` knows)."""
_HOUR_S = 3_600
_CLAIMED = ("trace", "label:")


def sections(bundle: Bundle, form: BundleForm, reaches: Reaches) -> Iterator[LintFinding | Unclear]:
    """Every finding about the bundle outside its rules."""
    yield from _default(bundle)
    yield from _signals(form)
    yield from _people(bundle, reaches)
    yield from _tiers(bundle, form)
    yield from _tools(bundle)
    gates = _gates(form)
    yield from _environments(gates)
    yield from _groups(form, gates)
    yield from _counts(form)


def _default(bundle: Bundle) -> Iterator[LintFinding]:
    if bundle.default_decision.loosens:
        yield LintFinding(
            code=LintCode.DEFAULT_ALLOWS,
            pointer="/default_decision",
            text="what no rule mentions is let through, reads without anybody asked",
            fix="write default_decision: deny, and an allow for each thing that is meant",
        )


def _signals(form: BundleForm) -> Iterator[LintFinding]:
    if form.signals.injection == "off":
        yield LintFinding(
            code=LintCode.SIGNALS_OFF,
            pointer="/signals/injection",
            text="text that reads like an instruction to the agent or to the approver changes "
            "nothing",
            fix="write injection: require_approval",
        )


def _tier_pointer(bundle: Bundle, name: str) -> str:
    """Where the tier of that name, or the level that stands for it, is written."""
    for base, levels in bundle.levels.items():
        if name in levels.tiers:
            word = levels.words[levels.tiers.index(name)]
            return pointer("tiers", base, "severity", word)
    if name == EXCEPTION_ROUTING:
        return pointer("exception_routing", "approval")
    return pointer("tiers", name)


def _people(bundle: Bundle, reaches: Reaches) -> Iterator[LintFinding | Unclear]:
    members = bundle.directory.values()
    if not any(item.people or item.outside for item in members):
        yield LintFinding(
            code=LintCode.NO_APPROVERS,
            pointer="/directory",
            text="the directory names nobody: whatever needs approval is refused",
            fix="put people or user groups under directory.roles",
        )
        return
    for name, tier in bundle.tiers.items():
        if name == BUILT_IN or _is_met(bundle, tier, reaches):
            continue
        place = _tier_pointer(bundle, name)
        groups = sorted(_groups_of(bundle, tier))
        if groups:
            text = (
                f"whether tier {name} can be met depends on {', '.join(groups)}, which only Slack "
                "and the company's directory know"
            )
            yield Unclear(pointer=place, text=text)
            continue
        roles = ", ".join(f"{item.role}: {_count(bundle, item.role)}" for item in tier.roles)
        yield LintFinding(
            code=LintCode.UNREACHABLE_TIER,
            pointer=place,
            text=f"nobody can approve tier {name}: it needs {people_needed(tier)} people and a "
            f"weight of {tier.threshold}, and the directory names {roles}",
            fix="name more people under directory.roles, or ask for fewer",
        )


def _is_met(bundle: Bundle, tier: Requirement, reaches: Reaches) -> bool:
    """By its own people, or by those of a tier to which it is escalated."""
    while not reaches(tier, _eligible(bundle, tier)):
        name = bundle.escalations.get(tier.tier)
        if name is None:
            return False
        tier = bundle.tiers[name]
    return True


def _count(bundle: Bundle, role: str) -> int:
    return len(bundle.directory[role].people) if role in bundle.directory else 0


def _groups_of(bundle: Bundle, tier: Requirement) -> set[str]:
    return {
        group
        for item in tier.roles
        if item.role in bundle.directory
        for group in bundle.directory[item.role].outside
    }


def _eligible(bundle: Bundle, tier: Requirement) -> dict[PersonId, frozenset[str]]:
    held: dict[PersonId, set[str]] = {}
    for item in tier.roles:
        if item.role in bundle.directory:
            for person in bundle.directory[item.role].people:
                held.setdefault(person, set()).add(item.role)
    return {person: frozenset(roles) for person, roles in held.items()}


def _tiers(bundle: Bundle, form: BundleForm) -> Iterator[LintFinding]:
    named = set(_strings(bundle.source)) | {bundle.default_tier}
    for name, tier in bundle.tiers.items():
        if name == BUILT_IN:
            continue
        place = _tier_pointer(bundle, name)
        if people_needed(tier) == 1:
            yield LintFinding(
                code=LintCode.SINGLE_PERSON_TIER,
                pointer=place,
                text=f"one person alone can approve tier {name}",
                fix="ask for a second person and write four_eyes: true, or keep it for what is "
                "small and easily undone",
            )
        if name in form.tiers and form.tiers[name].ttl is None:
            yield LintFinding(
                code=LintCode.TIER_WITHOUT_TTL,
                pointer=place,
                text=f"tier {name} has no ttl: its tickets stay open for the longest that is "
                f"allowed, {tier.ttl_s // _HOUR_S} hours",
                fix="write a ttl, as short as people can answer in",
            )
        if name in form.tiers and name not in named:
            yield LintFinding(
                code=LintCode.UNUSED_TIER,
                pointer=place,
                text=f"nothing names tier {name}",
                fix="name it in a rule, tool, environment or exception, or remove it",
            )
        if tier.step_up:
            yield LintFinding(
                code=LintCode.STEP_UP_UNAVAILABLE,
                pointer=f"{place}/step_up",
                text=f"tier {name} asks for a passkey, for which this version cannot ask: nothing "
                "of this tier can be approved",
                fix="leave step_up out, and ask for one more person instead",
            )


def _strings(value: Json) -> Iterator[str]:
    """Every text that stands in ``value`` as a value, not as a key."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)


def _tools(bundle: Bundle) -> Iterator[LintFinding]:
    for tool in bundle.tools:
        if tool.scope is None:
            checked = ", what its argument schema lets through" if tool.arguments else ""
            yield LintFinding(
                code=LintCode.TOOL_WITHOUT_SCOPE,
                pointer=pointer("tools", tool.name),
                text=f"tool {tool.name} has no scope: it may be used on every resource{checked}",
                fix='write scope: "key:pattern" with the argument that names the resource',
            )


Gates = list[tuple[tuple[str, ...], EnvironmentForm]]


def _gates(form: BundleForm) -> Gates:
    found: Gates = [(("environments", name), gate) for name, gate in form.environments.items()]
    if form.policy_engine is not None:
        at = ("policy_engine", "environment_gates")
        seed = form.policy_engine.environment_gates
        found += [((*at, name), gate) for name, gate in seed.items()]
    return found


def _environments(gates: Gates) -> Iterator[LintFinding]:
    for place, gate in gates:
        if gate.fail_mode == "unsafe_open":
            yield LintFinding(
                code=LintCode.UNSAFE_OPEN,
                pointer=pointer(*place, "fail_mode"),
                text=f"while policy cannot be evaluated, {place[-1]} lets every released action "
                "through",
                fix="write fail_mode: closed",
            )


def _groups(form: BundleForm, gates: Gates) -> Iterator[LintFinding]:
    listed: set[str] = set()
    for place, gate in gates:
        for number, entry in enumerate(gate.allowed_tools or ()):
            listed.add(entry)
            if entry not in form.tool_groups and entry not in form.tools:
                yield LintFinding(
                    code=LintCode.UNDECLARED_GROUP,
                    pointer=pointer(*place, "allowed_tools", number),
                    text=f"{entry} is neither a tool nor a group under tool_groups: it stands for "
                    "no tool at all",
                    fix=f"declare {entry} under tool_groups, or correct its spelling",
                )
    for name in form.tool_groups:
        if name not in listed:
            yield LintFinding(
                code=LintCode.UNUSED_GROUP,
                pointer=pointer("tool_groups", name),
                text=f"no environment lists the group {name}",
                fix="list it under allowed_tools, or remove it",
            )


def _counts(form: BundleForm) -> Iterator[LintFinding]:
    """Counts that an agent resets by naming another trace or label."""
    places: list[tuple[tuple[str | int, ...], RuleForm | ConstraintForm]] = [
        *((("rules", number), rule) for number, rule in enumerate(form.rules)),
        *((("constraints", number), item) for number, item in enumerate(form.constraints)),
    ]
    for place, item in places:
        for key, what in _claimed(item):
            yield LintFinding(
                code=LintCode.EVADABLE_COUNT,
                pointer=pointer(*place, *key),
                text=f"{item.id} counts by {what}, which the agent names: with another one it "
                "starts from nothing",
                fix="count by agent or tenant, here or in a second rule",
            )


def _claimed(item: RuleForm | ConstraintForm) -> Iterator[tuple[tuple[str | int, ...], str]]:
    match = item.match
    if match is not None:
        for number, earlier in enumerate(match.after):
            if earlier.of == "trace":
                yield ("match", "after", number), "trace id"
        if match.velocity is not None and match.velocity.per.startswith(_CLAIMED):
            yield ("match", "velocity", "per"), _named(match.velocity.per)
    rate = item.rate if isinstance(item, RuleForm) else None
    if rate is not None and rate.per.startswith(_CLAIMED):
        yield ("rate", "per"), _named(rate.per)


def _named(per: str) -> str:
    return "trace id" if per == "trace" else per.replace(":", " ")
