"""The documented form of a policy bundle, the two seeds' blocks included.

Lives here: the whole form, and how a refusal names its place (this is where a bundle enters).
Must not live here: checks that look at two places at once (``compile``), or the values that the
decision uses. Law: a key that is not known is refused; nothing is converted in silence.
Source: seeds 000 and 001, configuration templates.
"""

from typing import Literal

from pydantic import Field

from governance.errors import Code, InvalidInput
from governance.policy.forms.base import (
    Form,
    Kind,
    Name,
    Tier,
    Words,
)
from governance.policy.forms.reminders import RemindersForm
from governance.policy.forms.sections import (
    AuditForm,
    ConstraintForm,
    DelegationForm,
    DirectoryForm,
    EmergencyForm,
    EnvironmentForm,
    LimitsForm,
    OutputForm,
    RoleForm,
    RuleForm,
    SignalsForm,
    TicketForm,
    TierForm,
    ToolForm,
)


class RegistryForm(Form):
    """How the constraint registry is kept."""

    mode: str = "READ_ONLY"
    refresh_interval: int = 0


class ApprovalForm(Form):
    """The roles that decide an exception."""

    roles: dict[Name, RoleForm]
    signature_algorithm: str = "ES256"


class ResourcesForm(Form):
    """What an execution may use."""

    cpu: str = "0.5"
    memory: str = "256Mi"
    network: str = "deny_outbound"


class ExecutorForm(Form):
    """How approved actions run."""

    sandbox: bool = True
    resource_limits: ResourcesForm = ResourcesForm()
    idempotency_store: str | None = None


class ExceptionRoutingForm(Form):
    """Approval of exceptions in one block."""

    registry: RegistryForm = RegistryForm()
    ticket: TicketForm = TicketForm()
    approval: ApprovalForm
    executor: ExecutorForm = ExecutorForm()
    audit: AuditForm = AuditForm()


class RuntimeForm(Form):
    """The harness's own settings."""

    version: str = "1.0"
    identity_binding: str | None = None
    credential_rotation: str | None = None


class PolicyEngineForm(Form):
    """Approval, classes and gates."""

    approval_required_for: list[Kind] | None = None
    restricted_data_classes: Words | None = None
    environment_gates: dict[Name, EnvironmentForm] = Field(default_factory=dict)


class BundleForm(Form):
    """One policy bundle."""

    version: Literal["v1"] = "v1"
    name: Name = "bundle"
    strategy: Literal["most_restrictive", "first_match"] = "most_restrictive"
    default_decision: Literal[
        "deny",
        "block",
        "throttle",
        "require_approval",
        "require-approval",
        "require_human",
        "allow",
        "permit",
    ] = "deny"
    default_tier: Name | None = None
    minimum_sandbox: Tier = "A"
    rules: list[RuleForm] = Field(default_factory=list)
    constraints: list[ConstraintForm] = Field(default_factory=list)
    exceptions: dict[Name, Name] = Field(default_factory=dict)
    emergency: dict[Name, EmergencyForm] = Field(default_factory=dict)
    tools: dict[Name, ToolForm] = Field(default_factory=dict)
    tool_groups: dict[Name, Words] = Field(default_factory=dict)
    tiers: dict[Name, TierForm] = Field(default_factory=dict)
    environments: dict[Name, EnvironmentForm] = Field(default_factory=dict)
    clearance: dict[Name, Words] | None = None
    approval_required_for: list[Kind] | None = None
    restricted_data_classes: Words | None = None
    ticket: TicketForm = TicketForm()
    limits: LimitsForm = LimitsForm()
    output: OutputForm = OutputForm()
    signals: SignalsForm = SignalsForm()
    audit: AuditForm = AuditForm()
    directory: DirectoryForm = DirectoryForm()
    delegation: DelegationForm | None = None
    reminders: RemindersForm = RemindersForm()
    exception_routing: ExceptionRoutingForm | None = None
    runtime: RuntimeForm | None = None
    policy_engine: PolicyEngineForm | None = None


def refuse(pointer: str, message: str) -> InvalidInput:
    """The error for the key at ``pointer``."""
    return InvalidInput(Code.INVALID_BUNDLE, message, pointer=pointer)


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) to ``parts``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
