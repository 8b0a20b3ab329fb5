"""What Slack sends, parsed once.

Lives here: typed forms of clicks, submissions, commands and events, and who acted.
Must not live here: decisions. Law: nothing in a payload is authority; ids in it say what was
acted on and by whom, and the directory and the ledger are asked about both.
"""

import json
from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bot.slack import names
from bot.slack.kit import limits
from governance.errors import Code, InvalidInput
from governance.principal import PersonId
from governance.sentences import Sentence
from governance.tickets.ticket import TicketId

_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,40}$")]
_Ticket = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
_Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12,64}$")]
Form = TypeVar("Form", bound=BaseModel)


class _Open(BaseModel):
    """Slack adds fields; those that we do not read are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Team(_Open):
    """The workspace of a payload."""

    id: _Id


class User(_Open):
    """The account that acted; ``team_id`` is its own workspace's."""

    id: _Id
    team_id: _Id | None = None


class Channel(_Open):
    """Where it happened."""

    id: _Id


class Action(_Open):
    """The element that was used."""

    action_id: str = Field(max_length=255)
    block_id: str = Field(default="", max_length=255)
    value: str = Field(default="", max_length=2_000)


class Container(_Open):
    """What the element stands in."""

    type: str
    message_ts: str = ""
    channel_id: str = ""
    view_id: str = ""


class Option(_Open):
    """What was chosen in a menu."""

    value: str = Field(max_length=150)


class FieldValue(_Open):
    """What stands in one field of a form."""

    value: str | None = Field(default=None, max_length=limits.INPUT_CHARS)
    """Slack takes no more in any field."""
    selected_option: Option | None = None
    selected_options: list[Option] = Field(default_factory=list, max_length=100)
    selected_user: _Id | None = None
    selected_date_time: int | None = None


class FormState(_Open):
    """What stands in a form's fields, by block and action."""

    values: Mapping[str, Mapping[str, FieldValue]] = Field(default_factory=dict)


class View(_Open):
    """A modal as it was when the person acted."""

    id: str = Field(max_length=64)
    callback_id: str = ""
    private_metadata: str = ""
    hash: str = ""
    state: FormState = Field(default_factory=FormState)


class Click(_Open):
    """``block_actions``: a click. Exactly one action is ever sent; two are refused."""

    team: Team | None = None
    user: User
    container: Container
    channel: Channel | None = None
    trigger_id: str = Field(max_length=255)
    response_url: str = Field(default="", max_length=2_000)
    actions: list[Action] = Field(min_length=1, max_length=1)
    view: View | None = None

    @property
    def action(self) -> Action:
        """The one action."""
        return self.actions[0]


class Submission(_Open):
    """``view_submission``: a form that was sent."""

    team: Team | None = None
    user: User
    view: View

    def field(self, block_id: str, action_id: str) -> str:
        """What stands in a field; empty when nothing does."""
        found = self.view.state.values.get(block_id, {}).get(action_id)
        if found is None:
            return ""
        return found.selected_option.value if found.selected_option else found.value or ""

    def standing(self, block_id: str, action_id: str) -> FieldValue:
        """All that stands in a field; nothing where there is none of it."""
        return self.view.state.values.get(block_id, {}).get(action_id) or FieldValue()


class Suggestion(_Open):
    """``block_suggestion``: somebody types into a menu whose options we know."""

    team: Team | None = None
    user: User
    action_id: str = Field(max_length=255)
    value: str = Field(default="", max_length=2_000)


class Shortcut(_Open):
    """A shortcut of ours was chosen, for a message where there is one."""

    team: Team | None = None
    user: User
    callback_id: str = Field(max_length=255)
    trigger_id: str = Field(max_length=255)
    message: Mapping[str, object] = Field(default_factory=dict)


class Command(_Open):
    """A slash command."""

    team_id: _Id
    user_id: _Id
    channel_id: _Id
    text: str = Field(default="", max_length=10_000)
    trigger_id: str = Field(default="", max_length=255)
    response_url: str = Field(default="", max_length=2_000)


class HomeOpened(_Open):
    """Somebody looks at the app's tab."""

    user: _Id
    tab: str = "home"


class ShownForm(_Open):
    """A button's value or a view's private metadata, as ``names.Shown`` wrote it."""

    t: _Ticket
    r: int = Field(ge=1)
    b: _Hex
    p: int = Field(default=0, ge=0)
    """Page of a Details modal."""
    c: str = Field(default="", max_length=16)
    """The choice that a ballot form is for."""
    d: str = Field(default="", pattern=r"^[0-9a-f]{0,64}$")
    """The digest of a file that holds the whole."""
    u: str = Field(default="", max_length=128)
    """The person that the file was sent to."""

    @property
    def shown(self) -> names.Shown:
        """What the person had before them."""
        return names.Shown(ticket_id=TicketId(self.t), revision=self.r, binding=self.b)


_NAMED = ("user", "channel", "team", "enterprise")
_NESTED = ("event", "view", "message", "previous_message", "item", "assistant_thread")
_MAX_NESTING = 8
_ID_HOLDER = (str, Mapping, type(None))


def is_shaped(payload: Mapping[str, object]) -> bool:
    """Whether what Bolt indexes, before any listener is asked, has the form that it relies on."""
    return _is_walkable(payload, _MAX_NESTING) and _has_handle(payload)


def _is_walkable(node: Mapping[str, object], depth: int) -> bool:
    """Ids of a payload are looked for in all of these, in each other and in ``authorizations``."""
    if not depth or not all(isinstance(node.get(name), _ID_HOLDER) for name in _NAMED):
        return False
    inner = [node[name] for name in _NESTED if isinstance(node.get(name), Mapping)]
    for name in ("authorizations", "response_urls"):
        listed = node.get(name)
        if not isinstance(listed, list | None):
            return False
        inner += listed or []
    return all(isinstance(one, Mapping) and _is_walkable(one, depth - 1) for one in inner)


def _has_handle(payload: Mapping[str, object]) -> bool:
    """Whether an interaction says by its kind's own field what it is about."""
    match payload:
        case {"type": "block_actions", "actions": [{"action_id": str()}, *more]}:
            return all(isinstance(one, Mapping) for one in more)
        case {"type": "view_submission", "view": {"callback_id": str(), "state": {"values": held}}}:
            return isinstance(held, Mapping)
        case {"type": "view_closed", "view": {"callback_id": str()}}:
            return True
        case {"type": "block_suggestion", "action_id": str()}:
            return True
        case {"type": "shortcut" | "message_action", "callback_id": str()}:
            return True
        case {"type": "event_callback", "event": {"type": "user_change", "user": held}}:
            return isinstance(held, Mapping)
        case {"type": kind}:
            return kind in ("event_callback", "url_verification")
        case _:
            return True


def read(form: type[Form], body: object) -> Form:
    """Parse a payload.

    Raises:
        InvalidInput: ``invalid_field`` with a pointer; the value itself is not repeated.
    """
    try:
        return form.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise InvalidInput(
            Code.INVALID_FIELD, Sentence("not what Slack sends"), pointer=pointer
        ) from error


def read_shown(value: str) -> ShownForm:
    """Parse what a button or a view carries.

    Raises:
        InvalidInput: ``invalid_field``: we did not write this.
    """
    try:
        parsed: object = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(Code.INVALID_FIELD, Sentence("this button carries no ticket")) from error
    return read(ShownForm, parsed)


def person_of(user: User, team: Team | None) -> PersonId:
    """The account that acted; its own workspace where Slack says so."""
    return PersonId(f"slack:{user.team_id or (team.id if team else 'NONE')}/{user.id}")


def named_ticket(payload: Mapping[str, object]) -> TicketId | None:
    """The ticket that a click or a form is about; None where it names none."""
    match payload:
        case {"type": "block_actions", "actions": [{"value": str(value)}, *_]}:
            carried = value
        case {"type": "view_submission", "view": {"private_metadata": str(value)}}:
            carried = value
        case _:
            return None
    try:
        return read_shown(carried).shown.ticket_id
    except InvalidInput:
        return None
