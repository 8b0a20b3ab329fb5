"""``python -m bot.cli``: the ``placet`` command of a checkout that is not installed.

Lives here: the call. Must not live here: anything else. Law: both are the same command.
"""

from bot.cli.main import main

if __name__ == "__main__":
    main()
