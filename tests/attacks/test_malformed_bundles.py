"""Bundle files as accidents and enemies write them: refused with file, line, column and a plain
sentence, in no time and no memory to speak of, and the command shows nothing else."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bot.bundle_yaml import Mark
from bot.bundles import MAX_FILE_BYTES, load_bundle, read
from bot.replies import Exit
from governance.errors import Code, InvalidInput
from tests.unit.cli.conftest import Placet, environment, placet

__all__ = ["environment", "placet"]

RULE = "rules:\n  - id: a\n    decision: deny\n"
TIER = "tiers:\n  t:\n    roles: {operator: {weight: 1, min_required: 1}}\n"
BLOCK = "constraints:\n  - {id: c, description: d, violationAction: BLOCK}\n"
SEED = "exception_routing:\n  approval:\n    roles: {operator: {weight: 4, min_required: 1}}\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n" for old, new in pairwise("abcdefghi")
)

# name -> (the file's bytes, line, column, words of the sentence)
FILES: dict[str, tuple[str | bytes, int, int, str]] = {
    # Bytes and characters
    "byte order mark": (b"\xef\xbb\xbfname: a\n", 1, 1, "byte order mark"),
    "utf-16 little": ("name: a\n".encode("utf-16"), 1, 1, "not UTF-8"),
    "utf-16 big": (b"\xfe\xff\x00n\x00a", 1, 1, "not UTF-8"),
    "latin-1": ("name: a\nx: caf\xe9\n".encode("latin-1"), 2, 7, "not UTF-8"),
    "overlong": (b"name: \xc0\xaf\n", 1, 7, "not UTF-8"),
    "surrogate": (b"name: \xed\xa0\x80\n", 1, 7, "not UTF-8"),
    "nul": (b"name: a\x00b\n", 1, 8, "the character U+0000"),
    "escape": ("name: \x1b[2J\n", 1, 7, "the character U+001B"),
    "delete": ("name: a\x7f\n", 1, 8, "the character U+007F"),
    "next line": ("name: a\x85rules: []\n", 1, 8, "the character U+0085"),
    "line separator": ("name: a\u2028rules: []\n", 1, 8, "the character U+2028"),
    "right to left": ("# \u202eyned :noisiced\nname: a\n", 1, 3, "the character U+202E"),
    "lone return": ("name: a\rrules: []\n", 1, 8, "the character U+000D"),
    "mark inside": ("name: a\nx: \ufeffb\n", 2, 4, "the character U+FEFF"),
    # YAML
    "empty": ("", 1, 1, "not a mapping"),
    "only comments": ("# one\n# two\n", 1, 1, "not a mapping"),
    "only a start": ("---\n", 2, 1, "not a mapping"),
    "a word": ("bundle\n", 1, 1, "not a mapping"),
    "list at the top": ("- rules\n", 1, 1, "not a mapping"),
    "two documents": ("name: a\n---\nname: b\n", 2, 1, "a second document"),
    "directive": ("%YAML 1.1\n---\nname: a\n", 1, 1, "directives"),
    "tag directive": ("%TAG ! tag:x,2000:\n---\nname: a\n", 1, 1, "directives"),
    "billion laughs": (LAUGHS, 1, 4, "anchors and aliases"),
    "alias of nothing": ("rules: *nothing\n", 1, 8, "anchors and aliases"),
    "anchor that nobody uses": ("name: &n a\n", 1, 7, "anchors and aliases"),
    "merge key": ("limits:\n  <<: {max_pending: 1}\n", 2, 3, "merge keys"),
    "python object": ("name: !!python/object:os.system x\n", 1, 7, "tags"),
    "python name": ("name: !!python/name:os.system\n", 1, 7, "tags"),
    "binary": ("name: !!binary aGk=\n", 1, 7, "tags"),
    "set": ("rules: !!set {a}\n", 1, 8, "tags"),
    "non-specific tag": ("name: ! a\n", 1, 7, "tags"),
    "complex key": ("? {a: b}\n: c\n", 1, 3, "a key is a word"),
    "integer key": ("clearance:\n  7: [x]\n", 2, 3, "write '7' in quotes"),
    "null key": ("clearance:\n  null: [x]\n", 2, 3, "write 'null' in quotes"),
    "boolean key": ("on: push\n", 1, 1, "'on' is read differently"),
    "duplicate section": (f"{RULE}rules: []\n", 4, 1, "'rules' stands twice"),
    "duplicate label": (
        "rules:\n  - id: a\n    decision: deny\n    match: {labels: {x: a, x: b}}\n",
        4,
        28,
        "'x' stands twice",
    ),
    "unclosed quote": ('name: "a\nrules: []\n', 3, 1, "a text in quotes before it does not"),
    "unclosed list": ("rules: [\n", 2, 1, "a bracket is not closed"),
    "unclosed mapping": ("limits: {max_pending: 1\n", 2, 1, "not YAML"),
    "tab": ("limits:\n\tmax_pending: 1\n", 2, 1, "a tab"),
    "indentation": ("limits:\n   max_pending: 1\n  max: 2\n", 3, 3, "a key begins in the column"),
    "colon in a word": ("name: a: b\n", 1, 8, "a text that holds ': ' needs quotes"),
    "indented too far": ("rules:\n  - id: a\n      decision: deny\n", 3, 15, "indented otherwise"),
    "indented too little": ("rules:\n  - id: a\n   decision: deny\n", 3, 4, "after the dash"),
    "list on the key's line": ("rules: - a\n", 1, 8, "on the next line"),
    "sections to the left": (" name: a\nrules: []\n", 2, 1, "all sections begin in one column"),
    "star without quotes": ("x: [*.a]\n", 1, 6, "begins with * needs quotes"),
    "sign without quotes": ("name: @a\n", 1, 7, "no text begins with this sign"),
    "quote in quotes": ("name: 'it's'\n", 1, 11, "after a text in quotes the line ends"),
    "backslash": ('name: "\\q"\n', 1, 8, "a backslash means more"),
    "text after a bar": ("name: |a\n", 1, 8, "on the next line"),
    "depth": ("x: " + "[" * 40 + "]" * 40, 1, 35, "deeper than 32 levels"),
    "great depth": ("x: " + "[" * 500_000, 1, 35, "deeper than 32 levels"),
    "deep mappings": ("{a: " * 100_000, 1, 129, "deeper than 32 levels"),
    # Scalars that readers bend
    "no": ("rules:\n  - id: no\n    decision: deny\n", 2, 9, "'no' is read differently"),
    "Yes": (f"{TIER}    step_up: Yes\n", 4, 14, "'Yes' is read differently"),
    "on": (f"{TIER}    step_up: on\n", 4, 14, "in quotes where a word is meant, or write true or"),
    "True": (f"{TIER}    step_up: True\n", 4, 14, "or write true or false where the key asks"),
    "tilde": ("name: ~\n", 1, 7, "or leave the key out"),
    "misspelt key": ("rule: []\n", 1, 1, "rules is one"),
    "misspelt required key": ("rules:\n  - {id: a, decison: deny}\n", 2, 13, "decision is one"),
    "base 60": (f"{TIER}    ttl: 1:30\n", 4, 10, "'1:30' is read differently"),
    "octal": ("limits:\n  max_pending: 010\n", 2, 16, "'010' is read differently"),
    "date": ("name: 2026-01-31\n", 1, 7, "'2026-01-31' is read differently"),
    "not a number": ("limits:\n  max_pending: .nan\n", 2, 16, "'.nan' is read differently"),
    "infinity": ("limits:\n  max_pending: -.inf\n", 2, 16, "'-.inf' is read differently"),
    "bare nan": ("limits:\n  max_pending: nan\n", 2, 3, "valid integer"),
    "exponent": ("limits:\n  max_pending: 1e3\n", 2, 16, "'1e3' is read differently"),
    "huge number": (f"limits:\n  max_pending: {'9' * 5_000}\n", 2, 16, "more than 100 digits"),
    "number past the bound": ("limits:\n  max_pending: 1000001\n", 2, 3, "less than or equal"),
    # What the form refuses
    "wrong type": ("rules: {id: a}\n", 1, 1, "valid list"),
    "null section": ("rules:\n", 1, 1, "valid list"),
    "text for a list": ("rules: deny everything\n", 1, 1, "valid list"),
    "rule without id": ("rules:\n  - decision: deny\n", 2, 5, "'id' is missing"),
    "rule without decision": ("rules:\n  - id: a\n", 2, 5, "'decision' is missing"),
    "unknown effect": ("rules:\n  - id: a\n    decision: alow\n", 3, 5, "'decision'"),
    "unknown version": ("version: v2\n", 1, 1, "'version'"),
    "negative ttl": (f"{TIER}    ttl: -5m\n", 4, 5, "'ttl'"),
    "bare ttl": (f"{TIER}    ttl: 5\n", 4, 5, "'ttl'"),
    "zero weight": ("tiers:\n  t:\n    roles:\n      o: {weight: 0}\n", 4, 11, "'weight'"),
    # What the compiler refuses
    "two rules of one id": (f"{RULE}  - id: a\n    decision: allow\n", 4, 5, "stands twice"),
    "two constraints of one id": (
        f"{BLOCK}  - {{id: c, description: d, violationAction: WARN}}\n",
        3,
        6,
        "stands twice",
    ),
    "nothing to constrain": (
        "rules:\n  - id: a\n    decision: allow_with_constraints\n",
        3,
        5,
        "names no constraint",
    ),
    "rate on a deny": (
        f"{RULE}    rate: {{per: agent, count: 1, window_s: 1}}\n",
        4,
        5,
        "only a throttle has a rate",
    ),
    "glob": (f"{RULE}    match:\n      topics: [ok, 'job.[']\n", 5, 20, "ends too early"),
    "unknown tier": (f"{RULE}    tier: none\n", 4, 5, "no tier 'none'"),
    "unknown default tier": ("default_tier: none\n", 1, 1, "tier"),
    "unreachable threshold": (
        f"{TIER}    distinct_roles: true\n    threshold: 9\n",
        5,
        5,
        "threshold",
    ),
    "four eyes of one person": (f"{TIER}    four_eyes: true\n", 4, 5, "one person alone"),
    "ttl past the ticket's": (f"{TIER}    ttl: 3d\n", 4, 5, "longer than max_ttl_hours"),
    "exception to nothing": (f"{TIER}exceptions:\n  c: t\n", 5, 3, "no constraint 'c'"),
    "exception to a warning": (
        f"{TIER}{BLOCK.replace('BLOCK', 'WARN')}exceptions:\n  c: t\n",
        7,
        3,
        "only warns",
    ),
    "open prod": ("environments:\n  prod:\n    fail_mode: unsafe_open\n", 3, 5, "i_understand"),
    "refresh": (f"{SEED}  registry:\n    refresh_interval: 60\n", 5, 5, "refresh_interval"),
    "no sandbox": (f"{SEED}  executor:\n    sandbox: false\n", 5, 5, "sandbox"),
    "other hash": (f"{SEED}  audit:\n    hash_algorithm: MD5\n", 5, 5, "SHA-256"),
}

UNKNOWN_KEYS = {
    "the top": ("zz: 1\n", 1, 1),
    "rule": (f"{RULE}    zz: 1\n", 4, 5),
    "match": (f"{RULE}    match:\n      zz: 1\n", 5, 7),
    "rate": (
        f"{RULE}    rate: {{per: agent, count: 1, window_s: 1, zz: 1}}\n",
        4,
        47,
    ),
    "constraints of a rule": (f"{RULE}    constraints:\n      zz: 1\n", 5, 7),
    "constraint": (
        "constraints:\n  - {id: c, description: d, violationAction: BLOCK, zz: 1}\n",
        2,
        53,
    ),
    "tool": (
        "tools:\n  t:\n    actions: [read]\n    classification: public\n    zz: 1\n",
        5,
        5,
    ),
    "tier": (f"{TIER}    zz: 1\n", 4, 5),
    "role": ("tiers:\n  t:\n    roles:\n      o: {weight: 1, zz: 1}\n", 4, 22),
    "environment": ("environments:\n  dev:\n    zz: 1\n", 3, 5),
    "ticket": ("ticket:\n  zz: 1\n", 2, 3),
    "limits": ("limits:\n  zz: 1\n", 2, 3),
    "output": ("output:\n  zz: 1\n", 2, 3),
    "audit": ("audit:\n  zz: 1\n", 2, 3),
    "directory": ("directory:\n  zz: 1\n", 2, 3),
    "members": ("directory:\n  roles:\n    operator:\n      zz: 1\n", 4, 7),
    "exception_routing": (f"{SEED}  zz: 1\n", 4, 3),
    "registry": (f"{SEED}  registry:\n    zz: 1\n", 5, 5),
    "executor": (f"{SEED}  executor:\n    zz: 1\n", 5, 5),
    "resources": (f"{SEED}  executor:\n    resource_limits:\n      zz: 1\n", 6, 7),
    "runtime": ("runtime:\n  zz: 1\n", 2, 3),
    "policy_engine": ("policy_engine:\n  zz: 1\n", 2, 3),
    "environment_gates": ("policy_engine:\n  environment_gates:\n    dev:\n      zz: 1\n", 4, 7),
}
FILES |= {
    f"unknown key in {name}": (text, line, column, "'zz' is not a key that is known here")
    for name, (text, line, column) in UNKNOWN_KEYS.items()
}


def written(folder: Path, text: str | bytes, name: str = "bundle.yaml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def sentence(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        load_bundle(path)
    assert caught.value.code is Code.INVALID_BUNDLE
    return caught.value.message


def test_there_are_enough_of_them():
    assert len(FILES) >= 36


@pytest.mark.parametrize("name", FILES)
def test_a_malformed_file_is_refused_with_its_place_and_a_plain_sentence(name: str, tmp_path: Path):
    text, line, column, words = FILES[name]
    file = written(tmp_path, text)
    found = sentence(file)
    assert found.startswith(f"{file}:{line}:{column}: "), found
    assert words in found
    assert "\n" not in found
    assert len(found) < len(str(file)) + 400
    assert "Traceback" not in found
    assert "pydantic" not in found


@pytest.mark.parametrize("name", FILES)
def test_the_command_says_where_and_why_and_nothing_else(name: str, tmp_path: Path, placet: Placet):
    text, line, column, words = FILES[name]
    file = written(tmp_path, text)
    ran = placet("check", "--policies", file, "--json")
    assert (ran.code, ran.err) == (Exit.PROBLEM, "")
    (found,) = [
        item
        for item in ran.json["findings"]
        if item["area"] == "bundle" and item["level"] == "problem"
    ]
    assert found["place"] == f"{file}:{line}:{column}"
    assert words in found["text"]
    shown = placet("policy", "activate", "--policies", file, "--yes")
    assert shown.code == Exit.PROBLEM
    assert f"{file}:{line}:{column}: " in shown.err
    assert "Traceback" not in shown.out + shown.err


# Files that are none


def _loop(folder: Path) -> Path:
    (folder / "a.yaml").symlink_to(folder / "b.yaml")
    (folder / "b.yaml").symlink_to(folder / "a.yaml")
    return folder / "a.yaml"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.yaml")  # nobody will ever write into it
    return folder / "pipe.yaml"


def _socket(folder: Path) -> Path:
    at = folder / "s.yaml"
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(at))
    return at


def _folder_of(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        make(folder)
        return folder

    return made


def _folder(folder: Path) -> Path:
    (folder / "sub.yaml").mkdir()
    return folder


def _no_yaml(folder: Path) -> Path:
    written(folder, RULE, "rules.txt")
    return folder


NO_FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.yaml", "cannot be read"),
    "link to itself": (_loop, "cannot be read"),
    "folder with a link to itself": (_folder_of(_loop), "cannot be read"),
    "pipe": (_pipe, "not a regular file"),
    "folder with a pipe": (_folder_of(_pipe), "not a regular file"),
    "socket": (_socket, "cannot be read"),
    "endless device": (lambda _: Path("/dev/zero"), "not a regular file"),
    "silent device": (lambda _: Path("/dev/null"), "not a regular file"),
    "folder in a folder": (_folder, "not a regular file"),
    "no YAML in the folder": (_no_yaml, "this folder has 0"),
    "no name": (lambda _: Path("a\0b.yaml"), "cannot be read"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_is_refused_and_never_waited_for(name: str, tmp_path: Path):
    make, words = NO_FILES[name]
    found = sentence(make(tmp_path))
    assert ":1:1: " in found
    assert words in found


def test_a_section_in_two_files_names_both_places(tmp_path: Path):
    written(tmp_path, "name: a\n", "1.yaml")
    first = written(tmp_path, f"# rules\n{RULE}", "2.yaml")
    second = written(tmp_path, "limits: {}\nrules: []\n", "3.yaml")
    assert sentence(tmp_path) == f"{second}:2:1: 'rules' stands in {first}:2:1 already"


def test_many_files_that_are_together_too_large_are_refused(tmp_path: Path):
    for number in range(3):
        text = b"#" * (MAX_FILE_BYTES - 8) + b"\nx%d: 1" % number
        written(tmp_path, text, f"{number}.yaml")
    assert "larger than" in sentence(tmp_path)


# Time and memory

BIG = MAX_FILE_BYTES - 64
COSTLY = {
    "five megabytes": b"#" * 5_000_000,
    "one plain word": b"name: " + b"1_" * (BIG // 2) + b"x",
    "one number": b"name: " + b"9" * BIG,
    "one base 60 number": b"name: 1" + b":1" * (BIG // 2) + b"x",
    "one quoted word": b'name: "' + b"a" * BIG + b'"',
    "one word of spaces": b"name: a" + b" " * BIG + b"b",
    "open lists": b"x: " + b"[" * BIG,
    "empty lists": b"rules: [" + b"[]," * (BIG // 3) + b"]",
    "commas": b"rules: [" + b"," * BIG + b"]",
    "unknown keys": b"".join(b"k%06d: 1\n" % number for number in range(BIG // 11)),
    "unknown keys of a rule": b"rules:\n- id: a\n  decision: deny\n"
    + b"".join(b"  k%06d: 1\n" % number for number in range(BIG // 13)),
    "wrong rules": b"rules:\n" + b"- {}\n" * (BIG // 5),
    "long comment": b"x: a #" + b"#" * BIG,
    "question marks": b"? " * (BIG // 2),
    "dashes": b"- " * (BIG // 2),
    "colons": b": " * (BIG // 2),
    "quotes": b'"" ' * (BIG // 3),
    "bars": b"x: |\n" + b" a\n" * (BIG // 3),
    "new lines": b"x:" + b"\n" * BIG + b"[",
}
MOST_S = 20
MOST_BYTES = 700_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", COSTLY)
def test_a_huge_file_costs_no_more_than_its_size(name: str, tmp_path: Path):
    file = written(tmp_path, COSTLY[name])
    code = (
        "import sys; from pathlib import Path; from bot.bundles import load_bundle\n"
        "from governance.errors import InvalidInput\n"
        "try:\n    load_bundle(Path(sys.argv[1]))\n"
        "except InvalidInput as error:\n    print(error.message[:300])\n"
    )
    out, peak, spent_s = _in_a_process(code, str(file))
    assert spent_s < MOST_S
    assert peak < MOST_BYTES
    assert out.startswith(f"{file}:"), out


# A child's resource usage begins with what its parent had: it says itself what it took.
_PEAK = """
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""


def _in_a_process(code: str, *arguments: str) -> tuple[str, int, float]:
    """What it printed, its peak of memory in bytes, and the seconds of its processor."""
    before = os.times()
    words = [sys.executable, "-c", code + _PEAK, *arguments]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    after = os.times()
    spent_s = after.children_user - before.children_user
    spent_s += after.children_system - before.children_system
    out, _, peak = done.stdout.rstrip("\n").rpartition("\n")
    return out, int(peak) * 1024, spent_s


def test_the_places_of_a_bundle_that_loads_are_known_too(tmp_path: Path):
    file = written(tmp_path, f"{RULE}limits: {{max_pending: 3}}\n")
    source = read(file)
    assert source.mark("/rules/0/decision") == Mark(file=str(file), line=3, column=5)
    assert source.mark("/limits/max_pending") == Mark(file=str(file), line=4, column=10)
