"""A file that lost its name takes nothing more."""

import os
from pathlib import Path

import pytest

from storage.sqlite.same_file import DatabaseFileGone, DatabaseFileReplaced, SameFile


def test_the_first_file_asked_for_is_the_one(tmp_path: Path) -> None:
    path, same = tmp_path / "a.db", SameFile()
    path.write_bytes(b"1")
    same.check(path)
    path.write_bytes(b"2")  # its content may change
    same.check(path)


def test_a_file_that_is_gone_or_another_is_refused_until_it_is_back(tmp_path: Path) -> None:
    path, aside, same = tmp_path / "a.db", tmp_path / "aside", SameFile()
    path.write_bytes(b"1")
    same.check(path)
    os.rename(path, aside)
    with pytest.raises(DatabaseFileGone):
        same.check(path)
    path.write_bytes(b"1")
    with pytest.raises(DatabaseFileReplaced):
        same.check(path)
    os.rename(aside, path)
    same.check(path)
