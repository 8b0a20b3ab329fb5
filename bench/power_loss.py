"""Power cuts: every write that was not synced may be missing, partly there or torn.

``python -m bench.power_loss`` has the real process tell its stories while every write, truncation,
sync and unlink of its database is written down in order, with every acknowledgement and every
effect between them. For each seed the power goes at one place of that record: what was synced by
then is on the disk; of what was not, a random part: none, all, a prefix, a subset, or single
sectors. The files are built so, the index in shared memory is filled with noise, and the real
ledger opens them: the log must verify and hold all that was acknowledged, every effect must have
its approval and start, and the ledger must go on working.

This replays what the real build did to its files through the C library, so neither SQLite nor the
product runs on another file system layer than usual. The directory is taken to keep its changes in
order, as journaling file systems do; the data of files is not.

``synchronous=NORMAL`` is the broken build: it loses acknowledged commits, and must be caught.
"""

import argparse
import json
import random
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.fault_breaks import Break
from bench.fault_harness import Bench, Tally, judge, judge_end, opened
from bench.shim import Op

STORIES = ("many", "approve", "release", "freeze", "many", "reject", "expire", "checkpoint")
_HEAD = struct.Struct("=2i2q")
_SECTOR = 512
_NOISE_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One line of the record; ``data`` is empty but for writes."""

    op: Op
    name: str
    at: int
    data: bytes


def record_of(path: Path) -> list[Write]:
    """What ``fault_shim.c`` wrote down."""
    raw, place, found = path.read_bytes(), 0, []
    while place < len(raw):
        op, name_bytes, at, size = _HEAD.unpack_from(raw, place)
        place += _HEAD.size
        name = raw[place : place + name_bytes].decode()
        place += name_bytes
        kept = size if op in (Op.WRITE, Op.TOLD) else 0
        found.append(Write(op=Op(op), name=name, at=at, data=raw[place : place + kept]))
        place += kept
    return found


@dataclass(slots=True)
class Disk:
    """One file: what is certainly on the disk, and what may be."""

    safe: bytearray = field(default_factory=bytearray)
    waiting: list[Write] = field(default_factory=list)

    def sync(self) -> None:
        """All that waited is safe."""
        for write in self.waiting:
            _apply(self.safe, write)
        self.waiting.clear()

    def after_cut(self, dice: random.Random) -> bytes:
        """What is found when the power is back."""
        found = bytearray(self.safe)
        for write in _survivors(self.waiting, dice):
            _apply(found, write)
        return bytes(found)


def _apply(content: bytearray, write: Write) -> None:
    if write.op is Op.TRUNCATE:
        del content[write.at :]
        content.extend(bytes(write.at - len(content)))
        return
    if len(content) < write.at:
        content.extend(bytes(write.at - len(content)))
    content[write.at : write.at + len(write.data)] = write.data


def _survivors(waiting: Sequence[Write], dice: random.Random) -> Iterator[Write]:
    way = dice.choice(("none", "all", "prefix", "subset", "sectors"))
    count = dice.randint(0, len(waiting)) if way == "prefix" else len(waiting)
    for write in waiting[:count] if way != "none" else ():
        if way == "subset" and dice.random() < 0.5:
            continue
        if way == "sectors" and write.op is Op.WRITE:
            for start in range(0, len(write.data), _SECTOR):
                if dice.random() < 0.5:
                    part = write.data[start : start + _SECTOR]
                    yield Write(op=Op.WRITE, name=write.name, at=write.at + start, data=part)
            continue
        yield write


class Machine:
    """The files of one home as the disk has them, up to one place of the record."""

    def __init__(self, before: Path) -> None:
        self._names: dict[str, Disk] = {}
        self._changes: list[tuple[str, Disk | None]] = []
        """Of the directory, not yet synced: a name and its file, None where it was unlinked."""
        self._safe_names: dict[str, Disk] = {}
        for path in before.glob("ledger.db*"):
            if path.is_file():
                self._safe_names[path.name] = Disk(safe=bytearray(path.read_bytes()))
        self._names |= self._safe_names
        self.told: list[tuple[str, bytes]] = []

    def do(self, write: Write) -> None:
        """One line of the record."""
        name = Path(write.name).name
        if write.op is Op.TOLD:
            self.told.append((name, write.data))
        elif write.op is Op.UNLINK:
            self._names.pop(name, None)
            self._changes.append((name, None))
        elif write.op is Op.DIRSYNC:
            self._settle(len(self._changes))
        elif write.op is Op.SYNC:
            if name in self._names:
                self._names[name].sync()
        else:
            if name not in self._names:
                self._names[name] = Disk()
                self._changes.append((name, self._names[name]))
            self._names[name].waiting.append(write)

    def _settle(self, count: int) -> None:
        for name, disk in self._changes[:count]:
            if disk is None:
                self._safe_names.pop(name, None)
            else:
                self._safe_names[name] = disk
        del self._changes[:count]

    def cut(self, home: Path, dice: random.Random) -> None:
        """The power goes; ``home`` gets what is found afterwards."""
        self._settle(dice.randint(0, len(self._changes)))
        for path in home.glob("ledger.db*"):
            if path.is_file():
                path.unlink()
        for name, disk in self._safe_names.items():
            if not name.endswith("-shm"):
                (home / name).write_bytes(disk.after_cut(dice))
        (home / "ledger.db-shm").write_bytes(dice.randbytes(_NOISE_BYTES))
        outside = home / "outside"
        outside.mkdir(exist_ok=True)
        for name in ("acks", "effects"):
            (outside / name).write_bytes(b"".join(d for n, d in self.told if n == name))


def place_of(record: Sequence[Write], dice: random.Random) -> int:
    """Where the power goes: anywhere, right after a promise, or while the WAL is copied back."""
    way = dice.random()
    told = [n for n, write in enumerate(record, 1) if write.op is Op.TOLD]
    copied = [n for n, write in enumerate(record, 1) if write.name.endswith("ledger.db")]
    if way < 0.5 and told:
        return dice.choice(told)
    if way < 0.7 and copied:
        return dice.choice(copied)
    return dice.randint(1, len(record))


def recorded(bench: Bench, story: str, broken: Break) -> tuple[list[Write], Path]:
    """Tell one story to its end; its record, and the home as it was before."""
    home, before = bench.fresh(), bench.fresh()
    trace = bench.folder / f"trace{bench.made}"
    bench.control.set(home / "ledger.db", trace=trace)
    status = bench.play(home, story, broken=broken)
    bench.control.set(home / "ledger.db")
    if status:
        raise RuntimeError(f"{story} ended with {status}")
    record = record_of(trace)
    trace.unlink()
    bench.tidy(home)
    return record, before


def cut_once(
    bench: Bench, record: Sequence[Write], before: Path, seed: int, tally: Tally
) -> tuple[Path, str]:
    """One power cut; the home as it was found, and where it was."""
    dice = random.Random(seed)  # noqa: S311  # places, not secrets
    place = place_of(record, dice)
    machine = Machine(before)
    for write in record[:place]:
        machine.do(write)
    home = bench.fresh()
    machine.cut(home, dice)
    tally.counts["cuts"] += 1
    return home, f"seed {seed}, line {place} of {len(record)}"


def cut_often(
    bench: Bench, story: str, seeds: Iterable[int], tally: Tally, *, broken: Break = Break.NONE
) -> None:
    """Tell ``story`` once, and cut the power once for each seed; ``tally`` gets what came of it."""
    record, before = recorded(bench, story, broken)
    copies = sum(w.op is Op.WRITE and w.name.endswith("ledger.db") for w in record)
    tally.counts["lines"] += len(record)
    tally.counts["copied_back"] += copies
    for seed in seeds:
        home, place = cut_once(bench, record, before, seed, tally)
        where = f"{story}, {place}"
        judge(home, tally, where)
        if broken is Break.NONE:
            tally.counts["starts_again"] += bench.play(home, story, again=True) == 0
            judge_end(home, story, judge(home, tally, f"{where}, again"), tally, where)
        bench.tidy(home)


def measure(
    seeds: int, *, first: int = 0, stories: Sequence[str] = STORIES, broken: Break = Break.NONE
) -> dict[str, object]:
    """``seeds`` power cuts over ``stories``; the counts."""
    started, tally = time.monotonic(), Tally()
    with opened() as bench:
        for number, story in enumerate(stories):
            mine = range(first + number, first + seeds, len(stories))
            if not mine:
                continue
            cut_often(bench, story, mine, tally, broken=broken)
            print(f"{story}: {tally.counts['cuts']} cuts, {tally.harms} harms", flush=True)
    return {
        "broken": broken,
        "seeds": seeds,
        **tally.to_json(),
        "harms": tally.harms,
        "seconds": round(time.monotonic() - started),
    }


def main() -> None:
    """Parse, run, print; exit 1 on any harm of the real build, or a broken one not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--quick", action="store_true", help="24 seeds")
    parser.add_argument("--broken", choices=[Break.NORMAL_SYNC.value], default=None)
    options = parser.parse_args()
    seeds = 24 if options.quick else options.seeds
    if options.broken is not None:
        counts = measure(seeds, first=options.first, broken=Break(options.broken))
        print(json.dumps(counts))
        raise SystemExit(1 if counts["harms"] else 0)
    counts = measure(seeds, first=options.first)
    broken = measure(max(16, seeds // 10), first=options.first, broken=Break.NORMAL_SYNC)
    print(json.dumps({**counts, "harms_of_broken_builds": {"normal_sync": broken["harms"]}}))
    if counts["harms"] or not broken["harms"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
