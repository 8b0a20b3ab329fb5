"""``/placet``: help, list, mine, status, freeze, unfreeze.

Lives here: reading the words after the command and answering. Must not live here: who may (the
door decides). Law: an answer is for the person who asked only; an unknown word is answered with
what there is; a freeze needs no second word of confirmation.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.slack import card_parts as parts
from bot.slack import card_standing as standing
from bot.slack import card_title, lists, names
from bot.slack.blocks import (
    actions,
    header,
    line,
    ours,
    rich,
    run,
    section,
    with_ids,
)
from bot.slack.card_view import load_card_view
from bot.slack.cards import details_button
from bot.slack.desk import Desk
from bot.slack.payloads import Command
from bot.slack.said import Said, say, say_blocks
from bot.slack.text import Inert, inert, unescape, words
from governance.control import EVERYONE
from governance.errors import Code, Refused
from governance.principal import Person, PersonId
from governance.tickets.ticket import TicketId

_USAGE = (
    ("help", "this text"),
    ("list", "what is open now, the most urgent first"),
    ("mine", "what waits for your vote"),
    ("status ID", "where one ticket stands"),
    ("freeze AGENT REASON", "stop an agent at once; AGENT can be all"),
    ("unfreeze AGENT", "ask to lift a freeze, or agree as the second person"),
)
_MAX_NAME = 128
_MAX_REASON = 300
_Handler = Callable[[Person, str], Awaitable[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The listener of the slash command."""

    desk: Desk

    async def run(self, command: Command) -> Said:
        """Answer one command."""
        verb, _, rest = unescape(command.text).strip().partition(" ")
        verb, rest = verb.lower(), rest.strip()
        if verb in ("", "help"):
            return self._help()
        handlers: Mapping[str, _Handler] = {
            "list": self._list,
            "mine": self._mine,
            "status": self._status,
            "freeze": self._freeze,
            "unfreeze": self._unfreeze,
        }
        handler = handlers.get(verb)
        if handler is None:
            text = f"I do not know \u201c{words(verb, 40)}\u201d. Try {names.COMMAND} help."
            return say(Inert(text), block_id="placet.unknown_word")
        person = await self.desk.service.person(
            PersonId(f"slack:{command.team_id}/{command.user_id}")
        )
        return await handler(person, rest)

    def _help(self) -> Said:
        lines = line(run(ours("People approve what agents want to do. You can type:")))
        for word, meaning in _USAGE:
            lines += line(
                run(ours(f"{names.COMMAND} {word}"), code=True), run(ours(f"  {meaning}"))
            )
        gates = self.desk.service.bundle.environments
        loose = sorted(name for name, gate in gates.items() if gate.unsafe_open)
        if loose:
            where = ", ".join(words(name, 40) for name in loose[:5])
            text = f"Careful: in {where} actions go through while policy cannot be asked."
            lines += line(run(Inert(text), bold=True))
        else:
            lines += line(run(ours("While policy cannot be asked, every action is refused.")))
        blocks = with_ids([rich(section(lines))], "placet.help")
        return say_blocks(ours("How to use Placet: help, list, mine, status, freeze."), blocks)

    async def _list(self, _person: Person, _rest: str) -> Said:
        found = await lists.open_tickets(self.desk.reader, self.desk.service.tenant)
        blocks = lists.listing("Open now", found, empty="Nothing is open.", prefix="placet.list")
        return say_blocks(Inert(f"{_tickets(len(found))} open."), blocks)

    async def _mine(self, person: Person, _rest: str) -> Said:
        found = await lists.open_tickets(self.desk.reader, self.desk.service.tenant)
        mine = [ticket for ticket in found if lists.waits_for(ticket, person)]
        blocks = lists.listing(
            "Waiting for you", mine, empty="Nothing waits for your vote.", prefix="placet.mine"
        )
        return say_blocks(Inert(f"{_tickets(len(mine))} waiting for your vote."), blocks)

    async def _status(self, _person: Person, rest: str) -> Said:
        if not rest:
            return say(ours(f"Which one? Type {names.COMMAND} status ID."), block_id="placet.usage")
        ticket = await self.desk.service.ticket(TicketId(rest[:_MAX_NAME]))
        view = await load_card_view(self.desk.reader, ticket)
        budget = parts.BUDGETS[0]
        votes = standing.progress(view, budget)
        body = [*standing.outcome(view, budget), *votes, *standing.expiry(ticket)]
        blocks = [
            header(card_title.title(ticket)),
            rich(section(body)),
            standing.fine_print(ticket),
            actions(details_button(ticket)),
        ]
        return say_blocks(card_title.title(ticket), with_ids(blocks, "placet.status"))

    async def _freeze(self, person: Person, rest: str) -> Said:
        target, reason = _target(rest)
        is_new = await self.desk.service.freeze(target, person.id, reason)
        shown = _named(target)
        if not is_new:
            return say(Inert(f"{shown} was frozen already."))
        text = f"{shown} is frozen: nothing new starts. Two people can lift it again."
        if not await self._is_known(target):
            text += " No credential names such an agent, though; check the spelling."
        return say(Inert(text), block_id="placet.frozen")

    async def _unfreeze(self, person: Person, rest: str) -> Said:
        target, _ = _target(rest)
        shown = _named(target)
        if await self.desk.service.unfreeze(target, person.id):
            return say(Inert(f"{shown} is no longer frozen."), block_id="placet.unfrozen")
        text = f"You asked to unfreeze {shown}. A second person must type the same."
        return say(Inert(text), block_id="placet.unfreeze_asked")

    async def _is_known(self, target: str) -> bool:
        if target == EVERYONE:
            return True
        found = await self.desk.reader.credentials()
        return any(one.agent is not None and one.agent.id == target for one in found)


def _tickets(count: int) -> str:
    return f"{count} ticket{'' if count == 1 else 's'}"


def _target(rest: str) -> tuple[str, str]:
    """The agent (or ``all``) and the reason.

    Raises:
        Refused: ``not_found``: nobody was named.
    """
    target, _, reason = rest.partition(" ")
    if not target or len(target) > _MAX_NAME:
        raise Refused(Code.NOT_FOUND, "name an agent, or all")
    target = EVERYONE if target.lower() == EVERYONE else target
    return target, reason.strip()[:_MAX_REASON]


def _named(target: str) -> Inert:
    return ours("Every agent") if target == EVERYONE else Inert(f"Agent {inert(target)}")
