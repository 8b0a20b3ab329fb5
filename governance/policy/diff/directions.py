"""Whether a change outside the rules makes answers stricter or looser.

Lives here: one judgement for each key that has a certain one. Must not live here: rules.
Law: what is not known here is "different"; a direction holds for every request, whatever the other
sections say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from governance.canonical import Json
from governance.execution import SandboxTier
from governance.policy.constraints import ViolationAction
from governance.policy.decision import Effect, Requirement
from governance.policy.diff.changes import Direction, Group, both_ways
from governance.policy.lint.globs import Effort
from governance.policy.lint.matches import covers
from governance.policy.matching import Match
from governance.policy.model import Bundle
from governance.policy.tiers import loosened

Both = tuple[Bundle, Bundle]
_Judge = Callable[[Json, Json], Direction]
_STEPS = 100_000
_SILENT = frozenset(
    {
        (Group.CONSTRAINT, "description"),
        (Group.CONSTRAINT, "metadata"),
        (Group.LIMITS, "refusals_in_full"),
        (Group.LIMITS, "refusal_window_s"),
        (Group.BUNDLE, "name"),
        (Group.BUNDLE, "audit channel"),
        (Group.BUNDLE, "shared channels"),
        (Group.BUNDLE, "audit fields"),
        (Group.BUNDLE, "retention_days"),
        (Group.BUNDLE, "retention_by_class"),
        (Group.BUNDLE, "not enforced"),
        (Group.BUNDLE, "reminders"),
    }
)
"""What changes no answer."""


def direction(group: Group, name: str, key: str, *, old: Json, new: Json, both: Both) -> Direction:
    """What the change of one key does; an empty ``key``: the whole item came or went."""
    if (group, key) in _SILENT:
        return Direction.SAME
    if group is Group.CONSTRAINT:
        return _constraint(name, both)
    if group is Group.TIER:
        return _tier(name, key, both)
    if key == "tier" or (group, key) == (Group.BUNDLE, "default_tier"):
        return _tiers(both, old, new)
    if (group, key) == (Group.BUNDLE, "default_decision") and hides_refusals(old, new, both):
        return Direction.DIFFERENT
    judge = _WHOLE.get(group) if not key else _KEYS.get((group, key))
    if judge is None or ((group, key) in _ASKS and not asks_alike(both)):
        return Direction.DIFFERENT
    if (group, key) == (Group.TOOL, "arguments") and _runs(name, both):
        return Direction.DIFFERENT  # the schema of what would run stood in its place
    return judge(old, new)


def asks_alike(both: Both) -> bool:
    """Whether one more word for approval never frees a ticket: one that names a tier takes the
    place of the default tier, which might refuse what the other lets be asked."""
    return all(bundle.tiers[bundle.default_tier].release_allowed for bundle in both)


def hides_refusals(old: Json, new: Json, both: Both) -> bool:
    """Whether an effect, ``old`` or ``new``, stands before a refusal that is stricter than itself.

    A throttle outweighs an approval, so that no ticket is opened and nobody looks whether one may
    be; without the throttle the same request may be denied for a field that it lacks.
    """
    words = (old, new)
    if Effect.THROTTLE.value not in words or Effect.DENY.value in words:
        return False
    return any(
        bundle.required_fields or not all(tier.release_allowed for tier in bundle.tiers.values())
        for bundle in both
    )


def _runs(name: str, both: Both) -> bool:
    tools = (bundle.tools.get(name) for bundle in both)
    return any(tool is not None and tool.run is not None for tool in tools)


def _constraint(name: str, both: Both) -> Direction:
    """A line that nothing excepts only ever denies; one that warns changes no answer."""
    was, now = (bundle.constraints.get(name) for bundle in both)
    if _excepted(name, both):
        return Direction.DIFFERENT
    blocks_before = was is not None and was.violation_action is ViolationAction.BLOCK
    blocks_after = now is not None and now.violation_action is ViolationAction.BLOCK
    if blocks_before is not blocks_after:
        return Direction.STRICTER if blocks_after else Direction.LOOSER
    if not blocks_after or was is None or now is None:
        return Direction.SAME
    if was.match is None or now.match is None:
        return Direction.DIFFERENT
    return widened(was.match, now.match)


def _excepted(name: str, both: Both) -> bool:
    return any(
        name in bundle.exceptions
        or any(name in template.constraints for template in bundle.emergencies.values())
        for bundle in both
    )


def widened(was: Match, now: Match) -> Direction:
    """STRICTER where ``now`` takes in more: for what only denies, that is what it means."""
    effort = Effort(_STEPS)
    return both_ways(stricter=covers(now, was, effort), looser=covers(was, now, effort))


def _tier(name: str, key: str, both: Both) -> Direction:
    """One key of a tier by itself, for tickets of that tier alone; a tier that nothing names yet
    decides nothing, and a level only adds to its tier."""
    was, now = (bundle.tiers.get(name) for bundle in both)
    if was is None or now is None:
        is_level = any(name in levels.tiers for bundle in both for levels in bundle.levels.values())
        if not is_level:
            return Direction.SAME
        return Direction.STRICTER if was is None else Direction.LOOSER
    if key == "escalation":
        return Direction.DIFFERENT
    changed = replace(was, **{key: getattr(now, key)})
    return tier_direction(was, changed)


def tier_direction(was: Requirement, now: Requirement) -> Direction:
    """What it means for a ticket that it needs ``now`` instead of ``was``."""
    return both_ways(stricter=not loosened(was, now), looser=not loosened(now, was))


def _tiers(both: Both, old: Json, new: Json) -> Direction:
    was, now = both[0].tiers.get(str(old)), both[1].tiers.get(str(new))
    if was is None or now is None:
        return Direction.DIFFERENT
    return tier_direction(was, now)


def _ranked(*order: Json) -> _Judge:
    """The later in ``order``, the stricter."""

    def judge(old: Json, new: Json) -> Direction:
        return _stricter(is_so=order.index(new) > order.index(old))

    return judge


def _stricter(*, is_so: bool) -> Direction:
    return Direction.STRICTER if is_so else Direction.LOOSER


def _less(old: Json, new: Json) -> Direction:
    """The smaller number is the stricter."""
    assert isinstance(old, int)  # noqa: S101  # the views hold whole numbers here
    assert isinstance(new, int)  # noqa: S101
    return _stricter(is_so=new < old)


def _more(old: Json, new: Json) -> Direction:
    """The longer list is the stricter."""
    was, now = _set(old), _set(new)
    return both_ways(stricter=was <= now, looser=now <= was)


def _fewer(old: Json, new: Json) -> Direction:
    """The shorter list is the stricter."""
    return _more(old, new).reverse


def _allowed(old: Json, new: Json) -> Direction:
    """A list of what is allowed; none is no limit."""
    if old is None or new is None:
        return _stricter(is_so=old is None)
    return _fewer(old, new)


def _limited(old: Json, new: Json) -> Direction:
    """Any limit is stricter than none; of two, neither is known to be."""
    if old is not None and new is not None:
        return Direction.DIFFERENT
    return _stricter(is_so=old is None)


def _set(value: Json) -> frozenset[str]:
    assert isinstance(value, Sequence)  # noqa: S101  # the views hold lists here
    return frozenset(str(item) for item in value)


def _added(when_new: Direction) -> _Judge:
    def judge(old: Json, new: Json) -> Direction:
        return when_new if old is None else when_new.reverse

    return judge


_ASKS = frozenset(
    {
        (Group.TOOL, "requires_approval"),
        (Group.ENVIRONMENT, "requires_human_approval"),
        (Group.SIGNALS, "injection"),
        (Group.BUNDLE, "approval_required_for"),
    }
)
"""Keys that add a word for approval."""
_WHOLE: Mapping[Group, _Judge] = {
    Group.EXCEPTION: _added(Direction.LOOSER),
    Group.TOOL: _added(Direction.LOOSER),
    Group.ROLE: _added(Direction.LOOSER),
}
_KEYS: Mapping[tuple[Group, str], _Judge] = {
    (Group.TOOL, "requires_approval"): _ranked(False, True),
    (Group.TOOL, "scope"): _limited,
    (Group.TOOL, "arguments"): _limited,
    (Group.TOOL, "target"): _limited,
    (Group.TOOL_GROUP, "tools"): _fewer,
    (Group.ENVIRONMENT, "requires_human_approval"): _ranked(False, True),
    (Group.ENVIRONMENT, "tools"): _allowed,
    (Group.ENVIRONMENT, "fail_mode"): _ranked("unsafe_open", "closed"),
    (Group.DATA_CLASS, "needs clearance"): _ranked(False, True),
    (Group.DATA_CLASS, "cleared roles"): _fewer,
    (Group.ROLE, "people"): _fewer,
    (Group.ROLE, "user groups"): _fewer,
    (Group.SIGNALS, "injection"): _ranked("off", "require_approval", "deny"),
    (Group.SIGNALS, "secrets"): _ranked("require_approval", "deny"),
    (Group.LIMITS, "max_pending"): _less,
    (Group.LIMITS, "max_pending_per_agent"): _less,
    (Group.LIMITS, "max_ttl_s"): _less,
    (Group.LIMITS, "credential_ttl_s"): _less,
    (Group.LIMITS, "output_max_bytes"): _less,
    (Group.BUNDLE, "default_decision"): _ranked(*(effect.value for effect in Effect)),
    (Group.BUNDLE, "minimum_sandbox"): _ranked(*(tier.value for tier in reversed(SandboxTier))),
    (Group.BUNDLE, "approval_required_for"): _more,
    (Group.BUNDLE, "required_fields"): _more,
    (Group.BUNDLE, "output"): _ranked("redact", "quarantine"),
}
"""Every key whose direction is certain."""
