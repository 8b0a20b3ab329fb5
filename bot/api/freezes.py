"""Stopping an agent, and letting it go on.

Lives here: freeze and unfreeze over HTTP. Must not live here: who may (the core).
Law: one person stops at once; two people lift it; a credential speaks for its holder alone.
"""

from aiohttp import web

from bot.api import approval_answers as people
from bot.api.calls import Call, answer
from bot.api.schemas import FreezeForm
from governance.principal import AgentId


async def freeze(call: Call) -> web.Response:
    """Stop an agent, or ``all``, at once."""
    form = await call.body(FreezeForm)
    changed = await call.deps.service.freeze(form.target, call.person, form.reason)
    return await _told(call, form.target, changed=changed, status="frozen")


async def unfreeze(call: Call) -> web.Response:
    """Ask to lift a freeze, or agree as the second person."""
    form = await call.body(FreezeForm)
    before = (await call.deps.reader.control()).frozen.get(form.target)
    is_lifted = await call.deps.service.unfreeze(form.target, call.person)
    was_first = before is not None and before.unfreeze_asked_by is None
    status = "lifted" if is_lifted else "second_person_needed"
    return await _told(call, form.target, changed=is_lifted or was_first, status=status)


async def _told(call: Call, target: str, *, changed: bool, status: str) -> web.Response:
    control = await call.deps.reader.control()
    is_frozen = control.freeze_of(AgentId(target)) is not None
    body = people.FreezeAnswer(target=target, is_frozen=is_frozen, changed=changed, status=status)
    return answer(body)
