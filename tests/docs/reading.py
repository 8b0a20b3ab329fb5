"""Reading the docs as a test does: files, links, fences.

Lives here: what several of these tests need. Must not live here: assertions.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_ROUTE_URL = re.compile(r"\$BASE(/[^\s\"'?]*)")


def pages() -> list[Path]:
    """Every page that a reader may open."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def ours() -> list[Path]:
    """The pages that are written for readers: all but the commands' own reference and the ADRs."""
    return [page for page in pages() if "adr" not in page.parts]


def text_of(name: str) -> str:
    """A page's text, by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def links(page: Path) -> Iterator[str]:
    """Where a page points to."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    yield from _LINK.findall(prose)


def fences(page: Path, *languages: str) -> Iterator[str]:
    """The blocks of a page in one of ``languages``."""
    for language, body in _FENCE.findall(page.read_text(encoding="utf-8")):
        if language in languages:
            yield body


def spans(page: Path) -> Iterator[str]:
    """The words that a page sets as code, in running text."""
    yield from _CODE.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The headings that a link may name."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def shell_lines(page: Path) -> Iterator[str]:
    """Each command of a page's shell blocks, continued lines joined, comments left out."""
    for block in fences(page, "sh", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            text = re.sub(r"(^|\s)#.*$", "", line).strip()
            if text:
                yield text


def curls(page: Path) -> Iterator[tuple[str, str]]:
    """Method and path of every curl of a page."""
    for line in re.findall(r"curl .*?(?=\ncurl |\n\n|\Z)", "\n".join(_blocks(page)), re.DOTALL):
        found = _ROUTE_URL.search(line)
        if found is None:
            yield "?", line
            continue
        has_body = bool(re.search(r"(^|\s)(-d|--data)\b", line))
        said = re.search(r"-X (\w+)", line)
        method = said.group(1) if said else "POST" if has_body else "GET"
        yield method, found.group(1).replace("$JOB", "{id}").replace("$SEQ", "{id}")


def _blocks(page: Path) -> Iterator[str]:
    yield from (f"{block.strip()}\n\n" for block in fences(page, "sh", "console"))


def script(name: str) -> ModuleType:
    """A script of the docs, as a module; it may use the modules beside it, as when it is run."""
    if str(DOCS) not in sys.path:
        sys.path.append(str(DOCS))
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
