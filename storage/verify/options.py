"""What a verification may be given beside what it reads.

Lives here: that, by name. Must not live here: what is done with it (``verifier``). Law: everything
here may show more that is wrong, and nothing here excuses anything.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

from storage.verify.segments import Shelf

Progress = Callable[[int, int], None]
"""Called now and then with records done and records in all (0: not known)."""


class Options(TypedDict, total=False):
    """What ``Verification`` may be given, by name."""

    keys: Mapping[str, Mapping[str, str]] | None
    checkpoints: str
    progress: Progress | None
    jobs: int | None
    shelf: Shelf | None
    complete: bool
    start: Path | None
    states: Path | None
    witnesses: str
