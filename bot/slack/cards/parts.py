"""The upper parts of a card: who wants what, as whom it runs, why it is asked.

Lives here: pure functions from a ``CardView`` to lines of rich text, and the budgets of a card.
Must not live here: the action (``cards.action``), where the ticket stands (``cards.standing``),
order and buttons (``cards``). Law: the agent's words stand apart and are labelled as such;
nothing is told by colour or picture alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.slack.cards import title as card_title
from bot.slack.cards.action_fields import single
from bot.slack.cards.view import CardView
from bot.slack.kit.blocks import Block, line, ours, person, quote, run
from bot.slack.kit.language import N_, gettext, number
from bot.slack.kit.text import Inert, clip, head, inert, words
from bot.slack.recorded import recorded
from governance.action import Dispatch
from governance.principal import BREAK_GLASS, PersonId
from governance.tickets.ticket import Ticket, TicketState

HEAD_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many characters the parts of unbounded length may take."""

    action: int
    """An action whose inert form is longer is cut, whatever its raw length."""
    head: int
    words: int
    reason: int
    output: int
    votes: int
    people: int
    """How many people a line names; the others are counted."""
    field: int
    """Any one of the smaller fields."""

    def at_most(self, wanted: int) -> int:
        """How long a field may be that would like ``wanted`` characters."""
        return min(wanted, self.field)


_WHY = N_("Why policy said so")
_WHY_PEOPLE = {True: N_("Why people are asked"), False: N_("Why people were asked")}
AS_SERVICE = N_("this service's sandbox, with no account of a person or of the agent")
AS_AGENT = N_(", with whatever access it has by itself; nobody's account is lent to it")
BY_PERSON = N_("whoever asks does it themselves, once")
BY_AGENT = N_("the agent runs it itself, with a grant that is good for one use")
BUDGETS = (
    Budget(
        action=3_000, head=900, words=500, reason=400, output=1_000, votes=8, people=3, field=400
    ),
    Budget(action=900, head=600, words=200, reason=200, output=400, votes=6, people=3, field=120),
    Budget(action=0, head=100, words=0, reason=60, output=60, votes=1, people=1, field=16),
    Budget(action=0, head=40, words=0, reason=24, output=24, votes=1, people=1, field=8),
)
"""Tried in this order until the whole card fits; the last one always does."""


def labelled(label: str, *parts: Block) -> list[Block]:
    """A line with its label in bold."""
    return line(run(ours(f"{label}: "), bold=True), *parts)


def is_a_persons(ticket: Ticket) -> bool:
    """Whether a person asks, who was looked up; no credential bears the name in which they do."""
    return ticket.ask.agent == BREAK_GLASS


def says(ticket: Ticket) -> Inert:
    """What stands before the words of whoever asks."""
    told = N_("Whoever asks says") if is_a_persons(ticket) else N_("The agent says, unverified")
    return ours(gettext(told))


def facts(view: CardView, budget: Budget) -> list[Block]:
    """By which means, for whom, as whom; names only where the headline lacks them."""
    return [*named(view, budget), *limits_line(view, budget)]


def named(view: CardView, budget: Budget) -> list[Block]:
    """By which means and for whom."""
    ask = view.ticket.ask
    whose: list[list[Block]] = []
    if ask.on_behalf_of:
        label = N_("Asked by") if is_a_persons(view.ticket) else N_("For, says the agent")
        whose.append(_item(gettext(label), who(view, ask.on_behalf_of, budget)))
    if ask.owners and not is_a_persons(view.ticket):
        whose.append(_item(gettext("The agent's owner"), *people(ask.owners, view, budget)))
    if ask.risk_tags:
        tags = Inert(", ".join(words(tag, budget.at_most(40)) for tag in ask.risk_tags[:8]))
        whose.append(_item(gettext("Tagged"), run(tags, code=True)))
    return [*_names(view.ticket, budget), *_on_one_line(whose)]


def why(view: CardView, budget: Budget) -> list[Block]:
    """Why people are asked, and how risky policy takes it to be."""
    ruling = view.ticket.ruling
    most = budget.at_most(60)
    tier = words(ruling.risk_tier, most) if ruling.risk_tier else ours(gettext("without a tier"))
    rules = Inert(", ".join(words(rule, most) for rule in ruling.rule_ids[:4]))
    label = _WHY_PEOPLE[view.ticket.state is TicketState.PENDING] if ruling.requirement else _WHY
    asked = labelled(gettext(label), run(words(recorded(ruling.reason), budget.reason)))
    risk = Inert(gettext("{tier}, by rule {rules}", tier=tier, rules=rules)) if rules else tier
    return [*asked, *labelled(gettext("Risk"), run(risk))]


def _names(ticket: Ticket, budget: Budget) -> list[Block]:
    return _on_one_line(
        [
            _item(label, run(words(value, budget.at_most(most)), code=True))
            for label, value, most in _named(ticket)
        ]
    )


def _named(ticket: Ticket) -> list[tuple[str, str, int]]:
    """The names that the headline does not show whole, each with the length that a card shows."""
    ask = ticket.ask
    rows = (
        (gettext("Agent"), "" if card_title.names_agent(ticket) else ask.agent, 120),
        (gettext("Target"), "" if card_title.names_target(ticket) else ask.target, 300),
        (
            gettext("Environment"),
            "" if card_title.names_environment(ticket) else ask.environment,
            60,
        ),
        (gettext("With"), ask.tool, 120),
        (gettext("Topic"), ask.topic, 120),
        (gettext("Data"), ask.data_class, 60),
    )
    return [row for row in rows if row[1]]


def is_named_whole(ticket: Ticket, budget: Budget) -> bool:
    """Whether the headline and the facts show every name to its end."""
    return all(len(inert(value)) <= budget.at_most(most) for _, value, most in _named(ticket))


def _item(label: str, *parts: Block) -> list[Block]:
    return [run(ours(f"{label}: "), bold=True), *parts]


def _on_one_line(items: list[list[Block]]) -> list[Block]:
    """Labels with their values, one after the other; empty where there are none."""
    out: list[Block] = []
    for place, item in enumerate(items):
        out += [run(ours("   ")), *item] if place else item
    return line(*out) if out else []


def who(view: CardView, person_id: PersonId | str, budget: Budget) -> Block:
    """A person, by name where Slack knows one."""
    return person(person_id, team_id=view.team_id, most=budget.at_most(80))


def people(found: Sequence[PersonId], view: CardView, budget: Budget) -> list[Block]:
    """People by name, as many as fit; the others are counted."""
    named = [who(view, one, budget) for one in found[: budget.people]]
    more = len(found) - len(named)
    return [
        *_joined(named),
        *([run(ours(gettext(" and {count} more", count=more)))] if more else []),
    ]


def _joined(parts: list[Block]) -> list[Block]:
    out: list[Block] = []
    for place, part in enumerate(parts):
        out += [run(ours(", ")), part] if place else [part]
    return out


def section_of(*parts: Block) -> Block:
    """A section of these parts."""
    return {"type": "rich_text_section", "elements": list(parts)}


def agent_words(view: CardView, budget: Budget) -> list[Block]:
    """The justification, set apart and labelled as the agent's."""
    if view.content is None or not view.content.justification:
        return []
    said = inert(view.content.justification, is_multiline=True)
    shown = head(Inert("\n".join(said.split("\n")[:8])), budget.words)
    out = [
        section_of(run(ours(f"{says(view.ticket)}:"), bold=True)),
        quote(shown),
    ]
    if shown != said:
        told = gettext(
            "({shown} of {all} characters of its words; the rest is in Details)",
            shown=number(len(shown)),
            all=number(len(said)),
        )
        out.append(section_of(run(ours(told))))
    return out


def limits_line(view: CardView, budget: Budget) -> list[Block]:
    """Who carries it out, as whom, in which isolation and under which limits."""
    ticket = view.ticket
    ruling = ticket.ruling
    if ticket.ask.dispatch is Dispatch.EXECUTE:
        told = gettext(
            "this service runs it once, in a sandbox of tier {tier} or better",
            tier=words(ruling.sandbox, 4),
        )
        out = labelled(gettext("How"), run(Inert(told)))
        if view.sandbox_note:
            out += labelled(
                gettext("Sandbox here"), run(words(view.sandbox_note, budget.at_most(200)))
            )
        out += labelled(gettext("Runs as"), run(ours(gettext(AS_SERVICE))))
    elif is_a_persons(ticket):
        out = labelled(gettext("How"), run(ours(gettext(BY_PERSON))))
    else:
        out = labelled(gettext("How"), run(ours(gettext(BY_AGENT))))
        agent = run(words(ticket.ask.agent, budget.at_most(120)), code=True)
        out += labelled(gettext("Runs as"), agent, run(ours(gettext(AS_AGENT))))
    if not ruling.constraints.is_empty:
        bounds = "; ".join(
            f"{name} {single(value)}" for name, value in ruling.constraints.to_json().items()
        )
        out += labelled(gettext("Limits"), run(clip(Inert(bounds), budget.at_most(300))))
    return out
