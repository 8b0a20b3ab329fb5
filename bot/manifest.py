"""The Slack app's manifest, as data.

Lives here: finding and reading ``manifest.yml``, in a checkout or installed. Must not live here:
what its parts mean. Law: what Slack is told is what the code uses; a test holds them equal.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

NAME = "manifest.yml"


def manifest_text() -> str:
    """The manifest's YAML."""
    installed = files("bot").joinpath(NAME)
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / NAME).read_text(encoding="utf-8")


def manifest() -> dict[str, Any]:
    """The manifest as a mapping."""
    loaded: dict[str, Any] = yaml.safe_load(manifest_text())
    return loaded
