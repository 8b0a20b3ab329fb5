"""Lending one's voice from Slack: by a form, by a command, and taking it back.

Lives here: the form as a value, what submitting it does, reading ``/placet delegate``. Must not
live here: who may lend what to whom (the door decides). Law: nothing is lent without a person, an
end and a reason; what is lent is said back in the words of what was committed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from bot.slack import names
from bot.slack.desk import Desk
from bot.slack.home.delegations import delegation_entry
from bot.slack.home.inbox import Lent, lent_to
from bot.slack.home.view import NOTHING_LENT
from bot.slack.kit import limits, modals
from bot.slack.kit.blocks import Block, instant, line, ours, person, plain, rich, run, section
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.modals import modal
from bot.slack.kit.text import Inert, clip, is_blank, words
from bot.slack.payloads import Click, Command, Submission, person_of
from bot.slack.said import Said, refusal_text, say, say_blocks
from bot.slack.voting.views import FormAnswer
from bot.slack.zones import Zones, end_of
from governance.delegation import MAX_REASON_CHARS, Delegation, Wish
from governance.errors import Code, InvalidInput, PlacetError, Refused
from governance.ports import Clock
from governance.principal import Person, PersonId
from governance.sentences import Sentence

TITLE = N_("Delegate")
LEAD = N_("Somebody else votes in your name. It is in the log and on every card that they vote on.")
WHO, UNTIL, ROLES, WHY = N_("To whom"), N_("Until when"), N_("Which roles"), N_("Why")
ROLES_HINT = N_("Leave it empty for every role that you hold.")
WHY_HINT = N_("Everybody who reads the log will see it.")
SUBMIT = N_("Lend my vote")
USAGE = Sentence("Type /placet delegate @who UNTIL WHY, where UNTIL is 3d, 12h or 2026-12-24.")
NO_ROLE = Sentence("you hold no role that you could lend")
NOBODY_MAY = Sentence("the policy bundle lets nobody delegate")
NO_PERSON = N_("Choose one person.")
NO_END = N_("Choose a date and a time.")
WHO_BLOCK, UNTIL_BLOCK, ROLES_BLOCK = "placet.lend.who", "placet.lend.until", "placet.lend.roles"
WHO_INPUT, UNTIL_INPUT, ROLES_INPUT = "placet.lend.w", "placet.lend.u", "placet.lend.r"
_MENTION = re.compile(r"<@([A-Z0-9]{1,40})(?:\|[^>]*)?>")
_SPAN = re.compile(r"([0-9]{1,3})([dh])")
_ZONE_TTL_S = 60
_MAX_ROLES = 100
_ROLE_VALUE_CHARS = 150
_AT_FIELD = {"/reason": names.REASON_BLOCK, "/ends_at": UNTIL_BLOCK}


def form(roles: Sequence[str], until: datetime) -> Block:
    """The form; ``until`` is what stands in it at first."""
    lead = {**rich(section([run(ours(gettext(LEAD)))])), "block_id": "placet.lend.lead"}
    blocks = [
        lead,
        _input(WHO_BLOCK, WHO, {"type": "users_select", "action_id": WHO_INPUT}),
        _input(
            UNTIL_BLOCK,
            UNTIL,
            {
                "type": "datetimepicker",
                "action_id": UNTIL_INPUT,
                "initial_date_time": int(until.timestamp()),
            },
        ),
    ]
    offered = [role for role in sorted(roles) if len(role) <= _ROLE_VALUE_CHARS][:_MAX_ROLES]
    if len(offered) > 1:
        options: list[Block] = [
            {"text": plain(words(role, limits.BUTTON_TEXT_CHARS)), "value": role}
            for role in offered
        ]
        menu: Block = {
            "type": "multi_static_select",
            "action_id": ROLES_INPUT,
            "options": options,
        }
        blocks.append({**_input(ROLES_BLOCK, ROLES, menu, hint=ROLES_HINT), "optional": True})
    reason: Block = {
        "type": "plain_text_input",
        "action_id": names.REASON_INPUT,
        "multiline": True,
        "max_length": MAX_REASON_CHARS,
    }
    blocks.append(_input(names.REASON_BLOCK, WHY, reason, hint=WHY_HINT))
    return modal(
        gettext(TITLE),
        blocks,
        close=gettext("Cancel"),
        submit=plain(ours(gettext(SUBMIT))),
        callback_id=names.DELEGATE_VIEW,
    )


def _input(block_id: str, label: str, element: Block, *, hint: str = "") -> Block:
    made: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain(ours(gettext(label))),
        "element": element,
    }
    return {**made, "hint": plain(ours(gettext(hint)))} if hint else made


@dataclass(frozen=True, slots=True, kw_only=True)
class Lending:
    """The listeners of delegation."""

    desk: Desk
    clock: Clock
    zones: Zones

    async def open(self, click: Click) -> Said | None:
        """Open the form."""
        await self._open(click.trigger_id, person_of(click.user, click.team))
        return None

    async def _open(self, trigger_id: str, person_id: PersonId) -> None:
        view_id, _ = await self.desk.open_view(trigger_id, modals.loading())
        try:
            roles = (await self.desk.service.person(person_id)).roles
            if not roles:
                raise Refused(Code.WRONG_ROLE, NO_ROLE)
            if not self.desk.service.bundle.delegation.max_days:
                raise Refused(Code.DELEGATION_NOT_ALLOWED, NOBODY_MAY)
            view = form(sorted(roles), self.clock.now() + timedelta(days=1))
        except PlacetError as error:
            view = modals.notice(refusal_text(error), title=gettext(TITLE), code=error.code.value)
        await self.desk.update_view(view_id, view)

    async def submit(self, sent: Submission) -> FormAnswer:
        """Lend what the form says; what is wrong stays in the form."""
        whom = sent.standing(WHO_BLOCK, WHO_INPUT).selected_user
        until = sent.standing(UNTIL_BLOCK, UNTIL_INPUT).selected_date_time
        if whom is None:
            return FormAnswer(errors={WHO_BLOCK: gettext(NO_PERSON)})
        if until is None or not 0 <= until < 10**10:
            return FormAnswer(errors={UNTIL_BLOCK: gettext(NO_END)})
        own = person_of(sent.user, sent.team)
        roles = sent.standing(ROLES_BLOCK, ROLES_INPUT).selected_options
        wish = Wish(
            delegator=own,
            delegate=_beside(own, whom),
            roles=tuple(option.value for option in roles),
            ends_at=datetime.fromtimestamp(until, UTC),
            reason=_reason(sent.field(names.REASON_BLOCK, names.REASON_INPUT)),
        )
        try:
            lent = await self.desk.service.delegate(wish)
        except (InvalidInput, Refused) as error:
            at = _AT_FIELD.get(error.pointer, WHO_BLOCK)
            text = clip(refusal_text(error), 2 * limits.FIELD_ERROR_CHARS)
            return FormAnswer(errors={at: text})
        block = {**rich(section(_told(lent))), "block_id": "placet.lent"}
        return FormAnswer(view=modal(gettext(TITLE), [block], callback_id=names.NOTICE_VIEW))

    async def command(self, person_: Person, rest: str, command: Command) -> Said | None:
        """``/placet delegate``: the form, the list, or at once what was typed."""
        if not rest:
            await self._open(command.trigger_id, person_.id)
            return None
        if rest.lower() == "list":
            return await self._list(person_)
        zone = await self.zones.zone(person_.id, ttl_s=_ZONE_TTL_S)
        lent = await self.desk.service.delegate(typed(rest, person_.id, self.clock.now(), zone))
        block = {**rich(section(_told(lent))), "block_id": "placet.lent"}
        return say_blocks(ours(gettext("Your vote is lent.")), [block])

    async def _list(self, person_: Person) -> Said:
        known = await self.desk.service.delegations(person_.id)
        every: list[Delegation | Lent] = [
            *(one for one in known if one.delegator == person_.id),
            *(await lent_to(self.desk.service, person_)),
        ]
        if not every:
            return say(ours(gettext(NOTHING_LENT)))
        blocks = [block for one in every[:10] for block in delegation_entry(one)]
        for number, block in enumerate(blocks):
            block["block_id"] = f"placet.lent.{number}"
        return say_blocks(ours(gettext("{count} delegations.", count=len(every))), blocks)

    async def end(self, click: Click) -> Said | None:
        """Take a voice back, or give one back."""
        person_id = person_of(click.user, click.team)
        ended = await self.desk.service.end_delegation(click.action.value[:64], person_id)
        whose = (
            gettext("Your vote is yours alone again.")
            if ended.delegator == person_id
            else gettext("You no longer vote in their name.")
        )
        return None if click.view is not None else say(ours(whose), block_id="placet.lent_ended")


def _reason(text: str) -> str:
    """Why, as it was written; nothing where a reader would see nothing."""
    return "" if is_blank(text) else text.strip()


def _beside(own: PersonId, user: str) -> PersonId:
    """Somebody of one's own workspace, by their account."""
    return PersonId(f"{own.rpartition('/')[0]}/{user}")


def _told(lent: Delegation) -> list[Block]:
    roles = ", ".join(lent.roles) or gettext("every role that you hold")
    text = gettext(" votes in your name as {roles}, until ", roles=words(roles, 200))
    said = [person(lent.delegate), run(Inert(text))]
    said += line(instant(lent.ends_at), run(ours(".")))
    return [*said, run(Inert(gettext("Why: {reason}", reason=words(lent.reason, 300))))]


def typed(rest: str, own: PersonId, now: datetime, zone: tzinfo) -> Wish:
    """What ``@who UNTIL WHY`` asks for; every role is lent. A date is a day of ``zone``.

    Raises:
        InvalidInput: ``invalid_field``: it does not read like that.
    """
    whom, _, more = rest.partition(" ")
    until, _, why = more.strip().partition(" ")
    found = _MENTION.fullmatch(whom)
    if found is None or not until:
        raise InvalidInput(Code.INVALID_FIELD, USAGE, pointer="/text")
    return Wish(
        delegator=own,
        delegate=_beside(own, found[1]),
        roles=(),
        ends_at=_end(until, now, zone),
        reason=_reason(why),
    )


def _end(text: str, now: datetime, zone: tzinfo) -> datetime:
    """``3d``, ``12h``, or the end of a day where the person is."""
    span = _SPAN.fullmatch(text)
    if span:
        count = int(span[1])
        return now + (timedelta(days=count) if span[2] == "d" else timedelta(hours=count))
    try:
        return end_of(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date(), zone)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(Code.INVALID_FIELD, USAGE, pointer="/text") from error
