"""The full view as modals: its pages, its cover where it is long, the step after a file.

Lives here: pure functions from a full view to views. Must not live here: what is in it
(``full_view``), opening and turning (``reading``). Law: Approve and Reject stand on the last page
only, or behind the word that the file was read, with exactly the revision and binding that were
shown; every page says which of how many it is.
"""

from bot.slack import names
from bot.slack.cards import title as card_title
from bot.slack.cards.buttons import approve_button, reject_button, shown_of
from bot.slack.cards.parts import says
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
from bot.slack.kit.text import Inert, clip, head, inert, pages, words
from bot.slack.said import Said, say_blocks
from bot.slack.voting.full_view import PIECE_CHARS, FullView, WholeFile
from governance.principal import PersonId
from governance.tickets.binding import SHOWN_DIGITS
from governance.tickets.ticket import Ticket, TicketState

TITLE = "Details"
_WORDS_CHARS = 8 * PIECE_CHARS
"""Of the agent's own words on the last page; they are not what is approved."""
DIGEST_DIGITS = 32


def page(view: CardView, whole: FullView, number: int, *, may_vote: bool) -> Block:
    """One page, counted from 0; ``may_vote``: the ticket is open and this may be the last one."""
    ticket = view.ticket
    number = min(max(number, 0), whole.count - 1)
    is_last = number == whole.count - 1
    blocks = [_lead(ticket, f"Page {number + 1} of {whole.count}.")]
    for piece in whole.pages[number]:
        label = section([run(ours(f"{piece.label}:"), bold=True)])
        blocks.append(rich(label, preformatted(piece.text)))
    if is_last:
        blocks += _words_of_agent(view)
        blocks.append(_line(f"This is all of it. The ticket is {ticket.state.value.lower()}."))
    row = _turns(ticket, number, is_last=is_last)
    if may_vote and is_last and ticket.state is TicketState.PENDING:
        row += [approve_button(ticket), reject_button(ticket)]
    if row:
        blocks.append(actions(*row))
    return _modal(ticket, blocks, f"{number}", page_number=number)


def cover(view: CardView, whole: FullView) -> Block:
    """What stands before a whole that is too long to be turned page by page."""
    ticket = view.ticket
    text = (
        f"All of it is {whole.chars:,} characters on {whole.count} pages. It can be sent to you "
        "as a file, in a message from this app that nobody else sees. Approve opens to you once "
        "you have said there that you have read it, or here on the last page."
    )
    value = shown_of(ticket).to_value()
    name = words(ticket.id, 40)
    row = actions(
        button(
            "Send me the file",
            action_id=names.SEND_FILE,
            value=value,
            label=Inert(f"Send me all of ticket {name} as a file"),
        ),
        button(
            "Read it here",
            action_id=names.FIRST_PAGE,
            value=value,
            label=Inert(f"Page 1 of {whole.count} of ticket {name}"),
        ),
        reject_button(ticket),
    )
    return _modal(ticket, [_lead(ticket, ""), _line(text), row], "cover")


def sent(ticket: Ticket) -> Block:
    """What the modal says once the file is on its way."""
    text = "The file is in your messages with this app. Its button there opens Approve to you."
    return _modal(ticket, [_lead(ticket, ""), _line(text)], "sent")


def file_message(ticket: Ticket, file: WholeFile, person: PersonId) -> Said:
    """The message under the file: the one button that says that it was read."""
    value = shown_of(ticket).to_value(d=file.digest[:DIGEST_DIGITS], u=person)
    said = [
        *line(run(Inert(f"{card_title.sentence(ticket)}."), bold=True)),
        *line(run(Inert(f"The file {file.name} holds all of it, {len(file.content):,} bytes."))),
        *line(run(Inert(f"SHA-256 of the file: {file.digest}"))),
    ]
    read = button(
        "I have read the file",
        action_id=names.FILE_READ,
        value=value,
        label=Inert(f"I have read all of ticket {words(ticket.id, 40)}"),
        dialog=confirm(
            title="Have you read all of it?",
            text="The log will say that you have read this file, with its digest. Approve is "
            "open to you afterwards.",
            yes="I have read it",
            no="Not yet",
        ),
    )
    blocks = with_ids([rich(section(said)), fine_print(ticket), actions(read)], "placet.file")
    return say_blocks(Inert(f"{card_title.sentence(ticket)}: the whole of it as a file."), blocks)


def decide(view: CardView, *, digest: str) -> Block:
    """Approve and Reject, after a person said that they have read the file of this digest."""
    ticket = view.ticket
    text = f"You have read the file with the digest {digest[:DIGEST_DIGITS]}. It is on record."
    blocks = [_lead(ticket, ""), _line(text)]
    if ticket.state is TicketState.PENDING:
        blocks.append(actions(approve_button(ticket), reject_button(ticket)))
    return _modal(ticket, blocks, "decide")


def fine_print(ticket: Ticket) -> Block:
    """Which revision and binding a message or a view is about."""
    shown = words(ticket.binding[:SHOWN_DIGITS], SHOWN_DIGITS)
    text = f"Ticket {words(ticket.id, 60)}, revision {ticket.revision}, binding {shown}"
    return small(Inert(text))


def _lead(ticket: Ticket, where: str) -> Block:
    said = f"{card_title.sentence(ticket)}. {where}".rstrip()
    return rich(section([run(Inert(said), bold=True)]))


def _line(text: str) -> Block:
    return rich(section([run(ours(text))]))


def _words_of_agent(view: CardView) -> list[Block]:
    said = view.content.justification if view.content else ""
    if not said:
        return []
    label = section([run(Inert(f"{says(view.ticket)}:"), bold=True)])
    whole = inert(said, is_multiline=True)
    shown = head(whole, _WORDS_CHARS)
    quoted = [rich(quote(piece)) for piece in pages(shown, PIECE_CHARS)]
    if shown != whole:
        quoted.append(_line(f"({len(shown):,} of {len(whole):,} characters of its words)"))
    return [rich(label), *quoted]


def _turns(ticket: Ticket, number: int, *, is_last: bool) -> list[Block]:
    value = shown_of(ticket).to_value(p=number)
    name = words(ticket.id, 40)
    row: list[Block] = []
    if number > 0:
        label = Inert(f"Page {number} of ticket {name}")
        row.append(button("Back", action_id=names.PREVIOUS_PAGE, value=value, label=label))
    if not is_last:
        label = Inert(f"Page {number + 2} of ticket {name}")
        row.append(button("Next page", action_id=names.NEXT_PAGE, value=value, label=label))
    return row


def _modal(ticket: Ticket, blocks: list[Block], name: str, *, page_number: int = 0) -> Block:
    return {
        "type": "modal",
        "title": plain(clip(ours(TITLE), limits.VIEW_TITLE_CHARS)),
        "close": plain(ours("Close")),
        "blocks": with_ids(blocks, f"details.{ticket.revision}.{name}"),
        "callback_id": names.DETAILS_VIEW,
        "private_metadata": shown_of(ticket).to_value(p=page_number),
    }
