"""A small lawful ledger with something in every field, every vote and checkpoint really signed.

Lives here: the story that verification tests tamper with; keys and signatures are in
``tests.support.world``.
"""

from dataclasses import replace

from governance import control as ctl
from governance.action import Dispatch
from governance.audit import Event
from governance.control import PublicKey
from governance.digests import content_digest
from governance.execution import RunReport
from governance.ports import Keys, Ledger, Result
from governance.tickets import events as ev
from governance.tickets import nudge_events as nudge_ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import Ask, TicketId
from tests.support import build, world
from tests.support.build import ANNA, BEN, T0, TENANT

BODY = world.BODY
DIGEST = content_digest(BODY)
TICKETS, VOTES = 9, 7


async def tell(ledger: Ledger) -> None:
    """Commit the story."""
    for purpose in world.PURPOSES:
        pem = world.pem_of(purpose)
        key = PublicKey(id=f"key:{purpose}", purpose=purpose, pem=pem, valid_from=T0)
        await commit(ledger, ctl.KeyRegistered(tenant=TENANT, key=key))
    samples = build.samples()
    bundle = samples["BundleActivated"][0]
    assert isinstance(bundle, ctl.BundleActivated)
    await commit(ledger, replace(bundle, content_digest=DIGEST), samples["CredentialIssued"][0])
    run = build.opened("t-run", ask=ask("t-run"), counters=(("agent:deployer", 4_000, T0),))
    await commit(ledger, run)
    await commit(ledger, *world.both("t-run", run.binding))
    await commit(
        ledger,
        cleared("t-run", ANNA, BEN),
        started("t-run"),
        build.on("t-run", run_ev.ExecutionSucceeded, run_id="run-1", report=report()),
    )
    redeemed = samples["GrantRedeemed"][0]
    assert isinstance(redeemed, run_ev.GrantRedeemed)
    released = ask("t-release", dispatch=Dispatch.RELEASE)
    used = {"ticket_id": TicketId("t-release"), "action_digest": released.action_digest}
    await commit(
        ledger,
        build.allowed("t-release", ask=released),
        cleared("t-release"),
        replace(redeemed, **used),
        build.on("t-release", run_ev.OutcomeReported, report=report()),
    )
    await _tell_of_people(ledger)
    await _tell_of_the_clock(ledger)
    frozen = ctl.AgentFrozen(tenant=TENANT, target="other", person=ANNA)
    await commit(ledger, frozen, samples["CredentialRevoked"][0])


async def _tell_of_people(ledger: Ledger) -> None:
    waiting = build.opened("t-wait", ask=ask("t-wait"))
    await commit(
        ledger,
        waiting,
        world.cast("t-wait", waiting.binding),
        build.on("t-wait", ev.VoteWithdrawn, person=ANNA),
        world.cast("t-wait", waiting.binding, person=BEN, nonce="9" * 32),
    )
    again = build.opened("t-again", ask=ask("t-again"))
    await commit(ledger, again, *world.both("t-again", again.binding))
    await commit(
        ledger,
        cleared("t-again", ANNA, BEN),
        started("t-again", "run-2"),
    )
    await commit(
        ledger,
        build.on("t-again", run_ev.ExecutionLost, run_id="run-2"),
        *(build.attested("t-again", who, took_effect=False) for who in (ANNA, BEN)),
        build.resolved("t-again", ANNA, BEN, took_effect=False),
        build.revised("t-again", ask=again.ask),
    )
    seen = build.opened("t-seen", ask=ask("t-seen", needs_full_view=True))
    refused = {"person": BEN, "choice": build.Choice.APPROVE, "code": build.Code.FULL_VIEW_REQUIRED}
    await commit(
        ledger,
        seen,
        build.on("t-seen", ev.VoteRefused, **refused),
        build.on("t-seen", ev.FullViewOpened, person=ANNA),
        world.cast("t-seen", seen.binding, comment_digest=DIGEST),
        build.on("t-seen", ev.ResponseOverdue),
    )


async def _tell_of_the_clock(ledger: Ledger) -> None:
    deferred = {"code": build.Code.NO_SANDBOX, "reason": "no sandbox of tier A"}
    await commit(
        ledger,
        build.allowed("t-defer", ask=ask("t-defer")),
        cleared("t-defer"),
        build.on("t-defer", run_ev.ExecutionDeferred, **deferred),
    )
    await commit(
        ledger,
        build.allowed("t-live", ask=ask("t-live")),
        cleared("t-live"),
        started("t-live", "run-3"),
    )
    await commit(
        ledger,
        build.allowed("t-lost", ask=ask("t-lost")),
        cleared("t-lost"),
        started("t-lost", "run-4"),
        build.on("t-lost", run_ev.ExecutionLost, run_id="run-4"),
        build.on("t-lost", nudge_ev.ResolversReminded, number=1, people=(ANNA, BEN)),
    )
    await commit(
        ledger,
        build.opened("t-gone", ask=ask("t-gone")),
        build.on("t-gone", nudge_ev.VotersReminded, number=1, people=(ANNA, BEN)),
        build.on(
            "t-gone",
            nudge_ev.TicketEscalated,
            step=1,
            channel="C0MANAGERS",
            roles=("manager",),
            people=(BEN,),
        ),
        build.on("t-gone", ev.TicketCancelled, actor="agent:deployer", reason="not needed"),
    )


async def commit(ledger: Ledger, *events: Event) -> None:
    """Commit these events in one step, with the content that they name."""
    contents = {DIGEST: BODY}
    await ledger.commit(Keys(), lambda _: Result(reply=None, events=events, contents=contents))


def ask(name: str, **changes: object) -> Ask:
    """What was asked, its content kept."""
    return build.known_by(build.ask(idempotency_key=f"key-{name}", **changes), BODY)


def started(name: str, run_id: str = "run-1") -> run_ev.ExecutionStarted:
    """The start of what was asked."""
    return build.started(name, run=build.run(run_id), action_digest=ask(name).action_digest)


def report() -> RunReport:
    """What a run yielded, its output kept."""
    return build.report(output_digest=DIGEST, shown_digest=DIGEST)


def cleared(name: str, *people: str) -> run_ev.ExecutionCleared:
    """The voters confirmed."""
    event = build.on(name, run_ev.ExecutionCleared, people=people)
    assert isinstance(event, run_ev.ExecutionCleared)
    return event
