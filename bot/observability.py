"""Logs for operators: one JSON object a line.

Lives here: the form of log lines. Must not live here: audit (that is the ledger). Law: no body,
token or personal text is ever logged; what a third party logs below WARNING is dropped.
"""

import json
import logging
import sys
from datetime import UTC, datetime

_OURS = ("bot", "governance", "storage", "placet")
_DETAILS = ("why", "items", "size", "seq")
"""What a line may say besides its message, where it was given."""


class JsonLines(logging.Formatter):
    """Time, level, logger and message; an exception by type and place, never by its text."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        line |= {name: given for name in _DETAILS if (given := getattr(record, name, None))}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["where"] = _where(record)
        return json.dumps(line, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    """The message; asyncio puts a failed task's exception text into it, so of that only a part."""
    text = record.getMessage()
    return text.partition("\n")[0] if record.name == "asyncio" else text


def _where(record: logging.LogRecord) -> str:
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"


def set_up(*, level: int = logging.INFO) -> None:
    """Send JSON lines to standard error: ours from ``level``, others from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
