"""Writes the generated parts of the docs: ``python docs/generate.py``.

Lives here: tables and diagrams made from the code, and the markers that they stand between. Must
not live here: anything written by hand. Law: what is between two markers is never edited;
``tests/docs`` fails where it is not what the code says now.
"""

import dataclasses
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

from pydantic import BaseModel

from bot.api.openapi import document
from bot.replies import REPLIES
from bot.settings import PREFIX, Settings
from governance.audit import Event, Header
from governance.errors import Code
from governance.outbox import OwedKind
from governance.policy.forms import base as form_base
from governance.policy.forms import documented as forms
from governance.policy.forms import matches as match_forms
from governance.policy.forms import reminders as reminder_forms
from governance.policy.forms import sections
from governance.policy.lint import findings as lint_findings
from governance.tickets.lifecycle import LIVE, TRANSITIONS, WIRE
from storage.verify.findings import FINDINGS

DOCS = Path(__file__).resolve().parent
_MARKER = "<!-- generated: {name} {end} -->"
_FENCE = "```"
_METHODS = ("get", "post", "put", "patch", "delete")
_SOURCE = re.compile(r"^Seed \d+(?:: |'s )")
_RENAMED = {"block.": "The whole of the block."}


def lifecycle() -> Iterator[str]:
    """The state diagram of a ticket."""
    yield f"{_FENCE}mermaid"
    yield "stateDiagram-v2"
    for state, following in TRANSITIONS.items():
        source = "[*]" if state is None else state.value
        for target in sorted(following):
            yield f"    {source} --> {target.value}"
        if state is not None and not following:
            yield f"    {source} --> [*]"
    yield _FENCE


def wire() -> Iterator[str]:
    """What each state is called elsewhere."""
    yield "| state | `/api/v1` | Agent Approval Protocol | may change |"
    yield "|---|---|---|---|"
    for state, (ours, theirs) in WIRE.items():
        yield f"| {state.value} | `{ours}` | `{theirs}` | {'yes' if state in LIVE else 'no'} |"


def settings() -> Iterator[str]:
    """Every setting."""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = f"`{default}`" if default not in (None, "", {}) else "none"
        yield f"| `{PREFIX}{name.upper()}` | {shown} | {_cell(field.description or '')} |"


def codes() -> Iterator[str]:
    """Every stable code, in the groups of the source."""
    for title, names in _groups():
        yield f"### {title}"
        yield ""
        yield "| code | what a person in Slack is told | HTTP | exit |"
        yield "|---|---|---|---|"
        for code in names:
            reply = REPLIES[code]
            told = _cell(reply.slack)
            yield f"| `{code.value}` | {told} | {reply.status} | {int(reply.exit_code)} |"
        yield ""


def findings() -> Iterator[str]:
    """What the verification of the log may say."""
    yield "| code | what is wrong |"
    yield "|---|---|"
    for code, meaning in FINDINGS.items():
        yield f"| `{code}` | {_cell(meaning)} |"


def _groups() -> Iterator[tuple[str, list[Code]]]:
    title, found = "", list[Code]()
    for line in inspect.getsource(Code).splitlines():
        text = line.strip()
        if text.startswith("#"):
            if found:
                yield title, found
            title, found = text.removeprefix("# ").rstrip("."), []
        elif " = " in text:
            found.append(Code[text.partition(" = ")[0]])
    yield title, found


def envelope() -> Iterator[str]:
    """The fields beside every event's own payload."""
    yield ", ".join(f"`{field.name}`" for field in dataclasses.fields(Header)) + "."


def events() -> Iterator[str]:
    """Every type of event."""
    yield "| type | version | what happened | fields |"
    yield "|---|---|---|---|"
    for kind in get_args(Event):
        hints = get_type_hints(kind)
        fields = ", ".join(
            f"`{field.name}: {_type(hints[field.name])}`" for field in dataclasses.fields(kind)
        )
        doc = _cell(" ".join((inspect.getdoc(kind) or "").split()))
        yield f"| `{kind.__name__}` | {kind.version} | {doc} | {fields} |"


def _type(hint: object) -> str:
    if isinstance(hint, types.UnionType):
        return " or ".join(_type(part) for part in get_args(hint))
    inner = get_args(hint)
    if inner:
        parts = ", ".join("..." if part is Ellipsis else _type(part) for part in inner)
        return f"{getattr(hint, '__name__', 'tuple')}[{parts}]"
    return "none" if hint is types.NoneType else str(getattr(hint, "__name__", hint))


def owed() -> Iterator[str]:
    """What delivery does afterwards."""
    yield ", ".join(f"`{kind.value}`" for kind in OwedKind) + "."


def routes() -> Iterator[str]:
    """Every route of the published document."""
    yield "| route | what it does | credential |"
    yield "|---|---|---|"
    paths = cast("Mapping[str, Mapping[str, Mapping[str, Any]]]", document()["paths"])
    for path, operations in paths.items():
        for method in (name for name in _METHODS if name in operations):
            one = operations[method]
            scope = str(one.get("description", "Scope: none."))
            needed = scope.removeprefix("Scope: ").rstrip(".")
            asked = [item["name"] for item in one.get("parameters", ()) if item["in"] == "query"]
            query = f" Query: {', '.join(f'`{name}`' for name in asked)}." if asked else ""
            yield f"| `{method.upper()} {path}` | {_cell(one['summary'])}{query} | {needed} |"


def bundle() -> Iterator[str]:
    """Every key of a bundle, form by form, as the loader knows them."""
    for form in _forms(forms.BundleForm):
        doc = _SOURCE.sub("", " ".join((inspect.getdoc(form) or "").split()))
        doc = _RENAMED.get(doc, doc)
        yield f"### {_title(form)}"
        yield ""
        yield _cell(doc[0].upper() + doc[1:])
        yield ""
        yield "| key | value | default |"
        yield "|---|---|---|"
        schema = form.model_json_schema()
        for name, field in form.model_fields.items():
            choices = getattr(field.validation_alias, "choices", [name])
            keys = " or ".join(f"`{choice}`" for choice in choices)
            required = (
                "required"
                if field.is_required()
                else _default(field.get_default(call_default_factory=True, validated_data={}))
            )
            first = str(choices[0])
            value = _value(schema["properties"][first], schema)
            yield f"| {keys} | {_cell(value)} | {required} |"
        yield ""


def lint() -> Iterator[str]:
    """Every finding of the linter, errors first."""
    yield "| finding | | what it says |"
    yield "|---|---|---|"
    for severity in lint_findings.Severity:
        for code, meaning in lint_findings.MEANINGS.items():
            if lint_findings.severity_of(code) is severity:
                yield f"| `{code.value}` | {severity.value} | {meaning} |"


def _forms(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The root, then what it refers to, in reading order."""
    known = {
        name: item
        for module in (forms, match_forms, reminder_forms, sections)
        for name, item in vars(module).items()
        if inspect.isclass(item) and issubclass(item, form_base.Form)
    }
    seen, waiting = list[type[BaseModel]](), [root]
    while waiting:
        form = waiting.pop(0)
        if form in seen:
            continue
        seen.append(form)
        text = str(form.model_json_schema()["properties"])
        waiting += [known[name] for name in re.findall(r"#/\$defs/(\w+)", text) if name in known]
    yield from seen


def _title(form: type[BaseModel]) -> str:
    words = re.findall(r"[A-Z][a-z]*", form.__name__.removesuffix("Form"))
    return " ".join(words).capitalize() if form is not forms.BundleForm else "The bundle itself"


def _default(value: object) -> str:
    if isinstance(value, BaseModel) or value in (None, "", [], {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _value(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """A value's form in words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        words = " ".join(re.findall(r"[A-Z][a-z]*", name.removesuffix("Form"))).lower()
        return f"see {words}"
    if "anyOf" in schema:
        return " or ".join(_value(one, root) for one in schema["anyOf"] if one != {"type": "null"})
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    return _plain(schema, root)


def _plain(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    match schema.get("type"):
        case "array":
            return f"list of: {_value(schema['items'], root)}"
        case "object":
            inner = schema.get("additionalProperties")
            if isinstance(inner, Mapping) and inner:
                return f"mapping of names to: {_value(inner, root)}"
            patterns = schema.get("patternProperties")
            if patterns:
                return f"mapping of names to: {_value(next(iter(patterns.values())), root)}"
            return "mapping"
        case "integer":
            low, high = schema.get("minimum", ""), schema.get("maximum", "")
            huge = isinstance(high, int) and high > 2**52
            since = "" if low == "" else f" from {low}"
            return f"whole number{since}" + ("" if huge or high == "" else f" to {high}")
        case "number":
            return "number"
        case "boolean":
            return "true or false"
        case "string" if schema.get("pattern") == "^[1-9][0-9]{0,6}[smhd]$":
            return "duration (30s, 5m, 4h, 2d)"
        case "string" if "slack:" in str(schema.get("pattern", "")):
            return "person (slack:TEAM/USER)"
        case _:
            return "text"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")


PARTS: Mapping[str, Mapping[str, Callable[[], Iterator[str]]]] = {
    "concepts.md": {"lifecycle": lifecycle, "wire": wire},
    "settings.md": {"settings": settings},
    "codes.md": {"codes": codes},
    "events.md": {"envelope": envelope, "events": events, "owed": owed},
    "http.md": {"routes": routes},
    "policy.md": {"bundle": bundle, "lint": lint},
    "operations.md": {"findings": findings},
}
"""File -> name of the part -> what makes it."""


def renewed(file: str, text: str) -> str:
    """``text`` of ``file`` with every generated part made anew.

    Raises:
        ValueError: a marker is missing.
    """
    for name, make in PARTS[file].items():
        begin, end = (_MARKER.format(name=name, end=word) for word in ("begin", "end"))
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"docs/{file} has no part {name}")
        body = "\n".join(make()).rstrip()
        text = f"{before}{begin}\n{body}\n{end}{after}"
    return text


def main() -> None:
    """Write every file whose parts have changed."""
    for file in PARTS:
        path = DOCS / file
        text = path.read_text(encoding="utf-8")
        new = renewed(file, text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"docs/{file} is written anew\n")


if __name__ == "__main__":
    main()
