"""The error of a ledger that cannot do it now.

Lives here: how it is made. Must not live here: what becomes of it. Law: nothing was written where
it is raised.
"""

from governance.errors import Code, Unavailable


def unavailable(message: str) -> Unavailable:
    """The ledger cannot do it now; nothing was written."""
    return Unavailable(Code.LEDGER_UNAVAILABLE, message)
