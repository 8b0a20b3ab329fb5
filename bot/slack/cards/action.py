"""The action on a card: whole, or its head with a mark of the cut.

Lives here: from an action's labelled texts to blocks under a budget. Must not live here: the texts
themselves (``action_forms``). Law: what is cut says how much is shown of how much, with the digest
of the whole; a form that leaves anything out counts as a cut.
"""

from dataclasses import dataclass

from bot.slack.cards import action_forms
from bot.slack.cards.action_forms import Part
from bot.slack.cards.parts import HEAD_LINES, Budget, is_named_whole, section_of
from bot.slack.cards.view import CardView
from bot.slack.kit.blocks import Block, ours, preformatted, rich, run, table
from bot.slack.kit.language import N_, gettext, number
from bot.slack.kit.text import Inert, head, inert
from governance.tickets.ticket import TicketState

MOST_LINES = 40
"""Lines of the whole action that a card still shows."""
WOULD, WAS = N_("What exactly would happen"), N_("What exactly was asked")
READ_ALL = N_("Open Details to read all of it.")
ERASED = N_("The action's content was erased; only its digest is left.")
_AHEAD = frozenset({TicketState.PENDING, TicketState.APPROVED, TicketState.EXECUTING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The action as a card shows it; ``is_cut``: there is more, in Details only."""

    blocks: tuple[Block, ...]
    is_cut: bool


def action(view: CardView, budget: Budget) -> Shown:
    """The arguments, prompt and context in the form that their tool is shown by."""
    said = gettext(WOULD) if view.ticket.state in _AHEAD else gettext(WAS)
    if view.content is None:
        gone = rich(section_of(run(ours(gettext(ERASED)), italic=True)))
        return Shown(blocks=(gone,), is_cut=True)
    title = action_forms.title_of(view)
    lead = [run(ours(f"{said}:"), bold=True)]
    if title:
        lead.append(run(Inert(f" {head(inert(title), 150)}")))
    parts = action_forms.parts_of(view, view.content)
    ask = view.ticket.ask
    if not view.ticket.ruling.constraints.redact_deny and _fits(parts, budget):
        is_cut = ask.needs_full_view or not is_named_whole(view.ticket, budget)
        return Shown(blocks=(rich(section_of(*lead)), *_whole(parts)), is_cut=is_cut)
    return Shown(blocks=_cut(view, parts, lead, budget), is_cut=True)


def _fits(parts: list[Part], budget: Budget) -> bool:
    size = sum(len(part.text) for part in parts)
    rows = sum(part.text.count("\n") + 1 for part in parts)
    return size <= budget.action and rows <= MOST_LINES


def _whole(parts: list[Part]) -> list[Block]:
    blocks: list[Block] = []
    for part in parts:
        if part.rows:
            blocks += [rich(_label(part)), table(part.rows)]
        else:
            blocks.append(rich(_label(part), preformatted(part.text)))
    return blocks


def _label(part: Part) -> Block:
    return section_of(run(ours(f"{part.label}:"), italic=True))


def _cut(view: CardView, parts: list[Part], lead: list[Block], budget: Budget) -> tuple[Block, ...]:
    """The heads of the parts as far as there is room, and how much there is of it all."""
    elements = [section_of(*lead)]
    room, rows, seen = budget.head, HEAD_LINES, 0
    is_brief = is_whole = True
    for part in parts:
        text = part.text if part.brief is None else part.brief
        shown = head(Inert("\n".join(text.split("\n")[:rows])), room)
        elements += [_label(part), preformatted(shown)]
        seen, room, rows = seen + len(shown), room - len(shown), rows - shown.count("\n") - 1
        is_whole = is_whole and shown == part.text
        is_brief = is_brief and shown == text
        if not is_brief or room <= 0 or rows <= 0:
            is_whole = is_brief = is_whole and part is parts[-1]
            break
    amount = _amount(seen, sum(len(part.text) for part in parts), is_brief, is_whole)
    digest = view.ticket.ask.content_digest[:16]
    begins = gettext("SHA-256 of the whole begins {digest}.", digest=digest)
    mark = f"{amount}; {begins} {gettext(READ_ALL)}"
    return (rich(*elements, section_of(run(ours(mark), bold=True))),)


def _amount(seen: int, whole: int, is_brief: bool, is_whole: bool) -> str:
    if is_whole:
        return gettext("NOT WHOLE. Policy keeps values off this card")
    if is_brief:
        return gettext(
            "SHORTENED. These are the changes, out of {whole} characters", whole=number(whole)
        )
    return gettext(
        "CUT HERE. This is {seen} of {whole} characters", seen=number(seen), whole=number(whole)
    )
