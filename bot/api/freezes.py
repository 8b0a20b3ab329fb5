"""Stopping an agent, and letting it go on.

Lives here: freeze and unfreeze over HTTP. Must not live here: who may (the core).
Law: one person stops at once; two people lift it; a credential speaks for its holder alone.
"""

from aiohttp import web

from bot.api import approval_answers as people
from bot.api import leaks
from bot.api.calls import Call, answer
from bot.api.schemas import FreezeForm
from governance.control import EVERYONE
from governance.principal import AgentId

_UNKNOWN = "no credential is of an agent by this name: check its spelling, nothing may be stopped"


async def freeze(call: Call) -> web.Response:
    """Stop an agent, or ``all``, at once."""
    form, target = await _asked(call)
    changed = await call.deps.service.freeze(target, call.person, form.reason)
    warning = "" if await _is_known(call, target) else _UNKNOWN
    return await _told(call, target, changed=changed, status="frozen", warning=warning)


async def unfreeze(call: Call) -> web.Response:
    """Ask to lift a freeze, or agree as the second person."""
    _, target = await _asked(call)
    before = (await call.deps.reader.control()).frozen.get(target)
    is_lifted = await call.deps.service.unfreeze(target, call.person)
    was_first = before is not None and before.unfreeze_asked_by is None
    status = "lifted" if is_lifted else "second_person_needed"
    return await _told(call, target, changed=is_lifted or was_first, status=status)


async def _asked(call: Call) -> tuple[FreezeForm, str]:
    """The body, and whom it names; ``all`` is a word in any case."""
    form = await call.body(FreezeForm)
    leaks.refuse(dict(form))
    return form, EVERYONE if form.target.casefold() == EVERYONE else form.target


async def _is_known(call: Call, target: str) -> bool:
    if target == EVERYONE:
        return True
    found = await call.deps.reader.credentials()
    return any(one.agent is not None and one.agent.id == target for one in found)


async def _told(
    call: Call, target: str, *, changed: bool, status: str, warning: str = ""
) -> web.Response:
    control = await call.deps.reader.control()
    is_frozen = control.freeze_of(AgentId(target)) is not None
    body = people.FreezeAnswer(
        target=target, is_frozen=is_frozen, changed=changed, status=status, warning=warning
    )
    return answer(body)
