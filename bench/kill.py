"""kill -9 of serve and executor at random moments under load.

``python -m bench.kill --kills 500`` kills one or both, or the executor just after an action had its
effect, looks at the log after each kill and counts at the end: acknowledged jobs, decisions and
votes that are missing, actions that ran twice or without their approval and start in the log before
them, verifications that failed. Every count of harm must be 0, and an executor that commits a start
only after the action (``bench.broken_executor``) must be caught. The last line is JSON. The seed is
printed; the moments depend on it and on the machine.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.fault_harness import log_of
from bench.processes import Started, launch, run_json, start
from bot.compose.verification import Verdict, verify_ledger

WORKERS = 3
BROKEN_KILLS = 8
"""So many are enough to notice the broken build."""
AIMED = 0.3
"""So many of the kills hit the executor just after an action had its effect."""
AIM_S = 5
SETTLE_S = 60
_OK = 200
_PERSON = "slack:T0KILL/U0ADA"


@dataclass(slots=True)
class Harness:
    """The load, the processes, and everything that was acknowledged."""

    base_url: str
    tokens: dict[str, str]
    acknowledged: dict[int, str] = field(default_factory=dict)
    """Job number -> ticket id."""
    voted: set[str] = field(default_factory=set)
    errors: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    is_over: bool = False
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared while the log is looked at after a kill, so that it does not grow meanwhile."""

    async def call(
        self, session: aiohttp.ClientSession, who: str, path: str, body: object
    ) -> tuple[int, Any]:
        """POST; status 0 where no answer came, which acknowledges nothing."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        try:
            async with session.post(self.base_url + path, json=body, headers=headers) as answer:
                return answer.status, await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return 0, None

    async def load(self, session: aiohttp.ClientSession) -> None:
        """Submit a job, then vote on it, over and over; a lost answer is asked for again."""
        while not self.is_over:
            self.sent += 1
            number = self.sent
            body = {
                "tool": "mark.leave",
                "action": "write",
                "target": f"mark {number}",
                "dispatch": "execute",
                "arguments": {"name": f"job{number}.XXXXXXXX"},
                "idempotency_key": f"job-{number}",
            }
            ticket = await self._until_acknowledged(session, "agent", "/api/v1/jobs", body)
            if ticket is None:
                return
            self.acknowledged[number] = str(ticket["job_id"])
            path = f"/api/v1/approvals/{ticket['job_id']}/approve"
            if await self._until_acknowledged(session, "person", path, {}) is None:
                return
            self.voted.add(str(ticket["job_id"]))

    async def _until_acknowledged(
        self, session: aiohttp.ClientSession, who: str, path: str, body: object
    ) -> Any:  # noqa: ANN401  # JSON
        while not self.is_over:
            await self.flows.wait()
            status, answer = await self.call(session, who, path, body)
            if status == _OK:
                return answer
            code = answer.get("code") if isinstance(answer, dict) else "no_answer"
            self.errors[str(code)] += 1
            if code == "approval_already_resolved":  # the lost answer's vote did count
                return answer
            await asyncio.sleep(0.05)
        return None


def _settings(home: Path, port: int) -> dict[str, str]:
    marks = home / "marks"
    marks.mkdir(mode=0o777)
    marks.chmod(0o777)  # the sandbox writes as a user of its own
    home.chmod(0o755)
    return {
        "PLACET_DATABASE": f"sqlite:///{home / 'kill.db'}",
        "PLACET_KEYS": str(home / "keys"),
        "PLACET_CHECKPOINTS": str(home / "checkpoints.txt"),
        "PLACET_CHECKPOINT_EVERY_S": "2",
        "PLACET_POLICIES": str(Path(__file__).with_name("kill_bundle.yaml")),
        "PLACET_FOLDERS": f"marks={marks}",
        "PLACET_PORT": str(port),
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


async def _started(name: str, settings: dict[str, str], *, is_broken: bool) -> Started:
    if is_broken and name == "executor":
        return await launch(["-m", "bench.broken_executor"], settings)
    return await start(name, settings)


async def _next_mark(home: Path) -> None:
    """Wait for the effect of one run, but not for ever: nothing may be left to run."""
    before = len(list((home / "marks").iterdir()))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(AIM_S):
            while len(list((home / "marks").iterdir())) == before:  # noqa: ASYNC110  # another process's
                await asyncio.sleep(0.001)


async def _kill_rounds(
    harness: Harness,
    settings: dict[str, str],
    kills: int,
    dice: random.Random,
    harm: Counter[str],
    *,
    is_broken: bool,
) -> dict[str, Started]:
    running = {
        name: await _started(name, settings, is_broken=is_broken) for name in ("serve", "executor")
    }
    home = Path(settings["PLACET_KEYS"]).parent
    for number in range(kills):
        harness.flows.set()
        is_aimed = is_broken or dice.random() < AIMED
        if is_aimed:
            await _next_mark(home)
        else:
            await asyncio.sleep(dice.uniform(0.05, 0.8))
        places = (("serve",), ("executor",), ("serve", "executor"))
        victims = ("executor",) if is_aimed else dice.choice(places)
        for name in victims:
            await running[name].kill()
        harness.flows.clear()
        if is_aimed:  # seen now: a start that is committed later would hide it
            harm["run_unapproved"] += _unapproved(home, harness.acknowledged)
            harm["aimed"] += 1
        verdict = await asyncio.to_thread(verify_ledger, settings["PLACET_DATABASE"])
        harm["failed_verifications"] += not verdict.is_verified
        for problem in verdict.problems[:3]:
            print(f"after kill {number + 1}: {problem}")
        for name in victims:
            running[name] = await _started(name, settings, is_broken=is_broken)
        if (number + 1) % 10 == 0:
            print(f"{number + 1} of {kills} kills, {verdict.events} events", flush=True)
    harness.flows.set()
    return running


async def _states(
    harness: Harness, session: aiohttp.ClientSession, settings: dict[str, str]
) -> Counter[str]:
    """Count the states of every acknowledged job once none is on its way any more."""
    headers = {"Authorization": f"Bearer {harness.tokens['agent']}"}
    deadline = time.monotonic() + SETTLE_S
    while True:
        states: Counter[str] = Counter()
        for ticket_id in harness.acknowledged.values():
            url = f"{harness.base_url}/api/v1/jobs/{ticket_id}"
            async with session.get(url, headers=headers) as answer:
                found = await answer.json() if answer.status == _OK else {}
            states[str(found.get("ticket_state", "LOST"))] += 1
            if ticket_id in harness.voted and not _has_vote(found):
                states["VOTE_LOST"] += 1
        moving = states["APPROVED"] + states["EXECUTING"]
        if not moving or time.monotonic() > deadline:
            return states
        await asyncio.sleep(1)


def _has_vote(job: dict[str, Any]) -> bool:
    """Whether the vote shows: a failed run makes a new revision, whose votes are void."""
    quorum = job.get("quorum") or {}
    return bool(quorum.get("is_met")) or int(job.get("revision", 1)) > 1


def _verify_all(settings: dict[str, str]) -> Verdict:
    published = Path(settings["PLACET_CHECKPOINTS"]).read_text(encoding="utf-8")
    return verify_ledger(settings["PLACET_DATABASE"], checkpoints=published)


def _unapproved(home: Path, jobs: dict[int, str]) -> int:
    """Actions that left their mark although the log does not say, in this order, that they may."""
    kinds: dict[str, list[str]] = {}
    for entry in log_of(home / "kill.db"):
        kinds.setdefault(entry.ticket, []).append(entry.type)
    count = 0
    for name in {path.name.split(".")[0] for path in (home / "marks").iterdir()}:
        story = kinds.get(jobs.get(int(name.removeprefix("job")), ""), [])
        before = story[: story.index("ExecutionStarted")] if "ExecutionStarted" in story else []
        count += not {"TicketApproved", "ExecutionCleared"} <= set(before)
    return count


async def measure(kills: int, seed: int, *, is_broken: bool = False) -> dict[str, object]:
    """Run it; the counts. ``is_broken``: with the executor of ``bench.broken_executor``."""
    dice, harm = random.Random(seed), Counter[str]()  # noqa: S311  # moments, not secrets
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="placet-kill-") as folder:
        home = Path(folder)
        settings = _settings(home, _free_port())
        agent = await run_json(settings, "token", "create", "--agent", "load")
        person = await run_json(
            settings, "token", "create", "--person", _PERSON, "--scope", "approve"
        )
        harness = Harness(
            base_url=f"http://127.0.0.1:{settings['PLACET_PORT']}",
            tokens={"agent": agent["token"], "person": person["token"]},
        )
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            load = [asyncio.create_task(harness.load(session)) for _ in range(WORKERS)]
            running = await _kill_rounds(harness, settings, kills, dice, harm, is_broken=is_broken)
            harness.is_over = True
            await asyncio.gather(*load)
            states = await _states(harness, session, settings)
        for process in running.values():
            await process.stop()
        verdict = await asyncio.to_thread(_verify_all, settings)
        harm["failed_verifications"] += not verdict.is_verified
        marks = Counter(path.name.split(".")[0] for path in (home / "marks").iterdir())
        harm["run_unapproved"] += _unapproved(home, harness.acknowledged)
    return {
        "kills": kills,
        "seed": seed,
        "seconds": round(time.monotonic() - started),
        "acknowledged_jobs": len(harness.acknowledged),
        "acknowledged_votes": len(harness.voted),
        "events": verdict.events,
        "executed": states["EXECUTED"],
        "unknown": states["UNKNOWN"],
        "states": dict(states),
        "lost_jobs": states["LOST"],
        "lost_votes": states["VOTE_LOST"],
        "run_twice": sum(1 for count in marks.values() if count > 1),
        "run_unapproved": harm["run_unapproved"],
        "aimed": harm["aimed"],
        "ran": sum(marks.values()),
        "failed_verifications": harm["failed_verifications"],
        "checkpoints": verdict.checkpoints,
    }


HARM = ("lost_jobs", "lost_votes", "run_twice", "run_unapproved", "failed_verifications")
"""The counts that must be 0."""


def main() -> None:
    """Parse, run, print; exit 1 on any harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="eight kills")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    counts = asyncio.run(measure(8 if options.quick else options.kills, seed))
    broken = asyncio.run(measure(3 if options.quick else BROKEN_KILLS, seed, is_broken=True))
    caught = {"late_start": {name: broken[name] for name in HARM if broken[name]}}
    print(json.dumps({**counts, "harms_of_broken_builds": caught}))
    if any(counts[name] for name in HARM) or not caught["late_start"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
