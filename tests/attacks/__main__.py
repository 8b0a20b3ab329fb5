"""``python -m tests.attacks``: every kind of tampering on both engines, and random flips, counted.

Lives here: the counts, for ``docs/reliability.md``. Must not live here: what is changed
(``tampering_kinds``, ``tampering_server_kinds``, ``flips``). Law: the last line is JSON, and
anything that was not found as the documentation says ends it with exit code 1.
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.attacks.flips import FLIPS
from tests.attacks.tampering import Attack, Lab, written
from tests.attacks.tampering_kinds import ATTACKS, ITSELF, OUTSIDE
from tests.attacks.tampering_server import ServerLab, is_possible, laid_out
from tests.attacks.tampering_server import shown_by as shown_on
from tests.attacks.tampering_server_kinds import SERVER_ATTACKS
from tests.support.postgres import server

NOTHING = "nothing"


@dataclass(slots=True)
class Counts:
    """What was tried on one engine, by where, and what showed it."""

    surfaces: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    otherwise: list[str] = field(default_factory=list)

    def add(self, surface: str, name: str, found: str, wanted: str) -> None:
        """One kind more."""
        self.surfaces[surface] += 1
        self.seen[found] += 1
        if found != wanted:
            self.otherwise.append(f"{surface}: {name}: {found}")

    def told(self) -> dict[str, object]:
        """As it is printed."""
        return {
            "kinds": self.surfaces.total(),
            "where": self.surfaces,
            "shown_by": self.seen,
            "otherwise": self.otherwise,
        }


def shown_by(attack: Attack, lab: Lab, folder: Path) -> str:
    """What showed it: the log itself, only what was kept outside, or nothing."""
    copied = lab.copied(folder)
    spoiled = attack.act(copied) or copied
    if spoiled.verified(attack.target, outside=False).problems:
        return ITSELF
    return OUTSIDE if spoiled.verified(attack.target, outside=True).problems else NOTHING


def counted(lab: Lab, home: Path) -> Counts:
    """What was found of each kind in a file, an export or what was published."""
    counts = Counts()
    for number, attack in enumerate(ATTACKS):
        (folder := home / str(number)).mkdir()
        counts.add(attack.surface, attack.name, shown_by(attack, lab, folder), attack.shown_by)
    return counts


def counted_on(server: ServerLab, lab: Lab, home: Path) -> Counts:
    """The same on a server, and what only a server knows."""
    counts = Counts()
    for number, attack in enumerate(filter(is_possible, ATTACKS)):
        (folder := home / f"server{number}").mkdir()
        copied = lab.copied(folder)
        found = shown_on(attack.act(copied) or copied, server)
        counts.add(attack.surface, attack.name, found, attack.shown_by)
    for kind in SERVER_ATTACKS:
        with server.changed(kind) as name:
            said = {p.what for p in server.verified(name, lab, outside=False).problems}
        found = ITSELF if said == kind.finds else ", ".join(sorted(said)) or NOTHING
        counts.add(kind.surface, kind.name, found, ITSELF)
    return counts


def main() -> int:
    """Try everything once and print what was found."""
    with tempfile.TemporaryDirectory() as folder, server() as postgres:
        (clean := (home := Path(folder)) / "lab").mkdir()
        lab = asyncio.run(written(clean))
        engines = {
            "sqlite": counted(lab, home),
            "postgresql": counted_on(laid_out(postgres, lab), lab, home),
        }
        missed = {}
        for where, (flip, count) in FLIPS.items():
            (folder_of := home / where).mkdir()
            missed[where] = flip(lab.copied(folder_of), count)
    flips = {where: count for where, (_, count) in FLIPS.items()}
    told = {name: counts.told() for name, counts in engines.items()}
    print(json.dumps({**told, "flips": flips, "missed": missed}))
    is_otherwise = any(counts.otherwise for counts in engines.values())
    return 1 if is_otherwise or any(missed.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
