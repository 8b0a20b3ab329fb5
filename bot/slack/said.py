"""Short answers to one person: refusals, confirmations, lists.

Lives here: an answer as a value, and answers made from errors. Must not live here: sending.
Law: a refusal says what the table of replies says, then the fact that the core gave, inert, where
it adds something; a fact is told in the person's language where it is a sentence of ours, and what
it names is never looked up. The block id carries the stable code, so that a program can tell
refusals apart without reading prose.
"""

from dataclasses import dataclass

from bot.replies import reply_for
from bot.slack.kit import limits
from bot.slack.kit.blocks import Block, ours, rich, run, section
from bot.slack.kit.language import N_, gettext, told
from bot.slack.kit.text import Inert, clip, fallback, inert
from governance.errors import Code, PlacetError

REFUSED = "placet.refused."
"""Prefix of the block id of a refusal; the code follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message for one person; ``code`` is set for refusals."""

    text: str
    blocks: tuple[Block, ...]
    code: str = ""


def say(text: Inert, *, block_id: str = "placet.said", bold: str = "") -> Said:
    """One paragraph, with an optional first phrase in bold."""
    shown = clip(text, 2_500)
    lead = [run(ours(f"{bold} "), bold=True)] if bold else []
    block = {**rich(section([*lead, run(shown)])), "block_id": block_id}
    whole = Inert(f"{bold} {shown}" if bold else shown)
    return Said(text=fallback(whole, limits.FALLBACK_CHARS), blocks=(block,))


def say_blocks(text: Inert, blocks: list[Block]) -> Said:
    """Several blocks with a fallback line."""
    return Said(text=fallback(text, limits.FALLBACK_CHARS), blocks=tuple(blocks))


_SAID_BY_THE_TABLE = frozenset(
    {
        Code.BINDING_MISMATCH,
        Code.COMMENT_REQUIRED,
        Code.DELEGATION_EXISTS,
        Code.EXPIRED,
        Code.FOREIGN_TEAM,
        Code.FROZEN,
        Code.FULL_VIEW_REQUIRED,
        Code.NO_VOTE,
        Code.SELF_APPROVAL_DENIED,
        Code.STEP_UP_REQUIRED,
        Code.SUPERSEDED_REVISION,
        Code.VOTER_DEACTIVATED,
        Code.VOTER_IS_APP,
        Code.VOTER_IS_BOT,
        Code.VOTER_IS_CHANNEL_GUEST,
        Code.VOTER_IS_CONNECTED,
        Code.VOTER_IS_GUEST,
        Code.VOTER_IS_INVITED,
        Code.VOTER_IS_WORKFLOW,
        Code.VOTER_UNCONFIRMED,
        Code.VOTER_UNKNOWN,
    }
)
"""Codes whose sentence says all; the core's fact would only say it again."""

NOT_JSON = (
    N_("Expecting value"),
    N_("Expecting ',' delimiter"),
    N_("Expecting ':' delimiter"),
    N_("Expecting property name enclosed in double quotes"),
    N_("Extra data"),
    N_("Illegal trailing comma before end of array"),
    N_("Illegal trailing comma before end of object"),
    N_("Invalid control character at"),
    N_("Unterminated string starting at"),
)
"""What Python's decoder says, which a fact may hold; anything else it says is told in English."""


def refusal_text(error: PlacetError) -> Inert:
    """The kind sentence of the table, then the fact that the core gave where it adds one."""
    sentence = gettext(reply_for(error.code).slack)
    fact = clip(inert(told(error.message)), 500)
    if not fact or error.code in _SAID_BY_THE_TABLE:
        return Inert(sentence)
    return Inert(f"{sentence} ({fact})")


def refused(error: PlacetError) -> Said:
    """A refusal."""
    said = say(refusal_text(error), block_id=f"{REFUSED}{error.code.value}")
    return Said(text=said.text, blocks=said.blocks, code=error.code.value)


def failed() -> Said:
    """Something of ours went wrong; what counts is on the card."""
    text = ours(
        gettext(
            "Something went wrong on my side. The card always shows what counts; "
            "if your click is not on it, please try again."
        )
    )
    return say(text, block_id="placet.failed")
