"""A writer that lies: every record chained, signed and in order, and the content another one."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from governance import control as ctl
from governance.action import Content
from governance.control import PublicKey
from governance.digests import content_digest
from governance.policy.decision import Effect
from governance.ports import Keys, Result
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import Ask, Claims
from storage import codec
from storage.export import export
from storage.ledger import SqlLedger
from storage.verify import actions as verify_actions
from storage.verify.chain import Problem
from storage.verify.verifier import verify_database, verify_export
from storage.verifying import verify_server
from tests.support import build, world
from tests.support.build import ANNA, BEN, T0, TENANT, FixedClock
from tests.support.commits import append, erase
from tests.support.postgres import Postgres
from tests.unit.storage import story

HEAD = "head"
HONEST = Content(arguments={"replicas": 2}, prompt="scale web-1", justification="load").to_bytes()
OTHER = Content(arguments={"replicas": 0}, prompt="scale web-1", justification="load").to_bytes()
WORDLESS = Content().to_bytes()
UNKEPT = build.report(output_digest="", shown_digest="")
SHOWN, ASKED = "action_digest", "request_digest"


class HeadSigner:
    """The writer has every key of the service."""

    origin = "acme.example/placet"

    def sign_head(self, key_id: str, message: bytes) -> str | None:
        """See ``governance.keys.HeadSigner``."""
        return base64.b64encode(world.sign(HEAD, message)).decode()


def known(content: bytes = HONEST, **changes: object) -> Ask:
    return build.known_by(build.ask(**changes), content)


@asynccontextmanager
async def told(url: str, ask: Ask, content: bytes) -> AsyncIterator[SqlLedger]:
    """A whole story: asked, approved by two people who signed, carried out, all of it signed."""
    server = {} if url.startswith("sqlite") else {"trusts_database_time": False}
    async with SqlLedger(url, FixedClock(), **server) as ledger:
        ledger.sign_heads(HeadSigner())
        for purpose in (*world.PURPOSES, HEAD):
            pem = world.pem_of(purpose)
            key = PublicKey(id=f"key:{purpose}", purpose=purpose, pem=pem, valid_from=T0)
            await append(ledger, ctl.KeyRegistered(tenant=TENANT, key=key))
        opened = build.opened("t", ask=ask)
        contents = {content_digest(content): content}
        assert ask.content_digest in contents, "the content is the one that the ask names"
        result = Result(reply=None, events=(opened,), contents=contents)
        await ledger.commit(Keys(), lambda _: result)
        await append(ledger, *world.both("t", opened.binding))
        await append(
            ledger,
            story.cleared("t", ANNA, BEN),
            build.started("t", action_digest=ask.action_digest),
            build.on("t", run_ev.ExecutionSucceeded, run_id="run-1", report=UNKEPT),
        )
        await world.checkpointed(ledger, await ledger.tree_head())
        yield ledger


async def verified(path: Path, ask: Ask, content: bytes) -> tuple[Problem, ...]:
    async with told(f"sqlite:///{path}", ask, content):
        pass
    return verify_database(path, jobs=0).problems


def found(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(problem.what, problem.field) for problem in problems]


def lie(content: bytes, **changes: object) -> tuple[Ask, bytes]:
    """What was shown to people and signed by them is ``HONEST``; what is kept is ``content``."""
    kept = {"content_digest": content_digest(content)}
    return replace(known(), **kept, **changes), content


LIES: dict[str, tuple[Callable[[], tuple[Ask, bytes]], str]] = {
    "another argument is kept than was approved": (lambda: lie(OTHER), f"{SHOWN}, {ASKED}"),
    "another justification is kept": (
        lambda: lie(HONEST.replace(b'"load"', b'"none"')),
        ASKED,
    ),
    "what is kept is no action": (lambda: lie(b"{}"), "content_digest"),
    "what is kept is no JSON": (lambda: lie(b"\xff"), "content_digest"),
    "what is kept says a thing twice": (
        lambda: lie(HONEST.replace(b'{"replicas": 2}', b'{"replicas": 0, "replicas": 2}')),
        "content_digest",
    ),
    "what is kept says one thing more": (
        lambda: lie(HONEST.replace(b'{"arguments"', b'{"more": 1, "arguments"')),
        "content_digest",
    ),
    "what is kept has arguments without names": (
        lambda: lie(HONEST.replace(b'{"replicas": 2}', b"[2]")),
        "content_digest",
    ),
    "what is kept has a prompt that is no text": (
        lambda: lie(HONEST.replace(b'"scale web-1"', b"1")),
        "content_digest",
    ),
    "what is kept has what is no number": (
        lambda: lie(HONEST.replace(b"2", b"NaN")),
        "content_digest",
    ),
    "what is kept is nested without end": (
        lambda: lie(HONEST.replace(b"2", b"[" * 5_000 + b"]" * 5_000)),
        "content_digest",
    ),
    "a number that only a double takes for the same": (
        lambda: lie(HONEST.replace(b"2", b"2.00000000000000000001")),
        f"{SHOWN}, {ASKED}",
    ),
    "another target is logged": (
        lambda: (replace(known(), target="db-1"), HONEST),
        f"{SHOWN}, {ASKED}",
    ),
    "another person is logged": (
        lambda: (replace(known(), on_behalf_of=build.OWNER), HONEST),
        f"{SHOWN}, {ASKED}",
    ),
    "another environment is logged": (
        lambda: (replace(known(), environment="dev"), HONEST),
        SHOWN,
    ),
    "other claims are logged": (lambda: (replace(known(), claims=Claims()), HONEST), ASKED),
    "the claims are left out": (lambda: lie(OTHER, claims=None), SHOWN),
    "nothing is kept, and nothing was asked": (lambda: lie(WORDLESS), f"{SHOWN}, {ASKED}"),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_story_that_is_signed_and_about_another_action_is_found(tmp_path: Path, name: str):
    make, field = LIES[name]
    ask, content = make()
    problems = await verified(tmp_path / "placet.db", ask, content)
    assert found(problems) == [("binding", field)]
    (problem,) = problems
    assert problem.seq == 5
    assert problem.detail.startswith("TicketOpened: ")


HONEST_ASKS: dict[str, tuple[Ask, bytes]] = {
    "plain": (known(), HONEST),
    "without claims": (replace(known(), claims=None), HONEST),
    "without a tool": (known(tool="", target=""), HONEST),
    "wordless": (known(WORDLESS), WORDLESS),
    "numbers as they were written": (
        known(
            odd := Content(
                arguments={
                    "a": Decimal("1.0"),
                    "b": Decimal("1E+3"),
                    "c": 10**40,
                    "d": [Decimal("-0.0"), Decimal("1e-7"), True, None],
                }
            ).to_bytes()
        ),
        odd,
    ),
    "text of every kind": (
        known(
            text := Content(
                arguments={"名前": "e\u0301", "\ue000": 1, "\U0001f600": "\x00\u2028\x7f\\"},
                prompt="ZÜRICH \u202e",
            ).to_bytes(),
            target="zürich-e\u0301",
            labels=(("\ue000", "1"), ("\U0001f600", "2")),
        ),
        text,
    ),
    "an environment that policy took otherwise": (known(environment="dev"), HONEST),
}


def test_a_second_name_in_an_ask_leads_to_no_other_content():
    told = codec.payload(build.opened("t", ask=known()))["ask"]
    assert verify_actions.wrong_in_ask(told, "0" * 64, HONEST) == ["content_digest"]


@pytest.mark.parametrize("name", ["action", "target", "environment"])
def test_an_ask_with_a_field_of_another_type_is_not_made_of_its_content(name: str):
    told = codec.payload(build.opened("t", ask=known()))["ask"] | {name: ["x"]}
    assert verify_actions.wrong_in_ask(told, told["content_digest"], HONEST) == [SHOWN]


@pytest.mark.parametrize("name", HONEST_ASKS)
async def test_an_honest_story_verifies(tmp_path: Path, name: str):
    assert await verified(tmp_path / "placet.db", *HONEST_ASKS[name]) == ()


async def test_what_was_erased_is_not_judged(tmp_path: Path):
    path = tmp_path / "placet.db"
    async with told(f"sqlite:///{path}", *lie(OTHER)) as ledger:
        await erase(ledger, content_digest(OTHER))
    assert found(verify_database(path, jobs=0).problems) == []


async def test_an_export_shows_what_it_can(tmp_path: Path):
    """Contents stay behind; that there was none is known from its digest."""
    for content, wanted in ((OTHER, []), (WORDLESS, [("binding", f"{SHOWN}, {ASKED}")])):
        folder = tmp_path / content_digest(content)
        folder.mkdir()
        await verified(folder / "placet.db", *lie(content))
        with (folder / "log.jsonl").open("w", encoding="utf-8") as out:
            export(folder / "placet.db", out)
        assert found(verify_export(folder / "log.jsonl", jobs=0).problems) == wanted


async def test_a_decision_without_a_ticket_is_held_to_what_it_was_asked(tmp_path: Path):
    path = tmp_path / "placet.db"
    honest = known(WORDLESS)
    events = [
        ev.DecisionEvaluated(ask=ask, ruling=build.ruling(Effect.ALLOW))
        for ask in (honest, replace(honest, target="db-1"), known())
    ]
    async with SqlLedger(f"sqlite:///{path}", FixedClock()) as ledger:
        await append(ledger, *events)
    wrong = verify_database(path, jobs=0).problems
    assert [(problem.seq, *entry) for problem, entry in zip(wrong, found(wrong), strict=True)] == [
        (2, "binding", f"{SHOWN}, {ASKED}")
    ]


async def test_large_contents_are_looked_at_in_parts_and_by_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.verify.rows._ROWS_BYTES", 1)
    monkeypatch.setattr("storage.verify.verifier._FOR_JOBS", 1)
    async with told(f"sqlite:///{tmp_path / 'placet.db'}", *lie(OTHER)) as ledger:
        for number in range(3):
            honest = known(idempotency_key=f"k-{number}")
            opened = build.opened(f"t-{number}", ask=honest)
            kept = {honest.content_digest: HONEST}
            result = Result(reply=None, events=(opened,), contents=kept)
            await ledger.commit(Keys(), lambda _, result=result: result)
    problems = verify_database(tmp_path / "placet.db", jobs=1).problems
    assert found(problems) == [("binding", f"{SHOWN}, {ASKED}")]


@pytest.mark.parametrize(
    ("made", "wanted"), [(lie(OTHER), [("binding", f"{SHOWN}, {ASKED}")]), ((known(), HONEST), [])]
)
async def test_the_same_on_a_server(
    postgres: Postgres, made: tuple[Ask, bytes], wanted: list[tuple[str, str]]
):
    url = postgres.url(postgres.ready())
    async with told(url, *made):
        pass
    assert found(verify_server(url).problems) == wanted
