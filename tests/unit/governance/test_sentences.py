"""A sentence is its English text, and knows what it was made from."""

import copy
import json
import pickle

from governance.sentences import SEVERAL, Sentence, joined


def test_a_sentence_is_the_english_text() -> None:
    made = Sentence("ticket {ticket} has {count} votes", ticket="t-1", count=2)
    assert made == "ticket t-1 has 2 votes"
    assert f"{made}!" == "ticket t-1 has 2 votes!"
    assert json.dumps({"message": made}) == '{"message": "ticket t-1 has 2 votes"}'
    assert (made.template, made.values) == (
        "ticket {ticket} has {count} votes",
        {"ticket": "t-1", "count": 2},
    )


def test_a_value_is_no_template() -> None:
    made = Sentence("{agent} is frozen", agent="{agent} {0} %s")
    assert made == "{agent} {0} %s is frozen"
    assert Sentence("a brace } { stands as it is") == "a brace } { stands as it is"


def test_a_sentence_within_a_sentence_keeps_what_it_was_made_from() -> None:
    inner = Sentence("role {role}", role="operator")
    outer = Sentence("not asked: {why}", why=inner)
    assert outer == "not asked: role operator"
    assert outer.values["why"] is inner


def test_another_process_and_a_copy_read_the_text_alone() -> None:
    made = Sentence("{agent} is frozen", agent="{x}")
    pickled = pickle.loads(pickle.dumps(made))  # noqa: S301  # our own bytes
    for read in (pickled, copy.copy(made), copy.deepcopy(made)):
        assert (read, type(read)) == ("{x} is frozen", str)


def test_sentences_one_after_the_other_keep_what_each_was_made_from() -> None:
    one = Sentence("role {role}", role="operator")
    assert joined([one], SEVERAL) is one
    several = joined([one, "as it stands", one], SEVERAL)
    assert several == "role operator; as it stands; role operator"
    assert isinstance(several, Sentence)
    assert several.values["more"] is one
