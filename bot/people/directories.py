"""What is asked about people, and of whom: a workspace's accounts, a company's groups.

Lives here: the two ports of ``identity``, and how a lookup fails. Must not live here: any
client, who may vote. Law: what was not answered is an error, never an empty list.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.people.lookups import Lookups
from governance.errors import Code, Unavailable
from governance.sentences import Sentence

_NO_GROUP = frozenset({"no_such_subteam", "subteam_not_found", "no_such_group"})


class LookupFailedError(Exception):
    """A lookup did not succeed; ``code`` is the asked side's word for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Accounts(Protocol):
    """What a directory asks of a workspace."""

    async def account(self, user_id: str) -> Mapping[str, object]:
        """One account as ``users.info`` describes it.

        Raises:
            LookupFailedError: there is none, or Slack did not answer.
        """
        ...

    async def account_by_address(self, address: str) -> Mapping[str, object]:
        """The account with this e-mail address.

        Raises:
            LookupFailedError: there is none, or Slack did not answer.
        """
        ...

    async def group_members(self, group_id: str) -> Sequence[str]:
        """User ids of a user group.

        Raises:
            LookupFailedError: Slack did not answer, or there is no such group in use.
        """
        ...


class Groups(Protocol):
    """The company's directory, as far as roles come from its groups."""

    async def addresses(self, group: str) -> Sequence[str]:
        """E-mail addresses of the active members of the group of that name, in lower case.

        Raises:
            LookupFailedError: it did not answer, or has no such group.
        """
        ...


NOT_SET_UP = "not_set_up"


class NoGroups:
    """Where no directory of groups was set up: none of them can be asked about."""

    async def addresses(self, group: str) -> Sequence[str]:
        """Refuse.

        Raises:
            LookupFailedError: always.
        """
        raise LookupFailedError(NOT_SET_UP)


async def members_in(
    lookups: Lookups[str, Sequence[str]], name: str, what: str, *, ttl_s: int, is_count: bool
) -> frozenset[str]:
    """Who is in a group. For a count of who could vote, an old answer will do.

    Raises:
        Unavailable: ``identity_unavailable``.
    """
    try:
        return frozenset(await lookups.get(name, ttl_s=ttl_s))
    except LookupFailedError as error:
        if error.code in _NO_GROUP:  # deleted or disabled: nobody holds a role by it
            return frozenset()
        old = lookups.last(name) if is_count else None
        if old is not None or (is_count and error.code == NOT_SET_UP):
            return frozenset(old or ())
        raise not_asked(what, error) from error


def not_asked(what: str, error: LookupFailedError) -> Unavailable:
    """That ``what`` did not answer, and what follows."""
    message = Sentence(
        "{what} could not be asked ({code}), so no role from it counts now",
        what=what,
        code=error.code,
    )
    return Unavailable(Code.IDENTITY_UNAVAILABLE, message)
