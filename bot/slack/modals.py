"""Modals as values: the ballot form, the paged full view, notices.

Lives here: pure functions to views. Must not live here: opening them, votes (``views``).
Law: the full view holds everything that is bound, page by page; Approve and Reject stand on its
last page only, with exactly the revision and binding that were read.
"""

from dataclasses import dataclass

from bot.slack import card_parts as parts
from bot.slack import card_title, cards, limits, names
from bot.slack.blocks import (
    Block,
    actions,
    button,
    ours,
    plain,
    preformatted,
    quote,
    rich,
    run,
    section,
    with_ids,
)
from bot.slack.card_view import CardView
from bot.slack.text import Inert, clip, inert, pages, words
from governance.json_text import to_text
from governance.tickets.ticket import Choice, Ticket, TicketState

PAGE_CHARS = 9_000
PIECE_CHARS = 2_800
_MAX_JSON_LABELS = 4_000


def _modal(title: str, blocks: list[Block], *, close: str = "Close", **more: object) -> Block:
    view: Block = {
        "type": "modal",
        "title": plain(clip(ours(title), limits.VIEW_TITLE_CHARS)),
        "close": plain(ours(close)),
        "blocks": blocks,
    }
    return {**view, **more}


def loading() -> Block:
    """What stands there while the ledger is read."""
    return notice(ours("Reading the whole request\u2026"), title="Details")


def notice(text: Inert, *, title: str = "Placet", code: str = "") -> Block:
    """One sentence in a modal; ``code`` is the stable code of a refusal."""
    block = {**rich(section([run(text)])), "block_id": f"placet.notice.{code or 'info'}"}
    return _modal(title, [block], callback_id=names.NOTICE_VIEW)


def ballot(shown: names.Shown, choice: Choice) -> Block:
    """The form that asks why; nothing need be read to open it."""
    is_reject = choice is Choice.REJECT
    verb = "Reject" if is_reject else "Approve"
    hint = "The agent's people and the log will see it."
    field: Block = {
        "type": "input",
        "block_id": names.REASON_BLOCK,
        "label": plain(ours("Why?")),
        "hint": plain(ours(hint)),
        "element": {
            "type": "plain_text_input",
            "action_id": names.REASON_INPUT,
            "multiline": True,
            "max_length": 1_000,
            "focus_on_load": True,
        },
    }
    text = Inert(f"{verb} ticket {words(shown.ticket_id, 60)}, revision {shown.revision}.")
    lead = {**rich(section([run(text, bold=True)])), "block_id": "placet.ballot.lead"}
    return _modal(
        f"{verb} this action",
        [lead, field],
        close="Cancel",
        submit=plain(ours(verb)),
        callback_id=names.BALLOT_VIEW,
        private_metadata=shown.to_value(c=choice.value),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FullView:
    """The whole of a ticket in pages of inert text."""

    pages: tuple[Inert, ...]

    @property
    def count(self) -> int:
        """How many pages there are; at least one."""
        return len(self.pages)


def full_view(view: CardView) -> FullView:
    """Everything about the action, cut into pages and nowhere else."""
    return FullView(pages=tuple(pages(_everything(view), PAGE_CHARS)))


def _everything(view: CardView) -> Inert:
    ticket = view.ticket
    ask = ticket.ask
    fields = (
        ("agent", ask.agent),
        ("acts for", ask.on_behalf_of or "nobody in particular"),
        ("tool", ask.tool or "none"),
        ("topic", ask.topic),
        ("action", ask.action.value),
        ("target", ask.target or "not named"),
        ("environment", ask.environment),
        ("data class", ask.data_class),
        ("capability", ask.capability or "none"),
        ("carried out by", "this service" if ask.dispatch.value == "execute" else "the agent"),
        ("risk tags", ", ".join(ask.risk_tags) or "none"),
        ("labels", to_text(dict(ask.labels))[:_MAX_JSON_LABELS]),
        ("limits", to_text(ticket.ruling.constraints.to_json())),
        ("reason", ticket.ruling.reason),
        ("action digest", ask.action_digest),
        ("binding", ticket.binding),
        ("policy snapshot", ticket.ruling.snapshot),
    )
    head = "\n".join(f"{label}: {inert(value)}" for label, value in fields)
    action = parts.action_text(view)
    content = action if action is not None else "(the content was erased)"
    return Inert(f"{head}\n\n{content}")


def details(view: CardView, whole: FullView, page: int, *, may_vote: bool) -> Block:
    """One page of the full view; ``may_vote``: this is the last page and the ticket is open."""
    ticket = view.ticket
    page = min(max(page, 0), whole.count - 1)
    where = f"{card_title.sentence(ticket)}. Page {page + 1} of {whole.count}."
    blocks: list[Block] = [rich(section([run(Inert(where), bold=True)]))]
    blocks += [rich(preformatted(piece)) for piece in pages(whole.pages[page], PIECE_CHARS)]
    is_last = page == whole.count - 1
    if is_last:
        blocks += _words_of_agent(view)
        blocks.append(rich(section(_state_line(ticket))))
    row = _turns(ticket, page, is_last=is_last)
    if may_vote and is_last and ticket.state is TicketState.PENDING:
        row += [cards.approve_button(ticket), cards.reject_button(ticket)]
    if row:
        blocks.append(actions(*row))
    return _modal(
        "Details",
        with_ids(blocks, f"details.{ticket.revision}.{page}"),
        callback_id=names.DETAILS_VIEW,
        private_metadata=cards.shown_of(ticket).to_value(p=page),
    )


def _state_line(ticket: Ticket) -> list[Block]:
    text = f"This is all of it. The ticket is {ticket.state.value.lower()}."
    return [run(ours(text))]


def _words_of_agent(view: CardView) -> list[Block]:
    said = view.content.justification if view.content else ""
    if not said:
        return []
    label = section([run(ours("The agent says, unverified:"), bold=True)])
    shown = clip(inert(said, is_multiline=True), 20 * PIECE_CHARS)
    return [rich(label), *(rich(quote(piece)) for piece in pages(shown, PIECE_CHARS))]


def _turns(ticket: Ticket, page: int, *, is_last: bool) -> list[Block]:
    value = cards.shown_of(ticket).to_value(p=page)
    row: list[Block] = []
    if page > 0:
        label = Inert(f"Page {page} of ticket {words(ticket.id, 40)}")
        row.append(button("Back", action_id=names.PREVIOUS_PAGE, value=value, label=label))
    if not is_last:
        label = Inert(f"Page {page + 2} of ticket {words(ticket.id, 40)}")
        row.append(button("Next page", action_id=names.NEXT_PAGE, value=value, label=label))
    return row
