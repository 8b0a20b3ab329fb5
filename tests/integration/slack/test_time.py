"""Reminders, escalations and expiries: told once, to whom it helps, and never of what is settled.

The clock stands still until a test moves it; the Web API over HTTP and the emulator are real.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.compose.telling import Telling
from bot.compose.unknowns import Unknowns
from bot.delivery import Delivery
from bot.emulator.faults import FaultKind
from bot.emulator.messages import Message
from bot.emulator.values import ChannelSeed
from bot.reminding import Watch
from bot.slack import names
from bot.slack.zones import Zones
from governance.delegation import Wish
from governance.outbox import OwedKind
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets.ticket import TicketState
from storage.memory.ledger import MemoryLedger
from tests.integration.slack.world import BUNDLE, SEED, TEAM, World, open_world
from tests.support.build import FixedClock

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BOSS = ChannelSeed(id="C0BOSS", name="bosses", members=("U0OTTO", "U0EMUBOT"))
STEP = {"after": "20m", "channel": "C0BOSS", "people": [f"slack:{TEAM}/U0NEWBIE"]}
MINUTE = 60


def bundle(
    *, delegation: Any = None, needs: Any = None, more: Any = None, **tier: Any
) -> dict[str, Any]:
    """The tests' bundle, with reminders half an hour and ten minutes before the end."""
    made = deepcopy(BUNDLE)
    made["delegation"] = delegation or {"max_days": 7}
    made["tiers"]["high"] = needs or made["tiers"]["high"]
    made |= more or {}
    made["reminders"] = {
        "quiet_hours": {"start": "22:00", "end": "07:00"},
        "tiers": {"high": {"before": ["30m", "10m"], **tier}},
    }
    return made


@dataclass(kw_only=True)
class Timed:
    """A world with the workers that look at the clock."""

    world: World
    clock: FixedClock
    delivery: Delivery

    def again(self) -> "Timed":
        """Another process on the same ledger, or the same one after a restart."""
        return replace(self, delivery=_delivery(self.world, self.clock))

    async def after(self, minutes: float) -> None:
        """Let time go by, and have everything that is due then done."""
        self.clock.pass_(minutes * MINUTE)
        while await self.delivery.drain():
            pass

    def told(self, user: str) -> Sequence[Message]:
        """What the app wrote to one person."""
        found = [c for c in self.world.emu.workspace.channels.values() if c.im_user == user]
        return [m for channel in found for m in self.world.emu.messages(channel.id)]


def _delivery(world: World, clock: FixedClock) -> Delivery:
    watch = Watch(
        service=world.service,
        reader=world.ledger,
        directory=world.directory,
        zones=Zones(world.app.accounts, clock),
        clock=clock,
    )
    telling = Telling(
        service=world.service,
        reader=world.ledger,
        outbox=world.ledger,
        clock=clock,
        publisher=world.app.publisher,
        channels=world.app.channels,
        speakers=world.app.speakers,
    )
    unknowns = Unknowns(
        tenant=world.service.tenant,
        channel="C0APPROVE",
        reader=world.ledger,
        outbox=world.ledger,
        clock=clock,
        publisher=world.app.publisher,
        channels=world.app.channels,
        speakers=world.app.speakers,
        card_at=telling.card_at,
    )
    return Delivery(
        outbox=world.ledger,
        reader=world.ledger,
        clock=clock,
        workers={
            OwedKind.WATCH: watch.work,
            OwedKind.REMIND: telling.remind,
            OwedKind.ESCALATE: telling.escalate,
            OwedKind.TELL_EXPIRED: telling.tell_expired,
            OwedKind.REMIND_UNKNOWN: unknowns.remind,
            OwedKind.TELL_UNKNOWN: unknowns.tell,
        },
    )


@contextlib.asynccontextmanager
async def timed(
    at: datetime = MORNING, zones: dict[str, str] | None = None, **tier: Any
) -> AsyncIterator[Timed]:
    """A world that begins at ``at``; ``zones`` by user id."""
    users = tuple(replace(user, tz=(zones or {}).get(user.id, user.tz)) for user in SEED.users)
    seed = replace(SEED, users=users, channels=(*SEED.channels, BOSS))
    clock = FixedClock(at)
    async with open_world(  # over a socket: there no signature ties a request to today
        socket_mode=True, seed=seed, bundle=bundle(**tier), clock=clock, ledger=MemoryLedger(clock)
    ) as world:
        yield Timed(world=world, clock=clock, delivery=_delivery(world, clock))


async def test_whoever_can_help_is_reminded_once_before_the_end() -> None:
    async with timed() as t:
        ticket = await t.world.ask()
        await t.after(29)
        assert not t.told("U0OLGA")
        await t.after(1)
        for user in ("U0OLGA", "U0OTTO", "U0RITA"):
            assert [m.text for m in t.told(user)] == [t.told("U0OLGA")[0].text]
        assert not t.told("U0OWNER")  # it is their own agent
        assert not t.told("U0NEWBIE")  # no vote
        await t.after(15)
        assert len(t.told("U0OLGA")) == 1
        await t.after(5)
        assert len(t.told("U0OLGA")) == 2
        stands = await t.world.ticket(ticket.id)
        assert [one.number for one in stands.reminders] == [1, 2]


async def test_each_is_told_in_the_language_of_their_account() -> None:
    async with timed() as t:
        await t.world.emu.set_user("olga", locale="de-DE")
        await t.world.emu.set_user("owen", locale="de-CH")
        asked = await t.world.ask()
        await t.after(31)
        assert t.told("U0OLGA")[0].text.startswith("1 Anfrage wartet noch auf Sie")
        assert t.told("U0RITA")[0].text.startswith("1 request still waits for you")
        t.clock.pass_(30 * MINUTE)
        await t.world.service.handle(cmd.ExpireTicket(ticket_id=asked.id))
        await t.after(0)
        assert t.told("U0OWNER")[-1].text.startswith("Nicht rechtzeitig entschieden")


async def test_several_tickets_are_one_message_to_each_person_the_most_urgent_first() -> None:
    async with timed() as t:
        for number in range(3):
            await t.world.ask(key=f"k-{number}", target=f"web-{number}")
        await t.after(31)
        (message,) = t.told("U0OLGA")
        shown = str(message.current.blocks)
        assert message.text.startswith("3 requests still wait for you")
        assert [shown.index(f"web-{number}") for number in range(3)] == sorted(
            shown.index(f"web-{number}") for number in range(3)
        )


async def test_whoever_voted_is_left_in_peace_and_so_are_those_whose_role_is_complete() -> None:
    async with timed() as t:
        await t.world.ask()
        await t.world.click("olga", names.APPROVE)
        await t.after(31)
        assert not t.told("U0OLGA")
        assert not t.told("U0OTTO")  # the operator that it needed is there
        assert len(t.told("U0RITA")) == 1


async def test_what_is_settled_between_the_fact_and_the_message_reminds_nobody() -> None:
    async with timed() as t:
        ticket = await t.world.ask()
        t.clock.pass_(31 * MINUTE)
        watching = (OwedKind.WATCH,)
        (held,) = await t.world.ledger.claim(watching, at=t.clock.now(), lease_s=9, limit=9)
        await t.world.ledger.retry(held, at=t.clock.now(), error="")
        assert await t.delivery.drain() == 1  # the fact
        assert (await t.world.ticket(ticket.id)).reminders
        for user in ("olga", "rita"):
            await t.world.click(user, names.APPROVE)
        assert (await t.world.ticket(ticket.id)).state is TicketState.APPROVED
        await t.after(0)
        assert not [user for user in ("U0OLGA", "U0OTTO", "U0RITA") if t.told(user)]


async def test_nobody_is_reminded_in_their_own_night_and_everybody_in_their_own_morning() -> None:
    zones = {"U0OLGA": "Asia/Tokyo", "U0RITA": "America/New_York"}
    # 21:20 in Tokyo when it opens and 22:20 at the end; 07:20 in New York.
    at = datetime(2026, 1, 12, 12, 20, tzinfo=UTC)
    async with timed(at, zones) as t:
        await t.world.ask()
        await t.after(45)  # 22:05 in Tokyo
        assert not t.told("U0OLGA")
        assert len(t.told("U0RITA")) == len(t.told("U0OTTO")) == 1


async def lend(t: Timed, whose: str, to: str = "U0NEWBIE", *, days: float = 1) -> None:
    """Somebody lends their voice."""
    wish = Wish(
        delegator=PersonId(f"slack:{TEAM}/{whose}"),
        delegate=PersonId(f"slack:{TEAM}/{to}"),
        roles=(),
        ends_at=t.clock.now() + timedelta(days=days),
        reason="on leave",
    )
    await t.world.service.delegate(wish)


async def test_whoever_was_lent_a_voice_that_would_help_is_reminded_too() -> None:
    async with timed() as t:
        await lend(t, "U0OLGA")
        ticket = await t.world.ask()
        await t.after(31)
        assert len(t.told("U0NEWBIE")) == len(t.told("U0OLGA")) == 1
        (reminded,) = (await t.world.ticket(ticket.id)).reminders
        assert PersonId(f"slack:{TEAM}/U0NEWBIE") in reminded.people


async def test_a_delegate_is_left_in_peace_in_their_own_night() -> None:
    at = datetime(2026, 1, 12, 12, 20, tzinfo=UTC)
    async with timed(at, {"U0NEWBIE": "Asia/Tokyo"}) as t:
        await lend(t, "U0OLGA")
        await t.world.ask()
        await t.after(45)  # 22:05 in Tokyo
        assert not t.told("U0NEWBIE")
        assert len(t.told("U0OLGA")) == 1


TWO = {"roles": {"operator": {"weight": 1, "min_required": 2}}, "threshold": 2, "ttl": "1h"}


@pytest.mark.parametrize("voter", ["olga", "newbie"])
async def test_a_voice_that_was_heard_reminds_neither_its_owner_nor_its_delegate(
    voter: str,
) -> None:
    async with timed(needs=TWO) as t:
        await lend(t, "U0OLGA")
        ticket = await t.world.ask()
        await t.world.click(voter, names.APPROVE)
        assert len((await t.world.ticket(ticket.id)).votes) == 1
        await t.after(31)
        (reminded,) = (await t.world.ticket(ticket.id)).reminders
        assert reminded.people == (PersonId(f"slack:{TEAM}/U0OTTO"),)


async def test_a_reminder_leaves_out_what_a_delegate_has_voted_on_meanwhile() -> None:
    async with timed(needs=TWO) as t:
        await lend(t, "U0OLGA")
        await t.world.ask()
        t.clock.pass_(31 * MINUTE)
        assert await t.delivery.drain() == 1  # the fact
        await t.world.click("newbie", names.APPROVE)  # in the name of OLGA
        await t.after(0)
        assert [len(t.told(user)) for user in ("U0OLGA", "U0NEWBIE", "U0OTTO")] == [0, 0, 1]


@pytest.mark.parametrize(
    ("whose", "days", "forbidden"),
    [("U0OLGA", 0.01, []), ("U0OLGA", 1, ["high"]), ("U0OWNER", 1, [])],
    ids=["over", "forbidden by the tier", "of whoever answers for the agent"],
)
async def test_a_voice_that_cannot_be_used_reminds_nobody(
    whose: str, days: float, forbidden: list[str]
) -> None:
    async with timed(delegation={"max_days": 7, "forbidden_tiers": forbidden}) as t:
        await lend(t, whose, days=days)
        await t.world.ask()
        await t.after(31)
        assert not t.told("U0NEWBIE")
        assert t.told("U0OLGA")


async def test_the_named_reviewer_is_reminded_and_nobody_to_whom_they_lent_their_voice() -> None:
    async with timed(needs=TWO | {"reviewer": f"slack:{TEAM}/U0OLGA"}) as t:
        await lend(t, "U0OLGA")
        await t.world.ask()
        await t.after(31)
        assert not t.told("U0NEWBIE")
        assert t.told("U0OLGA")


async def test_whoever_sleeps_is_reminded_when_their_night_ends() -> None:
    at = datetime(2026, 1, 12, 6, 20, tzinfo=UTC)
    async with timed(at, {"U0OLGA": "Etc/UTC"}) as t:
        await t.world.ask()
        await t.after(30)  # 06:50
        assert not t.told("U0OLGA")
        await t.after(9)
        assert not t.told("U0OLGA")
        await t.after(1)  # 07:00
        assert len(t.told("U0OLGA")) == 1


async def test_an_urgent_tier_knows_no_night() -> None:
    at = datetime(2026, 1, 12, 23, 0, tzinfo=UTC)
    async with timed(at, urgent=True) as t:
        await t.world.ask()
        await t.after(31)
        assert len(t.told("U0OLGA")) == 1


async def test_nobody_has_more_reminders_of_a_ticket_than_its_tier_says() -> None:
    async with timed(most_a_day=1) as t:
        await t.world.ask()
        await t.after(31)
        await t.after(20)
        assert len(t.told("U0OLGA")) == 1


async def test_a_step_tells_its_channel_and_people_once() -> None:
    async with timed(steps=[STEP]) as t:
        ticket = await t.world.ask()
        await t.after(19)
        assert not t.world.emu.messages("bosses")
        await t.after(1)
        (notice,) = t.world.emu.messages("bosses")
        assert "Nobody has decided this yet" in notice.text
        assert "/?channel=approvals#p" in str(notice.current.blocks)
        assert len(t.told("U0NEWBIE")) == 1
        await t.again().after(5)
        assert len(t.world.emu.messages("bosses")) == len(t.told("U0NEWBIE")) == 1
        (step,) = (await t.world.ticket(ticket.id)).escalated
        assert (step.channel, step.people) == ("C0BOSS", (f"slack:{TEAM}/U0NEWBIE",))


async def test_a_step_tells_the_holders_of_its_roles_but_nobody_who_asked() -> None:
    async with timed(steps=[{"after": "20m", "roles": ["operator"]}]) as t:
        ticket = await t.world.ask()
        await t.after(20)
        assert len(t.told("U0OLGA")) == len(t.told("U0OTTO")) == 1
        assert not t.told("U0OWNER")
        (step,) = (await t.world.ticket(ticket.id)).escalated
        assert step.people == (PersonId(f"slack:{TEAM}/U0OLGA"), PersonId(f"slack:{TEAM}/U0OTTO"))


async def test_several_processes_and_a_restart_make_each_fact_and_each_message_once() -> None:
    async with timed(steps=[STEP]) as t:
        ticket = await t.world.ask()
        t.clock.pass_(31 * MINUTE)
        others = [t.again() for _ in range(4)]
        await asyncio.gather(*(other.after(0) for other in others))
        await t.again().after(0)
        stands = await t.world.ticket(ticket.id)
        assert (len(stands.reminders), len(stands.escalated)) == (1, 1)
        assert len(t.told("U0OLGA")) == len(t.world.emu.messages("bosses")) == 1


async def test_a_directory_that_does_not_answer_puts_a_reminder_off_and_loses_nothing() -> None:
    async with timed() as t:
        await t.world.ask()
        t.world.directory.forget_groups()
        fault = t.world.emu.faults.add(
            FaultKind.REFUSED, on="usergroups.users.list", error="fatal_error", times=50
        )
        await t.after(31)
        assert not t.told("U0OLGA")
        t.world.emu.faults.clear()
        assert fault.times
        await t.after(2)
        assert len(t.told("U0OLGA")) == 1


async def test_an_expiry_is_told_to_those_who_answer_for_the_request_only() -> None:
    async with timed() as t:
        asked = await t.world.ask(on_behalf_of=PersonId(f"slack:{TEAM}/U0NEWBIE"))
        t.clock.pass_(60 * MINUTE)
        await t.world.service.handle(cmd.ExpireTicket(ticket_id=asked.id))
        await t.after(0)
        for user in ("U0NEWBIE", "U0OWNER"):
            (message,) = t.told(user)
            assert message.text.startswith("Not decided in time")
            assert "Nothing was run" in str(message.current.blocks)
        assert not t.told("U0OLGA")


async def test_a_card_that_somebody_deleted_is_noticed_by_a_reminder_and_owed_again() -> None:
    async with timed() as t:
        await t.world.ask()
        board = t.world.emu.workspace.board
        board.keep(replace(t.world.card(), is_deleted=True))
        assert not t.world.cards()
        await t.after(31)
        await t.world.deliver()
        assert len(t.world.cards()) == 1


async def test_a_step_into_a_channel_that_outsiders_read_tells_nobody_there_until_it_is_not() -> (
    None
):
    async with timed(steps=[STEP]) as t:
        await t.world.ask()
        shared = replace(BOSS, is_ext_shared=True)
        t.world.emu.workspace.replace_channel(shared)
        await t.after(21)
        assert not t.world.emu.messages("bosses")
        assert len(t.told("U0NEWBIE")) == 1  # the people of the step are told all the same
        t.world.emu.workspace.replace_channel(BOSS)
        t.world.app.channels.forget_all()  # as Slack's event has it
        await t.after(2)
        assert len(t.world.emu.messages("bosses")) == 1
