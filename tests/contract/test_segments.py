"""Sealed segments on both engines: what is sealed verifies, and nothing else counts as sealed."""

import base64
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from governance import control as ctl
from governance.administration import Administration
from governance.control import PublicKey
from governance.errors import Code, InvalidInput, Refused, Unavailable
from governance.keys import rotation_message
from governance.ports import Signature
from governance.segments import Segment, seal_message
from governance.transparency import Published
from storage.engine import database, file_database
from storage.ledger import SqlLedger
from storage.retention import segments as module
from storage.verify.segments import Shelf
from storage.verify.verifier import Options, Report, verify_database, verify_export
from storage.verifying import verify_server
from tests.attacks.tampering import unguarded
from tests.support import build, world
from tests.support.build import T0, TENANT, FixedClock
from tests.support.commits import append, whole
from tests.support.postgres import Postgres
from tests.support.sealing import LATE, RETENTION, WorldSigner, administration, checkpoint, seal
from tests.unit.storage import story


class Kept(NamedTuple):
    """A ledger, its URL, its clock and the folder of its segments."""

    ledger: SqlLedger
    url: str
    clock: FixedClock
    folder: Path

    def verified(self, *, since: int = 0, complete: bool = False, checkpoints: str = "") -> Report:
        start = self.folder / f"state-{since:012d}.ndjson" if since else None
        path = file_database(self.url)
        shelf = Shelf.of(self.folder) if self.folder.is_dir() else None
        given: Options = {
            "shelf": shelf,
            "complete": complete,
            "start": start,
            "checkpoints": checkpoints,
            "jobs": 0,
        }
        if path is None:
            return verify_server(self.url, **given)
        return verify_database(path.path, **given)

    async def seal(self, **options: object) -> int:
        made = await seal(self.ledger, self.url, self.folder, **options)
        return made.last if made else 0


@pytest.fixture(params=["sqlite", "postgres"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    """A ledger in which everything happened once; nothing is sealed yet."""
    url, clock = f"sqlite:///{tmp_path}/placet.db", FixedClock()
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(server.ready())
    async with SqlLedger(url, clock, trusts_database_time=False) as ledger:
        await story.tell(ledger)
        yield Kept(ledger, url, clock, tmp_path / "sealed")


async def tell_more(ledger: SqlLedger, name: str) -> None:
    run = build.opened(name, ask=story.ask(name))
    await story.commit(ledger, run, *world.both(name, run.binding))


def whats(report: Report) -> list[str]:
    return [problem.what for problem in report.problems]


async def test_a_seal_covers_all_up_to_the_newest_checkpoint_and_verifies(kept: Kept):
    size = await checkpoint(kept.ledger)
    await tell_more(kept.ledger, "t-after")
    assert await kept.seal() == size
    report = kept.verified(complete=True)
    assert (report.problems, report.seals) == ((), 1)
    files = sorted(path.name for path in kept.folder.iterdir())
    assert files == [f"log-{1:012d}-{size:012d}.jsonl", f"state-{size:012d}.ndjson"]
    assert {path.stat().st_mode & 0o777 for path in kept.folder.iterdir()} == {0o600}
    last = (await whole(kept.ledger))[-1]
    assert (last.type, last.payload["events"], last.payload["last"]) == (
        *("SegmentSealed", size),
        size,
    )


async def test_segments_follow_one_another_and_the_folder_is_an_export(kept: Kept):
    ends = []
    for name in ("t-1", "t-2", "t-3"):
        await tell_more(kept.ledger, name)
        await checkpoint(kept.ledger)
        ends.append(await kept.seal())
    assert ends == sorted(set(ends))
    report = kept.verified(complete=True)
    assert (report.problems, report.seals) == ((), 3)
    exported = verify_export(kept.folder, jobs=0)
    assert (exported.problems, exported.size) == ((), ends[-1])


async def test_with_nothing_new_nothing_is_sealed(kept: Kept):
    assert await kept.seal() == 0
    size = await checkpoint(kept.ledger)
    assert await kept.seal() == size
    before = await kept.ledger.head()
    assert await kept.seal() == 0
    assert await kept.ledger.head() == before


async def test_only_what_is_old_enough_is_sealed(kept: Kept):
    first = await checkpoint(kept.ledger)
    kept.clock.pass_(10)
    await tell_more(kept.ledger, "t-young")
    second = await checkpoint(kept.ledger)
    assert await kept.seal(until=T0 - timedelta(seconds=1)) == 0
    assert await kept.seal(until=T0) == first
    assert await kept.seal(until=LATE) == second
    assert kept.verified(complete=True).problems == ()


async def test_verification_that_begins_at_any_seal_finds_as_much(kept: Kept):
    ends = []
    for name in ("t-1", "t-2"):
        await tell_more(kept.ledger, name)
        await checkpoint(kept.ledger)
        ends.append(await kept.seal())
    await tell_more(kept.ledger, "t-after")
    whole_report = kept.verified()
    for end in ends:
        report = kept.verified(since=end)
        assert (report.problems, report.since) == ((), end)
        assert (report.size, report.root, report.head) == (
            *(whole_report.size, whole_report.root),
            whole_report.head,
        )
        assert report.counts.tickets == whole_report.counts.tickets
        assert report.counts.signatures < whole_report.counts.signatures


class NextSigner(WorldSigner):
    """The key that follows the world's checkpoint key."""

    async def sign(self, purpose: str, message: bytes) -> Signature:
        value = base64.b64encode(world.sign("next", message)).decode()
        return Signature(key_id="key:next", value=value)


def rotated_to_next() -> ctl.KeyRotated:
    key = PublicKey(id="key:next", purpose="checkpoint", pem=world.pem_of("next"), valid_from=T0)
    message = rotation_message(tenant=TENANT, old_key_id="key:checkpoint", key=key)
    old, new = (base64.b64encode(world.sign(n, message)).decode() for n in ("checkpoint", "next"))
    return ctl.KeyRotated(
        tenant=TENANT,
        actor="a",
        old_key_id="key:checkpoint",
        key=key,
        signed_by_old=old,
        signed_by_new=new,
    )


async def test_checkpoints_of_a_key_that_was_rotated_count_wherever_one_begins(kept: Kept):
    """A key vouches for what it signed before its end, and for nothing that saw more."""
    early = await kept.ledger.tree_head()
    before = await world.checkpointed(kept.ledger, early)
    await append(kept.ledger, rotated_to_next())
    size, root, head = await kept.ledger.tree_head()
    note = world.note_of(size, root, head, "next")
    logged = ctl.CheckpointSigned(tenant=TENANT, size=size, head=head, note=note, key_id="key:next")
    await append(kept.ledger, logged)
    with module.alone(kept.folder):
        segment = module.make_ready(database(kept.url), kept.folder, None, RETENTION, until=LATE)
    assert segment is not None
    admin = Administration(
        ledger=kept.ledger,
        reader=kept.ledger,
        clock=kept.clock,
        signer=NextSigner(),
        tenant=TENANT,
    )
    await admin.seal(segment, actor="operator:root", origin="log")
    await tell_more(kept.ledger, "t-after")
    late = world.note_of(size, root, head)
    too_early = world.note_of(*early, "next")
    for since in (0, segment.last):
        assert kept.verified(since=since, checkpoints=f"{before}\n{note}").problems == ()
        for forged, why in ((late, "was rotated out"), (too_early, "does not count")):
            (problem,) = kept.verified(since=since, checkpoints=forged).problems
            assert problem.what == "checkpoint"
            assert why in problem.detail


async def test_the_longest_retention_of_any_record_counts(kept: Kept):
    await checkpoint(kept.ledger)
    assert await kept.seal()
    (event,) = [item for item in await whole(kept.ledger) if item.type == "SegmentSealed"]
    assert event.payload["keep_until"].startswith(str((T0 + timedelta(days=365)).date()))
    asked = story.ask("t-money")
    opened = build.opened("t-money", ask=asked, data_classes=("financial",))
    await story.commit(kept.ledger, opened)
    await checkpoint(kept.ledger)
    await kept.seal()
    event = (await whole(kept.ledger))[-1]
    assert event.payload["keep_until"].startswith(str((T0 + timedelta(days=2_555)).date()))
    # It goes on in a segment in which it was not born.
    await story.commit(kept.ledger, world.cast("t-money", opened.binding))
    await checkpoint(kept.ledger)
    await kept.seal()
    event = (await whole(kept.ledger))[-1]
    assert event.payload["keep_until"].startswith(str((T0 + timedelta(days=2_555)).date()))


# Attacks on what was sealed


def _line_gone(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("which", ["log", "state"])
@pytest.mark.parametrize("spoil", [_line_gone, _cut, _grown, _empty])
async def test_a_file_that_is_not_the_one_that_was_sealed_is_named(
    kept: Kept, which: str, spoil: Callable[[Path], None]
):
    await checkpoint(kept.ledger)
    await kept.seal()
    (path,) = kept.folder.glob(f"{which}-*")
    spoil(path)
    (problem,) = kept.verified().problems
    assert (problem.what, problem.table) == ("seal", path.name)


async def test_swapped_files_are_named(kept: Kept):
    for name in ("t-1", "t-2"):
        await tell_more(kept.ledger, name)
        await checkpoint(kept.ledger)
        await kept.seal()
    one, two = sorted(kept.folder.glob("state-*"))
    aside = kept.folder / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    assert whats(kept.verified()) == ["seal", "seal"]


async def test_a_missing_file_is_a_problem_where_all_are_wanted(kept: Kept):
    await checkpoint(kept.ledger)
    size = await kept.seal()
    (path,) = kept.folder.glob("log-*")
    path.unlink()
    assert kept.verified().problems == ()
    (problem,) = kept.verified(complete=True).problems
    assert (problem.what, problem.table) == ("seal", f"log-{1:012d}-{size:012d}.jsonl")


def _forged(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    for entry in entries:
        change(entry)
    lines = [json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n" for entry in entries]
    path.write_text("".join(lines), encoding="utf-8")


def _with_a_key(entry: dict[str, object]) -> None:
    if "facts" in entry:
        entry["facts"]["keys"].append(  # type: ignore[index]
            ["key:evil", "vote:operator", world.pem_of("evil"), "2026-01-01T00:00:00.000000Z", 1]
        )


def _with_a_credential(entry: dict[str, object]) -> None:
    if "c" in entry:
        entry["c"] = ["cred-evil", entry["c"][1]]  # type: ignore[index]


def _with_a_hold_lifted(entry: dict[str, object]) -> None:
    if "facts" in entry:
        entry["facts"]["counts"] = [0, 0, 0]  # type: ignore[index]


@pytest.mark.parametrize("forge", [_with_a_key, _with_a_credential, _with_a_hold_lifted])
async def test_a_forged_state_is_named_by_whoever_begins_with_it(
    kept: Kept, forge: Callable[[dict[str, object]], None]
):
    await checkpoint(kept.ledger)
    size = await kept.seal()
    (path,) = kept.folder.glob("state-*")
    before = path.read_bytes()
    _forged(path, lambda _: None)
    assert path.read_bytes() == before
    _forged(path, forge)
    assert path.read_bytes() != before
    assert "seal" in whats(kept.verified(since=size))
    assert "seal" in whats(kept.verified())


async def _signed_for(kept: Kept, segment: Segment) -> None:
    """A seal that the key signed, whatever is true."""
    await administration(kept.ledger).seal(segment, actor="a", origin="log")


async def test_a_state_that_the_key_signed_and_the_records_do_not_say_is_named(kept: Kept):
    """Somebody has the key: only records from the first on tell."""
    await checkpoint(kept.ledger)
    segment = module.make_ready(database(kept.url), _made(kept.folder), None, RETENTION, until=LATE)
    assert segment is not None
    (path,) = kept.folder.glob("state-*")
    _forged(path, _with_a_key)
    digest = sha256(path.read_bytes()).hexdigest()
    await _signed_for(kept, replace(segment, state_digest=digest))
    (problem,) = kept.verified().problems
    assert (problem.what, "not what the records before it say" in problem.detail) == ("seal", True)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"root": "0" * 64},
        {"head": "0" * 64},
        {"last": 20},
    ],
)
async def test_a_seal_of_what_no_checkpoint_saw_is_named(kept: Kept, changes: dict[str, object]):
    await checkpoint(kept.ledger)
    segment = module.make_ready(database(kept.url), _made(kept.folder), None, RETENTION, until=LATE)
    assert segment is not None
    await _signed_for(kept, replace(segment, **changes))
    shutil.rmtree(kept.folder)
    (problem,) = kept.verified().problems
    assert (problem.what, "no checkpoint before it saw" in problem.detail) == ("seal", True)


async def _sealed_event(kept: Kept) -> tuple[Segment, ctl.ControlEvent]:
    await checkpoint(kept.ledger)
    segment = module.make_ready(database(kept.url), _made(kept.folder), None, RETENTION, until=LATE)
    assert segment is not None
    made = await WorldSigner().sign(
        "checkpoint", seal_message(tenant=TENANT, origin="log", segment=segment)
    )
    return segment, build.sealed(
        origin="log",
        last=segment.last,
        head=segment.head,
        root=segment.root,
        events=segment.events,
        file_digest=segment.file_digest,
        state_digest=segment.state_digest,
        keep_until=segment.keep_until,
        key_id=made.key_id,
        signature=made.value,
    )


async def test_what_the_seal_says_is_what_its_signature_covers(kept: Kept):
    _, event = await _sealed_event(kept)
    await append(kept.ledger, event)
    assert kept.verified().problems == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"origin": "other"}, "signature of the seal does not hold"),
        ({"keep_until": T0}, "signature of the seal does not hold"),
        ({"signature": base64.b64encode(b"0" * 64).decode()}, "does not hold"),
        ({"key_id": "key:vote:operator"}, "is for vote:operator"),
        ({"key_id": "key:nobody"}, "no key key:nobody"),
        ({"events": 1}, "does not count its records"),
        ({"previous": "1" * 64}, "does not follow"),
        ({"first": 2}, "does not follow"),
    ],
)
async def test_a_seal_that_its_key_did_not_make_is_named(
    kept: Kept, changes: dict[str, object], told: str
):
    _, event = await _sealed_event(kept)
    await append(kept.ledger, replace(event, **changes))
    problems = kept.verified().problems
    assert {problem.what for problem in problems} == {"seal"}
    assert any(told in problem.detail for problem in problems)


async def test_a_key_that_was_revoked_seals_nothing(kept: Kept):
    await checkpoint(kept.ledger)
    gone = ctl.KeyRevoked(tenant=TENANT, actor="a", key_id="key:checkpoint", reason="stolen")
    await append(kept.ledger, gone)
    before = await kept.ledger.head()
    with pytest.raises(Unavailable, match="does not sign checkpoint"):
        await kept.seal()
    assert await kept.ledger.head() == before


# What seals is careful


async def test_two_seals_of_the_same_do_not_both_count(kept: Kept):
    _, event = await _sealed_event(kept)
    segment, _ = event, None
    await append(kept.ledger, event)
    with pytest.raises(Refused) as refused:
        await _signed_for(
            kept,
            Segment(
                first=1,
                last=segment.last,
                previous=segment.previous,
                head=segment.head,
                root=segment.root,
                file_digest=segment.file_digest,
                state_digest=segment.state_digest,
                keep_until=segment.keep_until,
            ),
        )
    assert refused.value.code is Code.WRONG_STATE


async def test_while_one_seals_another_is_refused(kept: Kept):
    await checkpoint(kept.ledger)
    with module.alone(kept.folder), pytest.raises(Refused) as refused:
        await kept.seal()
    assert refused.value.code is Code.WRONG_STATE
    assert await kept.seal()


async def test_a_log_that_does_not_verify_is_not_sealed(kept: Kept):
    key = PublicKey(id="key:second", purpose="checkpoint", pem=world.pem_of("x"), valid_from=T0)
    await append(kept.ledger, ctl.KeyRegistered(tenant=TENANT, key=key))
    await checkpoint(kept.ledger)
    with pytest.raises(Refused, match="two active keys"):
        await kept.seal()
    assert not list(kept.folder.glob("state-*"))


async def test_a_row_of_a_checkpoint_that_nobody_signed_is_no_end_of_a_segment(kept: Kept):
    size = await checkpoint(kept.ledger)
    await tell_more(kept.ledger, "t-more")
    end, root, _ = await kept.ledger.tree_head()
    await kept.ledger.tiles.publish(Published(size=end, root=root, note="forged"))
    assert await kept.seal() == size
    assert "seal" not in whats(kept.verified())


async def test_without_the_state_of_the_newest_seal_nothing_is_sealed(kept: Kept):
    await checkpoint(kept.ledger)
    await kept.seal()
    await tell_more(kept.ledger, "t-more")
    await checkpoint(kept.ledger)
    (path,) = kept.folder.glob("state-*")
    there = path.read_bytes()
    for wrong in (there + b"\n", None):
        path.unlink()
        if wrong is not None:
            path.write_bytes(wrong)
        with pytest.raises(InvalidInput):
            await kept.seal()
    path.write_bytes(there)
    assert await kept.seal()


@pytest.mark.parametrize("place", range(4))
async def test_broken_off_at_any_write_both_the_log_and_the_next_seal_are_whole(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, place: int
):
    """fsync of the records, of the state, of the folder; then the event."""
    await checkpoint(kept.ledger)
    before = await kept.ledger.head()
    whole_, done = os.fsync, 0

    def fails(descriptor: int) -> None:
        nonlocal done
        done += 1
        if done == place + 1:
            raise OSError("no space left")
        whole_(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", fails)
        if place < 3:
            with pytest.raises(OSError, match="no space"):
                await kept.seal()
        else:
            module.make_ready(database(kept.url), _made(kept.folder), None, RETENTION, until=LATE)
    assert await kept.ledger.head() == before
    assert kept.verified().problems == ()
    await tell_more(kept.ledger, "t-more")
    size = await checkpoint(kept.ledger)
    assert await kept.seal() == size
    names = sorted(path.name for path in kept.folder.iterdir() if ".left-" not in path.name)
    assert names == [f"log-{1:012d}-{size:012d}.jsonl", f"state-{size:012d}.ndjson"]
    assert kept.verified(complete=True).problems == ()
    assert verify_export(kept.folder, jobs=0).problems == ()


async def test_files_that_this_log_never_sealed_are_put_aside_and_not_lost(kept: Kept):
    """As after a restore of an older backup: they may be the only witnesses."""
    await checkpoint(kept.ledger)
    _made(kept.folder)
    names = (f"log-{1:012d}-{99:012d}.jsonl", f"state-{99:012d}.ndjson")
    for text in ("first", "second"):
        for name in names:
            (kept.folder / name).write_text(text)
        module.make_ready(database(kept.url), kept.folder, None, RETENTION, until=LATE)
    for name in names:
        assert [(kept.folder / f"{name}.left-{n}").read_text() for n in (1, 2)] == [
            "first",
            "second",
        ]
    assert await kept.seal()
    assert kept.verified(complete=True).problems == ()


async def test_what_others_keep_in_the_folder_stays(kept: Kept):
    await checkpoint(kept.ledger)
    _made(kept.folder)
    other = ("log-000000000009.jsonl", "notes.txt", "state-9.ndjson")
    for name in other:
        (kept.folder / name).write_text("mine")
    await kept.seal()
    assert {(kept.folder / name).read_text() for name in other} == {"mine"}


def _take_away(url: str) -> None:
    """Record 9, behind the guards' back; they are put back."""
    path, gone = file_database(url), "DELETE FROM events WHERE seq = 9"
    if path is not None:
        with unguarded(path.path) as connection:
            connection.execute(gone)
        return
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("ALTER TABLE events DISABLE TRIGGER events_no_delete")
        server.execute(gone)
        server.execute("ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_delete")


async def test_records_changed_behind_a_seal_are_found_from_the_first_on(kept: Kept):
    """Beginning at a seal trusts the seal; the whole walk trusts nothing."""
    await checkpoint(kept.ledger)
    size = await kept.seal()
    _take_away(kept.url)
    assert "sequence" in whats(kept.verified())
    assert kept.verified(since=size).since == size
