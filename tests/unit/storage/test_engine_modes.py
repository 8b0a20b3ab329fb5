"""The ledger's files are its owner's alone."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from storage.engine import migrate


def test_the_file_and_its_companions_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "placet.db"
    migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE more (x)")
        raw.commit()
        names = {item.name for item in path.parent.iterdir()}
        assert "placet.db-wal" in names
        for item in path.parent.iterdir():
            assert stat.S_IMODE(item.stat().st_mode) == 0o600, item.name
