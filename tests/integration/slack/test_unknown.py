"""A run of which nobody knows the end: whose word is missing is told, until somebody says it.

The clock stands still until a test moves it; the Web API over HTTP and the emulator are real.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.compose.unknowns import TOLD, watch_lost
from bot.emulator.faults import FaultKind
from bot.emulator.messages import Message
from bot.slack import names
from bot.slack.commands.stats import FiguresDesk
from bot.slack.home import inbox
from governance.action import ActionKind, Content, Dispatch
from governance.execution import SandboxTier
from governance.outbox import OwedKind
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets import lost
from governance.tickets.ticket import Ticket, TicketState
from tests.integration.slack.test_time import MORNING, Timed
from tests.integration.slack.test_time import timed as any_timed
from tests.integration.slack.world import BUNDLE, TEAM, TENANT

STEP, HOUR = 5, 60
JUDGES = ("U0OLGA", "U0OTTO", "U0RITA")
WHY = "8" * 64
LONE = {"roles": {"operator": {"weight": 1, "min_required": 1}}, "threshold": 1, "ttl": "1h"}
NIGHT = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)


TOOL = {
    "actions": ["execute"],
    "classification": "internal",
    "target": "host",
    "run": {
        "title": "Restart a site",
        "arguments": {
            "type": "object",
            "additionalProperties": False,
            "required": ["host"],
            "properties": {"host": {"type": "string"}},
        },
        "runner": {"argv": ["/bin/true"]},
    },
}
ASKED = {"requires_approval": True, "tier": "high"}


def timed(
    at: datetime = MORNING, *, asks: dict[str, Any] = ASKED, **tier: Any
) -> AbstractAsyncContextManager[Timed]:
    """A world with a tool that is run here."""
    tools = {"tools": {"site.restart": {**TOOL, **asks}}, "minimum_sandbox": "A-"}
    allowed = {"id": "restarts", "match": {"topics": ["job.restart"]}, "decision": "allow"}
    return any_timed(at, more={**tools, "rules": [*BUNDLE["rules"], allowed]}, **tier)


async def ask(
    t: Timed, *, key: str = "k-1", target: str = "web-1", action: ActionKind = ActionKind.EXECUTE
) -> Ticket:
    """An agent asks for something that is executed here."""
    return await t.world.ask(
        key=key,
        topic="job.restart",
        tool="site.restart",
        target=target,
        action=action,
        content=Content(arguments={"host": target}),
        dispatch=Dispatch.EXECUTE,
    )


async def vanish(t: Timed, *, key: str = "k-1", target: str = "web-1") -> Ticket:
    """Something is approved and started, and its executor vanishes."""
    ticket = await ask(t, key=key, target=target)
    for user in ("olga", "rita"):
        if (await t.world.ticket(ticket.id)).state is TicketState.PENDING:
            await t.world.click(user, names.APPROVE)
    return await lose(t, ticket)


async def lose(t: Timed, ticket: Ticket) -> Ticket:
    await t.world.service.clear(ticket.id)
    start = cmd.StartExecution(
        ticket_id=ticket.id,
        run_id=f"run-{ticket.id}",
        executor="exec-1",
        lease_s=30,
        action_digest=ticket.ask.action_digest,
        plan_digest=ticket.ruling.plan_digest,
        sandbox=SandboxTier.A,
    )
    await t.world.service.handle(start)
    t.clock.pass_(31)
    await t.world.service.handle(cmd.DeclareLost(ticket_id=ticket.id))
    found = await t.world.ticket(ticket.id)
    assert found.state is TicketState.UNKNOWN
    return found


async def say(t: Timed, ticket: Ticket, user: str, *, took_effect: bool = True) -> None:
    """Somebody says what became of it."""
    person = await t.world.service.person(PersonId(f"slack:{TEAM}/{user}"))
    others = [one.person for one in (await t.world.ticket(ticket.id)).attested]
    word = cmd.ResolveUnknown(
        ticket_id=ticket.id,
        person=person,
        took_effect=took_effect,
        comment_digest=WHY,
        standing={one: (await t.world.service.person(one)).roles for one in others},
    )
    await t.world.service.handle(word, contents={})


async def go_by(t: Timed, minutes: int) -> None:
    """Let time go by in steps, as it does."""
    await t.after(0)
    for _ in range(minutes // STEP):
        await t.after(STEP)


def of_lost(found: Sequence[Message]) -> Sequence[Message]:
    return [one for one in found if "unknown" in one.text]


def in_channel(t: Timed) -> Sequence[Message]:
    """Messages beside the cards."""
    return [m for m in of_lost(t.world.emu.messages("approvals")) if "still unknown" in m.text]


async def test_the_channel_is_told_at_once_and_whoever_may_say_within_minutes() -> None:
    async with timed() as t:
        ticket = await vanish(t)
        await t.after(0)
        (notice,) = in_channel(t)
        assert "web-1" in str(notice.current.blocks)
        assert "/?channel=approvals#p" in str(notice.current.blocks)
        await go_by(t, 5)
        for user in JUDGES:
            (message,) = of_lost(t.told(user))
            assert message.text.startswith("1 outcome is still unknown")
            assert "web-1" in str(message.current.blocks)
        assert not t.told("U0OWNER")  # it is their own agent
        assert not t.told("U0NEWBIE")  # no role
        stands = await t.world.ticket(ticket.id)
        assert [(one.number, len(one.people)) for one in lost.reminders(stands)] == [(1, 3)]


async def test_they_are_told_again_that_day_and_then_each_morning_until_it_is_known() -> None:
    async with timed(MORNING.replace(minute=30, microsecond=400_000)) as t:
        ticket = await vanish(t)
        counts = []
        for minutes in (10, HOUR, HOUR, 20 * HOUR + 10, 20, 23 * HOUR + 40, 20):
            await go_by(t, minutes)
            counts.append(len(of_lost(t.told("U0OLGA"))))
        assert counts == [1, 1, 2, 2, 3, 3, 4]  # ten minutes before eight and ten after it
        assert len(in_channel(t)) == 3  # at once, and on two mornings
        await say(t, ticket, "U0OLGA")
        await say(t, ticket, "U0RITA")
        assert (await t.world.ticket(ticket.id)).state is TicketState.EXECUTED
        await go_by(t, 48 * HOUR)
        assert len(of_lost(t.told("U0OLGA"))) == 4
        assert len(in_channel(t)) == 3


async def test_many_that_are_lost_one_after_another_are_one_message_to_each_person() -> None:
    async with timed() as t:
        for number in range(12):
            await vanish(t, key=f"k-{number}", target=f"web-{number}")
            if not number:
                await t.after(0)
        await go_by(t, 10)
        for user in JUDGES:
            assert len(of_lost(t.told(user))) <= 3  # in seven minutes
        last = of_lost(t.told("U0OLGA"))[-1]
        assert last.text.startswith("12 outcomes are still unknown")
        assert "and 2 more" in str(last.current.blocks)
        assert len(in_channel(t)) <= 3
        assert in_channel(t)[-1].text.startswith("12 outcomes are still unknown")
        day = len(of_lost(t.told("U0OLGA"))), len(in_channel(t))
        await go_by(t, 12 * HOUR)
        assert day[0] < len(of_lost(t.told("U0OLGA"))) <= day[0] + 3  # after two hours
        assert len(in_channel(t)) == day[1]
        day = len(of_lost(t.told("U0OLGA"))), len(in_channel(t))
        await go_by(t, 24 * HOUR)  # the morning after: one for all of them
        assert len(of_lost(t.told("U0OLGA"))) == day[0] + 1
        assert len(in_channel(t)) == day[1] + 1


async def test_the_channel_has_no_second_message_within_five_minutes() -> None:
    async with timed() as t:
        await vanish(t)
        await t.after(0)
        await vanish(t, key="k-2", target="web-2")
        await t.after(0)
        assert len(in_channel(t)) == 1
        await t.after(5)
        assert [one.text[:2] for one in in_channel(t)] == ["1 ", "2 "]


async def test_whoever_said_it_between_the_record_and_the_message_has_none() -> None:
    async with timed() as t:
        ticket = await vanish(t)
        await t.after(0)
        await say(t, ticket, "U0OLGA")
        await t.after(5)
        assert not of_lost(t.told("U0OLGA"))
        assert of_lost(t.told("U0RITA"))


async def test_whoever_said_it_is_left_in_peace_and_the_others_are_not() -> None:
    async with timed() as t:
        ticket = await vanish(t)
        await say(t, ticket, "U0OLGA")
        await go_by(t, 10)
        assert not of_lost(t.told("U0OLGA"))
        (message,) = of_lost(t.told("U0RITA"))
        assert "two people have said the same" in str(message.current.blocks)


async def test_the_home_tab_lists_it_for_whoever_has_to_speak_and_for_all_once_they_differ() -> (
    None
):
    async with timed() as t:
        ticket = await vanish(t)

        async def lists_it(user: str) -> bool:
            person = await t.world.service.person(PersonId(f"slack:{TEAM}/{user}"))
            return inbox.awaits_word(await t.world.ticket(ticket.id), person)

        await say(t, ticket, "U0OLGA")
        assert [await lists_it(user) for user in JUDGES] == [False, True, True]
        await say(t, ticket, "U0RITA", took_effect=False)
        assert [await lists_it(user) for user in JUDGES] == [True, True, True]


async def test_the_figures_and_the_weekly_digest_say_how_many_are_still_unknown() -> None:
    async with timed() as t:
        ticket = await vanish(t)
        assert isinstance(t.world.app.extras.stats, FiguresDesk)
        now = t.clock.now()
        await t.world.app.extras.stats.digest("C0BOSS", since=now - timedelta(days=7), until=now)
        assert "1 outcome is still unknown" in str(t.world.emu.messages("bosses")[0].current.blocks)
        answer = await t.world.emu.command("olga", "/placet", "stats")
        assert "1 outcome is still unknown" in str(answer.ephemerals)
        for user in JUDGES[1:]:
            await say(t, ticket, user)
        answer = await t.world.emu.command("olga", "/placet", "stats")
        assert "still unknown" not in str(answer.ephemerals)


async def test_where_two_found_different_things_both_are_asked_again() -> None:
    async with timed() as t:
        ticket = await vanish(t)
        await go_by(t, 10)
        await say(t, ticket, "U0OLGA")
        await say(t, ticket, "U0RITA", took_effect=False)
        await go_by(t, 2 * HOUR)
        for user in JUDGES:
            assert "different things" in str(of_lost(t.told(user))[-1].current.blocks)


async def test_what_was_settled_between_the_record_and_the_message_tells_nobody() -> None:
    async with timed(needs=LONE) as t:
        ticket = await vanish(t)
        await t.after(0)  # the record, and the channel
        await say(t, ticket, "U0OTTO")
        await go_by(t, 10)
        told = {OwedKind.REMIND_UNKNOWN, OwedKind.TELL_UNKNOWN}
        assert not told & {one.kind for one in await t.world.ledger.backlog()}
        assert not [user for user in JUDGES if of_lost(t.told(user))]


async def test_nobody_is_woken_by_it_and_the_channel_has_it_by_night() -> None:
    async with timed(NIGHT) as t:
        await vanish(t)
        await go_by(t, 10)
        assert len(in_channel(t)) == 1
        assert not of_lost(t.told("U0OLGA"))
        await go_by(t, 8 * HOUR + 30)  # past seven
        assert len(of_lost(t.told("U0OLGA"))) == 1


async def test_an_urgent_tier_is_told_by_night_too() -> None:
    async with timed(NIGHT, urgent=True) as t:
        await vanish(t)
        for minutes, count in ((10, 1), (9 * HOUR + 10, 2), (20, 3)):  # about eight
            await go_by(t, minutes)
            assert len(of_lost(t.told("U0OLGA"))) == count


async def test_reminders_of_the_votes_on_it_leave_none_out_and_most_a_day_is_kept() -> None:
    async with timed(most_a_day=1) as t:
        ticket = await ask(t)
        await go_by(t, 31)
        assert len(t.told("U0OLGA")) == 1
        for user in ("olga", "rita"):
            await t.world.click(user, names.APPROVE)
        await lose(t, ticket)
        await go_by(t, 10)
        assert len(of_lost(t.told("U0OLGA"))) == 1
        await go_by(t, 5 * HOUR)
        assert len(of_lost(t.told("U0OLGA"))) == 1


async def test_after_a_restart_nobody_is_told_twice_and_nothing_is_forgotten() -> None:
    async with timed() as t:
        ticket = await vanish(t)
        await go_by(t, 10)
        again = t.again()
        await watch_lost(TENANT, t.world.ledger, t.world.ledger, t.clock)
        await again.after(0)
        assert len(of_lost(t.told("U0OLGA"))) == len(in_channel(t)) == 1
        assert len(lost.reminders(await t.world.ticket(ticket.id))) == 1


async def test_what_was_lost_before_anybody_was_told_of_it_is_found_at_the_start() -> None:
    async with timed() as t:
        await vanish(t)
        watching = (OwedKind.WATCH,)
        (held,) = await t.world.ledger.claim(watching, at=t.clock.now(), lease_s=9, limit=9)
        await t.world.ledger.done(held)  # as by a version that told nobody
        await go_by(t, 10)
        assert not in_channel(t)
        await watch_lost(TENANT, t.world.ledger, t.world.ledger, t.clock)
        await go_by(t, 10)
        assert len(in_channel(t)) == len(of_lost(t.told("U0OLGA"))) == 1


async def test_the_channel_is_told_although_nobody_can_be_looked_up() -> None:
    async with timed() as t:
        await vanish(t)
        t.world.directory.forget_groups()
        t.world.emu.faults.add(
            FaultKind.REFUSED, on="usergroups.users.list", error="fatal_error", times=50
        )
        await go_by(t, 10)
        assert len(in_channel(t)) == 1
        assert not of_lost(t.told("U0OLGA"))
        t.world.emu.faults.clear()
        await go_by(t, 10)
        assert len(of_lost(t.told("U0OLGA"))) == 1


async def test_a_message_that_was_not_taken_is_sent_again_and_counted_once() -> None:
    async with timed() as t:
        await vanish(t)
        t.world.emu.faults.add(FaultKind.SERVER_ERROR, on="chat.postMessage", times=1)
        await t.after(0)
        assert await t.world.ledger.cursor(f"{TOLD} {TENANT}") == 0
        await t.after(1)
        assert len(in_channel(t)) == 1
        assert await t.world.ledger.cursor(f"{TOLD} {TENANT}") > 0


async def test_a_clock_that_was_ahead_once_does_not_silence_the_channel() -> None:
    async with timed() as t:
        ahead = int(t.clock.now().timestamp() + 900_000) * 1_000_000
        await t.world.ledger.advance(f"{TOLD} {TENANT}", ahead)
        await vanish(t)
        await t.after(0)
        assert len(in_channel(t)) == 1


async def test_of_what_policy_alone_allowed_whoever_has_a_role_is_told() -> None:
    async with timed(asks={"actions": ["read"]}) as t:
        ticket = await ask(t, action=ActionKind.READ)
        assert ticket.ruling.requirement is None
        await lose(t, ticket)
        await go_by(t, 10)
        for user in JUDGES:
            assert len(of_lost(t.told(user))) == 1


async def test_each_is_told_in_the_language_of_their_account() -> None:
    async with timed() as t:
        await t.world.emu.set_user("olga", locale="de-DE")
        await vanish(t)
        await go_by(t, 10)
        (message,) = t.told("U0OLGA")
        assert message.text.startswith("1 Ausgang ist noch ungeklärt")
        assert of_lost(t.told("U0RITA"))
