"""Every action, form, shortcut, menu, word and event that the app answers, over both transports.

Lives here: one short story for each room of the app, and the law that nothing is left out: what a
listener is registered for, a story has to bring. What each of them means is told in detail by the
other tests of this folder.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.emulator.journal import Delivery
from bot.emulator.view_desk import View
from bot.slack import names
from bot.slack.commands import break_glass, lending, picking
from bot.slack.commands.commands import WORDS
from bot.slack.home import bulk_view
from governance.action import Content
from governance.ports import TicketQuery
from governance.tickets.ticket import TicketState
from tests.integration.slack.inbox_world import INBOX_BUNDLE
from tests.integration.slack.stage import STAGED, Stage, open_stage, said_in
from tests.integration.slack.world import TRANSPORTS, code_of

Story = Callable[[Stage], Awaitable[None]]
STORIES: dict[str, tuple[Story, frozenset[str]]] = {}
FEATURES = frozenset(
    {
        *names.ACTIONS,
        *names.FORMS,
        *names.SHORTCUTS,
        names.PICK_TICKET,
        *names.EVENTS,
        *(f"{names.COMMAND} {word}" for word in WORDS),
    }
)
BUNDLE: dict[str, Any] = STAGED | {
    name: INBOX_BUNDLE[name] for name in ("delegation", "constraints", "emergency")
}
WHY = {names.REASON_BLOCK: "seen on the console"}
HUGE = Content(arguments={"sql": "insert into t values (1, 'x');\n" * 8_000})


def story(said: str, *brings: str) -> Callable[[Story], Story]:
    """Tell one of them; ``brings``: all that Slack then sends."""

    def add(told: Story) -> Story:
        assert said not in STORIES, said
        STORIES[said] = (told, frozenset(brings))
        return told

    return add


def feature(sent: Delivery) -> str:
    """What a delivery is about, by the name under which it is registered."""
    body = sent.payload
    match sent.name:
        case "block_actions":
            return str(body["actions"][0]["action_id"])
        case "view_submission":
            return str(body["view"]["callback_id"])
        case "block_suggestion":
            return str(body["action_id"])
        case names.COMMAND:
            return f"{sent.name} {str(body['text']).split(' ', 1)[0]}"
        case name:
            return str(body.get("callback_id", name))


def form(stage: Stage, user: str) -> View:
    found: View | None = stage.emu.modal(user)
    assert found is not None, f"{user} has no form before them"
    return found


def home(stage: Stage, user: str) -> View:
    found: View | None = stage.emu.home(user)
    assert found is not None
    return found


async def press(stage: Stage, user: str, *action_ids: str) -> None:
    """Press buttons in the form on top, one after the other."""
    for action_id in action_ids:
        await stage.emu.click_view(user, form(stage, user).id, action_id)


async def typed(stage: Stage, user: str, words: str) -> str:
    """Type words behind the command; what was answered."""
    return said_in(await stage.emu.command(user, names.COMMAND, words))


@story(
    "a request is approved, taken back and rejected",
    *(names.APPROVE, names.WITHDRAW, names.REJECT, names.BALLOT_VIEW),
)
async def _decided(stage: Stage) -> None:
    await stage.ask()
    await stage.click("olga", names.APPROVE)
    assert len((await stage.ticket()).votes) == 1
    await stage.show()
    await stage.click("olga", names.WITHDRAW)
    assert (await stage.ticket()).votes == ()
    await stage.click("olga", names.REJECT)
    await stage.fill("olga", WHY)
    assert (await stage.ticket()).state is TicketState.REJECTED


@story("an approval says why", names.APPROVE_WITH_COMMENT, names.BALLOT_VIEW)
async def _commented(stage: Stage) -> None:
    await stage.ask("job.commented")
    await stage.click("olga", names.APPROVE_WITH_COMMENT)
    await stage.fill("olga", WHY)
    assert len((await stage.ticket()).votes) == 1


@story("what was approved is stopped", names.APPROVE, names.STOP)
async def _stopped(stage: Stage) -> None:
    await stage.approved()
    await stage.click("otto", names.STOP)
    assert (await stage.ticket()).state is TicketState.REJECTED


@story(
    "the whole is read page by page and as a file",
    *(names.DETAILS, names.FIRST_PAGE, names.NEXT_PAGE, names.PREVIOUS_PAGE),
    *(names.SEND_FILE, names.FILE_READ),
)
async def _read(stage: Stage) -> None:
    await stage.ask(content=HUGE)
    await stage.click("roy", names.DETAILS)
    await press(stage, "roy", names.FIRST_PAGE, names.NEXT_PAGE)
    assert "Page 2 of " in str(form(stage, "roy").blocks)
    await press(stage, "roy", names.PREVIOUS_PAGE)
    assert "Page 1 of " in str(form(stage, "roy").blocks)
    await stage.emu.close_view("roy", form(stage, "roy").id)
    await stage.click("roy", names.DETAILS)
    await press(stage, "roy", names.SEND_FILE)
    [private] = [c for c in stage.emu.workspace.channels.values() if c.im_user == "U0ROY"]
    offered = stage.emu.messages(private.id)[-1]
    await stage.emu.click("roy", private.id, offered.ts, names.FILE_READ)
    assert [one.person for one in (await stage.ticket()).full_views] == [await stage.person("roy")]


@story("a receipt of a vote waits for a checkpoint", names.APPROVE, names.DETAILS, names.RECEIPT)
async def _receipt(stage: Stage) -> None:
    await stage.ask()
    await stage.click("olga", names.APPROVE)
    await stage.click("olga", names.DETAILS)
    await press(stage, "olga", names.RECEIPT)
    assert form(stage, "olga").blocks[0]["block_id"] == "placet.notice.not_checkpointed"


@story(
    "what became of a run is told by two",
    *(names.APPROVE, names.TOOK_EFFECT, names.NO_EFFECT, names.DEED_VIEW),
)
async def _resolved(stage: Stage) -> None:
    await stage.unknown()
    await stage.click("olga", names.TOOK_EFFECT)
    await stage.fill("olga", WHY)
    for user in ("otto", "roy"):
        await stage.show()
        await stage.click(user, names.NO_EFFECT)
        await stage.fill(user, WHY)
    assert (await stage.kinds())["OutcomeAttested"] == 3
    assert (await stage.ticket()).state is TicketState.PENDING  # two of the three agree


@story(
    "an output that is held back is discarded by one and released by nobody",
    *(names.APPROVE, names.RELEASE_OUTPUT, names.DISCARD_OUTPUT, names.DEED_VIEW),
)
async def _held(stage: Stage) -> None:
    await stage.held_back(b"AKIAIOSFODNN7EXAMPLE\n")
    await stage.click("otto", names.RELEASE_OUTPUT)
    await stage.click("olga", names.DISCARD_OUTPUT)
    await stage.fill("olga", WHY)
    assert "moved on" in str((await stage.fill("otto", WHY)).errors)
    assert (await stage.kinds())["OutputDiscarded"] == 1


@story(
    "the home tab turns its pages and decides like requests side by side",
    *("app_home_opened", names.HOME_MORE, names.HOME_FIRST),
    *(names.BULK, names.BULK_REFRESH, names.BULK_VIEW),
)
async def _home(stage: Stage) -> None:
    for number in range(9):
        await stage.ask(key=f"k-{number}", target=f"web-{number}")
    await stage.emu.open_home("olga")
    first = str(home(stage, "olga").blocks)
    for action_id in (names.HOME_MORE, names.HOME_FIRST):
        await stage.emu.click_view("olga", home(stage, "olga").id, action_id)
    assert str(home(stage, "olga").blocks) == first
    await stage.emu.click_view("olga", home(stage, "olga").id, names.BULK)
    await press(stage, "olga", names.BULK_REFRESH)
    await stage.fill("olga", {bulk_view.box_id(0): ["0"]})
    assert str(form(stage, "olga").blocks).count("Your vote counts") == 1


@story(
    "a voice is lent on the home tab and taken back",
    *("app_home_opened", names.DELEGATE, names.DELEGATE_VIEW, names.END_DELEGATION),
)
async def _lent(stage: Stage) -> None:
    await stage.emu.open_home("olga")
    await stage.emu.click_view("olga", home(stage, "olga").id, names.DELEGATE)
    await stage.fill("olga", {lending.WHO_BLOCK: "U0NEWBIE", **WHY})
    service, olga = stage.world.service, await stage.person("olga")
    assert len(await service.delegations(olga)) == 1
    await stage.emu.open_home("olga")
    await stage.emu.click_view("olga", home(stage, "olga").id, names.END_DELEGATION)
    assert not await service.delegations(olga)


@story("a ticket is picked while typing", "/placet status", names.PICK_TICKET, names.PICK_VIEW)
async def _picked(stage: Stage) -> None:
    ticket = await stage.ask()
    await typed(stage, "olga", "status")
    [offered] = await stage.emu.suggest("olga", form(stage, "olga").id, names.PICK_TICKET, "WEB")
    await stage.fill("olga", {picking.PICK_BLOCK: offered["value"]})
    assert ticket.id in str(form(stage, "olga").blocks)


@story(
    "every word is answered",
    names.EMERGENCY_VIEW,
    *(f"{names.COMMAND} {word}" for word in WORDS),
)
async def _words(stage: Stage) -> None:
    ticket = await stage.ask()
    answers = {
        "help": "You can type",
        "list": ticket.id,
        "mine": ticket.id,
        f"status {ticket.id}": ticket.id,
        f"why {ticket.id}": "deploys-need-people",
        "delegate @newbie 2d on leave": "votes in your name",
        "stats": "How approving went",
        "freeze deploy-bot odd": "is frozen",
        "unfreeze deploy-bot": "second person",
    }
    for words, answer in answers.items():
        assert answer in await typed(stage, "olga", words), words
    assert "no longer frozen" in await typed(stage, "otto", "unfreeze deploy-bot")
    await typed(stage, "olga", "break-glass")
    await stage.fill(
        "olga",
        {
            break_glass.WHICH_BLOCK: "failover",
            break_glass.TOPIC_BLOCK: "job.failover",
            break_glass.TARGET_BLOCK: "db-1",
            **WHY,
        },
    )
    asked = await stage.world.ledger.tickets(TicketQuery())
    assert {one.ask.topic for one in asked} == {"job.deploy", "job.failover"}


@story("shortcuts open the inbox and the details of a card", *names.SHORTCUTS)
async def _shortcuts(stage: Stage) -> None:
    ticket = await stage.ask()
    await stage.emu.shortcut("olga", names.SHORTCUT_INBOX)
    assert ticket.id in str(form(stage, "olga").blocks)
    card = stage.world.card().ts
    await stage.emu.message_shortcut("otto", "approvals", card, names.SHORTCUT_DETAILS)
    assert ticket.binding in str(form(stage, "otto").blocks)


@story(
    "what changes in the workspace is believed at once",
    *(names.APPROVE, *names.ACCOUNT_EVENTS, *names.GROUP_EVENTS, *names.CHANNEL_EVENTS),
)
async def _changes(stage: Stage) -> None:
    await stage.ask()
    await stage.emu.set_user("olga", is_restricted=True)
    assert code_of(await stage.click("olga", names.APPROVE)) == "voter_is_guest"
    await stage.emu.set_usergroup("S0REVIEW", "U0RITA")
    assert code_of(await stage.click("roy", names.APPROVE)) == "wrong_role"
    for event in ("team_join", "subteam_created", "subteam_updated"):
        told = {"user": {"id": "U0ROY"}} if event == "team_join" else {"subteam": {"id": "S0"}}
        assert await stage.emu.event(event, **told)
    await stage.emu.set_channel("approvals", is_ext_shared=True)
    await stage.emu.set_channel("approvals", is_ext_shared=False)


def test_nothing_that_the_app_answers_is_left_out() -> None:
    assert frozenset().union(*(brings for _, brings in STORIES.values())) == FEATURES


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("said", STORIES)
async def test_every_feature_is_driven_over_both_transports(
    said: str, transport: str, tmp_path: Path
) -> None:
    told, brings = STORIES[said]
    async with open_stage(tmp_path, transport=transport, bundle=BUNDLE) as stage:
        await told(stage)
        sent = [one for one in stage.emu.deliveries() if one.kind != "url_verification"]
        assert {feature(one) for one in sent} == brings
        assert {(one.transport, one.status) for one in sent} == {(transport, 200)}
        users = ("olga", "otto", "rita", "roy", "newbie")
        shown = [one.blocks for user in users for one in stage.emu.ephemerals(user)]
        assert "placet.failed" not in str(shown)
