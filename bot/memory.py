"""How a process that serves, or verifies a long log, keeps its memory.

Lives here: what the garbage collector is told once everything has started. Must not live here:
anything that is kept. Law: whatever is made after the start is still collected.
"""

import gc

_AFTER = 20_000
"""Objects more than were freed, until the youngest are looked at. One request makes hundreds, a
record that is verified dozens, and nearly all of them end with it, without the collector."""


def settle() -> None:
    """Take what the start has made (modules, models, policy) for what stays: look past it."""
    gc.collect()
    gc.freeze()
    _, second, third = gc.get_threshold()
    gc.set_threshold(_AFTER, second, third)
