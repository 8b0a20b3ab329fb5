"""What approvers do over HTTP besides voting: withdraw, stop, resolve, release, discard."""

from typing import Any

import pytest

from governance.execution import OutputState
from governance.tickets.ticket import TicketState
from tests.integration.api.runs import held_back, lost
from tests.integration.api.world import OLGA, OTTO, World

S = TicketState
WHY = {"comment": "I looked at the console"}


async def test_a_vote_is_withdrawn_and_then_there_is_none_to_withdraw(world: World):
    name = await world.job()
    await world.post(f"approvals/{name}/approve", "olga")
    told = await world.post(f"approvals/{name}/withdraw", "olga", {"revision": 1})
    assert (told.status, told["status"], told["changed"]) == (200, "withdrawn", True)
    assert told["quorum"]["weight"] == 0
    again = await world.post(f"approvals/{name}/withdraw", "olga")
    assert (again.status, again["code"]) == (409, "no_vote")


async def test_a_withdrawal_of_what_an_older_revision_showed_is_refused(world: World):
    name = await world.job()
    await world.post(f"approvals/{name}/approve", "olga")
    told = await world.post(f"approvals/{name}/withdraw", "olga", {"revision": 2})
    assert (told.status, told["code"]) == (409, "superseded_revision")


async def test_a_withdrawal_after_the_expiry_expires_it(world: World):
    name = await world.job()
    await world.post(f"approvals/{name}/approve", "olga")
    world.clock.pass_(3_600)
    told = await world.post(f"approvals/{name}/withdraw", "olga")
    assert (told.status, told["code"]) == (409, "expired")
    assert (await world.ticket(name)).state is S.EXPIRED


async def test_what_is_approved_is_stopped_once(world: World):
    name = await world.approved(dispatch="release")
    told = await world.post(f"approvals/{name}/stop", "otto", WHY)
    assert (told.status, told["status"], told["changed"]) == (200, "stopped", True)
    again = await world.post(f"approvals/{name}/stop", "olga")
    assert (again.status, again["changed"]) == (200, False)
    spent = await world.post(f"jobs/{name}/consume", "agent", {})
    assert (spent.status, spent["code"]) == (409, "not_approved")


async def test_what_was_used_is_not_stopped(world: World):
    name = await world.approved(dispatch="release")
    await world.post(f"jobs/{name}/consume", "agent", {})
    told = await world.post(f"approvals/{name}/stop", "olga")
    assert (told.status, told["code"]) == (409, "wrong_state")


async def test_a_role_is_changed_by_naming_another(world: World):
    world.people.roles[OLGA] = frozenset({"operator", "security-admin"})
    name = await world.job()
    for role, weight in (("security-admin", 3), ("operator", 1)):
        told = await world.post(f"approvals/{name}/approve", "olga", {"role": role})
        assert (told["status"], told["quorum"]["weight"]) == ("counted", weight)
    again = await world.post(f"approvals/{name}/approve", "olga")
    assert again["is_counted_before"] is True


async def test_two_people_say_what_became_of_an_interrupted_run(world: World):
    name = await lost(world)
    for body in (None, {}, {"took_effect": "yes"}):
        told = await world.post(f"approvals/{name}/resolve", "olga", body)
        assert (told.status, told["code"]) == (400, "invalid_field")
    told = await world.post(f"approvals/{name}/resolve", "olga", {"took_effect": True})
    assert (told.status, told["code"]) == (409, "evidence_required")
    first = await world.post(f"approvals/{name}/resolve", "olga", {"took_effect": True, **WHY})
    assert (first["status"], first["state"]) == ("attested", "FAILED")
    assert first["attested"] == [{"person": OLGA, "took_effect": True}]
    other = await world.post(f"approvals/{name}/resolve", "otto", {"took_effect": False, **WHY})
    assert other["status"] == "attested"
    last = await world.post(f"approvals/{name}/resolve", "otto", {"took_effect": True, **WHY})
    assert (last["status"], last["state"]) == ("resolved", "SUCCEEDED")
    assert [one["person"] for one in last["attested"]] == [OLGA, OTTO]


@pytest.mark.parametrize(
    ("who", "code"), [("owner", "self_approval_denied"), ("nobody", "wrong_role")]
)
async def test_who_may_not_vote_may_not_say_what_became_of_it_either(
    world: World, who: str, code: str
):
    name = await lost(world)
    told = await world.post(f"approvals/{name}/resolve", who, {"took_effect": True, **WHY})
    assert (told.status, told["code"]) == (403, code)
    assert (await world.ticket(name)).attested == ()


async def test_a_quarantined_output_is_released_redacted(world: World):
    name = await held_back(world)
    before = await world.get(f"jobs/{name}", "agent")
    assert "AKIA" not in before.text
    told = await world.post(f"approvals/{name}/output", "olga", {"decision": "release", **WHY})
    assert (told.status, told["status"], told["output_state"]) == (200, "released", "released")
    after = await world.get(f"jobs/{name}", "agent")
    assert "done" in after.text
    assert "AKIAIOSFODNN7EXAMPLE" not in after.text


async def test_a_quarantined_output_is_discarded_and_stays_so(world: World):
    name = await held_back(world)
    told = await world.post(f"approvals/{name}/output", "olga", {"decision": "discard"})
    assert (told.status, told["code"]) == (409, "evidence_required")
    told = await world.post(f"approvals/{name}/output", "olga", {"decision": "discard", **WHY})
    assert (told["status"], told["changed"]) == ("discarded", True)
    again = await world.post(f"approvals/{name}/output", "otto", {"decision": "discard", **WHY})
    assert (again.status, again["changed"]) == (200, False)
    late = await world.post(f"approvals/{name}/output", "otto", {"decision": "release", **WHY})
    assert (late.status, late["code"]) == (409, "wrong_state")
    report = (await world.ticket(name)).report
    assert report is not None
    assert report.output_state is OutputState.DISCARDED
    assert "done" not in (await world.get(f"jobs/{name}", "agent")).text


async def test_there_is_nothing_to_release_where_nothing_ran(world: World):
    name = await world.approved(dispatch="release")
    told = await world.post(f"approvals/{name}/output", "olga", {"decision": "release", **WHY})
    assert (told.status, told["code"]) == (409, "wrong_state")


@pytest.mark.parametrize("deed", ["withdraw", "stop", "resolve", "output"])
async def test_only_people_do_what_approvers_do(world: World, deed: str):
    name = await world.job()
    body = {"took_effect": True} if deed == "resolve" else {}
    body |= {"decision": "discard"} if deed == "output" else {}
    told = await world.post(f"approvals/{name}/{deed}", "agent", body)
    assert (told.status, told["code"]) == (403, "forbidden")


async def test_a_secret_in_the_evidence_is_refused_before_it_is_kept(world: World):
    name = await lost(world)
    leak = {"took_effect": True, "comment": "token AKIAIOSFODNN7EXAMPLE"}
    told = await world.post(f"approvals/{name}/resolve", "olga", leak)
    assert told.status == 400
    assert "AKIA" not in told.text
    assert (await world.ticket(name)).attested == ()


def _at_the_same_moment(world: World, name: str, *others: str, took_effect: bool) -> None:
    """Each of ``others`` says the same just before one of the next commits."""
    commit, waiting = world.ledger.commit, [*others]

    async def late(keys: Any, step: Any) -> Any:
        if waiting:
            who, body = waiting.pop(0), {"took_effect": took_effect, **WHY}
            held, world.ledger.commit = world.ledger.commit, commit  # type: ignore[method-assign]
            assert (await world.post(f"approvals/{name}/resolve", who, body)).status == 200
            world.ledger.commit = held  # type: ignore[method-assign]
        return await commit(keys, step)

    world.ledger.commit = late  # type: ignore[method-assign]


@pytest.mark.parametrize(("took_effect", "state"), [(True, S.EXECUTED), (False, S.PENDING)])
async def test_two_who_say_the_same_at_the_same_moment_settle_it(
    world: World, took_effect: bool, state: TicketState
):
    name = await lost(world)
    _at_the_same_moment(world, name, "otto", took_effect=took_effect)
    body = {"took_effect": took_effect, **WHY}
    told = await world.post(f"approvals/{name}/resolve", "olga", body)
    assert (told.status, told["status"], told["changed"]) == (200, "resolved", True)
    assert (await world.ticket(name)).state is state


@pytest.mark.parametrize(("took_effect", "state"), [(True, S.EXECUTED), (False, S.PENDING)])
async def test_whoever_says_it_while_two_others_settle_it_is_told_where_it_stands(
    world: World, took_effect: bool, state: TicketState
):
    name = await lost(world)
    _at_the_same_moment(world, name, "otto", "sara", took_effect=took_effect)
    body = {"took_effect": took_effect, **WHY}
    told = await world.post(f"approvals/{name}/resolve", "olga", body)
    assert (told.status, told["status"]) == (200, "resolved")
    assert (await world.ticket(name)).state is state


async def test_whoever_lost_the_role_since_no_longer_vouches_for_what_they_said(world: World):
    name = await lost(world)
    body = {"took_effect": True, **WHY}
    await world.post(f"approvals/{name}/resolve", "olga", body)
    world.people.gone.add(OLGA)
    told = await world.post(f"approvals/{name}/resolve", "otto", body)
    assert told["status"] == "attested"
    told = await world.post(f"approvals/{name}/resolve", "sara", body)
    assert told["status"] == "resolved"
