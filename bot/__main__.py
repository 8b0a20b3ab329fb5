"""``python -m bot`` is ``placet``: how one process of ours starts another."""

from bot.cli.main import main

main()
