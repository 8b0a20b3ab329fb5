"""Services that go on while the policy changes: swap, broken folders, signatures, restarts."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot import bundle_signature
from bot.api.auth import make_token
from bot.bundles import load_bundle
from bot.compose.activation import Activated, activate
from bot.compose.executor import run_executor
from bot.compose.policy import from_disk
from bot.compose.serve import Serving, run_serve
from bot.settings import Settings
from governance.errors import Code, InvalidInput, PlacetError, Unavailable
from governance.principal import Agent, AgentId, PersonId, Scope, TenantId
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, TicketId, TicketState
from storage.verify.verifier import verify_database
from tests.support.commits import whole

S = TicketState
OLGA, OTTO = PersonId("slack:T1/UOLGA"), PersonId("slack:T1/UOTTO")
BODY = {"topic": "job.x", "prompt": "do it", "tenant_id": "default"}


def text(decision: str = "require_approval", *, name: str = "base", role: str = "operator") -> str:
    return f"""
name: {name}
rules:
  - id: jobs
    match: {{topics: ['job.*']}}
    decision: {decision}
tiers:
  high:
    roles: {{{role}: {{weight: 1, min_required: 1}}}}
default_tier: high
directory:
  roles:
    {role}: {{people: ['{OLGA}', '{OTTO}']}}
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    file = tmp_path / "policies" / "bundle.yaml"
    file.parent.mkdir()
    file.write_text(text(), encoding="utf-8")
    return file


@pytest.fixture
def settings(tmp_path: Path, policies: Path) -> Settings:
    return Settings(
        database=f"sqlite:///{tmp_path / 'placet.db'}",
        policies=policies.parent,
        keys=tmp_path / "keys",
        checkpoints=tmp_path / "elsewhere" / "checkpoints.txt",
        port=0,
    )


def write(file: Path, what: str) -> None:
    file.write_text(what, encoding="utf-8")


def remove(file: Path) -> None:
    file.unlink()


@asynccontextmanager
async def client(serving: Serving) -> AsyncIterator[aiohttp.ClientSession]:
    tenant = TenantId("default")
    credential, token = make_token(
        tenant=tenant,
        scopes=(Scope.SUBMIT, Scope.READ),
        at=serving.core.clock.now(),
        agent=Agent(id=AgentId("bot-1"), tenant=tenant),
    )
    await serving.core.administration.issue(credential, actor="test")
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(serving.base_url, headers=headers) as session:
        yield session


async def ready(serving: Serving) -> tuple[int, Mapping[str, Any]]:
    async with (
        aiohttp.ClientSession(serving.base_url) as session,
        session.get("/readyz") as answer,
    ):
        return answer.status, await answer.json()


async def becomes_ready(serving: Serving, snapshot: str) -> Mapping[str, Any]:
    async with asyncio.timeout(20):
        while True:
            status, told = await ready(serving)
            if status == 200 and told["snapshot"] == snapshot:
                return told
            await serving.core.ledger.changed(10**9, 0.05)


async def asked(session: aiohttp.ClientSession, **more: object) -> TicketId:
    async with session.post("/api/v1/jobs", json={**BODY, **more}) as answer:
        assert answer.status in (200, 403), await answer.text()
        return TicketId((await answer.json())["job_id"])


async def reaches(serving: Serving, ticket_id: TicketId, state: TicketState) -> None:
    async with asyncio.timeout(20):
        while (await serving.core.service.ticket(ticket_id)).state is not state:
            await serving.core.ledger.changed(10**9, 0.05)


async def activated(settings: Settings) -> Activated:
    return await activate(settings, from_disk(settings), actor="operator:x")


def vote(ticket_id: TicketId, person: PersonId = OLGA) -> Ballot:
    return Ballot(
        tenant=TenantId("default"), ticket_id=ticket_id, person_id=person, choice=Choice.APPROVE
    )


async def test_running_services_take_over_what_is_activated(settings: Settings, policies: Path):
    async with run_serve(settings) as one, run_serve(settings) as two, client(one) as session:
        pending = await asked(session)
        write(policies, text("deny", name="denies"))
        done = await activated(settings)
        assert (done.is_changed, done.tickets.denied, done.left) == (True, 1, 0)
        for serving in (one, two):
            told = await becomes_ready(serving, done.new)
            assert (told["active_snapshot"], told["notes"]) == (done.new, [])
        assert (await one.core.service.ticket(pending)).state is S.DENIED
        refused = await one.core.service.ticket(await asked(session, prompt="again"))
        assert (refused.state, refused.ruling.snapshot) == (S.DENIED, done.new)
    assert verify_database(_file(settings)).problems == ()


async def test_a_service_that_was_not_there_finishes_the_judging(
    settings: Settings, policies: Path
):
    async with run_serve(settings) as serving, client(serving) as session:
        ticket_id = await asked(session)
        await serving.core.service.vote(vote(ticket_id))
    write(policies, text("deny", name="denies"))
    given = from_disk(settings)
    async with run_serve(settings) as serving:  # the old bundle is the active one, whatever is here
        assert serving.core.bundle.name == "base"
        # The activation, and then its process dies before a ticket is looked at.
        await serving.core.administration.activate(given.bundle, actor="operator:x")
        await reaches(serving, ticket_id, S.DENIED)


async def test_new_roles_get_keys_and_people_with_the_swap(settings: Settings, policies: Path):
    async with run_serve(settings) as serving, client(serving) as session:
        write(policies, text(name="other-role", role="guardian"))
        done = await activated(settings)
        await becomes_ready(serving, done.new)
        ticket_id = await asked(session)
        approved = await serving.core.service.vote(vote(ticket_id))
        assert approved.ticket.state is S.APPROVED
        assert approved.ticket.votes[0].role == "guardian"
    assert (settings.keys / "vote-guardian.pem").exists()
    assert verify_database(_file(settings)).problems == ()


@pytest.mark.parametrize(
    "broken",
    ["rules: [", "", "name: other\n", "rules:\n  - {id: a, decision: alow}\n"],
    ids=["no YAML", "empty", "another one", "unknown effect"],
)
async def test_a_folder_that_is_broken_or_differs_takes_nothing_down(
    settings: Settings, policies: Path, broken: str, caplog: pytest.LogCaptureFixture
):
    async with run_serve(settings) as serving:
        before = serving.core.bundle.snapshot
    write(policies, broken)
    async with run_serve(settings) as serving, client(serving) as session:
        status, told = await ready(serving)
        assert (status, told["snapshot"], told["active_snapshot"]) == (200, before, before)
        assert "on disk" in told["notes"][0]
        assert "active one" in caplog.text
        ticket = await serving.core.service.ticket(await asked(session))
        assert (ticket.state, ticket.ruling.snapshot) == (S.PENDING, before)
    remove(policies)
    async with run_serve(settings) as serving:
        assert serving.core.bundle.snapshot == before


@pytest.mark.parametrize("broken", ["rules: [", "", None], ids=["no YAML", "empty", "missing"])
async def test_without_an_active_bundle_a_broken_one_starts_nothing(
    settings: Settings, policies: Path, broken: str | None
):
    remove(policies)
    if broken is not None:
        write(policies, broken)
    for start in (run_serve, run_executor):
        with pytest.raises(InvalidInput) as caught:
            async with start(settings):
                pass
        assert caught.value.code is Code.INVALID_BUNDLE


async def test_a_bundle_that_cannot_be_loaded_leaves_the_process_not_ready_until_it_can(
    settings: Settings, policies: Path
):
    async with run_serve(settings) as serving:
        core = serving.core
        write(policies, text(name="second"))
        second = from_disk(settings).bundle
        settings.keys.chmod(0o700)
        blocked = settings.keys / "vote-guardian.pem"
        blocked.write_text("no key", encoding="utf-8")
        blocked.chmod(0o644)
        write(policies, text(name="third", role="guardian"))
        third = from_disk(settings).bundle
        await core.administration.activate(third, actor="operator:x")
        async with asyncio.timeout(20):
            while not (told := (await ready(serving))[1])["reasons"][1:]:
                await core.ledger.changed(10**9, 0.05)
        assert told["status"] == "not_ready"
        assert "snapshot_changed" in told["reasons"][0]
        assert core.bundle.name == "base"
        await core.administration.activate(second, actor="operator:x")
        await becomes_ready(serving, second.snapshot)


async def test_an_executor_follows_too_and_keeps_bundle_and_actions_together(
    settings: Settings, policies: Path
):
    async with run_serve(settings) as serving, run_executor(settings) as running:
        assert running.core.bundle.name == "base"
        write(policies, text(name="second"))
        done = await activated(settings)
        async with asyncio.timeout(20):
            while running.core.bundle.snapshot != done.new:
                await serving.core.ledger.changed(10**9, 0.05)


async def test_the_first_of_two_services_decides_which_bundle_is_active(
    settings: Settings, policies: Path, tmp_path: Path
):
    other = tmp_path / "other.yaml"
    other.write_text(text(name="other"), encoding="utf-8")
    second = settings.model_copy(update={"policies": other})
    async with run_serve(settings) as one, run_serve(second) as two:
        assert {one.core.bundle.name, two.core.bundle.name} == {"base"}
        assert "on disk" in (await ready(two))[1]["notes"][0]


async def test_the_active_bundle_is_taken_from_disk_when_the_ledger_lost_it_and_only_then(
    settings: Settings, policies: Path
):
    async with run_serve(settings) as serving:
        digest = (await serving.core.ledger.control()).activation
        assert digest is not None
    _sql(settings, "UPDATE contents SET body = x'00' WHERE digest = ?", digest.content_digest)
    async with run_serve(settings) as serving:
        assert (await ready(serving))[0] == 200
    write(policies, text(name="other"))
    with pytest.raises(Unavailable) as caught:
        async with run_serve(settings):
            pass
    assert caught.value.code is Code.NOT_READY


async def test_activating_the_active_bundle_again_only_finishes_its_work(settings: Settings):
    async with run_serve(settings) as serving:
        done = await activated(settings)
        assert (done.is_changed, done.old, done.tickets.unchanged) == (False, done.new, 0)
        types = [record.type for record in await whole(serving.core.ledger)]
        assert types.count("BundleActivated") == 1


# Signatures


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return _key(tmp_path, "one")


def _key(folder: Path, name: str) -> Path:
    private = ec.generate_private_key(ec.SECP256R1())
    file = folder / f"{name}.key"
    file.touch(mode=0o600)
    file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    trusted = folder / "trusted"
    trusted.mkdir(exist_ok=True)
    (trusted / f"{name}.pem").write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return file


def signed(policies: Path, key: Path) -> None:
    made = bundle_signature.sign(load_bundle(policies.parent), key)
    bundle_signature.write_signature(policies.parent, made)


def strict(settings: Settings, key: Path) -> Settings:
    return settings.model_copy(
        update={"bundle_keys": key.parent / "trusted", "require_signed_bundle": True}
    )


async def refusal(settings: Settings) -> PlacetError:
    with pytest.raises(PlacetError) as caught:
        async with run_serve(settings):
            pass
    return caught.value


async def test_a_signed_bundle_is_recorded_with_its_signature_and_verified_at_every_load(
    settings: Settings, policies: Path, key: Path, tmp_path: Path
):
    signed(policies, key)
    required = strict(settings, key)
    async with run_serve(required) as serving:
        active = (await serving.core.ledger.control()).activation
        assert active is not None
        assert (active.key_id, bool(active.signature)) == (
            bundle_signature.sign(load_bundle(policies.parent), key).key_id,
            True,
        )
    async with run_serve(required) as serving:
        assert (await ready(serving))[0] == 200
    # The ledger's word is not enough: whoever rewrites it has no key.
    (tmp_path / "trusted" / "one.pem").unlink()
    _key(tmp_path, "two")
    error = await refusal(required)
    assert "not trusted here" in error.message
    assert verify_database(_file(settings)).problems == ()


async def test_an_active_bundle_that_nobody_signed_is_signed_and_activated_once_more(
    settings: Settings, policies: Path, key: Path
):
    async with run_serve(settings):
        pass
    required = strict(settings, key)
    assert "is not signed" in (await refusal(required)).message
    signed(policies, key)
    done = await activated(required)
    assert (done.is_changed, done.old) == (True, done.new)
    async with run_serve(required) as serving:
        assert (await ready(serving))[0] == 200


async def test_a_running_service_does_not_take_over_what_nobody_signed(
    settings: Settings, policies: Path, key: Path
):
    signed(policies, key)
    required = strict(settings, key)
    async with run_serve(required) as serving:
        write(policies, text(name="forged"))
        await activated(settings.model_copy(update={"policies": policies}))  # a lenient account
        async with asyncio.timeout(20):
            while not (told := (await ready(serving))[1])["reasons"][1:]:
                await serving.core.ledger.changed(10**9, 0.05)
        assert told["reasons"][1] == "bundle: invalid_bundle"
        assert serving.core.bundle.name == "base"


def _file(settings: Settings) -> Path:
    return Path(settings.database.removeprefix("sqlite:///"))


def _sql(settings: Settings, statement: str, *values: object) -> None:
    with sqlite3.connect(_file(settings)) as connection:
        connection.execute(statement, values)
    connection.close()
