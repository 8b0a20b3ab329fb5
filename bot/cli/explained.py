"""An explanation as tables.

Lives here: how an explanation and a recorded decision look on a terminal, and as JSON.
Must not live here: options, or what is explained (``policy_explain``).
Law: colour is never the only carrier; texts of others are inert (``output.table``).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bot.cli.output import emit, facts, note, show, stamp, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bot.decided import Decided
    from governance.policy.explain import ExplainedRule, Explanation


def tell(found: "Explanation | None", *, as_json: bool, recorded: "Decided | None") -> None:
    """Print what was decided, where that was asked, and what is said now."""
    if as_json:
        emit(_whole(found, recorded))
        return
    if recorded is not None:
        _tell_recorded(recorded)
    if found is not None:
        _tell_now(found)


def _whole(found: "Explanation | None", recorded: "Decided | None") -> dict[str, object]:
    told: dict[str, object] = {}
    if recorded is not None:
        told["recorded"] = recorded.to_json()
    if found is None:
        return told | {"explanation": None}
    decision = found.decision
    return told | {
        "effect": decision.effect.value,
        "reason": decision.reason,
        "rule_ids": list(decision.rule_ids),
        "risk_tier": decision.risk_tier,
        "constraints": decision.constraints.to_json() or None,
        "snapshot": decision.snapshot,
        "explanation": found.to_json(),
    }


def _tell_recorded(past: "Decided") -> None:
    show(
        facts(
            [
                ("recorded", f"{past.effect}: {past.reason}"),
                ("at", stamp(past.at)),
                ("by rules", ", ".join(past.rule_ids)),
                ("under", past.snapshot),
            ]
        ),
        table(
            "\nWhat was said then",
            ("source", "id", "said", "why"),
            ((line.source, line.id, line.verdict, line.note) for line in past.trace),
        ),
    )
    if past.recalled.why_not:
        note(f"What this bundle would say now cannot be told: {past.recalled.why_not}.")


def _tell_now(found: "Explanation") -> None:
    decision = found.decision
    show(
        facts(
            [
                ("effect", decision.effect.value),
                ("reason", decision.reason),
                ("tier", decision.risk_tier),
                ("under", decision.snapshot),
            ]
        ),
        table(
            "\nWhat each source says",
            ("source", "id", "says", "why"),
            ((line.source, line.id, line.verdict, line.note) for line in found.sources),
        ),
    )
    if found.rules:
        show(_rules("\nRules that match", found.rules))
    if found.near:
        show(_rules("\nRules that fail on one condition", found.near))
    if found.changes:
        rows = (
            ("looser" if item.is_looser else "stricter", item.sentence) for item in found.changes
        )
        show(table("\nWhat would change it", ("it gets", "change: effect"), rows))
    matching = len(found.rules)
    show(f"\n{found.rules_in_all} rules in all, {matching} match.")


def _rules(title: str, rules: "Iterable[ExplainedRule]") -> "RenderableType":
    return table(
        title,
        ("rule", "says", "part", "conditions", "why"),
        (
            (
                rule.rule_id,
                rule.effect,
                rule.standing.value,
                "\n".join(f"{item.outcome.value}: {item.sentence}" for item in rule.conditions),
                "; ".join(part for part in (rule.reason, rule.note) if part),
            )
            for rule in rules
        ),
    )
