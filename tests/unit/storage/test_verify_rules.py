"""The verifier's rules one by one, on records that no writer of ours would ever write."""

import re
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from governance import control as ctl
from governance.audit import Event
from governance.execution import OutputState
from governance.policy.decision import Constraints
from governance.principal import PersonId
from governance.tickets import events as ev
from governance.tickets import nudge_events as nudge_ev
from governance.tickets import run_events as run_ev
from governance.tickets.binding import stamp
from storage import codec
from storage.verify import verifier as verify
from storage.verify.facts import Facts
from storage.verify.values import key_of
from tests.support import build, world
from tests.support.build import ANNA, BEN, T0, TENANT

HOUR = timedelta(hours=1)
KEYS = {
    f"key:{purpose}": key_of(purpose, world.pem_of(purpose), stamp(T0))
    for purpose in world.PURPOSES
}


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """An event at another time than T0."""

    at: datetime
    event: Event


def wrong(*story: Event | At) -> list[tuple[int, str]]:
    """What the rules find, without what they say of headers (there are none here)."""
    facts = Facts(KEYS)
    facts.ring.keys.update(KEYS)  # registered before the story begins
    found: list[tuple[int, str]] = []
    for seq, step in enumerate(story, start=1):
        at, event = (step.at, step.event) if isinstance(step, At) else (T0, step)
        record = {
            "type": type(event).__name__,
            "version": event.version,
            "timestamp": stamp(at),
            "payload": codec.payload(event),
            "ticketId": "",
            "revision": 0,
            "binding": "",
            "tenant": TENANT,
            "traceId": "",
            "agentId": "",
        }
        problems = list(facts.take(seq, record))
        found += [(problem.seq, problem.what) for problem in problems if problem.what != "header"]
    facts.scratch.close()
    return found


OPENED = build.opened("t")
ALLOWED = build.allowed("t")
CLEARED = build.on("t", run_ev.ExecutionCleared)
STARTED = (CLEARED, build.started("t"))
VOTES = world.both("t", OPENED.binding)
LATE = T0 + 2 * HOUR
FROZEN = ctl.AgentFrozen(tenant=TENANT, target=build.AGENT, person=ANNA)
FAILED = build.on("t", run_ev.ExecutionFailed, run_id="run-1", report=build.report())
AGAIN = build.revised("t", ask=OPENED.ask)
LOST = build.on("t", run_ev.ExecutionLost, run_id="run-1")
QUARANTINED = build.report(output_state=OutputState.QUARANTINED, shown_digest="")
DONE = build.on("t", run_ev.ExecutionSucceeded, run_id="run-1", report=QUARANTINED)
HELD_BACK = (*STARTED, DONE)
SEEN = build.on(
    "t", run_ev.OutputReleased, person=ANNA, shown_digest="9" * 64, comment_digest="8" * 64
)
DROPPED = build.on("t", run_ev.OutputDiscarded, person=ANNA, comment_digest="8" * 64)
LONGER = replace(
    AGAIN,
    expires_at=LATE,
    binding=build.bind("t", 2, OPENED.ask, OPENED.ruling, LATE),
)
REDEEMED = build.on(
    "t", run_ev.GrantRedeemed, agent=build.AGENT, grant_id="g", action_digest="3" * 64
)
MINUTE = timedelta(minutes=1)
LONG = MINUTE + timedelta(microseconds=1)
BIG = build.opened("t", ask=build.ask(idempotency_key="key-t", needs_full_view=True))
BIG_VOTES = world.both("t", BIG.binding)
BIG_SEEN = tuple(build.on("t", ev.FullViewOpened, person=who) for who in (ANNA, BEN))
BIG_REJECT = world.cast("t", BIG.binding, choice=build.Choice.REJECT)
BIG_AGAIN = build.revised("t", ask=BIG.ask)

ACTIVE = OPENED.ruling.snapshot
NEWER = "9" * 64


def active(snapshot: str) -> ctl.BundleActivated:
    return ctl.BundleActivated(
        tenant=TENANT, actor="a", snapshot=snapshot, content_digest="c", registry_digest="r"
    )


def asked(by: PersonId) -> Event:
    return ctl.UnfreezeAsked(tenant=TENANT, target=build.AGENT, person=by)


def unfrozen(person: PersonId, asked_by: PersonId) -> Event:
    return ctl.AgentUnfrozen(tenant=TENANT, target=build.AGENT, person=person, asked_by=asked_by)


def ruled(snapshot: str, revision: int = 2) -> Event:
    """A revision under another ruling, bound to it."""
    ruling = build.ruling(snapshot=snapshot, reason="a looser one")
    binding = build.bind("t", revision, OPENED.ask, ruling, OPENED.expires_at)
    return replace(AGAIN, revision=revision, ruling=ruling, binding=binding)


def denied(snapshot: str) -> Event:
    ruling = build.ruling(build.Effect.DENY, snapshot=snapshot)
    return build.on("t", ev.TicketDenied, ruling=ruling)


def upheld(snapshot: str) -> Event:
    return build.on("t", ev.TicketUpheld, snapshot=snapshot)


OWNER = PersonId("slack:T1/UOWNER")
OWNED = build.opened("t", ask=build.ask(idempotency_key="key-t", owners=(OWNER,)))
VOTES_OF_OWNED = world.both("t", OWNED.binding)


def reminded(*people: PersonId, number: int = 1) -> Event:
    return build.on("t", nudge_ev.VotersReminded, number=number, people=people)


def told(*people: PersonId, number: int = 1) -> Event:
    return build.on("t", nudge_ev.ResolversReminded, number=number, people=people)


def escalated(step: int) -> Event:
    return build.on("t", nudge_ev.TicketEscalated, step=step, channel="C1", roles=(), people=(BEN,))


GOOD: dict[str, tuple[Event | At, ...]] = {
    "reminded, escalated and decided": (
        *(OPENED, reminded(ANNA, BEN), escalated(1), escalated(2), reminded(BEN, number=2)),
        *VOTES,
    ),
    "approved and run": (OPENED, *VOTES, *STARTED),
    "failed and revised": (OPENED, *VOTES, *STARTED, FAILED, AGAIN),
    "failed and expired": (
        *(OPENED, *VOTES, *STARTED, FAILED),
        At(at=LATE, event=build.on("t", ev.TicketExpired)),
    ),
    "allowed and redeemed": (ALLOWED, CLEARED, REDEEMED),
    "expired in time": (OPENED, At(at=T0 + HOUR, event=build.on("t", ev.TicketExpired))),
    "denied by a new bundle": (
        OPENED,
        build.on("t", ev.TicketDenied, ruling=build.ruling(build.Effect.DENY)),
    ),
    "quorum lost and met again": (
        *(OPENED, *VOTES),
        build.on("t", ev.QuorumLost, dropped=(BEN,)),
        *(VOTES[1], VOTES[2], *STARTED),
    ),
    "unknown and found done": (
        *(ALLOWED, *STARTED),
        build.on("t", run_ev.ExecutionLost, run_id="run-1"),
        build.attested("t", ANNA, took_effect=True),
        build.resolved("t", ANNA, took_effect=True),
    ),
    "unknown and found done by two, one of whom thought otherwise first": (
        *(OPENED, *VOTES, *STARTED, LOST),
        build.attested("t", BEN, took_effect=False),
        build.attested("t", ANNA, took_effect=True),
        build.attested("t", BEN, took_effect=True),
        build.resolved("t", ANNA, BEN, took_effect=True),
    ),
    "unknown and told until somebody says": (
        *(OPENED, *VOTES, *STARTED, LOST, told(ANNA, BEN)),
        build.attested("t", ANNA, took_effect=True),
        At(at=LATE, event=told(BEN, number=2)),
        build.attested("t", BEN, took_effect=False),
        *(told(ANNA, BEN, number=3), told(number=4)),
    ),
    "reminded to vote, and told that nobody knows": (
        *(OPENED, reminded(ANNA, number=2), *VOTES, *STARTED, LOST),
        At(at=LATE, event=told(ANNA)),
    ),
    "unknown and found without effect": (
        *(OPENED, *VOTES, *STARTED, LOST),
        *(build.attested("t", who, took_effect=False) for who in (ANNA, BEN)),
        *(build.resolved("t", ANNA, BEN, took_effect=False), AGAIN),
    ),
    "quarantined and released": (OPENED, *VOTES, *HELD_BACK, SEEN),
    "quarantined and discarded": (OPENED, *VOTES, *HELD_BACK, DROPPED),
    "released to the agent, whose output is discarded": (
        *(ALLOWED, CLEARED, REDEEMED),
        build.on("t", run_ev.OutcomeReported, report=QUARANTINED),
        DROPPED,
    ),
    "born denied for lack of people": (replace(OPENED, state=build.TicketState.DENIED),),
    "started a minute after clearance": (
        *(ALLOWED, CLEARED),
        At(at=T0 + MINUTE, event=build.started("t")),
    ),
    "redeemed a minute after clearance": (
        *(ALLOWED, CLEARED),
        At(at=T0 + MINUTE, event=REDEEMED),
    ),
    "approved after the full view": (BIG, *BIG_SEEN, *BIG_VOTES),
    "rejected unseen": (BIG, BIG_REJECT),
    "run by the bundle that is active": (active(ACTIVE), OPENED, *VOTES, *STARTED),
    "redeemed by the bundle that is active": (active(ACTIVE), ALLOWED, CLEARED, REDEEMED),
    "upheld and run": (active(ACTIVE), OPENED, *VOTES, active(NEWER), upheld(NEWER), *STARTED),
    "run by an older bundle that is active again": (
        *(active(ACTIVE), OPENED, *VOTES, active(NEWER), upheld(NEWER)),
        *(active(ACTIVE), upheld(ACTIVE), *STARTED),
    ),
    "unfrozen by two": (
        *(OPENED, FROZEN, asked(ANNA), unfrozen(BEN, asked_by=ANNA)),
        *(*VOTES, *STARTED),
    ),
    "ruled anew by a newer bundle": (active(ACTIVE), OPENED, active(NEWER), ruled(NEWER)),
    "denied by a newer bundle": (active(ACTIVE), OPENED, active(NEWER), denied(NEWER)),
    "ruled anew by a bundle that is active again": (
        *(active(ACTIVE), OPENED, active(NEWER), upheld(NEWER), active(ACTIVE), ruled(ACTIVE)),
    ),
}

BAD: dict[str, tuple[tuple[Event | At, ...], str]] = {
    "reminded who voted": ((OPENED, VOTES[0], reminded(ANNA)), "vote"),
    "reminded who asked": ((OWNED, reminded(OWNER)), "vote"),
    "reminded of what is over": ((OPENED, At(at=LATE, event=reminded(ANNA))), "expiry"),
    "reminded of what is settled": ((OPENED, *VOTES, reminded(ANNA)), "transition"),
    "told of what never ran": ((OPENED, told(ANNA)), "transition"),
    "told of what is known": ((ALLOWED, *STARTED, told(ANNA)), "transition"),
    "told who asked": (
        (OWNED, *VOTES_OF_OWNED, *STARTED, LOST, told(OWNER)),
        "vote",
    ),
    "told who has said": (
        (
            *(OPENED, *VOTES, *STARTED, LOST),
            *(build.attested("t", ANNA, took_effect=True), told(ANNA, BEN)),
        ),
        "vote",
    ),
    "told again of the same moment": (
        (
            *(OPENED, *VOTES, *STARTED, LOST),
            *(At(at=LATE, event=told(ANNA)), At(at=LATE, event=told(ANNA, BEN))),
        ),
        "decision",
    ),
    "escalated twice": ((OPENED, escalated(1), escalated(1)), "transition"),
    "escalated what is over": ((OPENED, At(at=LATE, event=escalated(1))), "expiry"),
    "escalated what is settled": ((OPENED, *VOTES, escalated(1)), "transition"),
    "run on the word of an older bundle": (
        (active(ACTIVE), OPENED, *VOTES, active(NEWER), *STARTED),
        "policy",
    ),
    "redeemed on the word of an older bundle": (
        (active(ACTIVE), ALLOWED, active(NEWER), CLEARED, REDEEMED),
        "policy",
    ),
    "upheld before the last activation": (
        (active(ACTIVE), OPENED, *VOTES, active(NEWER), upheld(NEWER), active(ACTIVE), *STARTED),
        "policy",
    ),
    "upheld by a bundle that is not active": (
        (active(ACTIVE), OPENED, upheld(NEWER)),
        "policy",
    ),
    "born expired": ((At(at=LATE, event=OPENED),), "expiry"),
    "born twice": ((OPENED, OPENED), "transition"),
    "born without a decision": ((replace(OPENED, basis=build.Basis.POLICY),), "decision"),
    "never born": ((VOTES[0],), "transition"),
    "late vote": ((OPENED, At(at=LATE, event=VOTES[0])), "expiry"),
    "vote on what is approved": ((ALLOWED, VOTES[0]), "transition"),
    "vote while frozen": ((FROZEN, OPENED, VOTES[0]), "frozen"),
    "withdrawn without a vote": (
        (OPENED, build.on("t", ev.VoteWithdrawn, person=ANNA)),
        "vote",
    ),
    "approved without votes": ((OPENED, VOTES[2]), "decision"),
    "approved by one of two": ((OPENED, VOTES[1], VOTES[2]), "decision"),
    "approved late": ((OPENED, *VOTES[:2], At(at=LATE, event=VOTES[2])), "expiry"),
    "expired early": ((OPENED, build.on("t", ev.TicketExpired)), "expiry"),
    "revised to live longer": ((OPENED, LONGER), "expiry"),
    "revised to another binding": ((OPENED, replace(AGAIN, binding="0" * 64)), "binding"),
    "old votes on a new revision": (
        (OPENED, *VOTES, AGAIN, replace(VOTES[2], revision=2)),
        "decision",
    ),
    "votes of the old binding": (
        (OPENED, AGAIN, replace(VOTES[0], revision=2)),
        "signature",
    ),
    "a stranger's vote dropped": (
        (OPENED, *VOTES, build.on("t", ev.QuorumLost, dropped=(build.OWNER,))),
        "vote",
    ),
    "started while pending": ((OPENED, *STARTED), "transition"),
    "started without approval": ((OPENED, *STARTED), "decision"),
    "started after a lost quorum": (
        (OPENED, *VOTES, build.on("t", ev.QuorumLost, dropped=(BEN,)), *STARTED),
        "decision",
    ),
    "started twice": ((ALLOWED, *STARTED, build.started("t")), "transition"),
    "started late": ((ALLOWED, At(at=LATE, event=build.started("t"))), "expiry"),
    "started while frozen": ((ALLOWED, FROZEN, *STARTED), "frozen"),
    "redeemed twice": ((ALLOWED, REDEEMED, REDEEMED), "transition"),
    "redeemed while all are frozen": (
        (ALLOWED, replace(FROZEN, target="all"), REDEEMED),
        "frozen",
    ),
    "reopened after the end": ((ALLOWED, REDEEMED, AGAIN), "transition"),
    "expired while it runs": (
        (ALLOWED, *STARTED, At(at=LATE, event=build.on("t", ev.TicketExpired))),
        "transition",
    ),
    "started without clearance": ((OPENED, *VOTES, build.started("t")), "clearance"),
    "redeemed without clearance": ((ALLOWED, REDEEMED), "clearance"),
    "started on a stale clearance": (
        (ALLOWED, CLEARED, At(at=T0 + LONG, event=build.started("t"))),
        "clearance",
    ),
    "redeemed on a stale clearance": (
        (ALLOWED, CLEARED, At(at=T0 + LONG, event=REDEEMED)),
        "clearance",
    ),
    "started on the clearance of an earlier revision": (
        (OPENED, *VOTES, CLEARED, AGAIN, build.started("t", revision=2)),
        "clearance",
    ),
    "started on the clearance of a lost quorum": (
        (
            *(OPENED, *VOTES, CLEARED, build.on("t", ev.QuorumLost, dropped=(BEN,))),
            *(VOTES[1], VOTES[2], build.started("t")),
        ),
        "clearance",
    ),
    "approved unseen": ((BIG, BIG_VOTES[0]), "view"),
    "approved after another's full view": ((BIG, BIG_SEEN[1], BIG_VOTES[0]), "view"),
    "approved after the full view of an earlier revision": (
        (BIG, *BIG_SEEN, BIG_AGAIN, replace(BIG_VOTES[0], revision=2)),
        "view",
    ),
    "said of a run that nobody lost": (
        (OPENED, *VOTES, *STARTED, build.attested("t", ANNA, took_effect=True)),
        "transition",
    ),
    "said by who answers for the agent": (
        (ALLOWED, *STARTED, LOST, build.attested("t", build.OWNER, took_effect=True)),
        "vote",
    ),
    "resolved by one where two are asked": (
        (
            *(OPENED, *VOTES, *STARTED, LOST, build.attested("t", ANNA, took_effect=True)),
            build.resolved("t", ANNA, took_effect=True),
        ),
        "decision",
    ),
    "resolved by one who is named twice": (
        (
            *(OPENED, *VOTES, *STARTED, LOST, build.attested("t", ANNA, took_effect=True)),
            build.resolved("t", ANNA, ANNA, took_effect=True),
        ),
        "decision",
    ),
    "resolved by two who disagree": (
        (
            *(OPENED, *VOTES, *STARTED, LOST, build.attested("t", ANNA, took_effect=False)),
            build.attested("t", BEN, took_effect=True),
            build.resolved("t", ANNA, BEN, took_effect=True),
        ),
        "decision",
    ),
    "resolved on what was said of an earlier revision": (
        (
            *(OPENED, *VOTES, *STARTED, LOST),
            *(build.attested("t", who, took_effect=False) for who in (ANNA, BEN)),
            *(build.resolved("t", ANNA, BEN, took_effect=False), AGAIN),
            replace(build.resolved("t", ANNA, BEN, took_effect=True), revision=2),
        ),
        "decision",
    ),
    "released twice": ((OPENED, *VOTES, *HELD_BACK, SEEN, SEEN), "decision"),
    "released after the discard": ((OPENED, *VOTES, *HELD_BACK, DROPPED, SEEN), "decision"),
    "released while nothing has run": ((OPENED, *VOTES, SEEN), "transition"),
    "released without an output": ((ALLOWED, CLEARED, REDEEMED, SEEN), "decision"),
    "released by who answers for the agent": (
        (OPENED, *VOTES, *HELD_BACK, replace(SEEN, person=build.OWNER)),
        "vote",
    ),
    "one key, two tickets": (
        (OPENED, build.opened("u", ask=OPENED.ask)),
        "idempotency",
    ),
    "unfrozen by one": (
        (FROZEN, asked(ANNA), unfrozen(ANNA, asked_by=ANNA)),
        "frozen",
    ),
    "unfrozen though nobody asked": ((FROZEN, unfrozen(BEN, asked_by=ANNA)), "frozen"),
    "unfrozen in the name of one who did not ask": (
        (FROZEN, asked(build.OWNER), unfrozen(BEN, asked_by=ANNA)),
        "frozen",
    ),
    "unfrozen on a wish that a new freeze took back": (
        (FROZEN, asked(ANNA), FROZEN, unfrozen(BEN, asked_by=ANNA)),
        "frozen",
    ),
    "unfrozen while it was not frozen": ((unfrozen(BEN, asked_by=ANNA),), "frozen"),
    "asked to unfreeze what was not frozen": ((asked(ANNA),), "frozen"),
    "ruled otherwise by the bundle that had ruled": (
        (active(ACTIVE), OPENED, ruled(ACTIVE)),
        "policy",
    ),
    "ruled anew by a bundle that is not active": (
        (active(ACTIVE), OPENED, ruled(NEWER)),
        "policy",
    ),
    "denied by the bundle that had ruled otherwise": (
        (active(ACTIVE), OPENED, denied(ACTIVE)),
        "policy",
    ),
    "denied by a bundle that is not active": (
        (active(ACTIVE), OPENED, denied(NEWER)),
        "policy",
    ),
    "succeeded after it failed": ((OPENED, *VOTES, *STARTED, FAILED, DONE), "transition"),
    "failed twice": ((OPENED, *VOTES, *STARTED, FAILED, FAILED), "transition"),
    "lost after it failed": ((OPENED, *VOTES, *STARTED, FAILED, LOST), "transition"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_lawful_story_is_no_problem(name: str):
    assert wrong(*GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_an_unlawful_record_is_named(name: str):
    story, what = BAD[name]
    assert (len(story), what) in wrong(*story)


def test_distinct_roles_count_each_role_once():
    ruled = build.ruling(requirement=build.requirement(distinct_roles=True, threshold=2))
    opened = build.opened("t", ruling=ruled)
    twice = (
        world.cast("t", opened.binding),
        world.cast("t", opened.binding, person=BEN, nonce="8" * 32),
    )
    assert (4, "decision") in wrong(opened, *twice, VOTES[2])


def test_a_rejecting_vote_brings_no_weight():
    heavy = {"role": "security-admin", "weight": 3, "nonce": "8" * 32}
    reject = world.cast("t", OPENED.binding, person=BEN, choice=build.Choice.REJECT, **heavy)
    assert (4, "decision") in wrong(OPENED, VOTES[0], reject, VOTES[2])


@pytest.mark.parametrize(
    "constraints",
    [
        Constraints(),
        Constraints(network_allow=(), paths_deny=(), max_files=0),
        Constraints(network_allow=("a", "b"), paths_deny=("/etc",), isolated=True, max_lines=7),
    ],
)
def test_the_verifier_binds_every_shape_of_constraint_alike(constraints: Constraints):
    ruled = build.ruling(constraints=constraints, constraint_id="no-prod")
    assert wrong(build.opened("t", ruling=ruled)) == []


ON_A_SERVER = frozenset({"postgres", "declared", "indexes", "roles"})
"""What the verifier asks of PostgreSQL alone, through its driver."""


def test_the_verifier_shares_no_code_with_what_it_verifies():
    modules = sorted(Path(verify.__file__).parent.glob("*.py"))
    assert len(modules) > 30
    for path in modules:
        imported = re.findall(
            r"^(?:from|import) (\S+)(?: import (\w+))?", path.read_text(), re.MULTILINE
        )
        ours = [f"{module}.{name}" for module, name in imported if module.startswith("storage")]
        foreign = {module.split(".")[0] for module, _ in imported} - {"storage"}
        assert all(name.startswith("storage.verify.") for name in ours), (path.name, ours)
        driver = {"psycopg"} if path.stem in ON_A_SERVER else set()
        allowed = {*sys.stdlib_module_names, "cryptography", *driver}
        assert foreign <= allowed, (path.name, foreign)


def test_an_activation_in_the_form_of_an_earlier_version_frees_nothing():
    facts = Facts(KEYS)
    facts.ring.keys.update(KEYS)
    story = ((active(ACTIVE), 2), (OPENED, 1), (active(NEWER), 1), (active(ACTIVE), 2))
    found = []
    for seq, (event, version) in enumerate(story, start=1):
        record = {
            "type": type(event).__name__,
            "version": version,
            "timestamp": stamp(T0),
            "payload": codec.payload(event),
            "ticketId": "t",
            "revision": 1,
            "binding": OPENED.binding,
            "tenant": TENANT,
            "traceId": "",
            "agentId": "",
        }
        found += [(problem.seq, problem.what) for problem in facts.take(seq, record)]
        if seq == 3:
            assert facts.rules.active == NEWER
    facts.scratch.close()
    assert found == [(3, "policy")]


def test_what_an_earlier_version_let_run_after_an_activation_is_not_held_against_it():
    facts = Facts(KEYS)
    facts.ring.keys.update(KEYS)
    story = (active(ACTIVE), OPENED, *VOTES, active(NEWER), *STARTED)
    found = []
    for seq, event in enumerate(story, start=1):
        record = {
            "type": type(event).__name__,
            "version": 1,
            "timestamp": stamp(T0),
            "payload": codec.payload(event),
            "ticketId": "t",
            "revision": 1,
            "binding": OPENED.binding,
            "tenant": TENANT,
            "traceId": "",
            "agentId": "",
        }
        found += list(facts.take(seq, record))
    facts.scratch.close()
    assert found == []
