"""Detaching as an operator types it: a look changes nothing, and what is in the way is named."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.compose import core as core_module
from bot.compose import detaching
from bot.compose.checkpoints import checkpoint
from bot.compose.core import bundle_of
from bot.compose.databases import apply_roles
from bot.compose.rollback import behind, behind_at_rest
from bot.compose.speaking import AUDIT_CURSOR
from bot.replies import Exit
from bot.scheduler import WallClock
from bot.settings import Settings, from_environment
from governance.control import AgentFrozen
from governance.errors import Code, Refused
from governance.principal import TenantId
from governance.tickets.ticket import TicketId
from storage.retention.segments import alone
from tests.attacks.tampering import unguarded
from tests.support.build import ANNA
from tests.support.commits import append
from tests.support.postgres import Postgres
from tests.unit.cli.conftest import Placet, opened

DAYS = 400


@pytest.fixture
def folder(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLACET_SEGMENTS", str(tmp_path / "segments"))
    environment["PLACET_SEGMENTS"] = str(tmp_path / "segments")
    return tmp_path / "segments"


@pytest.fixture
def settings(environment: dict[str, str], folder: Path) -> Settings:
    assert folder
    return from_environment(environment)


async def _checkpointed(settings: Settings, *, more: int = 0) -> None:
    async with opened(settings) as core:
        await core.administration.activate(bundle_of(settings), actor="system:start")
        tenant = TenantId(settings.tenant)
        names = range(more)
        events = [AgentFrozen(tenant=tenant, target=f"a-{n}", person=ANNA) for n in names]
        await append(core.ledger, *events)
        await checkpoint(core)


@pytest.fixture
def sealed(placet: Placet, settings: Settings) -> int:
    """Where a sealed segment without any ticket ends."""
    asyncio.run(_checkpointed(settings))
    return int(placet("audit", "seal", "--json").json["last"])


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever detaches does it after every retention is over."""

    class Later(WallClock):
        def now(self):  # type: ignore[no-untyped-def]
            return super().now() + timedelta(days=DAYS)

    monkeypatch.setattr(detaching, "WallClock", Later)


def database_of(settings: Settings) -> Path:
    return Path(settings.database.removeprefix("sqlite:///"))


def oldest(settings: Settings) -> int:
    with closing(sqlite3.connect(database_of(settings))) as connection:
        return int(connection.execute("SELECT min(seq) FROM events").fetchone()[0])


@pytest.mark.usefixtures("sealed")
def test_what_is_to_be_kept_for_longer_does_not_leave(placet: Placet, settings: Settings):
    for options in ((), ("--apply",)):
        found = placet("audit", "detach", *options)
        assert (found.code, "Nothing may go yet" in found.out + found.err) == (0, True)
    assert oldest(settings) == 1


@pytest.mark.usefixtures("later")
def test_a_look_says_what_would_go_and_changes_nothing(
    placet: Placet, settings: Settings, sealed: int
):
    found = placet("audit", "detach")
    assert found.code == 0
    assert f"Events 1 to {sealed} may go" in found.out + found.err
    told = placet("audit", "detach", "--json")
    assert (told.json["detached"], told.json["events"]) == (False, sealed)
    assert oldest(settings) == 1
    assert placet("audit", "verify", "--json").json["detached"] == 0


@pytest.mark.usefixtures("later")
def test_what_has_left_verifies_with_its_files_and_what_was_not_looked_at_is_said(
    placet: Placet, settings: Settings, folder: Path, sealed: int
):
    assert placet("audit", "detach", "--apply").code == 0
    assert oldest(settings) == sealed + 1
    whole = placet("audit", "verify", "--segments", folder, "--complete", "--json")
    assert (whole.code, whole.json["since"], whole.json["detached"]) == (0, 0, sealed)
    begun = placet("audit", "verify", "--json")
    assert (begun.code, begun.json["since"], begun.json["detached"]) == (0, sealed, sealed)
    told = placet("audit", "verify")
    assert f"Not looked at: events 1 to {sealed}" in told.out + told.err
    (state,) = folder.glob("state-*")
    state.rename(folder / "aside")
    gone = placet("audit", "verify", "--json")
    assert (gone.code, gone.json["problems"][0]["code"]) == (Exit.PROBLEM, "detached")


@pytest.mark.usefixtures("later")
def test_backups_exports_tails_and_seals_go_on_after_it(
    placet: Placet,
    settings: Settings,
    sealed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    placet("audit", "detach", "--apply")
    size = int(placet("audit", "verify", "--json").json["events"])
    told = placet("audit", "export", tmp_path / "log.jsonl")
    assert f"after event {sealed}" in told.out + told.err
    found = placet("audit", "tail", "-n", "1000", "--json")
    assert len(found.out.splitlines()) == size - sealed
    assert f"1 to {sealed} are detached" in found.err
    assert placet("db", "backup", tmp_path / "copy.db").code == 0
    restored = f"sqlite:///{tmp_path}/restored.db"
    monkeypatch.setenv("PLACET_DATABASE", restored)
    assert placet("db", "restore", tmp_path / "copy.db").code == 0
    assert placet("audit", "verify", "--json").json["since"] == sealed
    copied = placet("db", "copy", restored, f"sqlite:///{tmp_path}/third.db", "--json")
    assert (copied.code, copied.json["verified"]) == (0, True)
    monkeypatch.setenv("PLACET_DATABASE", settings.database)
    asyncio.run(_checkpointed(settings, more=300))
    # The log's time is ahead of the clock's since its records left.
    made = placet("audit", "seal", "--up-to", "2999-01-01", "--json")
    assert made.json["first"] == sealed + 1
    again = placet("audit", "detach", "--apply", "--json")
    assert (again.code, again.json["detached"]) == (0, False)
    monkeypatch.setattr(detaching, "WallClock", _much_later())
    last = placet("audit", "detach", "--apply", "--json")
    assert (last.code, last.json["segments"][0]["first"]) == (0, sealed + 1)
    whole = placet("audit", "verify", "--segments", settings.segments, "--complete", "--json")
    assert (whole.code, whole.json["since"]) == (0, 0)


def _much_later() -> type[WallClock]:
    class MuchLater(WallClock):
        def now(self):  # type: ignore[no-untyped-def]
            return super().now() + timedelta(days=3 * DAYS)

    return MuchLater


@pytest.mark.usefixtures("later", "folder")
def test_an_open_ticket_is_in_the_way_and_named(
    placet: Placet, settings: Settings, story: TicketId
):
    asyncio.run(_checkpointed(settings))
    placet("audit", "seal")
    for options in ((), ("--apply",)):
        found = placet("audit", "detach", *options, "--json")
        assert (found.code, story in found.json["error"]["message"]) == (Exit.REFUSED, True)
    assert oldest(settings) == 1


def _by_the_clock(settings: Settings, *, days: int) -> int:
    """What the service detaches of itself, so many days from now."""

    class Later(WallClock):
        def now(self):  # type: ignore[no-untyped-def]
            return super().now() + timedelta(days=days)

    async def turn() -> int:
        async with opened(settings) as core:
            return await detaching.detach_old(core)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core_module, "WallClock", Later)  # the writer's time, and so the log's
        return asyncio.run(turn())


@pytest.fixture
def unattended(environment: dict[str, str], folder: Path) -> Settings:
    assert folder
    return from_environment(environment | {"PLACET_DETACH_DAYS": str(DAYS)})


def test_the_service_detaches_what_is_old_enough_and_kept_for_long_enough(
    placet: Placet, unattended: Settings, sealed: int
):
    assert _by_the_clock(unattended, days=DAYS - 1) == 0
    eager = unattended.model_copy(update={"detach_days": 1})
    assert _by_the_clock(eager, days=2) == 0  # its retention is a year
    assert oldest(unattended) == 1
    assert _by_the_clock(unattended, days=DAYS + 1) == 1
    assert oldest(unattended) == sealed + 1
    lines = placet("audit", "tail", "--json").out.splitlines()
    events = [json.loads(line)["event"] for line in lines]
    (gone,) = [one for one in events if one["type"] == "SegmentDetached"]
    assert (gone["actor"], gone["payload"]["last"]) == ("system:placet", sealed)
    whole = placet("audit", "verify", "--complete", "--json")
    assert (whole.code, whole.json["since"], whole.json["detached"]) == (0, 0, sealed)
    assert _by_the_clock(unattended, days=DAYS + 2) == 0


@pytest.mark.usefixtures("folder")
def test_the_service_keeps_what_an_open_ticket_or_a_hold_needs(
    placet: Placet, unattended: Settings, story: TicketId
):
    asyncio.run(_checkpointed(unattended))
    placet("audit", "seal")
    with pytest.raises(Refused, match=story):
        _by_the_clock(unattended, days=DAYS + 1)
    assert placet("audit", "hold", "add", "--all", "--reason", "case 1").code == 0
    with pytest.raises(Refused) as refused:
        _by_the_clock(unattended, days=DAYS + 1)
    assert refused.value.code is Code.HELD
    assert oldest(unattended) == 1


@pytest.mark.usefixtures("sealed")
def test_the_service_detaches_nothing_of_a_log_or_file_that_does_not_verify(
    unattended: Settings, folder: Path
):
    (log,) = folder.glob("log-*")
    was = log.read_bytes()
    log.write_bytes(was + b"\n")
    with pytest.raises(Refused) as refused:
        _by_the_clock(unattended, days=DAYS + 1)
    assert refused.value.code is Code.WRONG_STATE
    log.write_bytes(was)
    with closing(sqlite3.connect(database_of(unattended))) as connection, connection:
        connection.execute("UPDATE credentials SET issued_at = 'x'")
        connection.execute("UPDATE head SET pending = 9")
    with pytest.raises(Refused, match="does not verify"):
        _by_the_clock(unattended, days=DAYS + 1)
    assert oldest(unattended) == 1


@pytest.mark.usefixtures("sealed")
def test_the_service_detaches_nothing_while_another_process_seals(
    unattended: Settings, folder: Path
):
    with alone(folder), pytest.raises(Refused, match="another process"):
        _by_the_clock(unattended, days=DAYS + 1)
    assert oldest(unattended) == 1


@pytest.mark.usefixtures("later", "sealed")
def test_a_log_that_does_not_verify_keeps_everything(placet: Placet, settings: Settings):
    with closing(sqlite3.connect(database_of(settings))) as connection, connection:
        connection.execute("UPDATE credentials SET issued_at = 'x'")
        connection.execute("UPDATE head SET pending = 9")
    found = placet("audit", "detach", "--apply", "--json")
    assert (found.code, "does not verify" in found.json["error"]["message"]) == (
        Exit.REFUSED,
        True,
    )
    assert oldest(settings) == 1


@pytest.mark.usefixtures("later")
def test_without_the_state_of_what_left_before_nothing_more_leaves(
    placet: Placet, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    asyncio.run(_checkpointed(settings))
    last = placet("audit", "seal", "--json").json["last"]
    placet("audit", "detach", "--apply")
    asyncio.run(_checkpointed(settings, more=3))
    assert placet("audit", "seal", "--up-to", "2999-01-01").code == 0
    (folder / f"state-{last:012d}.ndjson").rename(folder / "aside")
    monkeypatch.setattr(detaching, "WallClock", _much_later())
    found = placet("audit", "detach", "--apply", "--json")
    assert (found.code, "nor" in found.json["error"]["message"]) == (Exit.REFUSED, True)
    assert oldest(settings) == last + 1


@pytest.mark.usefixtures("later")
def test_events_that_the_audit_channel_was_not_told_of_stay(
    placet: Placet, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, sealed: int
):
    settings = from_environment(environment)

    async def told(upto: int) -> None:
        async with opened(settings) as core:
            await core.ledger.advance(AUDIT_CURSOR, upto)

    asyncio.run(told(sealed - 1))
    assert placet("audit", "detach").code == 0
    monkeypatch.setenv("PLACET_SLACK_AUDIT_CHANNEL", "C0AUDIT")
    found = placet("audit", "detach", "--apply", "--json")
    assert (found.code, "catch up first" in found.json["error"]["message"]) == (
        Exit.REFUSED,
        True,
    )
    asyncio.run(told(sealed))
    assert placet("audit", "detach", "--apply").code == 0


@pytest.mark.usefixtures("later")
def test_the_log_that_was_published_is_known_although_its_record_has_left(
    placet: Placet, settings: Settings, sealed: int
):
    """A service that starts compares its log with the newest checkpoint outside."""
    lines = settings.checkpoints.read_text(encoding="utf-8")
    placet("audit", "detach", "--apply")
    assert lines == settings.checkpoints.read_text(encoding="utf-8")

    async def compared() -> object:
        async with opened(settings) as core:
            return await behind(settings, core.ledger)

    assert f"\n{sealed}\n" in lines
    assert asyncio.run(compared()) is None
    assert behind_at_rest(settings) is None
    with unguarded(database_of(settings)) as connection:
        connection.execute("UPDATE detached SET head = 'other'")
        body = connection.execute("SELECT body FROM control").fetchone()[0]
        forged = body.replace(body[body.index(b'"detached"') :], b'"detached":null}')
        assert forged != body
    assert behind_at_rest(settings) is not None


@pytest.mark.usefixtures("later")
def test_of_an_older_checkpoint_the_recorded_note_is_asked(placet: Placet, settings: Settings):
    asyncio.run(_checkpointed(settings))
    before = settings.checkpoints.read_text(encoding="utf-8")
    asyncio.run(_checkpointed(settings, more=3))
    placet("audit", "seal")
    assert placet("audit", "detach", "--apply").code == 0
    settings.checkpoints.write_text(before, encoding="utf-8")

    async def compared() -> object:
        async with opened(settings) as core:
            return await behind(settings, core.ledger)

    assert asyncio.run(compared()) is None
    assert behind_at_rest(settings) is None
    with closing(sqlite3.connect(database_of(settings))) as connection, connection:
        connection.execute("DELETE FROM checkpoints")
    assert asyncio.run(compared()) is not None
    assert behind_at_rest(settings) is not None


def test_only_the_owner_of_the_tables_detaches_on_a_server(postgres: Postgres):
    name = postgres.ready()
    apply_roles(postgres.url(name), "owned")
    detaching._hold_allowed(postgres.url(name))
    detaching._hold_allowed("sqlite:///any.db")
    for role in ("serve", "executor", "reader", "nobody"):
        url = postgres.url(name).replace("postgres:@", f"owned_{role}:@")
        with pytest.raises(Refused) as refused:
            detaching._hold_allowed(url)
        assert refused.value.code is Code.FORBIDDEN


def test_a_ledger_that_cannot_be_read_says_nothing_of_what_left(tmp_path: Path):
    (tmp_path / "none.db").write_bytes(b"no database")
    with pytest.raises(Exception, match="cannot be read"):
        detaching.detached_upto(f"sqlite:///{tmp_path}/none.db")
