"""The lower parts of a card: votes, what became of it, its output, the fine print.

Lives here: pure functions from a ``CardView`` to lines of rich text. Must not live here: what is
asked (``cards.parts``), the order of the card (``cards``). Law: progress is told in words, by role
and weight; an output is shown in the form that may be shown and in no other; a cut says so.
"""

from bot.slack.cards.parts import HEAD_LINES, Budget, labelled, people, section_of, who
from bot.slack.cards.view import CardView
from bot.slack.kit.blocks import Block, instant, line, link, ours, preformatted, run, small
from bot.slack.kit.text import Inert, clip, head, inert, words
from governance.action import Dispatch
from governance.execution import OutputState, RunStatus
from governance.policy.decision import Requirement
from governance.tickets.binding import SHOWN_DIGITS
from governance.tickets.quorum import RoleTally, counted_role, tally
from governance.tickets.ticket import Choice, Ticket, TicketState, Vote

_CAUSES = {
    "veto": "One rejection ends it.",
    "unreachable": "Approval was out of reach.",
    "stopped": "Stopped before it started.",
}
"""Why a ticket ended as rejected, in words that people use."""
_MOST_ROLES = 6
"""Roles that a line names; the others are counted."""
_WEAKER = {"A-": " (held by rlimits and the wall clock, without a control group)"}


def progress(view: CardView, budget: Budget) -> list[Block]:
    """Votes by role and weight in words, what is missing, and who voted."""
    ticket = view.ticket
    requirement = ticket.ruling.requirement
    if requirement is None:
        return []
    out = labelled("Votes", run(clip(progress_text(requirement, ticket), 4 * budget.field)))
    shown = ticket.votes[: budget.votes]
    for vote in shown:
        out += _vote(view, vote, budget)
    if len(ticket.votes) > len(shown):
        out += line(run(ours(f"and {len(ticket.votes) - len(shown)} more votes")))
    if ticket.state is TicketState.PENDING:
        out += _who_may(view, requirement, budget)
        out += _demands(view, requirement, budget)
    return out


def _who_may(view: CardView, requirement: Requirement, budget: Budget) -> list[Block]:
    """The roles that vote, and the people who may not because they ask or answer for the agent."""
    shown = requirement.roles[:_MOST_ROLES]
    may = ", ".join(f"{words(r.role, budget.at_most(40))} (weight {r.weight})" for r in shown)
    more = len(requirement.roles) - len(shown)
    parts = [run(Inert(f"{may} and {more} more roles" if more else may))]
    excluded = sorted(view.ticket.ask.excluded)
    if excluded:
        parts += [run(ours(". Not ")), *people(excluded, view, budget)]
        parts.append(run(ours(": the request or the agent is theirs")))
    return labelled("May vote", *parts)


def progress_text(requirement: Requirement, ticket: Ticket) -> Inert:
    """``1 of 1 operator, 1 of 2 reviewers; weight 3 of 4``."""
    counted = tally(requirement, ticket.votes)
    shares = [
        _share(role) for role in counted.roles[:_MOST_ROLES] if role.min_required or role.count
    ]
    weight = f"weight {counted.weight} of {counted.threshold}"
    said = f"{', '.join(shares)}; {weight}" if shares else weight
    return clip(inert(f"{said}: quorum met" if counted.is_met else said), 400)


def still_needs(requirement: Requirement, ticket: Ticket) -> Inert:
    """``needs one operator, 2 of 4 weight``."""
    counted = tally(requirement, ticket.votes)
    needs = [
        f"{_number(role.missing)} {counted_role(role.role, role.missing)}"
        for role in counted.roles
        if role.missing
    ]
    if len(needs) > _MOST_ROLES:
        needs = [*needs[:_MOST_ROLES], f"{len(needs) - _MOST_ROLES} more roles"]
    if counted.awaits_reviewer:
        needs.append("the named reviewer")
    weight = f"{counted.weight} of {counted.threshold} weight"
    said = f"needs {_listed(needs)}, {weight}" if needs else f"needs more weight, {weight}"
    return clip(inert("quorum met" if counted.is_met else said), 400)


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _listed(items: list[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def needs_text(requirement: Requirement, ticket: Ticket) -> Inert:
    """``Needs 1 operator and 2 reviewers.``"""
    said = tally(requirement, ticket.votes).sentence()
    return clip(inert(f"{said[:1].upper()}{said[1:]}."), 400)


def _share(role: RoleTally) -> str:
    if not role.min_required:
        return f"{role.count} {counted_role(role.role, role.count)}"
    return f"{role.count} of {role.min_required} {counted_role(role.role, role.min_required)}"


def _demands(view: CardView, requirement: Requirement, budget: Budget) -> list[Block]:
    out: list[Block] = []
    if requirement.reviewer:
        out += labelled("Must approve", who(view, requirement.reviewer, budget))
    if requirement.comment_required:
        out += line(run(ours("Each vote needs a reason.")))
    if requirement.step_up:
        out += line(run(ours("Approving needs the approver's own passkey.")))
    return out


def _vote(view: CardView, vote: Vote, budget: Budget) -> list[Block]:
    did = "approved" if vote.choice is Choice.APPROVE else "rejected"
    parts = [who(view, vote.person, budget)]
    if vote.delegator is not None:
        parts += [run(ours(" for ")), who(view, vote.delegator, budget)]
    parts += [
        run(Inert(f" {did} as {words(vote.role, budget.at_most(40))} (weight {vote.weight}) at ")),
        instant(vote.at, with_day=False),
    ]
    comment = view.comments.get(vote.comment_digest, "")
    if comment:
        parts.append(run(Inert(f", saying: {words(comment, budget.reason // 2)}")))
    return line(*parts)


def fine_print(ticket: Ticket) -> Block:
    """Ticket, revision, binding and trace: what to quote when asking about it."""
    text = (
        f"Ticket {words(ticket.id, 60)}, revision {ticket.revision}, "
        f"binding {words(ticket.binding[:SHOWN_DIGITS], SHOWN_DIGITS)}"
    )
    return small(Inert(text), Inert(f"Trace {words(ticket.ask.trace_id, 64)}"))


def trace_link(view: CardView, budget: Budget) -> list[Block]:
    """A link to the trace, where the operator has said where traces are shown."""
    if not view.trace_url or len(view.trace_url) > 10 * budget.field:
        return []
    return labelled("Trace", link(view.trace_url, ours("open the trace of this action")))


def expiry(ticket: Ticket) -> list[Block]:
    """Until when it may be decided, or used."""
    label = "Decide before" if ticket.state is TicketState.PENDING else "Good until"
    return labelled(label, instant(ticket.expires_at))


def outcome(view: CardView, budget: Budget) -> list[Block]:
    """What became of it, by whom, and of an earlier run that failed."""
    ticket = view.ticket
    out: list[Block] = []
    cause = _CAUSES.get(ticket.note, "") if ticket.state is TicketState.REJECTED else ""
    if ticket.decided_by:
        by = who(view, ticket.decided_by.removeprefix("person:"), budget)
        out += labelled("By", by, *([run(ours(f". {cause}"))] if cause else []))
    elif cause:
        out += line(run(ours(cause)))
    if ticket.note and not cause:
        out += labelled("Note", run(words(ticket.note, budget.at_most(300))))
    report = ticket.report
    if report is None:
        return out
    failed = report.status is RunStatus.FAILED
    if ticket.state in (TicketState.EXECUTED, TicketState.RELEASED) or failed:
        out += labelled("Run", run(_run_text(view, budget)))
    if failed and ticket.state is TicketState.PENDING:
        text = f"Earlier votes are void: this is revision {ticket.revision} and needs new ones."
        out += line(run(ours(text), bold=True))
    return out


def _run_text(view: CardView, budget: Budget) -> Inert:
    report = view.ticket.report
    if report is None:
        return ours("")
    who = "the agent reports: " if view.ticket.ask.dispatch is Dispatch.RELEASE else ""
    said = f"{who}{report.status.value} after {_seconds(report.duration_ms)}"
    if report.exit_code is not None:
        said += f", exit code {report.exit_code}"
    if report.sandbox:
        said += (
            f", in a sandbox of tier {words(report.sandbox, 4)}{_WEAKER.get(report.sandbox, '')}"
        )
    if report.error:
        said += f": {words(report.error, budget.at_most(300))}"
    return Inert(said)


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"  # noqa: PLR2004  # ms in a second


def output(view: CardView, budget: Budget) -> list[Block]:
    """The head of the output in its redacted form, or why none is shown."""
    report = view.ticket.report
    if report is None or not report.output_digest:
        return []
    held = {
        OutputState.QUARANTINED: "The output is quarantined: nobody sees it before a release.",
        OutputState.DISCARDED: "The output was discarded.",
    }
    if report.output_state in held:
        return [section_of(run(ours(held[report.output_state]), bold=True))]
    if view.output is None:
        return []
    label = (
        "Output, with secrets and personal data taken out:"
        if (report.output_state is OutputState.REDACTED)
        else "Output:"
    )
    whole = inert(view.output, is_multiline=True)
    shown = head(Inert("\n".join(whole.split("\n")[:HEAD_LINES])), budget.output)
    out = [section_of(run(ours(label), bold=True)), preformatted(shown)]
    if shown != whole:
        text = f"CUT HERE: {len(shown):,} of {len(whole):,} characters shown."
        out.append(section_of(run(ours(text))))
    return out
