"""Malformed input at the HTTP door: 4xx with a code, never 500, never a change of state."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest

from bot.api.deps import Limits
from tests.integration.api.world import World, running

BS = b"\\"
JOB = b'"topic": "job.merge", "risk_tags": ["prod"]'
PEM = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"


def _job(extra: bytes) -> bytes:
    return b"{" + JOB + b", " + extra + b"}"


def _field(**fields: object) -> bytes:
    return json.dumps({"topic": "job.merge", "risk_tags": ["prod"], **fields}).encode()


BODIES = {
    "not json": b"hello",
    "cut": b'{"topic": "job.merge"',
    "trailing": b"{} {}",
    "comment": b"{/* a */}",
    "single quotes": b"{'topic': 'x'}",
    "bom": b"\xef\xbb\xbf{}",
    "utf-16": '{"topic": "job.merge"}'.encode("utf-16"),
    "bad utf-8": b'{"topic": "\xff\xfe"}',
    "overlong utf-8": b'{"prompt": "\xc0\xaf"}',
    "raw surrogate": b'{"prompt": "\xed\xa0\x80"}',
    "nul byte": b'{"prompt": "\x00"}',
    "lone surrogate": _job(b'"prompt": "' + BS + b'ud800"'),
    "lone surrogate in a key": _job(b'"arguments": {"' + BS + b'udfff": 1}'),
    "duplicate key": _job(b'"prompt": "a", "prompt": "b"'),
    "duplicate key inside": _job(b'"arguments": {"a": 1, "a": 2}'),
    "duplicate by escape": _job(b'"arguments": {"a": 1, "' + BS + b'u0061": 2}'),
    "nan": _job(b'"arguments": {"a": NaN}'),
    "infinity": _job(b'"arguments": {"a": -Infinity}'),
    "huge exponent": _job(b'"arguments": {"a": 1e999999999}'),
    "endless exponent": _job(b'"arguments": {"a": 1e' + b"9" * 5_000 + b"}"),
    "5000 digits": _job(b'"arguments": {"a": ' + b"9" * 5_000 + b"}"),
    "5000 decimals": _job(b'"arguments": {"a": 0.' + b"9" * 5_000 + b"}"),
    "deep list": _job(b'"context": ' + b"[" * 40 + b"]" * 40),
    "very deep": b"[" * 100_000,
    "deep object": _job(b'"context": ' + b'{"a":' * 60_000),
    "key not in nfc": _job('"arguments": {"e\u0301": 1}'.encode()),
    "top is a list": b"[]",
    "top is a number": b"1",
    "top is text": b'"job"',
    "top is null": b"null",
    "unknown key": _field(enviroment="dev"),
    "unknown key under meta": _field(meta={"agent": "root"}),
    "topic is a number": _field(topic=1),
    "topic with spaces": _field(topic="job merge"),
    "topic too long": _field(topic="j" * 257),
    "topic with a newline": _field(topic="job.merge\n"),
    "tags is text": _field(risk_tags="prod"),
    "tags holds a number": _field(risk_tags=[1]),
    "too many tags": _field(risk_tags=[f"t{n}" for n in range(51)]),
    "labels is a list": _field(labels=["a"]),
    "label is a number": _field(labels={"a": 1}),
    "too many labels": _field(labels={f"l{n}": "x" for n in range(51)}),
    "arguments is a list": _field(arguments=[1]),
    "arguments is text": _field(arguments="rm"),
    "prompt is a list": _field(prompt=["a"]),
    "action unknown": _field(action="delete"),
    "dispatch unknown": _field(dispatch="now"),
    "ttl is text": _field(ttl_seconds="60"),
    "ttl is a fraction": _job(b'"ttl_seconds": 1.5'),
    "ttl is true": _field(ttl_seconds=True),
    "ttl is huge": _job(b'"ttl_seconds": ' + b"9" * 90),
    "ttl is negative": _field(ttl_seconds=-1),
    "deadline is huge": _job(b'"deadline_ms": ' + b"9" * 90),
    "environment is a path": _field(environment="../prod"),
    "environment is empty": _field(environment=""),
    "tool is a path": _field(tool="../../bin/sh"),
    "tool label is no name": _field(labels={"mcp.tool": "a b"}),
    "key with spaces": _field(idempotency_key="a b"),
    "key too long": _field(idempotency_key="k" * 256),
    "key empty": _field(idempotency_key=""),
    "person with control": _field(on_behalf_of="a\u0000b"),
    "target is everything": _field(target="*"),
    "argument is everything": _field(arguments={"resource": "all"}),
    "meta disagrees on a label": _field(labels={"a": "1"}, meta={"labels": {"a": "2"}}),
    "meta disagrees on capability": _field(capability="a", meta={"capability": "b"}),
    "meta is a list": _field(meta=[]),
    "raw private key": _field(arguments={"key": PEM}),
    "raw cloud key": _field(context={"deep": ["AKIAABCDEFGHIJKLMNOP"]}),
    "raw password in the prompt": _field(prompt="login(password='hunter2hunter2')"),
    "raw secret in a label": _field(labels={"a": "glpat-" + "a" * 20}),
    "oversize content": _field(prompt="x" * 262_145),
    "oversize body": _field(prompt="x" * 400_000),
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as made:
        yield made


@pytest.mark.parametrize("path", ["jobs", "policy/evaluate"])
@pytest.mark.parametrize("name", BODIES)
async def test_a_malformed_body_is_4xx_with_a_code_and_changes_nothing(
    world: World, name: str, path: str
):
    size = await world.size()
    told = await world.post(path, data=BODIES[name], headers={"Content-Type": "application/json"})
    if path == "policy/evaluate" and name.startswith(("key ", "ttl is negative", "target", "arg")):
        assert told.status < 500
        return  # these say something about a job, or are judged when one is opened
    assert 400 <= told.status < 500, told.text
    assert told["code"]
    assert told["code"] not in ("internal_error", "policy_denied")
    assert await world.size() == size


@pytest.mark.parametrize("name", ["raw private key", "raw cloud key", "raw password in the prompt"])
async def test_a_raw_secret_is_refused_by_its_place_and_not_echoed(
    world: World, name: str, caplog: pytest.LogCaptureFixture
):
    told = await world.post("jobs", data=BODIES[name], headers={"Content-Type": "application/json"})
    assert told.status == 400
    assert told["pointer"].split("/")[1] in ("arguments", "context", "prompt")
    for secret in ("PRIVATE KEY", "AKIAABCD", "hunter2"):
        assert secret not in told.text
        assert secret not in caplog.text


async def test_a_reference_to_a_secret_is_no_secret(world: World):
    told = await world.post(
        "jobs",
        body={"topic": "job.merge", "risk_tags": ["prod"], "arguments": {"a": "token=secret://x"}},
    )
    assert told.status == 200, told.text


VOTES = [b"[]", b'{"note": 1}', b'{"binding": "zz"}', b'{"revision": 0}', b'{"approve": true}']


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize("body", VOTES)
async def test_a_malformed_vote_is_no_vote(world: World, verb: str, body: bytes):
    name = await world.job()
    size = await world.size()
    told = await world.post(
        f"approvals/{name}/{verb}", "olga", data=body, headers={"Content-Type": "application/json"}
    )
    assert told.status == 400
    assert await world.size() == size


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": ";;;"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "br"},
    ],
)
async def test_another_media_type_is_415(world: World, headers: dict[str, str]):
    size = await world.size()
    told = await world.post("jobs", data=b"{" + JOB + b"}", headers=headers)
    assert told.status in (400, 415)  # an encoding that the server cannot undo is its own 400
    assert told.status == 400 or told["code"] == "unsupported_media_type"
    assert await world.size() == size


async def test_a_compressed_bomb_is_not_unpacked(world: World):
    bomb = gzip.compress(b'{"prompt": "' + b"x" * 50_000_000 + b'"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    told = await world.post("jobs", data=bomb, headers=headers)
    assert told.status in (400, 413, 415)


QUERIES = [
    "jobs?limit=0",
    "jobs?limit=-1",
    "jobs?limit=ten",
    "jobs?limit=%F9%A6%A2",
    "jobs?limit=1&limit=2",
    "jobs?cursor=" + "a" * 500,
    "jobs?cursor=%00",
    "jobs?topic=%0a",
    "jobs?trace_id=" + "t" * 300,
    "approvals?include_resolved=perhaps",
    "approvals?limit=1e3",
]


@pytest.mark.parametrize("path", QUERIES)
async def test_a_malformed_query_is_400_with_its_place(world: World, path: str):
    told = await world.get(path, "olga")
    assert (told.status, told["code"]) == (400, "invalid_field"), told.text
    assert told["pointer"].startswith("/query/")


NAMES = ["%00", "..%2f..%2fetc", "%ff%fe", "a b", "x" * 5_000, "%2e%2e", "'; drop", "%E2%80%AE"]


@pytest.mark.parametrize("kind", ["jobs", "approvals", "traces"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_can_name_nothing_is_404(world: World, kind: str, name: str):
    assert (await world.get(f"{kind}/{name}", "olga")).status == 404


async def _raw(world: World, *parts: bytes) -> bytes:
    """What the server answers to bytes as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.client.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if len(parts) > 1:
            writer.write_eof()
        async with asyncio.timeout(5):
            return await reader.read(65_536)
    finally:
        writer.close()
        await writer.wait_closed()


def _head(world: World, *more: str) -> bytes:
    lines = (
        "POST /api/v1/jobs HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {world.tokens['agent']}",
        "Content-Type: application/json",
        *more,
    )
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("more", "body"),
    [
        (("Content-Length: -5",), b"{}"),
        (("Content-Length: 5, 6",), b"{}"),
        (("Content-Length: 2", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
        (("Transfer-Encoding: chunked",), b"zz\r\n{}\r\n"),
        (("Transfer-Encoding: chunked",), b"5\r\n{}"),
        (("X-Broken : a", "Content-Length: 2"), b"{}"),
        (("X-Nul: a\x00b", "Content-Length: 2"), b"{}"),
        (("Content-Length: 999999999999",), b"{}"),
        (("Content-Length: 2000",), b"{}"),
    ],
)
async def test_a_broken_message_is_never_500_and_never_a_job(
    world: World, more: tuple[str, ...], body: bytes
):
    size = await world.size()
    told = await _raw(world, _head(world, *more), body)
    assert not told.startswith(b"HTTP/1.1 5"), told
    assert not told.startswith(b"HTTP/1.1 2"), told
    assert await world.size() == size
    assert (await world.get("/healthz", "")).status == 200


async def test_a_body_that_never_comes_is_408():
    async with running(limits=Limits(body_timeout_s=0.05)) as world:
        told = await _raw(world, _head(world, "Content-Length: 100"))
        assert told.startswith(b"HTTP/1.1 408"), told
        assert b"body_timeout" in told
