"""Threat: who signs webhooks, or pretends to, takes the service or a sender's place in it."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.api.deps import Limits
from bot.api.pace import AT_ONCE
from bot.api.webhooks import AGENT, WINDOW_S
from governance.principal import Credential
from storage.memory.ledger import MemoryLedger
from tests.attacks.test_webhook_forgery import BODY, WHEN, delivered, signed_headers
from tests.integration.api.world import Got, World, running

SLOW = Limits(requests_per_s=1)


async def _send(world: World, webhook_id: str, who: str = "agent") -> Got:
    return await delivered(world, signed_headers(world, webhook_id=webhook_id, who=who, signer=who))


async def _until_refused(world: World) -> tuple[int, Got]:
    for number in range(3 * AT_ONCE):
        size = await world.size()
        told = await _send(world, f"msg_{number}")
        if told.status != 200:
            assert await world.size() == size
            return number, told
    raise AssertionError("never refused")


async def test_a_sender_is_paced_as_a_bearer_is_and_no_other_by_it():
    async with running(limits=SLOW) as world:
        for name in ("agent", "other"):
            await world.webhook_secret(name)
        number, told = await _until_refused(world)
        assert number >= AT_ONCE
        assert (told.status, told["code"]) == (429, "too_many_requests")
        assert int(told.headers["Retry-After"]) >= 1
        assert (await _send(world, "msg_1", "other")).status == 200
        assert (await world.get("jobs", "other")).status == 200
        bearer = await world.get("jobs", "agent")
        assert (bearer.status, bearer["code"]) == (429, "too_many_requests")  # one budget for both


async def test_bad_signatures_and_replays_spend_nothing_of_whom_they_name():
    async with running(limits=SLOW) as world:
        for name in ("agent", "other"):
            await world.webhook_secret(name)
        first = signed_headers(world)
        assert (await delivered(world, first)).status == 200
        forged = signed_headers(world, signer="other")
        for _ in range(3 * AT_ONCE):
            assert (await delivered(world, forged)).status == 401
            assert (await delivered(world, first)).status == 409
        for number in range(AT_ONCE - 1):
            assert (await _send(world, f"good_{number}")).status == 200


class _Counting(MemoryLedger):
    """How often a credential was looked up."""

    asked: Sequence[str] = ()

    async def credential(self, credential_id: str) -> Credential | None:
        self.asked = (*self.asked, credential_id)
        return await super().credential(credential_id)


async def test_a_bad_signature_asks_the_ledger_for_nothing():
    async with running(over=_Counting) as world:
        for name in ("agent", "other"):
            await world.webhook_secret(name)
        assert isinstance(world.ledger, _Counting)
        world.ledger.asked = ()
        assert (await delivered(world, signed_headers(world, signer="other"))).status == 401
        assert world.ledger.asked == ()
        assert (await delivered(world, signed_headers(world))).status == 200
        assert world.ledger.asked == (world.credentials["agent"].id,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (AGENT, ""),
        ("webhook-id", "../x"),
        ("webhook-timestamp", str(int(WHEN) - WINDOW_S - 1)),
        ("webhook-timestamp", str(int(WHEN) + WINDOW_S + 1)),
        ("webhook-signature", "v1,AAAA"),
        ("webhook-signature", "v2," + "A" * 44),
        ("webhook-signature", " ".join(["v1," + "A" * 43 + "="] * 9)),
    ],
)
async def test_headers_that_no_secret_could_sign_are_refused_before_the_body_comes(
    name: str, value: str
):
    async with running(limits=Limits(body_timeout_s=60)) as world:
        await world.webhook_secret("agent")
        headers = {**signed_headers(world), name: value, "Content-Length": str(len(BODY))}
        assert (await _without_body(world, headers)).startswith(b"HTTP/1.1 401")


async def _without_body(world: World, headers: dict[str, str]) -> bytes:
    """The first line of the answer to a request whose body never comes."""
    lines = [f"{key}: {said}" for key, said in {"Host": "localhost", **headers}.items()]
    head = "\r\n".join(["POST /webhooks/jobs HTTP/1.1", *lines, "", ""])
    reader, writer = await asyncio.open_connection(world.client.host, world.client.port)
    try:
        writer.write(head.encode("ascii"))
        async with asyncio.timeout(10):
            return await reader.readline()
    finally:
        writer.close()


async def test_a_body_that_is_signed_by_nobody_is_awaited_only_so_long():
    async with running(limits=Limits(body_timeout_s=0.05)) as world:
        headers = {**signed_headers_of_nobody(), "Content-Length": str(len(BODY))}
        assert (await _without_body(world, headers)).startswith(b"HTTP/1.1 408")


def signed_headers_of_nobody() -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": WHEN,
        "webhook-signature": "v1," + "A" * 43 + "=",
        AGENT: "0" * 16,
    }
