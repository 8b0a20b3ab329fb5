"""The home tab as a value.

Lives here: a pure function from an inbox to a view, its pages, and the words on it. Must not live
here: reads, publishing. Law: legal under every limit of Slack for any inbox; a page goes on behind
the entry that it ended with, so that what comes or goes meanwhile moves nothing twice or past the
reader.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from bot.slack import names
from bot.slack.cards import title as card_title
from bot.slack.cards.buttons import details_button
from bot.slack.home import lists
from bot.slack.home.delegations import delegate_button, delegation_entry
from bot.slack.home.inbox import Inbox, Key, Lent, recency, urgency
from bot.slack.home.likes import Like, likes
from bot.slack.kit.blocks import (
    Block,
    actions,
    button,
    header,
    line,
    ours,
    person,
    rich,
    run,
    section,
    with_ids,
)
from bot.slack.kit.language import N_, gettext, number
from bot.slack.kit.text import Inert, clip, inert, words
from governance.canonical import Json
from governance.delegation import Delegation
from governance.tickets.ticket import Choice, Ticket

T = TypeVar("T")

WAITING = N_("Waiting for you")
NOTHING_WAITS = N_("Nothing waits for your vote.")
MORE_WAIT = N_("More wait than can be listed here; these are the most urgent of them.")
LEFT = N_("Waiting for your word")
DECIDED = N_("What you decided")
NOTHING_DECIDED = N_("You have decided nothing lately.")
ASKED = N_("What your agents asked")
NOTHING_ASKED = N_("No agent that you answer for has asked people lately.")
DELEGATIONS = N_("Delegations")
NOTHING_LENT = N_("Nobody votes in your name, and you vote in nobody else's.")
TROUBLES = N_("Delivery has a problem")
_YOU_APPROVED, _YOU_REJECTED = N_("You approved as {role}"), N_("You rejected as {role}")
STILL_DECIDABLE = N_("Every ticket can still be decided here, with /placet, and over HTTP.")
_SIZES = {"w": 8, "l": 4, "d": 6, "a": 6, "g": 8}
_LIKES_SHOWN = 3
_FIRST_OF = {
    "w": N_("First of waiting tickets"),
    "l": N_("First of what waits for your word"),
    "d": N_("First of your decisions"),
    "a": N_("First of what your agents asked"),
    "g": N_("First of your delegations"),
}
_MORE_OF = {
    "w": N_("More of waiting tickets"),
    "l": N_("More of what waits for your word"),
    "d": N_("More of your decisions"),
    "a": N_("More of what your agents asked"),
    "g": N_("More of your delegations"),
}
_LIKES_AMONG = 200
"""The most urgent, among which like ones are looked for."""
_TROUBLES_SHOWN = 5


class Part(StrEnum):
    """The lists of the tab that have pages; the value travels in buttons."""

    WAITING = "w"
    LEFT = "l"
    DECIDED = "d"
    ASKED = "a"
    LENT = "g"


Pages = Mapping[Part, Key]
"""Behind which entry each list goes on; one that is not named begins at its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some entries of a list, and whether there are any before and behind them."""

    shown: Sequence[T]
    is_first: bool
    behind: Key | None
    """Where the next page goes on; None: this is the last."""


def page_of(items: Sequence[T], key: Callable[[T], Key], after: Key | None, size: int) -> Page[T]:
    """The entries behind ``after`` of a list in the order of ``key``; the first where none are."""
    return _page_of_sorted(sorted(items, key=key), key, after, size)


def _is_alike(one: Key, other: Key) -> bool:
    """Whether two keys can be compared: one of them came back from Slack."""
    return [type(part) for part in one] == [type(part) for part in other]


def _page_of_sorted(
    ordered: Sequence[T], key: Callable[[T], Key], after: Key | None, size: int
) -> Page[T]:
    start = len(ordered)
    if after is not None and ordered and _is_alike(after, key(ordered[0])):
        start = bisect_right(ordered, after, key=key)
    is_first = start >= len(ordered)
    start = 0 if is_first else start
    shown = ordered[start : start + size]
    has_more = start + size < len(ordered)
    return Page(shown=shown, is_first=is_first, behind=key(shown[-1]) if has_more else None)


def home_view(inbox: Inbox, pages: Pages) -> Block:
    """The whole tab."""
    blocks = _troubles(inbox.troubles)
    blocks += _waiting(inbox, pages.get(Part.WAITING))
    blocks += _left(inbox, pages.get(Part.LEFT))
    blocks += _decided(inbox, pages.get(Part.DECIDED))
    blocks += _asked(inbox, pages.get(Part.ASKED))
    blocks += _lent(inbox, pages.get(Part.LENT))
    return {
        "type": "home",
        "blocks": with_ids(blocks, "home"),
        "private_metadata": json.dumps({part.value: list(key) for part, key in pages.items()}),
    }


def stranger_view(why: Inert) -> Block:
    """The tab of somebody who may not act here, and why."""
    blocks = [header(ours("Placet")), rich(section([run(why)]))]
    return {"type": "home", "blocks": with_ids(blocks, "home")}


def _troubles(found: Sequence[str]) -> list[Block]:
    if not found:
        return []
    said = line(run(ours(gettext(STILL_DECIDABLE)), bold=True))
    for trouble in found[:_TROUBLES_SHOWN]:
        said += line(run(words(trouble, 500)))
    more = len(found) - _TROUBLES_SHOWN
    if more > 0:
        said += line(
            run(ours(gettext("and {count} more; placet doctor lists them all.", count=more)))
        )
    return [header(ours(gettext(TROUBLES))), rich(section(said))]


def _said(text: str) -> Block:
    return rich(section([run(ours(gettext(text)))]))


def _waiting(inbox: Inbox, after: Key | None) -> list[Block]:
    count = f"{number(len(inbox.waiting))}{'+' if inbox.is_cut else ''}"
    blocks = [header(Inert(f"{gettext(WAITING)} ({count})"))]
    if not inbox.waiting:
        return [*blocks, _said(lists.NONE_SEEN if inbox.is_cut else NOTHING_WAITS)]
    if inbox.is_cut:
        blocks.append(_said(MORE_WAIT))
    alike = [one for one in likes(inbox.waiting[:_LIKES_AMONG]) if one.count > 1]
    blocks += [_like_row(one) for one in alike[:_LIKES_SHOWN]]
    page = _page_of_sorted(
        inbox.waiting,
        lambda one: urgency(one, inbox.person, inbox.taken),
        after,
        _SIZES[Part.WAITING],
    )
    for ticket in page.shown:
        blocks += lists.entry(ticket, frozen=inbox.control.freeze_of(ticket.ask.agent))
    return blocks + _turns(Part.WAITING, page)


def _left(inbox: Inbox, after: Key | None) -> list[Block]:
    """What ran and is not over; nothing where nothing is left to say, as nearly always."""
    if not inbox.left:
        return []
    page = page_of(inbox.left, recency, after, _SIZES[Part.LEFT])
    blocks = [header(Inert(f"{gettext(LEFT)} ({number(len(inbox.left))})"))]
    for ticket in page.shown:
        blocks += _line_of(ticket, [run(lists.state_text(ticket))])
    return blocks + _turns(Part.LEFT, page)


def _like_row(like: Like) -> Block:
    label = Inert(
        gettext(
            "Decide {count} like tickets of {what}", count=like.count, what=words(like.title, 40)
        )
    )
    return actions(
        button(
            gettext(
                "Decide {count} like requests: {what}\u2026",
                count=like.count,
                what=clip(inert(like.title), 40),
            ),
            action_id=names.BULK,
            value=like.name,
            label=label,
        )
    )


def _decided(inbox: Inbox, after: Key | None) -> list[Block]:
    blocks = [header(ours(gettext(DECIDED)))]
    if not inbox.decided:
        return [*blocks, _said(NOTHING_DECIDED)]
    page = page_of(inbox.decided, recency, after, _SIZES[Part.DECIDED])
    for ticket in page.shown:
        blocks += _line_of(ticket, _own_word(ticket, inbox))
    return blocks + _turns(Part.DECIDED, page)


def _own_word(ticket: Ticket, inbox: Inbox) -> list[Block]:
    vote = ticket.vote_of(inbox.person.id)
    if vote is None:
        return [run(ours(gettext("Its end was your word.")))]
    did = _YOU_APPROVED if vote.choice is Choice.APPROVE else _YOU_REJECTED
    said = [run(Inert(gettext(did, role=words(vote.role, 60))))]
    if vote.delegator is not None:
        said += [run(ours(gettext(" in the name of "))), person(vote.delegator)]
    return [*said, run(ours("."))]


def _asked(inbox: Inbox, after: Key | None) -> list[Block]:
    blocks = [header(ours(gettext(ASKED)))]
    if not inbox.asked:
        return [*blocks, _said(NOTHING_ASKED)]
    page = page_of(inbox.asked, recency, after, _SIZES[Part.ASKED])
    for ticket in page.shown:
        blocks += _line_of(ticket, [run(lists.state_text(ticket))])
    return blocks + _turns(Part.ASKED, page)


def _line_of(ticket: Ticket, said: list[Block]) -> list[Block]:
    text = section([*line(run(card_title.title(ticket), bold=True)), *said])
    return [rich(text), actions(details_button(ticket))]


def _lent(inbox: Inbox, after: Key | None) -> list[Block]:
    blocks = [header(ours(gettext(DELEGATIONS)))]
    every: list[Delegation | Lent] = [*inbox.given, *inbox.taken]
    if not every:
        blocks.append(_said(NOTHING_LENT))
    page = page_of(every, _end, after, _SIZES[Part.LENT])
    for one in page.shown:
        blocks += delegation_entry(one)
    row = _turn_buttons(Part.LENT, page)
    if inbox.may_delegate:
        row.append(delegate_button())
    return [*blocks, actions(*row)] if row else blocks


def _end(one: Delegation | Lent) -> Key:
    delegation = one.delegation if isinstance(one, Lent) else one
    return (int(delegation.ends_at.timestamp()), delegation.id)


def _turns(part: Part, page: Page[T]) -> list[Block]:
    row = _turn_buttons(part, page)
    return [actions(*row)] if row else []


def _turn_buttons(part: Part, page: Page[T]) -> list[Block]:
    row: list[Block] = []
    if not page.is_first:
        first = gettext("Back to the first")
        row.append(_turn(first, names.HOME_FIRST, part, None, gettext(_FIRST_OF[part])))
    if page.behind is not None:
        label = gettext(_MORE_OF[part])
        row.append(_turn(gettext("Next page"), names.HOME_MORE, part, page.behind, label))
    return row


def _turn(text: str, action_id: str, part: Part, key: Key | None, label: str) -> Block:
    value: dict[str, Json] = {"s": part.value} | ({} if key is None else {"a": list(key)})
    return button(text, action_id=action_id, value=json.dumps(value), label=ours(label))
