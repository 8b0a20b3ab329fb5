"""The lower parts of a card: votes, what became of it, its output, the fine print.

Lives here: pure functions from a ``CardView`` to lines of rich text. Must not live here: what is
asked (``cards.parts``), the order of the card (``cards``). Law: progress is told in words, by role
and weight; an output is shown in the form that may be shown and in no other; a cut says so.
"""

from bot.slack.cards.needs import MOST_ROLES, progress_text
from bot.slack.cards.parts import HEAD_LINES, Budget, labelled, people, section_of, who
from bot.slack.cards.view import CardView
from bot.slack.kit.blocks import Block, instant, line, link, ours, preformatted, run, small
from bot.slack.kit.language import N_, gettext, number
from bot.slack.kit.text import Inert, clip, head, inert, words
from bot.slack.recorded import note_of, recorded
from governance.action import Dispatch
from governance.execution import OutputState, RunStatus
from governance.policy.decision import Requirement
from governance.tickets.binding import SHOWN_DIGITS
from governance.tickets.lifecycle import MAY_EXPIRE
from governance.tickets.ticket import Choice, Ticket, TicketState, Vote

_RUNS = {
    RunStatus.SUCCEEDED: N_("succeeded after {time}"),
    RunStatus.FAILED: N_("failed after {time}"),
    RunStatus.UNREPORTED: N_("unreported after {time}"),
}
_CAUSES = {
    "veto": N_("One rejection ends it."),
    "unreachable": N_("Approval was out of reach."),
    "stopped": N_("Stopped before it started."),
}
"""Why a ticket ended as rejected, in words that people use."""
_APPROVED = N_(" approved as {role} (weight {weight}) at ")
_REJECTED = N_(" rejected as {role} (weight {weight}) at ")
NOBODY_KNOWS = N_("Nobody knows whether it took effect. An approver must find out and say.")
HELD_BACK = N_("The output is quarantined: nobody sees it before a release.")
_WEAKER = {"A-": N_(" (held by rlimits and the wall clock, without a control group)")}


def progress(view: CardView, budget: Budget) -> list[Block]:
    """Votes by role and weight in words, what is missing, and who voted."""
    ticket = view.ticket
    requirement = ticket.ruling.requirement
    if requirement is None:
        return []
    out = labelled(
        gettext("Votes"), run(clip(progress_text(requirement, ticket), 4 * budget.field))
    )
    shown = ticket.votes[: budget.votes]
    for vote in shown:
        out += _vote(view, vote, budget)
    if len(ticket.votes) > len(shown):
        more = len(ticket.votes) - len(shown)
        out += line(run(ours(gettext("and {count} more votes", count=more))))
    if ticket.state is TicketState.PENDING:
        out += _who_may(view, requirement, budget)
        out += _demands(view, requirement, budget)
    return out


def _who_may(view: CardView, requirement: Requirement, budget: Budget) -> list[Block]:
    """The roles that vote, and the people who may not because they ask or answer for the agent."""
    shown = requirement.roles[:MOST_ROLES]
    may = ", ".join(
        gettext(
            "{role} (weight {weight})",
            role=words(one.role, budget.at_most(40)),
            weight=one.weight,
        )
        for one in shown
    )
    more = len(requirement.roles) - len(shown)
    if more:
        may = gettext("{roles} and {count} more roles", roles=may, count=more)
    parts = [run(Inert(may))]
    excluded = sorted(view.ticket.ask.excluded)
    if excluded:
        parts += [run(ours(gettext(". Not "))), *people(excluded, view, budget)]
        parts.append(run(ours(gettext(": the request or the agent is theirs"))))
    return labelled(gettext("May vote"), *parts)


def _demands(view: CardView, requirement: Requirement, budget: Budget) -> list[Block]:
    out: list[Block] = []
    if requirement.reviewer:
        out += labelled(gettext("Must approve"), who(view, requirement.reviewer, budget))
    if requirement.comment_required:
        out += line(run(ours(gettext("Each vote needs a reason."))))
    if requirement.step_up:
        out += line(run(ours(gettext("Approving needs the approver's own passkey."))))
    return out


def _vote(view: CardView, vote: Vote, budget: Budget) -> list[Block]:
    did = _APPROVED if vote.choice is Choice.APPROVE else _REJECTED
    parts = [who(view, vote.person, budget)]
    if vote.delegator is not None:
        parts += [run(ours(gettext(" for "))), who(view, vote.delegator, budget)]
    parts += [
        run(Inert(gettext(did, role=words(vote.role, budget.at_most(40)), weight=vote.weight))),
        instant(vote.at, with_day=False),
    ]
    comment = view.comments.get(vote.comment_digest, "")
    if comment:
        said = words(comment, budget.reason // 2)
        parts.append(run(Inert(gettext(", saying: {comment}", comment=said))))
    return line(*parts)


def fine_print(ticket: Ticket) -> Block:
    """Ticket, revision, binding and trace: what to quote when asking about it."""
    trace = gettext("Trace {trace}", trace=words(ticket.ask.trace_id, 64))
    return small(reference(ticket), Inert(trace))


def reference(ticket: Ticket) -> Inert:
    """Ticket, revision and binding; in every language ``shortcuts`` finds the ticket in it."""
    return Inert(
        gettext(
            "Ticket {ticket}, revision {revision}, binding {binding}",
            ticket=words(ticket.id, 60),
            revision=ticket.revision,
            binding=words(ticket.binding[:SHOWN_DIGITS], SHOWN_DIGITS),
        )
    )


def trace_link(view: CardView, budget: Budget) -> list[Block]:
    """A link to the trace, where the operator has said where traces are shown."""
    if not view.trace_url or len(view.trace_url) > 10 * budget.field:
        return []
    return labelled(
        gettext("Trace"), link(view.trace_url, ours(gettext("open the trace of this action")))
    )


def expiry(ticket: Ticket) -> list[Block]:
    """Until when it may be decided, or used; nothing once neither is so."""
    if ticket.state not in MAY_EXPIRE:
        return []
    is_open = ticket.state is TicketState.PENDING
    label = gettext("Decide before") if is_open else gettext("Good until")
    return labelled(label, instant(ticket.expires_at))


def outcome(view: CardView, budget: Budget) -> list[Block]:
    """What became of it, by whom, and of an earlier run that failed."""
    ticket = view.ticket
    out: list[Block] = []
    is_rejected = ticket.state is TicketState.REJECTED
    cause = gettext(_CAUSES.get(ticket.note, "")) if is_rejected else ""
    if ticket.decided_by:
        by = who(view, ticket.decided_by.removeprefix("person:"), budget)
        out += labelled(gettext("By"), by, *([run(ours(f". {cause}"))] if cause else []))
    elif cause:
        out += line(run(ours(cause)))
    if ticket.note and not cause:
        out += labelled(gettext("Note"), run(words(note_of(ticket), budget.at_most(300))))
    report = ticket.report
    if report is None:
        return out
    failed = report.status is RunStatus.FAILED
    if ticket.state in (TicketState.EXECUTED, TicketState.RELEASED) or failed:
        out += labelled(gettext("Run"), run(_run_text(view, budget)))
    if failed and ticket.state is TicketState.PENDING:
        void = gettext(
            "Earlier votes are void: this is revision {revision} and needs new ones.",
            revision=ticket.revision,
        )
        out += line(run(ours(void), bold=True))
    return out


def _run_text(view: CardView, budget: Budget) -> Inert:
    report = view.ticket.report
    if report is None:
        return ours("")
    said = gettext(_RUNS[report.status], time=_seconds(report.duration_ms))
    is_theirs = view.ticket.ask.dispatch is Dispatch.RELEASE
    if is_theirs:
        said = gettext("the agent reports: {run}", run=said)
    if report.exit_code is not None:
        said += gettext(", exit code {code}", code=report.exit_code)
    if report.sandbox:
        said += gettext(", in a sandbox of tier {tier}", tier=words(report.sandbox, 4))
        said += gettext(_WEAKER.get(report.sandbox, ""))
    if report.error:
        error = report.error if is_theirs else recorded(report.error)
        said += f": {words(error, budget.at_most(300))}"
    return Inert(said)


def _seconds(duration_ms: int) -> str:
    if duration_ms < 1000:  # noqa: PLR2004  # ms in a second
        return f"{duration_ms} ms"
    return f"{number(duration_ms / 1000, decimals=1)} s"


def output(view: CardView, budget: Budget) -> list[Block]:
    """The head of the output in its redacted form, or why none is shown."""
    report = view.ticket.report
    if report is None or not report.output_digest:
        return []
    held = {
        OutputState.QUARANTINED: HELD_BACK,
        OutputState.DISCARDED: N_("The output was discarded."),
    }
    if report.output_state in held:
        return [section_of(run(ours(gettext(held[report.output_state])), bold=True))]
    if view.output is None:
        return []
    label = (
        gettext("Output, with secrets and personal data taken out:")
        if (report.output_state is OutputState.REDACTED)
        else gettext("Output:")
    )
    whole = inert(view.output, is_multiline=True)
    shown = head(Inert("\n".join(whole.split("\n")[:HEAD_LINES])), budget.output)
    out = [section_of(run(ours(label), bold=True)), preformatted(shown)]
    if shown != whole:
        out.append(section_of(run(cut_here(len(shown), len(whole)))))
    return out


def cut_here(shown: int, whole: int) -> Inert:
    """How much of a text there is to see."""
    return ours(
        gettext(
            "CUT HERE: {shown} of {whole} characters shown.",
            shown=number(shown),
            whole=number(whole),
        )
    )
