"""The audit channel's lines: no gap, no silent loss, nothing that formats."""

from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.emulator.limits import check_blocks, is_message_too_long
from bot.sinks.audit_lines import BACKLOG_OVER, MAX_CHARS, audit_messages
from governance.audit import Event, describe
from governance.control import CheckpointSigned
from governance.notes import parse_published
from governance.policy.decision import Constraints, Effect
from governance.ports import Logged
from governance.tickets.ticket import Ticket
from storage.codec import payload
from tests.support import build, world


def logged(
    seq: int, event: Event, after: Ticket | None = None, **header: Any
) -> Logged:  # any field
    return Logged(
        seq=seq,
        type=type(event).__name__,
        version=1,
        at=build.T0,
        header=replace(describe(event, after), **header),
        payload=payload(event),
        hash="0" * 64,
        encoded=b"",
    )


def allow(seq: int, agent: str = "deployer") -> Logged:
    event = build.evaluated(agent=agent)
    return logged(seq, event)


def deny(seq: int) -> Logged:
    event = build.opened(f"t-{seq}", ruling=build.ruling(Effect.DENY))
    return logged(seq, event, build.sample_ticket())


def test_every_kind_of_event_has_its_line_of_plain_words() -> None:
    records = [
        logged(seq, event, after) for seq, (event, after) in enumerate(build.samples().values(), 1)
    ]
    messages = audit_messages(records)
    text = "\n".join(line for message in messages for line in message.lines)
    for record in records:
        assert record.type in text or "ALLOW" in text
    assert text.isascii()


def test_plain_allows_are_one_line_with_their_range() -> None:
    (message,) = audit_messages([*(allow(seq) for seq in range(1, 41)), deny(41)])
    assert message.lines[0] == "seq 1-40: 40 ALLOW (40 for deployer)"
    assert message.lines[1].startswith("seq 41  ")
    assert message.text == "Audit log, seq 1-41"


def test_a_message_gives_a_tickets_whole_id_once_and_a_short_one_after() -> None:
    one = build.sample_ticket()
    event = build.opened("1m7yzw297fnqe6m0bs3tf2", ruling=build.ruling(Effect.DENY))
    records = [logged(seq, event, one, ticket_id="1m7yzw297fnqe6m0bs3tf2") for seq in (1, 2)]
    (message,) = audit_messages(records)
    first, whole, second = message.lines
    assert first.startswith("seq 1  TicketOpened DENY")
    assert whole.startswith("        ticket 1m7yzw297fnqe6m0bs3tf2 r")
    assert "  ..bs3tf2 " in second
    assert message.text == "Audit log, seq 1-2"


@pytest.mark.parametrize("kind", ["opened", "evaluated"])
def test_a_target_that_a_rule_keeps_off_cards_stands_in_no_line_of_the_channel(kind: str) -> None:
    hiding = build.ruling(Effect.DENY, constraints=Constraints(redact_deny=("Target",)))
    made = build.opened() if kind == "opened" else build.evaluated()
    about = replace(made.ask, target="account-4711")
    event = replace(made, ask=about, ruling=build.ruling(Effect.DENY))
    (open_,) = audit_messages([logged(1, event, build.sample_ticket())])
    assert "on account-4711 in" in open_.lines[0]
    (kept,) = audit_messages([logged(1, replace(event, ruling=hiding), build.sample_ticket())])
    assert "4711" not in "".join((kept.text, *kept.lines))
    assert "on a target that policy hides in" in kept.lines[0]


def test_a_checkpoint_shows_its_size_and_root() -> None:
    event, _ = build.samples()["CheckpointSigned"]
    assert isinstance(event, CheckpointSigned)
    note = "log.example/placet\n3\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    (message,) = audit_messages([logged(1, replace(event, note=note))])
    assert "size 3 root AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" in message.lines[0]


def test_a_checkpoint_stands_whole_in_a_block_of_its_own_to_be_copied() -> None:
    event, _ = build.samples()["CheckpointSigned"]
    assert isinstance(event, CheckpointSigned)
    told = [world.note_of(size, bytes(32), "c" * 64) for size in (3, 5)]
    signed = [
        logged(seq, replace(event, note=note)) for seq, note in zip((4, 6), told, strict=True)
    ]
    (message,) = audit_messages([signed[0], deny(5), signed[1]])
    (block,) = cast("tuple[dict[str, Any]]", message.blocks)
    _, lines, *notes = [element["elements"][0]["text"] for element in block["elements"]]
    assert lines.count("seq ") == 3  # the notes are in none of the lines
    assert notes == told
    assert [note.size for note in parse_published("\n".join(notes))] == [3, 5]


def test_checkpoints_keep_a_message_within_its_size() -> None:
    event, _ = build.samples()["CheckpointSigned"]
    assert isinstance(event, CheckpointSigned)
    note = world.note_of(3, bytes(32), "c" * 64)
    messages = audit_messages([logged(seq, replace(event, note=note)) for seq in range(1, 31)])
    assert [note for message in messages for note in message.notes] == [note] * 30
    for message in messages:
        assert len("\n".join(message.lines) + "".join(message.notes)) <= MAX_CHARS


def test_a_backlog_is_counted_by_effect_and_says_so() -> None:
    records = [allow(seq) if seq % 2 else deny(seq) for seq in range(1, BACKLOG_OVER + 102)]
    messages = audit_messages(records)
    first = messages[0].lines[0]
    assert first.startswith(f"seq 1-{len(records) - 60}: ")
    assert "only counted" in first
    assert "ALLOW" in first
    assert "DENY" in first


@given(st.lists(st.booleans(), min_size=1, max_size=450), st.integers(1, 10**9))
def test_the_ranges_follow_each_other_without_a_gap(kinds: list[bool], start: int) -> None:
    records = [allow(seq) if is_allow else deny(seq) for seq, is_allow in enumerate(kinds, start)]
    messages = audit_messages(records)
    expected = start
    for message in messages:
        assert message.first_seq == expected
        expected = message.last_seq + 1
        assert str(message.first_seq) in message.text
    assert expected == start + len(kinds)


@given(st.text(max_size=300))
def test_what_an_agent_wrote_is_ascii_within_limits(text: str) -> None:
    asked = build.ask(agent=text, tool=text, target=text, environment=text)
    event = build.opened(ask=asked, ruling=build.ruling(rule_ids=(text,) * 5))
    after = build.sample_ticket(ask=asked)
    records = [logged(seq, event, after) for seq in range(1, 60)]
    for message in audit_messages(records):
        assert "\n".join(message.lines).isascii()
        assert check_blocks(list(message.blocks), "message") == []
        assert not is_message_too_long(list(message.blocks))
        assert all(line.isprintable() for line in message.lines)


def test_nothing_makes_no_message() -> None:
    assert audit_messages([]) == ()


def test_a_vote_in_anothers_name_says_whose_it_is() -> None:
    lent = build.cast(person=build.BEN, delegator=build.ANNA, delegation="d-1")
    (message,) = audit_messages(
        [logged(1, lent, build.sample_ticket()), logged(2, build.granted())]
    )
    text = "\n".join(message.lines)
    assert "approve for slack:T1/UANNA as operator" in text
    assert "to slack:T1/UBEN" in text
