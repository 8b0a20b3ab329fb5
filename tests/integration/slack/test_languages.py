"""What one person sees is in their language, what a channel sees in the operator's."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.compose.emergencies import told_of
from bot.compose.undelivered import Undelivered
from bot.emulator.acts import ActResult
from bot.emulator.faults import FaultKind
from bot.settings import Language
from bot.slack import names
from bot.slack.commands.stats import FiguresDesk
from bot.slack.kit.language import speaking
from governance.outbox import Backlog, OwedKind
from governance.tickets.ticket import TicketState
from storage.memory.ledger import MemoryLedger
from tests.integration.slack.test_speaking import ADA, BEN, CARDS, running
from tests.integration.slack.world import RealClock, World, code_of


def said(result: ActResult) -> str:
    return json.dumps([one.blocks for one in result.ephemerals], ensure_ascii=False)


def shown(world: World, user: str) -> str:
    modal = world.emu.modal(user)
    assert modal is not None
    return json.dumps(modal.body, ensure_ascii=False)


async def test_each_reads_their_own_language_and_the_card_stays_in_the_channels(
    world: World,
) -> None:
    await world.emu.set_user("olga", locale="de-DE")
    await world.ask()
    assert "Sie können tippen" in said(await world.emu.command("olga", "/placet", "help"))
    assert "You can type" in said(await world.emu.command("rita", "/placet", "help"))
    await world.click("olga", names.DETAILS)
    assert "Das ist alles. Das Ticket ist offen." in shown(world, "olga")
    await world.click("rita", names.DETAILS)
    assert "This is all of it. The ticket is pending." in shown(world, "rita")
    await world.click("olga", names.APPROVE)
    await world.deliver()
    card = json.dumps(world.card().current.blocks, ensure_ascii=False)
    assert "approved as operator" in card
    assert "zugestimmt" not in card


async def test_a_refusal_keeps_its_code_and_is_told_in_the_persons_language(world: World) -> None:
    await world.emu.set_user("newbie", locale="de-AT")
    await world.ask()
    result = await world.click("newbie", names.APPROVE)
    assert code_of(result) == "wrong_role"
    assert "Ihre Roll" in said(result)


async def test_a_form_that_stays_open_says_why_in_the_persons_language(world: World) -> None:
    await world.emu.set_user("olga", locale="de-DE")
    await world.ask()
    await world.click("olga", names.REJECT)
    assert "Diese Aktion ablehnen" in shown(world, "olga")
    modal = world.emu.modal("olga")
    assert modal is not None
    result = await world.emu.submit("olga", modal.id, {names.REASON_INPUT: " "})
    assert "Bitte sagen Sie, warum" in str(result)


async def test_the_home_tab_is_in_the_persons_language(world: World) -> None:
    await world.emu.set_user("olga", locale="de-DE")
    await world.ask()
    german = await world.emu.open_home("olga")
    english = await world.emu.open_home("rita")
    assert german is not None
    assert english is not None
    assert "Wartet auf Sie (1)" in json.dumps(german.body, ensure_ascii=False)
    assert "Waiting for you" in json.dumps(english.body)


async def test_a_change_of_the_account_is_heard(world: World) -> None:
    assert "You can type" in said(await world.emu.command("olga", "/placet", "help"))
    await world.emu.set_user("olga", locale="de-DE")
    assert "Sie können tippen" in said(await world.emu.command("olga", "/placet", "help"))
    await world.emu.set_user("olga", locale="ja-JP")
    assert "You can type" in said(await world.emu.command("olga", "/placet", "help"))


@pytest.mark.slow
async def test_cards_are_in_the_language_of_the_setting_whoever_acts_on_them(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, language=Language.GERMAN) as service:
        ticket = await service.ask()
        await service.until(lambda: service.card(ticket))
        card = service.card(ticket)
        assert card is not None
        assert "Wartet auf Zustimmung" in str(card.current.blocks)
        service.emu.faults.add(FaultKind.RATE_LIMITED, on="chat.update", retry_after_s=600)
        other = await service.ask(1)
        await service.until(lambda: service.card(other))
        await service.approve(other, ADA)  # its update meets the 429: what follows is the click's
        await service.until(lambda: any(c.status == 429 for c in service.emu.calls("chat.update")))
        await service.emu.click(ADA, CARDS, card.ts, names.APPROVE)
        now = service.card(ticket)
        assert now is not None
        assert "hat als operator zugestimmt" in str(now.current.blocks)
        again = await service.emu.click(ADA, CARDS, card.ts, names.APPROVE)
        assert "Your vote was counted already." in said(again)  # her account says en-US
        await service.emu.click(BEN, CARDS, card.ts, names.APPROVE)
        assert await service.state(ticket) is TicketState.APPROVED
        final = service.card(ticket)
        assert final is not None
        assert final.text.startswith("Genehmigt")


async def test_a_refusal_that_names_something_is_wholly_in_the_persons_language(
    world: World,
) -> None:
    await world.emu.set_user("newbie", locale="de-DE")
    await world.emu.set_user("olga", locale="de-DE")
    await world.ask()
    told = said(await world.click("newbie", names.APPROVE))
    assert "(über Stufe high entscheiden: operator, reviewer)" in told
    result = await world.emu.command("olga", "/placet", "unfreeze Running now.")
    assert code_of(result) == "not_found"
    assert "(Running ist nicht gesperrt)" in said(result)  # a name, whatever it reads like


async def test_why_is_told_in_the_persons_language(world: World) -> None:
    await world.emu.set_user("olga", locale="de-DE")
    ticket = await world.ask()
    told = said(await world.emu.command("olga", "/placet", f"why {ticket.id}"))
    assert "Regeln, " in told
    assert "treffen zu" in told
    assert " of the rules" not in told
    english = said(await world.emu.command("rita", "/placet", f"why {ticket.id}"))
    assert " match." in english


async def test_figures_are_in_the_persons_language_and_pictures_in_the_channels(
    world: World,
) -> None:
    await world.emu.set_user("olga", locale="de-DE")
    await world.ask()
    told = said(await world.emu.command("olga", "/placet", "stats", "approvals"))
    assert "1 Mal, davon 1 wartend" in told
    assert "Die Bilder sind in diesem Channel." in told
    alone = {one.alt_text for one in world.emu.workspace.files.values()}
    assert "1 decisions: 1 (100 %) REQUIRE_APPROVAL." in alone


async def test_the_weekly_figures_are_in_the_language_of_the_channels(world: World) -> None:
    desk = world.app.extras.stats
    assert isinstance(desk, FiguresDesk)
    await world.ask()
    until = datetime.now(UTC) + timedelta(hours=1)
    german = replace(desk, language="de")
    await german.digest("C0APPROVE", since=until - timedelta(days=7), until=until)
    *_, words, pictures = world.emu.messages("approvals")
    assert "1 Mal, davon 1 wartend" in str(words.current.blocks)
    files = [world.emu.workspace.files[one] for one in pictures.files]
    assert "1 Entscheidungen: 1 (100 %) Zustimmung nötig." in {one.alt_text for one in files}


async def test_what_does_not_arrive_is_told_in_the_persons_language_and_in_english_over_http(
    world: World,
) -> None:
    outbox = StuckOutbox()
    assert world.app.homes is not None
    object.__setattr__(world.app.homes.home, "troubles", partial(told_of, outbox))
    await world.emu.set_user("olga", locale="de-DE")
    german = await world.emu.open_home("olga")
    english = await world.emu.open_home("rita")
    assert german is not None
    assert english is not None
    told = json.dumps(german.body, ensure_ascii=False)
    assert "Aufgegeben: 2 Karten (is_archived); ein neuer Versuch folgt" in told
    assert "Heben Sie die Archivierung des Channels auf" in told
    assert "2 cards was given up (is_archived)" in json.dumps(english.body)
    watched = Undelivered(outbox)
    with speaking("de"):
        await watched.look()
    (note,) = watched.told
    assert note.startswith("delivery: 2 cards was given up (is_archived)")


class StuckOutbox(MemoryLedger):
    """An outbox with cards that nobody can be shown."""

    def __init__(self) -> None:
        super().__init__(RealClock())

    async def backlog(self) -> Sequence[Backlog]:
        error = "chat.postMessage: is_archived"
        return [Backlog(kind=OwedKind.CARD, error=error, count=2, is_dead=True)]
