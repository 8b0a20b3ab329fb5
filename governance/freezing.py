"""Who stops an agent, or all of them, and who lets them go on.

Lives here: the pure functions from a person's wish to events. Must not live here: the governing
state and how it evolves (``control``). Law: one person freezes at once, two people unfreeze.
"""

from governance.control import (
    EVERYONE,
    AgentFrozen,
    AgentUnfrozen,
    Control,
    ControlEvent,
    UnfreezeAsked,
)
from governance.errors import Code, Refused
from governance.principal import Person, TenantId
from governance.sentences import Sentence


def freeze(
    control: Control, *, tenant: TenantId, target: str, person: Person, reason: str
) -> tuple[ControlEvent, ...]:
    """Stop ``target`` (an agent id or ``all``, in any case) at once.

    A repeat changes nothing, but for taking back a pending wish to unfreeze.

    Raises:
        Refused: ``wrong_role``: the person holds no role that approves.
    """
    _check_eligible(person)
    target = EVERYONE if target.casefold() == EVERYONE else target
    frozen = control.frozen.get(target)
    if frozen is not None and frozen.unfreeze_asked_by is None:
        return ()
    return (AgentFrozen(tenant=tenant, target=target, person=person.id, reason=reason),)


def unfreeze(
    control: Control, *, tenant: TenantId, target: str, person: Person
) -> tuple[ControlEvent, ...]:
    """Ask to lift a freeze, or agree as the second person; a repeat of one's own changes nothing.

    Raises:
        Refused: ``wrong_role``, or ``not_found`` where ``target`` is not frozen.
    """
    _check_eligible(person)
    target = EVERYONE if target.casefold() == EVERYONE else target
    frozen = control.frozen.get(target)
    if frozen is None:
        raise Refused(Code.NOT_FOUND, Sentence("{agent} is not frozen", agent=target))
    asked_by = frozen.unfreeze_asked_by
    if asked_by is None:
        return (UnfreezeAsked(tenant=tenant, target=target, person=person.id),)
    if asked_by == person.id:
        return ()
    return (AgentUnfrozen(tenant=tenant, target=target, person=person.id, asked_by=asked_by),)


def _check_eligible(person: Person) -> None:
    if not person.roles:
        raise Refused(
            Code.WRONG_ROLE, Sentence("only people with an approver's role freeze and unfreeze")
        )
