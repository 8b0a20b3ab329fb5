"""``python -m tests.attacks``: every kind of tampering and the random flips, counted.

Lives here: the counts, for ``docs/reliability.md``. Must not live here: what is changed
(``tampering_kinds``, ``flips``). Law: the last line is JSON, and anything that was not found as the
documentation says ends it with exit code 1.
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.attacks.flips import FLIPS
from tests.attacks.tampering import Attack, Lab, written
from tests.attacks.tampering_kinds import ATTACKS, ITSELF, OUTSIDE


def shown_by(attack: Attack, lab: Lab, folder: Path) -> str:
    """What showed it: the log itself, only what was kept outside, or nothing."""
    copied = lab.copied(folder)
    spoiled = attack.act(copied) or copied
    if spoiled.verified(attack.target, outside=False).problems:
        return ITSELF
    return OUTSIDE if spoiled.verified(attack.target, outside=True).problems else "nothing"


def main() -> int:
    """Try everything once and print what was found."""
    with tempfile.TemporaryDirectory() as home:
        (clean := Path(home, "lab")).mkdir()
        lab = asyncio.run(written(clean))
        surfaces, seen, otherwise = Counter[str](), Counter[str](), []
        for number, attack in enumerate(ATTACKS):
            (folder := Path(home, str(number))).mkdir()
            found = shown_by(attack, lab, folder)
            surfaces[attack.surface] += 1
            seen[found] += 1
            if found != attack.shown_by:
                otherwise.append(f"{attack.surface}: {attack.name}")
            if found == OUTSIDE:
                print(f"needs what was kept outside: {attack.surface}: {attack.name}")
        missed = {}
        for where, (flip, count) in FLIPS.items():
            (folder := Path(home, where)).mkdir()
            missed[where] = flip(lab.copied(folder), count)
    counts = {"kinds": len(ATTACKS), "where": surfaces, "shown_by": seen, "otherwise": otherwise}
    flips = {where: count for where, (_, count) in FLIPS.items()}
    print(json.dumps({**counts, "flips": flips, "missed": missed}))
    return 1 if otherwise or any(missed.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
