"""Votes in another's name: each voice once in the database, and the verifier's word on them."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from governance import delegation as dg
from governance.audit import Event
from governance.control import KeyRegistered
from governance.errors import Unavailable
from governance.tickets import events as ev
from governance.tickets.binding import stamp
from storage import codec
from storage.ledger import SqliteLedger
from storage.verify.chain import Chain
from storage.verify.facts import Facts
from storage.verify.state import taken_up, written
from storage.verify.tiles import Tiles
from storage.verify.verifier import verify_database
from tests.support import build, world
from tests.support.build import ANNA, BEN, OWNER, T0, TENANT, granted
from tests.support.commits import append
from tests.support.core import CARA, DAN
from tests.unit.storage.test_verify_rules import At, wrong

OPENED = build.opened("t", ask=build.ask(idempotency_key="key-t", content_digest=""))
FOR_ANNA = {"delegator": ANNA, "delegation": "d-1"}
BY_BEN = world.cast("t", OPENED.binding, person=BEN, **FOR_ANNA)
BY_ANNA = world.cast("t", OPENED.binding)
BY_CARA = world.cast(
    "t", OPENED.binding, person=CARA, role="security-admin", weight=3, nonce="8" * 32
)
APPROVED = build.on("t", ev.TicketApproved, weight=4, threshold=4)
CLEARED = build.on("t", build.run_ev.ExecutionCleared, people=(ANNA, BEN, CARA))
ENDED = dg.DelegationRevoked(tenant=TENANT, delegation_id="d-1", person=BEN)
DROPPED = build.on("t", ev.QuorumLost, dropped=(BEN,))
LATE = T0 + timedelta(minutes=30)
BRIEF = granted(ends_at=T0 + timedelta(minutes=20))


def keys() -> list[Event]:
    made = [
        build.public_key(f"key:{purpose}", world.pem_of(purpose), purpose=purpose)
        for purpose in world.PURPOSES
    ]
    return [KeyRegistered(tenant=TENANT, key=key) for key in made]


async def voices(ledger: SqliteLedger, path: Path, *steps: tuple[Event, ...]) -> dict[str, str]:
    """Who speaks with whose voice after these steps; withdrawn rows are left out."""
    for events in steps:
        await append(ledger, *events)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT person, voice FROM votes WHERE withdrawn = 0")
        return dict(rows.fetchall())


BEGUN = (*keys(), granted(), OPENED)


async def test_a_lent_voice_is_in_its_row_and_the_log_verifies(ledger: SqliteLedger, path: Path):
    run = (APPROVED, CLEARED, build.started("t"))
    found = await voices(ledger, path, BEGUN, (BY_BEN, BY_CARA), run)
    assert found == {BEN: ANNA, CARA: CARA}
    assert verify_database(path).problems == ()


@pytest.mark.parametrize("person", [BEN, CARA])
async def test_a_row_with_another_voice_is_named(ledger: SqliteLedger, path: Path, person: str):
    await voices(ledger, path, BEGUN, (BY_BEN, BY_CARA))
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE votes SET voice = 'eve' WHERE person = ?", (person,))
    assert [problem.what for problem in verify_database(path).problems] == ["votes"]


async def test_a_forged_delegation_in_the_governing_state_is_named(
    ledger: SqliteLedger, path: Path
):
    await voices(ledger, path, BEGUN)
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        (body,) = connection.execute("SELECT body FROM control").fetchone()
        forged = body.replace(b'"reason":"on leave"', b'"reason":"for ever"')
        assert forged != body
        connection.execute("UPDATE control SET body = ?", (forged,))
    (problem,) = verify_database(path).problems
    assert (problem.what, problem.field) == ("control", "delegations")


async def test_the_database_refuses_a_voice_that_was_heard(ledger: SqliteLedger, path: Path):
    await voices(ledger, path, BEGUN, (BY_BEN,))
    with pytest.raises(Unavailable):
        await append(ledger, BY_ANNA)
    assert await voices(ledger, path) == {BEN: ANNA}


async def test_a_voice_goes_from_hand_to_hand_within_one_batch(ledger: SqliteLedger, path: Path):
    own = world.cast("t", OPENED.binding, person=BEN, nonce="9" * 32)
    other = world.cast("t", OPENED.binding, person=DAN, **FOR_ANNA)
    first = await voices(ledger, path, BEGUN, (BY_BEN,), (own, other))
    assert first == {BEN: BEN, DAN: ANNA}
    back = (build.on("t", ev.VoteWithdrawn, person=DAN), BY_BEN)
    assert await voices(ledger, path, back) == {BEN: ANNA}
    again = (DROPPED, BY_ANNA)
    assert await voices(ledger, path, (ENDED,), again) == {ANNA: ANNA}
    assert verify_database(path).problems != ()  # DAN was lent nothing


async def test_a_vote_of_before_voices_were_lent_is_read_as_ones_own(
    ledger: SqliteLedger, path: Path
):
    await voices(ledger, path, BEGUN, (BY_ANNA,))
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        (body,) = connection.execute("SELECT body FROM tickets").fetchone()
        older = body.replace(b'"delegation":"","delegator":null,', b"")
        assert older != body
        connection.execute("UPDATE tickets SET body = ?", (older,))
    assert verify_database(path).problems == ()


GOOD = {
    "lent, counted and run": (
        *(granted(), OPENED, BY_BEN, BY_CARA, APPROVED, CLEARED, build.started("t")),
    ),
    "ended, swept, and the delegator votes": (
        *(granted(), OPENED, BY_BEN, ENDED, DROPPED, BY_ANNA, BY_CARA, APPROVED),
    ),
    "lent again after the end": (BRIEF, At(at=LATE, event=BRIEF)),
    "every role": (granted(roles=()), OPENED, BY_BEN),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_laws_allow_is_accepted(name: str):
    story = GOOD[name]
    if name == "lent again after the end":
        again = replace(BRIEF, ends_at=LATE + timedelta(minutes=1))
        story = (BRIEF, At(at=LATE, event=again))
    assert wrong(*story) == []


_APPROVER = {"owners": (ANNA,), "idempotency_key": "key-t", "content_digest": ""}
_OWN = build.opened("t", ask=build.ask(**_APPROVER))
BAD: dict[str, tuple[tuple[Event | At, ...], str]] = {
    "nobody lent it": ((OPENED, BY_BEN), "vote"),
    "it had ended": ((granted(), ENDED, OPENED, BY_BEN), "vote"),
    "its time was over": ((BRIEF, OPENED, At(at=LATE, event=BY_BEN)), "vote"),
    "another role was lent": ((granted(roles=("security-admin",)), OPENED, BY_BEN), "vote"),
    "lent to somebody else": ((granted(delegate=CARA), OPENED, BY_BEN), "vote"),
    "somebody else lent it": ((granted(delegator=CARA), OPENED, BY_BEN), "vote"),
    "the delegator had voted": ((granted(), OPENED, BY_ANNA, BY_BEN), "vote"),
    "the delegate had spoken for them": ((granted(), OPENED, BY_BEN, BY_ANNA), "vote"),
    "of whoever answers for the agent": (
        (granted(), _OWN, world.cast("t", _OWN.binding, person=BEN, **FOR_ANNA)),
        "vote",
    ),
    "approved on one that ended": (
        (granted(), OPENED, BY_BEN, BY_CARA, ENDED, APPROVED),
        "decision",
    ),
    "run on one that ended": (
        (granted(), OPENED, BY_BEN, BY_CARA, APPROVED, CLEARED, ENDED, build.started("t")),
        "decision",
    ),
    "lent to oneself": ((granted(delegate=ANNA),), "delegation"),
    "lent for no time": ((granted(ends_at=T0),), "delegation"),
    "lent twice": ((granted(), granted()), "delegation"),
    "ended by a stranger": ((granted(), replace(ENDED, person=OWNER)), "delegation"),
    "ended twice": ((granted(), ENDED, ENDED), "delegation"),
    "signed without saying for whom": (
        (
            granted(),
            OPENED,
            replace(
                world.cast("t", OPENED.binding, person=BEN),
                vote=replace(world.cast("t", OPENED.binding, person=BEN).vote, **FOR_ANNA),
            ),
        ),
        "signature",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_laws_forbid_is_named(name: str):
    story, what = BAD[name]
    assert [found for _, found in wrong(*story)] == [what]


def seen(*story: Event) -> Facts:
    facts = Facts({})
    for seq, event in enumerate((*keys(), *story), start=1):
        record = {
            "type": type(event).__name__,
            "version": event.version,
            "timestamp": stamp(T0),
            "payload": codec.payload(event),
            **dict.fromkeys(("ticketId", "binding", "tenant", "traceId", "agentId"), ""),
            "revision": 0,
        }
        list(facts.take(seq, record))
    return facts


def lines(facts: Facts, tmp_path: Path) -> Path:
    chain, tiles = Chain(), Tiles(facts.scratch)
    path = tmp_path / "state.ndjson"
    path.write_bytes(b"".join(written(chain, facts, tiles, "placet.local/log", stamp(T0))))
    return path


def test_a_walk_that_begins_in_between_knows_what_is_lent(tmp_path: Path):
    path = lines(seen(granted(), OPENED, BY_BEN), tmp_path)
    facts = Facts({})
    taken_up(path, Chain(), facts, Tiles(facts.scratch), {})
    assert [*facts.lent.known] == ["d-1"]
    rows = facts.scratch.execute("SELECT person, voice FROM w").fetchall()
    assert rows == [(BEN, ANNA)]


def test_a_state_without_delegations_reads_as_it_did_before_there_were_any(tmp_path: Path):
    text = lines(seen(OPENED, BY_ANNA), tmp_path).read_text()
    for word in ("lent", '{"w"', "delegat"):
        assert word not in text
