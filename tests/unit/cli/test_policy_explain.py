"""Explaining and simulating by the command line."""

import json
from pathlib import Path

from bot.bundles import shipped
from bot.replies import Exit
from governance.tickets.ticket import TicketId
from tests.unit.cli.conftest import Placet

BUNDLE = """\
version: v1
name: small
rules:
  - id: dev-writes
    match: {topics: ["job.deploy.*"], environments: [dev], actions: [write]}
    decision: allow
  - id: destructive
    match: {risk_tags: [destructive]}
    decision: deny
    reason: it cannot be undone
environments: {dev: {}, prod: {}}
"""


def bundle(folder: Path, text: str = BUNDLE) -> Path:
    path = folder / "bundle.yaml"
    path.write_text(text)
    return path


def test_a_request_is_explained_without_a_ledger(placet: Placet, tmp_path: Path) -> None:
    words = ("--policies", bundle(tmp_path), "--topic", "job.deploy.web", "--action", "write")
    done = placet("policy", "explain", *words, "--environment", "prod", "--env-bound", "prod")
    assert done.code == Exit.OK
    assert "DENY" in done.out
    assert "environment is prod, the rule wants dev" in done.out
    told = placet(
        *("policy", "explain", *words, "--environment", "dev"),
        *("--env-bound", "dev", "--tag", "destructive", "--json"),
    ).json
    assert (told["effect"], told["reason"]) == ("DENY", "it cannot be undone")
    changes = [item["sentence"] for item in told["explanation"]["changes"]]
    assert changes[0] == "without risk tag destructive: ALLOW by rule dev-writes"
    tagged = placet("policy", "explain", *words, "--tag", "destructive")
    assert "it cannot be undone" in tagged.out


def test_a_request_comes_from_a_file_or_input_as_it_is_posted(
    placet: Placet, tmp_path: Path
) -> None:
    path = bundle(tmp_path)
    posted = json.dumps({"topic": "job.deploy.x", "meta": {"risk_tags": ["destructive"]}})
    file = tmp_path / "request.json"
    file.write_text(posted)
    for name, typed in ((str(file), ""), ("-", posted)):
        words = ("policy", "explain", "--policies", path, "--request", name, "--json")
        assert placet(*words, typed=typed).json["rule_ids"] == ["destructive"]
    words = ("policy", "explain", "--policies", path, "--request", file, "--json")
    assert placet(*words, "--label", "a=b", "--role", "r", "--data-class", "public").code == 0


def test_what_cannot_be_read_is_said_with_its_place(placet: Placet, tmp_path: Path) -> None:
    words = ("policy", "explain", "--policies", bundle(tmp_path), "--json")
    for more, pointer in (
        (("--label", "novalue"), "/label"),
        (("--arguments", "[1]"), None),
        (("--request", tmp_path / "none.json"), None),
        (("--topic", "with space"), "/topic"),
        (("--ticket", "t-1", "--topic", "job.x"), "/ticket"),
    ):
        done = placet(*words, *more)
        assert done.code == Exit.USAGE, more
        assert done.json["error"].get("pointer") == pointer
    file = tmp_path / "list.json"
    file.write_text("[]")
    assert placet(*words, "--request", file).json["error"]["pointer"] == "/request"
    given = placet(*words, "--arguments", '{"a": 1}')
    assert given.code == Exit.OK


def test_a_ticket_is_explained_from_the_ledger(placet: Placet, story: TicketId) -> None:
    done = placet("policy", "explain", "--ticket", story)
    assert done.code == Exit.OK
    assert "recorded" in done.out
    assert "REQUIRE_APPROVAL" in done.out
    told = placet("policy", "explain", "--ticket", story, "--json").json
    assert told["recorded"]["effect"] == told["effect"] == "REQUIRE_APPROVAL"
    assert told["recorded"]["snapshot"] == told["snapshot"]
    stricter = placet(
        *("policy", "explain", "--policies", shipped("default"), "--ticket", story, "--json")
    ).json
    assert (stricter["recorded"]["effect"], stricter["effect"]) == ("REQUIRE_APPROVAL", "DENY")
    assert placet("policy", "explain", "--ticket", "t-none").code == Exit.REFUSED


def test_the_active_bundle_simulates_to_no_difference(placet: Placet, story: TicketId) -> None:
    assert story
    done = placet("policy", "simulate", "--policies", shipped("demo"))
    assert done.code == Exit.OK
    assert "Nothing would differ." in done.out
    told = placet("policy", "simulate", "--policies", shipped("demo"), "--json").json
    assert (told["judged"], told["differing_total"], told["drift_total"]) == (1, 0, 0)


def test_what_gets_looser_is_said_in_words(placet: Placet, story: TicketId, tmp_path: Path) -> None:
    assert story
    open_ = bundle(tmp_path, "version: v1\nrules:\n  - {id: open, decision: allow}\n")
    done = placet("policy", "simulate", "--policies", open_)
    assert "LOOSER" in done.out
    assert "REQUIRE_APPROVAL" in done.out
    denied = placet("policy", "simulate", "--policies", shipped("default"))
    assert "newly denied" in denied.out
    assert "stricter" in denied.out


def test_which_decisions_are_simulated_can_be_said(placet: Placet, story: TicketId) -> None:
    assert story
    words = ("policy", "simulate", "--policies", shipped("demo"), "--json")
    assert placet(*words, "--since", "2200-01-01").json["judged"] == 0
    assert placet(*words, "--since", "2000-01-01T00:00:00Z").json["judged"] == 1
    assert placet(*words, "--agent", "nobody").json["judged"] == 0
    assert placet(*words, "--trace", "a" * 32, "--limit", 1).json["judged"] == 1
    assert placet(*words, "--since", "soon").json["error"]["pointer"] == "/since"
