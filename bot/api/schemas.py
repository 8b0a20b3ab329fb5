"""What a client may send, as strict models.

Lives here: the form of every request body. Must not live here: what an answer looks like
(``answers``), or what a field means for a decision (``asking``).
Law: a key that is not known is refused; what stock clients send and we do not use is listed in
``UNUSED``; nothing is converted in silence. Every field is a claim.
"""

import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel

from governance.action import MAX_CONTENT_BYTES

Word = Annotated[str, Field(min_length=1, max_length=128)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}$")]
Line = Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Prefix = Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Words = Annotated[list[Word], Field(max_length=50)]
Labels = Annotated[dict[Word, Annotated[str, Field(max_length=512)]], Field(max_length=50)]
PersonName = Annotated[str, Field(pattern=r"^slack:[TE][A-Z0-9]{1,31}/[UW][A-Z0-9]{1,31}$")]
Text = Annotated[str, Field(max_length=MAX_CONTENT_BYTES)]
Comment = Annotated[str, Field(max_length=3_000)]

UNUSED = frozenset(
    {
        "actor_id",
        "actor_type",
        "adapter_id",
        "allow_retrieval",
        "allow_summarization",
        "context_mode",
        "memory_id",
        "mode",
        "org_id",
        "pack_id",
        "principal_id",
        "priority",
        "project_id",
        "session_id",
        "tags",
        "team_id",
        "user_id",
    }
)
"""Keys of stock clients that are accepted and play no part: identity comes from the credential."""
_UNUSED_FAMILY = re.compile(r"max_[a-z]{1,20}_tokens")


def is_unused(key: str) -> bool:
    """Whether a stock client's key is accepted and dropped."""
    if key in UNUSED:
        return True
    return key.startswith("max_") and _UNUSED_FAMILY.fullmatch(key) is not None


class Form(BaseModel):
    """The base of every body: unknown keys are refused, types are not bent."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MetaForm(Form):
    """The part that some clients put under ``meta``; it is merged with the top level."""

    capability: Line = ""
    risk_tags: Words = Field(default_factory=list)
    requires: Words = Field(default_factory=list)
    labels: Labels = Field(default_factory=dict)


_NO_META = MetaForm()
"""One for all: a default that holds lists would be copied deeply for each body."""


class ActionForm(MetaForm):
    """What an agent asks to do."""

    topic: Topic = "job.default"
    prompt: Text = ""
    """Empty where a tool or topic says it."""
    tenant_id: Line = ""
    tenant: Line = ""
    meta: MetaForm = Field(default_factory=lambda: _NO_META)
    trace_id: str = ""
    tool: Name | Literal[""] = ""
    action: Literal["read", "write", "execute", ""] = ""
    environment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    target: Line = ""
    arguments: dict[str, object] = Field(default_factory=dict)
    context: object = None
    justification: Annotated[str, Field(max_length=4_000)] = ""
    on_behalf_of: PersonName | None = None
    """Canonical and nothing else: an alias of a person would not be kept from approving."""
    data_classes: Words = Field(default_factory=list)
    dispatch: Literal["execute", "release"] | None = None
    """Default: execute where the tool has a registered action, else release."""
    deadline_ms: Whole | None = None
    """Milliseconds from now; with ``ttl_seconds`` the sooner holds."""
    ttl_seconds: Whole | None = None


class JobForm(ActionForm):
    """A job: an action, submitted."""

    idempotency_key: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")] | None = None
    """Wins over the header of that name; generated where neither is sent."""


class DecideForm(ActionForm):
    """An action whose decision is asked for without a job; ``job_id`` is accepted and not used."""

    job_id: Line = ""


class PastForm(Form):
    """A job whose decision is to be explained; nothing else stands beside it."""

    ticket_id: Name


class ExplainForm(RootModel[PastForm | DecideForm]):
    """An action, or a job that there is."""


class CandidateForm(Form):
    """A bundle to be judged against the newest ``limit`` recorded decisions.

    ``since`` (RFC 3339) and ``trace_id`` leave out others.
    """

    bundle: dict[str, object]
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200
    since: Annotated[AwareDatetime, Field(strict=False)] | None = None
    trace_id: Annotated[str, Field(max_length=128)] = ""


class SimulateForm(RootModel[CandidateForm | PastForm | DecideForm]):
    """A candidate bundle, or what ``policy/explain`` takes."""


class CancelForm(Form):
    """Why a job is withdrawn."""

    reason: Annotated[str, Field(max_length=500)] = ""


class ConsumeForm(Form):
    """The digest of what the agent will run, where it can say it."""

    action_digest: Digest | None = None


class OutcomeForm(Form):
    """What came of a released action; ``output`` is scanned before anyone sees it."""

    status: Literal["succeeded", "failed", "unreported"]
    error: Annotated[str, Field(max_length=500)] = ""
    exit_code: Annotated[int, Field(ge=-(2**31), le=2**31)] | None = None
    duration_ms: Annotated[int, Field(ge=0, le=2**53)] = 0
    output: Text | None = None


class SaidForm(Form):
    """A person's words: ``note``, ``reason`` and ``comment`` are one comment, in that order.

    ``revision`` says what the person saw.
    """

    note: Comment = ""
    reason: Comment = ""
    comment: Comment = ""
    revision: Annotated[int, Field(ge=1, le=2**31)] | None = None

    @property
    def words(self) -> str:
        """The comment; the same text in two fields counts once."""
        given = (self.note, self.reason, self.comment)
        return "\n".join(dict.fromkeys(text.strip() for text in given if text.strip()))


class VoteForm(SaidForm):
    """A person's vote; ``binding`` (12 to 64 hex digits) says what the person saw.

    A ``role`` that is named may also change that of an earlier vote.
    """

    binding: Prefix | None = None
    role: Name | None = None


class ResolveForm(SaidForm):
    """Whether an interrupted run took effect; the comment says how the person knows."""

    took_effect: bool


class OutputForm(SaidForm):
    """What becomes of a quarantined output; the comment says why."""

    decision: Literal["release", "discard"]


class FreezeForm(Form):
    """Whom to stop, or to let go on: an agent id, or ``all``."""

    target: Name
    reason: Annotated[str, Field(max_length=500)] = ""


class CosignatureForm(Form):
    """A checkpoint of this log as a signed note, with the line of a witness under it."""

    checkpoint: Annotated[str, Field(min_length=1, max_length=65_536)]
