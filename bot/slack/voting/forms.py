"""Forms as values: the ballot, and the evidence for what people say of a run.

Lives here: pure functions to views, and the words on them. Must not live here: opening them, what
a submission does (``actions``, ``deeds``). Law: a form carries exactly the ticket, revision and
binding that were shown; every field has a label; a role is offered with the weight that counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.slack import names
from bot.slack.kit import limits
from bot.slack.kit.blocks import Block, ours, plain, preformatted, rich, run, section
from bot.slack.kit.modals import modal
from bot.slack.kit.text import Inert, clip, head, inert, words
from governance.tickets.ticket import Choice

MAX_ROLES = 100
REASON_CHARS = 1_000
PREVIEW_CHARS = 2_500
_OPTION_CHARS = 75

WHY = "Why?"
WHY_HINT = "The agent's people and the log will see it."
ROLE = "Vote as"
ROLE_HINT = "One person has one vote, in one role. You may change it while the ticket waits."
EVIDENCE_HINT = "Name what you looked at: a log line, a dashboard, the record itself."
WOULD_BE_SHOWN = "A release would show this, with secrets and personal data taken out:"
NO_PREVIEW = "The output cannot be read any more, so there is nothing that a release could show."


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


_WORDS = {
    Deed.TOOK_EFFECT: _Words(
        title="It took effect",
        lead="You say that the interrupted run of ticket {} did what it was to do.",
        label="What did you look at, and what did you see?",
        submit="It took effect",
    ),
    Deed.NO_EFFECT: _Words(
        title="It took no effect",
        lead="You say that the interrupted run of ticket {} did nothing. People are asked again.",
        label="What did you look at, and what did you see?",
        submit="No effect",
    ),
    Deed.RELEASE: _Words(
        title="Release the output",
        lead="You let the output of ticket {} be seen by the channel and by its agent.",
        label="Why may it be seen?",
        submit="Release",
    ),
    Deed.DISCARD: _Words(
        title="Discard the output",
        lead="Nobody will ever be shown the output of ticket {}.",
        label="Why may nobody see it?",
        submit="Discard",
    ),
}


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
    verb = "Reject" if choice is Choice.REJECT else "Approve"
    text = Inert(f"{verb} ticket {words(shown.ticket_id, 60)}, revision {shown.revision}.")
    lead = {**rich(section([run(text, bold=True)])), "block_id": "placet.ballot.lead"}
    menu = [_role_field(roles)] if roles else []
    reason = _reason_field(WHY, WHY_HINT, is_needed=is_reason_needed)
    return modal(
        f"{verb} this action",
        [lead, *menu, reason],
        close="Cancel",
        submit=plain(ours(verb)),
        callback_id=names.BALLOT_VIEW,
        private_metadata=shown.to_value(c=choice.value),
    )


def evidence(shown: names.Shown, deed: Deed, *, preview: str | None = None) -> Block:
    """The form that asks what a person knows; ``preview`` is what a release would show."""
    said = _WORDS[deed]
    text = Inert(said.lead.format(words(shown.ticket_id, 60)))
    blocks = [{**rich(section([run(text, bold=True)])), "block_id": "placet.deed.lead"}]
    if deed is Deed.RELEASE:
        blocks.append({**_preview(preview), "block_id": "placet.deed.preview"})
    blocks.append(_reason_field(said.label, EVIDENCE_HINT if "look" in said.label else WHY_HINT))
    return modal(
        said.title,
        blocks,
        close="Cancel",
        submit=plain(ours(said.submit)),
        callback_id=names.DEED_VIEW,
        private_metadata=shown.to_value(c=deed.value),
    )


def _preview(text: str | None) -> Block:
    if text is None:
        return rich(section([run(ours(NO_PREVIEW))]))
    whole = inert(text, is_multiline=True)
    shown = head(whole, PREVIEW_CHARS)
    cut = f"\nCUT HERE: {len(shown):,} of {len(whole):,} characters shown."
    more = [section([run(Inert(cut))])] if shown != whole else []
    return rich(section([run(ours(WOULD_BE_SHOWN))]), preformatted(shown), *more)


def _role_field(roles: Sequence[RoleOffer]) -> Block:
    options: list[Block] = [_option(offer) for offer in roles[:MAX_ROLES]]
    return {
        "type": "input",
        "block_id": names.ROLE_BLOCK,
        "label": plain(ours(ROLE)),
        "hint": plain(ours(ROLE_HINT)),
        "element": {
            "type": "static_select",
            "action_id": names.ROLE_INPUT,
            "options": options,
            "initial_option": options[0],
        },
    }


def _option(offer: RoleOffer) -> Block:
    text = Inert(f"{words(offer.role, 50)}, weight {offer.weight}")
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
        "label": plain(clip(ours(label), limits.INPUT_LABEL_CHARS)),
        "hint": plain(ours(hint)),
        "element": {
            "type": "plain_text_input",
            "action_id": names.REASON_INPUT,
            "multiline": True,
            "max_length": REASON_CHARS,
            "focus_on_load": True,
        },
    }
