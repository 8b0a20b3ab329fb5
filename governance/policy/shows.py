"""How people are shown what a tool would do.

Lives here: a tool's typed form (a command line, a diff, a table, or plain fields), its checks, and
the items of a registered command with the arguments filled in. Must not live here: any drawing
(``bot.slack``) or running (``bot.executor``). Law: a form is only another way to lay out the same
arguments: it decides nothing, and what it cannot show is shown beside it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from governance.canonical import Json


class ShownAs(StrEnum):
    """The forms."""

    FIELDS = "fields"
    COMMAND = "command"
    DIFF = "diff"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows:
    """One tool's form.

    ``argument`` holds the command, the patch or the records; ``before`` and ``after`` the two
    texts of a diff; ``argv`` the items of the registered command where no argument holds it.
    ``fixed`` are the arguments that the registry sets, ``title`` is its own name for what is run;
    both are empty where nothing is registered.
    """

    form: ShownAs = ShownAs.FIELDS
    argument: str = ""
    before: str = ""
    after: str = ""
    argv: tuple[str, ...] = ()
    fixed: tuple[tuple[str, Json], ...] = ()
    title: str = ""

    @property
    def needs_plan(self) -> bool:
        """Whether it shows the registered action itself, and so only an unchanged one."""
        return bool(self.argv)

    @property
    def named(self) -> tuple[str, ...]:
        """The arguments that the form is made of."""
        return tuple(name for name in (self.argument, self.before, self.after) if name)


_TAKES = {
    ShownAs.FIELDS: (),
    ShownAs.COMMAND: ("argument",),
    ShownAs.DIFF: ("argument", "before", "after"),
    ShownAs.TABLE: ("argument",),
}


def problem_with(shows: Shows, schema: Mapping[str, Json] | None) -> str:
    """Why a tool with this schema of arguments cannot be shown so; empty where it can."""
    given = [name for name in ("argument", "before", "after") if getattr(shows, name)]
    foreign = [name for name in given if name not in _TAKES[shows.form]]
    if foreign:
        return f"{shows.form.value} takes no {foreign[0]}"
    wrong = ""
    match shows.form:
        case ShownAs.FIELDS:
            return ""
        case ShownAs.TABLE if not shows.argument:
            wrong = "a table needs the argument that holds its records"
        case ShownAs.DIFF if bool(shows.argument) == bool(shows.after):
            wrong = "a diff needs either after (and before), or the argument that holds a patch"
        case ShownAs.DIFF if shows.before and shows.argument:
            wrong = "a diff with the argument that holds a patch takes no before"
        case ShownAs.COMMAND if not shows.argument and not shows.argv:
            wrong = "a command needs the argument that holds it, or a registered action with argv"
        case _:
            wrong = _unknown(shows, schema)
    return wrong


def _unknown(shows: Shows, schema: Mapping[str, Json] | None) -> str:
    properties = (schema or {}).get("properties")
    if not isinstance(properties, Mapping):
        return ""
    missing = [name for name in shows.named if name not in properties]
    return f"the tool's arguments have no {missing[0]}" if missing else ""


def registered(run: Mapping[str, Json] | None) -> Shows:
    """The form of a registered action by itself: its command line where it has one."""
    if run is None:
        return Shows()
    title, runner, fixed = run.get("title"), run.get("runner"), run.get("fixed")
    plain = Shows(
        fixed=tuple(fixed.items()) if isinstance(fixed, Mapping) else (),
        title=title if isinstance(title, str) else "",
    )
    items = runner.get("argv") if isinstance(runner, Mapping) else None
    if not isinstance(items, Sequence) or isinstance(items, str):
        return plain
    return replace(plain, form=ShownAs.COMMAND, argv=tuple(str(item) for item in items))


_PLACEHOLDER = re.compile(r"(--[A-Za-z0-9][A-Za-z0-9-]*=)?\{([A-Za-z_]\w{0,63})(\?)?\}")


def command_items(shows: Shows, arguments: Mapping[str, Json]) -> tuple[str, ...] | None:
    """The items that the registered command would be run with; None where it could not be.

    The executor fills them in by itself; a test holds the two to the same answer.
    """
    fixed = dict(shows.fixed)
    if fixed.keys() & arguments.keys():
        return None
    every = {**arguments, **fixed}
    out: list[str] = []
    for item in shows.argv:
        found = _PLACEHOLDER.fullmatch(item)
        if found is None:
            out.append(item)
        elif found[2] in every:
            text = item_text(every[found[2]])
            if text is None:
                return None
            out.append((found[1] or "") + text)
        elif not found[3]:
            return None
    return tuple(out)


def item_text(value: Json) -> str | None:
    """A single value as one item of a command line; None for lists, objects and null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | Decimal) else None


def filled_in(shows: Shows) -> frozenset[str]:
    """The arguments that the registered command's items take."""
    found = (_PLACEHOLDER.fullmatch(item) for item in shows.argv)
    return frozenset(match[2] for match in found if match)
