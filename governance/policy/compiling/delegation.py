"""What may be delegated, checked and compiled.

Lives here: the section ``delegation``. Must not live here: delegations (``governance.delegation``).
Law: a tier that forbids delegation keeps forbidding it wherever it holds: in its levels of
severity, in the tiers that stand in for it, and joined with others, where the strictest gives its
name to all.
"""

from collections.abc import Mapping

from governance.delegation import DelegationPolicy
from governance.policy.compiling.tiers import BUILT_IN
from governance.policy.decision import Requirement
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.tiers import Levels, strictness


def compile_delegation(
    form: BundleForm,
    tiers: Mapping[str, Requirement],
    levels: Mapping[str, Levels],
    escalations: Mapping[str, str],
) -> DelegationPolicy:
    """What the bundle lets people delegate.

    Raises:
        InvalidInput: ``invalid_bundle``: a tier that is not there.
    """
    section = form.delegation
    if section is None:
        return DelegationPolicy()
    barred: set[str] = set()
    for number, name in enumerate(section.forbidden_tiers):
        if name not in tiers or name == BUILT_IN:
            at = pointer("delegation", "forbidden_tiers", number)
            raise refuse(at, f"there is no tier {name!r}")
        barred |= {name, *(levels[name].tiers if name in levels else ())}
    return DelegationPolicy(
        max_days=section.max_days, barred=frozenset(_closed(barred, tiers, escalations))
    )


def _closed(
    barred: set[str], tiers: Mapping[str, Requirement], escalations: Mapping[str, str]
) -> set[str]:
    """``barred``, whatever is as strict as any of them, and whoever stands in for one."""
    while True:
        lowest = min((strictness(tiers[name]) for name in barred), default=None)
        grown = {
            name
            for name, tier in tiers.items()
            if lowest is not None and strictness(tier) >= lowest
        }
        grown |= barred | {escalations[name] for name in barred if name in escalations}
        if grown == barred:
            return barred
        barred = grown
