"""``/placet``: which word does what.

Lives here: reading the words after the command and answering, or opening the form that asks.
Must not live here: who may (the door decides), delegation and emergencies (``lending``,
``break_glass``). Law: an answer is for the person who asked only; an unknown word is answered with
what there is and with what is nearest; a freeze needs no second word of confirmation.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bot.slack import names
from bot.slack.cards import parts, standing
from bot.slack.cards import title as card_title
from bot.slack.cards.card import details_button
from bot.slack.cards.cautions import freeze_lines
from bot.slack.cards.view import load_card_view
from bot.slack.commands import picking, why
from bot.slack.commands.break_glass import BreakGlass
from bot.slack.commands.lending import Lending
from bot.slack.desk import Desk
from bot.slack.home import inbox, lists
from bot.slack.home.view import MORE_WAIT, NOTHING_WAITS, WAITING
from bot.slack.kit.blocks import (
    actions,
    header,
    line,
    ours,
    rich,
    run,
    section,
    with_ids,
)
from bot.slack.kit.language import N_, gettext, ngettext
from bot.slack.kit.modals import modal
from bot.slack.kit.text import Inert, inert, unescape, words
from bot.slack.payloads import Command, Submission, person_of
from bot.slack.readers import check_reader, readable
from bot.slack.said import Said, refusal_text, say, say_blocks
from bot.slack.voting.views import FormAnswer
from governance.control import EVERYONE
from governance.errors import Code, Refused
from governance.principal import Person, PersonId
from governance.sentences import Sentence
from governance.tickets.lifecycle import MAY_EXPIRE
from governance.tickets.ticket import TicketId

_USAGE = (
    ("help", N_("this text")),
    ("list", N_("what is open now, the most urgent first")),
    ("mine", N_("what waits for your vote")),
    ("status ID", N_("where one ticket stands")),
    ("why ID", N_("why policy asks about it, in words")),
    ("delegate @who UNTIL WHY", N_("let somebody vote in your name; alone, it opens a form")),
    ("delegate list", N_("who votes in your name, and in whose you vote")),
    ("break-glass", N_("ask for an emergency that was thought through beforehand")),
    ("stats", N_("how approvals went lately")),
    ("freeze AGENT REASON", N_("stop an agent at once; AGENT can be all")),
    ("unfreeze AGENT", N_("ask to lift a freeze, or agree as the second person")),
)
WORDS = (
    *("help", "list", "mine", "status", "why", "delegate", "break-glass", "stats"),
    *("freeze", "unfreeze"),
)
NO_STATS = N_("There are no figures in this installation.")
NEAREST = N_("Did you mean {command} {word}?")
NOBODY_NAMED = Sentence("name an agent, or all")
_MAX_NAME = 128
_TICKET = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MAX_REASON = 300
_LIKENESS = 0.55
_Handler = Callable[[Person, str, Command], Awaitable[Said | None]]
Stats = Callable[[Person, str, Command], Awaitable[Said]]
"""``/placet stats WORDS``: who asks, the words behind ``stats``, and the command as it came (its
channel is where pictures may go). What it answers is for that person only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The listener of the slash command."""

    desk: Desk
    lending: Lending
    glass: BreakGlass
    stats: Stats | None = None
    """Given by the composition; None: there are no figures here."""

    def handlers(self) -> Mapping[str, _Handler]:
        """The listener of each word; their keys and ``help`` are ``WORDS``."""
        return {
            "list": self._list,
            "mine": self._mine,
            "status": self._status,
            "why": self._why,
            "delegate": self.lending.command,
            "break-glass": self.glass.command,
            "stats": self._stats,
            "freeze": self._freeze,
            "unfreeze": self._unfreeze,
        }

    async def run(self, command: Command) -> Said | None:
        """Answer one command; None where a form was opened instead."""
        verb, _, rest = unescape(command.text).strip().partition(" ")
        verb, rest = verb.lower(), rest.strip()
        if verb in ("", "help"):
            return self._help()
        handler = self.handlers().get(verb)
        if handler is None:
            return self._unknown(verb)
        person = await self.desk.service.person(
            PersonId(f"slack:{command.team_id}/{command.user_id}")
        )
        return await handler(person, rest, command)

    def _unknown(self, verb: str) -> Said:
        """What there is, and which of it is nearest to what was typed."""
        text = gettext("I do not know \u201c{word}\u201d.", word=words(verb, 40))
        near = get_close_matches(verb[:40], WORDS, 1, _LIKENESS)
        if near:
            text += f" {gettext(NEAREST, command=names.COMMAND, word=near[0])}"
        lead = {**rich(section([run(Inert(text), bold=True)])), "block_id": "placet.unknown_word"}
        return say_blocks(Inert(text), [lead, *self._help().blocks])

    def _help(self) -> Said:
        lines = line(run(ours(gettext("People approve what agents want to do. You can type:"))))
        for word, meaning in _USAGE:
            lines += line(
                run(ours(f"{names.COMMAND} {word}"), code=True), run(ours(f"  {gettext(meaning)}"))
            )
        gates = self.desk.service.bundle.environments
        loose = sorted(name for name, gate in gates.items() if gate.unsafe_open)
        if loose:
            where = ", ".join(words(name, 40) for name in loose[:5])
            text = gettext(
                "Careful: in {where} actions go through while policy cannot be asked.", where=where
            )
            lines += line(run(Inert(text), bold=True))
        else:
            lines += line(
                run(ours(gettext("While policy cannot be asked, every action is refused.")))
            )
        blocks = with_ids([rich(section(lines))], "placet.help")
        return say_blocks(
            ours(gettext("How to use Placet: {words}.", words=", ".join(WORDS))), blocks
        )

    async def _list(self, person: Person, _rest: str, _sent: Command) -> Said:
        service = self.desk.service
        every = await lists.open_tickets(self.desk.reader, service.tenant)
        found, is_cut = await readable(service, person, every), len(every) >= inbox.LISTED
        blocks = lists.listing(
            N_("Open now"),
            found,
            control=await self.desk.reader.control(),
            empty=N_("Nothing is open."),
            prefix="placet.list",
            is_cut=is_cut,
        )
        text = ngettext("{count} ticket open.", "{count} tickets open.", len(found))
        return say_blocks(ours(gettext(MORE_WAIT) if is_cut else text), blocks)

    async def _mine(self, person: Person, _rest: str, _sent: Command) -> Said:
        service = self.desk.service
        seen = await inbox.scan(self.desk.reader, service.tenant)
        found = await inbox.inbox_of(service, person, seen)
        mine = found.waiting
        blocks = lists.listing(
            WAITING,
            mine,
            control=found.control,
            empty=NOTHING_WAITS,
            prefix="placet.mine",
            is_cut=found.is_cut,
        )
        text = ngettext(
            "{count} ticket waiting for your vote.",
            "{count} tickets waiting for your vote.",
            len(mine),
        )
        return say_blocks(ours(gettext(MORE_WAIT) if found.is_cut else text), blocks)

    async def _status(self, person: Person, rest: str, sent: Command) -> Said | None:
        return await self._told("status", person, rest, sent)

    async def _why(self, person: Person, rest: str, sent: Command) -> Said | None:
        return await self._told("why", person, rest, sent)

    async def _told(self, verb: str, person: Person, rest: str, sent: Command) -> Said | None:
        """What is to be told of a ticket; without its id, the form that asks which one."""
        if not rest:
            await self.desk.open_view(sent.trigger_id, picking.form(verb))
            return None
        return await self.tell(verb, person, rest)

    async def tell(self, verb: str, person: Person, named: str) -> Said:
        """Where a ticket stands, or why.

        Raises:
            Refused: ``not_found``; ``forbidden``: it is none of theirs.
        """
        if not _TICKET.fullmatch(named):
            raise Refused(Code.NOT_FOUND, Sentence("no ticket has such a name"))
        ticket = await self.desk.service.ticket(TicketId(named))
        await check_reader(self.desk.service, person, ticket)
        if verb == "why":
            trace = await why.trace_of(self.desk.reader, ticket)
            return say_blocks(card_title.title(ticket), why.blocks_of(ticket, trace))
        view = await load_card_view(self.desk.reader, ticket)
        budget = parts.BUDGETS[0]
        votes = standing.progress(view, budget)
        frozen = view.frozen if ticket.state in MAY_EXPIRE else None
        body = [] if frozen is None else freeze_lines(frozen)
        body += [*standing.outcome(view, budget), *votes, *standing.expiry(ticket)]
        blocks = [
            header(card_title.title(ticket)),
            rich(section(body)),
            standing.fine_print(ticket),
            actions(details_button(ticket)),
        ]
        return say_blocks(card_title.title(ticket), with_ids(blocks, "placet.status"))

    async def picked(self, sent: Submission) -> FormAnswer:
        """Tell of the ticket that was picked in the form.

        Raises:
            Refused: an identity code, or ``not_found``.
        """
        person = await self.desk.service.person(person_of(sent.user, sent.team))
        verb = "why" if sent.view.private_metadata == "why" else "status"
        chosen = sent.field(picking.PICK_BLOCK, names.PICK_TICKET)
        try:
            said = await self.tell(verb, person, chosen)
        except Refused as error:
            return FormAnswer(errors={picking.PICK_BLOCK: refusal_text(error)})
        return FormAnswer(view=modal("Placet", list(said.blocks), callback_id=names.INBOX_VIEW))

    async def _stats(self, person: Person, rest: str, sent: Command) -> Said:
        if self.stats is None:
            return say(ours(gettext(NO_STATS)), block_id="placet.no_stats")
        return await self.stats(person, rest, sent)

    async def _freeze(self, person: Person, rest: str, _sent: Command) -> Said:
        target, reason = _target(rest)
        is_new = await self.desk.service.freeze(target, person.id, reason)
        shown = _named(target)
        if not is_new:
            return say(Inert(gettext("{who} was frozen already.", who=shown)))
        text = gettext(
            "{who} is frozen: nothing new starts. Two people can lift it again.", who=shown
        )
        if not await self._is_known(target):
            text += gettext(" No credential names such an agent, though; check the spelling.")
        return say(Inert(text), block_id="placet.frozen")

    async def _unfreeze(self, person: Person, rest: str, _sent: Command) -> Said:
        target, _ = _target(rest)
        shown = _named(target)
        if await self.desk.service.unfreeze(target, person.id):
            return say(
                Inert(gettext("{who} is no longer frozen.", who=shown)), block_id="placet.unfrozen"
            )
        text = gettext("You asked to unfreeze every agent. A second person must type the same.")
        if target != EVERYONE:
            text = gettext(
                "You asked to unfreeze agent {agent}. A second person must type the same.",
                agent=inert(target),
            )
        return say(Inert(text), block_id="placet.unfreeze_asked")

    async def _is_known(self, target: str) -> bool:
        if target == EVERYONE:
            return True
        found = await self.desk.reader.credentials()
        return any(one.agent is not None and one.agent.id == target for one in found)


def _target(rest: str) -> tuple[str, str]:
    """The agent (or ``all``) and the reason.

    Raises:
        Refused: ``not_found``: nobody was named.
    """
    target, _, reason = rest.partition(" ")
    if not target or len(target) > _MAX_NAME:
        raise Refused(Code.NOT_FOUND, NOBODY_NAMED)
    target = EVERYONE if target.lower() == EVERYONE else target
    return target, reason.strip()[:_MAX_REASON]


def _named(target: str) -> Inert:
    return (
        ours(gettext("Every agent"))
        if target == EVERYONE
        else Inert(gettext("Agent {agent}", agent=inert(target)))
    )
