"""Ways to tamper with a log, and a log to tamper with.

Lives here: every kind of change that ``docs/security.md`` lists, as somebody makes it who can write
the database, the export or the published checkpoints. Must not live here: what finds it.

``shown_by`` says what it takes: ``itself`` (the database or export alone, even without anything
from outside) or ``outside`` (checkpoints and keys that were kept elsewhere). No attacker here has
the service's private keys.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.witness.witness import public_of
from governance import control as ctl
from governance.audit import GENESIS
from governance.control import PublicKey
from governance.notes import Line, Note, cosigned_message, parse_note, render
from governance.transparency import Cosignature, Published
from storage.export import export, export_segments
from storage.ledger import SqliteLedger
from storage.schema.guards import TRIGGERS
from storage.tree import merkle
from storage.verify.verifier import Options, Report, verify_database, verify_export
from tests.support import build, world
from tests.support.build import T0, TENANT, FixedClock
from tests.support.commits import append
from tests.unit.storage import story

ORIGIN = "acme.example/placet"
HEAD = "head"
WITNESS = "watch.example"
AT_S = 1_772_366_400
SEGMENT = 9
Record = dict[str, Any]
"""A record's fields, to forge them."""
Edit = Callable[[Record], object]


class HeadSigner:
    """The service's own signature of each batch."""

    origin = ORIGIN

    def sign_head(self, key_id: str, message: bytes) -> str | None:
        """See ``governance.keys.HeadSigner``."""
        assert key_id == f"key:{HEAD}"
        return world.base64.b64encode(world.sign(HEAD, message)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Copies that one attack may change, and what was kept outside."""

    database: Path
    export: Path
    segments: Path
    checkpoints: str
    witnesses: str
    keys: dict[str, dict[str, str]] = field(default_factory=dict)

    def copied(self, folder: Path) -> "Lab":
        """The same, to be spoiled."""
        return replace(
            self,
            database=Path(shutil.copy(self.database, folder / "placet.db")),
            export=Path(shutil.copy(self.export, folder / "log.jsonl")),
            segments=Path(shutil.copytree(self.segments, folder / "segments")),
        )

    def known(self, target: str, *, outside: bool) -> Options:
        """What the verifier is given: everything that was kept outside, or nothing."""
        known: Options = {"jobs": 0}
        if outside:
            known |= {"checkpoints": self.checkpoints, "keys": self.keys}
            if target == "database":
                known["witnesses"] = self.witnesses
        return known

    def verified(self, target: str, *, outside: bool) -> Report:
        """What the verifier says, with or without what was kept outside."""
        known = self.known(target, outside=outside)
        if target == "database":
            return verify_database(self.database, **known)
        return verify_export(self.export if target == "export" else self.segments, **known)


async def written(folder: Path) -> Lab:
    """A log with something of everything, its exports, and what was published of it."""
    path = folder / "placet.db"
    async with SqliteLedger(f"sqlite:///{path}", FixedClock()) as ledger:
        ledger.sign_heads(HeadSigner())
        pem = world.pem_of(HEAD)
        key = PublicKey(id=f"key:{HEAD}", purpose=HEAD, pem=pem, valid_from=T0)
        await append(ledger, ctl.KeyRegistered(tenant=TENANT, key=key))
        await story.tell(ledger)
        size, root, newest_hash = await ledger.tree_head()
        first = await world.checkpointed(ledger, (size, root, newest_hash))
        await ledger.tiles.publish(Published(size=size, root=root, note=first))
        kept = Cosignature(size=size, name=WITNESS, line=cosigned(first))
        await ledger.tiles.cosign(kept)
        frozen = ctl.AgentFrozen(tenant=TENANT, target="late", person=build.ANNA, reason="odd")
        await append(ledger, frozen)
        newest = world.note_of(*await ledger.tree_head())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    with (folder / "log.jsonl").open("w", encoding="utf-8") as out:
        export(path, out)
    (folder / "segments").mkdir()
    export_segments(path, folder / "segments", events=SEGMENT)
    return Lab(
        database=path,
        export=folder / "log.jsonl",
        segments=folder / "segments",
        checkpoints=f"{first}\n{newest}",
        witnesses=public_of(WITNESS, witness_key(WITNESS)).vkey,
        keys={
            f"key:{name}": {"purpose": name, "pem": world.pem_of(name)}
            for name in (*world.PURPOSES, HEAD)
        },
    )


def witness_key(name: str) -> Ed25519PrivateKey:
    """A fixed key for each witness."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def cosigned(note: str, by: str = WITNESS) -> str:
    """A line in the name of the witness under a checkpoint, by somebody's key."""
    key, known = witness_key(by), public_of(WITNESS, witness_key(WITNESS))
    made = (AT_S).to_bytes(8, "big") + key.sign(cosigned_message(parse_note(note).text, AT_S))
    return render(Note(text="", lines=(Line(name=WITNESS, key_id=known.id, signature=made),)))[1:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One way to tamper; ``act`` changes a lab's copies, and may hand back a lab with others."""

    name: str
    surface: str
    target: str
    shown_by: str
    act: Callable[[Lab], "Lab | None"]


@contextmanager
def unguarded(path: Path, *, restore: bool = True) -> Iterator[sqlite3.Connection]:
    """A database without its guards, which are put back afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        if restore:
            for statement in TRIGGERS.values():
                connection.execute(statement)


def sql(*statements: str) -> Callable[[Lab], None]:
    """Run these on the database; each must change something."""

    def act(lab: Lab) -> None:
        with unguarded(lab.database) as connection:
            for statement in statements:
                assert connection.execute(statement).rowcount > 0, statement

    return act


def guards(*statements: str) -> Callable[[Lab], None]:
    """Change the schema and put nothing back."""

    def act(lab: Lab) -> None:
        with closing(sqlite3.connect(lab.database, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return act


def emptied(index: str, empty: str) -> Callable[[Lab], None]:
    """Let an index hold nothing of its table: its pages are those of a new and ``empty`` one."""

    def act(lab: Lab) -> None:
        with closing(sqlite3.connect(lab.database, isolation_level=None)) as connection:
            connection.execute(f"CREATE INDEX none {empty}")
            connection.execute("PRAGMA writable_schema = ON")
            moved = connection.execute(
                """UPDATE sqlite_master SET rootpage =
                (SELECT rootpage FROM sqlite_master WHERE name = 'none') WHERE name = ?""",
                (index,),
            )
            assert moved.rowcount == 1
            connection.execute("DELETE FROM sqlite_master WHERE name = 'none'")

    return act


def canonical(record: object) -> bytes:
    """As the log is written."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def rechained(
    bodies: Sequence[bytes], spell: Callable[[Record], bytes] = canonical
) -> list[tuple[str, bytes]]:
    """Hash and bytes of each record, every number, link and hash made to fit."""
    previous, found = GENESIS, []
    for seq, body in enumerate(bodies, start=1):
        raw = spell(json.loads(body) | {"seq": seq, "previous": previous})
        previous = sha256(b"placet/v1/event\0" + raw).hexdigest()
        found.append((previous, raw))
    return found


def edited(bodies: Sequence[bytes], kind: str, edit: Edit) -> list[bytes]:
    """The first record of ``kind`` changed."""
    found = list(bodies)
    place = next(n for n, body in enumerate(found) if json.loads(body)["type"] == kind)
    record = json.loads(found[place])
    edit(record)
    assert canonical(record) != found[place]
    found[place] = canonical(record)
    return found


def replaced(
    change: Callable[[list[bytes]], list[bytes]],
    *,
    heads: bool = False,
    spell: Callable[[Record], bytes] = canonical,
) -> Callable[[Lab], None]:
    """Put another log in its place: right hashes, links, head and columns; ``heads`` are kept."""

    def act(lab: Lab) -> None:
        with unguarded(lab.database) as db:
            rows = db.execute("SELECT body FROM events ORDER BY seq").fetchall()
            chain = rechained(change([body for (body,) in rows]), spell)
            db.execute("DELETE FROM events")
            if not heads:
                db.execute("DELETE FROM head_signatures")
            for seq, (hash_, body) in enumerate(chain, start=1):
                say = json.loads(body)
                columns = (say["timestamp"], say["type"], say["version"], say["tenant"])
                more = (say["traceId"], say["ticketId"], say["agentId"], hash_, body)
                db.execute(
                    "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)", (seq, *columns, *more)
                )
            tree = merkle.Range().grown([body for _, body in chain]).to_bytes()
            at = json.loads(chain[-1][1])["timestamp"]
            row = (len(chain), chain[-1][0], at, tree)
            db.execute("UPDATE head SET seq = ?, hash = ?, at = ?, tree = ?", row)

    return act


def kept_agreeing(lab: Lab) -> None:
    """The freeze that was cut away is taken out of the governing state as well."""
    with closing(sqlite3.connect(lab.database, isolation_level=None)) as db:
        body = json.loads(db.execute("SELECT body FROM control").fetchone()[0])
        del body["frozen"]["late"]
        forged = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        db.execute("UPDATE control SET body = ?", (forged,))


def cut(count: int, *, heads: bool) -> Callable[[Lab], None]:
    """Take the newest records away and make everything agree."""

    def act(lab: Lab) -> None:
        replaced(lambda bodies: bodies[:-count], heads=heads)(lab)
        kept_agreeing(lab)

    return act


def rewritten_and_cut(edit: Edit, kind: str, **how: Any) -> Callable[[Lab], None]:
    """Change history, and take away the checkpoint in the log that would contradict it."""

    def act(lab: Lab) -> None:
        replaced(lambda bodies: edited(bodies[:-2], kind, edit), **how)(lab)
        kept_agreeing(lab)
        sql("DELETE FROM checkpoints", "DELETE FROM cosignatures")(lab)

    return act


def lines(change: Callable[[list[str]], list[str]]) -> Callable[[Lab], None]:
    """Change an export's lines."""

    def act(lab: Lab) -> None:
        before = lab.export.read_text(encoding="utf-8").splitlines(keepends=True)
        after = change(list(before))
        assert before != after
        lab.export.write_text("".join(after), encoding="utf-8")

    return act


def told_anew(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Lab], None]:
    """An export by a server that lies: every number, hash and link right, no signed heads."""

    def act(lab: Lab) -> None:
        entries = [json.loads(line) for line in lab.export.read_text().splitlines()]
        bodies = [entry["body"].encode() for entry in entries if "body" in entry]
        chain = rechained(change(bodies))
        told: list[Record] = [{"export": 1, "after": 0, "previous": GENESIS}]
        told += [{"seq": n, "hash": h, "body": b.decode()} for n, (h, b) in enumerate(chain, 1)]
        told.append({"end": len(chain), "hash": chain[-1][0], "events": len(chain)})
        lab.export.write_text("".join(json.dumps(i, ensure_ascii=False) + "\n" for i in told))

    return act


def segments(change: Callable[[list[Path]], object]) -> Callable[[Lab], None]:
    """Change a folder of segments."""

    def act(lab: Lab) -> None:
        change(sorted(lab.segments.glob("*.jsonl")))

    return act


def swapped(files: list[Path]) -> None:
    """Two segments under each other's names."""
    aside = files[1].with_suffix(".aside")
    files[1].rename(aside)
    files[2].rename(files[1])
    aside.rename(files[2])


def published(change: Callable[[str], str]) -> Callable[[Lab], Lab]:
    """Change the checkpoints that were kept outside."""

    def act(lab: Lab) -> Lab:
        return replace(lab, checkpoints=change(lab.checkpoints))

    return act


def set_in(*path: str, to: object) -> Edit:
    """Set one field of a record."""

    def edit(record: Record) -> None:
        place: Any = record
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = to

    return edit


def without(kind: str) -> Callable[[list[bytes]], list[bytes]]:
    """The log without its first record of a kind."""

    def change(bodies: list[bytes]) -> list[bytes]:
        place = next(n for n, body in enumerate(bodies) if json.loads(body)["type"] == kind)
        return bodies[:place] + bodies[place + 1 :]

    return change


def forged_head(value: str, key_id: str = f"key:{HEAD}") -> Callable[[list[str]], list[str]]:
    """Another signature under the newest record."""

    def change(found: list[str]) -> list[str]:
        place = max(n for n, line in enumerate(found) if line.startswith('{"head"'))
        entry = json.loads(found[place])
        entry["head"] |= {"key_id": key_id, "value": value}
        found[place] = json.dumps(entry) + "\n"
        return found

    return change


def moved_head(found: list[str]) -> list[str]:
    """A signed head that claims to be of the record before."""
    place = max(n for n, line in enumerate(found) if line.startswith('{"head"'))
    line = found.pop(place)
    entry = json.loads(line)
    entry["head"]["seq"] -= 1
    earlier = [n for n, i in enumerate(found) if json.loads(i).get("seq") == entry["head"]["seq"]]
    taken = [n for n, i in enumerate(found) if i.startswith('{"head"') and n == earlier[0] + 1]
    for n in taken:
        found.pop(n)
    found.insert(earlier[0] + 1, json.dumps(entry) + "\n")
    return found


def stranger_s(purpose: str) -> str:
    """A signature by somebody else's key."""
    return world.base64.b64encode(world.sign(f"stranger:{purpose}", b"anything")).decode()
