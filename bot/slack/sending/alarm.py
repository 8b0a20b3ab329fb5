"""What a second channel is told of an emergency.

Lives here: the announcement as a value, and its words. Must not live here: when it is sent.
Law: it says who asks, for which template, on what target and why, in inert text, and who decides;
it has no button that decides: the card has those.
"""

from bot.slack.cards import needs, standing
from bot.slack.cards import title as card_title
from bot.slack.cards.buttons import details_button
from bot.slack.cards.parts import is_a_persons
from bot.slack.kit.blocks import (
    Block,
    actions,
    header,
    instant,
    line,
    ours,
    person,
    quote,
    rich,
    run,
    section,
    with_ids,
)
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, clip, inert, words
from bot.slack.said import Said, say_blocks
from governance.action import Content
from governance.tickets.ticket import Ticket

TITLE = N_("EMERGENCY: the glass is being broken")
WHO, WHICH, TARGET = N_("Who asks: "), N_("Emergency template: "), N_("Target: ")
FOR = N_(" (an agent), it says for ")
WHY = N_("Why, in their words, unverified:")
NO_REASON = N_("The justification is no longer kept.")
UNTIL = N_("Decide before ")
_WHY_CHARS = 2_000


def _asking(ticket: Ticket) -> list[Block]:
    """The person who asks; of an agent its own name, and for whom it says that it asks."""
    ask = ticket.ask
    if is_a_persons(ticket) and ask.on_behalf_of:
        return [person(ask.on_behalf_of)]
    agent = run(words(ask.agent, 80), code=True)
    if not ask.on_behalf_of:
        return [agent]
    return [agent, run(ours(gettext(FOR))), person(ask.on_behalf_of)]


def announcement(ticket: Ticket, *, template: str, content: Content | None) -> Said:
    """What everybody in the second channel sees."""
    ask, requirement = ticket.ask, ticket.ruling.requirement
    lead = line(run(card_title.title(ticket), bold=True))
    lead += line(run(ours(gettext(WHO)), bold=True), *_asking(ticket))
    lead += line(run(ours(gettext(WHICH)), bold=True), run(words(template, 120)))
    if not card_title.keeps_target(ticket):
        lead += line(run(ours(gettext(TARGET)), bold=True), run(words(ask.target, 200)))
    if requirement is not None:
        lead += line(run(needs.needs_text(requirement, ticket)))
    lead += [run(ours(gettext(UNTIL))), instant(ticket.expires_at), run(ours("."))]
    why = content.justification if content is not None else gettext(NO_REASON)
    blocks: list[Block] = [
        header(ours(gettext(TITLE))),
        rich(section(lead)),
        rich(section([run(ours(gettext(WHY)), bold=True)]), quote(clip(inert(why), _WHY_CHARS))),
        standing.fine_print(ticket),
        actions(details_button(ticket)),
    ]
    return say_blocks(
        Inert(f"{gettext(TITLE)}. {card_title.title(ticket)}"), with_ids(blocks, "alarm")
    )
