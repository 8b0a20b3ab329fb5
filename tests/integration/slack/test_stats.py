"""``/placet stats`` and the weekly digest, over HTTP and the socket."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.emulator.faults import FaultKind
from bot.emulator.workspace import StoredFile
from bot.figures.plot_parts import Picture
from bot.slack import names
from bot.slack.commands.stats import NOT_SENT, SENT, FiguresDesk, _days
from bot.slack.sending.client import CallFailedError, PermanentError
from tests.integration.slack.world import TEAM, World, code_of, open_world

APPROVALS = "C0APPROVE"


def desk(world: World) -> FiguresDesk:
    found = world.app.extras.stats
    assert isinstance(found, FiguresDesk)
    return found


async def _decided(world: World) -> None:
    await world.ask()
    await world.click("olga", names.APPROVE)
    await world.click("rita", names.APPROVE)
    await world.ask(key="k-2")


def _files(world: World) -> list[StoredFile]:
    return [one for one in world.emu.workspace.files.values() if one.is_complete]


async def _asked(world: World, words: str = "stats", who: str = "olga") -> str:
    told = await world.emu.command(who, names.COMMAND, words, "approvals")
    return str([one.blocks for one in told.ephemerals])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One small picture, for tests that are not about drawing."""
    picture = Picture(name="one.png", title="One", alt="One.", png=b"\x89PNG")
    monkeypatch.setattr("bot.figures.plots.draw", lambda *_: (picture,))


@pytest.mark.parametrize("is_socket", [False, True])
async def test_figures_are_told_to_who_asked_and_drawn_into_the_channel(is_socket: bool) -> None:
    async with open_world(socket_mode=is_socket) as world:
        await _decided(world)
        shown = await _asked(world)
        assert "2 asked: 1 (50 %) approved, 1 waiting" in shown
        assert "2 votes of 2 people" in shown
        assert SENT in shown
        files = _files(world)
        assert len(files) == 6
        assert all(one.content.startswith(b"\x89PNG") for one in files)
        assert "2 decisions: 2 (100 %) REQUIRE_APPROVAL." in [one.alt_text for one in files]
        (posted,) = [one for one in world.emu.messages("approvals") if one.files]
        assert len(posted.files) == 6


async def test_pictures_call_people_by_name_and_whoever_cannot_be_asked_by_id(
    world: World,
) -> None:
    await _decided(world)
    now = datetime.now(UTC)
    figures = await desk(world)._gathered(now - timedelta(days=1), now + timedelta(hours=1))
    named = {f"slack:{TEAM}/U0OLGA": "Olga", f"slack:{TEAM}/U0RITA": "Rita"}
    assert await desk(world)._names(figures) == named
    world.emu.faults.add(FaultKind.REFUSED, on="users.info", error="user_not_found", times=2)
    assert await desk(world)._names(figures) == {}


async def test_who_has_no_role_is_told_no_figures(world: World) -> None:
    told = await world.emu.command("newbie", names.COMMAND, "stats", "approvals")
    assert code_of(told) == "forbidden"
    assert _files(world) == []


@pytest.mark.usefixtures("quick")
async def test_figures_are_counted_for_one_at_a_time(world: World) -> None:
    async with desk(world).turn:
        told = await world.emu.command("olga", names.COMMAND, "stats", "approvals")
        assert code_of(told) == "throttled"
    assert SENT in await _asked(world)


async def test_no_picture_goes_where_outsiders_read_along(world: World) -> None:
    await world.emu.set_channel("approvals", is_ext_shared=True)
    shown = await _asked(world)
    assert "shared with another organisation" in shown
    assert _files(world) == []
    with pytest.raises(PermanentError):
        await _digest(world)


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("files.getUploadURLExternal", "missing_scope"),
        ("files.completeUploadExternal", "not_in_channel"),
        ("conversations.info", "channel_not_found"),
    ],
)
@pytest.mark.usefixtures("quick")
async def test_the_words_come_though_the_pictures_do_not(
    world: World, method: str, error: str
) -> None:
    await _decided(world)
    world.emu.faults.add(FaultKind.REFUSED, on=method, error=error)
    shown = await _asked(world)
    assert NOT_SENT.format(reason=error) in shown
    assert "2 asked" in shown


async def test_without_the_extra_the_figures_are_told_in_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.figures.plots.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    await _decided(world)
    assert "placet[plots]" in await _asked(world)
    await _digest(world)
    assert "placet[plots]" in str(world.emu.messages("approvals")[-1].current.blocks)
    assert _files(world) == []


@pytest.mark.usefixtures("quick")
async def test_a_suggestion_says_what_to_try(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.advice.NEVER", 1)
    await world.ask()
    await world.click("olga", names.REJECT)
    form = world.emu.modal("olga")
    assert form is not None
    await world.emu.submit("olga", form.id, {names.REASON_BLOCK: "no"})
    shown = await _asked(world)
    assert "deploys-need-people: people approved 0 of 1. Try decision: deny" in shown
    assert "placet stats --suggest" in shown


async def _digest(world: World) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    await desk(world).digest(APPROVALS, since=until - timedelta(days=7), until=until)


@pytest.mark.usefixtures("quick")
async def test_a_digest_is_a_message_and_its_pictures(world: World) -> None:
    await _decided(world)
    await _digest(world)
    *_, words, pictures = world.emu.messages("approvals")
    assert "2 asked: 1 (50 %) approved, 1 waiting" in str(words.current.blocks)
    assert len(pictures.files) == 1


@pytest.mark.usefixtures("quick")
async def test_a_digest_that_cannot_be_posted_is_not_taken_for_sent(world: World) -> None:
    world.emu.faults.add(FaultKind.REFUSED, on="chat.postMessage", error="is_archived")
    with pytest.raises(CallFailedError):
        await _digest(world)
    world.emu.faults.add(FaultKind.REFUSED, on="files.completeUploadExternal", error="fatal_error")
    await _digest(world)  # the words are there: that counts
    assert "How approving went" in str(world.emu.messages("approvals")[-1].current.blocks)


@pytest.mark.parametrize(
    ("typed", "days"),
    [("", 7), ("30", 30), ("30 days", 30), ("0", 1), ("999", 366), ("9999", 7), ("-3", 7),
     ("\u0663", 7), ("x", 7)],
)  # fmt: skip
def test_so_many_days_back_as_were_typed(typed: str, days: Any) -> None:
    assert _days(typed) == timedelta(days=days)
