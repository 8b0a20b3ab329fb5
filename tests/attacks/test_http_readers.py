"""Threat: a person's credential reads over HTTP what Slack does not show that person."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from governance.delegation import Wish
from governance.ports import Logged
from governance.principal import PersonId, Scope
from storage.memory.ledger import MemoryLedger
from storage.retention.past import gone
from tests.integration.api.world import (
    BUNDLE,
    MERGE,
    NOBODY,
    OLGA,
    OWNER,
    T0,
    Got,
    World,
    agent,
    running,
)

NAMED = PersonId("slack:T1/UNAMED")
ASKED = PersonId("slack:T1/UASKED")
STEPPED = {"topic": "job.guard", "prompt": "look at it"}
"""A job of the tier whose step names NAMED."""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    steps = {"tiers": {"light": {"steps": [{"after": "10m", "people": [NAMED]}]}}}
    async with running(reminders=steps, delegation={"max_days": 7}) as made:
        for name, who in (("named", NAMED), ("asked", ASKED)):
            made.people.roles[who] = frozenset()
            await made.issue(name, Scope.APPROVE, Scope.READ, person=who)
        made.people.roles[OWNER] = frozenset()
        yield made


async def _reads(world: World, job: str, who: str) -> dict[str, Got]:
    """Every way to be told of one ticket."""
    ticket = await world.ticket(job)
    seq = next(r.seq for r in await world.ledger.records(0, 1_000) if r.header.ticket_id == job)
    paths = (
        f"jobs/{job}",
        f"jobs/{job}?wait=1ms",
        f"jobs/{job}/decisions",
        f"jobs/{job}/receipt",
        f"approvals/{job}",
        f"traces/{ticket.ask.trace_id}",
        f"audit/receipts/{seq}",
    )
    found = {path: await world.get(path, who) for path in paths}
    found["explain"] = await world.post("policy/explain", who, {"ticket_id": job})
    return found


async def _listed(world: World, who: str) -> set[str]:
    jobs = await world.get("jobs", who)
    waiting = await world.get("approvals", who)
    assert (jobs.status, waiting.status) == (200, 200)
    seen = {item["job_id"] for item in jobs["items"]}
    assert {item["job_id"] for item in waiting["items"]} == seen
    return seen


async def test_whom_a_ticket_does_not_concern_reads_it_at_no_door(world: World):
    job = await world.job()
    await world.checkpoint()
    for path, told in (await _reads(world, job, "nobody")).items():
        assert (told.status, told["code"]) == (404, "not_found"), path
        assert MERGE["topic"] not in told.text
    assert await _listed(world, "nobody") == set()
    assert all(told.status == 200 for told in (await _reads(world, job, "olga")).values())
    assert await _listed(world, "olga") == {job}


async def test_what_may_not_be_read_looks_like_what_is_not_there(world: World):
    job = await world.job()
    for form in ("jobs/{}", "approvals/{}", "jobs/{}/decisions", "jobs/{}/receipt"):
        hidden = await world.get(form.format(job), "nobody")
        absent = await world.get(form.format("tk-none"), "nobody")
        assert hidden.text.replace(job, "X").replace(
            hidden["request_id"], ""
        ) == absent.text.replace("tk-none", "X").replace(absent["request_id"], ""), form
        assert hidden.status == absent.status == 404


async def test_nothing_is_put_on_record_as_seen_by_whom_it_was_not_shown_to(world: World):
    job = await world.job()
    size = await world.size()
    assert (await world.get(f"approvals/{job}", "nobody")).status == 404
    assert await world.size() == size


async def test_whom_it_concerns_reads_their_own_and_no_other(world: World):
    await world.issue(
        "stranger", Scope.SUBMIT, Scope.READ, agent=agent("stray-bot", owners=(OLGA,))
    )
    owned = await world.job()
    acted = await world.job("stranger", on_behalf_of=ASKED)
    stepped = (await world.post("jobs", "stranger", STEPPED))["job_id"]
    await world.checkpoint()
    own = {"owner": owned, "asked": acted, "named": stepped}
    for who, job in own.items():
        assert await _listed(world, who) == {job}, who
        for path, told in (await _reads(world, job, who)).items():
            assert told.status == 200, (who, path, told.text)
        for other in {owned, acted, stepped} - {job}:
            statuses = {told.status for told in (await _reads(world, other, who)).values()}
            assert statuses == {404}, (who, other)


async def test_a_trace_shows_a_person_only_the_part_that_concerns_them(world: World):
    await world.issue(
        "stranger", Scope.SUBMIT, Scope.READ, agent=agent("stray-bot", owners=(OLGA,))
    )
    trace = {"X-Trace-Id": "one-trace"}
    for who in ("agent", "stranger"):
        assert (await world.post("jobs", who, MERGE, headers=trace)).status == 200
        told = await world.post("policy/evaluate", who, MERGE, headers=trace)
        assert told.status == 200
    whole = (await world.get("traces/one-trace", "olga"))["events"]
    part = (await world.get("traces/one-trace", "owner"))["events"]
    assert {event["agent_id"] for event in whole} == {"merge-bot", "stray-bot"}
    assert {(event["agent_id"], event["type"]) for event in part} == {("merge-bot", "TicketOpened")}


class _Archived(MemoryLedger):
    """What it has recorded up to a number lies in files."""

    upto = 0

    async def timeline(self, trace_id: str) -> Sequence[Logged]:
        found = await super().timeline(trace_id)
        if any(record.seq <= self.upto for record in found):
            raise gone(self.upto, trace_id)
        return found


async def test_that_a_trace_is_archived_is_told_to_those_who_see_a_ticket_of_it():
    async with running(over=_Archived) as world:
        world.people.roles[OWNER] = frozenset()
        job = await world.job()
        trace = (await world.ticket(job)).ask.trace_id
        assert isinstance(world.ledger, _Archived)
        world.ledger.upto = await world.size()
        for who in ("agent", "owner", "olga", "reader", "admin"):
            told = await world.get(f"traces/{trace}", who)
            assert (told.status, told["code"]) == (410, "detached"), who
        for who in ("nobody", "other"):
            hidden = await world.get(f"traces/{trace}", who)
            absent = await world.get("traces/none", who)
            assert (hidden.status, hidden["code"]) == (404, "not_found"), who
            assert hidden["error"] == absent["error"]


async def test_a_page_is_filtered_and_paging_still_comes_to_every_own_ticket(world: World):
    await world.issue(
        "stranger", Scope.SUBMIT, Scope.READ, agent=agent("stray-bot", owners=(OLGA,))
    )
    own = [await world.job()]
    for number in range(5):
        await world.job("stranger")
        if number % 2:
            own.append(await world.job())
    for path in ("jobs", "approvals"):
        found, cursor, pages = [], "", 0
        while cursor is not None and pages < 20:
            more = f"&cursor={cursor}" if cursor else ""
            told = await world.get(f"{path}?limit=2{more}", "owner")
            assert len(told["items"]) <= 2
            found += [item["job_id"] for item in told["items"]]
            cursor, pages = told["next_cursor"], pages + 1
        assert sorted(found) == sorted(own), path


async def test_a_lent_voice_opens_what_waits_until_it_is_taken_back(world: World):
    job = await world.job()
    wish = Wish(
        delegator=OLGA, delegate=NOBODY, roles=(), ends_at=T0 + timedelta(days=1), reason="away"
    )
    lent = await world.service.delegate(wish)
    assert (await world.get(f"jobs/{job}", "nobody")).status == 200
    await world.service.end_delegation(lent.id, OLGA)
    assert (await world.get(f"jobs/{job}", "nobody")).status == 404


async def test_a_voice_opens_nothing_once_whoever_lent_it_has_none(world: World):
    job = await world.job()
    ends_at = T0 + timedelta(days=1)
    for roles in (("operator",), ()):
        wish = Wish(delegator=OLGA, delegate=NOBODY, roles=roles, ends_at=ends_at, reason="away")
        lent = await world.service.delegate(wish)
        assert (await world.get(f"jobs/{job}", "nobody")).status == 200
        world.people.roles[OLGA] = frozenset({"auditor"}) if roles else frozenset()
        assert (await world.get(f"jobs/{job}", "nobody")).status == 404
        world.people.roles[OLGA] = frozenset({"operator"})
        world.people.gone.add(OLGA)
        assert (await world.get(f"jobs/{job}", "nobody")).status == 404
        world.people.gone.clear()
        await world.service.end_delegation(lent.id, OLGA)


async def test_who_lost_the_role_reads_no_more_with_the_next_request(world: World):
    job = await world.job()
    assert (await world.get(f"approvals/{job}", "sara")).status == 200
    world.people.roles[PersonId("slack:T1/USARA")] = frozenset()
    assert (await world.get(f"approvals/{job}", "sara")).status == 404


async def test_an_account_that_may_not_act_is_told_the_same_of_any_ticket(world: World):
    job = await world.job()
    world.people.gone.add(OLGA)
    paths = ("jobs", "approvals", f"jobs/{job}", "jobs/tk-none", f"approvals/{job}", "traces/none")
    answers = [await world.get(path, "olga") for path in paths]
    assert {(told.status, told["code"]) for told in answers} == {(403, "voter_deactivated")}


async def test_a_simulation_over_all_requests_needs_a_person_with_a_role(world: World):
    await world.job()
    body = {"bundle": {**BUNDLE, "limits": {"max_pending": 250}}}
    told = await world.post("policy/simulate", "nobody", body)
    assert (told.status, told["code"]) == (403, "forbidden")
    assert (await world.post("policy/simulate", "olga", body)).status == 200


async def test_a_vote_that_does_not_count_has_its_own_answer_and_record(world: World):
    job = await world.job()
    told = await world.post(f"approvals/{job}/approve", "nobody")
    assert (told.status, told["code"]) == (403, "wrong_role")
    assert (await world.ledger.records(0, 1_000))[-1].type == "VoteRefused"


@pytest.mark.parametrize("who", ["reader", "admin"])
async def test_a_credential_that_names_nobody_reads_its_whole_tenant(world: World, who: str):
    job = await world.job()
    await world.checkpoint()
    assert all(told.status == 200 for told in (await _reads(world, job, who)).values())
    assert await _listed(world, who) == {job}


async def test_scope_admin_reads_the_whole_tenant_whoever_holds_it(world: World):
    job = await world.job()
    await world.issue("boss", Scope.ADMIN, person=NOBODY)
    assert (await world.get(f"jobs/{job}", "boss")).status == 200
    assert await _listed(world, "boss") == {job}


async def test_an_agent_whose_credential_names_a_person_too_keeps_its_own(world: World):
    await world.issue(
        "both", Scope.SUBMIT, Scope.READ, agent=agent("both-bot", owners=(OLGA,)), person=NOBODY
    )
    own, other = await world.job("both"), await world.job()
    assert (await world.get(f"jobs/{own}", "both")).status == 200
    assert (await world.get(f"jobs/{other}", "both")).status == 404
    assert await _listed(world, "both") == {own}
