"""``placet serve`` as it would be with a transaction for each request.

Lives here: the one change that takes group commit away. Must not live here: anything else that
differs. Law: no setting does this; it is there so that the bench can say what group commit is for.
"""

from collections.abc import Callable

from bot.cli.main import main
from storage.writing.writer import Writer

_start = Writer.start


def _start_singly(writer: Writer, on_growth: Callable[[int], None]) -> None:
    writer._batch_limit = 1  # noqa: SLF001  # the bench's whole point
    _start(writer, on_growth)


if __name__ == "__main__":
    Writer.start = _start_singly  # type: ignore[assignment]  # as above
    main()
