"""When a rule or constraint applies, as it is written.

Lives here: the model of a ``match`` and of its parts: history, velocity, thresholds and hours.
Must not live here: what a match means (``matching``), how it is compiled (``compiling.conditions``,
``compiling.history``). Law: a match says the same wherever it stands: in a rule, a constraint, a
tool or an emergency.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from governance.policy.cel.tokens import MAX_CHARS
from governance.policy.forms.base import Duration, Form, Kind, Pattern, Words, also

Listed = Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1)]
Number = Annotated[int | Decimal, WithJsonSchema({"type": "number"})]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes: 09:00."""


class AfterForm(Form):
    """What must have been done before, by the same agent or under the same trace id."""

    of: Literal["agent", "trace"] = "agent"
    within: Duration
    at_least: Annotated[int, Field(ge=1, le=1_000)] = 1
    distinct: Literal["targets", "tools", "topics", "data_classes"] | None = None
    topics: list[Pattern] = []
    tools: Words = []
    actions: list[Kind] = []
    data_classes: Words = []
    risk_tags: Words = []


class VelocityForm(Form):
    """More than so many requests within a sliding window, this one included."""

    per: Annotated[str, Field(pattern=r"^(agent|tenant|tool|trace|label:.{1,128})$")]
    more_than: Annotated[int, Field(ge=1, le=10_000)]
    within: Duration


class ThresholdForm(Form):
    """Bounds for a label that is a number; every bound that is written must hold."""

    more_than: Number | None = None
    at_least: Number | None = None
    less_than: Number | None = None
    at_most: Number | None = None


class TimesForm(Form):
    """Hours of some days on the clocks of a zone; the end itself does not belong to them."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = []
    begin: Clock = Field("00:00", validation_alias=also("from"))
    end: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")] = Field(
        "24:00", validation_alias=also("to")
    )
    zone: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$")]


class MatchForm(Form):
    """When a rule or constraint applies; see ``matching.Match``."""

    topics: list[Pattern] = []
    tools: Words = []
    actions: list[Kind] = []
    capabilities: Words = []
    risk_tags: Words = []
    requires: Words = []
    labels: dict[str, str] = {}
    label_threshold: dict[str, ThresholdForm] = {}
    label_in: dict[str, Listed] = {}
    label_not_in: dict[str, Listed] = {}
    tenants: Words = []
    agents: Words = []
    roles: Words = []
    environments: Words = []
    data_classes: Words = []
    after: list[AfterForm] = Field([], max_length=16)
    velocity: VelocityForm | None = None
    times: list[TimesForm] = Field([], max_length=32)
    when: Annotated[str, Field(min_length=1, max_length=MAX_CHARS)] | None = None
