"""What surrounds a command: the settings, and who types it.

Lives here: reading both. Must not live here: any right (whoever may open the ledger's file may
type these commands). Law: the name in the log comes from the operating system, never from the
command line.
"""

import getpass
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.settings import Settings


def settings_now() -> "Settings":
    """The settings of this process's environment.

    Raises:
        InvalidInput: ``invalid_settings``.
    """
    from bot.settings import from_environment

    return from_environment(os.environ)


def account() -> str:
    """The name of the account that runs the command, or its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def actor() -> str:
    """How that account is written in the ``actor`` field of an event."""
    return f"operator:{account()}"
