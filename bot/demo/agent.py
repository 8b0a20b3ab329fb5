"""The sample agent: keeps asking for realistic things, and acts on what it is allowed.

Lives here: posting the round of jobs and redeeming what was approved for release. Must not live
here: what is asked (``jobs``). Law: it uses nothing but the public HTTP interface.
"""

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import Callable

from bot.demo.client import Client
from bot.demo.jobs import ROUND, Job

FIRST_PAUSE_S = 0.5
PAUSE_S = 20.0
FIRST_QUICK = 4
"""So many jobs come quickly, so that there is something to see; then one every 20 seconds."""
_WAIT = "30s"


class SampleAgent:
    """One agent with a token."""

    def __init__(self, client: Client, token: str, *, say: Callable[[str], None]) -> None:
        self._client = client
        self._token = token
        self._say = say
        self._run_id = secrets.token_hex(4)
        self._waiting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Ask, until cancelled; what waits for people is redeemed when they agree."""
        try:
            for number, job in enumerate(itertools.cycle(ROUND)):
                await self._ask(number, job)
                await asyncio.sleep(FIRST_PAUSE_S if number < FIRST_QUICK else PAUSE_S)
        finally:
            for task in self._waiting:
                task.cancel()
            await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _ask(self, number: int, job: Job) -> None:
        body = {**job.body, "idempotency_key": f"{self._run_id}-{number}"}
        answer = await self._client.post("/api/v1/jobs", body, token=self._token)
        told = answer.body if isinstance(answer.body, dict) else {}
        word = told.get("decision") or told.get("status") or told.get("code") or answer.status
        self._say(f"deploy-bot: {job.name} -> {word}")
        if answer.status == 200 and job.body.get("dispatch") == "release":
            task = asyncio.create_task(self._redeem(str(told["job_id"]), job))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _redeem(self, job_id: str, job: Job) -> None:
        with contextlib.suppress(OSError):
            while True:
                answer = await self._client.get(
                    f"/api/v1/jobs/{job_id}?wait={_WAIT}", token=self._token
                )
                state = answer.body.get("ticket_state") if isinstance(answer.body, dict) else ""
                if state == "APPROVED":
                    break
                if state != "PENDING":
                    return
            grant = await self._client.post(f"/api/v1/jobs/{job_id}/consume", token=self._token)
            if grant.status == 200:
                await self._client.post(
                    f"/api/v1/jobs/{job_id}/outcome",
                    {"status": "succeeded", "output": f"{job.body['target']}: published"},
                    token=self._token,
                )
                self._say(f"deploy-bot: {job.name} -> redeemed and done")
