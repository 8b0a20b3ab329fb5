"""``after`` and ``velocity``, checked and compiled.

Lives here: windows, globs and words of the conditions over the past. Must not live here: judging
them (``history``). Law: a window is bounded; what cannot be counted exactly is refused at load.
"""

from collections.abc import Iterator

from governance.policy.compiling.tiers import seconds
from governance.policy.facts import Whose
from governance.policy.forms.documented import pointer, refuse
from governance.policy.forms.matches import AfterForm, MatchForm
from governance.policy.history import MOST_WINDOW_S, After, Earlier, Velocity
from governance.policy.matching import Condition, Glob, fold, glob

Place = tuple[str | int, ...]


def compile_history(form: MatchForm, place: Place) -> Iterator[Condition]:
    """The conditions over the past that one match holds.

    Raises:
        InvalidInput: ``invalid_bundle``: a window beyond a day, a topic that is not a glob.
    """
    if form.after:
        entries = (_earlier(item, (*place, "after", n)) for n, item in enumerate(form.after))
        yield After(entries=tuple(entries))
    if form.velocity is not None:
        velocity = form.velocity
        within_s = _window(velocity.within, (*place, "velocity", "within"))
        yield Velocity(per=velocity.per, more_than=velocity.more_than, within_s=within_s)


def _earlier(form: AfterForm, place: Place) -> Earlier:
    return Earlier(
        of=Whose(form.of),
        within_s=_window(form.within, (*place, "within")),
        at_least=form.at_least,
        distinct=form.distinct or "",
        topics=tuple(
            _topic(text, (*place, "topics", number)) for number, text in enumerate(form.topics)
        ),
        tools=frozenset(form.tools),
        actions=frozenset(form.actions),
        data_classes=fold(form.data_classes),
        risk_tags=fold(form.risk_tags),
    )


def _window(duration: str, place: Place) -> int:
    within_s = seconds(duration)
    if within_s > MOST_WINDOW_S:
        raise refuse(pointer(*place), f"the past is remembered for 24h here, not {duration}")
    return within_s


def _topic(text: str, place: Place) -> Glob:
    try:
        return glob(text)
    except ValueError as error:
        raise refuse(pointer(*place), str(error)) from error
