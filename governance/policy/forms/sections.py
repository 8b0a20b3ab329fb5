"""The sections of a policy bundle: which keys exist and what they may hold.

Lives here: one strict model for each section, nothing else. Must not live here: the bundle as a
whole (``documented``), when a rule applies (``matches``), checks that look at two places at once
(``compile``).
Law: a key that is not known is refused; nothing is converted in silence.
"""

from typing import Annotated, Literal

from pydantic import Field

from governance.policy.forms.base import (
    Duration,
    EffectWord,
    EmailRef,
    Form,
    Free,
    GroupRef,
    Kind,
    Name,
    Pattern,
    PersonRef,
    Positive,
    Text,
    Tier,
    Whole,
    Words,
    also,
)
from governance.policy.forms.matches import MatchForm


class ConstraintsForm(Form):
    """Limits on how an action may run."""

    max_runtime_s: Positive | None = Field(
        None, validation_alias=also("max_runtime_sec", "max_runtime_s")
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
        validation_alias=also("violationAction", "violation_action")
    )
    metadata: Free = {}
    match: MatchForm | None = None


class DeriveForm(Form):
    """Risk tags that a use of the tool carries where it matches, whatever the agent calls it."""

    match: MatchForm
    add: Words = Field(min_length=1)


class ShowsForm(Form):
    """How people are shown what the tool would do; what the form leaves out stands beside it."""

    form: Literal["fields", "command", "diff", "table"]
    argument: Name | None = None
    """What holds the command, the patch or the list of records."""
    before: Name | None = None
    after: Name | None = None


class ToolForm(Form):
    """What one tool may do; an action that it does not list is refused."""

    actions: list[Kind] = Field(min_length=1, validation_alias=also("actions", "allowedActions"))
    classification: Name = Field(validation_alias=also("classification", "dataClassification"))
    requires_approval: bool = Field(
        False, validation_alias=also("requires_approval", "requiresApproval")
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
    shows: ShowsForm | None = None


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
    """Bounds of the approval queue, and of what floods of refusals leave in the log.

    The last tenth of ``max_pending`` is kept for agents of which nothing waits.
    """

    max_pending: Annotated[int, Field(ge=1, le=100_000)] = 100
    max_pending_per_agent: Annotated[int, Field(ge=1, le=100_000)] = 20
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
    retention_by_class: dict[Name, Annotated[int, Field(ge=1, le=36_500)]] = {}
    """Days for single classes and marks; a record is kept for the longest that applies."""
    fields: Words = []
    format: str | None = None
    hash_algorithm: str | None = None
    sink: str | None = None


class MembersForm(Form):
    """Who holds a role."""

    people: list[PersonRef] = []
    slack_usergroups: list[Annotated[str, Field(pattern=r"^S[A-Z0-9]{1,31}$")]] = []
    emails: list[EmailRef] = []
    """People by an address that Slack says is confirmed."""
    directory_groups: list[GroupRef] = []
    """Groups of the company's directory (SCIM), by display name."""


class DelegationForm(Form):
    """Whether people may let others vote in their name; without it nobody may."""

    max_days: Annotated[int, Field(ge=1, le=90)] = 14
    """The longest that one delegation lasts."""
    forbidden_tiers: list[Name] = []
    """Tiers in which such a vote does not count, nor in any that asks for as much or more."""


class DirectoryForm(Form):
    """Roles and the people who hold them."""

    roles: dict[Name, MembersForm] = {}
    shared_channels: Literal["refuse", "organisation", "outsiders"] = "refuse"
    """Whether a card may be posted in a channel that is shared: with other workspaces of the same
    organisation, or with other organisations as well."""
