"""The whole of what would be approved, in pages or as one file.

Lives here: its sections, its pages, its text as a file with a digest. Must not live here: modals
(``details``), sending (``uploads``), who has read it (``reading``). Law: everything that is bound
is in it and nothing is cut but into pages; what a tool's form shows in its own way stands there
once more, field by field; no text in it can pass for a heading of ours.
"""

from dataclasses import dataclass
from hashlib import sha256

from bot.slack.cards import action_forms
from bot.slack.cards.action_fields import lines, text_lines
from bot.slack.cards.parts import says
from bot.slack.cards.view import CardView
from bot.slack.kit.language import N_, SOURCE, gettext, speaking
from bot.slack.kit.text import Inert, inert, pages
from bot.slack.recorded import recorded
from governance.action import Content, Dispatch
from governance.canonical import Json
from governance.json_text import to_text

PAGE_CHARS = 9_000
PIECE_CHARS = 2_800
MOST_PAGES = 20
"""Beyond so many pages the whole is offered as a file."""
REQUEST = N_("The request")
EVERY_ARGUMENT = N_("All arguments, field by field")
AS_JSON = N_("Arguments, prompt and context as JSON")
ERASED = N_("(the content was erased)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A labelled text, or a piece of one."""

    label: str
    text: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class FullView:
    """The whole of a ticket: pages, each of a few pieces of sections."""

    pages: tuple[tuple[Section, ...], ...]
    chars: int

    @property
    def count(self) -> int:
        """How many pages there are; at least one."""
        return len(self.pages)

    @property
    def is_for_a_file(self) -> bool:
        """Whether it is too long to be turned page by page on a phone."""
        return self.count > MOST_PAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeFile:
    """The whole as one text file; ``digest`` is SHA-256 of its bytes in hex."""

    name: str
    content: bytes
    digest: str


def full_view(view: CardView) -> FullView:
    """Everything about the action, cut into pages and nowhere else."""
    found: list[tuple[Section, ...]] = []
    page: list[Section] = []
    room = PAGE_CHARS
    chars = 0
    for section in _sections(view):
        chars += len(section.text)
        for piece in pages(section.text, PIECE_CHARS):
            if page and len(piece) > room:
                found.append(tuple(page))
                page, room = [], PAGE_CHARS
            page.append(Section(label=section.label, text=piece))
            room -= len(piece)
    return FullView(pages=(*found, tuple(page)), chars=chars)


def whole_file(view: CardView) -> WholeFile:
    """The same as one file, with the JSON as it was sent and the agent's words at its end.

    In English for every reader: its digest goes on record, and must not depend on who asked.
    """
    with speaking(SOURCE):
        return _file(view)


def _file(view: CardView) -> WholeFile:
    ticket = view.ticket
    sections = _sections(view)
    if view.content is not None:
        sections.append(Section(label=gettext(AS_JSON), text=_json(view.content)))
        if view.content.justification:
            said = Inert("\n".join(text_lines(view.content.justification)))
            sections.append(Section(label=says(view.ticket), text=said))
    out = [
        f"The whole of ticket {inert(ticket.id)}, revision {ticket.revision}, as it is to be",
        "approved. Lines of this file that begin without a blank are the service's own words;",
        "everything that an agent wrote is set in by two blanks, and what cannot be seen in it is",
        "spelled out as \\u{hex}.",
    ]
    for section in sections:
        out += ["", f"{section.label}:", *(f"  {line}" for line in section.text.split("\n"))]
    content = ("\n".join(out) + "\n").encode("utf-8")
    name = f"ticket-{_file_word(ticket.id)}-r{ticket.revision}.txt"
    return WholeFile(name=name, content=content, digest=sha256(content).hexdigest())


def _file_word(text: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in text[:60])


def _json(content: Content) -> Inert:
    every: dict[str, Json] = {"arguments": content.arguments}
    if content.prompt:
        every["prompt"] = content.prompt
    if content.context is not None:
        every["context"] = content.context
    return inert(to_text(every, indent=2), is_multiline=True)


def _sections(view: CardView) -> list[Section]:
    request = Section(label=gettext(REQUEST), text=Inert("\n".join(lines(_request(view)))))
    if view.content is None:
        return [
            Section(label=gettext(action_forms.ARGUMENTS), text=Inert(gettext(ERASED))),
            request,
        ]
    parts = action_forms.parts_of(view, view.content)
    found = [Section(label=part.label, text=part.text) for part in parts]
    if any(part.is_form for part in parts):
        every = action_forms.fields_of(view.content.arguments)
        found.append(Section(label=gettext(EVERY_ARGUMENT), text=every))
    return [*found, request]


def _request(view: CardView) -> dict[str, Json]:
    """What was asked and under which ruling, with the digests that are bound."""
    ticket, ask, ruling = view.ticket, view.ticket.ask, view.ticket.ruling
    is_ours = ask.dispatch is Dispatch.EXECUTE
    return {
        gettext("agent"): ask.agent,
        gettext("acts for"): ask.on_behalf_of or gettext("nobody in particular"),
        gettext("tool"): ask.tool or gettext("not named"),
        gettext("topic"): ask.topic,
        gettext("action"): ask.action.value,
        gettext("target"): ask.target or gettext("not named"),
        gettext("environment"): ask.environment,
        gettext("data class"): ask.data_class,
        gettext("capability"): ask.capability or gettext("not named"),
        gettext("carried out by"): gettext("this service") if is_ours else gettext("the agent"),
        gettext("risk tags"): list(ask.risk_tags),
        gettext("labels"): dict(ask.labels),
        gettext("limits"): ruling.constraints.to_json(),
        gettext("reason"): recorded(ruling.reason),
        gettext("action digest"): ask.action_digest,
        gettext("content digest"): ask.content_digest,
        gettext("binding"): ticket.binding,
        gettext("policy snapshot"): ruling.snapshot,
    }
