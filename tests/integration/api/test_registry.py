"""The constraint registry over HTTP: agents read it, and nothing on the way writes it."""

from typing import Any

from bot.api.openapi import document
from bot.api.routes import OPEN_ROUTES, ROUTES
from governance.principal import Scope
from tests.integration.api.world import World, running

BLOCK: dict[str, Any] = {
    "id": "no-exports",
    "description": "Nothing leaves",
    "violationAction": "BLOCK",
    "metadata": {"owners": ["security", {"since": 2024}]},
    "match": {"topics": ["job.export.*"]},
}
WARN: dict[str, Any] = {"id": "loud", "description": "Everybody sees it", "violationAction": "WARN"}
SECTIONS: dict[str, Any] = {
    "constraints": [BLOCK, WARN],
    "exceptions": {"no-exports": "light"},
    "emergency": {"recovery": {"constraints": ["no-exports"], "tier": "high"}},
}


async def test_an_agent_reads_the_constraints_and_their_digest():
    async with running(**SECTIONS) as world:
        told = await world.get("policy/constraints")
        bundle = world.service.bundle
        assert told.status == 200
        assert told["policy_snapshot"] == bundle.snapshot
        assert told["registry_digest"] == bundle.registry_digest
        assert told["constraints"] == [
            {
                "id": "no-exports",
                "description": "Nothing leaves",
                "violation_action": "BLOCK",
                "metadata": BLOCK["metadata"],
                "match": BLOCK["match"],
                "exception_tier": "light",
                "emergencies": ["recovery"],
            },
            {
                "id": "loud",
                "description": "Everybody sees it",
                "violation_action": "WARN",
                "metadata": {},
                "match": None,
                "exception_tier": "",
                "emergencies": [],
            },
        ]


async def test_the_constraints_are_read_with_a_credential_that_may_read(world: World):
    assert (await world.get("policy/constraints", "")).status == 401
    route = next(one for one in ROUTES if one.path.endswith("/policy/constraints"))
    assert (route.method, route.scopes) == ("GET", frozenset({Scope.READ}))


async def test_no_route_writes_the_constraint_registry():
    paths = document()["paths"]
    assert isinstance(paths, dict)
    about = [path for path in paths if "constraint" in path or "registry" in path]
    assert about == ["/api/v1/policy/constraints"]
    assert set(paths["/api/v1/policy/constraints"]) == {"get"}
    async with running(**SECTIONS) as world:
        before = await world.get("policy/constraints")
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            told = await world.send(method, "policy/constraints", body={"constraints": []})
            assert told.status == 405
        for route in (*ROUTES, *OPEN_ROUTES):
            if route.method == "POST":
                await world.post(route.path.replace("{id}", "x"), body={"constraints": []})
        after = await world.get("policy/constraints")
        assert after["constraints"] == before["constraints"]
        assert after["registry_digest"] == before["registry_digest"]
