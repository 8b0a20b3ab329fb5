"""What changes when one bundle takes the place of another.

Lives here: ``placet policy diff`` and its tables. Must not live here: what a change is
(``governance.policy.diff.diff``) or the change itself (``policy activate``).
Law: it changes nothing; every difference in meaning is a line.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.output import AsJson, answered, emit, facts, show, table
from bot.replies import Exit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from governance.policy.diff.diff import Change
    from governance.policy.model import Bundle


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        "diff",
        epilog="Exit code 0: they were compared (with --exit-code: and nothing differs); 1: one "
        "does not load, or --exit-code and something differs.\n\n"
        "Example: placet policy diff /etc/placet/policies ./policies",
    )(compare)


@answered
def compare(
    *,
    old: Annotated[Path, typer.Argument(help="Folder or file of the bundle before.")],
    new: Annotated[Path, typer.Argument(help="Folder or file of the bundle after.")],
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Fail (1) where anything differs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say in words what changes from one bundle to another, and in which direction.

    stricter and looser are said where they hold for every request, same where no answer changes;
    everything else is different. The direction of a tier is that of tickets of this tier alone.
    """
    from bot.bundles import load_bundle
    from governance.policy.diff.diff import diff

    before, after = load_bundle(old), load_bundle(new)
    changes = diff(before, after)
    if as_json:
        emit(_described(before, after, changes))
    else:
        _tell(before, after, changes)
    if changes and exit_code:
        raise typer.Exit(Exit.PROBLEM)


def _described(old: "Bundle", new: "Bundle", changes: "tuple[Change, ...]") -> dict[str, object]:
    return {
        "old": {"name": old.name, "snapshot": old.snapshot},
        "new": {"name": new.name, "snapshot": new.snapshot},
        "directions": _counted(changes),
        "changes": [change.to_json() for change in changes],
    }


def _counted(changes: "Iterable[Change]") -> dict[str, int]:
    from governance.policy.diff.diff import Direction

    counts = dict.fromkeys((way.value for way in Direction), 0)
    for change in changes:
        counts[change.direction.value] += 1
    return counts


def _tell(old: "Bundle", new: "Bundle", changes: "tuple[Change, ...]") -> None:
    from governance.policy.diff.diff import Group

    show(facts([("old", f"{old.name} {old.snapshot}"), ("new", f"{new.name} {new.snapshot}")]))
    for group in Group:
        rows = [
            (change.kind.value, change.direction.value, change.sentence)
            for change in changes
            if change.group is group
        ]
        if rows:
            show(table(f"\n{group.value.capitalize()}", ("", "direction", "what"), rows))
    if not changes:
        show("Nothing differs.")
        return
    told = ", ".join(f"{count} {way}" for way, count in _counted(changes).items() if count)
    show(f"{len(changes)} change{'s' * (len(changes) != 1)}: {told}.")
