"""Reminders and steps of escalation, checked and compiled.

Lives here: the section ``reminders``. Must not live here: when one is due (``reminders``).
Law: a step that tells nobody, or comes before the one above it, is refused at load, and so is a
reminder of a tier that is not there.
"""

from collections.abc import Mapping
from types import MappingProxyType

from governance.policy.compiling.tiers import BUILT_IN, seconds
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.reminders import QuietHoursForm, TierRemindersForm
from governance.policy.reminders import QuietHours, Reminders, Step, Timing
from governance.policy.tiers import Levels
from governance.principal import PersonId


def compile_reminders(
    form: BundleForm, tiers: Mapping[str, object], levels: Mapping[str, Levels]
) -> Reminders:
    """What the bundle says of reminders; a level of severity does as its tier unless written.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer.
    """
    section = form.reminders
    written = {name: _timing(form, name, item) for name, item in section.tiers.items()}
    for name in written:
        if name not in tiers or name == BUILT_IN:
            raise refuse(pointer("reminders", "tiers", name), f"there is no tier {name!r}")
    inherited = {
        level: timing
        for name, timing in written.items()
        if name in levels
        for level in levels[name].tiers
    }
    quiet = None if section.quiet_hours is None else _quiet(section.quiet_hours)
    return Reminders(quiet=quiet, tiers=MappingProxyType({**inherited, **written}))


def _timing(form: BundleForm, name: str, item: TierRemindersForm) -> Timing:
    place = ("reminders", "tiers", name)
    before = tuple(seconds(duration) for duration in item.before)
    if list(before) != sorted(set(before), reverse=True):
        raise refuse(pointer(*place, "before"), "name the earliest reminder first, each once")
    steps = tuple(
        Step(
            after_s=seconds(step.after),
            channel=step.channel or "",
            roles=tuple(step.roles),
            people=tuple(PersonId(person) for person in step.people),
        )
        for step in item.steps
    )
    for number, step in enumerate(steps):
        at = pointer(*place, "steps", number)
        if not (step.channel or step.roles or step.people):
            raise refuse(at, "this step tells nobody: name a channel, roles or people")
        unknown = sorted(set(step.roles) - form.directory.roles.keys())
        if unknown:
            raise refuse(f"{at}/roles", f"nobody holds the role {unknown[0]!r}: see directory")
        if number and step.after_s <= steps[number - 1].after_s:
            raise refuse(f"{at}/after", "each step comes later than the one above it")
    return Timing(before_s=before, most_a_day=item.most_a_day, is_urgent=item.urgent, steps=steps)


def _quiet(form: QuietHoursForm) -> QuietHours:
    start, end = _minute(form.start), _minute(form.end)
    if start == end:
        at = pointer("reminders", "quiet_hours", "end")
        raise refuse(at, "quiet hours that begin as they end are none, or a whole day")
    return QuietHours(start=start, end=end)


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
