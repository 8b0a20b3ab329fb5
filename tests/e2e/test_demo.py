"""The installed command plays the whole story, and a running demo can be steered from outside."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.demo import jobs
from tests.support.demo import headless, run

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.xdist_group("demo")]


async def ask(state: dict[str, Any], job: jobs.Job, key: str) -> str:
    headers = {"Authorization": f"Bearer {state['agent_token']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        body = {**job.body, "idempotency_key": key}
        async with session.post(state["base_url"] + "/api/v1/jobs", json=body) as answer:
            assert answer.status == 200
            return str((await answer.json())["job_id"])


async def reaches(state: dict[str, Any], ticket: str, wanted: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {state['agent_token']}"}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(60):
        while True:
            url = f"{state['base_url']}/api/v1/jobs/{ticket}?wait=1s"
            async with session.get(url) as answer:
                job: dict[str, Any] = await answer.json()
            if job["ticket_state"] == wanted:
                return job


async def click(state: Path, user: str, ticket: str, action: str, *more: str) -> tuple[int, str]:
    rc, out, _ = await run(
        *("demo", "click", "--state", str(state), "--user", user, "--ticket", ticket),
        *("--action", action, "--json", *more),
    )
    return rc, out


async def test_the_script_holds_every_step_and_ends_with_its_counts() -> None:
    rc, out, err = await run("demo", "--script")
    assert rc == 0, out + err
    counts = json.loads(out.strip().splitlines()[-1])
    assert counts["audit"] == "verified"
    assert counts["sandbox"] in ("A", "A-")
    for name in ("allowed", "constrained", "denied", "throttled", "executed", "released"):
        assert counts[name] >= 1, name
    assert counts["expired"] == 1
    assert "\u2717" not in out


async def test_clicks_from_outside_run_the_approved_action_exactly_once(tmp_path: Path) -> None:
    async with headless(tmp_path) as (state_file, state):
        assert state_file.stat().st_mode & 0o077 == 0
        ticket = await ask(state, jobs.EXECUTED, "from-outside")
        await _card(state_file, ticket)
        assert (await click(state_file, "guest", ticket, "approve"))[0] == 3
        rc, out = await click(state_file, "owner", ticket, "approve")
        assert (rc, json.loads(out)["error"]["code"]) == (3, "self_approval_denied")
        assert (await click(state_file, "operator", ticket, "approve"))[0] == 0
        assert (await click(state_file, "U0RIN", ticket, "approve"))[0] == 0
        assert (await click(state_file, "U0RAVI", ticket, "approve"))[0] == 0
        job = await reaches(state, ticket, "EXECUTED")
        assert job["outcome"]["status"] == "succeeded"
        settings = Path(state["site"]) / "app/settings.ini"
        assert "max_connections = 250" in settings.read_text(encoding="utf-8")
        rc, out = await click(state_file, "operator", ticket, "approve", "--stale")
        assert rc == 0, f"a repeat of a counted vote is no refusal: {out}"
        rc, out = await click(state_file, "U0OMAR", ticket, "approve", "--stale")
        assert (rc, json.loads(out)["error"]["code"]) == (3, "approval_already_resolved")
        rc, out, _ = await run(
            "demo", "messages", "--state", str(state_file), "--channel", "approvals", "--json"
        )
        assert rc == 0
        (card,) = [item for item in json.loads(out) if not item["ephemeral"]]
        assert card["buttons"] == []
        await _tampering_is_found(state, tmp_path)


async def _card(state_file: Path, ticket: str) -> None:
    async with asyncio.timeout(30):
        while True:
            _, out, _ = await run(
                "demo", "messages", "--state", str(state_file), "--channel", "approvals", "--json"
            )
            shown = [b["ticket"] for item in json.loads(out) for b in item["buttons"]]
            if ticket in shown:
                return


async def _tampering_is_found(state: dict[str, Any], folder: Path) -> None:
    rc, out, _ = await run("audit", "verify", "--database", state["database_url"], "--json")
    assert rc == 0, out
    original = Path(state["database_url"].removeprefix("sqlite:///"))
    copy = folder / "copy.db"
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("DROP TRIGGER events_no_update")
        (body,) = target.execute("SELECT body FROM events WHERE seq = 15").fetchone()
        changed = bytearray(body)
        changed[100] ^= 1
        target.execute("UPDATE events SET body = ? WHERE seq = 15", (bytes(changed),))
        target.commit()
    rc, out, err = await run("audit", "verify", "--database", f"sqlite:///{copy}")
    assert rc == 1
    assert "15" in out + err
