"""Forged, replayed and stale webhook deliveries."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.api.webhooks import AGENT, WINDOW_S, signature_of
from governance.administration import Administration
from governance.principal import TenantId
from tests.integration.api.world import MERGE, Got, World, running
from tests.support.core import FakeSigner

BODY = json.dumps(MERGE).encode()
WHEN = "1772355600"  # the world's clock stands here


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as made:
        await made.webhook_secret("agent")
        await made.webhook_secret("other")
        assert str(int(made.clock.now().timestamp())) == WHEN
        yield made


def signed_headers(
    world: World,
    *,
    webhook_id: str = "msg_1",
    at: str = WHEN,
    body: bytes = BODY,
    who: str = "agent",
    signer: str = "agent",
) -> dict[str, str]:
    secret = world.secrets.by_id[world.credentials[signer].id]
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": at,
        "webhook-signature": signature_of(secret, webhook_id=webhook_id, timestamp=at, body=body),
        AGENT: world.credentials[who].id,
    }


async def delivered(world: World, headers: dict[str, str], body: bytes = BODY) -> Got:
    return await world.post("/webhooks/jobs", "", data=body, headers=headers)


async def test_a_signed_delivery_is_the_job_that_its_agent_would_have_sent(world: World):
    told = await delivered(world, signed_headers(world))
    assert (told.status, told["status"]) == (200, "approval_required")
    ask = (await world.ticket(told["job_id"])).ask
    assert (ask.agent, ask.idempotency_key) == ("merge-bot", "webhook:msg_1")
    assert (await world.get(f"jobs/{told['job_id']}")).status == 200


async def test_an_identical_delivery_is_a_replay_and_a_signed_retry_finds_its_job(world: World):
    first = await delivered(world, signed_headers(world))
    again = await delivered(world, signed_headers(world))
    assert (again.status, again["code"]) == (409, "replayed")
    world.clock.pass_(5)
    retry = await delivered(world, signed_headers(world, at=str(int(WHEN) + 5)))
    assert (retry.status, retry["job_id"], retry["is_repeat"]) == (200, first["job_id"], True)


async def test_a_replay_after_the_cache_forgot_it_is_too_old(world: World):
    headers = signed_headers(world)
    await delivered(world, headers)
    world.clock.pass_(WINDOW_S + 1)
    assert (await delivered(world, headers)).status == 401


async def test_a_delivery_that_made_no_job_may_be_sent_again(world: World):
    body = json.dumps({"topic": "job.notify"}).encode()
    assert (await delivered(world, signed_headers(world, body=body), body)).status == 200
    late = signed_headers(world, webhook_id="msg_2", body=body)
    assert (await delivered(world, late, body)).status == 429
    assert (await delivered(world, late, body)).status == 429
    world.clock.pass_(61)
    assert (await delivered(world, late, body)).status == 200


async def test_one_id_with_another_body_is_a_conflict(world: World):
    await delivered(world, signed_headers(world))
    body = json.dumps({**MERGE, "prompt": "else"}).encode()
    told = await delivered(world, signed_headers(world, body=body), body)
    assert (told.status, told["code"]) == (409, "idempotency_conflict")


def _cases(world: World) -> dict[str, dict[str, str]]:
    good = signed_headers(world)
    raw = base64.b64decode(good["webhook-signature"].removeprefix("v1,"))
    flipped = base64.b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode()
    return {
        "another agent's secret": signed_headers(world, signer="other"),
        "another agent named": signed_headers(world, who="other"),
        "no agent": {**good, AGENT: ""},
        "unknown agent": {**good, AGENT: "0" * 16},
        "agent with a path": {**good, AGENT: "../x"},
        "no signature": {**good, "webhook-signature": ""},
        "flipped bit": {**good, "webhook-signature": f"v1,{flipped}"},
        "cut": {**good, "webhook-signature": "v1," + base64.b64encode(raw[:31]).decode()},
        "empty v1": {**good, "webhook-signature": "v1,"},
        "other version": {
            **good,
            "webhook-signature": good["webhook-signature"].replace("v1", "v2"),
        },
        "asymmetric version": {
            **good,
            "webhook-signature": "v1a," + base64.b64encode(raw).decode(),
        },
        "hex": {**good, "webhook-signature": "v1," + raw.hex()},
        "no base64": {**good, "webhook-signature": "v1,####"},
        "not ascii": {**good, "webhook-signature": "v1,\u00e9\u00e9"},
        "hundreds": {**good, "webhook-signature": " ".join(["v1,AAAA"] * 300)},
        "other id": {**good, "webhook-id": "msg_2"},
        "dot moved into the id": {**good, "webhook-id": f"msg_1.{WHEN}"},
        "no id": {**good, "webhook-id": ""},
        "long id": {**good, "webhook-id": "a" * 129},
        "other time": {**good, "webhook-timestamp": str(int(WHEN) + 1)},
        "no time": {**good, "webhook-timestamp": ""},
        "time with a sign": {**good, "webhook-timestamp": f"+{WHEN}"},
        "time is a fraction": {**good, "webhook-timestamp": f"{WHEN}.0"},
        "5000 digits of time": {**good, "webhook-timestamp": "9" * 5_000},
        "odd digits of time": {**good, "webhook-timestamp": "\u0661" * 10},
        "too old": signed_headers(world, at=str(int(WHEN) - WINDOW_S - 1)),
        "too new": signed_headers(world, at=str(int(WHEN) + WINDOW_S + 1)),
    }


async def test_every_forgery_gets_the_same_401_and_no_job(world: World):
    size, answers = await world.size(), set()
    for name, headers in _cases(world).items():
        told = await delivered(world, headers)
        assert told.status == 401, name
        answers.add(told["error"])
    assert len(answers) == 1
    assert await world.size() == size


async def test_a_changed_body_is_not_what_was_signed(world: World):
    for body in (BODY + b" ", BODY.replace(b"merge it", b"merge me"), b""):
        assert (await delivered(world, signed_headers(world), body)).status == 401


async def test_one_good_signature_among_rotated_ones_is_enough(world: World):
    headers = signed_headers(world)
    headers["webhook-signature"] = "v1,AAAA v2,BBBB " + headers["webhook-signature"]
    assert (await delivered(world, headers)).status == 200


async def test_edges_of_the_window_still_pass(world: World):
    for number, offset in enumerate((-WINDOW_S, WINDOW_S)):
        headers = signed_headers(world, webhook_id=f"edge_{number}", at=str(int(WHEN) + offset))
        assert (await delivered(world, headers)).status == 200


async def test_a_revoked_or_unfit_credential_signs_nothing(world: World):
    await world.webhook_secret("reader")
    told = await delivered(world, signed_headers(world, who="reader", signer="reader"))
    assert (told.status, told["code"]) == (403, "forbidden")
    await world.administration.revoke(world.credentials["agent"].id, actor="test")
    assert (await delivered(world, signed_headers(world))).status == 401


async def test_a_signed_body_is_still_read_strictly(world: World):
    size = await world.size()
    for number, body in enumerate((b'{"topic": "a", "topic": "b"}', b"[]", b"\xff", b"{} x")):
        told = await delivered(
            world, signed_headers(world, webhook_id=f"m{number}", body=body), body
        )
        assert told.status == 400
    text = {**signed_headers(world), "Content-Type": "text/plain"}
    assert (await delivered(world, text)).status == 415
    assert await world.size() == size


async def test_a_bearer_token_is_no_signature(world: World):
    told = await world.post("/webhooks/jobs", "agent", MERGE)
    assert told.status == 401


async def test_whoever_has_no_secret_is_not_proven_by_an_empty_one(world: World):
    world.secrets.by_id[world.credentials["redeemer"].id] = b""
    headers = signed_headers(world, who="redeemer", signer="redeemer")
    assert (await delivered(world, headers)).status == 401
    del world.secrets.by_id[world.credentials["redeemer"].id]
    assert (await delivered(world, headers)).status == 401


async def test_a_credential_of_another_tenant_signs_nothing_here(world: World):
    tenant = TenantId("elsewhere")
    stranger = replace(world.credentials["agent"], id="0" * 16, tenant=tenant)
    elsewhere = Administration(
        ledger=world.ledger,
        reader=world.ledger,
        clock=world.clock,
        signer=FakeSigner(),
        tenant=tenant,
    )
    await elsewhere.issue(stranger, actor="test")
    world.credentials["stranger"] = stranger
    await world.webhook_secret("stranger")
    assert await world.ledger.credential(stranger.id) == stranger
    told = await delivered(world, signed_headers(world, who="stranger", signer="stranger"))
    assert told.status == 401
