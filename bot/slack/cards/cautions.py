"""What ought to make a reader of a card look twice.

Lives here: freezes, exceptions, signals, warnings, and letters that deceive, each as a line.
Must not live here: facts about the request (``parts``). Law: it is told in words, by the service;
warnings never push each other out.
"""

from bot.slack.cards import title as card_title
from bot.slack.cards.parts import BUDGETS, Budget, labelled
from bot.slack.cards.view import CardView
from bot.slack.kit.blocks import Block, ours, person, run
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, clip, mixed_alphabets, right_to_left, words
from bot.slack.recorded import recorded
from governance.control import EVERYONE, Frozen
from governance.json_text import to_text
from governance.policy.decision import Warned
from governance.tickets.ticket import TicketState

RUNS_BACK = N_("What stands behind them may be drawn before them.")
_SIGNALS = 3
"""How many signals are told; the others are counted."""


def cautions(view: CardView, budget: Budget) -> list[Block]:
    """Everything that ought to make a reader look twice."""
    ticket = view.ticket
    ruling = ticket.ruling
    out: list[Block] = []
    if view.frozen is not None:
        out += freeze_lines(view.frozen, budget, team_id=view.team_id)
    if ruling.constraint_id:
        out += labelled(
            gettext("Exception"),
            run(ours(gettext("approving this lifts constraint "))),
            run(words(ruling.constraint_id, budget.at_most(80)), code=True),
            run(ours(gettext(" once."))),
        )
    signals = [warned for warned in ruling.warnings if warned.is_signal]
    if signals:
        out += labelled(gettext("Signals"), run(_signals(signals, budget)))
    for warned in [warned for warned in ruling.warnings if not warned.is_signal][:3]:
        constraint = words(warned.constraint_id, budget.at_most(60))
        said = Inert(f"{constraint}: {words(warned.description, budget.at_most(160))}")
        out += labelled(gettext("Warning"), run(said))
    if ruling.safety_bypassed:
        told = gettext(
            "policy could not be asked and this environment is set to let actions through."
        )
        out += labelled(gettext("Safety bypassed"), run(ours(told)))
    if ticket.is_overdue and ticket.state is TicketState.PENDING:
        out += labelled(
            gettext("Overdue"),
            run(ours(gettext("nobody answered in the time that its tier allows."))),
        )
    for spelled in mixed_alphabets(_everything(view)):
        told = gettext("a word mixes alphabets to look like another: {word}", word=spelled)
        out += labelled(gettext("Look-alike letters"), run(Inert(told)))
    backwards = right_to_left(_everything(view))
    if backwards:
        said = Inert(f"{'; '.join(backwards)}. {gettext(RUNS_BACK)}")
        out += labelled(gettext("Right-to-left letters"), run(clip(said, budget.at_most(300))))
    return out


def _signals(signals: list[Warned], budget: Budget) -> Inert:
    """The service's own words about the text; warnings of constraints never push them out."""
    told = [
        words(recorded(signal.description), budget.at_most(160)) for signal in signals[:_SIGNALS]
    ]
    more = len(signals) - len(told)
    return Inert("; ".join(told) + (gettext("; and {count} more", count=more) if more else ""))


def freeze_lines(frozen: Frozen, budget: Budget = BUDGETS[0], *, team_id: str = "") -> list[Block]:
    """Who froze, whom that stops, and the reason that was given."""
    by = person(frozen.by, team_id=team_id, most=budget.at_most(80))
    return labelled(gettext("Frozen"), by, run(_why(frozen, budget)))


def _why(frozen: Frozen, budget: Budget) -> Inert:
    what = gettext("every agent")
    if frozen.target != EVERYONE:
        what = gettext("agent {agent}", agent=words(frozen.target, budget.at_most(60)))
    said = gettext(
        " stopped {what}: nothing new starts and approvals are refused until two people agree.",
        what=what,
    )
    if not frozen.reason:
        return Inert(said)
    reason = words(frozen.reason, budget.at_most(120))
    given = gettext("Reason given: {reason}", reason=reason)
    return Inert(f"{said} {given}")


def _everything(view: CardView) -> str:
    ask, content = view.ticket.ask, view.content
    target = "" if card_title.keeps_target(view.ticket) else ask.target
    said = f"{ask.agent} {ask.tool} {ask.topic} {target}"
    if content is None:
        return said
    return f"{said} {to_text(content.arguments)[:20_000]} {content.prompt[:5_000]}"
