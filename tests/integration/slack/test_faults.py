"""What goes wrong between Slack and us: slow ledgers, lost answers, refusals, our own bugs."""

import asyncio

import pytest

from bot.emulator.faults import FaultKind
from bot.slack import names
from bot.slack.cards.view import load_card_view
from bot.slack.kit import limits
from bot.slack.sending.client import PermanentError, RateLimitedError, SlackConfig, TransientError
from governance.errors import InvalidInput
from governance.outbox import Place
from governance.tickets.ticket import Ticket
from tests.integration.slack.world import World


class Gate:
    """Holds votes back until it is opened."""

    def __init__(self, world: World) -> None:
        self._open = asyncio.Event()
        self._commit = world.ledger.commit
        world.ledger.commit = self._held  # type: ignore[method-assign]

    async def _held(self, keys: object, step: object) -> object:
        await self._open.wait()
        return await self._commit(keys, step)  # type: ignore[arg-type]

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def quick_ack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ACK_BUDGET_S", 0.05)


@pytest.mark.usefixtures("quick_ack")
async def test_a_click_is_acknowledged_before_a_slow_commit_and_counted_after_it(
    world: World,
) -> None:
    ticket = await world.ask()
    gate = Gate(world)
    result = await world.click("newbie", names.APPROVE, settle=False)
    assert result.status == 200
    assert not world.app.is_idle
    gate.open()
    await world.emu.settle()
    assert "no vote here" in str(world.emu.ephemerals("newbie")[-1].blocks)
    assert (await world.ticket(ticket.id)).votes == ()


@pytest.mark.usefixtures("quick_ack")
async def test_a_slow_form_first_says_that_it_works_and_then_what_came_of_it(world: World) -> None:
    await world.ask()
    await world.click("newbie", names.REJECT)
    form = world.emu.modal("newbie")
    assert form is not None
    gate = Gate(world)
    await world.emu.submit("newbie", form.id, {names.REASON_BLOCK: "no"}, settle=False)
    waiting = world.emu.modal("newbie")
    assert waiting is not None
    assert "Recording your vote" in str(waiting.blocks)
    gate.open()
    await world.emu.settle()
    done = world.emu.modal("newbie")
    assert done is not None
    assert "no vote here" in str(done.blocks)


@pytest.mark.usefixtures("quick_ack")
async def test_a_slow_command_is_answered_late_and_once(world: World) -> None:
    gate = Gate(world)
    result = await world.emu.command("olga", "/placet", "freeze all", settle=False)
    assert result.status == 200
    gate.open()
    await world.emu.settle()
    assert len(world.emu.ephemerals("olga")) == 1
    assert "is frozen" in str(world.emu.ephemerals("olga")[0].blocks)


@pytest.mark.usefixtures("quick_ack")
async def test_close_waits_for_what_was_begun(world: World) -> None:
    ticket = await world.ask()
    gate = Gate(world)
    await world.click("olga", names.APPROVE, settle=False)
    closing = asyncio.ensure_future(world.app.close())
    gate.open()
    await closing
    assert world.app.is_idle
    assert len((await world.ticket(ticket.id)).votes) == 1


async def test_a_bug_of_ours_is_a_200_and_a_word_to_the_person(world: World) -> None:
    await world.ask()

    async def broken(*_: object) -> object:
        raise ZeroDivisionError

    world.ledger.commit = broken  # type: ignore[method-assign]
    result = await world.click("olga", names.APPROVE)
    assert result.status == 200
    assert [e.blocks[0]["block_id"] for e in result.ephemerals] == ["placet.failed"]


async def test_a_button_that_carries_nonsense_is_refused_kindly(world: World) -> None:
    ticket = await world.ask()
    view = await load_card_view(world.ledger, ticket)
    bent = Place(channel="C0APPROVE", ts=world.card().ts, shown="")
    await world.app.publisher.publish_card(view, channel="C0APPROVE", place=bent)
    blocks = [
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "text": {"type": "plain_text", "text": "x"},
                    "action_id": action,
                    "value": "{nonsense",
                }
            ],
        }
        for action in (names.APPROVE, names.DETAILS, "nobody.listens")
    ]
    where, ts = await world.app.publisher.post_audit("x", channel="C0APPROVE", blocks=blocks)
    assert where == "C0APPROVE"
    for action in (names.APPROVE, names.DETAILS):
        result = await world.emu.click("olga", "approvals", ts, action)
        assert result.status == 200
        assert "placet.refused.invalid_field" in str(result.ephemerals)
    assert (await world.emu.click("olga", "approvals", ts, "nobody.listens")).status == 200


async def _publish(world: World, ticket: Ticket, *, place: Place | None = None) -> Place:
    view = await load_card_view(world.ledger, ticket)
    return await world.app.publisher.publish_card(view, channel="C0APPROVE", place=place)


async def test_a_rate_limit_says_when_to_come_back(world: World) -> None:
    ticket = await world.ask()
    world.emu.faults.add(FaultKind.RATE_LIMITED, on="chat.postMessage", retry_after_s=7)
    with pytest.raises(RateLimitedError) as failure:
        await _publish(world, ticket)
    assert failure.value.retry_after_s == 7
    assert len(world.cards()) == 1


@pytest.mark.parametrize(
    ("kind", "posted"),
    [
        (FaultKind.SERVER_ERROR, 1),
        (FaultKind.UNAVAILABLE, 1),
        (FaultKind.DROP_BEFORE, 1),
        (FaultKind.DROP_AFTER, 2),
    ],
)
async def test_an_uncertain_post_is_reported_as_such_and_never_repeated_here(
    world: World, kind: FaultKind, posted: int
) -> None:
    ticket = await world.ask()
    world.emu.faults.add(kind, on="chat.postMessage")
    with pytest.raises(TransientError) as failure:
        await _publish(world, ticket)
    assert failure.value.is_uncertain
    assert len(world.cards()) == posted


@pytest.mark.parametrize("error", ["not_in_channel", "is_archived", "invalid_auth"])
async def test_what_a_person_must_repair_is_permanent(world: World, error: str) -> None:
    ticket = await world.ask()
    world.emu.faults.add(FaultKind.REFUSED, on="chat.postMessage", error=error)
    with pytest.raises(PermanentError) as failure:
        await _publish(world, ticket)
    assert failure.value.code == error


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message"])
async def test_a_card_that_cannot_be_changed_is_posted_anew(world: World, error: str) -> None:
    ticket = await world.ask()
    place = await world.ledger.place(ticket.id)
    assert place is not None
    stale = Place(channel=place.channel, ts=place.ts, shown="older")
    world.emu.faults.add(FaultKind.REFUSED, on="chat.update", error=error)
    now = await _publish(world, ticket, place=stale)
    assert now.ts != place.ts
    assert len(world.cards()) == 2


GOOD = {"bot_token": "xoxb-1", "signing_secret": "s", "base_url": "https://slack.com/api/"}


@pytest.mark.parametrize(
    "changes",
    [
        {"signing_secret": ""},
        {"signing_secret": " "},
        {"bot_token": ""},
        {"bot_token": "xoxp-1"},
        {"app_token": "xoxb-1"},
        {"base_url": "https://slack.com/api"},
        {"base_url": "http://slack.com/api/"},
        {"bot_token": "xoxb-emulated-1"},
    ],
)
def test_settings_that_could_not_tell_a_forgery_are_refused(changes: dict[str, str]) -> None:
    SlackConfig(**GOOD).check()
    with pytest.raises(InvalidInput):
        SlackConfig(**{**GOOD, **changes}).check()


def test_secrets_are_not_in_the_representation() -> None:
    shown = repr(SlackConfig(bot_token="xoxb-hush", signing_secret="hush", app_token="xapp-hush"))
    assert "hush" not in shown
