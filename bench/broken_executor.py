"""``placet executor`` as a broken build: it commits a start only after the action has run.

Lives here: nothing but the break, for ``bench.kill``, which must notice. Never used otherwise.
"""

import sys

import bot.compose.core
from bench.fault_breaks import LateStart
from bot.cli.main import main

if __name__ == "__main__":
    vars(bot.compose.core)["Service"] = LateStart
    sys.argv = ["placet", "executor", "--json"]
    main()
