"""Stolen, forged and misused credentials at the HTTP door."""

import json
from collections.abc import AsyncIterator

import pytest

from bot.api.auth import make_token
from governance.principal import AgentId, Scope, TenantId
from tests.integration.api.world import MERGE, OLGA, T0, TENANT, World, agent, running

READS = ("jobs", "approvals", "audit/head", "jobs/x", "traces/x", "approvals/x", "jobs/x/decisions")
WRITES = (
    "jobs",
    "jobs/x/cancel",
    "jobs/x/consume",
    "jobs/x/outcome",
    "approvals/x/approve",
    "approvals/x/reject",
    "policy/evaluate",
    "policy/explain",
    "policy/simulate",
    "freeze",
    "unfreeze",
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as made:
        yield made


async def test_no_route_but_the_probes_answers_without_a_credential(world: World):
    for path in READS:
        told = await world.get(path, "")
        assert (told.status, told["code"]) == (401, "unauthenticated"), path
        assert told.headers["WWW-Authenticate"].startswith("Bearer")
    for path in WRITES:
        assert (await world.post(path, "", {})).status == 401, path


def _forgeries(token: str, other: str) -> dict[str, str]:
    _, name, secret = token.split("_", 2)
    flipped = ("A" if secret[0] != "A" else "B") + secret[1:]
    return {
        "empty": "",
        "no prefix": f"{name}_{secret}",
        "wrong prefix": f"xoxb_{name}_{secret}",
        "wrong case of the prefix": f"PLT_{name}_{secret}",
        "unknown id": f"plt_{'0' * 16}_{secret}",
        "another's secret": f"plt_{name}_{other.split('_', 2)[2]}",
        "one character off": f"plt_{name}_{flipped}",
        "cut": token[:-1],
        "longer": token + "A",
        "only the id": f"plt_{name}_",
        "upper-case id": f"plt_{name[:-1].upper()}A_{secret}",
        "path in the id": f"plt_../{name}_{secret}",
        "quote in the id": f"plt_'or'1'='1'--_{secret}",
        "with a space": f"plt_{name}_{secret[:20]} {secret[20:]}",
        "not ascii": f"plt_{name}_{secret[:-1]}\u00e9",
        "very long": "plt_" + "a" * 7_000,
        "twice": f"{token},{token}",
    }


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_a_forged_token_gets_one_answer_whatever_is_wrong_with_it(world: World, header: str):
    size, answers = await world.size(), set()
    for name, forged in _forgeries(world.tokens["agent"], world.tokens["other"]).items():
        value = f"Bearer {forged}" if header == "Authorization" else forged
        told = await world.post("jobs", "", MERGE, headers={header: value})
        assert told.status == 401, name
        answers.add((told["error"], told["code"]))
    assert len(answers) == 1
    assert await world.size() == size


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer:", ""])
async def test_another_scheme_is_no_bearer(world: World, scheme: str):
    value = f"{scheme} {world.tokens['agent']}".strip()
    told = await world.get("jobs", "", headers={"Authorization": value})
    assert told.status == 401


async def test_a_token_in_the_query_is_not_read(world: World):
    told = await world.get(f"jobs?access_token={world.tokens['agent']}", "")
    assert told.status == 401


async def test_a_revoked_token_is_refused_at_once(world: World):
    assert (await world.get("jobs")).status == 200
    await world.administration.revoke(world.credentials["agent"].id, actor="test")
    assert (await world.get("jobs")).status == 401


async def test_the_digest_of_a_secret_is_no_secret(world: World):
    credential = world.credentials["agent"]
    told = await world.get(
        "jobs", "", headers={"X-API-Key": f"plt_{credential.id}_{credential.secret_digest[:43]}"}
    )
    assert told.status == 401


async def test_a_credential_of_another_tenant_is_unknown_here(world: World):
    elsewhere = TenantId("elsewhere")
    await world.issue(
        "foreign",
        Scope.SUBMIT,
        Scope.READ,
        tenant=elsewhere,
        agent=agent("foreign", tenant=elsewhere),
    )
    name = await world.job()
    assert (await world.get(f"jobs/{name}", "foreign")).status == 401
    assert (await world.post("jobs", "foreign", MERGE)).status == 401


ALLOWED = {
    "agent": {"jobs", "policy/evaluate", "policy/explain", "policy/simulate"},
    "reader": {"policy/explain", "policy/simulate"},
    "admin": {"policy/explain", "policy/simulate"},
    "olga": {"policy/explain", "policy/simulate"},
}


@pytest.mark.parametrize("who", ALLOWED)
async def test_a_scope_opens_its_own_doors_only(world: World, who: str):
    size = await world.size()
    for path in ("jobs", "policy/evaluate", "policy/explain", "policy/simulate"):
        told = await world.post(path, who, {"topic": "job.mcp-bridge.read.x"})
        assert told.status == (200 if path in ALLOWED[who] else 403), (who, path)
    if who != "agent":
        assert await world.size() == size


async def test_secrets_are_in_no_answer_and_no_log(world: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG")
    secret = world.tokens["agent"].split("_", 2)[2]
    name = await world.job()
    for told in (
        await world.get(f"jobs/{name}"),
        await world.post("jobs", body={"nope": 1}),
        await world.get("nowhere"),
        await world.get(f"traces/{(await world.ticket(name)).ask.trace_id}"),
        await world.get("/readyz", ""),
        await world.get("jobs", headers={"X-Tenant-ID": "x"}),
    ):
        assert secret not in told.text + json.dumps(dict(told.headers))
        assert world.credentials["agent"].secret_digest not in told.text
    assert secret not in caplog.text
    records = await world.ledger.records(0, 1_000)
    assert all(secret.encode() not in record.encoded for record in records)


async def test_a_token_that_was_sent_as_an_argument_is_refused_and_not_echoed(world: World):
    told = await world.post("jobs", body={**MERGE, "arguments": {"x": world.tokens["other"]}})
    assert (told.status, told["pointer"]) == (400, "/arguments/x")
    assert world.tokens["other"] not in told.text


def test_a_credential_holds_only_what_its_scopes_are_for():
    with pytest.raises(ValueError, match="submit"):
        make_token(tenant=TENANT, scopes=[Scope.SUBMIT], at=T0)
    with pytest.raises(ValueError, match="approve"):
        make_token(tenant=TENANT, scopes=[Scope.APPROVE], at=T0, agent=agent())
    with pytest.raises(ValueError, match="tenant"):
        make_token(tenant=TenantId("b"), scopes=[Scope.SUBMIT], at=T0, agent=agent())


def test_no_two_tokens_are_alike_and_none_is_in_its_credential():
    made = [make_token(tenant=TENANT, scopes=[Scope.READ], at=T0, person=OLGA) for _ in range(50)]
    assert len({token for _, token in made}) == 50
    assert len({credential.id for credential, _ in made}) == 50
    for credential, token in made:
        assert token.split("_", 2)[2] not in repr(credential)


async def test_an_agent_cannot_speak_for_another_by_claiming_its_name(world: World):
    told = await world.post(
        "jobs", body={**MERGE, "actor_id": "other-bot", "principal_id": OLGA, "user_id": OLGA}
    )
    ticket = await world.ticket(told["job_id"])
    assert ticket.ask.agent == AgentId("merge-bot")
    assert (await world.get(f"jobs/{told['job_id']}", "other")).status == 404
