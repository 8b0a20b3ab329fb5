"""The lines that no agent may cross, for agents to read.

Lives here: the constraint registry as an answer. Must not live here: any way to change it: there
is none, on this or any other route.
Law: an agent reads the very constraints that the active bundle was loaded with, and their digest.
"""

from aiohttp import web

from bot.api.calls import Call, answer
from bot.api.read_answers import ConstraintAnswer, ConstraintsAnswer


async def get_constraints(call: Call) -> web.Response:
    """Every constraint of the active bundle, and which of them people may except."""
    bundle = call.deps.service.bundle
    items = [
        ConstraintAnswer(
            id=rule.id,
            description=rule.description,
            violation_action=rule.violation_action.value,
            metadata=dict(rule.metadata),
            match=rule.source.get("match"),
            exception_tier=bundle.exceptions.get(rule.id, ""),
            emergencies=sorted(
                template.name
                for template in bundle.emergencies.values()
                if rule.id in template.constraints
            ),
        )
        for rule in bundle.constraints
    ]
    return answer(
        ConstraintsAnswer(
            policy_snapshot=bundle.snapshot,
            registry_digest=bundle.constraints.digest,
            constraints=items,
        )
    )
