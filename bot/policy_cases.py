"""Cases of a policy as YAML, beside the bundle they are about.

Lives here: the folder ``cases/``, the form of its files, and how a case is built from it.
Must not live here: running a case (``governance.policy.cases``), YAML itself (``bot.bundle_yaml``).
Law: the loader of bundles never reads a case, and a case never changes a bundle; a key that is not
known is refused with file, line and column; a request is built as for the API.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.api.asking import request_of
from bot.api.bodies import present
from bot.api.schemas import DecideForm
from bot.bundles import SUFFIXES, Mark, Source, read
from governance.action import ActionRequest
from governance.canonical import Json
from governance.errors import Code, InvalidInput
from governance.policy.bundle import Bundle
from governance.policy.cases import Case, Expected
from governance.policy.compiling.rules import constraints_of
from governance.policy.decision import Effect
from governance.policy.facts import Deed, Past
from governance.policy.forms.base import Kind, Name, PersonRef, Words
from governance.policy.forms.documented import pointer
from governance.policy.forms.hints import OF_CASES
from governance.policy.forms.refusals import first_of
from governance.policy.forms.sections import ConstraintsForm
from governance.policy.matching import fold
from governance.principal import Agent, AgentId, PersonId, TenantId

FOLDER = "cases"
MAX_FILES = 256
USUAL = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""When a case happens that does not say: noon of a Monday, in UTC."""
_NAME = "case"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
_EFFECTS = {effect.value.casefold(): effect for effect in Effect}


class Form(BaseModel):
    """The base of every form of cases: unknown keys are refused, types are not bent."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AgentForm(Form):
    """The agent as its credential describes it."""

    id: Name = "agent"
    tenant: Name = "default"
    roles: Words = []
    environments: Words = []
    """Where the credential lets it act; without any, nothing vouches for where it says it acts."""
    owners: list[PersonRef] = []


class DeedForm(Form):
    """Something that was asked for before."""

    ago: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}[smhd]$")]
    times: Annotated[int, Field(ge=1, le=1_000)] = 1
    """How often, each a second before the other."""
    agent: Name | None = None
    trace_id: str | None = None
    topic: str = "job.default"
    tool: str = ""
    action: Kind = "execute"
    target: str = ""
    data_classes: Words = []
    risk_tags: Words = []
    labels: dict[str, str] = {}
    stands: bool = True
    """false: it was refused, taken back or ran out before it began."""


class ExpectForm(Form):
    """What the answer should be; what is left out is not looked at."""

    effect: Literal["allow", "allow_with_constraints", "require_approval", "throttle", "deny"]
    rules: list[Name] | None = None
    tier: Annotated[str, Field(max_length=256)] | None = None
    constraint: Name | None = None
    reason: str | None = None
    people: Annotated[int, Field(ge=0, le=1_000)] | None = None
    warnings: list[Name] | None = None
    throttled_by: list[Name] | None = None
    limits: ConstraintsForm | None = None


class CaseForm(Form):
    """One request, and what should be answered."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    request: dict[str, object] = {}
    """As it is posted to the API."""
    agent: AgentForm | None = None
    at: str | None = None
    deeds: list[DeedForm] = []
    empty_buckets: list[Name] = []
    """Rules whose rate is used up."""
    expect: ExpectForm


class DefaultsForm(Form):
    """What holds for every case of the file that does not say otherwise."""

    agent: AgentForm = AgentForm()
    at: str | None = None


class CasesForm(Form):
    """One file of cases."""

    defaults: DefaultsForm = DefaultsForm()
    cases: list[CaseForm] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A case and where it is written."""

    case: Case
    mark: Mark


def folder_of(policies: Path) -> Path:
    """Where the cases of the bundle at ``policies`` lie."""
    return (policies if policies.is_dir() else policies.parent) / FOLDER


def files_in(place: Path) -> list[Path]:
    """The files of cases at ``place``, a folder or one file; none where there is nothing.

    Raises:
        InvalidInput: too many files.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        return []
    found = sorted(item for item in place.iterdir() if item.suffix in SUFFIXES)
    if len(found) > MAX_FILES:
        start = Mark(file=str(place), line=1, column=1)
        raise _refused(start, f"{len(found)} files of cases, at most {MAX_FILES} are read")
    return found


def read_cases(place: Path, bundle: Bundle) -> list[Placed]:
    """Every case at ``place``, in the order of files and lines.

    Raises:
        InvalidInput: ``invalid_bundle``; the message starts with ``file:line:column: ``.
    """
    found: list[Placed] = []
    names: dict[str, Mark] = {}
    for file in files_in(place):
        for placed in _cases(read(file), bundle):
            name = placed.case.name
            if name in names:
                raise _refused(placed.mark, f"the case {name!r} stands in {names[name]} already")
            names[name] = placed.mark
            found.append(placed)
    return found


def _cases(source: Source, bundle: Bundle) -> Iterator[Placed]:
    try:
        form = CasesForm.model_validate(source.mapping)
    except ValidationError as error:
        place, sentence = first_of(error, CasesForm, source.mapping, OF_CASES)
        raise _refused(source.mark(pointer(*place)), sentence) from error
    for number, item in enumerate(form.cases):
        at = pointer("cases", number)
        try:
            case = _case(item, form.defaults, bundle)
        except InvalidInput as error:
            raise _refused(source.mark(at + error.pointer), error.message) from error
        yield Placed(case=case, mark=source.mark(at))


def _refused(mark: Mark, sentence: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_BUNDLE, f"{mark}: {sentence}")


def _case(form: CaseForm, defaults: DefaultsForm, bundle: Bundle) -> Case:
    who = form.agent or defaults.agent
    agent = Agent(
        id=AgentId(who.id),
        tenant=TenantId(who.tenant),
        owners=tuple(PersonId(person) for person in who.owners),
        environments=tuple(who.environments),
        roles=tuple(who.roles),
    )
    at = _moment(form.at or defaults.at)
    body: Mapping[str, Json] = form.request  # type: ignore[assignment]  # YAML holds plain values
    try:
        asked = DecideForm.model_validate(present(body))
        request = request_of(asked, agent, bundle, key=_NAME, trace_id=asked.trace_id or _NAME)
    except ValidationError as error:
        place, sentence = first_of(error, DecideForm, body, OF_CASES)
        at_key = pointer("request", *place)
        raise InvalidInput(Code.INVALID_BUNDLE, sentence, pointer=at_key) from error
    except InvalidInput as error:
        raise InvalidInput(error.code, error.message, pointer=f"/request{error.pointer}") from error
    known = {rule.id for rule in bundle.rules.rules if rule.rate is not None}
    for number, name in enumerate(form.empty_buckets):
        if name not in known:
            raise InvalidInput(
                Code.INVALID_BUNDLE,
                f"no rule {name!r} has a rate",
                pointer=pointer("empty_buckets", number),
            )
    return Case(
        name=form.name,
        request=request,
        agent=agent,
        at=at,
        expected=_expected(form.expect),
        past=Past(deeds=_deeds(form.deeds, request, at)),
        empty=frozenset(form.empty_buckets),
    )


def _moment(text: str | None) -> datetime:
    if text is None:
        return USUAL
    try:
        return _MOMENT.validate_strings(text)
    except ValidationError as error:
        raise InvalidInput(
            Code.INVALID_BUNDLE,
            f"{text!r} is no time with its zone, such as 2026-01-05T12:00:00Z",
            pointer="/at",
        ) from error


def _expected(form: ExpectForm) -> Expected:
    return Expected(
        effect=_EFFECTS[form.effect],
        rules=_some(form.rules),
        tier=form.tier,
        constraint=form.constraint,
        reason=form.reason,
        people=form.people,
        warnings=_some(form.warnings),
        throttled_by=_some(form.throttled_by),
        limits=None if form.limits is None else constraints_of(form.limits),
    )


def _some(names: list[Name] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _deeds(forms: list[DeedForm], request: ActionRequest, at: datetime) -> tuple[Deed, ...]:
    """Newest first."""
    found = [
        Deed(
            ticket_id=f"{number}-{again}",
            at=_before(at, _span(form.ago) + timedelta(seconds=again), number),
            agent=AgentId(form.agent) if form.agent else request.agent,
            trace_id=form.trace_id or request.trace_id,
            topic=form.topic,
            tool=form.tool,
            action=form.action,
            target=form.target,
            data_classes=tuple(sorted(fold(form.data_classes))),
            risk_tags=tuple(sorted(fold(form.risk_tags))),
            labels=tuple(sorted(form.labels.items())),
            stands=form.stands,
        )
        for number, form in enumerate(forms)
        for again in range(form.times)
    ]
    return tuple(sorted(found, key=lambda deed: deed.at, reverse=True))


def _before(at: datetime, span: timedelta, number: int) -> datetime:
    try:
        # In UTC first: a time that only another zone can write is refused as well.
        return at.astimezone(UTC) - span
    except OverflowError as error:
        raise InvalidInput(
            Code.INVALID_BUNDLE,
            "this was before the first year there is",
            pointer=pointer("deeds", number, "ago"),
        ) from error


def _span(text: str) -> timedelta:
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
