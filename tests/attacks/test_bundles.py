"""Malformed policy bundles: each is refused with file, line, column and a plain sentence."""

import os
from pathlib import Path

import pytest

from bot.bundles import (
    MAX_FILE_BYTES,
    MAX_FILES,
    load_bundle,
    read,
    shipped,
    writable_by_service,
)
from governance.errors import Code, InvalidInput

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nrules: [*b, *b]\n"
RULE = "rules:\n  - id: a\n    decision: deny\n"
TOOL = "tools:\n  t:\n    actions: [read]\n    classification: public\n"
TIER = "tiers:\n  t:\n    roles: {operator: {weight: 1, min_required: 1}}\n"

MALFORMED: list[tuple[str, str, int, int, str]] = [
    ("billion laughs", LAUGHS, 1, 4, "anchors and aliases"),
    ("alias", "name: *x\n", 1, 7, "anchors and aliases"),
    ("merge key", "limits:\n  <<: {max_pending: 1}\n", 2, 3, "merge keys"),
    ("python tag", "name: !!python/object/apply:os.system [id]\n", 1, 7, "tags"),
    ("harmless tag", "limits:\n  max_pending: !!int 3\n", 2, 16, "tags"),
    ("own tag", "name: !x y\n", 1, 7, "tags"),
    ("duplicate section", "name: a\nrules: []\nname: b\n", 3, 1, "'name' stands twice"),
    ("duplicate key", f"{RULE}    decision: allow\n", 4, 5, "'decision' stands twice"),
    ("same key in quotes", 'name: a\n"name": b\n', 2, 1, "stands twice"),
    ("number as key", "exceptions:\n  1: t\n", 2, 3, "write '1' in quotes"),
    ("boolean as key", "exceptions:\n  true: t\n", 2, 3, "write 'true' in quotes"),
    ("null as key", "exceptions:\n  null: t\n", 2, 3, "write 'null' in quotes"),
    ("on as key", "exceptions:\n  on: t\n", 2, 3, "'on' is read differently"),
    ("list as key", "exceptions:\n  ? [a]\n  : t\n", 2, 5, "a key is a word"),
    ("norway", "rules:\n  - id: no\n    decision: deny\n", 2, 9, "'no' is read differently"),
    ("yes", f"{TIER}    step_up: yes\n", 4, 14, "'yes' is read differently"),
    ("Off", f"{TIER}    step_up: Off\n", 4, 14, "'Off' is read differently"),
    ("True", f"{TIER}    step_up: True\n", 4, 14, "'True' is read differently"),
    ("tilde", "name: ~\n", 1, 7, "'~' is read differently"),
    ("sexagesimal", f"{TIER}    ttl: 1:30\n", 4, 10, "'1:30' is read differently"),
    ("octal", "limits:\n  max_pending: 012\n", 2, 16, "'012' is read differently"),
    ("new octal", "limits:\n  max_pending: 0o12\n", 2, 16, "'0o12' is read differently"),
    ("hexadecimal", "limits:\n  max_pending: 0x1F\n", 2, 16, "'0x1F' is read differently"),
    ("digit groups", "limits:\n  max_pending: 1_000\n", 2, 16, "'1_000' is read differently"),
    ("exponent", "limits:\n  max_pending: 1e2\n", 2, 16, "'1e2' is read differently"),
    ("infinity", "limits:\n  max_pending: .inf\n", 2, 16, "'.inf' is read differently"),
    ("plus sign", "limits:\n  max_pending: +5\n", 2, 16, "'+5' is read differently"),
    ("date", "name: 2026-01-01\n", 1, 7, "'2026-01-01' is read differently"),
    ("endless number", f"limits:\n  max_pending: {'9' * 101}\n", 2, 16, "more than 100 digits"),
    ("fraction", "limits:\n  max_pending: 1.5\n", 2, 3, "valid integer"),
    ("quoted number", "limits:\n  max_pending: '5'\n", 2, 3, "valid integer"),
    ("unknown section", "name: a\nrulez: []\n", 2, 1, "'rulez' is not a key"),
    ("unknown key", f"{RULE}    when_: x\n", 4, 5, "'when_' is not a key"),
    ("unknown effect", "rules:\n  - id: a\n    decision: alow\n", 3, 5, "'decision'"),
    ("missing key", "rules:\n  - decision: deny\n", 2, 5, "'id' is missing"),
    ("broken glob", f"{RULE}    match:\n      topics: ['job.[']\n", 5, 16, "ends too early"),
    ("one-person four eyes", f"{TIER}    four_eyes: true\n", 4, 5, "one person alone"),
    ("lifetime", f"{TIER}    ttl: 3d\n", 4, 5, "longer than max_ttl_hours"),
    ("unknown tier", f"{RULE}    tier: none\n", 4, 5, "no tier 'none'"),
    ("open prod", "environments:\n  prod:\n    fail_mode: unsafe_open\n", 3, 5, "i_understand"),
    (
        "schema from afar",
        f'{TOOL}    arguments: {{"$ref": "http://127.0.0.1:9/x"}}\n',
        5,
        5,
        "may not refer to another document",
    ),
    ("tab", "limits:\n\tmax_pending: 1\n", 2, 1, "not YAML"),
    ("unclosed", "rules: [\n", 2, 1, "not YAML"),
    ("control character", "name: a\x07\n", 1, 8, "the character U+0007"),
    ("two documents", "name: a\n---\nname: b\n", 2, 1, "a second document"),
    ("empty", "", 1, 1, "not a mapping"),
    ("list", "- rules\n", 1, 1, "not a mapping"),
    ("depth", "x: " + "[" * 40 + "]" * 40, 1, 35, "deeper than 32 levels"),
    ("great depth", "x: " + "[" * 200_000, 1, 35, "deeper than 32 levels"),
    ("great depth from the top", "[" * 200_000, 1, 1, "not a mapping"),
    ("lone surrogate", 'name: "\\ud800"\n', 1, 10, "not YAML"),
]


def written(tmp_path: Path, text: str | bytes, name: str = "bundle.yaml") -> Path:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def message(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        load_bundle(path)
    assert caught.value.code is Code.INVALID_BUNDLE
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [case[1:] for case in MALFORMED],
    ids=[case[0] for case in MALFORMED],
)
def test_a_malformed_bundle_is_refused_with_its_place(
    tmp_path: Path, text: str, line: int, column: int, words: str
):
    file = written(tmp_path, text)
    found = message(file)
    assert found.startswith(f"{file}:{line}:{column}: ")
    assert words in found


@pytest.mark.parametrize("text", [RULE, f"name: 'on'\n{TIER}    step_up: true\n", "name: v1.2.3\n"])
def test_what_is_well_written_is_read(tmp_path: Path, text: str):
    assert load_bundle(written(tmp_path, text)).snapshot


def test_numbers_and_texts_are_read_as_they_are_written(tmp_path: Path):
    text = (
        "a: [1, -1, 0, 1.50, true, false, null, , '1', \"yes\", 1.2.3.4, 12ab, a:b]\nb: |\n  no\n"
    )
    text = text.replace(" ,", "")
    mapping = read(written(tmp_path, text)).mapping
    assert str(mapping["a"]) == (
        "[1, -1, 0, Decimal('1.50'), True, False, None, '1', 'yes', '1.2.3.4', '12ab', 'a:b']"
    )
    assert mapping["b"] == "no\n"


def test_bytes_that_are_not_utf8_are_refused_with_their_place(tmp_path: Path):
    file = written(tmp_path, b"name: a\nx: \xff\n")
    assert message(file) == f"{file}:2:4: not UTF-8"


def test_a_bundle_beyond_the_size_cap_is_refused(tmp_path: Path):
    file = written(tmp_path, b"#" * (MAX_FILE_BYTES + 1))
    assert message(file) == f"{file}:1:1: larger than {MAX_FILE_BYTES} bytes"


def test_a_bundle_that_cannot_be_read_is_refused(tmp_path: Path):
    assert "cannot be read" in message(tmp_path / "missing.yaml")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    keeper = os.open(pipe, os.O_RDWR)
    try:
        assert "not a regular file" in message(pipe)
    finally:
        os.close(keeper)


def test_a_folder_is_one_bundle_and_a_section_stands_in_one_file(tmp_path: Path):
    written(tmp_path, "name: whole\n", "a.yaml")
    written(tmp_path, RULE, "b.yml")
    written(tmp_path, "not a bundle", "notes.txt")
    assert len(load_bundle(tmp_path).rules.rules) == 1
    second = written(tmp_path, "version: v1\nname: again\n", "c.yaml")
    assert message(tmp_path) == f"{second}:2:1: 'name' stands in {tmp_path / 'a.yaml'}:1:1 already"


def test_a_fault_in_a_folder_names_the_file(tmp_path: Path):
    written(tmp_path, "name: whole\n", "a.yaml")
    second = written(tmp_path, f"\n{RULE}    tier: none\n", "b.yaml")
    assert message(tmp_path).startswith(f"{second}:5:5: ")


def test_a_folder_without_files_or_with_too_many_is_refused(tmp_path: Path):
    assert message(tmp_path).endswith("this folder has 0")
    for number in range(MAX_FILES + 1):
        written(tmp_path, "", f"{number}.yaml")
    assert message(tmp_path).startswith(f"{tmp_path}:1:1: a bundle has 1 to {MAX_FILES}")


def test_a_fault_without_a_place_of_its_own_points_at_what_encloses_it(tmp_path: Path):
    file = written(tmp_path, "\n  \nname: a\n")
    source = read(file)
    assert str(source.mark("/name/unknown/deep")) == f"{file}:3:1"
    assert str(source.mark("/unknown")) == f"{file}:3:1"


@pytest.mark.parametrize("name", ["missing", "../demo", "Demo", "", "demo/"])
def test_only_shipped_bundles_are_found_by_name(name: str):
    with pytest.raises(InvalidInput, match="is shipped"):
        shipped(name)


def test_what_this_process_could_change_is_listed(tmp_path: Path):
    file = written(tmp_path, RULE)
    assert writable_by_service(file) == [tmp_path, file]
    assert writable_by_service(tmp_path) == [tmp_path, file]


def test_what_this_process_cannot_change_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mine, theirs = written(tmp_path, RULE, "mine.yaml"), written(tmp_path, "", "theirs.yaml")
    # File modes do not bind root, which these tests may run as.
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.W_OK and path == mine)
    assert writable_by_service(tmp_path) == [mine]
    assert writable_by_service(theirs) == []
