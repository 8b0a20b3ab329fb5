"""Label thresholds, label lists, time windows and ``when``, checked and compiled.

Lives here: bounds, zones and expressions as a bundle writes them. Must not live here: judging them
(``conditions``, ``cel``). Law: a condition that could never hold is refused at load; a zone's rules
are those of the pinned tzdata package, so that one bundle means the same on every machine.
"""

from collections.abc import Iterator
from datetime import time, tzinfo
from decimal import Decimal
from io import BytesIO
from pkgutil import get_data
from zoneinfo import ZoneInfo

from governance.policy.cel.expression import Expression, compile_expression
from governance.policy.conditions import DAYS, LabelAmong, LabelThreshold, Times, Window
from governance.policy.forms.documented import pointer, refuse
from governance.policy.forms.matches import MatchForm, ThresholdForm, TimesForm
from governance.policy.matching import Condition

Place = tuple[str | int, ...]
_MIDNIGHT_AFTER = "24:00"


def compile_conditions(form: MatchForm, place: Place) -> Iterator[Condition]:
    """The conditions of one match that no index can answer, the cheap ones first.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer to what cannot hold or is not understood.
    """
    if form.times:
        windows = (_window(item, (*place, "times", n)) for n, item in enumerate(form.times))
        yield Times(windows=tuple(windows))
    for label, threshold in form.label_threshold.items():
        yield _threshold(label, threshold, (*place, "label_threshold", label))
    for label, values in form.label_in.items():
        yield LabelAmong(label=label, values=frozenset(values), is_listed=True)
    for label, values in form.label_not_in.items():
        yield LabelAmong(label=label, values=frozenset(values), is_listed=False)
    if form.when is not None:
        yield _expression(form.when, (*place, "when"))


def _threshold(label: str, form: ThresholdForm, place: Place) -> LabelThreshold:
    lows: list[int | Decimal] = [b for b in (form.more_than, form.at_least) if b is not None]
    highs: list[int | Decimal] = [b for b in (form.less_than, form.at_most) if b is not None]
    if not lows and not highs:
        raise refuse(pointer(*place), "a threshold needs more_than, at_least, less_than or at_most")
    found = LabelThreshold(
        label=label,
        more_than=form.more_than,
        at_least=form.at_least,
        less_than=form.less_than,
        at_most=form.at_most,
    )
    if lows and highs:
        low, high = max(lows), min(highs)
        if low > high or (low == high and not found.lets(low)):
            raise refuse(pointer(*place), "no number lies within these bounds")
    return found


def _window(form: TimesForm, place: Place) -> Window:
    if form.begin == form.end:
        raise refuse(pointer(*place, "to"), 'a whole day is written from "00:00" to "24:00"')
    return Window(
        days=frozenset(map(DAYS.index, form.days)) or frozenset(range(len(DAYS))),
        begin=time.fromisoformat(form.begin),
        end=None if form.end == _MIDNIGHT_AFTER else time.fromisoformat(form.end),
        zone=_zone(form.zone, (*place, "zone")),
        zone_name=form.zone,
    )


def _zone(name: str, place: Place) -> tzinfo:
    """The zone from the package's own file, read once, when the bundle is loaded."""
    try:
        raw = get_data("tzdata", f"zoneinfo/{name}")
        return ZoneInfo.from_file(BytesIO(raw or b""), key=name)
    except (OSError, ValueError) as error:
        message = f"there is no time zone {name!r}; one is written like Europe/Berlin"
        raise refuse(pointer(*place), message) from error


def _expression(text: str, place: Place) -> Expression:
    try:
        return compile_expression(text)
    except ValueError as error:
        raise refuse(pointer(*place), str(error)) from error
