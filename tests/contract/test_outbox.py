"""The laws of messages owed: one of a kind and key, one worker at a time, nothing lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from governance.outbox import Claimed, Owed, OwedKind, Place
from governance.tickets import events as ev
from governance.tickets import nudge_events as nudge_ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import TicketId
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import ANNA, BEN, T0, FixedClock
from tests.support.commits import append

CARD = Owed(kind=OwedKind.CARD, key="t-1")


async def claim(ledger: AnyLedger, seconds: float = 0, limit: int = 10) -> Sequence[Claimed]:
    at = T0 + timedelta(seconds=seconds)
    kinds = [kind for kind in OwedKind if kind is not OwedKind.WATCH]
    return await ledger.claim(kinds, at=at, lease_s=30, limit=limit)


async def test_an_event_owes_its_messages_in_its_own_commit(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.allowed("t-2"))
    owed = [one.owed for one in await claim(ledger)]
    assert owed == [Owed(kind=OwedKind.CLEAR, key="t-2"), CARD]


async def test_a_claim_hides_a_message_until_it_runs_out(ledger: AnyLedger):
    await ledger.owe(CARD, at=T0)
    first = await claim(ledger)
    assert [(one.owed, one.attempts) for one in first] == [(CARD, 1)]
    assert not await claim(ledger, 29.9)
    again = await claim(ledger, 30)
    assert [(one.owed, one.attempts) for one in again] == [(CARD, 2)]
    await ledger.done(first[0])  # the first worker is late: its claim is no longer its own
    assert await claim(ledger, 60)


async def test_claims_of_many_workers_never_overlap(ledger: AnyLedger):
    for number in range(30):
        await ledger.owe(Owed(kind=OwedKind.CARD, key=f"t-{number}"), at=T0)
    shares = await asyncio.gather(*(claim(ledger, limit=7) for _ in range(6)))
    keys = [one.owed.key for share in shares for one in share]
    assert len(keys) == len(set(keys)) == 30
    assert len({one.token for share in shares for one in share}) == 30


async def test_messages_come_by_kind_and_earliest_first(ledger: AnyLedger):
    late, early = Owed(kind=OwedKind.CARD, key="late"), Owed(kind=OwedKind.CARD, key="early")
    await ledger.owe(late, at=T0 + timedelta(seconds=2))
    await ledger.owe(early, at=T0 + timedelta(seconds=1))
    await ledger.owe(Owed(kind=OwedKind.EXECUTE, key="x"), at=T0)
    at = T0 + timedelta(seconds=5)
    found = await ledger.claim([OwedKind.CARD], at=at, lease_s=5, limit=10)
    assert [one.owed for one in found] == [early, late]
    assert not await ledger.claim([], at=at, lease_s=5, limit=10)


async def test_what_is_due_comes_by_its_deadline_and_what_has_none_at_first(ledger: AnyLedger):
    for key, minutes in (("late", 9), ("soon", 1), ("then", 5)):
        until = T0 + timedelta(minutes=minutes)
        await ledger.owe(Owed(kind=OwedKind.CARD, key=key, deadline=until), at=T0)
    await ledger.owe(Owed(kind=OwedKind.CLEAR, key="now"), at=T0)
    assert [one.owed.key for one in await claim(ledger, limit=3)] == ["now", "soon", "then"]
    assert [one.owed.key for one in await claim(ledger)] == ["late"]


async def test_a_deadline_that_came_nearer_counts_and_is_no_second_message(ledger: AnyLedger):
    far, near = T0 + timedelta(hours=9), T0 + timedelta(hours=1)
    await ledger.owe(Owed(kind=OwedKind.CARD, key="a", deadline=far), at=T0)
    await ledger.owe(Owed(kind=OwedKind.CARD, key="b", deadline=T0 + timedelta(hours=5)), at=T0)
    await ledger.owe(Owed(kind=OwedKind.CARD, key="a", deadline=near), at=T0)
    assert [one.owed.key for one in await claim(ledger)] == ["a", "b"]


async def test_what_is_not_due_before_a_time_waits_for_it(ledger: AnyLedger):
    later = T0 + timedelta(seconds=60)
    await ledger.owe(Owed(kind=OwedKind.REMIND, key="p", not_before=later), at=T0)
    assert not await claim(ledger, 59)
    assert await claim(ledger, 60)


async def test_a_ticket_that_waits_is_watched_but_not_in_its_first_minute(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.allowed("t-2"))
    for seconds, keys in ((59, []), (60, ["t-1"])):
        at = T0 + timedelta(seconds=seconds)
        found = await ledger.claim([OwedKind.WATCH], at=at, lease_s=5, limit=9)
        assert [one.owed.key for one in found] == keys


async def test_what_nobody_knows_the_end_of_is_watched_at_once_and_told_of_in_one_message(
    ledger: AnyLedger, clock: FixedClock
):
    for number in (1, 2):
        name, run_id = f"t-{number}", f"run-{number}"
        lost = build.on(name, run_ev.ExecutionLost, run_id=run_id)
        started = build.started(name, run=build.run(run_id, lease_until=T0))
        await append(ledger, build.allowed(name), started, lost)
        watches = await ledger.claim([OwedKind.WATCH], at=clock.now(), lease_s=600, limit=9)
        assert [one.owed.key for one in watches] == [name]
        told = build.on(name, nudge_ev.ResolversReminded, number=1, people=(ANNA, BEN))
        await append(ledger, told)
        clock.pass_(60)
    kinds = (OwedKind.REMIND_UNKNOWN, OwedKind.TELL_UNKNOWN)
    found = await ledger.claim(kinds, at=clock.now(), lease_s=600, limit=9)
    assert [one.owed for one in found] == [Owed(kind=OwedKind.TELL_UNKNOWN, key=build.TENANT)]
    clock.pass_(180)
    found = await ledger.claim(kinds[:1], at=clock.now(), lease_s=600, limit=9)
    assert [one.owed.key for one in found] == [ANNA, BEN]


async def test_cards_to_be_posted_are_told_from_cards_to_be_changed(ledger: AnyLedger):
    for key in ("posted", "new", "lost"):
        await ledger.owe(Owed(kind=OwedKind.CARD, key=key), at=T0)
    await ledger.put_place(TicketId("posted"), Place(channel="C1", ts="1.0", shown="d"))
    await ledger.put_place(TicketId("lost"), Place(channel="C1", ts="", shown=""))
    assert (await ledger.unplaced(9), await ledger.unplaced(1)) == (2, 1)
    card = (OwedKind.CARD,)
    new = await ledger.claim(card, at=T0, lease_s=5, limit=9, is_placed=False)
    placed = await ledger.claim(card, at=T0, lease_s=5, limit=9, is_placed=True)
    assert sorted(one.owed.key for one in new) == ["lost", "new"]
    assert [one.owed.key for one in placed] == ["posted"]


async def test_one_message_can_be_claimed_by_its_key_before_all_others(ledger: AnyLedger):
    for key in ("t-1", "t-2"):
        await ledger.owe(Owed(kind=OwedKind.CARD, key=key), at=T0)
    for expected in (["t-2"], []):
        found = await ledger.claim([OwedKind.CARD], at=T0, lease_s=5, limit=9, key="t-2")
        assert [one.owed.key for one in found] == expected


async def test_what_waits_and_what_was_given_up_is_counted_by_its_reason(ledger: AnyLedger):
    for key in ("a", "b", "c"):
        await ledger.owe(Owed(kind=OwedKind.CARD, key=key), at=T0)
    first, second = await claim(ledger, limit=2)
    await ledger.bury(first, error="invalid_blocks")
    await ledger.retry(second, at=T0, error="is_archived")
    assert {(one.error, one.is_dead, one.count) for one in await ledger.backlog()} == {
        ("", False, 1),
        ("invalid_blocks", True, 1),
        ("is_archived", False, 1),
    }


async def test_a_delivered_message_is_gone(ledger: AnyLedger):
    await ledger.owe(CARD, at=T0)
    (held,) = await claim(ledger)
    await ledger.done(held)
    assert not await claim(ledger, 1000)
    await ledger.done(held)


async def test_messages_of_one_key_coalesce(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"), build.cast())
    await append(ledger, build.on("t-1", ev.FullViewOpened, person=build.ANNA))
    assert [one.owed for one in await claim(ledger)] == [CARD]


async def test_what_was_owed_again_while_held_is_due_at_once_when_done(ledger: AnyLedger):
    await append(ledger, build.opened("t-1"))
    (held,) = await claim(ledger)
    await append(ledger, build.cast())
    assert not await claim(ledger, 1)
    await ledger.done(held)
    (again,) = await claim(ledger, 1)
    assert (again.owed, again.attempts) == (CARD, 1)
    await ledger.done(again)
    assert not await claim(ledger, 1000)


async def test_a_retry_is_due_when_it_says_or_at_once_if_owed_again(ledger: AnyLedger):
    await ledger.owe(CARD, at=T0)
    (held,) = await claim(ledger)
    later = T0 + timedelta(seconds=100)
    await ledger.retry(held, at=later, error="rate limited")
    assert not await claim(ledger, 99)
    (second,) = await claim(ledger, 100)
    assert second.attempts == 2
    await ledger.owe(CARD, at=T0)
    await ledger.retry(second, at=T0 + timedelta(days=1), error="rate limited")
    assert await claim(ledger, 100)


async def test_a_dead_letter_is_shown_and_lives_again_when_owed_anew(ledger: AnyLedger):
    await ledger.owe(CARD, at=T0)
    (held,) = await claim(ledger)
    await ledger.bury(held, error="channel_not_found")
    assert list(await ledger.dead()) == [(CARD, "channel_not_found")]
    assert not await claim(ledger, 1000)
    await ledger.owe(CARD, at=T0)
    (again,) = await claim(ledger)
    assert again.attempts == 1
    assert not await ledger.dead()


async def test_a_message_owed_again_while_held_is_not_buried(ledger: AnyLedger):
    await ledger.owe(CARD, at=T0)
    (held,) = await claim(ledger)
    await ledger.owe(CARD, at=T0)
    await ledger.bury(held, error="channel_not_found")
    assert not await ledger.dead()
    assert await claim(ledger)


async def test_a_cursor_only_moves_on(ledger: AnyLedger):
    assert await ledger.cursor("channel") == 0
    await ledger.advance("channel", 7)
    await ledger.advance("channel", 5)
    await ledger.advance("file", 2)
    assert (await ledger.cursor("channel"), await ledger.cursor("file")) == (7, 2)


async def test_a_card_is_where_it_was_put_last(ledger: AnyLedger):
    ticket_id = TicketId("t-1")
    assert await ledger.place(ticket_id) is None
    for ts in ("1.0", "2.0"):
        place = Place(channel="C1", ts=ts, shown="d" * 64)
        await ledger.put_place(ticket_id, place)
        assert await ledger.place(ticket_id) == place


async def test_a_card_that_is_lost_is_owed_anew_unless_another_was_posted_meanwhile(
    ledger: AnyLedger,
):
    ticket_id, card = TicketId("t-1"), CARD
    lost = Place(channel="C1", ts="1.0", shown="d" * 64)
    for now in (lost, replace(lost, ts="2.0"), replace(lost, shown="e" * 64)):
        await ledger.put_place(ticket_id, now)
        await ledger.lose_place(ticket_id, lost, card, at=T0)
        is_lost = now == lost
        place = await ledger.place(ticket_id)
        assert place == (Place(channel="C1", ts="", shown="") if is_lost else now)
        found = await ledger.claim([OwedKind.CARD], at=T0, lease_s=5, limit=9, is_placed=False)
        assert [one.owed.key for one in found] == ["t-1"] * is_lost
        for one in found:
            await ledger.done(one)


async def test_a_lost_card_that_is_owed_already_waits_to_be_posted(ledger: AnyLedger):
    ticket_id, card = TicketId("t-1"), CARD
    lost = Place(channel="C1", ts="1.0", shown="d")
    await ledger.put_place(ticket_id, lost)
    await ledger.owe(card, at=T0)
    await ledger.lose_place(ticket_id, lost, card, at=T0)
    assert await ledger.unplaced(9) == 1
    found = await ledger.claim([OwedKind.CARD], at=T0, lease_s=5, limit=9, is_placed=False)
    assert [one.owed.key for one in found] == ["t-1"]
