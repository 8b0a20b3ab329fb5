"""What changes when one bundle takes the place of another, in words.

Lives here: the one function that compares two bundles, and the changes outside their rules.
Must not live here: rules (``rules``), or whether the new bundle is any good (``lint``).
Law: two bundles with different snapshots have at least one change; "stricter" and "looser" are
said only where they hold for every request, and "different" is said everywhere else.
"""

from collections.abc import Iterator, Mapping

from governance.canonical import Json
from governance.policy.diff.changes import Change, Direction, Group, Kind, from_to, said
from governance.policy.diff.directions import direction
from governance.policy.diff.rules import rule_changes
from governance.policy.diff.views import Item, views
from governance.policy.forms.documented import BundleForm
from governance.policy.model import Bundle

__all__ = ["Change", "Direction", "Group", "Kind", "diff"]


def diff(old: Bundle, new: Bundle) -> tuple[Change, ...]:
    """Every change from ``old`` to ``new``, rules first."""
    changes = [*rule_changes(old, new), *_items(old, new)]
    if not changes and old.snapshot != new.snapshot:
        changes.append(_spelling(old, new))
    return tuple(changes)


def _spelling(old: Bundle, new: Bundle) -> Change:
    """What is left where every value means the same: the way it is written."""
    before, after = (BundleForm.model_validate(one.source) for one in (old, new))
    alike = before.model_dump(exclude={"rules"}) == after.model_dump(exclude={"rules"})
    text = "the same is written in another way" if alike else "the same is said by other keys"
    return Change(
        group=Group.BUNDLE, kind=Kind.CHANGED, name="", direction=Direction.SAME, sentence=text
    )


def _items(old: Bundle, new: Bundle) -> Iterator[Change]:
    before, after = views(old), views(new)
    for group in before:
        names = [*before[group], *(name for name in after[group] if name not in before[group])]
        for name in names:
            yield from _item(
                group, name, before[group].get(name), after[group].get(name), (old, new)
            )


def _item(
    group: Group, name: str, was: Item | None, now: Item | None, both: tuple[Bundle, Bundle]
) -> Iterator[Change]:
    who = f"{group.value} {name}" if name else ""
    if was is None or now is None:
        is_new = was is None
        yield Change(
            group=group,
            kind=Kind.ADDED if is_new else Kind.REMOVED,
            name=name,
            direction=direction(group, name, "", old=_json(was), new=_json(now), both=both),
            sentence=f"{who} is {'new' if is_new else 'gone'}: {_all(now or was or {})}",
        )
        return
    for key in [*was, *(key for key in now if key not in was)]:
        first, second = was.get(key), now.get(key)
        if first != second:
            label = f"{who}: {key}" if who else key
            yield Change(
                group=group,
                kind=Kind.CHANGED,
                name=name,
                key=key,
                before=first,
                after=second,
                direction=direction(group, name, key, old=first, new=second, both=both),
                sentence=f"{label} {from_to(first, second)}",
            )


def _json(item: Item | None) -> Json:
    return None if item is None else dict(item)


def _all(item: Mapping[str, Json]) -> str:
    return "; ".join(f"{key} {said(value)}" for key, value in item.items() if _is_set(value))


def _is_set(value: Json) -> bool:
    return value is not None and value is not False and value not in ("", [], {})
