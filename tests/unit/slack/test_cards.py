"""Cards: one picture for each state, legal for any input, honest about what is cut."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from bot.emulator.limit_rich import characters
from bot.emulator.limits import check_blocks, check_view, is_message_too_long, is_view_too_large
from bot.slack import names
from bot.slack.cards import title as card_title
from bot.slack.cards.card import Card, approval_card
from bot.slack.cards.view import CardView, trace_address
from bot.slack.kit import limits, modals
from bot.slack.kit.language import LANGUAGES, speaking
from bot.slack.kit.text import Inert, fallback
from bot.slack.said import refusal_text
from bot.slack.voting import details, forms
from bot.slack.voting.full_view import full_view
from governance.action import ActionKind, Content, needs_full_view
from governance.control import Frozen
from governance.errors import Code, Refused
from governance.policy.decision import Warned
from governance.principal import PersonId
from governance.tickets.ticket import Attested, Choice, Escalated, TicketState
from tests.support import build
from tests.support.card_samples import samples, ticket, view

GOLDEN = Path(__file__).parents[2] / "golden" / "cards"
SAMPLES = samples()
_STABLE = frozenset({TicketState.PENDING, TicketState.APPROVED, TicketState.UNKNOWN})


def shown(card: Card) -> str:
    return json.dumps(card.blocks, ensure_ascii=False)


def check_legal(card: Card) -> None:
    blocks = list(card.blocks)
    assert check_blocks(blocks, "message") == []
    assert not is_message_too_long(blocks)
    assert characters(blocks) <= 10_000
    assert len(shown(card)) <= 12_000
    assert 0 < len(card.text) <= 4_000
    assert '"type": "mrkdwn"' not in shown(card)
    parsed = Block.parse_all(json.loads(json.dumps(blocks)))
    assert [one.to_dict()["type"] for one in parsed] == [one["type"] for one in blocks]


@pytest.mark.parametrize("name", list(SAMPLES))
def test_a_card_looks_as_it_did(name: str) -> None:
    card = approval_card(SAMPLES[name])
    got = json.dumps({"text": card.text, "blocks": card.blocks}, indent=1, ensure_ascii=False)
    path = GOLDEN / f"{name}.json"
    if os.environ.get("PLACET_WRITE_GOLDEN"):
        path.write_text(got + "\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == got + "\n"


def test_every_golden_file_has_its_sample() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(SAMPLES)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_card_is_legal(name: str) -> None:
    check_legal(approval_card(SAMPLES[name]))


@pytest.mark.parametrize("state", list(TicketState))
def test_only_what_is_open_has_buttons(state: TicketState) -> None:
    card = approval_card(view(ticket(state=state)))
    rows = [block for block in card.blocks if block["type"] == "actions"]
    assert bool(rows) == (state in _STABLE)


_HEADLINES = {
    TicketState.PENDING: "deployer wants to run deploy.service on web-1 in prod",
    TicketState.APPROVED: "Approved: deployer may run deploy.service on web-1 in prod",
    TicketState.EXECUTING: "Running: deployer is running deploy.service on web-1 in prod",
    TicketState.EXECUTED: "Done: deployer ran deploy.service on web-1 in prod",
    TicketState.RELEASED: "Handed over: deployer may now run deploy.service on web-1 in prod",
    TicketState.DENIED: "Denied by policy: deployer wanted to run deploy.service on web-1 in prod",
    TicketState.REJECTED: "Rejected: deployer wanted to run deploy.service on web-1 in prod",
    TicketState.EXPIRED: "Expired: deployer wanted to run deploy.service on web-1 in prod",
    TicketState.CANCELLED: "Cancelled: deployer wanted to run deploy.service on web-1 in prod",
    TicketState.UNKNOWN: "Outcome unknown: deployer may have run deploy.service on web-1 in prod",
}


@pytest.mark.parametrize("state", list(TicketState))
def test_the_first_line_tells_the_state_and_the_fallback_says_the_same(state: TicketState) -> None:
    card = approval_card(view(ticket(state=state)))
    first = card.blocks[0]["text"]
    assert isinstance(first, dict)
    assert first["text"] == _HEADLINES[state]
    assert card.text.startswith(fallback(Inert(_HEADLINES[state]), 200))


@pytest.mark.parametrize(
    ("action", "changes", "said"),
    [
        (ActionKind.WRITE, {"tool": "t.set", "target": "a.ini"}, "wants to change a.ini in prod"),
        (ActionKind.READ, {"tool": "t.get", "target": "a.ini"}, "wants to read a.ini in prod"),
        (ActionKind.WRITE, {"tool": "t.set", "target": ""}, "wants to use t.set in prod"),
        (ActionKind.READ, {"tool": "t.get", "target": ""}, "wants to read with t.get in prod"),
        (
            ActionKind.EXECUTE,
            {"tool": "", "topic": "j.x", "target": ""},
            "wants to run j.x in prod",
        ),
        (ActionKind.WRITE, {"target": "a in dev"}, "wants to change \u201ca in dev\u201d in prod"),
    ],
)
def test_the_headline_is_plain_words(
    action: ActionKind, changes: dict[str, str], said: str
) -> None:
    one = ticket(ask=build.ask(action=action, **changes))
    assert card_title.title(one) == f"deployer {said}"


@pytest.mark.parametrize(
    "mark", ['"', "\u201d", "\u201c", "\u00bb", "\u2033", "\uff02", "''", "\u2019\u2019"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_ends_the_quotes_in_which_it_stands(mark: str, language: str) -> None:
    spelled = "".join(f"\\u{{{ord(char):x}}}" for char in mark)
    with speaking(language):
        said = card_title.title(ticket(ask=build.ask(target=f"x{mark} in {mark}y")))
    assert f"x{spelled} in " in said
    inside = said[said.index("x") : said.rindex("y")]
    assert mark not in inside
    assert "Olivia's own" in card_title.title(ticket(ask=build.ask(target="Olivia's own")))


def test_german_quotes_are_german() -> None:
    with speaking("de"):
        assert "\u201ea in dev\u201c" in card_title.title(ticket(ask=build.ask(target="a in dev")))


@pytest.mark.parametrize("state", list(TicketState))
@pytest.mark.parametrize("action", list(ActionKind))
def test_the_longest_headline_is_not_cut(state: TicketState, action: ActionKind) -> None:
    long = "a b" * 60
    asked = build.ask(
        agent=long, tool=long, target=long, environment=long, action=action, topic=long
    )
    assert len(card_title.title(ticket(state=state, ask=asked))) <= limits.HEADER_CHARS


@pytest.mark.parametrize("name", ["x" * 40, "\u202e", 'a" in dev', "a\u201d in dev", " a", "a  b"])
def test_what_the_headline_does_not_show_plainly_stands_in_the_facts(name: str) -> None:
    card = shown(approval_card(view(ticket(ask=build.ask(target=name)))))
    assert '"Target: "' in card
    assert '"Target: "' not in shown(approval_card(view()))


def test_the_button_says_what_was_shown() -> None:
    one = ticket()
    row = approval_card(view(one)).blocks[-1]["elements"]
    assert isinstance(row, list)
    value = json.loads(row[0]["value"])
    assert value == {"t": one.id, "r": 1, "b": one.binding}


def test_any_change_gives_every_block_a_new_id() -> None:
    before = approval_card(view())
    after = approval_card(view(ticket(votes=(build.vote(),))))
    ids = [{block["block_id"] for block in card.blocks} for card in (before, after)]
    assert not ids[0] & ids[1]
    assert before.digest != after.digest
    assert approval_card(view()).digest == before.digest


def test_a_cut_that_the_core_does_not_gate_takes_approve_off_the_card() -> None:
    content = Content(arguments={"x": "y" * 5_000})
    assert not view(content=content).ticket.ask.needs_full_view
    card = shown(approval_card(view(content=content)))
    assert "CUT HERE" in card
    assert names.APPROVE not in card
    assert names.DETAILS in card


def test_a_cut_that_the_core_gates_keeps_approve_and_says_what_to_do() -> None:
    card = shown(approval_card(SAMPLES["pending_cut"]))
    assert names.APPROVE in card
    assert "read Details to the last page" in card


def test_progress_is_told_in_words() -> None:
    card = shown(approval_card(SAMPLES["half_approved"]))
    assert "Waiting for approval: needs one security-admin, 1 of 4 weight." in card
    assert "1 of 1 operator, 0 of 1 security-admin; weight 1 of 4" in card


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ("veto", "One rejection ends it."),
        ("unreachable", "Approval was out of reach."),
        ("stopped", "Stopped before it started."),
    ],
)
def test_why_it_ended_is_said_as_people_say_it(cause: str, said: str) -> None:
    card = shown(approval_card(view(ticket(state=TicketState.REJECTED, note=cause))))
    assert said in card
    assert cause not in card.replace(said, "")


def test_a_prompt_stands_under_its_own_label() -> None:
    card = shown(approval_card(view(content=Content(prompt="Tell the team"))))
    assert "Prompt, the agent's own instruction:" in card
    assert '"text": "Tell the team"' in card
    assert "(no arguments and no prompt)" in shown(approval_card(view(content=Content())))


def test_the_tier_that_ran_is_named_and_a_weaker_one_explained() -> None:
    def ran(tier: str) -> str:
        report = build.report(sandbox=tier)
        return shown(approval_card(view(ticket(state=TicketState.EXECUTED, report=report))))

    assert "in a sandbox of tier A- (held by rlimits and the wall clock" in ran("A-")
    assert 'in a sandbox of tier A"' in ran("A")


def test_a_refusal_says_a_thing_once() -> None:
    twice = Refused(Code.SELF_APPROVAL_DENIED, "you asked for this: somebody else decides")
    assert "(" not in refusal_text(twice)
    assert "(tier high is decided by: operator)" in refusal_text(
        Refused(Code.WRONG_ROLE, "tier high is decided by: operator")
    )


def test_every_control_has_a_label_for_screen_readers() -> None:
    for sample in SAMPLES.values():
        for block in approval_card(sample).blocks:
            if block["type"] == "actions":
                row = block["elements"]
                assert isinstance(row, list)
                assert all(element["accessibility_label"] for element in row)


_TEXT = st.text(max_size=400) | st.sampled_from(
    ["\u202e" * 300, "*_~`" * 100, "<!channel>" * 40, "\u3164" * 400, '"\\' * 200, "\n" * 400]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(_TEXT, inner, max_size=6),
    max_leaves=12,
)


_STEPS = st.lists(
    st.builds(
        Escalated,
        step=st.integers(1, 9),
        at=st.just(build.T0),
        channel=_TEXT,
        roles=st.lists(_TEXT, max_size=4).map(tuple),
        people=st.lists(_TEXT, max_size=9).map(tuple),
    ),
    max_size=5,
).map(tuple)


@st.composite
def any_view(draw: st.DrawFn) -> CardView:
    content = Content(
        arguments=draw(st.dictionaries(_TEXT, _JSON, max_size=6)),
        prompt=draw(_TEXT),
        context=draw(_JSON),
        justification=draw(_TEXT),
    )
    asked = build.ask(
        agent=draw(_TEXT),
        tool=draw(_TEXT),
        topic=draw(_TEXT),
        target=draw(_TEXT),
        environment=draw(_TEXT),
        data_class=draw(_TEXT),
        trace_id=draw(_TEXT),
        action=draw(st.sampled_from(list(ActionKind))),
        risk_tags=tuple(draw(st.lists(_TEXT, max_size=12))),
        labels=tuple(draw(st.lists(st.tuples(_TEXT, _TEXT), max_size=5))),
        on_behalf_of=draw(st.none() | _TEXT),
        owners=tuple(draw(st.lists(_TEXT, max_size=5))),
        needs_full_view=needs_full_view(content),
    )
    ruled = build.ruling(
        reason=draw(_TEXT),
        rule_ids=tuple(draw(st.lists(_TEXT, max_size=8))),
        constraint_id=draw(_TEXT),
        warnings=tuple(
            Warned(constraint_id=one, description=two)
            for one, two in draw(st.lists(st.tuples(_TEXT, _TEXT), max_size=6))
        ),
    )
    votes = tuple(
        build.vote(person, role=role, comment_digest=role, delegator=draw(st.none() | _TEXT))
        for person, role in draw(st.lists(st.tuples(_TEXT, _TEXT), max_size=12))
    )
    one = ticket(
        state=draw(st.sampled_from(list(TicketState))),
        ask=asked,
        ruling=ruled,
        votes=votes,
        note=draw(_TEXT),
        decided_by=draw(_TEXT),
        report=draw(st.none() | st.just(build.report(error=draw(_TEXT)))),
        failures=draw(st.integers(0, 3)),
        attested=tuple(
            Attested(person=PersonId(person), took_effect=bool(role), comment_digest=role)
            for person, role in draw(st.lists(st.tuples(_TEXT, _TEXT), max_size=12))
        ),
        escalated=draw(_STEPS),
    )
    return CardView(
        ticket=one,
        content=draw(st.none() | st.just(content)),
        output=draw(st.none() | _TEXT),
        comments={vote.role: draw(_TEXT) for vote in votes},
        frozen=draw(
            st.none()
            | st.builds(Frozen, target=_TEXT, by=_TEXT, at=st.just(build.T0), reason=_TEXT)
        ),
        sandbox_note=draw(_TEXT),
        trace_url=trace_address("https://t.example/{trace_id}", asked.trace_id),
    )


@given(any_view())
def test_any_ticket_renders_a_legal_card(sample: CardView) -> None:
    for name in LANGUAGES:
        with speaking(name):
            check_legal(approval_card(sample))


@given(any_view())
def test_any_ticket_has_a_legal_full_view_that_holds_everything(sample: CardView) -> None:
    whole = full_view(sample)
    for page in range(whole.count):
        body = details.page(sample, whole, page, may_vote=True, has_receipt=True)
        assert check_view(body, "modal") == []
        assert not is_view_too_large(body)
        is_last = page == whole.count - 1
        can_vote = is_last and sample.ticket.state is TicketState.PENDING
        assert (names.REJECT in str(body)) == can_vote
        can_vote = can_vote and sample.frozen is None
        assert (names.APPROVE in str(body)) == can_vote


def test_signals_are_told_first_and_warnings_do_not_push_them_out() -> None:
    told = [
        Warned(constraint_id=f"signal:{n}", description=f"text at /{n} reads so") for n in range(5)
    ]
    late = [Warned(constraint_id=f"late-{n}", description="late") for n in range(4)]
    card = approval_card(view(ticket(ruling=build.ruling(warnings=(*late, *told)))))
    check_legal(card)
    said = "text at /0 reads so; text at /1 reads so; text at /2 reads so; and 2 more"
    assert said in shown(card)
    assert "late-2" in shown(card)
    assert "late-3" not in shown(card)


def test_a_target_that_is_cut_takes_approve_off_the_card() -> None:
    card = shown(approval_card(view(ticket(ask=build.ask(target="a" * 301)))))
    assert names.APPROVE not in card
    assert names.APPROVE in shown(approval_card(view(ticket(ask=build.ask(target="a" * 300)))))


@pytest.mark.parametrize("text", ['"\\' * 200, "\\u{" * 150, '"\u202e' * 200, "p\u0430" * 200])
@pytest.mark.parametrize("state", list(TicketState))
def test_the_most_hostile_ticket_fits(text: str, state: TicketState) -> None:
    asked = build.ask(
        agent=text,
        tool=text,
        topic=text,
        target=text,
        environment=text,
        data_class=text,
        trace_id=text,
        risk_tags=(text,) * 12,
        owners=(text,) * 5,
        on_behalf_of=text,
        needs_full_view=True,
    )
    ruled = build.ruling(
        reason=text,
        rule_ids=(text,) * 8,
        constraint_id=text,
        risk_tier=text,
        safety_bypassed=True,
        warnings=(Warned(constraint_id=text, description=text),) * 5,
        constraints=build.Constraints(paths_deny=(text,) * 5),
    )
    votes = tuple(build.vote(f"{text}{n}", role=text, comment_digest="c") for n in range(12))
    hostile = ticket(
        ask=asked,
        ruling=ruled,
        votes=votes,
        note=text,
        decided_by=text,
        is_overdue=True,
        report=build.report(build.RunStatus.FAILED, error=text),
        state=state,
        failures=9_999,
        attested=(Attested(person=build.PersonId(text), took_effect=True, comment_digest="c"),) * 9,
        escalated=(
            Escalated(
                step=1,
                at=build.T0,
                channel=text,
                roles=(text,) * 9,
                people=(build.PersonId(text),) * 9,
            ),
        )
        * 9,
    )
    sample = CardView(
        ticket=hostile,
        content=Content(arguments={text: [text] * 9}, prompt=text * 9, justification=text * 9),
        output=text * 9,
        comments={"c": text},
        frozen=Frozen(target=text, by=build.BEN, at=build.T0, reason=text),
        sandbox_note=text,
        trace_url=f"https://t.example/{'a' * 600}",
    )
    for name in LANGUAGES:
        with speaking(name):
            check_legal(approval_card(sample))


@pytest.mark.parametrize("choice", list(Choice))
def test_the_forms_are_legal(choice: Choice) -> None:
    shown_to = names.Shown(ticket_id=ticket().id, revision=1, binding="a" * 64)
    assert check_view(forms.ballot(shown_to, choice), "modal") == []
    assert check_view(modals.loading(), "modal") == []


def test_the_full_view_of_the_largest_action_is_legal() -> None:
    content = Content(arguments={"x": "\u202e\u202d" * 60_000})
    sample = replace(view(), content=content)
    whole = full_view(sample)
    texts = [piece.text for page in whole.pages for piece in page]
    assert "".join(texts).count("\\u{202e}") == 60_000
    for page in (0, whole.count // 2, whole.count - 1):
        body = details.page(sample, whole, page, may_vote=True)
        assert check_view(body, "modal") == []
        assert not is_view_too_large(body)


def test_very_many_words_of_the_agent_are_cut_and_counted() -> None:
    content = Content(arguments={"x": "\U0001f600" * 4_000}, justification="\U0001f600" * 60_000)
    sample = replace(view(), content=content)
    whole = full_view(sample)
    body = details.page(sample, whole, whole.count - 1, may_vote=True)
    assert check_view(body, "modal") == []
    assert not is_view_too_large(body)
    assert "22,400 of 60,000 characters of its words" in str(body)


def test_our_numbers_are_within_the_emulators() -> None:
    assert limits.MESSAGE_JSON_CHARS < 13_200


def test_whoever_voted_can_withdraw_from_every_page_of_details() -> None:
    sample = view(ticket(votes=(build.vote(),)), content=Content(arguments={"x": "y" * 90_000}))
    whole = full_view(sample)
    pages = [details.page(sample, whole, one, may_vote=True) for one in range(whole.count)]
    for body in (*pages, details.cover(sample, whole), details.decide(sample, digest="f" * 64)):
        assert names.WITHDRAW in json.dumps(body)
        assert check_view(body, "modal") == []
