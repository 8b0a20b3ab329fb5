"""The full view as modals: its pages, its cover where it is long, the step after a file.

Lives here: pure functions from a full view to views. Must not live here: what is in it
(``full_view``), opening and turning (``reading``). Law: Approve and Reject stand on the last page
only, or behind the word that the file was read, with exactly the revision and binding that were
shown; every page says which of how many it is, and offers whatever else the card offers.
"""

from bot.slack import names
from bot.slack.cards import title as card_title
from bot.slack.cards.buttons import approve_button, button_of, reject_button, shown_of
from bot.slack.cards.cautions import freeze_lines
from bot.slack.cards.offers import offered
from bot.slack.cards.parts import says
from bot.slack.cards.standing import reference
from bot.slack.cards.view import CardView
from bot.slack.kit import limits
from bot.slack.kit.blocks import (
    Block,
    actions,
    button,
    confirm,
    line,
    ours,
    plain,
    preformatted,
    quote,
    rich,
    run,
    section,
    small,
    with_ids,
)
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.language import number as counted
from bot.slack.kit.text import Inert, clip, head, inert, pages, words
from bot.slack.said import Said, say_blocks
from bot.slack.voting.full_view import PIECE_CHARS, FullView, WholeFile
from governance.principal import PersonId
from governance.tickets.lifecycle import MAY_EXPIRE
from governance.tickets.ticket import Ticket, TicketState

TITLE = N_("Details")
_WORDS_CHARS = 8 * PIECE_CHARS
"""Of the agent's own words on the last page; they are not what is approved."""
DIGEST_DIGITS = 32
_ELSEWHERE = frozenset({names.APPROVE, names.APPROVE_WITH_COMMENT, names.REJECT, names.DETAILS})
"""Offers that stand on the last page only, or have led here."""


def page(
    view: CardView, whole: FullView, number: int, *, may_vote: bool, has_receipt: bool = False
) -> Block:
    """One page, counted from 0; ``may_vote``: the ticket is open and this may be the last one.

    ``has_receipt``: its reader has cast a vote, of which they may have a receipt.
    """
    ticket = view.ticket
    number = min(max(number, 0), whole.count - 1)
    is_last = number == whole.count - 1
    where = gettext("Page {number} of {count}.", number=number + 1, count=whole.count)
    blocks = [_lead(ticket, where), *_freeze(view)]
    for piece in whole.pages[number]:
        label = section([run(ours(f"{piece.label}:"), bold=True)])
        blocks.append(rich(label, preformatted(piece.text)))
    if is_last:
        blocks += _words_of_agent(view)
        state = card_title.state_word(ticket.state)
        blocks.append(_line(gettext("This is all of it. The ticket is {state}.", state=state)))
    row = _turns(ticket, number, is_last=is_last)
    if may_vote and is_last and ticket.state is TicketState.PENDING:
        row += _decisions(view)
    row += _deeds(ticket, has_receipt=has_receipt)
    if row:
        blocks.append(actions(*row))
    return _modal(ticket, blocks, f"{number}", page_number=number)


def cover(view: CardView, whole: FullView, *, has_receipt: bool = False) -> Block:
    """What stands before a whole that is too long to be turned page by page."""
    ticket = view.ticket
    text = gettext(
        "All of it is {chars} characters on {count} pages. It can be sent to you "
        "as a file, in a message from this app that nobody else sees. Approve opens to you once "
        "you have said there that you have read it, or here on the last page.",
        chars=counted(whole.chars),
        count=whole.count,
    )
    value = shown_of(ticket).to_value()
    name = words(ticket.id, 40)
    row = actions(
        button(
            gettext("Send me the file"),
            action_id=names.SEND_FILE,
            value=value,
            label=Inert(gettext("Send me all of ticket {ticket} as a file", ticket=name)),
        ),
        button(
            gettext("Read it here"),
            action_id=names.FIRST_PAGE,
            value=value,
            label=Inert(
                gettext("Page 1 of {count} of ticket {ticket}", count=whole.count, ticket=name)
            ),
        ),
        reject_button(ticket),
        *_deeds(ticket, has_receipt=has_receipt),
    )
    return _modal(ticket, [_lead(ticket, ""), *_freeze(view), _line(text), row], "cover")


def sent(ticket: Ticket) -> Block:
    """What the modal says once the file is on its way."""
    text = gettext(
        "The file is in your messages with this app. Its button there opens Approve to you."
    )
    return _modal(ticket, [_lead(ticket, ""), _line(text)], "sent")


def file_message(ticket: Ticket, file: WholeFile, person: PersonId) -> Said:
    """The message under the file: the one button that says that it was read."""
    value = shown_of(ticket).to_value(d=file.digest[:DIGEST_DIGITS], u=person)
    holds = gettext(
        "The file {name} holds all of it, {size} bytes.",
        name=file.name,
        size=counted(len(file.content)),
    )
    said = [
        *line(run(Inert(f"{card_title.sentence(ticket)}."), bold=True)),
        *line(run(Inert(holds))),
        *line(run(Inert(gettext("SHA-256 of the file: {digest}", digest=file.digest)))),
    ]
    read = button(
        gettext("I have read the file"),
        action_id=names.FILE_READ,
        value=value,
        label=Inert(gettext("I have read all of ticket {ticket}", ticket=words(ticket.id, 40))),
        dialog=confirm(
            title=gettext("Have you read all of it?"),
            text=gettext(
                "The log will say that you have read this file, with its digest. Approve is "
                "open to you afterwards."
            ),
            yes=gettext("I have read it"),
            no=gettext("Not yet"),
        ),
    )
    blocks = with_ids([rich(section(said)), fine_print(ticket), actions(read)], "placet.file")
    whole = gettext("{sentence}: the whole of it as a file.", sentence=card_title.sentence(ticket))
    return say_blocks(Inert(whole), blocks)


def decide(view: CardView, *, digest: str) -> Block:
    """Approve and Reject, after a person said that they have read the file of this digest."""
    ticket = view.ticket
    text = gettext(
        "You have read the file with the digest {digest}. It is on record.",
        digest=digest[:DIGEST_DIGITS],
    )
    blocks = [_lead(ticket, ""), _line(text)]
    if ticket.state is TicketState.PENDING:
        blocks += [*_freeze(view), actions(*_decisions(view), *_deeds(ticket))]
    return _modal(ticket, blocks, "decide")


def _freeze(view: CardView) -> list[Block]:
    """Who froze the agent of an open ticket, and why."""
    if view.frozen is None or view.ticket.state not in MAY_EXPIRE:
        return []
    return [rich(section(freeze_lines(view.frozen)))]


def _decisions(view: CardView) -> list[Block]:
    """No Approve while its agent is frozen: it would be refused."""
    approve = [] if view.frozen is not None else [approve_button(view.ticket)]
    return [*approve, reject_button(view.ticket)]


def fine_print(ticket: Ticket) -> Block:
    """Which revision and binding a message or a view is about."""
    return small(reference(ticket))


def _deeds(ticket: Ticket, *, has_receipt: bool = False) -> list[Block]:
    """What else its card offers: nobody needs the card to stop something, or to say what it did.

    A receipt is one person's, and a card is the same for everybody: it is offered here alone.
    """
    deeds = [one for one in offered(ticket) if one not in _ELSEWHERE]
    return [button_of(ticket, one) for one in (*deeds, *([names.RECEIPT] if has_receipt else []))]


def _lead(ticket: Ticket, where: str) -> Block:
    said = f"{card_title.sentence(ticket)}. {where}".rstrip()
    return rich(section([run(Inert(said), bold=True)]))


def _line(text: str) -> Block:
    return rich(section([run(ours(text))]))


def _words_of_agent(view: CardView) -> list[Block]:
    said = view.content.justification if view.content else ""
    if not said:
        return []
    label = section([run(ours(f"{says(view.ticket)}:"), bold=True)])
    whole = inert(said, is_multiline=True)
    shown = head(whole, _WORDS_CHARS)
    quoted = [rich(quote(piece)) for piece in pages(shown, PIECE_CHARS)]
    if shown != whole:
        told = gettext(
            "({shown} of {all} characters of its words)",
            shown=counted(len(shown)),
            all=counted(len(whole)),
        )
        quoted.append(_line(told))
    return [rich(label), *quoted]


def _turns(ticket: Ticket, number: int, *, is_last: bool) -> list[Block]:
    value = shown_of(ticket).to_value(p=number)
    name = words(ticket.id, 40)
    row: list[Block] = []
    if number > 0:
        row.append(
            button(
                gettext("Back"),
                action_id=names.PREVIOUS_PAGE,
                value=value,
                label=_page_label(number, name),
            )
        )
    if not is_last:
        row.append(
            button(
                gettext("Next page"),
                action_id=names.NEXT_PAGE,
                value=value,
                label=_page_label(number + 2, name),
            )
        )
    return row


def _page_label(number: int, name: str) -> Inert:
    return Inert(gettext("Page {number} of ticket {ticket}", number=number, ticket=name))


def _modal(ticket: Ticket, blocks: list[Block], name: str, *, page_number: int = 0) -> Block:
    return {
        "type": "modal",
        "title": plain(clip(ours(gettext(TITLE)), limits.VIEW_TITLE_CHARS)),
        "close": plain(ours(gettext("Close"))),
        "blocks": with_ids(blocks, f"details.{ticket.revision}.{name}"),
        "callback_id": names.DETAILS_VIEW,
        "private_metadata": shown_of(ticket).to_value(p=page_number),
    }
