"""The built-in runners by themselves: settings are changed exactly, and paths stay inside."""

import configparser
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.executor.runners import files

WORDS = st.from_regex(re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,12}"), fullmatch=True)
VALUES = st.from_regex(re.compile(r"[!-~]([ -~]{0,20}[!-~])?", re.ASCII), fullmatch=True)


def write(folder: Path, **arguments: object) -> dict[str, object]:
    return files.file_write(arguments, [str(folder)])


@pytest.mark.parametrize(
    ("before", "section", "key", "after"),
    [
        ("", "", "a", "a = 1\n"),
        ("", "s", "a", "[s]\na = 1\n"),
        ("[s]\na=0\nb=2\n", "s", "a", "[s]\na=1\nb=2\n"),
        ("[s]\na = 0 ; note\n", "s", "a", "[s]\na = 1\n"),
        ("# a = 5\n[s]\n  a: 0\n", "s", "a", "# a = 5\n[s]\n  a: 1\n"),
        ("[s]\nb=2\n\n[t]\na=9\n", "s", "a", "[s]\nb=2\na = 1\n\n[t]\na=9\n"),
        ("[t]\na=9\n", "s", "a", "[t]\na=9\n\n[s]\na = 1\n"),
        ("top=1\n[s]\n", "", "a", "top=1\na = 1\n[s]\n"),
        ("[s]\r\na=0\r\n", "s", "a", "[s]\r\na=1\r\n"),
        ("[s]\nab=0\n", "s", "a", "[s]\nab=0\na = 1\n"),
    ],
)
def test_one_line_changes_and_every_other_stays(before: str, section: str, key: str, after: str):
    assert files.set_ini(before, section, key, "1")[0] == after


@given(
    st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES, max_size=4), max_size=4),
    WORDS,
    WORDS,
    VALUES,
)
def test_an_ini_file_reads_back_as_it_was_with_one_key_set(
    content: dict[str, dict[str, str]], section: str, key: str, value: str
):
    text = "".join(
        f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in pairs.items())
        for name, pairs in content.items()
    )
    new, before, after = files.set_ini(text, section, key, value)
    parser = configparser.RawConfigParser(strict=False, delimiters=("=", ":"), default_section="\0")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(new)
    expected = {name: dict(pairs) for name, pairs in content.items()}
    assert before == expected.get(section, {}).get(key)
    assert after == value
    expected.setdefault(section, {})[key] = value
    assert {name: dict(parser[name]) for name in parser.sections()} == expected


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\0", " x", "x ", None, "a\x7f"])
def test_a_value_that_would_break_out_of_its_line_is_refused(value: object):
    with pytest.raises(files.Refused):
        files.set_ini("", "", "a", value)


@pytest.mark.parametrize("name", ["a=b", "a]", "#a", "a\nb", " a", "a:b", "[x"])
def test_a_key_or_section_that_would_be_something_else_is_refused(name: str):
    with pytest.raises(files.Refused):
        files.set_ini("", "", name, "1")
    with pytest.raises(files.Refused):
        files.set_ini("", name, "a", "1")


def test_json_keeps_order_types_and_everything_else(tmp_path: Path):
    path = tmp_path / "c.json"
    path.write_text('{"z": 1, "server": {"port": 80, "tls": false}, "a": [1, 2.5]}')
    answer = write(tmp_path, path="c.json", section="server", key="port", value=8080)
    assert answer == {"changed": True, "before": 80, "after": 8080}
    assert json.loads(path.read_text()) == {
        "z": 1,
        "server": {"port": 8080, "tls": False},
        "a": [1, 2.5],
    }
    assert list(json.loads(path.read_text())) == ["z", "server", "a"]


def test_one_and_true_are_different_values(tmp_path: Path):
    (tmp_path / "c.json").write_text('{"a": 1}')
    assert write(tmp_path, path="c.json", key="a", value=True)["changed"]
    assert (tmp_path / "c.json").read_text() == '{\n  "a": true\n}\n'


@pytest.mark.parametrize(
    ("text", "section"),
    [
        *(('{"a": 0.1000}', ""), ('{"a": 1e400}', ""), ("[]", ""), ('{"s": 3}', "s")),
        *(('{"k": {}}', ""), ('{"k": [1]}', ""), ("{", ""), ("[" * 100_000, "")),
        ('{"s": {"t": null}}', "s.t"),
    ],
)
def test_json_that_cannot_be_changed_exactly_is_left_alone(text: str, section: str, tmp_path: Path):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises((files.Refused, ValueError, RecursionError)):
        write(tmp_path, path="c.json", section=section, key="k", value=1)
    assert path.read_text() == text


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path):
    path = tmp_path / "a.ini"
    path.write_text("k = 1\n")
    path.chmod(0o640)
    with path.open() as old:
        write(tmp_path, path="a.ini", key="k", value="2")
        assert old.read() == "k = 1\n"
    assert path.read_text() == "k = 2\n"
    assert path.stat().st_mode & 0o7777 == 0o640
    assert os.listdir(tmp_path) == ["a.ini"]


def test_an_equal_value_writes_nothing(tmp_path: Path):
    path = tmp_path / "a.ini"
    path.write_text("k = 1\n")
    before = path.stat()
    assert write(tmp_path, path="a.ini", key="k", value=1) == {
        "changed": False,
        "before": "1",
        "after": "1",
    }
    assert path.stat() == before


def test_a_missing_file_is_made_only_when_asked(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write(tmp_path, path="a.ini", key="k", value="1")
    assert write(tmp_path, path="a.ini", key="k", value="1", create=True)["changed"]


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "", ".", "a/../b", "a//b", "link", "dir/link", "dirlink/x", "fifo"],
)
def test_no_path_leads_out_of_the_folder(path: str, tmp_path: Path):
    folder = tmp_path / "folder"
    (folder / "dir").mkdir(parents=True)
    (tmp_path / "x").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "x")
    (folder / "dir" / "link").symlink_to(tmp_path / "x")
    (folder / "dirlink").symlink_to(tmp_path)
    os.mkfifo(folder / "fifo")
    for runner in files.RUNNERS.values():
        with pytest.raises((files.Refused, OSError)):
            runner({"path": path, "key": "k", "value": "v"}, [str(folder)])
    assert (tmp_path / "x").read_text() == "secret"


def test_the_folder_is_chosen_by_its_name_where_there_are_two(tmp_path: Path):
    folders = [str(tmp_path / name) for name in ("a", "b")]
    for folder in folders:
        Path(folder).mkdir()
        Path(folder, "f").write_text(folder[-1])
    assert files.file_read({"path": "f", "folder": "b"}, folders)["text"] == "b"
    for folder in (None, "c", "..", 3):
        with pytest.raises(files.Refused):
            files.file_read({"path": "f", "folder": folder}, folders)


def test_reading_and_counting_say_what_is_there(tmp_path: Path):
    (tmp_path / "t").write_text("one two\n\nthree\n")
    read = files.file_read({"path": "t", "max_bytes": 3}, [str(tmp_path)])
    assert (read["text"], read["truncated"], read["size_bytes"]) == ("one", True, 15)
    report = files.text_report({"path": "t"}, [str(tmp_path)])
    assert (report["lines"], report["words"], report["blank_lines"]) == (3, 3, 1)
    assert report["longest_line"] == 7


def test_what_the_operator_fixed_wins(tmp_path: Path):
    (tmp_path / "arguments.json").write_text('{"path": "mine", "key": "k"}')
    (tmp_path / "fixed.json").write_text('{"path": "fixed"}')
    assert files.load_arguments(str(tmp_path)) == {"path": "fixed", "key": "k"}


@pytest.mark.parametrize("name", ["file.write", "file.read", "text.report"])
def test_a_refusal_is_a_sentence_and_status_3(name: str, capsys: pytest.CaptureFixture[str]):
    assert files.main(["files.py", name, "/data/x"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("refused: ")


@pytest.mark.parametrize(
    "odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
)
def test_no_character_but_a_line_feed_ends_a_line(odd: str) -> None:
    """What one approval stored must not become lines of its own at the next one."""
    for part in ({"key": f"a{odd}b", "value": "x"}, {"key": "a", "value": f"x{odd}[limits]"}):
        with pytest.raises(files.Refused):
            files.set_ini("[theme]\n", "theme", part["key"], part["value"])
    stored = f"[theme]\nmotto = hi{odd}[limits]{odd}max = 1\n"
    after, _, _ = files.set_ini(stored, "theme", "colour", "blue")
    assert after == stored + "colour = blue\n"


def test_every_other_byte_of_the_file_stays_as_it_was() -> None:
    mixed = "# top\r\n[a]\r\nx = 1\n y=2\r\n\n[b]\nx = 3"
    after, before, _ = files.set_ini(mixed, "a", "x", "9")
    assert (after, before) == (mixed.replace("x = 1", "x = 9\r", 1) + "\n", "1")
