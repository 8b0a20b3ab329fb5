"""Emergencies that were thought through beforehand.

Lives here: the templates, and which of them covers a request.
Must not live here: what a violated constraint leads to otherwise (``sources``).
Law: a template only turns the denial by a listed constraint into a question to at least two
people; one that is named and does not fit is a denial, never ignored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from governance.action import ActionRequest
from governance.policy.constraints import ConstraintRule
from governance.policy.matching import Match, Outcome, Subject

LABEL = "emergency"
"""The label by which a request names its template; without templates it is a label like any."""
MAX_TTL_S = 3_600
PREFIX = "emergency/"
"""How the tier of a template is called: this and the template's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """One template."""

    name: str
    constraints: frozenset[str]
    match: Match
    tier: str
    channel: str = ""
    """Where it is told of at once, besides where every ticket is."""

    def misfit(
        self, request: ActionRequest, vouched: Subject, violated: Iterable[ConstraintRule]
    ) -> str:
        """Why it does not cover the request that names it; empty where it does."""
        if self.match.judge(vouched) is not Outcome.MATCHED:
            return f"emergency template {self.name} is not for this request"
        if self.constraints.isdisjoint(constraint.id for constraint in violated):
            return f"emergency template {self.name} excepts nothing that this request violates"
        if not request.content.justification.strip():
            return f"emergency template {self.name} needs a justification"
        return ""


def called(
    templates: Mapping[str, Emergency],
    request: ActionRequest,
    vouched: Subject,
    violated: Iterable[ConstraintRule],
) -> tuple[Emergency | None, str]:
    """The template that covers ``request``, if it names one, or why the one named does not.

    ``vouched`` is the request without what only the agent says of it.
    """
    name = request.labels.get(LABEL)
    if name is None or not templates:
        return None, ""
    template = templates.get(name)
    if template is None:
        return None, "the request names an emergency template that there is not"
    misfit = template.misfit(request, vouched, violated)
    return (None, misfit) if misfit else (template, "")
