"""Tools and environment gates, checked and compiled.

Lives here: the tools, tool_groups and environments sections and seed 001's gates.
Must not live here: what a tool's refusal leads to (``sources``).
Law: a schema refers to nothing outside itself; a group that is not declared is empty; to let
actions through unjudged in prod takes two written words.
"""

from collections.abc import Mapping

from governance.action import ActionKind
from governance.canonical import Json
from governance.policy.argument_schema import ArgumentSchema
from governance.policy.clearance import Clearance
from governance.policy.compiling.rules import compile_match
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.sections import EnvironmentForm, ToolForm
from governance.policy.matching import fold
from governance.policy.model import PROD, Gate
from governance.policy.scopes import Scope, parse_scope
from governance.policy.shows import ShownAs, Shows, problem_with, registered
from governance.policy.tools import DerivedTags, Tool, plan_digest


def compile_tools(
    form: BundleForm, source: Mapping[str, Json], clearance: Clearance
) -> dict[str, Tool]:
    """Every tool by name.

    Raises:
        InvalidInput: ``invalid_bundle``: an unknown class, a bad scope or schema.
    """
    written = source.get("tools", {})
    assert isinstance(written, Mapping)  # noqa: S101  # the form has seen a mapping
    tools = {}
    for name, item in form.tools.items():
        raw = written[name]
        assert isinstance(raw, Mapping)  # noqa: S101  # the form has seen a mapping
        tools[name] = _tool(name, item, raw, clearance)
    return tools


def _tool(name: str, item: ToolForm, raw: Mapping[str, Json], clearance: Clearance) -> Tool:
    classification = item.classification.casefold()
    if classification not in clearance.known:
        raise refuse(
            pointer("tools", name, "classification"),
            f"the data class {item.classification!r} is not known",
        )
    run = raw.get("run")
    assert run is None or isinstance(run, Mapping)  # noqa: S101  # the form has seen it
    return Tool(
        name=name,
        actions=tuple(ActionKind(action) for action in item.actions),
        classification=classification,
        requires_approval=item.requires_approval,
        scope=_scope(name, item),
        environments=fold(item.environments),
        arguments=_arguments(name, raw, run),
        risk_tags=fold(item.risk_tags),
        derived=tuple(
            DerivedTags(
                match=compile_match(each.match, ("tools", name, "derive", number, "match")),
                tags=fold(each.add),
            )
            for number, each in enumerate(item.derive)
        ),
        capability=(item.capability or "").casefold(),
        tier=item.tier or "",
        severity=(item.severity or "").casefold(),
        target=item.target or "",
        run=run,
        plan_digest="" if run is None else plan_digest(name, run),
        shows=_shows(name, item, raw, run),
    )


def _shows(
    name: str, item: ToolForm, raw: Mapping[str, Json], run: Mapping[str, Json] | None
) -> Shows:
    own = registered(run)
    if item.shows is None:
        return own
    form = ShownAs(item.shows.form)
    takes_plan = form is ShownAs.COMMAND and item.shows.argument is None
    shows = Shows(
        form=form,
        argument=item.shows.argument or "",
        before=item.shows.before or "",
        after=item.shows.after or "",
        argv=own.argv if takes_plan else (),
        fixed=own.fixed,
        title=own.title,
    )
    schema = raw.get("arguments", run.get("arguments") if run is not None else None)
    problem = problem_with(shows, schema if isinstance(schema, Mapping) else None)
    if problem:
        raise refuse(pointer("tools", name, "shows"), problem)
    return shows


def _scope(name: str, item: ToolForm) -> Scope | None:
    if item.scope is None:
        return None
    try:
        return parse_scope(item.scope)
    except ValueError as error:
        raise refuse(pointer("tools", name, "scope"), str(error)) from error


def _arguments(
    name: str, raw: Mapping[str, Json], run: Mapping[str, Json] | None
) -> ArgumentSchema | None:
    """The tool's schema, else that of its registered action: better refused now than when run."""
    place: tuple[str, ...] = ("tools", name, "arguments")
    schema = raw.get("arguments")
    if schema is None and run is not None:
        place, schema = ("tools", name, "run", "arguments"), run.get("arguments")
    if schema is None:
        return None
    if not isinstance(schema, Mapping):
        raise refuse(pointer(*place), "not a JSON Schema: not a mapping")
    try:
        return ArgumentSchema(schema)
    except ValueError as error:
        first = str(error).partition("\n")[0]
        raise refuse(pointer(*place), f"not a JSON Schema: {first}") from error


def compile_gates(form: BundleForm) -> dict[str, Gate]:
    """Every environment's gate by its folded name.

    Raises:
        InvalidInput: ``invalid_bundle``: a gate twice, or an open prod that nobody signed for.
    """
    sections: list[tuple[tuple[str, ...], Mapping[str, EnvironmentForm]]] = [
        (("environments",), form.environments)
    ]
    if form.policy_engine is not None:
        seed = form.policy_engine.environment_gates
        sections.append((("policy_engine", "environment_gates"), seed))
    gates: dict[str, Gate] = {}
    for place, section in sections:
        for name, item in section.items():
            if name.casefold() in gates:
                raise refuse(pointer(*place, name), f"the environment {name!r} has two gates")
            gates[name.casefold()] = _gate(name.casefold(), item, form, (*place, name))
    return gates


def _gate(name: str, item: EnvironmentForm, form: BundleForm, place: tuple[str, ...]) -> Gate:
    unsafe_open = item.fail_mode == "unsafe_open"
    if unsafe_open and name == PROD and not item.i_understand:
        raise refuse(
            pointer(*place, "fail_mode"),
            "unsafe_open lets actions through unjudged: in prod, add i_understand: true",
        )
    if item.i_understand and not unsafe_open:
        raise refuse(pointer(*place, "i_understand"), "i_understand only goes with unsafe_open")
    allowed = None
    if item.allowed_tools is not None:
        allowed = frozenset(
            tool
            for entry in item.allowed_tools
            for tool in form.tool_groups.get(entry, [entry] if entry in form.tools else [])
        )
    return Gate(
        requires_human_approval=item.requires_human_approval,
        allowed_tools=allowed,
        unsafe_open=unsafe_open,
        tier=item.tier or "",
    )
