"""Breaking the glass: a person asks for an emergency that was thought through beforehand.

Lives here: the form as a value, the request that it becomes, taking what was approved. Must not
live here: whether it is one (policy judges it as it judges any request), who approves it.
Law: a person who asks is the requester and never an approver; nothing is asked without a template,
a target and a justification; it takes two other people, and a second channel hears of it at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.slack import names
from bot.slack.desk import Desk
from bot.slack.kit import limits, modals
from bot.slack.kit.blocks import Block, ours, plain, rich, run, section
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.modals import modal
from bot.slack.kit.text import Inert, clip, is_blank, words
from bot.slack.payloads import Command, Submission, person_of
from bot.slack.recorded import recorded
from bot.slack.said import Said, refusal_text, say
from bot.slack.voting.views import FormAnswer
from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.canonical import Json, parse
from governance.errors import Code, InvalidInput, PlacetError, Refused
from governance.policy.emergency import LABEL
from governance.policy.model import Bundle
from governance.policy.tools import WIDTH
from governance.principal import BREAK_GLASS, Agent, Person, PersonId, TenantId
from governance.sentences import Sentence
from governance.tickets.ticket import TicketId, TicketState

TITLE = N_("Break the glass")
LEAD = N_(
    "You ask, so you do not approve: at least two other people decide, each with a reason. "
    "The log keeps every word."
)
WHICH, TOOL = N_("Which emergency"), N_("With which tool")
TOPIC, OR_TOPIC = N_("On which topic"), N_("Or on which topic, where no tool fits")
TARGET, PLACE, ARGUMENTS = (
    N_("On what target"),
    N_("In which environment"),
    N_("Arguments, as JSON"),
)
WHY, WHY_HINT = N_("Why now?"), N_("The people who decide read this first.")
SUBMIT = N_("Ask two people")
NO_TEMPLATES = Sentence("the policy bundle has no emergency template")
NOT_A_NAME = Sentence("a name of letters, digits and . _ - belongs here")
NO_ROLE = Sentence("only people with an approver's role break the glass")
SAY_WHY = Sentence("say why")
NOT_JSON = Sentence("That is not a JSON object.")
WAITS = N_(
    "Asked. At least two others must approve ticket {ticket}; its card is in the approvals channel."
)
THEN = N_(
    "Once it is approved, type /placet break-glass use {ticket}: then it is yours to do, once."
)
DENIED = N_("Policy said no: {reason}")
TAKEN = N_(
    "The approval of ticket {ticket} is yours, once. Do it now; it is in the log that you may."
)
USAGE = N_("Type /placet break-glass, or /placet break-glass use ID once it is approved.")
WHICH_BLOCK, WHICH_INPUT = "placet.glass.which", "placet.glass.w"
TOOL_BLOCK, TOOL_INPUT = "placet.glass.tool", "placet.glass.t"
TOPIC_BLOCK, TOPIC_INPUT = "placet.glass.topic", "placet.glass.p"
TARGET_BLOCK, TARGET_INPUT = "placet.glass.target", "placet.glass.g"
PLACE_BLOCK, PLACE_INPUT = "placet.glass.place", "placet.glass.e"
ARGS_BLOCK, ARGS_INPUT = "placet.glass.args", "placet.glass.a"
_MOST_OPTIONS = 100
_VALUE_CHARS = 150
_NAME_CHARS = 128
_FORMS = {
    "/topic": (TOPIC_BLOCK, re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}")),
    "/environment": (PLACE_BLOCK, re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?")),
    "/target": (TARGET_BLOCK, re.compile(r"[^\x00-\x1f\x7f]{1,512}")),
}
"""Where each of these stands, and what agents may write there: people may not write more."""


class Names(Protocol):
    """Unguessable names."""

    def nonce(self) -> str:
        """128 random bits or more, in hex."""
        ...


def form(templates: Sequence[str], tools: Sequence[str]) -> Block:
    """The form that asks for one of ``templates``."""
    blocks: list[Block] = [
        {**rich(section([run(ours(gettext(LEAD)))])), "block_id": "placet.glass.lead"},
        _menu(WHICH_BLOCK, WHICH_INPUT, WHICH, templates),
    ]
    if tools:
        blocks.append({**_menu(TOOL_BLOCK, TOOL_INPUT, TOOL, tools), "optional": True})
    blocks += [
        {
            **_text(TOPIC_BLOCK, TOPIC_INPUT, OR_TOPIC if tools else TOPIC, _NAME_CHARS),
            "optional": True,
        },
        _text(TARGET_BLOCK, TARGET_INPUT, TARGET, _NAME_CHARS),
        _text(PLACE_BLOCK, PLACE_INPUT, PLACE, _NAME_CHARS, initial="prod"),
        {**_text(ARGS_BLOCK, ARGS_INPUT, ARGUMENTS, 3_000, lines=True), "optional": True},
        {
            **_text(names.REASON_BLOCK, names.REASON_INPUT, WHY, 1_000, lines=True),
            "hint": plain(ours(gettext(WHY_HINT))),
        },
    ]
    return modal(
        gettext(TITLE),
        blocks,
        close=gettext("Cancel"),
        submit=plain(ours(gettext(SUBMIT))),
        callback_id=names.EMERGENCY_VIEW,
    )


def _menu(block_id: str, action_id: str, label: str, offered: Sequence[str]) -> Block:
    fitting = [name for name in offered if len(name) <= _VALUE_CHARS][:_MOST_OPTIONS]
    options: list[Block] = [
        {"text": plain(words(name, limits.BUTTON_TEXT_CHARS)), "value": name} for name in fitting
    ]
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(ours(gettext(label))),
        "element": {"type": "static_select", "action_id": action_id, "options": options},
    }


def _text(
    block_id: str, action_id: str, label: str, most: int, *, initial: str = "", lines: bool = False
) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": action_id,
        "multiline": lines,
        "max_length": most,
    }
    if initial:
        element["initial_value"] = initial
    label_text = plain(ours(gettext(label)))
    return {"type": "input", "block_id": block_id, "label": label_text, "element": element}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """The listeners of emergencies."""

    desk: Desk
    ids: Names

    async def command(self, person: Person, rest: str, command: Command) -> Said | None:
        """``/placet break-glass``: open the form, or take what was approved."""
        verb, _, name = rest.partition(" ")
        if verb.lower() == "use" and name.strip():
            return await self._use(person, TicketId(name.strip()[:_NAME_CHARS]))
        if verb:
            return say(ours(gettext(USAGE)), block_id="placet.usage")
        view_id, _ = await self.desk.open_view(command.trigger_id, modals.loading())
        try:
            view = self._form(person)
        except PlacetError as error:
            view = modals.notice(refusal_text(error), title=gettext(TITLE), code=error.code.value)
        await self.desk.update_view(view_id, view)
        return None

    def _form(self, person: Person) -> Block:
        bundle = self.desk.service.bundle
        if not person.roles:
            raise Refused(Code.WRONG_ROLE, NO_ROLE)
        if not bundle.emergencies:
            raise Refused(Code.NOT_FOUND, NO_TEMPLATES)
        return form(sorted(bundle.emergencies), sorted(tool.name for tool in bundle.tools))

    async def submit(self, sent: Submission) -> FormAnswer:
        """Ask for what the form says; what is wrong stays in the form."""
        service, person_id = self.desk.service, person_of(sent.user, sent.team)
        person = await service.person(person_id)
        if not person.roles:
            return FormAnswer(errors={names.REASON_BLOCK: refusal_text(_no_role())})
        try:
            request = _checked(self._request(sent, person))
            submitted = await service.submit(request, agent_of(person, service.tenant))
        except (InvalidInput, Refused) as error:
            at = _field_of(error.pointer)
            text = clip(refusal_text(error), 2 * limits.FIELD_ERROR_CHARS)
            return FormAnswer(errors={at: text})
        ticket = submitted.ticket
        if ticket is None or ticket.state is not TicketState.PENDING:
            said = Inert(gettext(DENIED, reason=words(recorded(submitted.reason), 500)))
            return FormAnswer(view=modals.notice(said, title=gettext(TITLE), code="policy_denied"))
        name = words(ticket.id, 60)
        told = [gettext(WAITS, ticket=name)]
        if ticket.ask.dispatch is Dispatch.RELEASE:
            told.append(gettext(THEN, ticket=name))
        return FormAnswer(view=modals.notice(Inert(" ".join(told)), title=gettext(TITLE)))

    def _request(self, sent: Submission, person: Person) -> ActionRequest:
        """What the form stands for.

        Raises:
            InvalidInput: ``invalid_field``: the arguments or the justification.
        """
        template = sent.field(WHICH_BLOCK, WHICH_INPUT)
        tool = sent.field(TOOL_BLOCK, TOOL_INPUT)
        why = sent.field(names.REASON_BLOCK, names.REASON_INPUT).strip()
        if is_blank(why):
            raise InvalidInput(Code.INVALID_FIELD, SAY_WHY, pointer="/justification")
        nonce, bundle = self.ids.nonce(), self.desk.service.bundle
        return ActionRequest(
            tenant=self.desk.service.tenant,
            agent=BREAK_GLASS,
            on_behalf_of=person.id,
            topic=sent.field(TOPIC_BLOCK, TOPIC_INPUT).strip() or f"emergency.{template}",
            tool=tool,
            action=_kind(bundle, tool),
            environment=sent.field(PLACE_BLOCK, PLACE_INPUT).strip(),
            labels={LABEL: template},
            target=sent.field(TARGET_BLOCK, TARGET_INPUT).strip(),
            content=Content(arguments=_arguments(sent), justification=why),
            dispatch=Dispatch.EXECUTE if _runs_here(bundle, tool) else Dispatch.RELEASE,
            trace_id=nonce,
            idempotency_key=f"glass-{nonce}",
        )

    async def _use(self, person: Person, ticket_id: TicketId) -> Said:
        """Hand an approved emergency to whoever asked for it, once."""
        service = self.desk.service
        ticket = await service.ticket(ticket_id)
        if ticket.ask.agent != BREAK_GLASS or ticket.ask.on_behalf_of not in person.names:
            raise Refused(
                Code.NOT_FOUND, Sentence("no emergency {ticket} of yours", ticket=ticket_id)
            )
        taken = await service.redeem(ticket_id, agent_of(person, service.tenant))
        return say(Inert(gettext(TAKEN, ticket=words(taken.id, 60))), block_id="placet.glass_taken")


def agent_of(person: Person, tenant: TenantId) -> Agent:
    """In whose name a person asks: nobody vouches for an environment, and they answer for it."""
    owners: tuple[PersonId, ...] = tuple(sorted(person.names))
    return Agent(id=BREAK_GLASS, tenant=tenant, owners=owners, roles=tuple(sorted(person.roles)))


def _field_of(pointer: str) -> str:
    """The block where what is wrong stands."""
    if pointer in _FORMS:
        return _FORMS[pointer][0]
    return ARGS_BLOCK if pointer.startswith("/arguments") else names.REASON_BLOCK


def _checked(request: ActionRequest) -> ActionRequest:
    """The request, in the form that an agent's must have.

    Raises:
        InvalidInput: ``invalid_field`` with a pointer.
    """
    words_of = {
        "/topic": request.topic,
        "/environment": request.environment,
        "/target": request.target,
    }
    for pointer, text in words_of.items():
        if not _FORMS[pointer][1].fullmatch(text) or (text and is_blank(text)):
            raise InvalidInput(Code.INVALID_FIELD, NOT_A_NAME, pointer=pointer)
    return request


def _no_role() -> Refused:
    return Refused(Code.WRONG_ROLE, NO_ROLE)


def _arguments(sent: Submission) -> Mapping[str, Json]:
    text = sent.field(ARGS_BLOCK, ARGS_INPUT).strip()
    if not text:
        return {}
    try:
        value = parse(text)
    except InvalidInput as error:
        message = Sentence("{sentence} ({fact})", sentence=NOT_JSON, fact=error.message)
        raise InvalidInput(error.code, message, pointer=f"/arguments{error.pointer}") from error
    if not isinstance(value, Mapping):
        raise InvalidInput(Code.INVALID_FIELD, NOT_JSON, pointer="/arguments")
    return value


def _kind(bundle: Bundle, name: str) -> ActionKind:
    """The widest action that the tool has; an execution where nothing says so."""
    tool = bundle.tools.get(name) if name else None
    if tool is None:
        return ActionKind.EXECUTE
    return max(tool.actions, key=WIDTH.index)


def _runs_here(bundle: Bundle, name: str) -> bool:
    tool = bundle.tools.get(name) if name else None
    return tool is not None and bool(tool.plan_digest)
