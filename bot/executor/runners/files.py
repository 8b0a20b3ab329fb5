"""Runs inside the sandbox: the built-in runners on files in declared folders.

Here: `file.write` (one key of an INI or JSON file), `file.read`, `text.report`. Called with the
runner's name and the declared folders; arguments come from /in/arguments.json, what the operator
has fixed from /in/fixed.json. It imports nothing of ours. Law kept: a path is followed one
component at a time below a declared folder and never through a link, and a file is replaced as a
whole or not at all.
"""

import fcntl
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MAX_FILE_BYTES = 8 * 1024 * 1024
Scalar = str | int | float | bool | None


class Refused(Exception):
    """What the caller asked for cannot be done; the text is for a person."""


def _no_float(text: str) -> float:
    value = float(text)
    if repr(value) != text:
        raise Refused(f"the file holds the number {text}, which would be changed by rewriting it")
    return value


def load_arguments(directory: str = "/in") -> dict[str, object]:
    """The arguments, under what the operator has fixed."""
    merged: dict[str, object] = {}
    for name in ("arguments.json", "fixed.json"):
        try:
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                loaded = json.load(file)
        except FileNotFoundError:
            continue
        if not isinstance(loaded, dict):
            raise Refused(f"{name}: expected an object")
        merged.update(loaded)
    return merged


def text_of(arguments: dict[str, object], name: str, default: str | None = None) -> str:
    """One argument that has to be text."""
    value = arguments.get(name, default)
    if not isinstance(value, str) or not value:
        raise Refused(f"{name}: expected text")
    return value


def _folder(arguments: dict[str, object], folders: list[str]) -> str:
    name = arguments.get("folder")
    by_name = {os.path.basename(path): path for path in folders}
    if name is None and len(folders) == 1:
        return folders[0]
    if not isinstance(name, str) or name not in by_name:
        raise Refused(f"folder: expected one of {', '.join(sorted(by_name))}")
    return by_name[name]


@contextmanager
def open_parent(folder: str, path: str) -> Iterator[tuple[int, str]]:
    """The open folder that holds `path`, and the last component."""
    parts = path.split("/")
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise Refused("path: expected a relative path of plain components")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, flags, dir_fd=current)
            os.close(current)
            current = inner
        yield current, parts[-1]
    finally:
        os.close(current)


def read_bytes(parent: int, name: str) -> tuple[bytes, os.stat_result]:
    """A plain file's content."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("path: not a plain file")
        if status.st_size > MAX_FILE_BYTES:
            raise Refused(f"path: larger than {MAX_FILE_BYTES} bytes")
        return file.read(MAX_FILE_BYTES), status


def replace(parent: int, name: str, content: bytes, mode: int) -> None:
    """Put a whole new file in the old one's place."""
    temporary = f".{name[:200]}.{os.getpid()}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600, dir_fd=parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode & 0o777)
            os.fsync(file.fileno())
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        os.unlink(temporary, dir_fd=parent)
        raise
    os.fsync(parent)


def _has_controls(text: str) -> bool:
    """Whether there is a control character, or one that some reader takes for a line's end."""
    return any(
        character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029"
        for character in text
    )


def _ini_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise Refused("value: expected text, a number or a truth value for this format")
    text = str(value)
    if text != text.strip() or _has_controls(text):
        raise Refused("value: no line breaks, control characters or outer spaces in this format")
    return text


def _plain(name: str, text: str) -> str:
    bad = set("=:[]#;\r\n")
    if text != text.strip() or bad & set(text) or _has_controls(text):
        raise Refused(f"{name}: no separators, brackets or control characters")
    return text


def set_ini(text: str, section: str, key: str, value: object) -> tuple[str, str | None, str]:
    """The text with one key set, the old and the new value; all other lines stay as they are."""
    wanted, after = _plain("key", key), _ini_text(value)
    end = "\r" if "\r\n" in text else ""
    # Not splitlines(): it also ends lines at characters that are part of a value.
    lines = text.removesuffix("\n").split("\n") if text else []
    here, place = "", 0 if not section else None
    for index, line in enumerate(lines):
        bare = line.strip()
        if bare.startswith("[") and "]" in bare:
            here = bare[1 : bare.index("]")].strip()
            place = index + 1 if here == section else place
        elif here == section and bare and bare[0] not in "#;":
            cut = min((bare.find(sign) for sign in "=:" if sign in bare), default=-1)
            if cut > 0 and bare[:cut].rstrip() == wanted:
                before = bare[cut + 1 :].strip()
                start = line[: line.index(bare[cut], len(line) - len(line.lstrip())) + 1]
                space = " " if line[len(start) : len(start) + 1] == " " else ""
                lines[index] = f"{start}{space}{after}{end}"
                return "\n".join(lines) + "\n", before, after
            place = index + 1
    if place is None:
        lines += ([end] if lines else []) + [f"[{_plain('section', section)}]{end}"]
        place = len(lines)
    lines.insert(place, f"{wanted} = {after}{end}")
    return "\n".join(lines) + "\n", None, after


def set_json(text: str, section: str, key: str, value: object) -> tuple[str, object, object]:
    """The same for JSON; a dotted section names objects inside objects."""
    document = json.loads(text or "{}", parse_float=_no_float)
    target = document
    for part in section.split(".") if section else []:
        target = target.setdefault(part, {}) if isinstance(target, dict) else None
    if not isinstance(target, dict):
        raise Refused("section: not an object in this file")
    before = target.get(key)
    if isinstance(before, dict | list):
        raise Refused("key: holds a list or an object")
    if key in target and before == value and type(before) is type(value):
        return text, before, value
    target[key] = value
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", before, value


def file_write(arguments: dict[str, object], folders: list[str]) -> dict[str, object]:
    """Set one key of a settings file."""
    path, key = text_of(arguments, "path"), text_of(arguments, "key")
    section, value = arguments.get("section", ""), arguments.get("value")
    if not isinstance(section, str) or isinstance(value, dict | list):
        raise Refused("section: expected text; value: expected a single value")
    kind = arguments.get("format") or ("json" if path.endswith(".json") else "ini")
    change = {"json": set_json, "ini": set_ini}.get(str(kind))
    if change is None:
        raise Refused("format: expected ini or json")
    with open_parent(_folder(arguments, folders), path) as (parent, name):
        fcntl.flock(parent, fcntl.LOCK_EX)  # two runs never lose each other's change
        try:
            content, status = read_bytes(parent, name)
            text, mode = content.decode("utf-8"), status.st_mode
        except FileNotFoundError:
            if arguments.get("create") is not True:
                raise
            text, mode = "", 0o644
        new, before, after = change(text, section, key, value)
        if before == after and type(before) is type(after):
            return {"changed": False, "before": before, "after": after}
        replace(parent, name, new.encode("utf-8"), mode)
        return {"changed": True, "before": before, "after": after}


def file_read(arguments: dict[str, object], folders: list[str]) -> dict[str, object]:
    """The text of one file, up to a size."""
    limit = arguments.get("max_bytes", 65536)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_FILE_BYTES:
        raise Refused("max_bytes: expected a positive number")
    path = text_of(arguments, "path")
    with open_parent(_folder(arguments, folders), path) as (parent, name):
        content, _ = read_bytes(parent, name)
    return {
        "path": path,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "truncated": len(content) > limit,
        "text": content[:limit].decode("utf-8", "replace"),
    }


def text_report(arguments: dict[str, object], folders: list[str]) -> dict[str, object]:
    """Counts of one file, without its text."""
    path = text_of(arguments, "path")
    with open_parent(_folder(arguments, folders), path) as (parent, name):
        content, _ = read_bytes(parent, name)
    lines = content.decode("utf-8", "replace").splitlines()
    return {
        "path": path,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "lines": len(lines),
        "blank_lines": sum(1 for line in lines if not line.strip()),
        "words": sum(len(line.split()) for line in lines),
        "longest_line": max((len(line) for line in lines), default=0),
    }


RUNNERS = {"file.write": file_write, "file.read": file_read, "text.report": text_report}


def main(argv: list[str]) -> int:
    """Run one of them; 0 done, 3 refused, with a sentence on stderr."""
    try:
        answer = RUNNERS[argv[1]](load_arguments(), argv[2:])
    except Refused as error:
        sys.stderr.write(f"refused: {error}\n")
    except OSError as error:
        sys.stderr.write(f"refused: {error.strerror}\n")
    except (ValueError, RecursionError) as error:
        sys.stderr.write(
            f"refused: the file cannot be read as its format: {type(error).__name__}\n"
        )
    else:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False, sort_keys=True) + "\n")
        return 0
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv))
