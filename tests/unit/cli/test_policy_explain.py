"""Explaining and simulating by the command line."""

import json
from pathlib import Path

import pytest

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


ASKED = """\
version: v1
ticket: {required_fields: [justification, on_behalf_of]}
tiers:
  two: {roles: {operator: {weight: 1, min_required: 2}}, release: false, ttl: 1h}
rules:
  - {id: ask, match: {tools: [t]}, decision: require_approval, tier: two}
  - id: night
    match: {tools: [t], times: [{from: "22:00", to: "06:00", zone: Europe/Berlin}]}
    decision: deny
    reason: at night
tools:
  t:
    actions: [read]
    classification: public
    run:
      title: t
      arguments: {type: object, additionalProperties: false, properties: {}}
      runner: {argv: [/bin/true]}
directory: {roles: {operator: {people: ["slack:T0/U0A", "slack:T0/U0B"]}}}
"""


def test_the_moment_the_reason_the_person_and_the_way_of_running_can_be_said(
    placet: Placet, tmp_path: Path
) -> None:
    words = ("policy", "explain", "--policies", bundle(tmp_path, ASKED), "--tool", "t")
    day = (*words, "--json", "--at", "2026-01-05T12:00:00+01:00")
    night = placet(*words, "--json", "--at", "2026-01-05T22:30:00Z").json
    assert (night["effect"], night["reason"]) == ("DENY", "at night")
    ways = [
        (("--dispatch", "release"), "never released"),
        ((), "a ticket needs justification and on_behalf_of"),
        (("--justification", "x"), "a ticket needs on_behalf_of"),
    ]
    for more, reason in ways:
        told = placet(*day, *more).json
        assert told["effect"] == "DENY"
        assert reason in told["reason"]
    full = ("--dispatch", "execute", "--justification", "x", "--on-behalf-of", "slack:T0/U0C")
    assert placet(*day, *full).json["effect"] == "REQUIRE_APPROVAL"
    for more, pointer in (
        (("--at", "2026-01-05T12:00:00"), "/at"),
        (("--at", "0001-01-01T00:00:00+14:00"), "/at"),
        (("--dispatch", "later"), "/dispatch"),
        (("--on-behalf-of", "me"), "/on_behalf_of"),
        (("--ticket", "t-1", "--at", "2026-01-05T12:00:00Z"), "/ticket"),
    ):
        done = placet(*words, "--json", *more)
        assert (done.code, done.json["error"]["pointer"]) == (Exit.USAGE, pointer)


def test_what_is_called_deciding_is_what_a_case_expects_as_rules(
    placet: Placet, tmp_path: Path
) -> None:
    path = bundle(tmp_path, BUNDLE.replace("name: small", "name: 's'"))
    asked = ("--topic", "job.deploy.x", "--action", "write", "--environment", "dev")
    who = ("--env-bound", "dev", "--tag", "destructive", "--json")
    told = placet("policy", "explain", "--policies", path, *asked, *who).json
    rules = told["explanation"]["rules"]
    deciding = [item["rule_id"] for item in rules if item["standing"] == "decides"]
    assert sorted(deciding) == ["destructive", "dev-writes"]
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.yaml").write_text(
        "cases:\n  - name: c\n    agent: {id: a, environments: [dev]}\n    request: {topic: "
        "job.deploy.x, action: write, environment: dev, risk_tags: [destructive]}\n"
        f"    expect: {{effect: allow, rules: [{', '.join(deciding)}]}}\n"
    )
    ran = placet("policy", "test", "--policies", path, "--json")
    (case,) = ran.json["cases"]
    assert [item["what"] for item in case["differences"]] == ["effect"]
    traced = [line["id"] for line in case["trace"] if line["source"] == "rule"]
    assert sorted(traced) == sorted(deciding)
    shown = placet("policy", "test", "--policies", path).out.partition("Its trace")[2]
    assert (shown.count("dev-writes"), shown.count("destructive")) == (1, 1)


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
    assert placet(*words, "--agent", "deployer").json["judged"] == 1
    assert placet(*words, "--trace", "a" * 32, "--limit", 1).json["judged"] == 1
    assert placet(*words, "--since", "soon").json["error"]["pointer"] == "/since"


@pytest.mark.parametrize(("option", "name"), [("agent", "nobody"), ("trace", "b" * 32)])
def test_a_name_that_nothing_on_record_bears_is_not_simulated(
    placet: Placet, story: TicketId, option: str, name: str
) -> None:
    assert story
    words = ("policy", "simulate", "--policies", shipped("demo"), "--json")
    done = placet(*words, f"--{option}", name)
    assert (done.code, done.json["error"]["code"]) == (Exit.REFUSED, "not_found")
    assert done.json["error"]["pointer"] == f"/{option}"
