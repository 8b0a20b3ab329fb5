"""Draws the pictures of ``/placet stats`` for docs/slack.md: ``python docs/figures.py``.

Lives here: a made-up week. Must not live here: how figures are counted or drawn. Law: the same
week, whenever it is drawn. Needs the extra ``plots``.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bot.bundles import load_bundle
from bot.figures import plots
from governance.policy.decision import Effect
from governance.statistics import Fact, Tally
from governance.tickets.ticket import Choice

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("stats-waits", "stats-rules")
"""Of the six, those that stand on the page."""
_SINCE = datetime(2026, 3, 2, tzinfo=UTC)
_DAYS = 7
_PEOPLE = ("olivia", "omar", "rin", "ravi", "ruth")


def week(rules: list[str]) -> Tally:
    """Sixty tickets: most approved within the hour, some rejected, some never decided."""
    chance = Random(7)  # noqa: S311  # a picture, no secret
    tally = Tally(since=_SINCE, until=_SINCE + timedelta(days=_DAYS))
    facts: list[Fact] = []

    def told(at: datetime, kind: str, ticket: str = "", **more: object) -> None:
        facts.append(Fact(seq=len(facts) + 1, at=at, type=kind, ticket_id=ticket, **more))  # type: ignore[arg-type]

    for number in range(60):
        name, rule = f"t{number}", rules[int(chance.random() ** 2 * len(rules))]
        opened = _SINCE + timedelta(hours=chance.uniform(0, 24 * _DAYS - 6))
        asked = {"word": "REQUIRE_APPROVAL", "who": "PENDING", "tier": "change"}
        told(opened, "TicketOpened", name, rules=(rule,), fired=(rule,), **asked)
        wait = timedelta(minutes=chance.lognormvariate(2.6, 1.2))
        end = chance.choices(("Approved", "Rejected", "Expired"), (75, 15, 10))[0]
        if end == "Expired":
            told(opened + timedelta(hours=4), "TicketExpired", name)
            continue
        said = Choice.APPROVE if end == "Approved" else Choice.REJECT
        told(opened + wait, "VoteCast", name, who=chance.choice(_PEOPLE), word=said.value)
        told(opened + wait, f"Ticket{end}", name)
    tally.add(sorted(facts, key=lambda fact: fact.at))
    return tally


def main() -> None:
    """Write the pictures that docs/slack.md shows, each with its words."""
    bundle = load_bundle(ROOT / "policies" / "infrastructure")
    asking = Effect.REQUIRE_APPROVAL
    rules = [rule.id for rule in bundle.rules.rules if rule.effect is asking]
    for picture in plots.draw(week(rules).figures(), bundle):
        name = f"stats-{picture.name}"
        if name.removesuffix(".png") in NAMES:
            (ROOT / "docs" / "images" / name).write_bytes(picture.png)
            sys.stdout.write(f"{name}: {picture.alt}\n")


if __name__ == "__main__":
    main()
