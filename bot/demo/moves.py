"""How the story asks, waits and votes.

Lives here: the moves that every step is made of. Must not live here: the steps. Law: what does not
come within half a minute did not happen.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.demo.client import Answer
from bot.demo.jobs import Job
from bot.demo.world import World
from bot.slack import names

WITHIN_S = 30.0
_PAUSE_S = 0.05


class StoryError(Exception):
    """A step did not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One step that held, in words."""

    title: str
    happened: str


def expect(held: object, otherwise: str) -> None:
    """Go on only if it holds.

    Raises:
        StoryError: it does not.
    """
    if not held:
        raise StoryError(otherwise)


class Moves:
    """The moves of one story in one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked = 0
        self.tickets: list[str] = []

    async def ask(self, job: Job, *, agent: str = "deploy-bot", **more: str | int) -> Answer:
        self._asked += 1
        body = {**job.body, **more, "idempotency_key": f"story-{self._asked}"}
        answer = await self._world.client.post(
            "/api/v1/jobs", body, token=self._world.tokens[agent]
        )
        if isinstance(answer.body, dict) and answer.body.get("job_id"):
            self.tickets.append(answer.body["job_id"])
        return answer

    async def pending(self, job: Job, **more: str | int) -> str:
        answer = await self.ask(job, agent="deploy-bot", **more)
        expect(
            answer.status == 200 and answer.body.get("status") == "approval_required",
            f"{job.name}: expected an approval, got {answer.status} {answer.body}",
        )
        ticket_id = str(answer.body["job_id"])
        await self.until(
            lambda: self._world.hands.card(ticket_id) is not None, f"no card for {job.name}"
        )
        return ticket_id

    async def job(self, ticket_id: str) -> dict[str, Any]:
        answer = await self._world.client.get(
            f"/api/v1/jobs/{ticket_id}", token=self._world.tokens["deploy-bot"]
        )
        expect(answer.status == 200, f"job {ticket_id}: {answer.status} {answer.body}")
        found: dict[str, Any] = answer.body
        return found

    async def reaches(self, ticket_id: str, state: str) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + WITHIN_S
        while True:
            job = await self.job(ticket_id)
            if job["ticket_state"] == state:
                return job
            if asyncio.get_running_loop().time() > deadline:
                note = job.get("note")
                raise StoryError(f"{ticket_id} is {job['ticket_state']}, not {state} ({note})")
            await asyncio.sleep(_PAUSE_S)

    async def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline = asyncio.get_running_loop().time() + WITHIN_S
        while not holds():
            if asyncio.get_running_loop().time() > deadline:
                raise StoryError(otherwise)
            await asyncio.sleep(_PAUSE_S)

    async def consume(self, ticket_id: str) -> Answer:
        return await self._world.client.post(
            f"/api/v1/jobs/{ticket_id}/consume", token=self._world.tokens["deploy-bot"]
        )

    async def report(self, ticket_id: str) -> None:
        answer = await self._world.client.post(
            f"/api/v1/jobs/{ticket_id}/outcome",
            {"status": "succeeded", "output": "done"},
            token=self._world.tokens["deploy-bot"],
        )
        expect(answer.status == 200, f"outcome: {answer.status} {answer.body}")

    async def approve(self, user: str, ticket_id: str, comment: str = "") -> None:
        action = names.APPROVE if not comment else names.APPROVE_WITH_COMMENT
        pressed = await self._world.hands.vote(user, ticket_id, action, comment)
        expect(not pressed.code, f"{user} could not approve: {pressed.code} {pressed.said}")
