"""The bundle that decides in this process.

Lives here: the one place that holds it. Must not live here: which bundle it ought to be (the
ledger says), nor how it is loaded. Law: whoever decides takes ``current`` once and works with
that; nothing keeps a bundle of its own, so that a newly activated one is never half in use.
"""

from governance.policy.model import Bundle


class ActiveBundle:
    """A bundle that is replaced whole."""

    __slots__ = ("_current",)

    def __init__(self, bundle: Bundle) -> None:
        self._current = bundle

    @property
    def current(self) -> Bundle:
        """The bundle that decides now."""
        return self._current

    def replace(self, bundle: Bundle) -> None:
        """Decide by ``bundle`` from now on."""
        self._current = bundle
