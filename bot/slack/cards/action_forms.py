"""An action in the form that its tool is shown by: a command line, a diff, a table, fields.

Lives here: from a content and a tool's form to labelled texts. Must not live here: cuts and blocks
(``cards.action``), the whole for reading (``full_view``). Law: made from the recorded content and
from the registered action that is bound, and from nothing else; an argument that a form does not
show in full stands beside it; a form that does not fit what was sent gives way to fields.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.slack.cards.action_diff import Diff, added, compare, shortened
from bot.slack.cards.action_fields import MISSING, lines, single, text_lines
from bot.slack.cards.view import CardView
from bot.slack.kit.language import N_, gettext, ngettext, number
from bot.slack.kit.text import Inert, in_order, inert
from governance.action import Content, Dispatch
from governance.canonical import Json
from governance.policy.shows import ShownAs, Shows, command_items, filled_in

TABLE_ROWS, TABLE_COLUMNS, CELL_CHARS = 20, 6, 120
"""The largest table that is drawn as one; a larger one is read record by record."""
COMMAND = N_("Command line, each item quoted where it has to be")
COMMAND_TEXT = N_("Command, as one text for a shell")
CHANGE = N_("Change (- goes, + comes)")
NEW_TEXT = N_("New text; what stands there now was not sent")
PATCH = N_("Patch, as it was sent")
RECORDS = N_("Records")
ARGUMENTS = N_("Arguments")
OTHERS = N_("Other arguments")
FIXED = N_("Set by the registry, not by the agent")
PROMPT = N_("Prompt, the agent's own instruction")
CONTEXT = N_("Context")
NOTHING = N_("(no arguments and no prompt)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One labelled text; ``rows`` where it can be drawn as a table, its header first.

    ``brief`` is a shorter form of the same, None where there is none.
    """

    label: str
    text: Inert
    rows: tuple[tuple[Inert, ...], ...] = ()
    brief: Inert | None = None
    is_form: bool = False
    """Whether it lays the arguments out in another form than as fields."""


def title_of(view: CardView) -> str:
    """What the registry calls the action that would run, where that is what was bound."""
    shows = _bound(view)
    return shows.title if view.ticket.ask.dispatch is Dispatch.EXECUTE else ""


def parts_of(view: CardView, content: Content) -> list[Part]:
    """The whole of what would happen, its most telling part first; at least one."""
    out = _typed(_bound(view), content.arguments)
    if content.prompt:
        out.append(Part(label=gettext(PROMPT), text=_joined(text_lines(content.prompt))))
    if content.context is not None:
        out.append(Part(label=gettext(CONTEXT), text=fields_of({"context": content.context})))
    return out or [Part(label=gettext(ARGUMENTS), text=Inert(gettext(NOTHING)))]


def as_text(parts: Sequence[Part]) -> Inert:
    """All parts as one text; what was sent is set in, so that it cannot pass for a label."""
    out: list[str] = []
    for part in parts:
        out.append(f"{part.label}:")
        out += [f"  {line}" for line in part.text.split("\n")]
    return _joined(out)


def fields_of(arguments: Mapping[str, Json]) -> Inert:
    """All arguments as fields."""
    return _joined(lines(arguments))


def _bound(view: CardView) -> Shows:
    """The tool's form; that of a registered action only while it is the one that was bound."""
    tool, ticket = view.tool, view.ticket
    if tool is None or tool.name != ticket.ask.tool:
        return Shows()
    is_plan = ticket.ask.dispatch is Dispatch.EXECUTE and (
        tool.plan_digest == ticket.ruling.plan_digest
    )
    if is_plan:
        return tool.shows
    return Shows() if tool.shows.needs_plan else _untitled(tool.shows)


def _untitled(shows: Shows) -> Shows:
    return Shows(form=shows.form, argument=shows.argument, before=shows.before, after=shows.after)


def _typed(shows: Shows, arguments: Mapping[str, Json]) -> list[Part]:
    found: Part | None = None
    shown: frozenset[str] = frozenset(shows.named)
    match shows.form:
        case ShownAs.COMMAND if shows.argv:
            found, shown = _registered(shows, arguments), filled_in(shows)
        case ShownAs.COMMAND:
            found = _command(arguments.get(shows.argument))
        case ShownAs.DIFF:
            found = _change(shows, arguments)
        case ShownAs.TABLE:
            found = _records(arguments.get(shows.argument))
        case ShownAs.FIELDS:
            pass
    fixed = [] if shows.argv or not shows.fixed else [_fixed(shows)]
    if found is None:
        plain = [Part(label=gettext(ARGUMENTS), text=fields_of(arguments))] if arguments else []
        return [*plain, *fixed]
    others = {name: value for name, value in arguments.items() if name not in shown}
    beside = [Part(label=gettext(OTHERS), text=fields_of(others))] if others else []
    return [replace(found, is_form=True), *beside, *fixed]


def _fixed(shows: Shows) -> Part:
    """What the operator has set; a command line has it in its items."""
    return Part(label=gettext(FIXED), text=fields_of(dict(shows.fixed)))


def _registered(shows: Shows, arguments: Mapping[str, Json]) -> Part | None:
    items = command_items(shows, arguments)
    return None if items is None else Part(label=gettext(COMMAND), text=quoted(items))


def _command(value: Json) -> Part | None:
    if isinstance(value, str):
        return Part(label=gettext(COMMAND_TEXT), text=_joined(text_lines(value)))
    if not isinstance(value, list | tuple) or not value:
        return None
    items = [item for item in value if isinstance(item, str)]
    return Part(label=gettext(COMMAND), text=quoted(items)) if len(items) == len(value) else None


def quoted(items: Sequence[str]) -> Inert:
    """A command line on which every item is seen to begin and to end, in its place."""
    return in_order(Inert(" ".join(inert(shlex.quote(item)) for item in items)))


def _change(shows: Shows, arguments: Mapping[str, Json]) -> Part | None:
    """The change; None where an argument that it needs is no text: fields show what was sent."""
    if shows.argument:
        patch = arguments.get(shows.argument)
        is_text = isinstance(patch, str)
        return Part(label=gettext(PATCH), text=_joined(text_lines(str(patch)))) if is_text else None
    after = arguments.get(shows.after)
    if not isinstance(after, str):
        return None
    if not shows.before:
        return Part(label=gettext(NEW_TEXT), text=_drawn(added(after)))
    before = arguments.get(shows.before)
    if not isinstance(before, str):
        return None
    whole = compare(before, after)
    removed, came = _count(whole.removed), _count(whole.added)
    label = gettext(
        "{change}: {removed} out, {added} in", change=gettext(CHANGE), removed=removed, added=came
    )
    return Part(label=label, text=_drawn(whole), brief=_drawn(shortened(before, after)))


def _count(lines_: int) -> str:
    return ngettext("{count} line", "{count} lines", lines_)


def _drawn(diff: Diff) -> Inert:
    return _joined(diff.lines) or Inert(gettext("(no line)"))


def _records(value: Json) -> Part | None:
    """A list of records; each of them, and each text in it, as fields are shown."""
    if not isinstance(value, list | tuple) or not value:
        return None
    records = [item for item in value if isinstance(item, Mapping)]
    if len(records) != len(value):
        return None
    text: list[str] = []
    for rank, record in enumerate(records, 1):
        place = gettext("{number} of {all}", number=rank, all=len(records))
        text.append(place + ("" if record else ": {}"))
        text += [f"  {line}" for line in lines(record)]
    label = gettext("Record")
    if len(records) > 1:
        label = gettext(
            "{records}, {count} of them", records=gettext(RECORDS), count=number(len(records))
        )
    return Part(label=label, text=_joined(text), rows=_rows(records))


def _rows(records: Sequence[Mapping[str, Json]]) -> tuple[tuple[Inert, ...], ...]:
    """The records as rows under their names; nothing where they do not fit a table."""
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names or len(records) > TABLE_ROWS or len(names) > TABLE_COLUMNS:
        return ()
    body = [
        tuple(single(record[name]) if name in record else Inert(MISSING) for name in names)
        for record in records
    ]
    rows = (tuple(single(name) for name in names), *body)
    return () if any(len(cell) > CELL_CHARS for row in rows for cell in row) else rows


def _joined(found: Sequence[str]) -> Inert:
    return Inert("\n".join(found))
