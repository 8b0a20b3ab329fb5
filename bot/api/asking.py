"""From a client's words to an ``ActionRequest``.

Lives here: merging, defaults and labels of the stock clients. Must not live here: any decision.
Law: who asks and for which tenant comes from the credential; everything else is a claim that the
core judges; a raw secret is refused with its place, so that no card and no log ever shows it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import cast

from bot.api import leaks
from bot.api.auth import check_tenant
from bot.api.calls import Call
from bot.api.middleware import is_trace_id, trace_id_of
from bot.api.problems import IDS
from bot.api.schemas import ActionForm, DecideForm, JobForm, is_unused
from bot.ids import RandomIds
from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.canonical import Json
from governance.errors import Code, InvalidInput
from governance.policy.model import Bundle
from governance.policy.tools import WIDTH
from governance.principal import Agent, PersonId

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}")
_KEY_HEADERS = ("Idempotency-Key", "X-Idempotency-Key")
_MS = 1_000
_USED = frozenset(JobForm.model_fields) | frozenset(DecideForm.model_fields)
_KINDS = {kind.value: kind for kind in ActionKind}
_RANDOM = RandomIds()


def without_unused(value: Mapping[str, Json]) -> Mapping[str, Json]:
    """A body less the keys of stock clients that play no part here."""
    if _USED.issuperset(value):
        return value
    return {key: item for key, item in value.items() if not is_unused(key)}


def action_request(
    call: Call, form: ActionForm, agent: Agent, *, key: str, raw: bytes = b""
) -> ActionRequest:
    """What ``agent`` asks by ``form``; ``raw`` are the bytes that all of it was read from.

    Raises:
        InvalidInput: ``invalid_field``: ``meta`` and the top level disagree, a raw secret.
        Refused: ``forbidden``: another tenant is named.
    """
    check_tenant(form.tenant_id, call.credential, pointer="/tenant_id")
    check_tenant(form.tenant, call.credential, pointer="/tenant")
    _refuse_secrets(call, form, key, raw)
    bundle = call.deps.service.bundle
    return request_of(form, agent, bundle, key=key, trace_id=trace_of(call, form))


def request_of(
    form: ActionForm, agent: Agent, bundle: Bundle, *, key: str, trace_id: str
) -> ActionRequest:
    """The request that ``form`` stands for where ``bundle`` has registered the tools.

    Raises:
        InvalidInput: ``invalid_field``: ``meta`` and the top level disagree, a label is no name.
    """
    labels = _labels(form)
    tool = form.tool or _named(labels, "mcp.tool")
    content = Content(
        arguments=cast("Mapping[str, Json]", form.arguments),
        prompt=form.prompt,
        context=cast("Json", form.context),
        justification=form.justification,
    )
    return ActionRequest(
        tenant=agent.tenant,
        agent=agent.id,
        on_behalf_of=PersonId(form.on_behalf_of) if form.on_behalf_of else None,
        topic=form.topic,
        tool=tool,
        action=_kind(bundle, form.action or labels.get("mcp.action", "").lower(), tool),
        environment=form.environment or "",
        capability=_one(form.capability, form.meta.capability),
        risk_tags=_union(form.risk_tags, form.meta.risk_tags),
        requires=_union(form.requires, form.meta.requires),
        labels=labels,
        data_classes=_union(form.data_classes, ()),
        target=form.target or _named(labels, "mcp.server"),
        content=content,
        dispatch=_dispatch(bundle, form, tool),
        trace_id=trace_id,
        idempotency_key=key,
        ttl_s=_ttl_s(form),
    )


def idempotency_key(call: Call, form: JobForm) -> str:
    """The client's key, or a new one: a client that sends none never repeats itself.

    Raises:
        InvalidInput: a header that cannot be a key.
    """
    if form.idempotency_key is not None:
        return form.idempotency_key
    for header in _KEY_HEADERS:
        named = call.request.headers.get(header, "")
        if named:
            if len(named) > 255 or not (named.isascii() and named.isprintable()):  # noqa: PLR2004  # as in the body
                raise InvalidInput(
                    Code.INVALID_FIELD,
                    "a key is 1 to 255 printable characters",
                    pointer=f"/{header}",
                )
            return named
    return f"auto-{_RANDOM.nonce()}"


def trace_of(call: Call, form: ActionForm) -> str:
    """The trace of traceparent, X-Trace-Id or the body; where none is well formed, a new one."""
    named = trace_id_of(call.request.headers)
    if not named and is_trace_id(form.trace_id):
        named = form.trace_id
    return named or IDS.get().trace_id


def _labels(form: ActionForm) -> dict[str, str]:
    if not form.labels and not form.meta.labels:
        return {}
    merged = dict(form.labels)
    for name, value in form.meta.labels.items():
        if merged.setdefault(name, value) != value:
            raise _disagree("/meta/labels")
    return {name: value for name, value in merged.items() if not name.startswith("_")}


def _one(top: str, meta: str) -> str:
    if top and meta and top != meta:
        raise _disagree("/meta/capability")
    return top or meta


def _disagree(pointer: str) -> InvalidInput:
    return InvalidInput(
        Code.INVALID_FIELD, "meta and the top level say different things", pointer=pointer
    )


def _union(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other))) if one or other else ()


def _named(labels: Mapping[str, str], label: str) -> str:
    """A label that stands for an empty field.

    Raises:
        InvalidInput: it is no name.
    """
    name = labels.get(label, "")
    if name and not _NAME.fullmatch(name):
        raise InvalidInput(Code.INVALID_FIELD, "this is no name", pointer=f"/labels/{label}")
    return name


def _kind(bundle: Bundle, word: str, tool: str) -> ActionKind:
    """What is stated; else the widest that the tool's registration has, else the widest."""
    if word in _KINDS:
        return _KINDS[word]
    registered = bundle.tools.get(tool)
    return WIDTH[-1] if registered is None else max(registered.actions, key=WIDTH.index)


def _dispatch(bundle: Bundle, form: ActionForm, tool: str) -> Dispatch:
    if form.dispatch is not None:
        return Dispatch(form.dispatch)
    registered = bundle.tools.get(tool)
    has_action = registered is not None and registered.run is not None
    return Dispatch.EXECUTE if has_action else Dispatch.RELEASE


def _ttl_s(form: ActionForm) -> int | None:
    """Whole seconds, never longer than asked for but for the rounding up of a part of one."""
    asked = [] if form.ttl_seconds is None else [form.ttl_seconds]
    if form.deadline_ms is not None:
        asked.append(-(-form.deadline_ms // _MS))
    return min(asked, default=None)


def _refuse_secrets(call: Call, form: ActionForm, key: str, raw: bytes) -> None:
    """Every text that a client sends; names that it makes up for itself may look like a hash."""
    header = call.request.headers.get("X-Trace-Id", "")
    if raw and leaks.is_surely_clean(raw, header, key):
        return
    named = {"trace_id", "idempotency_key"}
    leaks.refuse({name: getattr(form, name) for name in form.model_fields_set - named})
    leaks.refuse_issued(form.trace_id, "/trace_id")
    leaks.refuse_issued(header, "/X-Trace-Id")
    leaks.refuse_issued(key, "/idempotency_key")
