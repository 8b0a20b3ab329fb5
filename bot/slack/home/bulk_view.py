"""A set of like tickets on one page, as a value.

Lives here: pure functions to the page and to what became of each vote, and the words on them.
Must not live here: opening it, voting (``bulk``). Law: each ticket has its own line, its own box
and its own full view; a box stands only where that person has the whole of that ticket before
them, on its line or because they have read it; there is no box for all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bot.slack import names
from bot.slack.cards import action_forms, parts
from bot.slack.cards import title as card_title
from bot.slack.cards.buttons import details_button
from bot.slack.cards.cautions import cautions
from bot.slack.cards.redaction import redacted
from bot.slack.cards.standing import reference
from bot.slack.cards.view import CardView
from bot.slack.home import lists
from bot.slack.kit import limits
from bot.slack.kit.blocks import (
    Block,
    actions,
    button,
    instant,
    line,
    ours,
    plain,
    preformatted,
    rich,
    run,
    section,
    small,
    with_ids,
)
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.modals import modal
from bot.slack.kit.text import Inert, clip, words
from governance.principal import PersonId
from governance.tickets.binding import SHOWN_DIGITS
from governance.tickets.ticket import Ticket

MOST = 10
"""Tickets on one page."""
WHOLE_CHARS = 700
"""An action of so many characters is shown whole on its line."""
TITLE = N_("Like tickets")
LEAD = N_(
    "Tick what you approve. Each ticket gets your vote of its own, and nothing is ticked for you."
)
MORE = N_("{count} more of them are not on this page.")
READ_FIRST = N_("Not whole here. Open Details and read to its end, then press Refresh.")
NONE_LEFT = N_("None of these waits for you any more.")
APPROVE_BOX = N_("I approve this one")
REASON_LABEL = N_("Why? (one reason, kept with each vote)")
RESULT = N_("What became of your votes")
NOTHING_TICKED = N_("Nothing was ticked, so nothing was counted.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ticket of the page; ``text``: its whole action, None where that is longer."""

    ticket: Ticket
    text: Inert | None
    may_tick: bool
    is_frozen: bool = False
    """Its agent is: no approval counts, and no box stands there."""
    told: tuple[Block, ...] = ()
    """What ought to make one look twice, by which means, and for whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one vote; ``code`` is set for refusals."""

    ticket: Ticket
    said: Inert
    code: str = ""


def row_of(view: CardView, person: PersonId) -> Row:
    """A ticket's row for ``person``."""
    ticket, text = view.ticket, _whole(view)
    has_read = any(
        seen.person == person and seen.revision == ticket.revision for seen in ticket.full_views
    )
    budget = parts.BUDGETS[0]
    is_whole = text is not None and parts.is_named_whole(ticket, budget)
    may_tick = has_read or (is_whole and not ticket.ask.needs_full_view)
    is_frozen = view.frozen is not None
    kept = redacted(view)
    told = (*cautions(kept, budget), *parts.named(kept, budget))
    return Row(ticket=ticket, text=text, may_tick=may_tick, is_frozen=is_frozen, told=told)


def _whole(view: CardView) -> Inert | None:
    if view.content is None or view.ticket.ruling.constraints.redact_deny:
        return None
    text = action_forms.as_text(action_forms.parts_of(view, view.content))
    return text if len(text) <= WHOLE_CHARS else None


def page(name: str, rows: Sequence[Row], *, more: int, is_reason_needed: bool) -> Block:
    """The page of a group; ``name`` is the group's."""
    lead = line(run(ours(gettext(LEAD)), bold=True))
    if more:
        lead += line(run(ours(gettext(MORE, count=more))))
    blocks: list[Block] = [rich(section(lead)), actions(_refresh(name))]
    for number, row in enumerate(rows[:MOST]):
        blocks += _row(row, number)
    if not rows:
        blocks.append(rich(section([run(ours(gettext(NONE_LEFT)))])))
    boxes: dict[str, object] = {}
    if any(_has_box(row) for row in rows):
        blocks.append(_reason(is_needed=is_reason_needed))
        boxes["submit"] = plain(ours(gettext("Approve ticked")))
    return modal(
        gettext(TITLE),
        with_ids(blocks, "bulk"),
        close=gettext("Cancel"),
        callback_id=names.BULK_VIEW,
        private_metadata=_metadata(name, rows[:MOST]),
        **boxes,
    )


def _metadata(name: str, rows: Sequence[Row]) -> str:
    shown = [
        [row.ticket.id, row.ticket.revision, row.ticket.binding[:SHOWN_DIGITS]] for row in rows
    ]
    return json.dumps({"n": name, "t": shown}, separators=(",", ":"))


def _row(row: Row, number: int) -> list[Block]:
    ticket = row.ticket
    said = line(run(Inert(f"{number + 1}. {card_title.title(ticket)}"), bold=True))
    said += [run(lists.state_text(ticket)), run(ours(gettext(" Decide before ")))]
    said += line(instant(ticket.expires_at), run(ours(".")))
    said += row.told
    shown = [preformatted(row.text)] if row.text is not None else []
    blocks = [
        rich(section(said), *shown),
        small(reference(ticket)),
        actions(details_button(ticket)),
    ]
    if _has_box(row):
        return [*blocks, _box(ticket, number)]
    if row.is_frozen:
        return blocks
    return [*blocks, rich(section([run(ours(gettext(READ_FIRST)))]))]


def _has_box(row: Row) -> bool:
    return row.may_tick and not row.is_frozen


def box_id(number: int) -> str:
    """The block of the box on the line ``number`` (from 0)."""
    return f"placet.bulk.box.{number}"


BOX = "placet.bulk.tick"
"""The action id of every box."""


def _box(ticket: Ticket, number: int) -> Block:
    option: Block = {"text": plain(ours(gettext(APPROVE_BOX))), "value": str(number)}
    label = Inert(f"{number + 1}. {card_title.title(ticket)}")
    return {
        "type": "input",
        "block_id": box_id(number),
        "optional": True,
        "label": plain(clip(label, limits.INPUT_LABEL_CHARS)),
        "element": {"type": "checkboxes", "action_id": BOX, "options": [option]},
    }


def _reason(*, is_needed: bool) -> Block:
    return {
        "type": "input",
        "block_id": names.REASON_BLOCK,
        "optional": not is_needed,
        "label": plain(ours(gettext(REASON_LABEL))),
        "element": {
            "type": "plain_text_input",
            "action_id": names.REASON_INPUT,
            "multiline": True,
            "max_length": 1_000,
        },
    }


def _refresh(name: str) -> Block:
    return button(
        gettext("Refresh"),
        action_id=names.BULK_REFRESH,
        value=name,
        label=ours(gettext("Show these tickets as they are now")),
    )


def results(found: Sequence[Verdict]) -> Block:
    """What became of each vote, in the order of the page."""
    blocks: list[Block] = [rich(section([run(ours(gettext(RESULT)), bold=True)]))]
    if not found:
        blocks.append(rich(section([run(ours(gettext(NOTHING_TICKED)))])))
    for number, one in enumerate(found):
        said = line(run(card_title.title(one.ticket), bold=True))
        said += line(run(one.said))
        said.append(run(ours(gettext("Ticket {ticket}", ticket=words(one.ticket.id, 60)))))
        block_id = f"placet.bulk.result.{number}.{one.code or 'counted'}"
        blocks.append({**rich(section(said)), "block_id": block_id})
    return modal(gettext(TITLE), with_ids(blocks, "bulk.results"), callback_id=names.NOTICE_VIEW)
