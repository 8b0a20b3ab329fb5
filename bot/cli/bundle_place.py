"""Which bundle a command is about.

Lives here: the ``--policies`` option and what stands for it where it is left out. Must not live
here: reading the bundle (``bot.bundles``). Law: every command that decides without a ledger looks
in the same place.
"""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.environment import settings_now

Policies = Annotated[
    Path | None, typer.Option(help="Folder or file of the bundle; else PLACET_POLICIES.")
]


def place_of(policies: Path | None) -> Path:
    """What was given, else what the settings name, else the bundle that is shipped.

    Raises:
        InvalidInput: ``invalid_settings``.
    """
    from bot.bundles import shipped

    return policies or settings_now().policies or shipped("default")
