"""The cases of a bundle, run.

Lives here: ``placet policy test`` and its tables. Must not live here: what a case is
(``bot.policy_cases``) or whether it passes (``governance.policy.cases``).
Law: exit code 0 means that every case was decided as expected; a bundle without cases is no pass.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.bundle_place import Policies, place_of
from bot.cli.output import AsJson, answered, emit, fail, note, show, table
from bot.replies import Exit

if TYPE_CHECKING:
    from bot.policy_cases import Placed
    from governance.policy.cases import Coverage, Outcome

NO_CASES = "no_cases"


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        "test",
        epilog="Exit code 0: every case passes; 1: at least one does not, or the bundle does not "
        "load; 4: there are no cases.\n\n"
        "Example: placet policy test --policies ./policies --coverage",
    )(decide_cases)


@answered
def decide_cases(
    *,
    policies: Policies = None,
    cases: Annotated[
        Path | None, typer.Option(help="Folder or file of cases; else cases/ beside the bundle.")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Also show which rules no case reaches.")
    ] = False,
    full_coverage: Annotated[
        bool,
        typer.Option(
            "--full-coverage", help="Fail (1) where a rule, constraint or effect is not reached."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decide the cases that are written beside a bundle, and compare with what they expect.

    Nothing is recorded and neither a ledger nor a service is needed.
    """
    from bot.bundles import load_bundle
    from bot.policy_cases import folder_of, read_cases
    from governance.policy import cases as law

    place = place_of(policies)
    bundle = load_bundle(place)
    where = cases or folder_of(place)
    placed = read_cases(where, bundle)
    if not placed:
        fail(NO_CASES, f"{where}: there is no case to decide", as_json=as_json)
        raise typer.Exit(Exit.UNAVAILABLE)
    outcomes = [law.run(item.case, bundle) for item in placed]
    covered = law.coverage(outcomes, bundle)
    is_ok = all(outcome.passed for outcome in outcomes)
    is_ok = is_ok and (covered.is_full or not full_coverage)
    if as_json:
        emit(_described(placed, outcomes, covered, is_ok=is_ok))
    else:
        _tell(placed, outcomes)
        if coverage or full_coverage:
            _tell_coverage(covered)
    if not is_ok:
        raise typer.Exit(Exit.PROBLEM)


def _described(
    placed: "Sequence[Placed]",
    outcomes: "Sequence[Outcome]",
    covered: "Coverage",
    *,
    is_ok: bool,
) -> dict[str, object]:
    from governance.policy.explain import once

    return {
        "ok": is_ok,
        "passed": sum(outcome.passed for outcome in outcomes),
        "failed": sum(not outcome.passed for outcome in outcomes),
        "cases": [
            {
                "name": item.case.name,
                "place": str(item.mark),
                "passed": outcome.passed,
                "effect": outcome.decision.effect.value,
                "reason": outcome.decision.reason,
                "rules": list(outcome.decision.rule_ids),
                "tier": outcome.decision.risk_tier,
                "differences": [
                    {"what": one.what, "expected": one.expected, "got": one.got}
                    for one in outcome.differences
                ],
                "trace": [
                    {"source": line.source, "id": line.id, "verdict": line.verdict}
                    | ({"note": line.note} if line.note else {})
                    for line in once(outcome.decision.trace)
                ]
                if not outcome.passed
                else [],
            }
            for item, outcome in zip(placed, outcomes, strict=True)
        ],
        "coverage": {
            "rules": covered.rules,
            "percent": covered.percent,
            "unreached_rules": list(covered.unreached),
            "unreached_constraints": list(covered.constraints_unreached),
            "unseen_effects": [effect.value for effect in covered.unseen],
        },
    }


def _tell(placed: "Sequence[Placed]", outcomes: "Sequence[Outcome]") -> None:
    from governance.policy.explain import once

    rows = [
        (
            "pass" if outcome.passed else "FAIL",
            item.case.name,
            outcome.decision.effect.value,
            " ".join(outcome.decision.rule_ids) or "-",
            item.mark,
        )
        for item, outcome in zip(placed, outcomes, strict=True)
    ]
    show(table("Cases", ("", "case", "answer", "rules", "where"), rows))
    for item, outcome in zip(placed, outcomes, strict=True):
        if not outcome.passed:
            wrong = ((one.what, one.expected, one.got) for one in outcome.differences)
            show(table(f"\n{item.mark}: {item.case.name}", ("what", "expected", "got"), wrong))
            trace = once(outcome.decision.trace)
            lines = ((line.source, line.id, line.verdict, line.note) for line in trace)
            show(table("Its trace", ("source", "id", "verdict", "note"), lines))
    failed = sum(not outcome.passed for outcome in outcomes)
    show(f"{len(outcomes) - failed} of {len(outcomes)} cases pass.")


def _tell_coverage(covered: "Coverage") -> None:
    show(f"Rules that the cases reach: {covered.percent} % of {covered.rules}.")
    if covered.is_full:
        return
    rows = [("rule", name) for name in covered.unreached]
    rows += [("constraint", name) for name in covered.constraints_unreached]
    rows += [("effect", effect.value) for effect in covered.unseen]
    show(table("\nNo case reaches", ("what", "which"), rows))
    note("Write a case for each: what nobody tests, nobody knows.")
