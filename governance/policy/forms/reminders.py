"""The section of a bundle that says when people are reminded, and who else is told.

Lives here: its forms. Must not live here: when a reminder is due (``reminders``), or checks that
look at tiers (``compiling.reminders``). Law: as for every section: an unknown key is refused.
"""

from typing import Annotated

from pydantic import Field

from governance.policy.forms.base import Duration, Form, Name, PersonRef

ChannelRef = Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{2,31}$")]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class QuietHoursForm(Form):
    """The hours in which nobody is reminded, each in their own zone."""

    start: ClockTime
    end: ClockTime


class StepForm(Form):
    """Who is told when nobody decided for so long; nobody's vote changes by it."""

    after: Duration
    channel: ChannelRef | None = None
    roles: list[Name] = Field(default_factory=list)
    people: list[PersonRef] = Field(default_factory=list)


class TierRemindersForm(Form):
    """Reminders and steps of one tier."""

    before: list[Duration] = Field(default_factory=lambda: ["2h", "15m"], max_length=10)
    """How long before the ticket expires."""
    most_a_day: Annotated[int, Field(ge=1, le=24)] = 3
    """So many reminders of one ticket has one person in a day at most."""
    urgent: bool = False
    """Quiet hours hold nothing back."""
    steps: list[StepForm] = Field(default_factory=list, max_length=10)


class RemindersForm(Form):
    """When people are reminded of what waits for them, and whom else it is told."""

    quiet_hours: QuietHoursForm | None = None
    tiers: dict[Name, TierRemindersForm] = Field(default_factory=dict)
    """What a tier does not say is as of a tier that says nothing."""
