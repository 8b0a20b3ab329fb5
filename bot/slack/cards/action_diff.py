"""Two texts, or a patch, as the lines that change.

Lives here: the comparison and its lines. Must not live here: which arguments are compared
(``action_forms``). Law: every line of both texts is in the result unless it says how many unchanged
ones it leaves out; each line begins with our own sign, so that no text can pass for another; the
cost grows with the texts' length and not with its square.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.slack.cards.action_fields import text_lines
from bot.slack.kit.language import gettext, ngettext
from bot.slack.kit.text import Inert

MOST_COMPARED = 160
"""Lines on either side beyond which the changed part is shown as all old, then all new lines."""
AROUND = 3
_OLD, _NEW, _SAME = "- ", "+ ", "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """The lines of a comparison; ``left_out`` counts unchanged ones that are not in it."""

    lines: tuple[Inert, ...]
    removed: int
    added: int
    left_out: int = 0


def compare(before: str, after: str) -> Diff:
    """Every line of both texts, those that both have once."""
    return _diff(_steps(_split(before), _split(after)))


def added(after: str) -> Diff:
    """A text whose predecessor nobody sent: every line is new."""
    return _diff([(_NEW, line) for line in _split(after)])


def shortened(before: str, after: str) -> Diff:
    """The changes with a few lines around each; the others are counted in their places."""
    steps = _steps(_split(before), _split(after))
    near = _near(steps)
    out: list[Inert] = []
    skipped = total = 0
    for step, is_near in zip([*steps, None], [*near, True], strict=True):
        if not is_near:
            skipped += 1
            continue
        if skipped:
            told = ngettext("{count} unchanged line", "{count} unchanged lines", skipped)
            out.append(Inert(f"@ {told}"))
            total, skipped = total + skipped, 0
        if step is not None:
            out.append(Inert(step[0] + step[1]))
    whole = _diff(steps)
    return Diff(lines=tuple(out), removed=whole.removed, added=whole.added, left_out=total)


_Step = tuple[str, Inert]


def _split(text: str) -> list[Inert]:
    """The lines; the last one says so, on a line of ours, where the text does not end it."""
    *found, last = text_lines(text)
    mark = gettext("no line end")
    return [*found, Inert(f"{last}\n\\ {mark}")] if last else found


def _diff(steps: Sequence[_Step]) -> Diff:
    return Diff(
        lines=tuple(Inert(sign + line) for sign, line in steps),
        removed=sum(sign == _OLD for sign, _ in steps),
        added=sum(sign == _NEW for sign, _ in steps),
    )


def _near(steps: Sequence[_Step]) -> list[bool]:
    """Whether each step is a change or close to one."""
    found = [False] * len(steps)
    for order in (range(len(steps)), reversed(range(len(steps)))):
        since = AROUND + 1
        for place in order:
            since = 0 if steps[place][0] != _SAME else since + 1
            found[place] = found[place] or since <= AROUND
    return found


def _steps(old: list[Inert], new: list[Inert]) -> list[_Step]:
    first = _common(old, new)
    last = _common(old[first:][::-1], new[first:][::-1])
    ends = (len(old) - last, len(new) - last)
    middle = _changed(old[first : ends[0]], new[first : ends[1]])
    same = [(_SAME, line) for line in old[:first]]
    return [*same, *middle, *((_SAME, line) for line in old[ends[0] :])]


def _common(one: Sequence[Inert], other: Sequence[Inert]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _changed(old: list[Inert], new: list[Inert]) -> list[_Step]:
    """The longest common lines kept, by a table of bounded size; else all old, then all new."""
    if max(len(old), len(new)) > MOST_COMPARED:
        return [*((_OLD, line) for line in old), *((_NEW, line) for line in new)]
    names: dict[str, int] = {}  # lines as numbers: a comparison costs the same however long
    left = [names.setdefault(line, len(names)) for line in old]
    right = [names.setdefault(line, len(names)) for line in new]
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for row in range(len(left) - 1, -1, -1):
        for column in range(len(right) - 1, -1, -1):
            best[row][column] = (
                best[row + 1][column + 1] + 1
                if left[row] == right[column]
                else max(best[row + 1][column], best[row][column + 1])
            )
    out: list[_Step] = []
    row = column = 0
    while row < len(left) or column < len(right):
        if row < len(left) and column < len(right) and left[row] == right[column]:
            out.append((_SAME, old[row]))
            row, column = row + 1, column + 1
        elif column == len(right) or (
            row < len(left) and best[row + 1][column] >= best[row][column + 1]
        ):
            out.append((_OLD, old[row]))
            row += 1
        else:
            out.append((_NEW, new[column]))
            column += 1
    return out
