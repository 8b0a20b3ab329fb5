"""The log as text: one record a line, enough to verify it elsewhere.

Lives here: writing that text. Must not live here: contents, which stay behind, and verification.
Law: ``body`` is the very text that was hashed; nothing is re-encoded on the way.
"""

import json
import sqlite3
from pathlib import Path
from typing import TextIO

from storage.engine import Database


def export(database: Path, out: TextIO, *, after_seq: int = 0) -> int:
    """Write every record after ``after_seq`` to ``out``; how many there were.

    Raises:
        sqlite3.Error: the database cannot be read.
    """
    connection = sqlite3.connect(Database(path=database.absolute()).uri("ro"), uri=True)
    try:
        sql = "SELECT seq, hash, body FROM events WHERE seq > ? ORDER BY seq"
        count = 0
        for seq, hash_, body in connection.execute(sql, (after_seq,)):
            line = {"seq": seq, "hash": hash_, "body": body.decode("utf-8")}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
        return count
    finally:
        connection.close()
