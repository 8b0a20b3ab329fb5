"""The process in which a posted candidate bundle judges recorded requests.

Lives here: its limits, and lines in, one report out. Must not live here: reading the ledger or
any setting: it is started without an environment and knows what it is told on standard input.
Law: the limits stand before a byte of the candidate is read; whatever the candidate makes of a
compiler or an expression engine, it costs this process and no other.
"""

import base64
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress

from bot.replay import case_from, load_text
from governance.canonical import Json, parse
from governance.differences import Case
from governance.errors import Code, InvalidInput, PlacetError
from governance.json_text import to_text
from governance.policy.bundle import Bundle, load
from governance.simulation import Simulation

MEMORY_BYTES = 1_073_741_824
MOST_LINE_BYTES = 33_554_432
MOST_TOLD = 100


def limit(cpu_s: int) -> None:
    """Bound processor time, memory and what can be written; nothing can raise the bounds again."""
    for what, most in (
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def main() -> None:
    """Read the bundles, judge every case, answer the report or why there is none."""
    limit(int(sys.argv[1]))
    try:
        told: Json = {"report": _report()}
    except PlacetError as error:
        told = {
            "error": {
                "code": error.code.value,
                "message": error.message,
                "pointer": error.pointer,
            }
        }
    sys.stdout.write(to_text(told))
    sys.stdout.flush()


def _report() -> Mapping[str, Json]:
    """The first line is the candidate, the second the bundles that decided, then the cases."""
    lines = _lines()
    simulation = Simulation(load(next(lines)), _deciding(next(lines)), most=MOST_TOLD)
    for line in lines:
        simulation.judge(_case(line))
    return simulation.report().to_json()


def _lines() -> Iterator[Mapping[str, Json]]:
    for line in sys.stdin.buffer:
        value = parse(line, max_bytes=MOST_LINE_BYTES)
        if not isinstance(value, Mapping):
            raise InvalidInput(Code.INVALID_FIELD, "a line is no object")
        yield value


def _deciding(line: Mapping[str, Json]) -> dict[str, Bundle]:
    """Bundles that once were active; one that this version cannot read decides nothing here."""
    found: dict[str, Bundle] = {}
    for snapshot, text in line.items():
        with suppress(InvalidInput):
            bundle = load_text(base64.b64decode(str(text)))
            found |= {snapshot: bundle} if bundle.snapshot == snapshot else {}
    return found


def _case(line: Mapping[str, Json]) -> Case:
    content = line["content"]
    return case_from(line, base64.b64decode(content) if isinstance(content, str) else None)


if __name__ == "__main__":
    main()
