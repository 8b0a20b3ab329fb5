"""What has come of a ticket on its way: failed runs, steps of escalation, words on a lost run.

Lives here: pure functions from a ``CardView`` to lines of rich text. Must not live here: votes and
the outcome (``cards.standing``). Law: a person's word is theirs and is called so; how many more
there are is said where not all are shown.
"""

from bot.slack.cards.parts import Budget, labelled, who
from bot.slack.cards.view import CardView
from bot.slack.kit.blocks import Block, instant, line, ours, run
from bot.slack.kit.language import N_, gettext, number
from bot.slack.kit.text import Inert, words
from governance.tickets.quorum import asks_for_two
from governance.tickets.ticket import Attested, Escalated, TicketState

TOOK_EFFECT, NO_EFFECT = N_(" says that it took effect"), N_(" says that it took no effect")
TWO = N_("It is settled once two people have said the same, each with what they saw.")


def past(view: CardView, budget: Budget) -> list[Block]:
    """Everything that happened before it came to stand where it stands."""
    ticket = view.ticket
    out: list[Block] = []
    if ticket.failures:
        out += labelled(gettext("Failed before"), run(ours(_times(ticket.failures))))
    for step in ticket.escalated[-budget.people :]:
        out += _step(step, view, budget)
    if ticket.state is TicketState.UNKNOWN:
        for said in ticket.attested[: budget.votes]:
            out += _word(said, view, budget)
        requirement = ticket.ruling.requirement
        if requirement is not None and asks_for_two(requirement):
            out += line(run(ours(gettext(TWO))))
        more = len(ticket.attested) - budget.votes
        if more > 0:
            out += line(run(ours(gettext("and {count} more words on it", count=more))))
    return out


def _times(count: int) -> str:
    if count == 1:
        return gettext("once")
    return gettext("twice") if count == 2 else gettext("{count} times", count=number(count))  # noqa: PLR2004  # it has a word of its own


def _step(step: Escalated, view: CardView, budget: Budget) -> list[Block]:
    """To whom it was taken further, and when."""
    roles = ", ".join(words(role, budget.at_most(40)) for role in step.roles[: budget.people])
    to = gettext(", to ")
    told = gettext("step {number}", number=step.step) + (f"{to}{roles}" if roles else "")
    parts = [run(Inert(told))]
    for place, one in enumerate(step.people[: budget.people]):
        parts.append(run(ours(", " if place or roles else to)))
        parts.append(who(view, one, budget))
    return labelled(gettext("Escalated"), *parts, run(ours(gettext(" at "))), instant(step.at))


def _word(said: Attested, view: CardView, budget: Budget) -> list[Block]:
    parts = [
        who(view, said.person, budget),
        run(ours(gettext(TOOK_EFFECT if said.took_effect else NO_EFFECT))),
    ]
    comment = view.comments.get(said.comment_digest, "")
    if comment:
        parts.append(run(Inert(f": {words(comment, budget.reason // 2)}")))
    return line(*parts)
