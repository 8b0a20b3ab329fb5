"""What a card in a channel keeps to itself because a rule says so.

Lives here: taking the named values out of a view. Must not live here: scanners (``bot.scan``), or
Details, which shows the whole to one person. Law: a card that hides something says so in its
place, and is never approved from without Details.
"""

from collections.abc import Mapping
from dataclasses import replace

from bot.slack.cards.view import CardView
from bot.slack.kit.language import N_, gettext
from governance.canonical import Json

HIDDEN = N_("(kept off this card by policy; Details shows it)")
EVERYTHING = "arguments"
"""Names all arguments at once; ``prompt``, ``context``, ``justification``, ``output`` the rest."""


def redacted(view: CardView) -> CardView:
    """``view`` without what the ticket's ``redact_deny`` names, at any depth of the arguments."""
    names = frozenset(name.casefold() for name in view.ticket.ruling.constraints.redact_deny)
    content = view.content
    if not names:
        return view
    if content is not None:
        arguments: Mapping[str, Json] = (
            dict.fromkeys(content.arguments, gettext(HIDDEN))
            if EVERYTHING in names
            else {key: _hide(key, value, names) for key, value in content.arguments.items()}
        )
        content = replace(
            content,
            arguments=arguments,
            prompt=_text(content.prompt, "prompt", names),
            context=gettext(HIDDEN)
            if "context" in names and content.context is not None
            else content.context,
            justification=_text(content.justification, "justification", names),
        )
    output = view.output
    if output is not None and "output" in names:
        output = gettext(HIDDEN)
    return replace(view, content=content, output=output)


def _text(text: str, name: str, names: frozenset[str]) -> str:
    return gettext(HIDDEN) if text and name in names else text


def _hide(key: str, value: Json, names: frozenset[str]) -> Json:
    if key.casefold() in names:
        return gettext(HIDDEN)
    if isinstance(value, Mapping):
        return {inner: _hide(inner, item, names) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hide("", item, names) for item in value]
    return value
