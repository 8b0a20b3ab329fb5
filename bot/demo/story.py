"""The story that `placet demo --script` plays and checks.

Lives here: what happens, step by step, and what must be true after each. Must not live here: how
it is printed. Law: a step that does not hold ends the story with its reason; nothing is asserted
that was not asked of the running product.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from bot.demo import jobs
from bot.demo.ending import tampered, verified
from bot.demo.moves import Moves, StoryError, Told, expect
from bot.demo.world import World
from bot.slack import names

FIVE_MINUTES_S = 300
OLIVIA, OMAR, RIN, RAVI, RUTH, SAGE = (
    "U0OLIVIA",
    "U0OMAR",
    "U0RIN",
    "U0RAVI",
    "U0RUTH",
    "U0SAGE",
)
DANA, GUS = "U0DANA", "U0GUS"


class Story(Moves):
    """Plays every step against one world and keeps the counts."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._executable = ""
        self.counts = {
            "allowed": 0,
            "constrained": 0,
            "denied": 0,
            "throttled": 0,
            "approved": 0,
            "executed": 0,
            "released": 0,
            "rejected": 0,
            "expired": 0,
            "refused_votes": 0,
        }

    async def play(self) -> AsyncIterator[Told]:
        """Every step in order.

        Raises:
            StoryError: a step did not hold.
        """
        registry = self._world.core.bundle.registry_digest
        yield await self._allowed()
        yield await self._denied()
        yield await self._constrained()
        yield await self._throttled()
        yield await self._refused_voters()
        yield await self._approved_by_weight()
        if self._world.sandbox.tier is not None:
            yield await self._executed()
            yield await self._restricted()
        yield await self._released()
        yield await self._full_view()
        yield await self._excepted()
        yield await self._rejected()
        yield await self._five_minutes()
        yield await self._expired()
        yield await self._frozen()
        yield await self._registry_unchanged(registry)
        yield await verified(self._world, self.tickets)
        yield await tampered(self._world)

    # The steps

    async def _allowed(self) -> Told:
        answer = await self.ask(jobs.ALLOWED)
        expect(
            answer.status == 200 and answer.body["decision"] == "ALLOW",
            f"expected ALLOW, got {answer.status} {answer.body}",
        )
        redeemed = await self.consume(answer.body["job_id"])
        expect(redeemed.status == 200, f"consume: {redeemed.status} {redeemed.body}")
        await self.report(answer.body["job_id"])
        self.counts["allowed"] += 1
        return Told(title=jobs.ALLOWED.name, happened="ALLOW, and the agent went on at once")

    async def _denied(self) -> Told:
        answer = await self.ask(jobs.DENIED)
        expect(answer.status == 403, f"expected 403, got {answer.status} {answer.body}")
        self.counts["denied"] += 1
        return Told(title=jobs.DENIED.name, happened=f"DENY: {answer.body['error']}")

    async def _constrained(self) -> Told:
        answer = await self.ask(jobs.CONSTRAINED)
        expect(
            answer.status == 200 and answer.body["decision"] == "ALLOW_WITH_CONSTRAINTS",
            f"expected constraints, got {answer.status} {answer.body}",
        )
        self.counts["constrained"] += 1
        limits = ", ".join(f"{key} {value}" for key, value in answer.body["constraints"].items())
        return Told(title=jobs.CONSTRAINED.name, happened=f"ALLOW_WITH_CONSTRAINTS: {limits}")

    async def _throttled(self) -> Told:
        answers = [await self.ask(jobs.NOTIFY, agent="notes-bot") for _ in range(4)]
        expect(
            [answer.status for answer in answers] == [200, 200, 200, 429],
            f"expected the fourth to wait, got {[answer.status for answer in answers]}",
        )
        self.counts["throttled"] += 1
        wait = answers[-1].retry_after_s
        return Told(title=jobs.NOTIFY.name, happened=f"three passed, the fourth waits {wait} s")

    async def _refused_voters(self) -> Told:
        ticket_id = await self.pending(jobs.EXECUTED)
        refusals = []
        for user, wanted in (
            (DANA, "self_approval_denied"),
            (GUS, "voter_is_guest"),
            (SAGE, "wrong_role"),
        ):
            pressed = await self._world.hands.press(user, ticket_id, names.APPROVE)
            expect(pressed.code == wanted, f"{user}: expected {wanted}, got {pressed}")
            refusals.append(wanted)
        self.counts["refused_votes"] += len(refusals)
        self._executable = ticket_id
        return Told(title="who may not approve", happened="refused: " + ", ".join(refusals))

    async def _approved_by_weight(self) -> Told:
        ticket_id = self._executable
        await self.approve(OLIVIA, ticket_id)
        half = await self.job(ticket_id)
        expect(
            half["ticket_state"] == "PENDING" and half["quorum"]["weight"] == 2,
            f"one operator is not enough, yet {half['ticket_state']} {half['quorum']}",
        )
        await self.approve(OLIVIA, ticket_id)  # a second click adds nothing
        await self.approve(RIN, ticket_id)
        await self.approve(RAVI, ticket_id)
        done = await self.job(ticket_id)
        expect(done["quorum"]["is_met"], f"the quorum is not met: {done['quorum']}")
        self.counts["approved"] += 1
        return Told(
            title=jobs.EXECUTED.name,
            happened="operator 2 + reviewer 1 + reviewer 1 = 4 of 4, met once",
        )

    async def _executed(self) -> Told:
        job = await self.reaches(self._executable, "EXECUTED")
        text = (self._world.site / "app/settings.ini").read_text(encoding="utf-8")
        expect("max_connections = 250" in text, f"the file did not change: {text!r}")
        await self.until(
            lambda: not self._world.hands.live_buttons(self._executable),
            "the card of an executed action still has buttons",
        )
        self.counts["executed"] += 1
        tier = job["outcome"]["sandbox"]
        return Told(
            title="the approved action runs once",
            happened=f"sandbox {tier}, {job['outcome']['duration_ms']} ms, file changed",
        )

    async def _restricted(self) -> Told:
        ticket_id = await self.pending(jobs.RESTRICTED)
        await self.approve(RUTH, ticket_id)
        job = await self.reaches(ticket_id, "EXECUTED")
        self.counts["approved"] += 1
        self.counts["executed"] += 1
        return Told(
            title=jobs.RESTRICTED.name,
            happened=f"one reviewer, read-only run, output {job['outcome']['output_state']}",
        )

    async def _released(self) -> Told:
        ticket_id = await self.pending(jobs.RELEASED)
        early = await self.consume(ticket_id)
        expect(early.status == 409, f"consumed before approval: {early.status}")
        await self.approve(OMAR, ticket_id)
        first, second = await self.consume(ticket_id), await self.consume(ticket_id)
        expect(
            (first.status, second.status) == (200, 409),
            f"expected one grant, got {first.status} and {second.status}",
        )
        await self.report(ticket_id)
        self.counts["approved"] += 1
        self.counts["released"] += 1
        return Told(title=jobs.RELEASED.name, happened="redeemed once; the second try is refused")

    async def _full_view(self) -> Told:
        ticket_id = await self.pending(jobs.LONG)
        blind = await self._world.hands.press(OLIVIA, ticket_id, names.APPROVE)
        expect(blind.code == "full_view_required", f"expected full_view_required, got {blind}")
        pages = await self._world.hands.read_to_the_end(OLIVIA, ticket_id)
        await self.approve(OLIVIA, ticket_id)
        await self.reaches(ticket_id, "APPROVED")
        self.counts["refused_votes"] += 1
        self.counts["approved"] += 1
        return Told(
            title=jobs.LONG.name,
            happened=f"approved only after the whole was opened ({pages} pages)",
        )

    async def _excepted(self) -> Told:
        ticket_id = await self.pending(jobs.EXCEPTED)
        job = await self.job(ticket_id)
        expect(job["constraint_id"] == "pause-flag", f"no constraint named: {job}")
        for user in (OMAR, RUTH, RIN):
            await self.approve(user, ticket_id, "verified on both hosts")
        await self.reaches(ticket_id, "APPROVED")
        self.counts["approved"] += 1
        return Told(
            title=jobs.EXCEPTED.name,
            happened="exception to pause-flag, three people, each says why",
        )

    async def _rejected(self) -> Told:
        ticket_id = await self.pending(jobs.EXECUTED)
        blank = await self._world.hands.vote(RUTH, ticket_id, names.REJECT, " ")
        expect(blank.code, "a rejection without a reason was taken")
        view = self._world.emulator.modal(RUTH)
        if view is None:
            raise StoryError("the modal closed on an error")
        reason = "The pool is already at 250."
        pressed = await self._world.hands.submit(RUTH, view, reason)
        expect(not pressed.code, f"the rejection was refused: {pressed}")
        job = await self.reaches(ticket_id, "REJECTED")
        expect(reason in job["failure_reason"], f"the reason is lost: {job['failure_reason']}")
        self.counts["rejected"] += 1
        return Told(title="a rejection with its reason", happened=job["failure_reason"])

    async def _five_minutes(self) -> Told:
        ticket_id = await self.pending(jobs.URGENT, ttl_seconds=FIVE_MINUTES_S)
        job = await self.job(ticket_id)
        life = _instant(job["expires_at"]) - _instant(job["created_at"])
        expect(life.total_seconds() == FIVE_MINUTES_S, f"it lives {life}, not five minutes")
        await self.approve(OLIVIA, ticket_id)
        await self.reaches(ticket_id, "APPROVED")
        self.counts["approved"] += 1
        return Told(title=jobs.URGENT.name, happened="a five-minute ticket, approved in time")

    async def _expired(self) -> Told:
        ticket_id = await self.pending(jobs.URGENT, ttl_seconds=2, target="an old key")
        await self.reaches(ticket_id, "EXPIRED")
        await self.until(
            lambda: not self._world.hands.live_buttons(ticket_id),
            "the card of an expired ticket still has buttons",
        )
        late = await self._world.hands.press(OLIVIA, ticket_id, names.APPROVE, stale=True)
        expect(late.code == "expired", f"a late click on the old card: {late}")
        self.counts["expired"] += 1
        self.counts["refused_votes"] += 1
        return Told(
            title="nobody decides", happened="expired by the sweep; a late click is refused"
        )

    async def _frozen(self) -> Told:
        hands = self._world.hands
        await hands.command(SAGE, "freeze deploy-bot it acts oddly")
        refused = await self.ask(jobs.ALLOWED)
        expect(refused.body.get("code") == "frozen", f"a frozen agent got {refused.status}")
        await hands.command(SAGE, "unfreeze deploy-bot")
        still = await self.ask(jobs.ALLOWED)
        expect(still.body.get("code") == "frozen", "one person alone lifted a freeze")
        await hands.command(OLIVIA, "unfreeze deploy-bot")
        again = await self.ask(jobs.ALLOWED)
        expect(again.status == 200, f"after the unfreeze: {again.status} {again.body}")
        self.counts["allowed"] += 1
        return Told(title="freeze", happened="one person stopped the agent, two let it go on")

    async def _registry_unchanged(self, registry: str) -> Told:
        core = self._world.core
        control = await core.ledger.control()
        expect(
            control.snapshot == core.bundle.snapshot and core.bundle.registry_digest == registry,
            "the constraint registry changed",
        )
        return Told(title="the constraint registry", happened=f"unchanged: {registry[:12]}")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
