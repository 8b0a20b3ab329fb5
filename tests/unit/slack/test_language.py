"""English by default, every text in one catalogue, and a second language that is whole."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from string import Formatter
from typing import Any

import pytest
from babel.messages.catalog import Message

from bot import language
from bot.emulator.limits import check_blocks, check_view, is_message_too_long
from bot.replies import REPLIES
from bot.settings import Language, from_environment
from bot.slack.cards import title as card_title
from bot.slack.cards.card import approval_card
from bot.slack.cards.view import CardView
from bot.slack.commands import break_glass, commands, lending, picking, shortcuts, why
from bot.slack.home import bulk_view
from bot.slack.home import view as home_view
from bot.slack.home.inbox import Inbox, Lent
from bot.slack.kit import modals
from bot.slack.kit.language import LANGUAGES, SOURCE, gettext, ngettext, number, speaking
from bot.slack.recorded import recorded
from bot.slack.said import refusal_text
from bot.slack.sending import alarm, notices
from bot.slack.speakers import Speakers
from bot.slack.voting import actions, details, forms, receipts
from bot.slack.voting.full_view import full_view, whole_file
from governance.action import ActionKind, Content
from governance.control import Control, Frozen
from governance.delegation import evolve_delegations
from governance.errors import Code, InvalidInput, Refused, Unavailable
from governance.sentences import Sentence
from governance.tickets.ticket import Choice, TicketState
from tests.docs.reading import script
from tests.support import build
from tests.support.build import ANNA, BEN, T0, granted
from tests.support.card_samples import samples, ticket, view
from tests.support.core import DAN, person
from tests.support.wordless import Wordless, left_over, seen

texts = script("texts")
SOURCES = texts.template()
OTHERS = [one for one in LANGUAGES if one != SOURCE]
SAMPLES = samples()
_CALLS = {"N_": 1, "Sentence": 1, "gettext": 1, "ngettext": 2}
_SIGNS = {"true", "false", "null", "ms", "slack", "context", "ypal"}
"""Words of JSON, of units and of ids, and the end of one whose beginning is spelled out."""


def messages() -> Iterator[Message]:
    return (one for one in SOURCES if one.id)


def forms_of(message: str | list[str] | tuple[str, ...]) -> list[str]:
    return [message] if isinstance(message, str) else list(message)


KNOWN = frozenset(form for one in messages() for form in forms_of(one.id))


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


# The catalogue


def test_the_template_is_what_is_extracted_from_the_code() -> None:
    assert texts.TEMPLATE.read_bytes() == texts.as_text(SOURCES), "run: make texts"


def test_every_sentence_in_the_code_is_in_the_template() -> None:
    missing = []
    for path in texts.sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                for given in node.args[: _CALLS.get(node.func.id, 0)]:
                    if isinstance(given, ast.Constant) and given.value not in KNOWN:
                        missing.append((path.name, given.value))
                    assert not isinstance(given, ast.JoinedStr | ast.BinOp), (
                        path.name,
                        given.lineno,
                    )
    assert not missing
    assert not [code for code, reply in REPLIES.items() if reply.slack not in KNOWN]


@pytest.mark.parametrize("name", OTHERS)
def test_every_sentence_is_translated_with_the_same_places(name: str) -> None:
    found = texts.catalogue(name)
    assert {str(one.id) for one in found if one.id} == {str(one.id) for one in messages()}
    for one in found:
        if not one.id:
            continue
        assert not one.fuzzy, one.id
        for said, translated in zip(forms_of(one.id), forms_of(one.string), strict=True):
            assert translated.strip(), one.id
            assert places(translated) - {"count"} == places(said) - {"count"}, one.id
            assert (said[0] == " ", said[-1] == " ") == (
                translated[0] == " ",
                translated[-1] == " ",
            ), one.id


@pytest.mark.parametrize("name", OTHERS)
def test_the_shipped_catalogue_is_the_compiled_one(name: str) -> None:
    compiled = texts.po_of(name).with_suffix(".mo").read_bytes()
    assert compiled == texts.as_compiled(texts.catalogue(name)), "run: make texts"
    assert texts.po_of(name).read_bytes() == texts.as_text(texts.renewed(name, SOURCES))


# Looking up


def test_english_is_what_stands_in_the_code() -> None:
    assert gettext("Running now.") == "Running now."
    assert ngettext("{count} line", "{count} lines", 1) == "1 line"
    assert ngettext("{count} line", "{count} lines", 1_200) == "1,200 lines"


def test_german_has_its_own_words_numbers_and_plurals() -> None:
    with speaking("de"):
        assert gettext("Running now.") == "Läuft gerade."
        assert ngettext("{count} line", "{count} lines", 1) == "1 Zeile"
        assert ngettext("{count} line", "{count} lines", 1_200) == "1.200 Zeilen"
        assert number(1_234.5, decimals=1) == "1.234,5"
        assert gettext("") == ""
    assert gettext("Running now.") == "Running now."


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("de-DE", "de"),
        ("de_AT", "de"),
        ("DE", "de"),
        ("en-GB", "en"),
        ("fr-FR", "en"),
        ("", "en"),
        ("../../x", "en"),
    ],
)
def test_a_locale_without_a_catalogue_reads_english(locale: str, expected: str) -> None:
    assert language.language_of(locale) == expected


def test_what_an_agent_wrote_is_never_looked_up_nor_read_as_a_template() -> None:
    said = Content(arguments={"x": "Approve", "y": "{target}"}, justification="Running now.")
    one = view(ticket(ask=build.ask(agent="Approve", target="{agent}", tool="Details")))
    with speaking("de"):
        shown = list(seen(list(approval_card(replace(one, content=said)).blocks)))
    assert "Running now." in shown
    assert any("x: Approve" in text and 'y: "{target}"' in text for text in shown)
    assert any("Approve möchte" in text and "{agent}" in text for text in shown)


def test_a_fact_of_a_refusal_is_translated_only_where_it_is_a_sentence_of_ours() -> None:
    text = "only an approver of this ticket may stop it"
    with speaking("de"):
        assert "nur wer für dieses Ticket" in refusal_text(Refused(Code.WRONG_ROLE, Sentence(text)))
        for other in (text, "Running now."):
            told = refusal_text(Refused(Code.WRONG_ROLE, other))
            assert told.endswith(f"({other})")


def test_what_a_refusal_names_is_never_looked_up_nor_read_as_a_template() -> None:
    inner = Sentence("role {role}: {why}", role="{why}", why="Running now.")
    named = Sentence("they cannot vote here themselves: {why}", why=inner)
    refusal = Refused(Code.DELEGATION_NOT_ALLOWED, named)
    with speaking("de"):
        told = refusal_text(refusal)
    assert told.endswith(
        "(diese Person kann hier selbst nicht abstimmen: Rolle {why}: Running now.)"
    )
    assert refusal.message == "they cannot vote here themselves: role {why}: Running now."


def test_what_a_fact_names_is_made_inert_in_every_language() -> None:
    named = Sentence("no ticket {ticket}", ticket="a\u202eb")
    for name in LANGUAGES:
        with speaking(name):
            assert "a\\u{202e}b" in refusal_text(Refused(Code.NOT_FOUND, named))


# Nothing goes past it


@pytest.fixture
def _wordless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(language, "_catalogue", lambda _name: Wordless(KNOWN))
    with speaking("de"):
        yield


def limits_of(sample: CardView) -> object:
    return sample.ticket.ruling.constraints.to_json()


@pytest.mark.usefixtures("_wordless")
@pytest.mark.parametrize("name", list(SAMPLES))
def test_no_word_of_a_card_goes_past_the_catalogue(name: str) -> None:
    sample = SAMPLES[name]
    card = approval_card(sample)
    values = without_ours(sample)
    assert not left_over(list(card.blocks), values, limits_of(sample), _SIGNS)
    assert not left_over({"text": card.text}, values, _SIGNS)


def without_ours(sample: CardView) -> CardView:
    """``sample`` without the texts that the log keeps and that are ours, which are translated."""
    of = sample.ticket
    report = of.report and replace(of.report, error=not_ours(of.report.error))
    ruling = replace(
        of.ruling,
        reason=not_ours(of.ruling.reason),
        warnings=tuple(
            replace(one, description=not_ours(one.description)) for one in of.ruling.warnings
        ),
    )
    bare = replace(of, note=not_ours(of.note), report=report, ruling=ruling)
    return replace(sample, ticket=bare)


def not_ours(text: str) -> str:
    return text if recorded(text) == text else ""


def rooms() -> dict[str, tuple[dict[str, object] | list[dict[str, object]], object]]:
    """Everything else that somebody reads, with the values that it is made from."""
    own = replace(SAMPLES["half_approved"].ticket, id="t-1")
    sample = replace(SAMPLES["half_approved"], ticket=own)
    lent = lent_to_dan()
    tab = Inbox(
        person=person(ANNA),
        waiting=(own, *(replace(own, id=f"t-{n}") for n in range(2, 14))),
        decided=(replace(own, id="t-20"), replace(own, id="t-21", votes=())),
        asked=(own, *(SAMPLES[name].ticket for name in ("executed", "denied"))),
        given=(lent.delegation,),
        taken=(lent, replace(lent, roles=frozenset())),
        is_cut=True,
        may_delegate=True,
        troubles=tuple(f"Sentence {n}" for n in range(9)),
    )
    empty = Inbox(person=person(ANNA), waiting=(), decided=(), asked=(), given=(), taken=())
    whole, row = full_view(sample), bulk_view.row_of(sample, ANNA)
    closed = replace(row, text=None, may_tick=False)
    shown = details.shown_of(own)
    offers = [forms.RoleOffer(role="operator", weight=2, then="xx")]
    trace = [
        {"source": source, "id": "rule-1", "verdict": verdict, "note": ""}
        for source in why.SOURCES
        for verdict in (*why.VERDICTS, why.CONSIDERED)
    ]
    file = whole_file(sample)
    said = actions.vote_counted(own, ANNA)
    freeze = Frozen(target="all", by=ANNA, at=T0, reason="odd requests")
    frozen = Control(frozen={freeze.target: freeze})
    found: dict[str, Any] = {
        "home": home_view.home_view(tab, {home_view.Part.WAITING: (0, 0, 0, "t-1")}),
        "home, empty": home_view.home_view(empty, {}),
        "details": details.page(sample, whole, 0, may_vote=True),
        "cover": details.cover(sample, whole, has_receipt=True),
        "receipt": list(receipts.message(own, 12, "x.json").blocks),
        "sent": details.sent(own),
        "file": list(details.file_message(own, file, ANNA).blocks),
        "decide": details.decide(sample, digest=file.digest),
        "approve": forms.ballot(shown, Choice.APPROVE, roles=offers),
        "reject": forms.ballot(shown, Choice.REJECT),
        **{f"deed {one}": forms.evidence(shown, one, preview="xx " * 3_000) for one in forms.Deed},
        "no preview": forms.evidence(shown, forms.Deed.RELEASE),
        "bulk": bulk_view.page("0" * 24, [row, closed], more=3, is_reason_needed=True),
        "bulk, none": bulk_view.page("0" * 24, [], more=0, is_reason_needed=False),
        "results": bulk_view.results([bulk_view.Verdict(ticket=own, said=said)]),
        "no results": bulk_view.results([]),
        "lend": lending.form(["operator", "reviewer"], T0),
        "glass": break_glass.form(["outage"], ["deploy"]),
        "glass, no tool": break_glass.form(["outage"], []),
        "pick": picking.form("status"),
        "why": why.blocks_of(own, trace),
        "why, no trace": why.blocks_of(own, []),
        "alarm": list(alarm.announcement(own, template="outage", content=None).blocks),
        "reminder": list(notices.reminder([own] * 12, {own.id: "https://x"}, frozen).blocks),
        "escalation": list(notices.escalation(own, "", frozen).blocks),
        "expired": list(notices.expiry(SAMPLES["expired"].ticket).blocks),
        "loading": modals.loading(),
    }
    return {
        name: (
            made,
            (
                sample,
                tab,
                SAMPLES["executed"],
                SAMPLES["denied"],
                SAMPLES["expired"],
                file.name,
                receipts.COMMAND,
                trace,
                freeze,
            ),
        )
        for name, made in found.items()
    }


def lent_to_dan() -> Lent:
    event = granted(delegator=BEN, delegate=DAN, roles=())
    made = evolve_delegations({}, event, T0)["d-1"]
    return Lent(delegation=made, roles=frozenset({"operator"}))


_OTHER = ("executed", "denied", "expired")
_SAME = _SIGNS | {"Placet", "placet", "xx"} | {"outage", "deploy", "operator", "reviewer", "prod"}


@pytest.mark.usefixtures("_wordless")
@pytest.mark.parametrize("name", list(rooms()))
def test_no_word_of_a_room_goes_past_the_catalogue(name: str) -> None:
    made, values = rooms()[name]
    assert not left_over(made, values, _SAME)


# German


@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_card_is_legal_in_german(name: str) -> None:
    with speaking("de"):
        card = approval_card(SAMPLES[name])
    assert check_blocks(list(card.blocks), "message") == []
    assert not is_message_too_long(list(card.blocks))
    assert card.text != approval_card(SAMPLES[name]).text


@pytest.mark.parametrize("name", list(rooms()))
def test_every_room_is_legal_in_german_and_nothing_of_ours_is_cut(name: str) -> None:
    with speaking("de"):
        made, _ = rooms()[name]
    if isinstance(made, list):
        assert check_blocks(made, "message") == []
    else:
        assert check_view(made, str(made["type"])) == []
    for label in short_texts(made):
        assert not label.endswith("\u2026") or label in _OPENS, label


_OPENS = {"Zustimmen\u2026", "Ablehnen\u2026", "Delegieren\u2026"}
"""Three dots that are ours: a form opens first."""


def short_texts(node: object) -> Iterator[str]:
    """Titles, and what stands on buttons and in dialogs."""
    if isinstance(node, dict):
        for key in ("title", "submit", "close", "confirm", "deny"):
            if isinstance(node.get(key), dict) and isinstance(node[key].get("text"), str):
                yield node[key]["text"]
        if node.get("type") == "button" and node.get("action_id") != "placet.bulk.open":
            yield node["text"]["text"]
            yield node["accessibility_label"]
        for value in node.values():
            yield from short_texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from short_texts(value)


@pytest.mark.parametrize("state", list(TicketState))
@pytest.mark.parametrize("action", list(ActionKind))
@pytest.mark.parametrize("target", ["", "t" * 90])
def test_the_longest_headline_is_not_cut_in_german(
    state: TicketState, action: ActionKind, target: str
) -> None:
    asked = build.ask(
        agent="a b" * 30,
        tool="t " * 40,
        target=target,
        environment="e " * 20,
        action=action,
    )
    with speaking("de"):
        assert len(card_title.title(ticket(state=state, ask=asked))) <= 150


def test_the_file_reads_the_same_for_everybody() -> None:
    english = whole_file(SAMPLES["pending"])
    with speaking("de"):
        assert whole_file(SAMPLES["pending"]).digest == english.digest
        assert full_view(SAMPLES["pending"]).pages[0][0].label == "Argumente"


def test_the_fine_print_names_its_ticket_in_every_language() -> None:
    blocks = {}
    for name in LANGUAGES:
        with speaking(name):
            card = approval_card(SAMPLES["executed"])
        plain = [{"text": text} for text in seen(list(card.blocks))]
        blocks[name] = shortcuts.ticket_in({"blocks": plain})
    assert set(blocks.values()) == {SAMPLES["executed"].ticket.id}


def test_field_names_of_the_whole_stand_bare_in_german() -> None:
    with speaking("de"):
        pages = full_view(SAMPLES["pending"]).pages
    told = [section.text for page in pages for section in page if section.label == "Die Anfrage"]
    assert told
    assert not [line for line in told[0].split("\n") if re.match(r'\s*"', line)]


# Who speaks what


class Accounts:
    """Locales by account; None: it cannot be looked up."""

    def __init__(self, **locales: str | None) -> None:
        self.locales = locales

    async def locale(self, user_id: str) -> str:
        found = self.locales[user_id]
        if found is None:
            raise Unavailable(Code.IDENTITY_UNAVAILABLE, "no answer")
        return found


async def test_a_person_is_spoken_to_in_the_language_of_their_account() -> None:
    known = Speakers(locales=Accounts(UDE="de-DE", UFR="fr-FR", UNO="", UGONE=None), channels="de")
    heard = [await known.of(user) for user in ("UDE", "UFR", "UNO", "UGONE", "")]
    assert heard == ["de", "en", "de", "de", "de"]
    assert await Speakers(channels="de").of("UDE") == "de"


@pytest.mark.parametrize("body", [{"user": {"id": "UDE"}}, {"user_id": "UDE"}])
async def test_a_listener_speaks_it_and_nothing_after_it_does(body: dict[str, object]) -> None:
    heard: list[str] = []

    async def handler(ack: Any, body: Any) -> None:
        heard.append(language.spoken())

    await Speakers(locales=Accounts(UDE="de-DE")).heard(handler)(None, body)  # type: ignore[arg-type]
    assert (heard, language.spoken()) == (["de"], "en")


def test_the_setting_knows_every_language_that_is_shipped() -> None:
    assert {one.value for one in Language} == set(LANGUAGES)
    assert {path.name for path in texts.LOCALE.iterdir() if path.is_dir()} == set(OTHERS)
    assert from_environment({}).language is Language.ENGLISH
    assert from_environment({"PLACET_LANGUAGE": "de"}).language is Language.GERMAN
    with pytest.raises(InvalidInput, match="PLACET_LANGUAGE") as caught:
        from_environment({"PLACET_LANGUAGE": "tlh"})
    assert caught.value.code is Code.INVALID_SETTINGS


def test_every_word_of_the_command_is_explained_in_german() -> None:
    with speaking("de"):
        for _, meaning in commands._USAGE:
            assert gettext(meaning) != meaning
