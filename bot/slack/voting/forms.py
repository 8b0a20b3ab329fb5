"""Forms as values: the ballot, and the evidence for what people say of a run.

Lives here: pure functions to views, and the words on them. Must not live here: opening them, what
a submission does (``actions``, ``deeds``). Law: a form carries exactly the ticket, revision and
binding that were shown; every field has a label; a role is offered with the weight that counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.slack import names
from bot.slack.cards.standing import cut_here
from bot.slack.kit import limits
from bot.slack.kit.blocks import Block, ours, plain, preformatted, rich, run, section
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.modals import modal
from bot.slack.kit.text import Inert, clip, head, inert, words
from governance.tickets.ticket import Choice

MAX_ROLES = 100
REASON_CHARS = 1_000
PREVIEW_CHARS = 2_500
_OPTION_CHARS = 75

WHY = N_("Why?")
WHY_HINT = N_("The agent's people and the log will see it.")
ROLE = N_("Vote as")
ROLE_HINT = N_("One person has one vote, in one role. You may change it while the ticket waits.")
EVIDENCE_HINT = N_("Name what you looked at: a log line, a dashboard, the record itself.")
WOULD_BE_SHOWN = N_("A release would show this, with secrets and personal data taken out:")
NO_PREVIEW = N_(
    "The output cannot be read any more, so there is nothing that a release could show."
)


class Deed(StrEnum):
    """What a form of evidence is for; its value travels in the form."""

    TOOK_EFFECT = "yes"
    NO_EFFECT = "no"
    RELEASE = "release"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    title: str
    lead: str
    label: str
    submit: str
    hint: str = WHY_HINT


_WORDS = {
    Deed.TOOK_EFFECT: _Words(
        title=N_("It took effect"),
        lead=N_("You say that the interrupted run of ticket {ticket} did what it was to do."),
        label=N_("What did you look at, and what did you see?"),
        submit=N_("It took effect"),
        hint=EVIDENCE_HINT,
    ),
    Deed.NO_EFFECT: _Words(
        title=N_("It took no effect"),
        lead=N_(
            "You say that the interrupted run of ticket {ticket} did nothing. "
            "People are asked again."
        ),
        label=N_("What did you look at, and what did you see?"),
        submit=N_("No effect"),
        hint=EVIDENCE_HINT,
    ),
    Deed.RELEASE: _Words(
        title=N_("Release the output"),
        lead=N_("You let the output of ticket {ticket} be seen by the channel and by its agent."),
        label=N_("Why may it be seen?"),
        submit=N_("Release"),
    ),
    Deed.DISCARD: _Words(
        title=N_("Discard the output"),
        lead=N_("Nobody will ever be shown the output of ticket {ticket}."),
        label=N_("Why may nobody see it?"),
        submit=N_("Discard"),
    ),
}


_APPROVING = _Words(
    title=N_("Approve this action"),
    lead=N_("Approve ticket {ticket}, revision {revision}."),
    label=WHY,
    submit=N_("Approve"),
)
_REJECTING = _Words(
    title=N_("Reject this action"),
    lead=N_("Reject ticket {ticket}, revision {revision}."),
    label=WHY,
    submit=N_("Reject"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOffer:
    """A role in which this person may vote; ``then`` says what would still be missing."""

    role: str
    weight: int
    then: str


def ballot(
    shown: names.Shown,
    choice: Choice,
    *,
    roles: Sequence[RoleOffer] = (),
    is_reason_needed: bool = True,
) -> Block:
    """The form that asks for a role, where there is one to choose, and for a reason."""
    said = _REJECTING if choice is Choice.REJECT else _APPROVING
    text = Inert(gettext(said.lead, ticket=words(shown.ticket_id, 60), revision=shown.revision))
    lead = {**rich(section([run(text, bold=True)])), "block_id": "placet.ballot.lead"}
    menu = [_role_field(roles)] if roles else []
    reason = _reason_field(said.label, WHY_HINT, is_needed=is_reason_needed)
    return modal(
        gettext(said.title),
        [lead, *menu, reason],
        close=gettext("Cancel"),
        submit=plain(ours(gettext(said.submit))),
        callback_id=names.BALLOT_VIEW,
        private_metadata=shown.to_value(c=choice.value),
    )


def evidence(shown: names.Shown, deed: Deed, *, preview: str | None = None) -> Block:
    """The form that asks what a person knows; ``preview`` is what a release would show."""
    said = _WORDS[deed]
    text = Inert(gettext(said.lead, ticket=words(shown.ticket_id, 60)))
    blocks = [{**rich(section([run(text, bold=True)])), "block_id": "placet.deed.lead"}]
    if deed is Deed.RELEASE:
        blocks.append({**_preview(preview), "block_id": "placet.deed.preview"})
    blocks.append(_reason_field(said.label, said.hint))
    return modal(
        gettext(said.title),
        blocks,
        close=gettext("Cancel"),
        submit=plain(ours(gettext(said.submit))),
        callback_id=names.DEED_VIEW,
        private_metadata=shown.to_value(c=deed.value),
    )


def _preview(text: str | None) -> Block:
    if text is None:
        return rich(section([run(ours(gettext(NO_PREVIEW)))]))
    whole = inert(text, is_multiline=True)
    shown = head(whole, PREVIEW_CHARS)
    cut = Inert(f"\n{cut_here(len(shown), len(whole))}")
    more = [section([run(cut)])] if shown != whole else []
    return rich(section([run(ours(gettext(WOULD_BE_SHOWN)))]), preformatted(shown), *more)


def _role_field(roles: Sequence[RoleOffer]) -> Block:
    options: list[Block] = [_option(offer) for offer in roles[:MAX_ROLES]]
    return {
        "type": "input",
        "block_id": names.ROLE_BLOCK,
        "label": plain(ours(gettext(ROLE))),
        "hint": plain(ours(gettext(ROLE_HINT))),
        "element": {
            "type": "static_select",
            "action_id": names.ROLE_INPUT,
            "options": options,
            "initial_option": options[0],
        },
    }


def _option(offer: RoleOffer) -> Block:
    text = Inert(
        gettext("{role}, weight {weight}", role=words(offer.role, 50), weight=offer.weight)
    )
    return {
        "text": plain(clip(text, _OPTION_CHARS)),
        "value": offer.role,
        "description": plain(clip(inert(offer.then), _OPTION_CHARS)),
    }


def _reason_field(label: str, hint: str, *, is_needed: bool = True) -> Block:
    return {
        "type": "input",
        "block_id": names.REASON_BLOCK,
        "optional": not is_needed,
        "label": plain(clip(ours(gettext(label)), limits.INPUT_LABEL_CHARS)),
        "hint": plain(ours(gettext(hint))),
        "element": {
            "type": "plain_text_input",
            "action_id": names.REASON_INPUT,
            "multiline": True,
            "max_length": REASON_CHARS,
            "focus_on_load": True,
        },
    }
