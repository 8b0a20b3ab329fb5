"""The upper parts of a card: who wants what, why it is asked, the action itself.

Lives here: pure functions from a ``CardView`` to lines of rich text. Must not live here: where
the ticket stands (``card_standing``), order and buttons (``cards``). Law: the agent's words stand
apart and are labelled as such; what is cut says so with its size and digest; nothing is told by
colour or picture alone.
"""

from dataclasses import dataclass

from bot.slack import card_title
from bot.slack.blocks import Block, line, ours, person, preformatted, quote, run
from bot.slack.card_view import CardView
from bot.slack.text import Inert, clip, head, inert, mixed_alphabets, words
from governance.action import Content, Dispatch
from governance.json_text import to_text
from governance.policy.decision import Warned
from governance.tickets.ticket import Ticket, TicketState

HEAD_LINES = 12
_AHEAD = frozenset({TicketState.PENDING, TicketState.APPROVED, TicketState.EXECUTING})


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
    field: int
    """Any one of the smaller fields."""

    def at_most(self, wanted: int) -> int:
        """How long a field may be that would like ``wanted`` characters."""
        return min(wanted, self.field)


_SIGNALS = 3
"""How many signals are told; the others are counted."""
BUDGETS = (
    Budget(action=3_000, head=900, words=500, reason=400, output=1_000, votes=8, field=400),
    Budget(action=900, head=600, words=200, reason=200, output=400, votes=6, field=120),
    Budget(action=0, head=100, words=0, reason=60, output=60, votes=1, field=20),
)
"""Tried in this order until the whole card fits; the last one always does."""


def labelled(label: str, *parts: Block) -> list[Block]:
    """A line with its label in bold."""
    return line(run(ours(f"{label}: "), bold=True), *parts)


def facts(view: CardView, budget: Budget) -> list[Block]:
    """By which means, for whom, how risky and why; names only where the headline lacks them."""
    ask, ruling = view.ticket.ask, view.ticket.ruling
    whose: list[list[Block]] = []
    if ask.on_behalf_of:
        whose.append(_item("For, says the agent", person(ask.on_behalf_of, team_id=view.team_id)))
    if ask.owners:
        named = [person(owner, team_id=view.team_id) for owner in ask.owners[:3]]
        whose.append(_item("The agent's owner", *_joined(named)))
    if ask.risk_tags:
        tags = Inert(", ".join(words(tag, budget.at_most(40)) for tag in ask.risk_tags[:8]))
        whose.append(_item("Tagged", run(tags, code=True)))
    tier = (
        words(ruling.risk_tier, budget.at_most(60)) if ruling.risk_tier else ours("without a tier")
    )
    rules = Inert(", ".join(words(rule, budget.at_most(60)) for rule in ruling.rule_ids[:4]))
    risk = _item("Risk", run(Inert(f"{tier}, by rule {rules}" if rules else f"{tier}")))
    why = labelled("Why people are asked", run(words(ruling.reason, budget.reason)))
    return [*_names(view.ticket, budget), *_on_one_line([risk, *whose]), *why]


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
        ("Agent", "" if card_title.names_agent(ticket) else ask.agent, 120),
        ("Target", "" if card_title.names_target(ticket) else ask.target, 300),
        ("Environment", "" if card_title.names_environment(ticket) else ask.environment, 60),
        ("With", ask.tool, 120),
        ("Topic", ask.topic, 120),
        ("Data", ask.data_class, 60),
    )
    return [row for row in rows if row[1]]


def _is_named_whole(ticket: Ticket, budget: Budget) -> bool:
    return all(len(inert(value)) <= budget.at_most(most) for _, value, most in _named(ticket))


def _item(label: str, *parts: Block) -> list[Block]:
    return [run(ours(f"{label}: "), bold=True), *parts]


def _on_one_line(items: list[list[Block]]) -> list[Block]:
    """Labels with their values, one after the other; empty where there are none."""
    out: list[Block] = []
    for number, item in enumerate(items):
        out += [run(ours("   ")), *item] if number else item
    return line(*out) if out else []


def _joined(parts: list[Block]) -> list[Block]:
    out: list[Block] = []
    for number, part in enumerate(parts):
        out += [run(ours(", ")), part] if number else [part]
    return out


def cautions(view: CardView, budget: Budget) -> list[Block]:
    """Everything that ought to make a reader look twice."""
    ticket = view.ticket
    ruling = ticket.ruling
    out: list[Block] = []
    if view.frozen is not None:
        out += labelled(
            "Frozen", person(view.frozen.by, team_id=view.team_id), run(_why(view, budget))
        )
    if ruling.constraint_id:
        out += labelled(
            "Exception",
            run(ours("approving this lifts constraint ")),
            run(words(ruling.constraint_id, budget.at_most(80)), code=True),
            run(ours(" once.")),
        )
    signals = [warned for warned in ruling.warnings if warned.is_signal]
    if signals:
        out += labelled("Signals", run(_signals(signals, budget)))
    for warned in [warned for warned in ruling.warnings if not warned.is_signal][:3]:
        constraint = words(warned.constraint_id, budget.at_most(60))
        said = Inert(f"{constraint}: {words(warned.description, budget.at_most(160))}")
        out += labelled("Warning", run(said))
    if ruling.safety_bypassed:
        text = "policy could not be asked and this environment is set to let actions through."
        out += labelled("Safety bypassed", run(ours(text)))
    if ticket.is_overdue and ticket.state is TicketState.PENDING:
        out += labelled("Overdue", run(ours("nobody answered in the time that its tier allows.")))
    for spelled in mixed_alphabets(_everything(view)):
        text = Inert(f"a word mixes alphabets to look like another: {spelled}")
        out += labelled("Look-alike letters", run(text))
    return out


def _signals(signals: list[Warned], budget: Budget) -> Inert:
    """The service's own words about the text; warnings of constraints never push them out."""
    told = [words(signal.description, budget.at_most(160)) for signal in signals[:_SIGNALS]]
    more = len(signals) - len(told)
    return Inert("; ".join(told) + (f"; and {more} more" if more else ""))


def _why(view: CardView, budget: Budget) -> Inert:
    frozen = view.frozen
    target = words(frozen.target, budget.at_most(60)) if frozen else ours("")
    what = "every agent" if target == "all" else f"agent {target}"
    said = f" stopped {what}: nothing of it starts and approvals are refused until two people agree"
    reason = words(frozen.reason, budget.at_most(120)) if frozen and frozen.reason else ""
    return Inert(f"{said}. Reason given: {reason}" if reason else f"{said}.")


def _everything(view: CardView) -> str:
    ask, content = view.ticket.ask, view.content
    said = f"{ask.agent} {ask.tool} {ask.topic} {ask.target}"
    if content is None:
        return said
    return f"{said} {to_text(content.arguments)[:20_000]} {content.prompt[:5_000]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The action as a card shows it; ``is_cut``: there is more, in Details only."""

    elements: tuple[Block, ...]
    is_cut: bool


def action_text(view: CardView) -> Inert | None:
    """Everything that says what will happen, inert; None once erased."""
    content = view.content
    if content is None:
        return None
    parts: list[str] = []
    if content.arguments:
        parts.append(inert(to_text(content.arguments, indent=2), is_multiline=True))
    if content.prompt:
        parts.append("prompt:\n" + inert(content.prompt, is_multiline=True))
    if content.context is not None:
        parts.append("context:\n" + inert(to_text(content.context, indent=2), is_multiline=True))
    return Inert("\n".join(parts)) if parts else ours("(no arguments and no prompt)")


def _is_prompt_only(content: Content) -> bool:
    return bool(content.prompt) and not content.arguments and content.context is None


def action(view: CardView, budget: Budget) -> Shown:
    """The arguments, prompt and context: whole, or their head with a mark of the cut."""
    ask = view.ticket.ask
    whole = action_text(view)
    said = "What exactly would happen" if view.ticket.state in _AHEAD else "What exactly was asked"
    if whole is None or view.content is None:
        gone = ours("The action's content was erased; only its digest is left.")
        return Shown(elements=(section_of(run(gone, italic=True)),), is_cut=True)
    if _is_prompt_only(view.content):
        said += ", in the prompt's words"
        whole = inert(view.content.prompt, is_multiline=True)
    label = section_of(run(ours(f"{said}:"), bold=True))
    is_kept_back = bool(view.ticket.ruling.constraints.redact_deny)
    if not ask.needs_full_view and not is_kept_back and len(whole) <= budget.action:
        is_cut = not _is_named_whole(view.ticket, budget)
        return Shown(elements=(label, preformatted(whole)), is_cut=is_cut)
    first = head(Inert("\n".join(whole.split("\n")[:HEAD_LINES])), budget.head)
    amount = f"CUT HERE. This is {len(first):,} of {len(whole):,} characters"
    if is_kept_back and first == whole:
        amount = "NOT WHOLE. Policy keeps values off this card"
    mark = (
        f"{amount}; SHA-256 of the whole begins {ask.content_digest[:16]}. "
        "Open Details to read all of it."
    )
    cut = section_of(run(ours(mark), bold=True))
    return Shown(elements=(label, preformatted(first), cut), is_cut=True)


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
        section_of(run(ours("The agent says, unverified:"), bold=True)),
        quote(shown),
    ]
    if shown != said:
        text = f"({len(shown):,} of {len(said):,} characters of its words; the rest is in Details)"
        out.append(section_of(run(ours(text))))
    return out


def limits_line(view: CardView, budget: Budget) -> list[Block]:
    """Who carries it out, in which isolation and under which limits."""
    ticket = view.ticket
    ruling = ticket.ruling
    if ticket.ask.dispatch is Dispatch.EXECUTE:
        text = (
            f"this service runs it once, in a sandbox of tier {words(ruling.sandbox, 4)} or better"
        )
        out = labelled("How", run(Inert(text)))
        if view.sandbox_note:
            out += labelled("Sandbox here", run(words(view.sandbox_note, budget.at_most(200))))
    else:
        text = "the agent runs it itself, with a grant that is good for one use"
        out = labelled("How", run(ours(text)))
    if not ruling.constraints.is_empty:
        bounds = clip(inert(to_text(ruling.constraints.to_json())), budget.at_most(300))
        out += labelled("Limits", run(bounds))
    return out
