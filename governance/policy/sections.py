"""The sections of a policy bundle: which keys exist and what they may hold.

Lives here: strict models over plain mappings, nothing else. Must not live here: the bundle as a
whole (``forms``), checks that look at two places at once (``compile``).
Law: a key that is not known is refused; nothing is converted in silence.
"""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

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


class MatchForm(Form):
    """When a rule or constraint applies; see ``matching.Match``."""

    topics: list[Pattern] = []
    tools: Words = []
    actions: list[Kind] = []
    capabilities: Words = []
    risk_tags: Words = []
    requires: Words = []
    labels: dict[str, str] = {}
    tenants: Words = []
    agents: Words = []
    roles: Words = []
    environments: Words = []
    data_classes: Words = []


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

    per: Literal["agent", "tenant", "tool"]
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
    capability: Name | None = None
    tier: Name | None = None
    target: Name | None = None
    """The argument that says what it acts on; a request whose target says otherwise is denied."""
    run: Free | None = None


class RoleForm(Form):
    """What one vote of a role weighs, and how many of that role there must be."""

    weight: Annotated[int, Field(ge=1, le=1_000)]
    min_required: Annotated[int, Field(ge=0, le=100)] = 0


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
    """Bounds of the approval queue."""

    max_pending: Annotated[int, Field(ge=1, le=100_000)] = 100
    max_pending_per_agent: Annotated[int, Field(ge=1, le=100_000)] = 50


class OutputForm(Form):
    """What becomes of an output in which a scanner found something."""

    policy: Literal["redact", "quarantine"] = "redact"
    max_bytes: Annotated[int, Field(ge=1, le=16_777_216)] = 262_144


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
