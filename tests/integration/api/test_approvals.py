"""What people do with their own credentials, and what agents do with an approval."""

import asyncio

import pytest

from governance.tickets.ticket import TicketState
from tests.integration.api.world import MERGE, OLGA, World
from tests.support.commits import erase

LONG = {"text": "x" * 5_000}


async def test_a_counted_vote_below_the_threshold_says_what_is_missing(world: World):
    name = await world.job()
    told = await world.post(f"approvals/{name}/approve", "olga")
    assert told.status == 200
    assert (told["state"], told["status"]) == ("APPROVAL_REQUIRED", "counted")
    assert (told["quorum"]["weight"], told["quorum"]["threshold"]) == (1, 4)
    assert "security-admin" in told["quorum"]["missing"]
    last = await world.post(f"approvals/{name}/approve", "sara")
    assert (last["state"], last["status"]) == ("SCHEDULED", "approved")
    assert (last["quorum"]["is_met"], last["quorum"]["missing"]) == (True, "")
    assert last["approved_by"] == ["slack:T1/UOLGA", "slack:T1/USARA"]


async def test_a_vote_needs_no_body_at_all(world: World):
    for verb in ("approve", "reject"):
        told = await world.post(
            f"approvals/{await world.job()}/{verb}",
            "olga",
            headers={"Content-Type": "application/json"},
        )
        assert told.status == 200


async def test_a_repeat_of_ones_own_vote_is_told_so_without_an_event(world: World):
    name = await world.job()
    await world.post(f"approvals/{name}/approve", "olga")
    size = await world.size()
    told = await world.post(f"approvals/{name}/approve", "olga")
    assert (told.status, told["is_counted_before"]) == (200, True)
    assert told["status"] == "already_counted"
    assert await world.size() == size
    await world.post(f"approvals/{name}/approve", "sara")
    told = await world.post(f"approvals/{name}/approve", "sara")
    assert (told.status, told["status"]) == (200, "already_approved")
    assert told["approved_at"]


@pytest.mark.parametrize(
    ("who", "code", "status"),
    [("owner", "self_approval_denied", 403), ("nobody", "wrong_role", 403)],
)
async def test_a_vote_that_may_not_count_is_refused_by_name(
    world: World, who: str, code: str, status: int
):
    name = await world.job()
    told = await world.post(f"approvals/{name}/approve", who)
    assert (told.status, told["code"]) == (status, code)
    assert (await world.ticket(name)).votes == ()


async def test_a_deactivated_person_neither_votes_nor_reads(world: World):
    name = await world.job()
    world.people.gone.add(OLGA)
    for told in (
        await world.post(f"approvals/{name}/approve", "olga"),
        await world.get(f"approvals/{name}", "olga"),
    ):
        assert (told.status, told["code"]) == (403, "voter_deactivated")


async def test_no_agent_reader_or_admin_votes(world: World):
    name = await world.job()
    for who in ("agent", "other", "reader", "admin"):
        told = await world.post(f"approvals/{name}/approve", who)
        assert (told.status, told["code"]) == (403, "forbidden")


async def test_a_late_vote_is_told_that_it_is_settled(world: World):
    name = await world.approved()
    told = await world.post(f"approvals/{name}/approve", "otto")
    assert (told.status, told["code"]) == (409, "approval_already_resolved")
    assert (await world.post("approvals/nothing/approve", "olga")).status == 404


async def test_a_vote_says_what_it_saw_and_another_binding_does_not_count(world: World):
    name = await world.job()
    seen = (await world.get(f"approvals/{name}", "olga"))["binding"]
    wrong = "0" * 12 if not seen.startswith("0" * 12) else "1" * 12
    told = await world.post(f"approvals/{name}/approve", "olga", {"binding": wrong})
    assert (told.status, told["code"]) == (409, "binding_mismatch")
    told = await world.post(f"approvals/{name}/approve", "olga", {"revision": 2})
    assert (told.status, told["code"]) == (409, "superseded_revision")
    good = {"binding": seen[:12], "revision": 1, "role": "operator"}
    assert (await world.post(f"approvals/{name}/approve", "olga", good)).status == 200


async def test_a_long_action_is_approved_only_after_the_whole_was_fetched(world: World):
    name = await world.job(arguments=LONG)
    told = await world.post(f"approvals/{name}/approve", "olga")
    assert (told.status, told["code"]) == (409, "full_view_required")
    whole = await world.get(f"approvals/{name}", "olga")
    assert whole["content"]["arguments"] == LONG
    assert whole["full_view_recorded"] is True
    assert (await world.post(f"approvals/{name}/approve", "olga")).status == 200
    told = await world.post(f"approvals/{name}/approve", "sara")
    assert told["code"] == "full_view_required"


async def test_the_view_is_on_record_before_the_whole_is_sent(world: World):
    name = await world.job(arguments=LONG)
    for who, wanted in (("agent", False), ("reader", False), ("admin", False), ("olga", True)):
        told = await world.get(f"approvals/{name}", who)
        assert (told.status, told["full_view_recorded"]) == (200, wanted)
        assert (told["content"] is None) is (who in ("reader", "admin"))
    views = (await world.ticket(name)).full_views
    assert [view.person for view in views] == [OLGA]


async def test_content_that_was_erased_is_told_as_absent_and_not_as_seen(world: World):
    name = await world.job()
    await erase(world.ledger, (await world.ticket(name)).ask.content_digest)
    told = await world.get(f"approvals/{name}", "olga")
    assert (told["content"], told["full_view_recorded"]) == (None, False)
    assert told["content_erased_at"] is not None
    assert (await world.ticket(name)).full_views == ()


async def test_a_comment_that_the_tier_demands_is_not_made_up(world: World):
    careful = {"topic": "job.careful"}
    for verb in ("approve", "reject"):
        name = (await world.post("jobs", body=careful))["job_id"]
        told = await world.post(f"approvals/{name}/{verb}", "olga")
        assert (told.status, told["code"]) == (409, "comment_required")
        told = await world.post(f"approvals/{name}/{verb}", "olga", {"note": "seen"})
        assert told.status == 200


async def test_who_decided_when_and_why_is_in_the_whole_ticket(world: World):
    name = await world.job()
    await world.post(f"approvals/{name}/approve", "olga", {"note": "after policy review"})
    vote = (await world.get(f"approvals/{name}", "sara"))["votes"][0]
    assert (vote["person"], vote["role"], vote["weight"]) == (OLGA, "operator", 1)
    assert vote["comment"] == "after policy review"
    assert vote["signature"]
    bare = await world.job(prompt="other")
    await world.post(f"approvals/{bare}/reject", "olga")
    assert (await world.get(f"approvals/{bare}", "sara"))["votes"][0]["comment"] == "none given"


async def test_the_queue_holds_what_waits_and_on_request_what_was_decided(world: World):
    waiting, decided = await world.job(), await world.approved(prompt="done")
    await world.post("jobs", body={"topic": "job.mcp-bridge.read.x"})
    queue = await world.get("approvals", "olga")
    assert [item["job_id"] for item in queue["items"]] == [waiting]
    item = queue["items"][0]
    for key in ("topic", "tenant_id", "capability", "reason", "created_at"):
        assert isinstance(item[key], str)
    assert item["decision"] == "PENDING"
    assert item["job"]["state"] == "APPROVAL_REQUIRED"
    both = await world.get("approvals", "olga", params={"include_resolved": "true"})
    assert [entry["job_id"] for entry in both["items"]] == [decided, waiting]
    assert both["items"][0]["decision"] == "APPROVED"
    assert "UOLGA" in both["items"][0]["decided_by"]
    page = await world.get("approvals", "olga", params={"include_resolved": "1", "limit": "1"})
    assert page["next_cursor"] == decided


async def test_an_approval_is_redeemed_once_by_its_agent(world: World):
    name = await world.approved()
    digest = (await world.ticket(name)).ask.action_digest
    told = await world.post(f"jobs/{name}/consume", body={"action_digest": digest})
    assert (told.status, told["state"]) == (200, "SUCCEEDED")
    assert told["grant"]["id"]
    assert told["grant"]["action_digest"] == digest
    again = await world.post(f"jobs/{name}/consume")
    assert (again.status, again["code"]) == (409, "already_consumed")
    assert (await world.get(f"jobs/{name}"))["state"] == "SUCCEEDED"


async def test_200_parallel_consumes_redeem_once(world: World):
    name = await world.approved()
    told = await asyncio.gather(*(world.post(f"jobs/{name}/consume") for _ in range(200)))
    assert sorted(item.status for item in told) == [200] + [409] * 199


async def test_a_consume_is_refused_before_approval_and_for_another_action(world: World):
    told = await world.post(f"jobs/{await world.job()}/consume")
    assert (told.status, told["code"]) == (409, "not_approved")
    name = await world.approved(prompt="two")
    told = await world.post(f"jobs/{name}/consume", body={"action_digest": "0" * 64})
    assert (told.status, told["code"]) == (409, "digest_mismatch")
    assert (await world.ticket(name)).state is TicketState.APPROVED


async def test_an_outcome_is_an_annotation_and_its_output_is_shown_redacted(world: World):
    name = await world.approved()
    report = {"status": "failed", "error": "it broke", "output": "mail anna@example.org now"}
    early = await world.post(f"jobs/{name}/outcome", body=report)
    assert (early.status, early["code"]) == (409, "wrong_state")
    await world.post(f"jobs/{name}/consume")
    told = await world.post(f"jobs/{name}/outcome", body=report)
    assert (told.status, told["state"]) == (200, "SUCCEEDED")
    assert told["outcome"]["output_state"] == "redacted"
    assert "anna@example.org" not in told.text
    job = await world.get(f"jobs/{name}")
    assert (job["outcome"]["status"], job["outcome"]["error"]) == ("failed", "it broke")
    assert "anna@example.org" not in job.text
    assert "[email removed]" in job["outcome"]["output"]
    assert (await world.post(f"jobs/{name}/outcome", body=report)).status == 200
    told = await world.post(f"jobs/{name}/outcome", body={"status": "succeeded"})
    assert (told.status, told["code"]) == (409, "already_consumed")


async def test_a_credential_that_redeems_by_reading_consumes_before_it_is_told(world: World):
    name = await world.job("redeemer")
    assert (await world.get(f"jobs/{name}", "redeemer"))["state"] == "APPROVAL_REQUIRED"
    for who in ("olga", "sara"):
        await world.post(f"approvals/{name}/approve", who)
    assert (await world.get(f"jobs/{name}", "olga"))["state"] == "SCHEDULED"
    assert (await world.get(f"jobs/{name}", "redeemer"))["state"] == "SUCCEEDED"
    assert (await world.ticket(name)).state is TicketState.RELEASED
    told = await world.post(f"jobs/{name}/consume", "redeemer")
    assert told["code"] == "already_consumed"


async def test_reading_never_redeems_what_is_frozen(world: World):
    name = await world.job("redeemer")
    for who in ("olga", "sara"):
        await world.post(f"approvals/{name}/approve", who)
    await world.post("freeze", "otto", {"target": "old-bot"})
    assert (await world.get(f"jobs/{name}", "redeemer"))["state"] == "SCHEDULED"


async def test_one_person_freezes_and_two_unfreeze(world: World):
    name = await world.approved()
    told = await world.post("freeze", "olga", {"target": "merge-bot", "reason": "odd"})
    assert (told.status, told["is_frozen"], told["changed"]) == (200, True, True)
    assert (await world.post("freeze", "otto", {"target": "merge-bot"}))["changed"] is False
    for told in (await world.post("jobs", body=MERGE), await world.post(f"jobs/{name}/consume")):
        assert (told.status, told["code"]) == (409, "frozen")
    assert (await world.get("/readyz", ""))["frozen"][0]["target"] == "merge-bot"
    first = await world.post("unfreeze", "olga", {"target": "merge-bot"})
    assert (first["is_frozen"], first["status"]) == (True, "second_person_needed")
    assert (await world.post("unfreeze", "olga", {"target": "merge-bot"}))["changed"] is False
    last = await world.post("unfreeze", "sara", {"target": "merge-bot"})
    assert (last["is_frozen"], last["status"]) == (False, "lifted")
    assert (await world.post(f"jobs/{name}/consume")).status == 200


async def test_only_people_with_a_role_freeze(world: World):
    for who, code in (("agent", "forbidden"), ("admin", "forbidden"), ("nobody", "wrong_role")):
        told = await world.post("freeze", who, {"target": "all"})
        assert (told.status, told["code"]) == (403, code)
