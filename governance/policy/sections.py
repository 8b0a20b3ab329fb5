"""The sections of a policy bundle: which keys exist and what they may hold.

Lives here: strict models over plain mappings, nothing else. Must not live here: the bundle as a
whole (``forms``), checks that look at two places at once (``compile``).
Law: a key that is not known is refused; nothing is converted in silence.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from governance.policy.cel_tokens import MAX_CHARS

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}[smhd]$")]
"""A whole number with its unit: 30s, 5m, 4h, 2d."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
Text = Annotated[str, Field(max_length=2_000)]
Words = list[Annotated[str, Field(min_length=1, max_length=256)]]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]
PersonRef = Annotated[str, Field(pattern=r"^slack:[A-Z0-9]{2,32}/[UW][A-Z0-9]{1,31}$")]
Whole = Annotated[int, Field(ge=0, le=2**53 - 1)]
Positive = Annotated[int, Field(ge=1, le=2**53 - 1)]
Kind = Literal["read", "write", "execute"]
Tier = Literal["A", "A-", "B", "C"]
EffectWord = Literal[
    "allow",
    "permit",
    "allow_with_constraints",
    "allow-with-constraints",
    "require_approval",
    "require-approval",
    "require_human",
    "throttle",
    "deny",
    "block",
]
Free = dict[str, object]
"""A mapping that only its reader understands: a JSON Schema, an action, metadata."""


def _also(*names: str) -> AliasChoices:
    return AliasChoices(*names)


def _add_other_spellings(schema: JsonDict, model: type[BaseModel]) -> None:
    """Show every spelling of a key in the JSON Schema, not only the first."""
    properties, required = schema.get("properties"), schema.get("required", [])
    for field in model.model_fields.values():
        names = field.validation_alias
        if not (isinstance(names, AliasChoices) and isinstance(properties, dict)):
            continue
        first, *others = (str(name) for name in names.choices)
        properties.update(dict.fromkeys(others, properties[first]))
        if isinstance(required, list) and first in required:
            required.remove(first)
            schema["anyOf"] = [{"required": [name]} for name in (first, *others)]


class Form(BaseModel):
    """The base of every model here: unknown keys are refused, types are not bent."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra=_add_other_spellings
    )


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


Listed = Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1)]
Number = Annotated[int | Decimal, WithJsonSchema({"type": "number"})]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes: 09:00."""


class ThresholdForm(Form):
    """Bounds for a label that is a number; every bound that is written must hold."""

    more_than: Number | None = None
    at_least: Number | None = None
    less_than: Number | None = None
    at_most: Number | None = None


class TimesForm(Form):
    """Hours of some days on the clocks of a zone; the end itself does not belong to them."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = []
    begin: Clock = Field("00:00", validation_alias=_also("from"))
    end: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")] = Field(
        "24:00", validation_alias=_also("to")
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


class ConstraintsForm(Form):
    """Limits on how an action may run."""

    max_runtime_s: Positive | None = Field(
        None, validation_alias=_also("max_runtime_sec", "max_runtime_s")
    )
    max_retries: Whole | None = None
    max_artifact_bytes: Whole | None = None
    max_output_bytes: Whole | None = None
    max_concurrent_jobs: Positive | None = None
    max_files: Whole | None = None
    max_lines: Whole | None = None
    network_allow: Words | None = None
    read_allow: Words | None = None
    write_allow: Words | None = None
    tools_allow: Words | None = None
    commands_allow: Words | None = None
    paths_deny: Words = []
    redact_deny: Words = []
    isolated: bool = False


class RateForm(Form):
    """How much a throttle lets through."""

    per: Annotated[str, Field(pattern=r"^(agent|tenant|tool|label:.{1,128})$")]
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    window_s: Annotated[int, Field(ge=1, le=86_400)]


class RuleForm(Form):
    """One rule."""

    id: Name
    match: MatchForm = MatchForm()
    decision: EffectWord
    reason: Text = ""
    constraints: ConstraintsForm | None = None
    tier: Name | None = None
    rate: RateForm | None = None


class ConstraintForm(Form):
    """One entry of the constraint registry."""

    id: Name
    description: Text
    violation_action: Literal["BLOCK", "WARN"] = Field(
        validation_alias=_also("violationAction", "violation_action")
    )
    metadata: Free = {}
    match: MatchForm | None = None


class DeriveForm(Form):
    """Risk tags that a use of the tool carries where it matches, whatever the agent calls it."""

    match: MatchForm
    add: Words = Field(min_length=1)


class ToolForm(Form):
    """What one tool may do; an action that it does not list is refused."""

    actions: list[Kind] = Field(min_length=1, validation_alias=_also("actions", "allowedActions"))
    classification: Name = Field(validation_alias=_also("classification", "dataClassification"))
    requires_approval: bool = Field(
        False, validation_alias=_also("requires_approval", "requiresApproval")
    )
    scope: Pattern | None = None
    environments: Words = []
    arguments: Free | None = None
    risk_tags: Words = []
    derive: list[DeriveForm] = []
    capability: Name | None = None
    tier: Name | None = None
    severity: Name | None = None
    """The level of every tier that knows it; an agent's own label can only add to it."""
    target: Name | None = None
    """The argument that says what it acts on; a request whose target says otherwise is denied."""
    run: Free | None = None


class RoleForm(Form):
    """What one vote of a role weighs, and how many of that role there must be."""

    weight: Annotated[int, Field(ge=1, le=1_000)]
    min_required: Annotated[int, Field(ge=0, le=100)] = 0


class LevelRoleForm(Form):
    """What a level of severity changes about one of its tier's roles."""

    weight: Annotated[int, Field(ge=1, le=1_000)] | None = None
    min_required: Annotated[int, Field(ge=0, le=100)] | None = None


class EscalationForm(Form):
    """Who decides instead where a tier's own people cannot."""

    unreachable: Name
    """The tier that a ticket opens with when too few people of its own could vote."""


class LevelForm(Form):
    """What a level of severity demands beyond its tier; what it leaves out is as the tier says."""

    roles: dict[Name, LevelRoleForm] = {}
    threshold: Annotated[int, Field(ge=1, le=100_000)] | None = None
    ttl: Duration | None = None
    respond_within: Duration | None = None
    comment: Literal["required", "optional"] | None = None
    step_up: bool | None = None
    reviewer: PersonRef | None = None
    four_eyes: bool | None = None
    distinct_roles: bool | None = None
    reject_policy: Literal["veto", "weight"] | None = None
    sandbox: Tier | None = None
    release: bool | None = None
    escalation: EscalationForm | None = None


class TierForm(Form):
    """The approvals that a level of risk demands."""

    roles: dict[Name, RoleForm]
    threshold: Annotated[int, Field(ge=1, le=100_000)] | None = None
    ttl: Duration | None = None
    respond_within: Duration | None = None
    comment: Literal["required", "optional"] = "optional"
    step_up: bool = False
    reviewer: PersonRef | None = None
    four_eyes: bool = False
    distinct_roles: bool = False
    reject_policy: Literal["veto", "weight"] = "veto"
    sandbox: Tier | None = None
    release: bool = True
    severity: dict[Name, LevelForm] = {}
    escalation: EscalationForm | None = None


class EmergencyForm(Form):
    """A kind of emergency that was thought through beforehand: which lines it may cross, and who
    decides."""

    constraints: list[Name] = Field(min_length=1)
    """Ids of BLOCK constraints that it excepts."""
    match: MatchForm = MatchForm()
    tier: Name
    ttl: Duration = "1h"
    channel: Name | None = None
    review_within: Duration | None = None


class EnvironmentForm(Form):
    """The gate of one environment."""

    requires_human_approval: bool = False
    allowed_tools: Words | None = None
    fail_mode: Literal["closed", "unsafe_open"] = "closed"
    i_understand: bool = False
    tier: Name | None = None


class TicketForm(Form):
    """What holds for every ticket."""

    max_ttl_hours: Annotated[int, Field(ge=1, le=48)] | None = None
    required_fields: list[
        Literal[
            "constraint_id",
            "target_action",
            "idempotency_key",
            "expires_at",
            "justification",
            "target",
            "on_behalf_of",
        ]
    ] = []


class LimitsForm(Form):
    """Bounds of the approval queue, and of what floods of refusals leave in the log."""

    max_pending: Annotated[int, Field(ge=1, le=100_000)] = 100
    max_pending_per_agent: Annotated[int, Field(ge=1, le=100_000)] = 50
    refusals_in_full: Annotated[int, Field(ge=1, le=1_000)] = 5
    """How many refusals of one agent by one rule are recorded one by one in a window; the rest of
    the window is counted."""
    refusal_window_s: Annotated[int, Field(ge=1, le=3_600)] = 60


class OutputForm(Form):
    """What becomes of an output in which a scanner found something."""

    policy: Literal["redact", "quarantine"] = "redact"
    max_bytes: Annotated[int, Field(ge=1, le=16_777_216)] = 262_144


class SignalsForm(Form):
    """What follows from text that reads like an injection, and from a raw secret."""

    injection: Literal["require_approval", "deny", "off"] = "require_approval"
    secrets: Literal["deny", "require_approval"] = "deny"
    tier: Name | None = None


class AuditForm(Form):
    """Where the audit trail goes besides the ledger, and for how long it is kept."""

    channel: Name | None = None
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    fields: Words = []
    format: str | None = None
    hash_algorithm: str | None = None
    sink: str | None = None


class MembersForm(Form):
    """Who holds a role."""

    people: list[PersonRef] = []
    slack_usergroups: list[Annotated[str, Field(pattern=r"^S[A-Z0-9]{1,31}$")]] = []


class DirectoryForm(Form):
    """Roles and the people who hold them."""

    roles: dict[Name, MembersForm] = {}
