"""The same over Socket Mode."""

from bot.slack import names
from tests.integration.slack.world import World, code_of


async def test_a_round_trip_over_the_socket(socket_world: World) -> None:
    world = socket_world
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    assert code_of(await world.click("newbie", names.APPROVE)) == "wrong_role"
    await world.click("otto", names.REJECT)
    form = world.emu.modal("otto")
    assert form is not None
    sent = await world.emu.submit("otto", form.id, {names.REASON_BLOCK: " "})
    assert "Please say why" in sent.errors[names.REASON_BLOCK]
    await world.emu.submit("otto", form.id, {names.REASON_BLOCK: "no"})
    assert (await world.ticket(ticket.id)).state == "REJECTED"
    shown = await world.emu.command("olga", "/placet", "list")
    assert "Nothing is open" in str(shown.ephemerals[0].blocks)


async def test_http_is_refused_in_socket_mode(socket_world: World) -> None:
    world = socket_world
    async with world.session.post(world.url, data=b"{}") as answer:
        assert answer.status == 503
