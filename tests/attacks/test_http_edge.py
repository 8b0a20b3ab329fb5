"""Threat: the HTTP edge repeats secrets, keeps them, or takes one name for another."""

import json
import logging

import pytest

from bot.observability import set_up
from governance.ports import Reader
from tests.attacks.test_http_bodies import _raw
from tests.integration.api.world import OWNER, World, running

GITHUB = "ghp_" + "a1B2" * 9
AWS = "AKIAIOSFODNN7EXAMPLE"
SLACK = "xoxb-123456789012-abcdefABCDEF"
PASSWORD = "password=hunter2hunter2"
TYPE = {"Content-Type": "application/json"}


@pytest.fixture
async def world():
    async with running() as made:
        yield made


MALFORMED = [
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer LEAK\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer LEAK\x00\r\n\r\n",
    b"GET /LEAK HTTP/9.9\r\n\r\n",
    b"LEAK LEAK LEAK\r\n\r\n",
    b"\x16\x03\x01LEAK\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: LEAK\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"LEAK" * 5_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("sent", MALFORMED)
async def test_bytes_that_are_no_http_get_a_bare_400(
    world: World, sent: bytes, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    told = await _raw(world, sent)
    assert told.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")), told
    for word in (b"LEAK", b"aiohttp", b"Python", b"Bearer", b"text/plain"):
        assert word not in told
    assert b"Server: placet" in told
    assert "LEAK" not in caplog.text


async def test_an_expectation_that_is_none_is_not_repeated(world: World):
    told = await _raw(world, b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: LEAK\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 417 "), told
    assert b"LEAK" not in told
    assert b"aiohttp" not in told


FIELDS = {
    "/topic": {"topic": f"job.{SLACK}"},
    "/capability": {"capability": GITHUB},
    "/risk_tags/1": {"risk_tags": ["prod", AWS]},
    "/requires/0": {"requires": [GITHUB]},
    "/environment": {"environment": GITHUB},
    "/tool": {"tool": GITHUB},
    "/data_classes/0": {"data_classes": [PASSWORD]},
    "/meta/capability": {"meta": {"capability": GITHUB}},
    "/meta/risk_tags/0": {"meta": {"risk_tags": [GITHUB]}},
    "/meta/requires/0": {"meta": {"requires": [GITHUB]}},
    "/meta/labels/a": {"meta": {"labels": {"a": GITHUB}}},
    "/labels/_hidden": {"labels": {"_hidden": GITHUB}},
    "/trace_id": {"trace_id": GITHUB},
    "/idempotency_key": {"idempotency_key": GITHUB},
    "/target": {"target": GITHUB[:10] + "\u200b" + GITHUB[10:]},
    "/prompt": {"prompt": "use " + "\u2060".join(AWS)},
    "/justification": {"justification": "pass\u00adword=hunter2hunter2"},
    "/arguments/a/0": {"arguments": {"a": ["x\u200d" + GITHUB]}},
    "/context": {"context": "\ufe0f".join(GITHUB)},
}


@pytest.mark.parametrize("path", ["jobs", "policy/evaluate"])
@pytest.mark.parametrize("pointer", FIELDS)
async def test_a_raw_secret_in_any_field_is_refused_by_its_place(
    world: World, pointer: str, path: str, caplog: pytest.LogCaptureFixture
):
    if path == "policy/evaluate" and pointer == "/idempotency_key":
        return  # no key of that body
    size = await world.size()
    told = await world.post(path, body={"topic": "job.merge", **FIELDS[pointer]})
    assert (told.status, told["code"], told["pointer"]) == (400, "invalid_field", pointer)
    assert await world.size() == size
    for part in (GITHUB[:10], AWS, "hunter2", "xoxb", "a1B2a1"):
        assert part not in told.text + str(told.headers) + caplog.text


@pytest.mark.parametrize("name", ["X-Trace-Id", "Idempotency-Key", "X-Idempotency-Key"])
async def test_a_raw_secret_in_a_header_is_refused_and_never_sent_back(world: World, name: str):
    told = await world.post("jobs", body={"topic": "job.merge"}, headers={name: GITHUB})
    assert told.status == 400
    assert GITHUB not in told.text + str(told.headers)


async def test_a_token_as_the_request_id_is_not_sent_back(world: World):
    told = await world.get("/healthz", "", headers={"X-Request-Id": GITHUB, "X-Trace-Id": GITHUB})
    assert told.status == 200
    assert GITHUB not in told.text + str(told.headers)


async def test_names_that_look_like_hashes_are_no_secrets(world: World):
    body = {
        "topic": "job.merge",
        "risk_tags": ["prod"],
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "idempotency_key": "token=9fceb02d0ae598e95dc970b74767f19372d61af8",
    }
    assert (await world.post("jobs", body=body)).status == 200


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize("field", ["note", "reason", "comment"])
async def test_a_raw_secret_in_a_vote_is_no_vote(world: World, verb: str, field: str):
    name = await world.job()
    size = await world.size()
    told = await world.post(f"approvals/{name}/{verb}", "olga", {field: f"take {GITHUB}"})
    assert (told.status, told["pointer"]) == (400, f"/{field}")
    assert GITHUB not in told.text
    assert await world.size() == size


async def test_a_raw_secret_as_a_reason_withdraws_and_freezes_nothing(world: World):
    name = await world.job()
    size = await world.size()
    for path, who, body in (
        (f"jobs/{name}/cancel", "agent", {"reason": f"{AWS}"}),
        ("freeze", "sara", {"target": "merge-bot", "reason": PASSWORD}),
        ("freeze", "sara", {"target": GITHUB}),
        ("unfreeze", "sara", {"target": "merge-bot", "reason": GITHUB}),
    ):
        told = await world.post(path, who, body)
        assert (told.status, told["code"]) == (400, "invalid_field"), (path, told.text)
        assert told["pointer"] in ("/reason", "/target")
        assert not any(word in told.text for word in (AWS, GITHUB, "hunter2"))
    assert await world.size() == size


KEYS = {
    "unknown": json.dumps({"topic": "job.merge", GITHUB: 1}),
    "unknown, hidden": json.dumps({"topic": "job.merge", GITHUB[:8] + "\u200b" + GITHUB[8:]: 1}),
    "unknown under meta": json.dumps({"meta": {PASSWORD: 1}}),
    "duplicate": f'{{"{GITHUB}": 1, "{GITHUB}": 2}}',
    "duplicate inside": f'{{"arguments": {{"a/{AWS}": 1, "a/{AWS}": 2}}}}',
    "above a bad number": f'{{"arguments": {{"{AWS}": NaN}}}}',
    "label of a wrong type": json.dumps({"labels": {GITHUB: 1}}),
    "above a secret": json.dumps({"arguments": {GITHUB: {"b": AWS}}}),
}


@pytest.mark.parametrize("name", KEYS)
async def test_a_key_that_is_a_secret_is_not_echoed(
    world: World, name: str, caplog: pytest.LogCaptureFixture
):
    told = await world.post("jobs", data=KEYS[name].encode(), headers=TYPE)
    assert told.status == 400
    for part in (GITHUB[:8], GITHUB[8:], AWS, "hunter2"):
        assert part not in told.text + caplog.text


ALIASES = [
    "slack:t1/uowner", "Slack:T1/UOWNER", "slack:T1/UOWNER\u200b", "slack:T1/\u200bUOWNER",
    "<@UOWNER>", "UOWNER", "slack:T1/<@UOWNER>", "slack:T1/UOWNER ", " slack:T1/UOWNER",
    "slack:T1//UOWNER", "slack:T1/UOWNER/", "slack:T1/U", "slack:/UOWNER", "slack:T/UOWNER",
    "slack:X1/UOWNER", "slack:T1/BOWNER", "slack:T1/\uff35OWNER", "slack:T1/UOWNER\n", "",
    "slack:T1/U" + "A" * 32, "email:a@b.example", "slack:T1/U\u041eWNER",
]  # fmt: skip


@pytest.mark.parametrize("path", ["jobs", "policy/evaluate"])
@pytest.mark.parametrize("alias", ALIASES)
async def test_an_alias_of_a_person_is_refused(world: World, alias: str, path: str):
    told = await world.post(path, body={"topic": "job.merge", "on_behalf_of": alias})
    assert (told.status, told["code"], told["pointer"]) == (400, "invalid_field", "/on_behalf_of")


async def test_whom_a_job_is_for_by_its_one_name_may_not_approve_it(world: World):
    name = await world.job("other", on_behalf_of="slack:T1/UOLGA")
    told = await world.post(f"approvals/{name}/approve", "olga")
    assert told.status == 403, told.text
    for_owner = {"topic": "job.merge", "risk_tags": ["prod"], "on_behalf_of": OWNER}
    assert (await world.post("jobs", body=for_owner)).status == 200
    for_org = {"topic": "job.merge", "risk_tags": ["prod"], "on_behalf_of": "slack:E1/W1"}
    assert (await world.post("jobs", body=for_org)).status == 200


@pytest.mark.parametrize("word", ["ALL", "All", "aLL", "all"])
async def test_all_in_any_case_stops_every_agent(world: World, word: str):
    told = await world.post("freeze", "sara", {"target": word})
    assert (told["target"], told["is_frozen"], told["changed"]) == ("all", True, True)
    assert not told["warning"]
    reader: Reader = world.ledger
    assert set((await reader.control()).frozen) == {"all"}
    assert (await world.post("jobs", body={"topic": "job.notify"})).status >= 400
    asked = await world.post("unfreeze", "sara", {"target": word.swapcase()})
    assert (asked["target"], asked["status"]) == ("all", "second_person_needed")


async def test_an_unknown_agent_is_stopped_with_a_warning(world: World):
    told = await world.post("freeze", "sara", {"target": "Merge-Bot"})
    assert told.status == 200
    assert "no credential" in told["warning"]
    known = await world.post("freeze", "sara", {"target": "merge-bot"})
    assert not known["warning"]


def test_the_log_of_the_demo_names_types_only(capsys: pytest.CaptureFixture[str]):
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    try:
        set_up(level=logging.WARNING)
        try:
            int("LEAK")
        except ValueError:
            logging.getLogger("bot.demo").exception("it failed")
            logging.getLogger("aiohttp.server").exception("Error")
    finally:
        root.handlers[:], root.level = before
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert "LEAK" not in told


ONCE = (
    "Authorization",
    "X-API-Key",
    "X-Tenant-ID",
    "X-Cordum-Tenant",
    "Idempotency-Key",
    "X-Idempotency-Key",
    "webhook-agent",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)


@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/webhooks/jobs"])
async def test_a_header_that_says_who_or_what_it_is_stands_once(world: World, path: str, name: str):
    # What stands before us may have looked at the other one.
    first = f"Bearer {world.tokens['agent']}" if name == "Authorization" else "default"
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"{name}: {first}", f"{name.upper()}: {first}"]
    if name != "Authorization":
        lines.append(f"Authorization: Bearer {world.tokens['agent']}")
    size = await world.size()
    body = json.dumps({"topic": "job.merge"}).encode()
    head = [*lines, "Content-Type: application/json", f"Content-Length: {len(body)}"]
    told = await _raw(world, "\r\n".join([*head, "", ""]).encode() + body)
    assert told.startswith(b"HTTP/1.1 400 "), told
    assert b'"invalid_field"' in told
    assert f'"pointer": "/{name}"'.encode() in told
    assert world.tokens["agent"].encode() not in told
    assert await world.size() == size


async def test_two_proofs_that_differ_prove_nobody(world: World):
    for other in (world.tokens["olga"], "none"):
        told = await world.get("jobs", "agent", headers={"X-API-Key": other})
        assert (told.status, told["code"]) == (401, "unauthenticated")
    for same in (world.tokens["agent"], ""):
        assert (await world.get("jobs", "agent", headers={"X-API-Key": same})).status == 200


async def test_every_name_of_a_tenant_is_looked_at(world: World):
    names = ("X-Tenant-ID", "X-Cordum-Tenant")
    for first, second in (names, names[::-1]):
        told = await world.get("jobs", headers={first: "default", second: "other"})
        assert (told.status, told["code"]) == (403, "forbidden")
