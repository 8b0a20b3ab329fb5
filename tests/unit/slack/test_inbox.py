"""What concerns a person, in which order, on pages that stay; legal for any input."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.emulator.limit_elements import check_options
from bot.emulator.limits import check_blocks, check_view, is_message_too_long, is_view_too_large
from bot.slack.cards.view import CardView
from bot.slack.commands import break_glass, lending, picking, why
from bot.slack.home import bulk_view, inbox
from bot.slack.home import view as home_view
from bot.slack.home.inbox import Inbox, Lent
from bot.slack.home.likes import likes, name_of
from bot.slack.home.view import Part, page_of
from bot.slack.kit.language import speaking
from bot.slack.kit.text import Inert
from bot.slack.sending import alarm
from governance.action import Content
from governance.delegation import Delegation, evolve_delegations
from governance.policy.decision import Constraints
from governance.principal import PersonId
from governance.tickets.ticket import Choice, FullView, Ticket, TicketId, TicketState
from tests.support import build, card_samples
from tests.support.build import ANNA, BEN, OWNER, T0, granted
from tests.support.core import ADMIN, CARA, DAN, OPERATOR, person

HOSTILE = st.text(min_size=1, max_size=400) | st.sampled_from(
    [
        "*bold* <!channel> `x`",
        "\u202egnp.exe",
        "\u200b" * 300,
        "e\u0301" * 200,
        "a" * 4_000,
        "@here",
    ]
)


def ticket(name: str = "t-1", *, left_s: float = 600, **asked: Any) -> Ticket:
    """A ticket that waits for an operator and a security admin, for so long from T0."""
    return card_samples.ticket(
        id=TicketId(name),
        state=TicketState.PENDING,
        expires_at=T0 + timedelta(seconds=left_s),
        ask=build.ask(on_behalf_of=None, **asked),
    )


def lent(whose: PersonId = ANNA, *roles: str) -> Lent:
    event = granted(delegator=whose, delegate=DAN, roles=())
    made = evolve_delegations({}, event, T0)["d-1"]
    return Lent(delegation=made, roles=frozenset(roles))


# What waits for whom


def test_what_one_could_vote_on_waits_until_one_has() -> None:
    one = ticket()
    assert inbox.waits_for(one, person(ANNA))
    assert not inbox.waits_for(one, person(OWNER, OPERATOR))
    assert not inbox.waits_for(one, person(ANNA, "reader"))
    assert not inbox.waits_for(replace(one, votes=(build.vote(ANNA),)), person(ANNA))
    assert not inbox.waits_for(replace(one, state=TicketState.APPROVED), person(ANNA))
    bare = replace(one, ruling=replace(one.ruling, requirement=None))
    assert not inbox.waits_for(bare, person(ANNA))


def test_what_one_could_vote_on_in_anothers_name_waits_until_that_voice_was_heard() -> None:
    one, me = ticket(), person(DAN, "reader")
    assert inbox.waits_for(one, me, [lent(ANNA, OPERATOR)])
    assert not inbox.waits_for(one, me, [lent(ANNA)])
    assert not inbox.waits_for(one, me, [lent(OWNER, OPERATOR)])
    heard = replace(one, votes=(build.vote(ANNA),))
    assert not inbox.waits_for(heard, me, [lent(ANNA, OPERATOR)])


def test_what_takes_no_vote_by_delegation_waits_for_no_delegate() -> None:
    one, me, of = ticket(), person(DAN, "reader"), lent(ANNA, OPERATOR)
    requirement = one.ruling.requirement
    assert requirement is not None
    barred = replace(of, barred=frozenset({requirement.tier}))
    assert not inbox.waits_for(one, me, [barred])
    for reviewer in (ANNA, DAN):
        named = replace(requirement, reviewer=reviewer)
        ruled = replace(one, ruling=replace(one.ruling, requirement=named))
        assert not inbox.waits_for(ruled, me, [of])


def test_the_least_time_left_comes_first_then_what_lacks_only_my_vote() -> None:
    me = person(BEN)
    soon, later = ticket("a", left_s=60), ticket("b", left_s=6_000)
    nearly = replace(ticket("c", left_s=6_001), votes=(build.vote(ANNA, OPERATOR, 1),))
    found = sorted((later, nearly, soon), key=lambda one: inbox.urgency(one, me))
    assert [one.id for one in found] == ["a", "c", "b"]
    assert inbox.lacks_only(nearly, me)
    assert not inbox.lacks_only(later, me)


def test_what_i_decided_has_my_vote_or_ended_by_my_word() -> None:
    me = person(ANNA)
    assert inbox.has_decided(ticket(), replace(me, id=OWNER)) is False
    assert inbox.has_decided(replace(ticket(), votes=(build.vote(ANNA),)), me)
    assert inbox.has_decided(replace(ticket(), decided_by=ANNA), me)


# Pages


def _key(number: int) -> inbox.Key:
    return (number,)


@given(st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200)), st.integers(1, 9))
def test_turning_pages_shows_everything_that_stays_once(
    before: set[int], after: set[int], size: int
) -> None:
    stays = before & after
    seen: list[int] = []
    behind: inbox.Key | None = None
    items = before
    while True:
        page = page_of(sorted(items, reverse=True), _key, behind, size)
        if behind is not None and page.is_first:
            break
        seen += page.shown
        behind, items = page.behind, after  # the list changes behind the reader's back
        if behind is None:
            break
    assert len(seen) == len(set(seen))
    if before == after:
        assert seen == sorted(before)
    elif behind is None and items is after:
        assert {one for one in stays if one <= max(seen, default=0)} <= set(seen)


@pytest.mark.parametrize("after", [("x",), (1, 2), (), (True,)])
def test_a_place_that_is_none_of_ours_is_the_first_page(after: inbox.Key) -> None:
    assert page_of([1, 2, 3], _key, after, 2).is_first


def test_a_page_of_what_is_gone_is_the_first() -> None:
    page = page_of([1, 2, 3], _key, (9,), 2)
    assert (list(page.shown), page.is_first, page.behind) == ([1, 2], True, (2,))
    assert page_of([], _key, None, 2).behind is None


# Likeness


def test_alike_is_what_the_same_rules_sent_to_the_same_people() -> None:
    one, other = ticket("a"), ticket("b", target="elsewhere")
    assert [like.count for like in likes((one, other))] == [2]


@pytest.mark.parametrize(
    "changed",
    [
        ticket(tool="other.tool"),
        ticket(topic="job.other"),
        ticket(environment="staging"),
        ticket(needs_full_view=True),
        replace(ticket(), revision=2),
        replace(ticket(), ruling=build.ruling(rule_ids=("another",))),
        replace(ticket(), ruling=build.ruling(requirement=build.requirement(tier="low"))),
        replace(ticket(), ruling=build.ruling(constraint_id="pause")),
    ],
)
def test_what_differs_in_what_people_are_asked_is_not_alike(changed: Ticket) -> None:
    assert name_of(changed) != name_of(ticket())


# Legal for any input

ASKS = st.fixed_dictionaries(
    {
        "agent": HOSTILE,
        "target": HOSTILE,
        "tool": HOSTILE,
        "topic": HOSTILE,
        "environment": HOSTILE,
        "trace_id": HOSTILE,
    }
)
TICKETS = st.lists(ASKS, max_size=30)


def made(asks: list[dict[str, Any]]) -> tuple[Ticket, ...]:
    return tuple(ticket(f"t-{n:03d}", **asked) for n, asked in enumerate(asks))


def delegation(number: int, reason: str, role: str) -> Delegation:
    event = granted(delegation_id=f"d-{number:032x}", reason=reason, roles=(role,))
    return evolve_delegations({}, event, T0)[event.delegation_id]


@settings(max_examples=60, deadline=None)
@given(TICKETS, st.lists(st.tuples(HOSTILE, HOSTILE), max_size=12), st.lists(HOSTILE, max_size=9))
def test_any_inbox_is_a_legal_tab(
    asks: list[dict[str, Any]], lendings: list[tuple[str, str]], troubles: list[str]
) -> None:
    tickets = made(asks)
    mine = tuple(replace(one, votes=(build.vote(ANNA, "x" * 300),)) for one in tickets)
    given_ = tuple(delegation(n, *one) for n, one in enumerate(lendings))
    found = Inbox(
        person=person(ANNA),
        waiting=tickets,
        decided=mine,
        asked=tickets,
        given=given_,
        taken=tuple(Lent(delegation=one, roles=frozenset(one.roles)) for one in given_),
        left=tuple(replace(one, state=TicketState.UNKNOWN) for one in tickets),
        is_cut=True,
        may_delegate=True,
        troubles=tuple(troubles),
    )
    pages = {} if not tickets else {Part.DECIDED: inbox.recency(tickets[0])}
    with speaking("de"):
        german = home_view.home_view(found, pages)
    view = home_view.home_view(found, pages)
    for one in (view, german):
        assert check_view(one, "home") == []
        assert not is_view_too_large(one)
        assert '"type": "mrkdwn"' not in json.dumps(one)


@settings(max_examples=60, deadline=None)
@given(TICKETS, st.text(max_size=2_000), st.text(max_size=900))
def test_any_set_of_like_tickets_is_a_legal_page(
    asks: list[dict[str, Any]], argument: str, prompt: str
) -> None:
    content = Content(arguments={"x": argument}, prompt=prompt)
    rows = [
        bulk_view.row_of(CardView(ticket=one, content=content, team_id="T1"), ANNA)
        for one in made(asks)[: bulk_view.MOST]
    ]
    view = bulk_view.page("0" * 24, rows, more=3, is_reason_needed=True)
    assert check_view(view, "modal") == []
    assert not is_view_too_large(view)
    told = [bulk_view.Verdict(ticket=row.ticket, said=row.text or Inert("x")) for row in rows]
    assert check_view(bulk_view.results(told), "modal") == []


@settings(max_examples=60, deadline=None)
@given(ASKS, HOSTILE, HOSTILE, st.integers(0, 40))
def test_any_answer_is_a_legal_message(
    asked: dict[str, Any], note: str, name: str, lines: int
) -> None:
    one = replace(ticket(**asked), ruling=build.ruling(reason=note, snapshot=name))
    trace = [{"source": "rule", "id": name, "verdict": note, "note": note}] * lines
    for blocks in (
        why.blocks_of(one, trace),
        list(alarm.announcement(one, template=name, content=Content(justification=note)).blocks),
    ):
        assert check_blocks(blocks, "message") == []
        assert not is_message_too_long(blocks)
    assert check_options([picking._option(one)]) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=120, unique=True))
def test_any_names_make_legal_forms(offered: list[str]) -> None:
    fitting = [name for name in offered if len(name) <= 150] or ["one"]
    assert check_view(lending.form(offered, T0), "modal") == []
    assert check_view(break_glass.form(fitting, fitting), "modal") == []
    assert check_view(picking.form("status"), "modal") == []


# Boxes


def row(**changes: Any) -> bulk_view.Row:
    of = replace(ticket(), **changes)
    view = CardView(ticket=of, content=Content(arguments={"version": "1"}), team_id="T1")
    return bulk_view.row_of(view, ANNA)


def test_a_box_stands_only_where_all_was_seen() -> None:
    assert row().may_tick
    long = Content(arguments={"x": "y" * 800})
    unseen = CardView(ticket=ticket(), content=long, team_id="T1")
    assert not bulk_view.row_of(unseen, ANNA).may_tick
    seen = replace(ticket(), full_views=(FullView(person=ANNA, revision=1),))
    assert bulk_view.row_of(replace(unseen, ticket=seen), ANNA).may_tick
    assert not bulk_view.row_of(replace(unseen, ticket=seen), BEN).may_tick
    assert not bulk_view.row_of(replace(unseen, ticket=replace(seen, revision=2)), ANNA).may_tick


def test_what_the_core_gates_or_policy_redacts_has_no_box() -> None:
    gated = replace(ticket().ask, needs_full_view=True)
    assert not row(ask=gated).may_tick
    hidden = build.ruling(constraints=Constraints(redact_deny=("version",)))
    assert not row(ruling=hidden).may_tick
    gone = CardView(ticket=ticket(), content=None, team_id="T1")
    assert not bulk_view.row_of(gone, ANNA).may_tick


def test_choice_and_roles_are_words() -> None:
    rejected = build.vote(CARA, ADMIN, 3, choice=Choice.REJECT, delegator=BEN, delegation="d-1")
    found = Inbox(
        person=person(CARA),
        waiting=(),
        decided=(replace(ticket(), votes=(rejected,)), replace(ticket("t-2"), decided_by=CARA)),
        asked=(),
        given=(),
        taken=(),
    )
    shown = json.dumps(home_view.home_view(found, {}))
    assert f"You rejected as {ADMIN}" in shown
    assert "in the name of" in shown
    assert "Its end was your word." in shown
