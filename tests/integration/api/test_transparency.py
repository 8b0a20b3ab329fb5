"""Checkpoints, proofs, keys, receipts and cosignatures over HTTP: all of it verifies offline."""

import base64
import json
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.witness.witness import cosign, public_of
from governance import control as ctl
from governance.json_text import to_text
from governance.notes import cosigned_at, parse_checkpoint, parse_note, signers
from governance.principal import TenantId
from governance.proofs import extends, includes
from governance.receipts import Outside, Verdict, parse_receipt, verify
from governance.trust import read_keys
from tests.integration.api.world import OLGA, Got, World, running
from tests.support.commits import append
from tests.support.logs import ORIGIN, Log, RealSigner, records_of

WITNESS = Ed25519PrivateKey.from_private_bytes(b"\4" * 32)
NAME = "witness.example/w1"
KEY = public_of(NAME, WITNESS)
PURPOSES = ("vote:operator", "vote:security-admin", "checkpoint")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running(signer=RealSigner(*PURPOSES), witnesses=[KEY]) as made:
        yield made


def unbase64(texts: object) -> list[bytes]:
    assert isinstance(texts, list)
    return [base64.b64decode(str(text)) for text in texts]


async def judged(world: World, told: Got) -> Verdict:
    """What somebody makes of a receipt who kept the log's keys."""
    keys = await world.get("audit/keys", "reader")
    outside = Outside(keys=read_keys(to_text(keys.body), origin=ORIGIN))
    return verify(parse_receipt(told.text), outside)


async def test_a_checkpoint_is_signed_by_a_key_that_is_told(world: World):
    early = await world.get("audit/checkpoint", "reader")
    assert (early.status, early["code"]) == (503, "not_checkpointed")
    assert early.headers["Retry-After"]
    note = await world.checkpoint()
    told = await world.get("audit/checkpoint", "olga")
    assert (told["origin"], told["note"]) == (ORIGIN, note)
    keys = read_keys(to_text((await world.get("audit/keys", "reader")).body), origin=ORIGIN)
    assert signers(parse_note(note), [keys[0].key]) == (keys[0].key,)
    bare = await world.get("audit/checkpoint", "reader", headers={"Accept": "text/plain"})
    assert bare.text == note
    assert bare.headers["Content-Type"] == "text/plain; charset=utf-8"
    size = told["size"]
    await world.job()
    await world.checkpoint()
    assert (await world.get(f"audit/checkpoint?size={size}", "reader"))["note"] == note
    gone = await world.get("audit/checkpoint?size=7000", "reader")
    assert (gone.status, gone["pointer"]) == (404, "/query/size")


async def test_proofs_verify_against_the_checkpoint(world: World):
    await world.job()
    first = parse_checkpoint(await world.checkpoint())
    await world.approved()
    second = parse_checkpoint(await world.checkpoint())
    records = [item.encoded for item in await world.ledger.records(0, 1000)]
    told = await world.get("audit/proof/inclusion?seq=3", "agent")
    assert told["size"] == second.size
    assert includes(
        record=records[2],
        index=2,
        size=second.size,
        hashes=unbase64(told["hashes"]),
        root=second.root,
    )
    told = await world.get(f"audit/proof/consistency?from={first.size}&to={second.size}", "agent")
    assert (told["from_size"], told["to_size"]) == (first.size, second.size)
    assert extends(
        old_size=first.size,
        old_root=first.root,
        new_size=second.size,
        new_root=second.root,
        hashes=unbase64(told["hashes"]),
    )
    assert (
        await world.get(f"audit/proof/consistency?from={first.size}", "agent")
    ).body == told.body


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("inclusion", "/query/seq"),
        ("inclusion?seq=", "/query/seq"),
        ("inclusion?seq=x", "/query/seq"),
        ("inclusion?seq=-1", "/query/seq"),
        ("inclusion?seq=0", "/query/seq"),
        ("inclusion?seq=1.5", "/query/seq"),
        ("inclusion?seq=1e3", "/query/seq"),
        ("inclusion?seq=\u0661", "/query/seq"),
        ("inclusion?seq=99999999999999999999999", "/query/seq"),
        ("inclusion?seq=999999999999999999", "/query/seq"),
        ("inclusion?seq=1&seq=2", "/query/seq"),
        ("inclusion?seq=1&size=999999999999999999", "/query/size"),
        ("inclusion?seq=2&size=1", "/query/seq"),
        ("inclusion?seq=1&size=0", "/query/seq"),
        ("consistency", "/query/from"),
        ("consistency?from=x", "/query/from"),
        ("consistency?from=3&to=2", "/query/from"),
        ("consistency?from=1&to=999999999999999999", "/query/to"),
        ("consistency?from=999999999999999999", "/query/from"),
    ],
)
async def test_a_bad_place_is_400_with_a_pointer(world: World, path: str, pointer: str):
    await world.checkpoint()
    told = await world.get(f"audit/proof/{path}", "reader")
    assert (told.status, told["code"], told["pointer"]) == (400, "invalid_field", pointer)


async def test_a_voter_and_an_agent_take_receipts_that_verify_offline(world: World):
    job = await world.approved()
    await world.checkpoint()
    for who in ("olga", "agent"):
        told = await world.get(f"jobs/{job}/receipt", who)
        assert told.status == 200, told
        types = [json.loads(entry["event"])["type"] for entry in told["entries"]]
        assert types[0] == "TicketOpened"
        assert types.count("VoteCast") == 2
        assert (await judged(world, told)).is_verified
        one = await world.get(f"audit/receipts/{told['entries'][0]['seq']}", who)
        assert one["entries"] == told["entries"][:1]
        assert (await judged(world, one)).is_verified


async def test_a_receipt_waits_for_the_checkpoint_that_covers_it(world: World):
    early = await world.get("audit/receipts/1", "reader")
    assert (early.status, early["code"]) == (503, "not_checkpointed")
    await world.checkpoint()
    job = await world.job()
    late = await world.get(f"jobs/{job}/receipt", "agent")
    assert (late.status, late["code"]) == (503, "not_checkpointed")
    await world.checkpoint()
    assert (await world.get(f"jobs/{job}/receipt", "agent")).status == 200


async def test_an_agent_gets_no_receipt_of_anothers_events(world: World):
    job = await world.job()
    await world.checkpoint()
    seq = (await world.get(f"jobs/{job}/receipt", "agent"))["entries"][0]["seq"]
    for path in (f"jobs/{job}/receipt", f"audit/receipts/{seq}"):
        told = await world.get(path, "other")
        assert (told.status, told["code"]) == (404, "not_found")
        assert "event" not in told.text.replace("no event by that number", "")
    assert (await world.get(f"audit/proof/inclusion?seq={seq}", "other")).status == 200
    assert (await world.get("audit/receipts/1", "agent")).status == 404, "of no agent"


async def test_another_tenants_event_does_not_exist(world: World):
    foreign = ctl.AgentFrozen(tenant=TenantId("other"), target="all", person=OLGA)
    await append(world.ledger, foreign)
    seq = await world.size()
    await world.checkpoint()
    for who in ("reader", "admin", "olga"):
        told = await world.get(f"audit/receipts/{seq}", who)
        assert (told.status, told["code"]) == (404, "not_found"), who
    assert (await world.get(f"audit/receipts/{seq + 1}", "reader")).status == 503


@pytest.mark.parametrize("name", ["0", "-1", "01", "x", "1e3", "999999999999999999", "9" * 60])
async def test_a_receipt_of_no_event_is_404(world: World, name: str):
    await world.checkpoint()
    told = await world.get(f"audit/receipts/{name}", "reader")
    assert (told.status, told["code"]) == (404, "not_found")


async def cosigned(world: World, note: str, who: str = "reader") -> Got:
    return await world.post("audit/cosignatures", who, {"checkpoint": note})


async def test_a_cosignature_comes_back_with_the_checkpoint(world: World):
    note = await world.checkpoint()
    told = await cosigned(world, cosign(note, name=NAME, key=WITNESS, time_s=200))
    assert (told.status, told["witnesses"]) == (200, [NAME])
    shown = await world.get("audit/checkpoint", "reader")
    assert cosigned_at(parse_note(shown["note"]), KEY) == 200
    receipt = await world.get("audit/receipts/1", "reader")
    found = verify(parse_receipt(receipt.text), Outside(witnesses=(KEY,)))
    assert found.vouchers == (f"the witness {NAME}",)
    for time_s, kept in ((100, 200), (300, 300)):
        await cosigned(world, cosign(note, name=NAME, key=WITNESS, time_s=time_s))
        shown = await world.get("audit/checkpoint", "reader")
        assert cosigned_at(parse_note(shown["note"]), KEY) == kept, "a replay changes nothing"


async def test_only_a_witness_of_this_log_cosigns_only_its_checkpoints(world: World):
    note = await world.checkpoint()
    stranger = Ed25519PrivateKey.from_private_bytes(b"\6" * 32)
    forged = Log(records=records_of(3)).note()
    for text, status, code in (
        (note, 403, "forbidden"),
        (cosign(note, name="other.example/w", key=stranger, time_s=1), 403, "forbidden"),
        (cosign(note, name=NAME, key=stranger, time_s=1), 403, "forbidden"),
        (cosign(forged, name=NAME, key=WITNESS, time_s=1), 400, "invalid_field"),
        (cosign(note, name=NAME, key=WITNESS, time_s=1)[:-4] + "AA=\n", 400, "invalid_field"),
        ("nonsense", 400, "invalid_field"),
        ("", 400, "invalid_field"),
        ("x" * 70_000, 400, "invalid_field"),
    ):
        told = await cosigned(world, text)
        assert (told.status, told["code"]) == (status, code), text[:80]
    assert (await world.get("audit/checkpoint", "reader"))["note"] == note


async def test_the_keys_say_from_when_until_when(world: World):
    told = await world.get("audit/keys", "olga")
    assert told["witnesses"] == [KEY.vkey]
    by_purpose = {item["purpose"]: item for item in told["keys"]}
    assert set(by_purpose) == set(PURPOSES)
    assert by_purpose["checkpoint"]["vkey"].startswith(f"{ORIGIN}+")
    assert by_purpose["vote:operator"]["vkey"] == ""
    assert all(not item["ended_at"] and item["valid_from"] for item in told["keys"])


async def test_none_of_it_is_there_without_a_credential(world: World):
    for path in ("checkpoint", "proof/inclusion", "proof/consistency", "keys", "receipts/1"):
        assert (await world.get(f"audit/{path}", "")).status == 401, path
    assert (await world.post("audit/cosignatures", "", {})).status == 401
